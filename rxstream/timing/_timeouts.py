"""Time limits for the stages of a stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from rxstream.errors import IdleTimeoutError
from rxstream.events import Event, ResponseOutputTextDeltaEvent, ResponseRefusalDeltaEvent
from rxstream.response._ending import Ending
from rxstream.timing._heartbeat import HeartbeatEvent
from rxstream.typing import TimedCore

_T = TypeVar("_T")

_TEXT = (ResponseOutputTextDeltaEvent, ResponseRefusalDeltaEvent, str)


class Timeouts(TimedCore[_T, _T]):
    """Pass values on, and raise `IdleTimeoutError` when a limit is over. Limits are in seconds; None: no limit."""

    def __init__(
        self,
        now: float,
        *,
        first_event: float | None,
        first_text: float | None,
        between: float | None,
        total: float | None,
    ) -> None:
        self._limits: dict[str, float] = {}
        """Name of a limit -> when it is over."""
        for name, limit in (("first_event", first_event), ("first_text", first_text), ("total", total)):
            if limit is not None:
                self._limits[name] = now + limit
        self._between = between
        self._has_value = False
        self._ended = False
        self._pauses = 0
        self._ending = Ending()
        self._messages = {
            "first_event": f"no event within {first_event} s (first_event): try again, or raise the limit",
            "first_text": f"no text within {first_text} s (first_text): try again, or raise the limit",
            "between": f"no event for {between} s (between): try again, or raise the limit",
            "total": f"no end of the stream within {total} s (total): try again, or raise the limit",
        }

    @property
    def due(self) -> float | None:
        return min(self._limits.values(), default=None) if not self._ended else None

    def feed(self, value: _T, now: float) -> Iterable[_T]:
        known: Any = value
        if type(known) is HeartbeatEvent:  # it says that nothing has come
            return (value,)
        if isinstance(known, Event):
            self._ending.feed(known)  # pyright: ignore[reportArgumentType]  # or an event of the program's own
        if not self._has_value:
            self._has_value = True
            self._limits.pop("first_event", None)
        if "first_text" in self._limits and isinstance(known, _TEXT):
            del self._limits["first_text"]
        self.restart_between(now)
        return (value,)

    def tick(self, now: float) -> Iterable[_T]:
        if self._pauses:
            self.restart_between(now)  # no value comes, because downstream has paused the stream
        name = min(self._limits, key=self._limits.__getitem__)
        if self._limits[name] > now:
            return ()
        number = self._ending.last.sequence_number if self._ending.last is not None else None
        raise IdleTimeoutError(self._messages[name], response_id=self._ending.response_id, sequence_number=number)

    def finish(self, now: float) -> Iterable[_T]:
        self._ended = True
        return ()

    def fail(self, now: float) -> Iterable[_T]:
        return ()

    # ------------------------------------------------------------------ what downstream does

    def restart_between(self, now: float) -> None:
        """The time limit between two values begins now."""
        if self._between is not None and self._has_value:
            self._limits["between"] = now + self._between

    def pause(self) -> None:
        self._pauses += 1

    def resume(self, now: float) -> None:
        self._pauses -= 1
        self.restart_between(now)
