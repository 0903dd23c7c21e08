"""The probes of this process, by stream. It is bounded, and forgets what has ended after a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from rxstream.probes._counts import StageCounts, StageSnapshot, StageState

_KEEP_SECONDS = 60.0
_MAX_ENDED = 100
_MAX_RUNNING = 1000


@dataclass(frozen=True, slots=True)
class StreamSnapshot:
    """One subscription to a chain with probes: its stages, from the source to the subscriber."""

    number: int
    """Counted from 1 in this process."""
    state: StageState
    """That of the last stage."""
    elapsed: float
    """Seconds from the subscription to now, or to the end."""
    stages: tuple[StageSnapshot, ...]


class ProbedStream:
    """The probes of one subscription, and of what is subscribed to within it later, as the next turn of a run."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.stages: list[tuple[StageCounts, Callable[[], float]]] = []
        """With the clock of each. The one next to the subscriber is subscribed to first, and stands last."""
        self.ended_at: float | None = None

    @property
    def running(self) -> bool:
        return any(counts.state == "running" for counts, _ in self.stages)

    def read(self) -> StreamSnapshot:
        stages = tuple(counts.read(clock()) for counts, clock in self.stages)
        return StreamSnapshot(self.number, stages[-1].state, stages[-1].elapsed, stages)


class ProbeRegistry:
    """Streams with probes. Of those that run the oldest is left out where there are too many."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._streams: dict[int, ProbedStream] = {}
        self._count = 0

    def begin(self, counts: StageCounts, clock: Callable[[], float], within: ProbedStream | None) -> ProbedStream:
        """Add the counts of a subscription to the stream that it belongs to, or to one of its own."""
        with self._lock:
            if within is None or within.number not in self._streams or within.ended_at is not None:
                self._count += 1
                within = self._streams[self._count] = ProbedStream(self._count)
                self._forget()
            within.stages.insert(0, (counts, clock))
            return within

    def ended(self, stream: ProbedStream) -> None:
        """A stage of the stream has ended."""
        with self._lock:
            if stream.ended_at is None and not stream.running:
                stream.ended_at = self._clock()
                self._forget()

    def read(self) -> tuple[StreamSnapshot, ...]:
        with self._lock:
            self._forget()
            streams = list(self._streams.values())
        return tuple(stream.read() for stream in streams)

    def clear(self) -> None:
        with self._lock:
            self._streams.clear()

    def _forget(self) -> None:
        limit = self._clock() - _KEEP_SECONDS
        ended = [stream for stream in self._streams.values() if stream.ended_at is not None]
        old = [stream for stream in ended if stream.ended_at is not None and stream.ended_at < limit]
        for stream in (*old, *ended[: max(0, len(ended) - _MAX_ENDED)]):
            self._streams.pop(stream.number, None)
        running = len(self._streams) - len(ended)
        for number in [number for number, stream in self._streams.items() if stream.ended_at is None]:
            if running <= _MAX_RUNNING:
                break
            del self._streams[number]
            running -= 1


REGISTRY = ProbeRegistry(time.monotonic)

STREAM: ContextVar[ProbedStream | None] = ContextVar("rxstream_probed_stream", default=None)
"""Set while a chain with probes is subscribed to: the probes before it belong to the same stream."""


def snapshot() -> tuple[StreamSnapshot, ...]:
    """What all probes of this process count, by stream, the oldest first. It may be called from any thread.

    Streams that have ended are kept for a minute, and at most 100 of them; of those that run the newest 1,000.
    """
    return REGISTRY.read()


def clear() -> None:
    """Forget all streams. Those that run count on, but are not in `snapshot` any more."""
    REGISTRY.clear()
