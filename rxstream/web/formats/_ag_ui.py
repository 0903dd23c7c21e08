"""AG-UI 1.0: https://docs.ag-ui.com/concepts/events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ag_ui.core import (
    BaseEvent,
    CustomEvent,
    Interrupt,
    ReasoningEndEvent,
    ReasoningMessageContentEvent,
    ReasoningMessageEndEvent,
    ReasoningMessageStartEvent,
    ReasoningStartEvent,
    RunErrorEvent,
    RunFinishedCancelledOutcome,
    RunFinishedInterruptOutcome,
    RunFinishedSuccessOutcome,
    RunStartedEvent,
    StepFinishedEvent,
    StepStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    TokenUsage,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)
from ag_ui.core import RunFinishedEvent as AgUiRunFinishedEvent

from rxstream.errors import ToolError
from rxstream.events import Event, Usage
from rxstream.web.formats._answer_parts import AnswerParts
from rxstream.web.formats._error_text import ErrorText, error_text
from rxstream.web.formats._json import data_frame, json_text
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


class AgUiEvents:
    """Emit the events of one run: `RUN_STARTED` first, `RUN_FINISHED` or `RUN_ERROR` last.

    Memory: that of `AnswerParts`.
    """

    def __init__(self, thread_id: str, run_id: str, text_of: ErrorText = error_text) -> None:
        self._thread_id = thread_id
        self._run_id = run_id
        self._text_of = text_of
        self._parts = AnswerParts()
        self._start: list[BaseEvent] = [RunStartedEvent(thread_id=thread_id, run_id=run_id, protocol_version="1.0")]
        self._without_pieces: set[str] = set()
        """The calls of whose input no piece was emitted."""

    def feed(self, event: Event) -> Iterable[BaseEvent]:
        return self._events(self._parts.feed(event))

    def finish(self) -> Iterable[BaseEvent]:
        return self._events(self._parts.finish())

    def fail(self, error: Exception) -> Iterable[BaseEvent]:
        return self._events(self._parts.fail(error))

    def _events(self, parts: Iterable[AnswerPart]) -> list[BaseEvent]:
        events, self._start = self._start, []
        for part in parts:
            events += self._event(part)
        return events

    def _event(self, part: AnswerPart) -> Iterator[BaseEvent]:
        match part:
            case TextStart() | TextPiece() | TextEnd():
                yield from self._text(part)
            case StepStart(number):
                yield StepStartedEvent(step_name=f"turn {number}")
            case StepEnd(number):
                yield StepFinishedEvent(step_name=f"turn {number}")
            case SourcePart(_, annotation):
                yield CustomEvent(name="source", value=annotation.model_dump(mode="json"))
            case FilePart(media_type, url):
                yield CustomEvent(name="file", value={"mimeType": media_type, "url": url})
            case StreamFinish():
                yield self._finished(part)
            case StreamCancel():
                yield self._finish_event(RunFinishedCancelledOutcome(), None)
            case StreamFailure(error):
                yield RunErrorEvent(message=self._text_of(error), code=type(error).__name__)
            case _:
                yield from self._call(part)

    def _text(self, part: TextStart | TextPiece | TextEnd) -> Iterator[BaseEvent]:
        message_id = f"{self._run_id}-{part.number}"
        match part:
            case TextPiece(_, True, text):
                yield ReasoningMessageContentEvent(message_id=message_id, delta=text)
            case TextPiece(_, _, text):
                yield TextMessageContentEvent(message_id=message_id, delta=text)
            case TextStart(_, True):
                yield ReasoningStartEvent(message_id=message_id)
                yield ReasoningMessageStartEvent(message_id=message_id, role="reasoning")
            case TextStart():
                yield TextMessageStartEvent(message_id=message_id, role="assistant")
            case TextEnd(_, True):
                yield ReasoningMessageEndEvent(message_id=message_id)
                yield ReasoningEndEvent(message_id=message_id)
            case TextEnd():
                yield TextMessageEndEvent(message_id=message_id)

    def _call(self, part: AnswerPart) -> Iterator[BaseEvent]:
        match part:
            case CallStart(call_id, name):
                self._without_pieces.add(call_id)
                yield ToolCallStartEvent(tool_call_id=call_id, tool_call_name=name)
            case CallInputPiece(call_id, text):
                self._without_pieces.discard(call_id)
                yield ToolCallArgsEvent(tool_call_id=call_id, delta=text)
            case CallInput(call_id):
                if call_id in self._without_pieces:
                    yield ToolCallArgsEvent(tool_call_id=call_id, delta=part.json_text)
                yield ToolCallEndEvent(tool_call_id=call_id)
                if part.cut:  # else the client would take it for one that it has to answer
                    yield self._result(call_id, part.error)
            case ApprovalRequest(call_id, approval_id):
                yield CustomEvent(
                    name="tool_approval_request", value={"toolCallId": call_id, "approvalId": approval_id}
                )
            case ApprovalAnswer(call_id, approval_id, approved):
                value = {"toolCallId": call_id, "approvalId": approval_id, "approved": approved}
                yield CustomEvent(name="tool_approval_response", value=value)
                if not approved:
                    yield self._result(call_id, "The call was not approved.")
            case CallProgress(call_id, value):
                yield CustomEvent(name="tool_progress", value={"toolCallId": call_id, "progress": value})
            case CallResult(call_id, output):
                if part.failed:
                    output = part.error or self._text_of(ToolError("a call failed", name="", call_id=call_id))
                yield self._result(call_id, output)
            case _:
                pass

    def _result(self, call_id: str, output: Any) -> BaseEvent:
        content = output if isinstance(output, str) else json_text(output)
        return ToolCallResultEvent(
            message_id=f"{self._run_id}-{call_id}", tool_call_id=call_id, content=content, role="tool"
        )

    def _finished(self, part: StreamFinish) -> BaseEvent:
        if part.approvals:
            interrupts = [
                Interrupt(id=request.approval_id, reason="tool_approval", tool_call_id=request.call_id)
                for request in part.approvals
            ]
            return self._finish_event(RunFinishedInterruptOutcome(interrupts=interrupts), part.usage)
        pending = list(part.pending) or None
        return self._finish_event(RunFinishedSuccessOutcome(pending_tool_call_ids=pending), part.usage)

    def _finish_event(
        self,
        outcome: RunFinishedSuccessOutcome | RunFinishedInterruptOutcome | RunFinishedCancelledOutcome,
        usage: Usage | None,
    ) -> BaseEvent:
        return AgUiRunFinishedEvent(
            thread_id=self._thread_id,
            run_id=self._run_id,
            outcome=outcome,
            usage=[_token_usage(usage)] if usage is not None else None,
        )


def encode_event(event: BaseEvent) -> bytes:
    """An event as an SSE block. The protocol's client reads the `data` alone."""
    return data_frame(event.model_dump(mode="python", by_alias=True, exclude_none=True))


def _token_usage(usage: Usage) -> TokenUsage:
    inputs, outputs = usage.input_tokens_details, usage.output_tokens_details
    return TokenUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        cached_input_tokens=inputs.cached_tokens if inputs is not None else None,
        reasoning_tokens=outputs.reasoning_tokens if outputs is not None else None,
    )
