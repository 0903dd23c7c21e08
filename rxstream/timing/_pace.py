"""Text in bursts to text at an even rate.

Three rules. Units are emitted one after another, at the rate. No character is emitted later than `max_lag` after its
arrival: if the rate is too slow, the units that wait are emitted faster, evenly, and no faster than needed. A value
that is not text waits for the text before it, and takes no time of its own.
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
"""Seconds within which everything is emitted after the source has completed, unless the rate is kept."""

_CATCH_UP: Final = 0.05
"""If a timer is late, the units of up to this many seconds are emitted at once, and the others at the rate."""

_BUCKETS: Final = 64
"""Deadlines within `max_lag / _BUCKETS` count as one, the earliest."""

_EARLY: Final = 1e-6
"""Clocks are read in microseconds: a timer may fire this much before its time."""


class _SourceText(NamedTuple):
    """A value of the source whose text has not all been cut into units."""

    value: Any
    end: int
    """Where its text ends, counted from the beginning of the run."""
    arrival: float


class Pace(Generic[_T]):
    """Values to their text, unit by unit. Memory: what arrived within `max_lag`."""

    def __init__(
        self, split: Callable[[], Splitter], rate: float, max_lag: float, *, keep_rate_at_end: bool = False
    ) -> None:
        self._splitter = split()
        self._interval = 1 / rate
        self._max_lag = max_lag
        self._keep_rate_at_end = keep_rate_at_end
        self._run: Any = None
        """The last value of the current run of deltas. None between runs."""
        self._uncut: deque[_SourceText] = deque()
        self._received_size = 0
        self._cut_size = 0
        """How many characters of the run have arrived, and how many of them were cut into units."""
        self._queue: deque[tuple[Any, bool]] = deque()
        """Values to emit, and whether each is a unit. The first one is a unit."""
        self._deadlines: deque[tuple[float, int]] = deque()
        """Deadlines, and how many units have each, in order."""
        self._next_time = float("-inf")
        """When the next unit is emitted, if there is one."""

    @property
    def due(self) -> float | None:
        """When the next unit is emitted, or text that is not yet a unit has waited for `max_lag`."""
        if self._queue:
            return min(self._next_time, self._longest_wait_end)
        return self._longest_wait_end if self._uncut else None

    @property
    def _longest_wait_end(self) -> float:
        return self._uncut[0].arrival + self._max_lag if self._uncut else float("inf")

    # ------------------------------------------------------------------ in

    def feed(self, value: _T, now: float) -> Iterable[_T]:
        if mergeable(value, value):
            if self._run is None or not mergeable(self._run, value):
                self._flush()
            self._run = value
            text = _text(value)
            if text:
                self._received_size += len(text)
                self._uncut.append(_SourceText(value, self._received_size, now))
                self._enqueue(self._splitter.feed(text))
        else:
            self._flush()
            self._run = None
            self._queue.append((value, False))
        self._plan(now, self._next_time)
        return self._release(now)

    def tick(self, now: float) -> Iterable[_T]:
        if self._longest_wait_end <= now + _EARLY:
            self._flush()
            self._plan(now, self._next_time)
        return self._release(now)

    def finish(self, now: float) -> Iterable[_T]:
        self._flush()
        if not self._keep_rate_at_end:
            drained = now + _DRAIN
            self._deadlines = deque((min(deadline, drained), count) for deadline, count in self._deadlines)
        self._plan(now, self._next_time)
        return self._release(now)

    def fail(self, now: float) -> Iterable[_T]:
        self._flush()
        values = [value for value, _ in self._queue]
        self._queue.clear()
        return values

    # ------------------------------------------------------------------ units

    def _flush(self) -> None:
        """Make units of the text of the run that is not yet cut."""
        self._enqueue(self._splitter.finish())
        self._received_size = self._cut_size = 0

    def _enqueue(self, units: Iterable[str]) -> None:
        for unit in units:
            deadline, count = self._uncut[0].arrival + self._max_lag, 1
            if self._deadlines and deadline - self._deadlines[-1][0] < self._max_lag / _BUCKETS:
                deadline, count = self._deadlines.pop()
                count += 1
            self._deadlines.append((deadline, count))
            self._queue.append((self._value_of(unit), True))

    def _value_of(self, unit: str) -> Any:
        """The value to emit for a unit: the source's value, if its text is the unit."""
        self._cut_size += len(unit)
        sources: list[_SourceText] = []
        while self._uncut and self._uncut[0].end <= self._cut_size:
            sources.append(self._uncut.popleft())
        if isinstance(self._run, str):
            return unit
        same_end = bool(sources) and sources[-1].end == self._cut_size
        last: Any = sources[-1].value if same_end else self._uncut[0].value
        if same_end and last.delta == unit:
            return last
        fields: dict[str, Any] = {"delta": unit}
        if not same_end:
            fields["sequence_number"] = None  # a client that resumes after it would miss the rest
        if isinstance(last, ResponseOutputTextDeltaEvent):
            fields["logprobs"] = [entry for source in sources for entry in source.value.logprobs]
        return last.model_copy(update=fields)

    # ------------------------------------------------------------------ out

    def _plan(self, now: float, time: float) -> None:
        """Emit the next unit at `time`, or earlier, so that all units can follow evenly before their deadlines."""
        interval = float("inf")
        units = 0
        for deadline, count in self._deadlines:
            units += count
            interval = min(interval, (deadline - now) / units)
        self._next_time = max(now, min(time, now + interval))

    def _release(self, now: float) -> list[_T]:
        outputs: list[_T] = []
        while self._queue:
            value, is_unit = self._queue[0]
            if is_unit:
                if self._next_time > now + _EARLY:
                    break
                deadline, count = self._deadlines.popleft()
                if count > 1:
                    self._deadlines.appendleft((deadline, count - 1))
                emitted_at = max(self._next_time, now - _CATCH_UP)
                self._plan(emitted_at, emitted_at + self._interval)
            self._queue.popleft()
            outputs.append(value)
        return outputs


def _text(value: Any) -> str:
    return value if isinstance(value, str) else value.delta
