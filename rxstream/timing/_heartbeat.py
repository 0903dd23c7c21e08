"""An event of our own while nothing comes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeVar

from rxstream.events import OwnEvent
from rxstream.typing import TimedCore

_T = TypeVar("_T")

_DIGITS = 6
"""Times are rounded to microseconds."""


class HeartbeatEvent(OwnEvent, frozen=True):
    """Nothing has come for some time, and the stream has not ended.

    `seconds` is the time since the last value, or since the subscription before the first one. The time in which the
    subscriber blocks or pauses the stream does not count: then `seconds` begins when the stream goes on.
    """

    type: Literal["rxstream.heartbeat"] = "rxstream.heartbeat"
    seconds: float = 0.0


class Heartbeat(TimedCore[_T, _T | HeartbeatEvent]):
    """Pass values on, and emit a `HeartbeatEvent` after each `seconds` without one."""

    def __init__(self, seconds: float, now: float) -> None:
        self._seconds = seconds
        self._since = now
        """When the silence began."""
        self._next = now + seconds
        self._ended = False
        self._pauses = 0

    @property
    def due(self) -> float | None:
        return None if self._ended else self._next

    def feed(self, value: _T, now: float) -> Iterable[_T | HeartbeatEvent]:
        self.restart(now)
        return (value,)

    def tick(self, now: float) -> Iterable[_T | HeartbeatEvent]:
        if self._pauses:
            self.restart(now)
            return ()
        self._next = now + self._seconds
        return (HeartbeatEvent(seconds=round(now - self._since, _DIGITS)),)

    def finish(self, now: float) -> Iterable[_T | HeartbeatEvent]:
        self._ended = True
        return ()

    def fail(self, now: float) -> Iterable[_T | HeartbeatEvent]:
        return ()

    # ------------------------------------------------------------------ what downstream does

    def restart(self, now: float) -> None:
        """The silence begins now."""
        self._since, self._next = now, now + self._seconds

    def pause(self) -> None:
        self._pauses += 1

    def resume(self, now: float) -> None:
        self._pauses -= 1
        self.restart(now)
