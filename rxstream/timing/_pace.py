"""Even output out of bursts.

Three rules. Units leave one after another, at the rate. No character leaves later than `max_lag` after it came: where
the rate would not do, the units that wait leave faster, evenly, and just so much as is needed. What is no text waits
for the text before it, and takes no time of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, NamedTuple, TypeVar

from rxstream.events import ResponseOutputTextDeltaEvent
from rxstream.segmentation._units import Splitter
from rxstream.timing._merge import mergeable

_T = TypeVar("_T")

_DRAIN: Final = 0.25
"""Seconds within which all that waits has left once the source is over, if `max_lag` is not less."""

_CATCH_UP: Final = 0.05
"""Seconds of delay that are made good at once where a timer was late; more is spread again."""

_BUCKETS: Final = 64
"""Deadlines closer together than this part of `max_lag` count as one, the earliest."""

_EARLY: Final = 1e-6
"""Clocks are read in microseconds: a timer may fire this much before its time."""


class _Given(NamedTuple):
    """A value of the source whose text has not all been cut into units."""

    value: Any
    end: int
    """Where its text ends, counted from the beginning of the run."""
    came: float


class Pace(Generic[_T]):
    """Values in, their text out unit by unit. Memory: what came within `max_lag`."""

    def __init__(self, split: Callable[[], Splitter], rate: float, max_lag: float) -> None:
        self._splitter = split()
        self._interval = 1 / rate
        self._max_lag = max_lag
        self._run: Any = None
        """The last value of the run of deltas that goes on; None where none does."""
        self._given: deque[_Given] = deque()
        self._come = 0
        self._cut = 0
        """How much of the run has come, and how much of that was cut into units."""
        self._queue: deque[tuple[Any, bool]] = deque()
        """What waits to leave, and whether it is a unit. If there is anything, a unit is in front."""
        self._deadlines: deque[tuple[float, int]] = deque()
        """By when how many of the units must have left, in order."""
        self._next = float("-inf")
        """When the next unit leaves, if there is one."""

    @property
    def due(self) -> float | None:
        """When the next unit leaves, or one that might still grow has waited long enough."""
        if self._queue:
            return min(self._next, self._patience)
        return self._patience if self._given else None

    @property
    def _patience(self) -> float:
        return self._given[0].came + self._max_lag if self._given else float("inf")

    # ------------------------------------------------------------------ in

    def feed(self, value: _T, now: float) -> Iterable[_T]:
        if mergeable(value, value):
            if self._run is None or not mergeable(self._run, value):
                self._flush()
            self._run = value
            text = _text(value)
            if text:
                self._come += len(text)
                self._given.append(_Given(value, self._come, now))
                self._enqueue(self._splitter.feed(text))
        else:
            self._flush()
            self._run = None
            self._queue.append((value, False))
        self._plan(now, self._next)
        return self._release(now)

    def tick(self, now: float) -> Iterable[_T]:
        if self._patience <= now + _EARLY:
            self._flush()
            self._plan(now, self._next)
        return self._release(now)

    def finish(self, now: float) -> Iterable[_T]:
        self._flush()
        soon = now + _DRAIN
        self._deadlines = deque((min(deadline, soon), count) for deadline, count in self._deadlines)
        self._plan(now, self._next)
        return self._release(now)

    def fail(self, now: float) -> Iterable[_T]:
        """What had come by then is text all the same."""
        self._flush()
        rest = [value for value, _ in self._queue]
        self._queue.clear()
        return rest

    # ------------------------------------------------------------------ units

    def _flush(self) -> None:
        """What might still grow will not."""
        self._enqueue(self._splitter.finish())
        self._come = self._cut = 0

    def _enqueue(self, units: Iterable[str]) -> None:
        for unit in units:
            deadline, count = self._given[0].came + self._max_lag, 1
            if self._deadlines and deadline - self._deadlines[-1][0] < self._max_lag / _BUCKETS:
                deadline, count = self._deadlines.pop()
                count += 1
            self._deadlines.append((deadline, count))
            self._queue.append((self._made(unit), True))

    def _made(self, unit: str) -> Any:
        """The value that carries a unit: the source's own, where it is one of them."""
        self._cut += len(unit)
        ended: list[_Given] = []
        while self._given and self._given[0].end <= self._cut:
            ended.append(self._given.popleft())
        if isinstance(self._run, str):
            return unit
        whole = bool(ended) and ended[-1].end == self._cut
        last: Any = ended[-1].value if whole else self._given[0].value
        if whole and last.delta == unit:
            return last
        fields: dict[str, Any] = {"delta": unit}
        if not whole:
            fields["sequence_number"] = None  # or whoever resumes after it would miss the rest
        if isinstance(last, ResponseOutputTextDeltaEvent):
            fields["logprobs"] = [entry for given in ended for entry in given.value.logprobs]
        return last.model_copy(update=fields)

    # ------------------------------------------------------------------ out

    def _plan(self, now: float, wish: float) -> None:
        """Let the next unit leave when it is wished, or before, so that those behind it can follow evenly in time."""
        interval = float("inf")
        units = 0
        for deadline, count in self._deadlines:
            units += count
            interval = min(interval, (deadline - now) / units)
        self._next = max(now, min(wish, now + interval))

    def _release(self, now: float) -> list[_T]:
        leaving: list[_T] = []
        while self._queue:
            value, unit = self._queue[0]
            if unit:
                if self._next > now + _EARLY:
                    break
                deadline, count = self._deadlines.popleft()
                if count > 1:
                    self._deadlines.appendleft((deadline, count - 1))
                at = max(self._next, now - _CATCH_UP)
                self._plan(at, at + self._interval)
            self._queue.popleft()
            leaving.append(value)
        return leaving


def _text(value: Any) -> str:
    return value if isinstance(value, str) else value.delta
