"""The time limits of a session's streams: how they are given, and how they end what a stream awaits."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypedDict, cast

import anyio

from rxstream.errors import RxStreamError
from rxstream.events import KeepaliveEvent, StreamingEvent
from rxstream.response._ending import Ending
from rxstream.timing._timeouts import OF_WHOLE_STREAM, Deadlines, TimeLimits

Seconds = float | timedelta | None


class RequestTimeouts(TypedDict, total=False):
    """The time limits of one request, in seconds or as `timedelta`; None: no limit. Others are the session's."""

    connect: Seconds
    idle: Seconds
    first_event: Seconds
    first_text: Seconds
    between: Seconds
    total: Seconds
    poll: Seconds
    terminal_grace: Seconds


_OF_CONNECTIONS = ("connect", "idle")


def checked_seconds(name: str, span: Any) -> float | None:
    """A time limit in seconds. Raises: TypeError, ValueError: it is not a span of time above 0."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"expected a number of seconds or a timedelta as {name}, got {span!r}")
    if not 0 < seconds < math.inf:
        raise ValueError(f"expected seconds above 0 as {name}, or None for no limit, got {span!r}")
    return float(seconds)


def checked_timeouts(timeout: Mapping[str, Any]) -> dict[str, float | None]:
    """The `timeout={...}` of a request. Raises: TypeError, ValueError: an unknown limit, or not a span of time."""
    known = RequestTimeouts.__annotations__
    for name in timeout:
        if name not in known:
            raise TypeError(f"expected the limits {', '.join(known)} in timeout, got {name!r}: correct the name")
    return {name: checked_seconds(f"timeout[{name!r}]", span) for name, span in timeout.items()}


def limits_of(timeout: object, limits: TimeLimits) -> TimeLimits:
    """The limits of a request: those of its `timeout={...}`, and `limits` for the rest."""
    if not isinstance(timeout, Mapping):
        return limits
    own = checked_timeouts(cast("Mapping[str, Any]", timeout))
    return replace(limits, **{name: seconds for name, seconds in own.items() if name not in _OF_CONNECTIONS})


class StreamTimer:
    """Ends what the task of one stream awaits, when a time limit is over. On the loop only.

    It moves the deadline of one cancel scope. A stream without limits pays for a comparison per batch.
    """

    def __init__(self, limits: TimeLimits, *, resumes: bool) -> None:
        self._deadlines = Deadlines(limits, anyio.current_time(), total_pauses=True)
        self._scope: anyio.CancelScope | None = None
        self._pauses = 0
        self._fed = False
        """Whether an event has come since the last `delivered`."""
        self.watches = resumes or any((limits.first_event, limits.first_text, limits.between))
        """Whether `watched` has to see each event."""
        self.error: RxStreamError | None = None
        """Why the last `limit` block was cancelled."""

    @contextmanager
    def limit(self) -> Generator[None]:
        """Cancel the block when a limit is over. Then `error` is set after it."""
        self.error = None
        with anyio.CancelScope() as scope:
            self._scope = scope
            self._move()
            try:
                yield
            finally:
                self._scope = None
                if scope.cancel_called:
                    self.error = self._deadlines.expired(anyio.current_time())
                    if isinstance(self.error, OF_WHOLE_STREAM):
                        self.error.should_retry = False

    @contextmanager
    def connection(self, ending: Ending) -> Generator[None]:
        """As `limit`, for one connection."""
        now = anyio.current_time()
        self._deadlines.connect(now)
        if ending.items_done:
            self._deadlines.settle(now)
        try:
            with self.limit():
                yield
        finally:
            self._deadlines.disconnect()

    def poll(self) -> None:
        """The response is polled from here on."""
        self._deadlines.poll(anyio.current_time())

    def watched(self, events: Iterable[StreamingEvent]) -> Iterator[StreamingEvent]:
        """Note each event as it comes."""
        for event in events:
            self._fed |= self._deadlines.feed(event)
            yield event

    def delivered(self, ending: Ending) -> None:
        """A batch was delivered. To be called if `watches`, or if the items are done."""
        now = anyio.current_time()
        if self._fed:
            self._fed = False
            self._deadlines.restart(now)
        if not ending.items_done:
            self._deadlines.unsettle()
        elif not (self._deadlines.settled and isinstance(ending.last, KeepaliveEvent)):
            self._deadlines.settle(now)
        self._move()

    def stop(self) -> None:
        """The stream has its end: nothing is late any more."""
        if self._scope is not None:
            self._scope.deadline = math.inf

    def pause(self) -> None:
        self._pauses += 1
        self._deadlines.pause(anyio.current_time())
        self._move()

    def resume(self) -> None:
        self._pauses -= 1
        self._deadlines.resume(anyio.current_time())
        self._move()

    def _move(self) -> None:
        due = None if self._pauses else self._deadlines.due
        if self._scope is not None:
            self._scope.deadline = math.inf if due is None else due
