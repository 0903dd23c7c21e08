"""The calls of a log over one connection to JetStream.

A lease is a message that a compare-and-set replaces. The fencing is JetStream's own: an append names the sequence
number of the message before it, and is refused where that is not the last one. A new producer first appends its token,
so that the producer before it cannot name the last message any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from rxstream.relay._log import Claim, Claimed, LogBatch, LogPage, StreamHead, Topic
from rxstream.relay._nats_client import LAST_SEQUENCE, TTL, JetStream, WrongSequenceError
from rxstream.relay._nats_records import (
    NatsLease,
    NatsTail,
    batch_headers,
    batch_of,
    head_of,
    lease_body,
    lease_for,
    lease_of,
    lease_ttl,
    tail_of,
)
from rxstream.relay._refusals import refuse_claim, replaced, unknown

_PAGE = 64
"""Messages."""

_PAGE_BYTES = 1024 * 1024

_Key: TypeAlias = tuple[str, int]


@dataclass(slots=True)
class _Production:
    """A stream that this process produces."""

    tail: NatsTail
    lease: NatsLease


class NatsCalls:
    """`key` is the id of a stream as a token of a subject."""

    def __init__(self, jet_stream: JetStream, prefix: str) -> None:
        self.jet_stream = jet_stream
        self._prefix = prefix
        self._batches = f"{prefix}-batches"
        self._states = f"{prefix}-states"
        self._productions: dict[_Key, _Production] = {}

    def hint(self, key: str, topic: Topic) -> str:
        """The subject of the hints."""
        return f"{self._prefix}.hints.{key}.{topic}"

    # ------------------------------------------------------------------ the producer's

    async def claim(self, stream_id: str, key: str, claim: Claim) -> Claimed:
        while True:
            lease = await self._lease(key)
            if lease is None or lease.claim.owner != claim.owner:
                tail = await self._tail(key) if lease is not None else NatsTail()
                refuse_claim(stream_id, claim, None if lease is None else self._head(lease, tail))
                try:
                    lease = await self._put_lease(key, lease_for(claim, lease, self.jet_stream.now))
                except WrongSequenceError:
                    continue  # another producer was faster, and this claim is refused above
                if not claim.takes_over:
                    await self.jet_stream.purge(self._states, self._state(key, "cancel"))
            tail = await self._fence(stream_id, key, lease, claim)
            self._productions[key, lease.token] = _Production(tail, lease)
            await self._wake(key, "events")
            kept = lease.claim
            return Claimed(lease.token, tail.next, kept.lease, kept.takeover_within, await self._cancel_requested(key))

    async def _fence(self, stream_id: str, key: str, lease: NatsLease, claim: Claim) -> NatsTail:
        """Append the token of the lease."""
        while True:
            tail = await self._tail(key)
            if tail.token == lease.token:
                return tail
            if tail.token > lease.token:
                raise replaced(stream_id)
            if not claim.takes_over and tail.sequence:  # of a stream of this id that is forgotten
                await self.jet_stream.purge(self._batches, self._subject(key), before=tail.sequence + 1)
                continue
            refuse_claim(stream_id, claim, StreamHead(tail.next, tail.end, 0.0, 0.0) if claim.takes_over else None)
            try:
                return await self._put_batch(key, tail, lease, LogBatch(tail.next, 0, b""), None)
            except WrongSequenceError:  # the producer before has appended
                continue

    async def append(self, stream_id: str, key: str, token: int, batch: LogBatch | None, end: str | None) -> bool:
        own = await self._production(stream_id, key, token)
        while True:
            tail = own.tail
            part = batch if batch is not None else LogBatch(tail.next, 0, b"")
            behind = part.first + part.count
            if behind == tail.next and tail.end == end:
                break
            if tail.end is not None or part.first != tail.next:
                raise replaced(stream_id)
            try:
                own.tail = await self._put_batch(key, tail, own.lease, part, end)
                break
            except WrongSequenceError:  # of another producer, or of a try of this call whose answer was lost
                own.tail = await self._own_tail(stream_id, key, own)
        await self._wake(key, "events")
        if end is not None:
            self._productions.pop((key, token), None)
        elif own.lease.left(self.jet_stream.now) < own.lease.claim.lease * 2 / 3:
            return await self.renew(stream_id, key, token, release=False)
        return False

    async def renew(self, stream_id: str, key: str, token: int, *, release: bool) -> bool:
        own = await self._production(stream_id, key, token)
        while True:
            kept = own.lease
            try:
                own.lease = await self._put_lease(key, NatsLease(kept.claim, token, kept.sequence, is_released=release))
                break
            except WrongSequenceError:
                own.lease = await self._own_lease(stream_id, key, token)
        if release:
            self._productions.pop((key, token), None)
            await self._wake(key, "events")
        return await self._cancel_requested(key)

    async def request_cancel(self, stream_id: str, key: str) -> StreamHead:
        lease = await self._lease(key)
        if lease is None:
            raise unknown(stream_id)
        tail = await self._tail(key)
        if tail.end is None:
            await self.jet_stream.publish(self._state(key, "cancel"), b"", {TTL: lease_ttl(lease.claim)})
            await self._wake(key, "cancel")
        return self._head(lease, tail)

    async def delete(self, key: str) -> None:
        for kind in ("lease", "cancel"):  # first, so that no producer can append and keep its lease
            await self.jet_stream.purge(self._states, self._state(key, kind))
        await self.jet_stream.purge(self._batches, self._subject(key))
        await self._wake(key, "cancel")
        await self._wake(key, "events")

    # ------------------------------------------------------------------ the follower's

    async def read(self, key: str, start: int, tail: NatsTail) -> LogPage:
        """The batches with events at `start` or behind it, in messages behind `tail`."""
        lease: NatsLease | None = None
        while True:
            messages = await self.jet_stream.following(
                self._batches, self._subject(key), tail.sequence, _PAGE, _PAGE_BYTES
            )
            if messages:
                tail = tail_of(messages[-1])
                found = [batch for message in messages if (batch := batch_of(message)).first + batch.count > start]
                batches = tuple(batch for batch in found if batch.count)
                if batches:
                    return LogPage(batches, StreamHead(tail.next, tail.end, 0.0, 0.0), tail, more=True)
                continue
            if lease is None or lease.left(self.jet_stream.now) <= 0:
                if lease is not None:  # it was over before the last look for batches
                    return LogPage((), self._head(lease, tail), tail)
                lease = await self._lease(key, direct=True)
                if lease is not None and lease.left(self.jet_stream.now) <= 0:
                    lease = await self._lease(key)
                if lease is None:
                    return LogPage((), None)
                if lease.left(self.jet_stream.now) <= 0:
                    continue
            return LogPage((), self._head(lease, tail), tail)

    # ------------------------------------------------------------------ the messages

    def _subject(self, key: str) -> str:
        return f"{self._prefix}.batches.{key}"

    def _state(self, key: str, kind: str) -> str:
        return f"{self._prefix}.states.{key}.{kind}"

    def _head(self, lease: NatsLease, tail: NatsTail) -> StreamHead:
        return head_of(lease, tail, self.jet_stream.now)

    async def _lease(self, key: str, *, direct: bool = False) -> NatsLease | None:
        last = self.jet_stream.last_direct if direct else self.jet_stream.last
        return lease_of(await last(self._states, self._state(key, "lease")))

    async def _tail(self, key: str) -> NatsTail:
        return tail_of(await self.jet_stream.last(self._batches, self._subject(key)))

    async def _cancel_requested(self, key: str) -> bool:
        return await self.jet_stream.last(self._states, self._state(key, "cancel")) is not None

    async def _put_lease(self, key: str, lease: NatsLease) -> NatsLease:
        """Replace the lease that `sequence` names. Raises: WrongSequenceError: there is another one."""
        headers = {LAST_SEQUENCE: str(lease.sequence), TTL: lease_ttl(lease.claim)}
        sequence = await self.jet_stream.publish(self._state(key, "lease"), lease_body(lease), headers)
        return NatsLease(lease.claim, lease.token, sequence, self.jet_stream.now, lease.is_released)

    async def _put_batch(
        self, key: str, tail: NatsTail, lease: NatsLease, batch: LogBatch, end: str | None
    ) -> NatsTail:
        """Append behind `tail`. Raises: WrongSequenceError: another message is behind it."""
        headers = batch_headers(lease.token, batch, end, lease.claim.ttl)
        headers[LAST_SEQUENCE] = str(tail.sequence)
        sequence = await self.jet_stream.publish(self._subject(key), batch.data, headers)
        return NatsTail(sequence, lease.token, batch.first + batch.count, end)

    async def _wake(self, key: str, topic: Topic) -> None:
        await self.jet_stream.connection.publish(self.hint(key, topic), b"")

    # ------------------------------------------------------------------ what this process produces

    async def _production(self, stream_id: str, key: str, token: int) -> _Production:
        own = self._productions.get((key, token))
        if own is None:  # it began over an earlier connection
            lease = await self._own_lease(stream_id, key, token)
            own = _Production(NatsTail(token=token), lease)
            own.tail = await self._own_tail(stream_id, key, own)
            self._productions[key, token] = own
        return own

    async def _own_lease(self, stream_id: str, key: str, token: int) -> NatsLease:
        lease = await self._lease(key)
        self._check(stream_id, key, token, lease)
        assert lease is not None
        return lease

    async def _own_tail(self, stream_id: str, key: str, own: _Production) -> NatsTail:
        tail = await self._tail(key)
        token = own.lease.token
        if tail.token == token:
            return tail
        self._check(stream_id, key, token, await self._lease(key))
        if tail.sequence or not own.tail.next:
            self._productions.pop((key, token), None)
            raise replaced(stream_id)
        return NatsTail(0, token, own.tail.next)  # the producer was silent for longer than the ttl of its last batch

    def _check(self, stream_id: str, key: str, token: int, lease: NatsLease | None) -> None:
        """Raises: StreamNotFoundError, ProducerReplacedError: the lease is not that of the token."""
        if lease is not None and lease.token == token:
            return
        self._productions.pop((key, token), None)
        raise unknown(stream_id) if lease is None else replaced(stream_id)
