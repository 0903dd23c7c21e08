"""The whole response at the end of a stream, its usage, or the error why there is none."""

from __future__ import annotations

from collections.abc import Iterable

from rxstream.errors import ResponseIncompleteError, RxStreamError, TruncatedError
from rxstream.events import (
    ErrorEvent,
    Response,
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseInProgressEvent,
    ResponseQueuedEvent,
    StreamingEvent,
    Usage,
)
from rxstream.events._fields import TERMINAL
from rxstream.response._ending import Ending
from rxstream.response._responses import NOTED_EVENTS
from rxstream.response.history._history import History

_HEADERS = (
    ResponseCreatedEvent,
    ResponseQueuedEvent,
    ResponseInProgressEvent,
    ResponseCompletedEvent,
    ResponseIncompleteEvent,
    ResponseFailedEvent,
)

_ENDING_EVENTS = NOTED_EVENTS | {ErrorEvent}


def shortfall(ending: Ending) -> RxStreamError | None:
    """The error of operators that need a whole answer, at the end of a stream without one; else None."""
    terminal = ending.terminal
    if terminal is None and ending.error is None:
        last = ending.last
        seen = f"after {last.type or 'an event'}" if last is not None else "before the first event"
        return TruncatedError(
            f"the stream completed {seen}, before a terminal event: the answer is not whole",
            response_id=ending.response_id,
            sequence_number=last.sequence_number if last is not None else None,
        )
    error = ending.verdict()
    if error is not None or terminal is None:
        return error
    if not isinstance(terminal, ResponseIncompleteEvent) and terminal.response.status != "incomplete":
        return None
    details = terminal.response.incomplete_details
    reason = details.reason if details is not None else None
    advice = "; raise max_output_tokens" if reason == "max_output_tokens" else ""
    return ResponseIncompleteError(
        f"the response was cut short ({reason or 'no reason given'}), and a whole one is needed{advice}",
        reason=reason,
        response_id=ending.response_id,
        sequence_number=terminal.sequence_number,
    )


def is_steered(ending: Ending) -> bool:
    """Whether a response was ended for new input. It is not whole, and its successor stands for it."""
    details = ending.terminal.response.incomplete_details if ending.terminal is not None else None
    return details is not None and details.reason == "steered"


class RequireCompleted:
    """Pass every event; raise at the end of a stream that did not end completed."""

    def __init__(self) -> None:
        self._ending = Ending()

    def quick(self, event: StreamingEvent) -> Iterable[StreamingEvent] | None:
        if type(event) in _ENDING_EVENTS:
            return None
        self._ending.last = event
        return (event,)

    def feed(self, event: StreamingEvent) -> Iterable[StreamingEvent]:
        self._ending.feed(event)
        return (event,)

    def finish(self) -> Iterable[StreamingEvent]:
        error = shortfall(self._ending)
        if error is not None:
            raise error
        return ()

    def followed(self) -> Iterable[StreamingEvent]:
        return () if is_steered(self._ending) else self.finish()


class FinalResponse:
    """Emit the `Response` of the terminal event; an empty `output` is filled from earlier events.

    Memory: that of a `History`.
    """

    def __init__(self) -> None:
        self._ending = Ending()
        self._history = History()

    def quick(self, event: StreamingEvent) -> Iterable[Response] | None:
        if self._ending.over or not self._history.grow(event):
            return None
        self._ending.last = event
        return ()

    def feed(self, event: StreamingEvent) -> Iterable[Response]:
        if self._ending.over:
            return ()
        self._ending.feed(event)
        self._history.feed(event)
        if not self._ending.over or is_steered(self._ending):
            return ()
        error = shortfall(self._ending)
        if error is not None:
            raise error
        return (self._history.response(),)

    def followed(self) -> Iterable[Response]:
        return () if is_steered(self._ending) else self.finish()

    def finish(self) -> Iterable[Response]:
        if (not self._ending.over or is_steered(self._ending)) and (error := shortfall(self._ending)) is not None:
            raise error
        return ()


class Cost:
    """Emit the `Usage` of events with a response each time that it changes. Zeros count at the end only."""

    def __init__(self) -> None:
        self._last: Usage | None = None

    def quick(self, event: StreamingEvent) -> Iterable[Usage] | None:
        return None if type(event) in NOTED_EVENTS else ()

    def feed(self, event: StreamingEvent) -> Iterable[Usage]:
        if not isinstance(event, _HEADERS):
            return ()
        usage = event.response.usage
        if usage is None or usage.is_empty or usage == self._last:
            return ()
        if not usage.total_tokens and not isinstance(event, TERMINAL):
            return ()  # a server that fills in zeros until it knows
        self._last = usage
        return (usage,)

    def finish(self) -> Iterable[Usage]:
        return ()
