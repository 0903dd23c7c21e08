"""What a follower does next: pure. It is told the time and what it has read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from rxstream.errors import PositionLostError, StreamNotFoundError
from rxstream.relay._batches import frames_of
from rxstream.relay._end import StreamEnd, lost
from rxstream.relay._log import LogPage
from rxstream.sse import Frame

LONGEST_WAIT = 5.0
"""Seconds after which a follower looks into the log without a hint, because a hint may be lost."""

_SHORTEST_WAIT = 0.05


@dataclass(frozen=True, slots=True)
class ReadOn:
    """Read the next page at once."""


@dataclass(frozen=True, slots=True)
class WaitForHint:
    """Wait for a hint, at most for `seconds`, and read."""

    seconds: float


@dataclass(frozen=True, slots=True)
class TakeOver:
    """The producer is lost, and this process may go on with the stream. Then wait for a hint, and read."""

    seconds: float


@dataclass(frozen=True, slots=True)
class StreamIsOver:
    """The stream has ended for this follower."""

    end: StreamEnd


FollowerStep: TypeAlias = ReadOn | WaitForHint | TakeOver | StreamIsOver


class Follower:
    """The state of one follower."""

    def __init__(
        self, stream_id: str, after: int | None, now: float, *, start_within: float, takes_over: bool = False
    ) -> None:
        self._stream_id = stream_id
        self.after = after
        """The position of the last event that was passed on; None: none was."""
        self._appears_until = now + start_within
        self._takes_over = takes_over
        self._found = False

    @property
    def _next(self) -> int:
        return 0 if self.after is None else self.after + 1

    def frames(self, page: LogPage) -> Iterator[Frame]:
        """The Frames of a page that have not come before, each once, in order.

        Raises: PositionLostError: some between them are missing.
        """
        for batch in page.batches:
            if batch.first + batch.count <= self._next:
                continue
            if batch.first > self._next:
                raise self._gap(batch.first)
            for frame in frames_of(batch):
                if int(frame.id) >= self._next:
                    self.after = int(frame.id)
                    yield frame

    def step(self, page: LogPage, now: float) -> FollowerStep:
        """What is to be done after the frames of a page were passed on.

        Raises: PositionLostError, StreamNotFoundError.
        """
        head = page.head
        if head is None:
            return self._not_found(now)
        self._found = True
        if page.more:
            return ReadOn()
        if head.next > self._next:
            raise self._gap(head.next)
        if head.next < self._next:
            raise PositionLostError(
                f"the stream {self._stream_id!r} has {head.next} events, and none at position {self.after}: follow it "
                "from a position that came from it, or without one",
                stream_id=self._stream_id,
                position=self.after,
            )
        if head.end is not None:
            return StreamIsOver(StreamEnd.from_text(head.end, self._stream_id))
        if head.lease_left > 0:
            return WaitForHint(min(max(head.lease_left, _SHORTEST_WAIT), LONGEST_WAIT))
        left = head.lease_left + head.takeover_within
        if left <= 0:
            return StreamIsOver(StreamEnd("producer_lost", lost(self._stream_id)))
        wait = min(max(left, _SHORTEST_WAIT), LONGEST_WAIT)
        return TakeOver(wait) if self._takes_over else WaitForHint(wait)

    def _not_found(self, now: float) -> FollowerStep:
        if not self._found and now < self._appears_until:
            return WaitForHint(min(self._appears_until - now, LONGEST_WAIT))
        raise StreamNotFoundError(
            f"the log has no stream {self._stream_id!r}: it was not published, or it is past its ttl",
            stream_id=self._stream_id,
            position=self.after,
        )

    def _gap(self, found: int) -> PositionLostError:
        return PositionLostError(
            f"expected the event at position {self._next} of the stream {self._stream_id!r}, got those from {found} "
            "on: the log has forgotten some, because they are past the ttl or the engine has dropped them; start again "
            "without a position, or ask for a new answer",
            stream_id=self._stream_id,
            position=self.after,
        )
