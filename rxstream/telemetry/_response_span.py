"""The spans and metrics of the responses of one subscription."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, cast

from opentelemetry.trace import Span, SpanKind
from reactivex import Observable, abc

from rxstream.events import Event, OwnEvent, ResponseCreatedEvent, ResponseInProgressEvent, ResponseQueuedEvent
from rxstream.response._ending import Ending
from rxstream.response._responses import BelongsTo, Responses
from rxstream.rx._checks import of_events
from rxstream.telemetry._instruments import Instruments
from rxstream.telemetry._span import SpanEnd, SpanSubscription, start_span
from rxstream.telemetry.conventions import _names as names
from rxstream.telemetry.conventions._request import Attributes
from rxstream.telemetry.conventions._response import (
    CHUNKS,
    WHOLE_CHUNKS,
    SpanOutcome,
    error_type,
    opening_attributes,
    response_attributes,
    response_content,
)

_OPENING = (ResponseCreatedEvent, ResponseQueuedEvent, ResponseInProgressEvent)
_FIRST_CHUNKS = CHUNKS | WHOLE_CHUNKS
_check = of_events("traced")


@dataclass(frozen=True, slots=True)
class ResponseSpanPlan:
    """What is the same in every subscription."""

    instruments: Instruments
    common: Attributes
    """Of spans and metrics."""
    attributes: Attributes
    """Of spans."""

    @property
    def name(self) -> str:
        parts = (names.OPERATION_NAME, names.REQUEST_MODEL)
        return " ".join(str(self.common[part]) for part in parts if part in self.common)


class ResponseSpan:
    """The span of one response, and its points in the metrics."""

    def __init__(self, plan: ResponseSpanPlan, span: Span, began: float) -> None:
        self._plan = plan
        self._instruments = plan.instruments
        self._began = began
        self._end = SpanEnd(span, content=plan.instruments.content)
        self._span = span
        self.last_chunk: float | None = None
        self.labels = plan.common
        """The attributes of its points."""
        self._record_gap = plan.instruments.record_gap
        self._ending = Ending()

    def chunk(self, now: float) -> None:
        """An output chunk has come."""
        last, self.last_chunk = self.last_chunk, now
        if last is not None:
            self._record_gap(now - last, self.labels)
            return
        self._instruments.first_chunks.record(now - self._began, self.labels)
        self._span.set_attribute(names.RESPONSE_TIME_TO_FIRST_CHUNK, now - self._began)

    def note(self, event: Any) -> bool:
        """Note an event that is not a chunk. True if it is the terminal event."""
        self._ending.feed(event)
        if isinstance(event, _OPENING):
            attributes = opening_attributes(event.response)
            self._span.set_attributes(attributes)
            self._label(attributes)
        return self._ending.terminal is not None

    def _label(self, attributes: Attributes) -> None:
        model = attributes.get(names.RESPONSE_MODEL)
        if model is not None and self.labels.get(names.RESPONSE_MODEL) != model:
            self.labels = {**self.labels, names.RESPONSE_MODEL: model}

    def end(self, now: float, error: BaseException | None = None, *, disposed: bool = False) -> None:
        """The response is over, or nothing more of it is read."""
        terminal = self._ending.terminal
        if not disposed or not self._ending.open:
            error = error if self._ending.open and error is not None else self._ending.verdict() or error
        outcome: SpanOutcome
        if error is not None:
            outcome = "failed"
        elif terminal is None:
            outcome = "disposed"
        else:
            outcome = "incomplete" if terminal.type == "response.incomplete" else "completed"
        if self._end.end(outcome, error, self._attributes if terminal is not None else None):
            self._record(now, error)

    def _attributes(self) -> Attributes:
        terminal = self._ending.terminal
        assert terminal is not None
        attributes = response_attributes(terminal.response, self._plan.common[names.PROVIDER_NAME])
        return attributes | response_content(terminal.response) if self._instruments.content else attributes

    def _record(self, now: float, error: BaseException | None) -> None:
        terminal = self._ending.terminal
        if terminal is not None:
            self._label(opening_attributes(terminal.response))
        labels = self.labels if error is None else {**self.labels, names.ERROR_TYPE: error_type(error)}
        self._instruments.durations.record(now - self._began, labels)
        usage = terminal.response.usage if terminal is not None else None
        if usage is not None and not usage.is_empty:
            for kind, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
                self._instruments.token_usage.record(tokens, {**self.labels, names.TOKEN_TYPE: kind})


class ResponseSpans(SpanSubscription):
    """One subscription. The span of a further response begins with its first event, dated back to the end before."""

    def __init__(self, plan: ResponseSpanPlan, observer: abc.ObserverBase[Any], clock: Callable[[], float]) -> None:
        super().__init__(observer)
        self._plan = plan
        self._clock = clock
        self._responses = Responses()
        self._checked = False
        self._ended_at = (0.0, 0)
        """When the response before ended, or the turn after it began: by the clock, and the time of day in ns."""
        self._current: ResponseSpan | None = None
        """None between two responses."""

    def subscribe(self, source: Observable[Any], scheduler: abc.SchedulerBase | None) -> Self:
        return self._subscribe_within(self._start(self._clock()), source, scheduler)

    def _start(self, began: float, start_time: int | None = None) -> Span:
        plan = self._plan
        tracer = plan.instruments.tracer
        span = start_span(tracer, plan.name, SpanKind.CLIENT, plan.attributes, self._parent, start_time)
        self._current = ResponseSpan(plan, span, began)
        return span

    def on_next(self, value: Any) -> None:
        current = self._current
        if current is not None and value.__class__ in CHUNKS:
            current.chunk(self._clock())
        elif not self._note(value):
            return
        self._deliver(value)

    def _note(self, event: Any) -> bool:
        """Note any other event. False: it is none, and the stream has ended with an error."""
        if not self._checked:
            try:
                _check(event)
            except TypeError as error:
                self._upstream.dispose()
                self.on_error(error)
                return False
            self._checked = True
        if isinstance(event, OwnEvent):  # no server sent it
            if self._current is None:
                self._ended_at = self._clock(), time.time_ns()
            return True
        belongs = self._responses.note(event)
        if belongs is BelongsTo.LATE:
            return True
        if belongs is BelongsTo.NEXT:
            self._finish(None)
            self._start(*self._ended_at)
        current = self._current
        if current is None:
            return True
        if current.last_chunk is None and cast("type[Event]", type(event)) in _FIRST_CHUNKS:
            current.chunk(self._clock())
        if current.note(event):
            self._finish(None)
        return True

    def _finish(self, error: BaseException | None, *, disposed: bool = False) -> None:
        current, self._current = self._current, None
        if current is not None:
            now = self._clock()
            self._ended_at = now, time.time_ns()
            current.end(now, error, disposed=disposed)

    def _end(self, error: BaseException | None) -> None:
        self._finish(error)

    def _dispose_span(self) -> None:
        self._finish(None, disposed=True)
