"""The log in Valkey or Redis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from reactivex import abc

from rxstream.errors import LogUnavailableError
from rxstream.relay._engine import Engine
from rxstream.relay._log import Claim, Claimed, LogBatch, LogPage, StreamHead, Topic
from rxstream.relay._refusals import refuse_claim, replaced, unknown
from rxstream.relay._valkey_client import Scripts, ValkeyClient
from rxstream.relay._valkey_hints import ValkeyHints

_PAGE = 64
"""Batches."""

_PAGE_BYTES = 1024 * 1024
"""A page ends with the batch that reaches it."""


class ValkeyLog:
    """A log in a Valkey or Redis server, 6.2 or later. It needs `rxstream[valkey]`.

    A stream is two keys, which the server forgets by itself at the stream's `ttl`: a hash of about 300 bytes, and a
    stream of the server with an entry for each batch. A call is one script, and atomic. Followers are woken by
    pub/sub, over one connection for the whole process. Nothing is written by followers.

    What it cannot promise: replicas are asynchronous. When a replica becomes the primary, the last appends may be
    missing. The producer then gets `ProducerReplacedError`, because the positions do not join, and followers that were
    ahead get `PositionLostError`. Without persistence a restart loses all streams. Under `maxmemory` with an eviction
    policy a stream may be dropped before its `ttl`: `noeviction` is right here.

    Use it as `with` or `async with`, or `close()` it. It may be used from any loop and thread, asyncio's or trio's.

    Args:
        url: `redis://`, `rediss://` or `unix://`, as the client `redis` takes it; also `valkey://` and `valkeys://`.
        prefix: Of all keys and channels.
        retry_seconds: For how long a call is tried again where the server cannot be reached; then
            `LogUnavailableError`.
        options: For `redis.asyncio.Redis.from_url`, such as `ssl_ca_certs` or `password`.

    Raises: ModuleNotFoundError: the client is not installed. ValueError: the URL cannot be used.
    """

    def __init__(self, url: str, *, prefix: str = "rxstream:", retry_seconds: float = 30.0, **options: Any) -> None:
        if find_spec("redis") is None:
            raise ModuleNotFoundError(
                "ValkeyLog needs a package that is not installed: pip install 'rxstream[valkey]'", name="redis"
            )
        self._prefix = prefix
        client = ValkeyClient(url, options)
        self._engine: Engine[Scripts] = Engine(
            "Valkey", client.connect, client.disconnect, client.failures, client.refusals, retry_seconds
        )
        self._hints = ValkeyHints(self._engine, prefix)

    async def claim(self, stream_id: str, claim: Claim) -> Claimed:
        arguments = (
            claim.owner,
            *map(_milliseconds, (claim.lease, claim.ttl, claim.takeover_within)),
            int(claim.takes_over),
            self._channel(stream_id, "events"),
        )
        answer = await self._run("claim", stream_id, *arguments)
        if answer[0] != b"claimed":
            refuse_claim(stream_id, claim, _head_of(answer))
            raise LogUnavailableError("the log refused a claim without a reason", stream_id=stream_id)
        token, following, lease, grace, cancel = (int(value) for value in answer[1:])
        return Claimed(token, following, lease / 1000, grace / 1000, bool(cancel))

    async def append(self, stream_id: str, token: int, batch: LogBatch | None, end: str | None = None) -> bool:
        part = batch if batch is not None else LogBatch(0, 0, b"")
        arguments = (token, part.first, part.count, part.data, end or "", self._channel(stream_id, "events"))
        return _accepted(await self._run("append", stream_id, *arguments), stream_id)

    async def renew(self, stream_id: str, token: int, *, release: bool = False) -> bool:
        arguments = (token, int(release), self._channel(stream_id, "events"))
        return _accepted(await self._run("renew", stream_id, *arguments), stream_id)

    async def request_cancel(self, stream_id: str) -> StreamHead:
        head = _head_of(await self._run("cancel", stream_id, self._channel(stream_id, "cancel")))
        if head is None:
            raise unknown(stream_id)
        return head

    async def delete(self, stream_id: str) -> None:
        await self._run("delete", stream_id, self._channel(stream_id, "cancel"), self._channel(stream_id, "events"))

    async def read(self, stream_id: str, after: int | None, place: object = None) -> LogPage:
        start = 0 if after is None else after + 1
        head, entries = await self._run("read", stream_id, start, _PAGE, _PAGE_BYTES)
        batches = tuple(_batch_of(*entry) for entry in entries)
        state = _head_of(head)
        reached = batches[-1].first + batches[-1].count if batches else start
        return LogPage(batches, state, more=bool(batches) and state is not None and reached < state.next)

    def watch(self, stream_id: str, topic: Topic, wake: Callable[[], object]) -> abc.DisposableBase:
        return self._hints.watch(self._channel(stream_id, topic), wake)

    def close(self) -> None:
        """Close the connections. Further calls open them again."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ inside

    async def _run(self, script: str, stream_id: str, *arguments: object) -> Any:
        # The braces keep both keys on one node of a cluster.
        name = f"{self._prefix}{{{_quoted(stream_id)}}}"
        keys = (f"{name}:head", f"{name}:log")
        return await self._engine.call(lambda scripts: scripts.run(script, keys, arguments))

    def _channel(self, stream_id: str, topic: Topic) -> str:
        return f"{self._prefix}{topic}:{_quoted(stream_id)}"


def _quoted(stream_id: str) -> str:
    return quote(stream_id, safe="-_.~:")


def _milliseconds(seconds: float) -> int:
    return max(round(seconds * 1000), 0)


def _batch_of(entry_id: bytes, count: bytes, data: bytes) -> LogBatch:
    behind = int(entry_id.partition(b"-")[0])
    return LogBatch(behind - int(count), int(count), data)


def _head_of(answer: Sequence[bytes]) -> StreamHead | None:
    if answer[0] == b"unknown":
        return None
    following, end, left, grace, cancel = answer[1:]
    return StreamHead(int(following), end.decode() or None, int(left) / 1000, int(grace) / 1000, cancel == b"1")


def _accepted(answer: Sequence[bytes], stream_id: str) -> bool:
    """Whether a cancellation is requested. Raises: what the script refused."""
    if answer[0] == b"unknown":
        raise unknown(stream_id)
    if answer[0] != b"ok":
        raise replaced(stream_id)
    return answer[1] == b"1"
