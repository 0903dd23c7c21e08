"""Time limits for the stages of a stream: for the operator `timeouts` and for the streams of a session."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from rxstream.errors import (
    BetweenEventsTimeoutError,
    ConnectError,
    FirstEventTimeoutError,
    FirstTextTimeoutError,
    LimitError,
    PollTimeoutError,
    RxStreamError,
    StreamTimeoutError,
    TotalTimeoutError,
    TruncatedError,
)
from rxstream.events import Event, KeepaliveEvent, ResponseOutputTextDeltaEvent, ResponseRefusalDeltaEvent
from rxstream.response._ending import Ending
from rxstream.typing import TimedCore

_T = TypeVar("_T")

_TEXT = (ResponseOutputTextDeltaEvent, ResponseRefusalDeltaEvent, str)

LimitName: TypeAlias = Literal["first_event", "first_text", "between", "total", "poll", "terminal_grace"]

_ERRORS: dict[str, tuple[type[StreamTimeoutError], str]] = {
    "first_event": (FirstEventTimeoutError, "no event within"),
    "first_text": (FirstTextTimeoutError, "no text within"),
    "between": (BetweenEventsTimeoutError, "no event for"),
    "total": (TotalTimeoutError, "no end of the stream within"),
    "poll": (PollTimeoutError, "the response, whose stream is lost, was polled and stayed unfinished for"),
}


OF_WHOLE_STREAM = (FirstTextTimeoutError, TotalTimeoutError, PollTimeoutError)
"""The errors of limits that no further connection can keep."""


def is_own_limit(error: Exception | None) -> bool:
    """Whether a limit of the client has ended a stream, which would have gone on."""
    return isinstance(error, (StreamTimeoutError, LimitError)) and not isinstance(error, ConnectError)


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Limits in seconds; None: no limit."""

    first_event: float | None = None
    first_text: float | None = None
    between: float | None = None
    total: float | None = None
    poll: float | None = None
    terminal_grace: float | None = None


class Deadlines:
    """When each limit of one stream is over. It is told the time, in seconds on a clock that never goes back.

    `first_text` and `total` count from the beginning, `first_event`, `between` and `terminal_grace` within one
    connection, `poll` from the first request for the response until the next event. A keep-alive is not an event, and
    neither is one of ours.
    """

    def __init__(self, limits: TimeLimits, now: float, *, total_pauses: bool = False) -> None:
        """`total_pauses`: whether `total` stands still while downstream has paused the stream, as the others do."""
        self._limits = limits
        self._total_pauses = total_pauses
        self._deadlines: dict[LimitName, float] = {}
        self._has_event = False
        self._pauses = 0
        self._paused_at = 0.0
        self._set("first_text", now)
        self._set("total", now)

    @property
    def due(self) -> float | None:
        """When to call `expired`. During a pause it is a time at which nothing is over yet."""
        return min(self._deadlines.values(), default=None)

    def connect(self, now: float) -> None:
        """A connection is being opened."""
        self._set("between" if self._has_event else "first_event", now)

    def disconnect(self) -> None:
        """The connection is over; another one may follow."""
        for name in ("first_event", "between", "terminal_grace"):
            self._deadlines.pop(name, None)

    def poll(self, now: float) -> None:
        """The response is requested as a whole."""
        if "poll" not in self._deadlines:
            self._set("poll", now)

    def feed(self, value: object) -> bool:
        """Note what has come; whether it counts as an event. `restart` has to follow."""
        if isinstance(value, KeepaliveEvent) or (isinstance(value, Event) and value.type.startswith("rxstream.")):
            return False
        self._has_event = True
        self._deadlines.pop("first_event", None)
        self._deadlines.pop("poll", None)
        if "first_text" in self._deadlines and isinstance(value, _TEXT):
            del self._deadlines["first_text"]
        return True

    def restart(self, now: float) -> None:
        """The time limit between two events begins now."""
        if self._has_event:
            self._set("between", now)

    def settle(self, now: float) -> None:
        """The last item is done, and the terminal event is awaited."""
        self._set("terminal_grace", now)

    @property
    def settled(self) -> bool:
        return "terminal_grace" in self._deadlines

    def unsettle(self) -> None:
        """A further item has come."""
        self._deadlines.pop("terminal_grace", None)

    def pause(self, now: float) -> None:
        """Downstream has paused the stream. Until the same number of calls of `resume` the time does not count."""
        self._pauses += 1
        if self._pauses == 1:
            self._paused_at = now

    def resume(self, now: float) -> None:
        if self._pauses == 1:
            self._skip_pause(now)
        self._pauses -= 1

    def expired(self, now: float) -> RxStreamError | None:
        """The error of the limit that is over, if one is."""
        if self._pauses:
            self._skip_pause(now)
        name = min(self._deadlines, key=self._deadlines.__getitem__, default=None)
        if name is None or self._deadlines[name] > now:
            return None
        seconds: float | None = getattr(self._limits, name)
        if name == "terminal_grace":
            return TruncatedError(
                f"all items are done, but the connection stayed open and no terminal event came within {seconds} s "
                "(terminal_grace): the answer may lack its end; ask again, or raise the limit"
            )
        error, text = _ERRORS[name]
        return error(f"{text} {seconds} s ({name}): try again, or raise the limit", seconds=seconds)

    def _skip_pause(self, now: float) -> None:
        for name in self._deadlines:
            if name != "total" or self._total_pauses:
                self._deadlines[name] += now - self._paused_at
        self._paused_at = now

    def _set(self, name: LimitName, now: float) -> None:
        seconds: float | None = getattr(self._limits, name)
        if seconds is not None:
            self._deadlines[name] = now + seconds


class Timeouts(TimedCore[_T, _T]):
    """Pass values on, and raise the error of a limit when it is over."""

    def __init__(self, now: float, limits: TimeLimits) -> None:
        self._deadlines = Deadlines(limits, now)
        self._deadlines.connect(now)
        self._ended = False
        self._ending = Ending()

    @property
    def due(self) -> float | None:
        return self._deadlines.due if not self._ended else None

    def feed(self, value: _T, now: float) -> Iterable[_T]:
        known: Any = value
        if isinstance(known, Event):
            self._ending.feed(known)  # pyright: ignore[reportArgumentType]  # or an event of the program's own
        if self._deadlines.feed(known):
            self._deadlines.restart(now)
        return (value,)

    def tick(self, now: float) -> Iterable[_T]:
        error = self._deadlines.expired(now)
        if error is not None:
            error.response_id, error.sequence_number = self._ending.response_id, self._ending.number
            raise error
        return ()

    def finish(self, now: float) -> Iterable[_T]:
        self._ended = True
        return ()

    def fail(self, now: float) -> Iterable[_T]:
        return ()

    # ------------------------------------------------------------------ what downstream does

    def pause(self, now: float) -> None:
        self._deadlines.pause(now)

    def resume(self, now: float) -> None:
        self._deadlines.resume(now)
