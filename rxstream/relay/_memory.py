"""The log in the memory of one process."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush

from reactivex import abc
from reactivex.disposable import Disposable

from rxstream.relay._log import Claim, Claimed, LogBatch, LogPage, StreamHead, Topic
from rxstream.relay._refusals import refuse_claim, replaced, unknown

_PAGE = 64
"""Batches."""


@dataclass(slots=True)
class _KeptStream:
    """One stream. Times are those of the log's clock."""

    claim: Claim
    token: int
    deadline: float
    """When the lease is over."""
    forgotten: float
    """When the ttl is over."""
    next: int = 0
    end: str | None = None
    cancel_requested: bool = False
    batches: list[LogBatch] = field(default_factory=list[LogBatch])
    ends: list[int] = field(default_factory=list[int])
    """The position behind each batch."""


class MemoryLog:
    """A log for the streams of one process, on any number of its threads and loops. It is the default.

    A stream is forgotten when the log is next used after the stream's `ttl`. What a process loses when it ends, this
    log loses too.

    Args:
        clock: Gives seconds; for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._streams: dict[str, _KeptStream] = {}
        self._watchers: defaultdict[tuple[str, Topic], list[Callable[[], object]]] = defaultdict(list)
        self._last_token = 0
        self._due: list[tuple[float, str]] = []
        """A heap of when streams may be past their ttl, so that a call does not look at all of them."""

    def __len__(self) -> int:
        """How many streams it has."""
        with self._lock:
            self._forget()
            return len(self._streams)

    async def claim(self, stream_id: str, claim: Claim) -> Claimed:
        with self._lock:
            now = self._forget()
            stream = self._streams.get(stream_id)
            if stream is None or stream.claim.owner != claim.owner:
                head = self._head(stream, now)
                refuse_claim(stream_id, claim, head)
                self._last_token += 1
                if stream is None:
                    stream = self._streams[stream_id] = _KeptStream(claim, self._last_token, 0.0, 0.0)
                    heappush(self._due, (now + claim.ttl, stream_id))
                stream.token = self._last_token
                stream.claim = replace(stream.claim, owner=claim.owner)
                self._extend(stream, now)
            kept = stream.claim
            claimed = Claimed(stream.token, stream.next, kept.lease, kept.takeover_within, stream.cancel_requested)
        self._wake(stream_id, "events")
        return claimed

    async def append(self, stream_id: str, token: int, batch: LogBatch | None, end: str | None = None) -> bool:
        with self._lock:
            now = self._forget()
            stream = self._of(stream_id, token)
            behind = stream.next if batch is None else batch.first + batch.count
            if stream.next == behind and stream.end == end and self._has(stream, batch):
                return stream.cancel_requested
            if stream.end is not None or (batch is not None and batch.first != stream.next):
                raise replaced(stream_id)
            if batch is not None:
                stream.batches.append(batch)
                stream.ends.append(behind)
                stream.next = behind
            stream.end = end
            self._extend(stream, now)
            cancel_requested = stream.cancel_requested
        self._wake(stream_id, "events")
        return cancel_requested

    async def renew(self, stream_id: str, token: int, *, release: bool = False) -> bool:
        with self._lock:
            now = self._forget()
            stream = self._of(stream_id, token)
            self._extend(stream, now)
            if release:
                stream.deadline = now
            cancel_requested = stream.cancel_requested
        if release:
            self._wake(stream_id, "events")
        return cancel_requested

    async def request_cancel(self, stream_id: str) -> StreamHead:
        with self._lock:
            now = self._forget()
            stream = self._streams.get(stream_id)
            head = self._head(stream, now)
            if stream is None or head is None:
                raise unknown(stream_id)
            stream.cancel_requested = True
        self._wake(stream_id, "cancel")
        return head

    async def delete(self, stream_id: str) -> None:
        with self._lock:
            self._streams.pop(stream_id, None)
        self._wake(stream_id, "cancel")
        self._wake(stream_id, "events")

    async def read(self, stream_id: str, after: int | None, place: object = None) -> LogPage:
        with self._lock:
            now = self._forget()
            stream = self._streams.get(stream_id)
            if stream is None:
                return LogPage((), None)
            start = bisect_right(stream.ends, 0 if after is None else after + 1)
            batches = tuple(stream.batches[start : start + _PAGE])
            return LogPage(batches, self._head(stream, now), more=start + _PAGE < len(stream.batches))

    def watch(self, stream_id: str, topic: Topic, wake: Callable[[], object]) -> abc.DisposableBase:
        key = (stream_id, topic)
        with self._lock:
            self._watchers[key].append(wake)

        def stop() -> None:
            with self._lock:
                self._watchers[key].remove(wake)
                if not self._watchers[key]:
                    del self._watchers[key]

        wake()
        return Disposable(stop)

    def close(self) -> None:
        """Nothing: it has no connections."""

    # ------------------------------------------------------------------ inside, under the lock

    def _of(self, stream_id: str, token: int) -> _KeptStream:
        stream = self._streams.get(stream_id)
        if stream is None:
            raise unknown(stream_id)
        if stream.token != token:
            raise replaced(stream_id)
        return stream

    def _has(self, stream: _KeptStream, batch: LogBatch | None) -> bool:
        return batch is None or (bool(stream.batches) and stream.batches[-1].first == batch.first)

    def _extend(self, stream: _KeptStream, now: float) -> None:
        stream.deadline = now + stream.claim.lease
        stream.forgotten = now + stream.claim.ttl

    def _head(self, stream: _KeptStream | None, now: float) -> StreamHead | None:
        if stream is None:
            return None
        left = stream.deadline - now
        return StreamHead(stream.next, stream.end, left, stream.claim.takeover_within, stream.cancel_requested)

    def _forget(self) -> float:
        """Drop the streams that are past their ttl; the time."""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            stream_id = heappop(self._due)[1]
            stream = self._streams.get(stream_id)
            if stream is not None and stream.forgotten <= now:
                del self._streams[stream_id]
            elif stream is not None:  # it was extended
                heappush(self._due, (stream.forgotten, stream_id))
        return now

    def _wake(self, stream_id: str, topic: Topic) -> None:
        with self._lock:
            watchers = tuple(self._watchers.get((stream_id, topic), ()))
        for wake in watchers:
            wake()
