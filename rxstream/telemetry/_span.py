"""One subscription with a span: upstream an observer, downstream the Disposable.

The source is subscribed to with the span as the current one, so that what it does (the request, tools) belongs to it.
The observer is notified in the context of the subscriber, whose spans must not become children of this one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Self

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from reactivex import Observable, abc
from reactivex.disposable import SingleAssignmentDisposable

from rxstream.telemetry.conventions import _names as names
from rxstream.telemetry.conventions._request import Attributes
from rxstream.telemetry.conventions._response import SpanOutcome, error_text, error_type

_log = logging.getLogger("rxstream")


class SpanEnd:
    """Ends a span once, whichever thread comes first."""

    def __init__(self, span: Span, *, content: bool) -> None:
        self.span = span
        self._content = content
        self._lock = threading.Lock()
        self._ended = False

    def end(
        self,
        outcome: SpanOutcome,
        error: BaseException | None = None,
        attributes: Callable[[], Attributes] | None = None,
        end_time: int | None = None,
    ) -> bool:
        """False: it has ended before. What `attributes` raises is logged, because a stream must not end by it."""
        with self._lock:
            if self._ended:
                return False
            self._ended = True
        try:
            if self.span.is_recording():
                if attributes is not None:
                    self.span.set_attributes(attributes())
                self.span.set_attribute(names.OUTCOME, outcome)
                if error is not None:
                    self.span.set_attribute(names.ERROR_TYPE, error_type(error))
                    self.span.set_status(Status(StatusCode.ERROR, error_text(error, content=self._content)))
        except Exception as raised:
            _log.warning("a span lacks attributes: %s", type(raised).__name__)
        finally:
            self.span.end(end_time)
        return True


def start_span(
    tracer: Tracer,
    name: str,
    kind: SpanKind,
    attributes: Attributes,
    parent: Context | None = None,
    start_time: int | None = None,
) -> Span:
    return tracer.start_span(name, parent, kind, attributes, start_time=start_time)


class SpanSubscription(abc.ObserverBase[Any], abc.DisposableBase):
    """What spans of responses and of runs have in common."""

    def __init__(self, observer: abc.ObserverBase[Any]) -> None:
        self._observer = observer
        self._on_next = observer.on_next
        self._parent = contexts.get_current()
        """The context of the subscriber."""
        self._outer: Context | None = None
        """The same, where the observer has to be notified in it: where there is a span at all."""
        self._upstream = SingleAssignmentDisposable()
        self._delivering = False
        self._disposed = False
        """While an event was delivered. Rx disposes before it says that an observer has raised."""

    def _subscribe_within(self, span: Span, source: Observable[Any], scheduler: abc.SchedulerBase | None) -> Self:
        inner = self._parent
        if span.get_span_context().is_valid:
            self._outer = self._parent
            inner = trace.set_span_in_context(span, self._parent)
        token = contexts.attach(inner)
        try:
            self._upstream.disposable = source.subscribe(self, scheduler=scheduler)
        except BaseException as error:
            self._end(error)
            raise
        finally:
            contexts.detach(token)
        return self

    def _deliver(self, event: Any) -> None:
        self._delivering = True
        token = None if self._outer is None else contexts.attach(self._outer)
        try:
            self._on_next(event)
        except BaseException as error:
            self._end(error)
            raise
        finally:
            self._delivering = False
            if token is not None:
                contexts.detach(token)
        if self._disposed:
            self._dispose_span()

    def _notify(self, notify: Callable[[], object]) -> None:
        """Notify the observer of the end."""
        token = contexts.attach(self._parent)
        try:
            notify()
        finally:
            contexts.detach(token)

    def on_error(self, error: Exception) -> None:
        self._end(error)
        self._notify(lambda: self._observer.on_error(error))

    def on_completed(self) -> None:
        self._end(None)
        self._notify(self._observer.on_completed)

    def dispose(self) -> None:
        self._upstream.dispose()
        self._disposed = True
        if not self._delivering:
            self._dispose_span()

    def _end(self, error: BaseException | None) -> None:
        """End the span, because the source has ended. Each kind of span has its own."""
        raise NotImplementedError

    def _dispose_span(self) -> None:
        """End the span, because the subscriber has left. Each kind of span has its own."""
        raise NotImplementedError
