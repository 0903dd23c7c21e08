"""What a producer does next: pure. It is told the time, what its source emits, and what the log has answered.

The log is written to one call at a time. While a call is under way, what the source emits waits, and goes into one
batch with the next call. So there is at most one call for each batch of events that arrived together, and fewer where
the log is slower than the source.

The lease is renewed by each append. Where none is due for a third of the lease, a call renews it alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from rxstream.errors import StreamTooLongError
from rxstream.relay._end import StreamEnd, cancelled
from rxstream.relay._log import Claimed, LogBatch

MAX_BATCH_EVENTS = 256
MAX_BATCH_BYTES = 512 * 1024
"""A batch ends with the event that reaches one of the two."""


@dataclass(frozen=True, slots=True)
class Append:
    """Append `batch`, or `end`, or both."""

    batch: LogBatch | None
    end: StreamEnd | None


@dataclass(frozen=True, slots=True)
class Renew:
    """Renew the lease."""


@dataclass(frozen=True, slots=True)
class WaitForSource:
    """Wait for the source, or for a request to cancel, at most for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class EndIsLogged:
    """The end is in the log."""

    end: StreamEnd


ProducerStep: TypeAlias = Append | Renew | WaitForSource | EndIsLogged


class Producer:
    """The state of one producer that has its claim."""

    def __init__(self, stream_id: str, claimed: Claimed, now: float, limits: tuple[int, int]) -> None:
        """`limits`: how many events and bytes the stream may have."""
        self._stream_id = stream_id
        self._next = claimed.next
        """The position of the next event that is appended."""
        self._renew_every = claimed.lease / 3
        self._renewed = now
        """When the last call that the log has answered began."""
        self._max_events, self._bytes_left = limits
        self._waiting: deque[bytes] = deque()
        self.waiting_bytes = 0
        """Of the events that are not appended yet."""
        self._end: StreamEnd | None = None
        self._ended_in_log = False
        self._look = False
        """Whether the log is to be asked for a cancellation."""
        self.stopped = False
        """Whether the source is not needed any more: dispose it."""
        if claimed.cancel_requested:
            self.cancel()

    @property
    def waiting(self) -> int:
        """How many events are not appended yet."""
        return len(self._waiting)

    def emitted(self, event: bytes) -> None:
        """The source has emitted. What comes after the end is dropped."""
        if self._end is not None:
            return
        self._bytes_left -= len(event)
        if self._next + len(self._waiting) >= self._max_events or self._bytes_left < 0:
            limit = "max_events" if self._bytes_left >= 0 else "max_bytes"
            self.fail(
                StreamTooLongError(
                    f"the stream is longer than {limit} of publish allows: pass a larger one, or publish less",
                    stream_id=self._stream_id,
                )
            )
            return
        self._waiting.append(event)
        self.waiting_bytes += len(event)

    def completed(self) -> None:
        """The source has completed."""
        self._end = self._end or StreamEnd("completed")

    def failed(self, error: Exception) -> None:
        """The source has ended with an error."""
        self._end = self._end or StreamEnd("failed", error)

    def fail(self, error: Exception) -> None:
        """End the stream here, with an error of its producer."""
        if self._end is None:
            self.failed(error)
            self.stopped = True

    def cancel(self) -> None:
        """End the stream here. What the source has emitted is still appended."""
        if self._end is None:
            self._end = StreamEnd("cancelled", cancelled(self._stream_id))
            self.stopped = True

    def look(self) -> None:
        """Somebody may have requested a cancellation."""
        self._look = True

    def step(self, now: float) -> ProducerStep:
        """What is to be done now. After `Append` and `Renew` call `answered`."""
        if self._ended_in_log and self._end is not None:
            return EndIsLogged(self._end)
        batch = self._batch()
        if batch is not None or self._end is not None:
            return Append(batch, self._end if not self._waiting else None)
        due = self._renewed + self._renew_every
        if self._look or now >= due:
            return Renew()
        return WaitForSource(due - now)

    def answered(self, step: Append | Renew, began: float, cancel_requested: bool) -> None:
        """The log has done it. `began`: when it was asked."""
        self._renewed = began
        self._look = False
        if isinstance(step, Append):
            if step.batch is not None:
                self._next += step.batch.count
            self._ended_in_log = step.end is not None
        if cancel_requested:
            self.cancel()

    def _batch(self) -> LogBatch | None:
        """Take what waits, up to the limits of a batch."""
        if not self._waiting:
            return None
        taken: list[bytes] = []
        size = 0
        while self._waiting and len(taken) < MAX_BATCH_EVENTS and size < MAX_BATCH_BYTES:
            taken.append(self._waiting.popleft())
            size += len(taken[-1])
        self.waiting_bytes -= size
        return LogBatch(self._next, len(taken), b"".join(taken))
