"""The UI message stream of Vercel's AI SDK 7: https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from rxstream.errors import ToolError
from rxstream.events import ContainerFileCitationAnnotation, Event, FileCitationAnnotation, UrlCitationAnnotation
from rxstream.web.formats._answer_parts import AnswerParts
from rxstream.web.formats._error_text import ErrorText, error_text
from rxstream.web.formats._parts import (
    AnswerPart,
    ApprovalAnswer,
    ApprovalRequest,
    CallInput,
    CallInputPiece,
    CallProgress,
    CallResult,
    CallStart,
    FilePart,
    SourcePart,
    StepEnd,
    StepStart,
    StreamCancel,
    StreamFailure,
    StreamFinish,
    TextEnd,
    TextPiece,
    TextStart,
)

UiMessageChunk: TypeAlias = dict[str, Any]
"""A chunk of the format, with its `type`."""


class UiMessageChunks:
    """Emit the chunks of one message: `start` first, `finish` or `abort` last. Memory: that of `AnswerParts`."""

    def __init__(self, message_id: str | None = None, text_of: ErrorText = error_text) -> None:
        self._parts = AnswerParts(free_text=True)
        self._text_of = text_of
        self._start: list[UiMessageChunk] = [{"type": "start", **_sent(messageId=message_id)}]
        self._calls: dict[str, dict[str, Any]] = {}
        """Id of a call -> the fields that all its chunks repeat."""

    def feed(self, event: Event) -> Iterable[UiMessageChunk]:
        return self._chunks(self._parts.feed(event))

    def finish(self) -> Iterable[UiMessageChunk]:
        return self._chunks(self._parts.finish())

    def fail(self, error: Exception) -> Iterable[UiMessageChunk]:
        return self._chunks(self._parts.fail(error))

    def _chunks(self, parts: Iterable[AnswerPart]) -> list[UiMessageChunk]:
        chunks, self._start = self._start, []
        for part in parts:
            chunks += self._chunk(part)
        return chunks

    def _chunk(self, part: AnswerPart) -> Iterator[UiMessageChunk]:
        match part:
            case TextPiece(number, reasoning, text):
                yield {"type": f"{_kind(reasoning)}-delta", "id": str(number), "delta": text}
            case TextStart(number, reasoning):
                yield {"type": f"{_kind(reasoning)}-start", "id": str(number)}
            case TextEnd(number, reasoning):
                yield {"type": f"{_kind(reasoning)}-end", "id": str(number)}
            case StepStart():
                yield {"type": "start-step"}
            case StepEnd():
                yield {"type": "finish-step"}
            case SourcePart():
                yield _source(part)
            case FilePart(media_type, url):
                yield {"type": "file", "mediaType": media_type, "url": url}
            case StreamFinish(reason):
                yield {"type": "finish", "finishReason": reason}
            case StreamCancel():
                yield {"type": "abort", "reason": "The response was cancelled."}
            case StreamFailure(error):
                yield {"type": "error", "errorText": self._text_of(error)}
                yield {"type": "finish", "finishReason": "error"}
            case _:
                yield from self._call(part)

    def _call(self, part: AnswerPart) -> Iterator[UiMessageChunk]:
        match part:
            case CallStart(call_id, name):
                fields = _sent(
                    providerExecuted=part.hosted or None,
                    dynamic=name.startswith("mcp.") or None,
                    toolMetadata={"kind": part.kind} if part.kind != "function_call" else None,
                )
                self._calls[call_id] = fields
                encoding = _sent(inputEncoding="text" if part.text_input else None)
                yield {"type": "tool-input-start", "toolCallId": call_id, "toolName": name, **encoding, **fields}
            case CallInputPiece(call_id, text):
                yield {"type": "tool-input-delta", "toolCallId": call_id, "inputTextDelta": text}
            case CallInput(call_id, name, value):
                kind = "tool-input-available" if part.error is None else "tool-input-error"
                error = _sent(errorText=part.error)
                fields = self._calls[call_id]
                yield {"type": kind, "toolCallId": call_id, "toolName": name, "input": value, **error, **fields}
            case ApprovalRequest(call_id, approval_id):
                yield {"type": "tool-approval-request", "approvalId": approval_id, "toolCallId": call_id}
            case ApprovalAnswer(call_id, approval_id, approved):
                yield {"type": "tool-approval-response", "approvalId": approval_id, "approved": approved}
                if not approved:
                    yield {"type": "tool-output-denied", "toolCallId": call_id}
            case CallProgress(call_id, value):
                yield {**self._output(call_id, value), "preliminary": True}
            case CallResult(call_id, output):
                if part.failed:
                    text = part.error or self._text_of(ToolError("a call failed", name="", call_id=call_id))
                    fields = self._calls[call_id]
                    yield {"type": "tool-output-error", "toolCallId": call_id, "errorText": text, **fields}
                else:
                    yield self._output(call_id, output)
            case _:
                pass

    def _output(self, call_id: str, output: Any) -> UiMessageChunk:
        return {"type": "tool-output-available", "toolCallId": call_id, "output": output, **self._calls[call_id]}


def _kind(reasoning: bool) -> str:
    return "reasoning" if reasoning else "text"


def _source(part: SourcePart) -> UiMessageChunk:
    """A source with an address, or a document. The format wants a title and a media type of each document."""
    annotation, source_id = part.annotation, f"source-{part.number}"
    if isinstance(annotation, UrlCitationAnnotation):
        return {"type": "source-url", "sourceId": source_id, "url": annotation.url, **_sent(title=annotation.title)}
    filename = ""
    if isinstance(annotation, FileCitationAnnotation | ContainerFileCitationAnnotation):
        filename = annotation.filename
    title = filename or getattr(annotation, "file_id", "") or annotation.type
    chunk = {"type": "source-document", "sourceId": source_id, "mediaType": "text/plain", "title": title}
    return {**chunk, **_sent(filename=filename or None)}


def _sent(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
