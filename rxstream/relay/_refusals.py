"""What a log refuses, and with which error. One place for all engines."""

from __future__ import annotations

from rxstream.errors import ProducerReplacedError, StreamExistsError, StreamNotFoundError
from rxstream.relay._log import Claim, StreamHead


def refuse_claim(stream_id: str, claim: Claim, head: StreamHead | None) -> None:
    """Raises: StreamNotFoundError, StreamExistsError: a stream of this state cannot be claimed so."""
    if head is None:
        if claim.takes_over:
            raise unknown(stream_id)
        return
    if head.end is not None:
        raise StreamExistsError(f"the stream {stream_id!r} has ended: follow it", stream_id=stream_id)
    if head.lease_left > 0:
        raise StreamExistsError(
            f"the stream {stream_id!r} has a producer: follow it, or wait until its lease is over", stream_id=stream_id
        )
    if not claim.takes_over:
        raise StreamExistsError(
            f"the stream {stream_id!r} exists, and its producer is lost: go on with it by take_over, or publish under "
            "another id",
            stream_id=stream_id,
        )


def unknown(stream_id: str) -> StreamNotFoundError:
    return StreamNotFoundError(
        f"the log has no stream {stream_id!r}: it was not published, or it is past its ttl", stream_id=stream_id
    )


def replaced(stream_id: str) -> ProducerReplacedError:
    return ProducerReplacedError(
        f"the stream {stream_id!r} has another producer, or has ended: this one may append nothing more",
        stream_id=stream_id,
    )
