"""The span of a run, and those of the calls of its tools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from reactivex import Observable, abc

from rxstream.rx._context import CALL_TRACER, CallSpan, CallTracer
from rxstream.telemetry._instruments import Instruments
from rxstream.telemetry._span import SpanEnd, SpanSubscription, start_span
from rxstream.telemetry.conventions import _names as names
from rxstream.telemetry.conventions._messages import json_of, plain
from rxstream.telemetry.conventions._request import Attributes
from rxstream.telemetry.conventions._response import SpanOutcome, usage_attributes
from rxstream.tools._events import RunFinishedEvent


@dataclass(frozen=True, slots=True)
class RunSpanPlan:
    """What is the same in every subscription."""

    instruments: Instruments
    name: str
    attributes: Attributes


class RunSpan(SpanSubscription):
    """One subscription to a run."""

    def __init__(self, plan: RunSpanPlan, observer: abc.ObserverBase[Any]) -> None:
        super().__init__(observer)
        self._instruments = plan.instruments
        self._outer_tracer = CALL_TRACER.get()
        """Of a run around this one."""
        span = start_span(plan.instruments.tracer, plan.name, SpanKind.INTERNAL, plan.attributes, self._parent)
        self._span_end = SpanEnd(span, content=plan.instruments.content)
        self._last: RunFinishedEvent | None = None

    def subscribe(self, source: Observable[Any], scheduler: abc.SchedulerBase | None) -> Self:
        token = CALL_TRACER.set(ToolSpans(self._instruments))
        try:
            return self._subscribe_within(self._span_end.span, source, scheduler)
        finally:
            CALL_TRACER.reset(token)

    def on_next(self, value: Any) -> None:
        if value.__class__ is RunFinishedEvent:
            self._last = value
        token = CALL_TRACER.set(self._outer_tracer)
        try:
            self._deliver(value)
        finally:
            CALL_TRACER.reset(token)

    def _notify(self, notify: Callable[[], object]) -> None:
        token = CALL_TRACER.set(self._outer_tracer)
        try:
            super()._notify(notify)
        finally:
            CALL_TRACER.reset(token)

    def _end(self, error: BaseException | None) -> None:
        last = self._last
        outcome: SpanOutcome = "completed"
        if error is not None:
            outcome = "failed"
        elif last is not None and last.stopped_by != "answer":
            outcome = "incomplete"
        usage = last.usage if last is not None else None
        self._span_end.end(outcome, error, lambda: usage_attributes(usage))

    def _dispose_span(self) -> None:
        if self._last is not None:
            self._end(None)
        else:
            self._span_end.end("disposed")


class ToolSpans(CallTracer):
    """Makes the spans of calls."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments

    def start(self, kind: str, name: str, call_id: str, description: str | None, arguments: Any) -> CallSpan:
        attributes: Attributes = {
            names.OPERATION_NAME: "execute_tool",
            names.TOOL_NAME: name,
            names.TOOL_CALL_ID: call_id,
            names.TOOL_TYPE: "function" if kind == "function_call" else "extension",
        }
        if description:
            attributes[names.TOOL_DESCRIPTION] = description
        if self._instruments.content:
            attributes[names.TOOL_CALL_ARGUMENTS] = json_of(plain(arguments))
        span = start_span(self._instruments.tracer, f"execute_tool {name}", SpanKind.INTERNAL, attributes)
        contexts.attach(trace.set_span_in_context(span))  # the context is the task's own, and ends with it
        return ToolSpan(SpanEnd(span, content=self._instruments.content), content=self._instruments.content)


class ToolSpan(CallSpan):
    """The span of one call."""

    def __init__(self, span_end: SpanEnd, *, content: bool) -> None:
        self._span_end = span_end
        self._content = content

    def end(self, error: BaseException | None = None, *, result: Any = None, disposed: bool = False) -> None:
        def attributes() -> Attributes:
            keeps = self._content and error is None and not disposed
            return {names.TOOL_CALL_RESULT: json_of(plain(result))} if keeps else {}

        outcome: SpanOutcome = "failed" if error is not None else "disposed" if disposed else "completed"
        self._span_end.end(outcome, error, attributes)
