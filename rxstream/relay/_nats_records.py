"""What a message in JetStream says of a stream: a batch, or a lease."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from urllib.parse import quote, unquote

from rxstream.relay._log import Claim, LogBatch, StreamHead
from rxstream.relay._nats_client import TTL, NatsMessage

_TOKEN, _FIRST, _COUNT, _END = "Rx-Token", "Rx-First", "Rx-Count", "Rx-End"


@dataclass(frozen=True, slots=True)
class NatsTail:
    """The last message of a stream, as far as it is known. `sequence` 0: there is none."""

    sequence: int = 0
    token: int = 0
    next: int = 0
    """The position of the next event."""
    end: str | None = None


@dataclass(frozen=True, slots=True)
class NatsLease:
    """Who produces a stream, and until when."""

    claim: Claim
    token: int
    sequence: int = 0
    """Of its message."""
    began: float = 0.0
    """By the server's clock."""
    is_released: bool = False

    def left(self, now: float) -> float:
        """Seconds."""
        return (0.0 if self.is_released else self.claim.lease) + self.began - now


def batch_headers(token: int, batch: LogBatch, end: str | None, ttl: float) -> dict[str, str]:
    """Of the message of a batch, or of a fencing token alone."""
    headers = {_TOKEN: str(token), _FIRST: str(batch.first), _COUNT: str(batch.count), TTL: whole_seconds(ttl)}
    return headers if end is None else {**headers, _END: quote(end)}  # ASCII, as headers are


def batch_of(message: NatsMessage) -> LogBatch:
    return LogBatch(int(message.headers[_FIRST]), int(message.headers[_COUNT]), message.data)


def tail_of(message: NatsMessage | None) -> NatsTail:
    if message is None:
        return NatsTail()
    batch = batch_of(message)
    token = int(message.headers[_TOKEN])
    end = message.headers.get(_END)
    return NatsTail(message.sequence, token, batch.first + batch.count, None if end is None else unquote(end))


def lease_body(lease: NatsLease) -> bytes:
    return json.dumps({"claim": asdict(lease.claim), "token": lease.token, "released": lease.is_released}).encode()


def lease_of(message: NatsMessage | None) -> NatsLease | None:
    if message is None:
        return None
    body = json.loads(message.data)
    return NatsLease(Claim(**body["claim"]), body["token"], message.sequence, message.time, body["released"])


def lease_for(claim: Claim, before: NatsLease | None, now: float) -> NatsLease:
    """The lease of a new claim. `before`: of the producer that is lost."""
    token = int(now * 1_000_000)
    if before is None:
        return NatsLease(claim, token)
    return NatsLease(replace(before.claim, owner=claim.owner), max(token, before.token + 1), before.sequence)


def head_of(lease: NatsLease, tail: NatsTail, now: float, *, cancel_requested: bool = False) -> StreamHead:
    return StreamHead(tail.next, tail.end, lease.left(now), lease.claim.takeover_within, cancel_requested)


def lease_ttl(claim: Claim) -> str:
    """A lease is kept for longer than the batches."""
    return whole_seconds(claim.ttl + claim.lease)


def whole_seconds(seconds: float) -> str:
    """As JetStream takes them: 1 or more."""
    return str(max(math.ceil(seconds), 1))
