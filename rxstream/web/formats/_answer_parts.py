"""Events to the parts that all formats for browsers have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rxstream.errors import ResponseCancelledError
from rxstream.events import (
    OwnEvent,
    ResponseIncompleteEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextDeltaEvent,
    Usage,
)
from rxstream.events._fields import OUTPUT_TEXT, REASONING_SUMMARY, REASONING_TEXT, REFUSAL, TERMINAL
from rxstream.response._annotations import Annotations, TextAnnotation
from rxstream.response._ending import Ending
from rxstream.response._part_texts import PartTexts, Piece, Place
from rxstream.response._responses import BelongsTo, Responses
from rxstream.response.calls._tool_calls import ToolCalls
from rxstream.tools._events import RunEvent, RunFinishedEvent, TurnStartedEvent
from rxstream.web.formats._call_parts import CallParts
from rxstream.web.formats._parts import (
    AnswerPart,
    FinishReason,
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

_REASONS: dict[str, FinishReason] = {"max_output_tokens": "length", "content_filter": "content-filter"}
_TEXTS = (OUTPUT_TEXT, REFUSAL, REASONING_SUMMARY, REASONING_TEXT)
"""The kinds of text, by number."""


class _ResponseParts:
    """What is read of one response."""

    def __init__(self) -> None:
        self.texts = [PartTexts(text) for text in _TEXTS]
        self.calls = ToolCalls()
        self.annotations = Annotations()
        self.ending = Ending()
        self.open: dict[tuple[int, Place], int] = {}
        """Kind and place of a text that is open -> its number."""


class AnswerParts:
    """Emit the parts of an answer: of one response, or of a run of tools. Each thing that begins ends, before the last.

    Memory: the text of the items that are not done, and a few values for each call.
    """

    def __init__(self, *, free_text: bool = False) -> None:
        self._responses = Responses()
        self._response = _ResponseParts()
        self._calls = CallParts(free_text=free_text)
        self._run: RunFinishedEvent | None = None
        self._usage: Usage | None = None
        self._step = 0
        self._step_open = False
        self._begun = False
        """Whether the response that is being read has had an event."""
        self._texts = 0
        self._sources = 0

    def feed(self, event: Any) -> Iterable[AnswerPart]:
        if type(event) is ResponseOutputTextDeltaEvent and self._begun and not self._responses.ended:
            response = self._response
            response.ending.feed(event)
            place, text = response.texts[0].delta(event)
            parts = list(self._text(0, place, text)) if text else []
            parts += self._annotations(event)
            return parts
        if isinstance(event, OwnEvent):
            return list(self._run_event(event)) if isinstance(event, RunEvent) else ()
        return list(self._event(event))

    def finish(self) -> Iterable[AnswerPart]:
        ending = self._response.ending
        if ending.error is not None or ending.terminal is not None:
            error = ending.verdict()
            if error is not None:
                return self.fail(error)
        return [*self._close(), StreamFinish(self._reason(), self._used(), self._calls.pending, self._calls.approvals)]

    def fail(self, error: Exception) -> Iterable[AnswerPart]:
        cancelled = isinstance(error, ResponseCancelledError)
        return [*self._close(), StreamCancel() if cancelled else StreamFailure(error)]

    # ------------------------------------------------------------------ events

    def _run_event(self, event: RunEvent) -> Iterator[AnswerPart]:
        if isinstance(event, RunFinishedEvent):
            self._run = event
        elif isinstance(event, TurnStartedEvent):
            yield from self._end_step()
        else:
            parts = list(self._calls.run_event(event))
            if parts:
                yield from self._start_step()
            yield from parts

    def _event(self, event: Any) -> Iterator[AnswerPart]:
        belongs = self._responses.note(event)
        if belongs is BelongsTo.LATE:
            return
        if belongs is BelongsTo.NEXT and self._begun:
            yield from self._end_response()
            yield from self._end_step()
            self._response = _ResponseParts()
            self._calls.next_response()
        response = self._response
        if not self._begun:
            self._begun = True
        yield from self._start_step()
        response.ending.feed(event)
        for kind, texts in enumerate(response.texts):
            yield from self._pieces(kind, texts.feed(event))
        for call in response.calls.feed(event):
            yield from self._calls.snapshot(call)
        if isinstance(event, ResponseOutputItemDoneEvent):
            yield from self._calls.item(event.item)
        yield from self._annotations(event)
        if isinstance(event, TERMINAL):
            usage = event.response.usage
            if usage is not None:
                self._usage = usage if self._usage is None else self._usage + usage
            yield from self._end_response()

    def _end_response(self) -> Iterator[AnswerPart]:
        """Close what the response has left open. Later calls do nothing."""
        response = self._response
        for kind, texts in enumerate(response.texts):
            yield from self._pieces(kind, texts.finish())
        yield from self._calls.cut(response.calls.open_calls())
        for annotation in response.annotations.finish():
            yield self._source(annotation)

    def _close(self) -> list[AnswerPart]:
        return [*self._end_response(), *self._end_step()]

    # ------------------------------------------------------------------ parts

    def _start_step(self) -> Iterator[AnswerPart]:
        if not self._step_open:
            self._step_open = True
            self._step += 1
            yield StepStart(self._step)

    def _end_step(self) -> Iterator[AnswerPart]:
        if self._step_open:
            self._step_open = False
            yield StepEnd(self._step)

    def _pieces(self, kind: int, pieces: Iterable[Piece]) -> Iterator[AnswerPart]:
        for place, text, final in pieces:
            if text:
                yield from self._text(kind, place, text)
            if final:
                number = self._response.open.pop((kind, place), None)
                if number is not None:
                    yield TextEnd(number, _is_reasoning(kind))

    def _text(self, kind: int, place: Place, text: str) -> Iterator[AnswerPart]:
        number = self._response.open.get((kind, place))
        if number is None:
            self._texts += 1
            number = self._response.open[kind, place] = self._texts
            yield TextStart(number, _is_reasoning(kind))
        yield TextPiece(number, _is_reasoning(kind), text)

    def _annotations(self, event: Any) -> list[AnswerPart]:
        return [self._source(annotation) for annotation in self._response.annotations.feed(event)]

    def _source(self, annotation: TextAnnotation) -> SourcePart:
        self._sources += 1
        return SourcePart(self._sources, annotation.annotation)

    def _reason(self) -> FinishReason:
        run, terminal = self._run, self._response.ending.terminal
        if run is not None and run.stopped_by != "incomplete":
            reasons: dict[str, FinishReason] = {"answer": "stop", "unanswered": "tool-calls"}
            return reasons.get(run.stopped_by, "other")
        if isinstance(terminal, ResponseIncompleteEvent):
            details = terminal.response.incomplete_details
            return _REASONS.get((details and details.reason) or "", "other")
        if terminal is None:
            return "other"
        return "tool-calls" if self._calls.pending or self._calls.approvals else "stop"

    def _used(self) -> Usage | None:
        return self._run.usage if self._run is not None and self._run.usage is not None else self._usage


def _is_reasoning(kind: int) -> bool:
    return _TEXTS[kind] in (REASONING_SUMMARY, REASONING_TEXT)
