"""What a log keeps of a stream, and what it has to be able to do. All that is decided about streams is decided here
and in the two cores beside it (`_producer`, `_follower`), so an engine is small: six calls and a hint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from reactivex import abc


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Events that arrived together. The first event of a stream has the position 0, the next one 1, and so on."""

    first: int
    """The position of its first event."""
    count: int
    """1 or more."""
    data: bytes
    """The events as a piece of an event stream (`rxstream.sse`), without ids."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a producer asks for: to be the only one of a stream."""

    owner: str
    """A name that no other claim has. The same claim again, after a connection was lost, gets the same answer."""
    lease: float = 10.0
    """Seconds without a word of the producer after which it counts as lost."""
    ttl: float = 3600.0
    """Seconds without a word of a producer after which the stream is forgotten."""
    takeover_within: float = 0.0
    """Seconds after the lease in which followers wait for another producer."""
    takes_over: bool = False
    """False: of a stream that does not exist. True: of one whose producer is lost; it keeps the three times above."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer to a claim."""

    token: int
    """The fencing token: larger than that of each earlier producer of the stream."""
    next: int
    """The position of the next event."""
    lease: float
    takeover_within: float
    cancel_requested: bool = False


@dataclass(frozen=True, slots=True)
class StreamHead:
    """What a log knows of a stream, beside its events."""

    next: int
    """The position of the next event: how many there are."""
    end: str | None
    """How it has ended; None: it has not. Only `rxstream.relay` reads this text."""
    lease_left: float
    """Seconds; 0 or less: the lease has been over for so long."""
    takeover_within: float
    cancel_requested: bool = False


@dataclass(frozen=True, slots=True)
class LogPage:
    """One answer of `Log.read`."""

    batches: tuple[LogBatch, ...]
    head: StreamHead | None
    """As it was when the batches were read, or earlier. None: the log does not have the stream."""
    place: object = None
    """Where the next call goes on; for the engine alone."""
    more: bool = False
    """Whether there may be further batches already. Then `head` may be older than these."""


Topic: TypeAlias = Literal["events", "cancel"]
"""What a watcher waits for."""


class Log(Protocol):
    """Keeps streams. Any number of processes may use one at the same time, on asyncio, trio and plain threads.

    An engine promises this, and `rxstream.testing.log_laws` checks it: what `append` has returned for is kept, in
    order, until the `ttl` is over; `append` of a producer whose token is not the last one of its stream changes
    nothing. Each call may be repeated after a failure, with the same arguments, and then has the effect of one.

    All calls raise `LogUnavailableError` where the engine cannot be reached.
    """

    async def claim(self, stream_id: str, claim: Claim) -> Claimed:
        """Become the producer of a stream, and get the next token. The lease begins.

        Raises: StreamExistsError: it exists (without `takes_over`), its producer is alive, or it has ended;
        StreamNotFoundError: with `takes_over`, it does not exist.
        """
        ...

    async def append(self, stream_id: str, token: int, batch: LogBatch | None, end: str | None = None) -> bool:
        """Append a batch, an end, or both at once. Renews lease and `ttl`. Whether a cancellation is requested.

        Raises: ProducerReplacedError: there is a later token, the stream has ended, or `batch.first` is not the next
        position; StreamNotFoundError: the log has forgotten the stream; StreamTooLongError: the engine does not take
        a batch of this size.
        """
        ...

    async def renew(self, stream_id: str, token: int, *, release: bool = False) -> bool:
        """Renew lease and `ttl`, or with `release` end the lease now. Whether a cancellation is requested.

        Raises: as `append`.
        """
        ...

    async def request_cancel(self, stream_id: str) -> StreamHead:
        """Note that the stream is to be cancelled, and wake its producer. Without effect where it has ended.

        Raises: StreamNotFoundError.
        """
        ...

    async def delete(self, stream_id: str) -> None:
        """Forget the stream now, and wake its producer and its followers. Without effect where the log has none.

        Further calls answer as past the `ttl`, and the id may be used again.
        """
        ...

    async def read(self, stream_id: str, after: int | None, place: object = None) -> LogPage:
        """The next batches behind the event at `after`; None: from the first. It does not wait for any.

        The first batch may begin with events up to `after`. A page holds a bounded number of batches. `place`: of the
        page before, where `after` is its last event.
        """
        ...

    def watch(self, stream_id: str, topic: Topic, wake: Callable[[], object]) -> abc.DisposableBase:
        """Call `wake`, on any thread, when something has changed, and once when the watch has begun.

        It is a hint: it may come too often, and may be lost with a connection. Disposing ends it.
        """
        ...

    def close(self) -> None:
        """Close the connections. Further calls open them again."""
        ...
