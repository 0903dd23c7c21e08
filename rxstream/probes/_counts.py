"""What one probe counts in one subscription. It is told the time.

A value that comes out of a stage as the object that went in has a latency, and is not held any more. Values that were
passed over by it were dropped, as far as can be seen: if one of them comes out later, it was not. A new value replaces
all that is inside, as a moderator or `coalesce` merges deltas; its latency is that of the oldest of them. A stage that
makes nothing but new values, such as text of events, has no latency, and neither holds nor drops.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

StageState: TypeAlias = Literal["running", "completed", "failed", "disposed"]

_KEPT = 4096
"""So many values inside of a stage are looked for at the exit."""

_PASSED_OVER_KEPT = 256
"""And so many of those that were passed over."""


@dataclass(frozen=True, slots=True)
class StageSnapshot:
    """What a probe has counted so far. Times are seconds.

    Without an operator (`probe("name")`) it is a point: what goes in comes out.
    """

    name: str
    state: StageState
    error: str | None
    """The class of the error, where the state is "failed"."""
    events_in: int
    events_out: int
    held: int | None
    """Values that went in and have not come out, since the last new value; None if it makes nothing but new ones."""
    dropped: int | None
    """Values that went in and did not come out: left out, merged or replaced. None as `held`."""
    latency: float | None
    """The mean time that a value was inside; of a new value, that of the oldest which it replaces. None as `held`."""
    longest_latency: float | None
    pauses: int
    """How often what stands behind its entrance has asked the source to pause."""
    paused: float
    """The time in which it was."""
    elapsed: float
    """From the subscription to now, or to the end."""
    first_out: float | None
    """From the subscription to the first value."""
    silence: float
    """From the last value that came out, else from the subscription, to now or the end."""


class StageCounts:
    """The counts of one subscription. Another thread may read them."""

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.events_in = self.events_out = 0
        self.state: StageState = "running"
        self.error: str | None = None
        self._began = now
        self._ended: float | None = None
        self._first_out: float | None = None
        self._last_out = now
        self._lock = threading.Lock()
        """Guards all below: a stage may emit in another thread than its source, and a reader in a third."""
        self._inside: dict[int, tuple[Any, float]] = {}
        self._passed_over: dict[int, tuple[Any, float]] = {}
        self._dropped = self._matched = self._timed = 0
        self._latencies = self._longest = 0.0
        self._pauses = self._open_pauses = 0
        self._paused = 0.0
        self._paused_since = now

    def pass_through(self, now: float) -> None:
        """A value has come to a point."""
        self.events_in += 1
        self.events_out += 1
        self._note_out(now)

    def enter(self, value: Any, now: float) -> None:
        """A value goes into the stage."""
        self.events_in += 1
        with self._lock:
            self._inside[id(value)] = value, now  # it is kept alive, so that its id stays its own
            if len(self._inside) > _KEPT:
                self._drop(next(iter(self._inside)))

    def leave(self, value: Any, now: float) -> None:
        """A value comes out of the stage."""
        self.events_out += 1
        self._note_out(now)
        key = id(value)
        with self._lock:
            found = self._inside.get(key)
            if found is not None:
                while (first := next(iter(self._inside))) != key:
                    self._drop(first)
                del self._inside[key]
            else:
                found = self._passed_over.pop(key, None)
                self._dropped -= found is not None
            self._matched += found is not None
            if found is None and self._inside:
                found = next(iter(self._inside.values()))
                while self._inside:
                    self._drop(next(iter(self._inside)))
            if found is not None:
                self._timed += 1
                self._latencies += now - found[1]
                self._longest = max(self._longest, now - found[1])

    def _drop(self, key: int) -> None:
        self._passed_over[key] = self._inside.pop(key)
        self._dropped += 1
        if len(self._passed_over) > _PASSED_OVER_KEPT:
            del self._passed_over[next(iter(self._passed_over))]

    def _note_out(self, now: float) -> None:
        self._last_out = now
        if self._first_out is None:
            self._first_out = now

    def pause(self, now: float) -> None:
        with self._lock:
            self._pauses += 1
            self._open_pauses += 1
            if self._open_pauses == 1:
                self._paused_since = now

    def resume(self, now: float) -> None:
        with self._lock:
            if self._open_pauses:
                self._open_pauses -= 1
                if not self._open_pauses:
                    self._paused += now - self._paused_since

    def end(self, state: StageState, now: float, error: BaseException | None = None) -> None:
        """The first end counts."""
        with self._lock:
            if self._ended is not None:
                return
            self._ended = now
            self.state = state
            self.error = type(error).__qualname__ if error is not None else None
            self._dropped += len(self._inside)
            self._inside.clear()
            self._passed_over.clear()
            if self._open_pauses:
                self._open_pauses = 0
                self._paused += now - self._paused_since

    def observer_raised(self, error: Exception) -> None:
        """The observer has raised. Rx disposes before that is known."""
        with self._lock:
            if self.state == "disposed":
                self.state, self.error = "failed", type(error).__qualname__

    def read(self, now: float) -> StageSnapshot:
        with self._lock:
            until = now if self._ended is None else self._ended
            makes_others = self.events_out > 0 and not self._matched and self.events_in != self.events_out
            return StageSnapshot(
                name=self.name,
                state=self.state,
                error=self.error,
                events_in=self.events_in,
                events_out=self.events_out,
                held=None if makes_others else len(self._inside),
                dropped=None if makes_others else self._dropped,
                latency=self._latencies / self._timed if self._matched else None,
                longest_latency=self._longest if self._matched else None,
                pauses=self._pauses,
                paused=self._paused + (until - self._paused_since if self._open_pauses else 0.0),
                elapsed=until - self._began,
                first_out=self._first_out - self._began if self._first_out is not None else None,
                silence=until - self._last_out,
            )
