"""The log in NATS JetStream."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

from reactivex import abc
from reactivex.disposable import Disposable

from rxstream.relay._engine import Engine
from rxstream.relay._log import Claim, Claimed, LogBatch, LogPage, StreamHead, Topic
from rxstream.relay._nats_calls import NatsCalls
from rxstream.relay._nats_client import NatsClient
from rxstream.relay._nats_records import NatsTail


class NatsLog:
    """A log in NATS JetStream, server 2.11 or later. It needs `rxstream[nats]`.

    All streams are in two streams of JetStream, which are made at the first call: one has a subject for each stream of
    the log, and a message for each batch; the other the leases, one message each. An append is one message, which
    JetStream refuses where another one came before it, so that two producers never interleave. Followers are woken by
    plain NATS messages.

    What it cannot promise: the `ttl` counts from each batch and not from the last one, in whole seconds. So let it be
    longer than a stream runs: else followers get `PositionLostError`. A batch must be smaller than the server's
    `max_payload`, 1 MiB by default. To follow from a position reads the stream from its begin. With `replicas=3` an
    append is on two servers before it counts; with 1, what the disk of the one server loses is lost, and it writes to
    the disk within two minutes unless its `sync_interval` says otherwise.

    Use it as `with` or `async with`, or `close()` it. It may be used from any loop and thread, asyncio's or trio's.

    Args:
        url: `nats://`, `tls://`, `ws://` or `wss://`; several with commas between them.
        prefix: Of the names and subjects.
        storage: Where JetStream keeps them.
        replicas: How many servers keep them.
        max_bytes: Of all streams together; then JetStream drops the oldest batches. None: as much as the server has.
        retry_seconds: For how long a call is tried again where the server cannot be reached; then
            `LogUnavailableError`.
        options: For `nats.connect`, such as `user_credentials` or `tls`.

    Raises: ModuleNotFoundError: the client is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "rxstream",
        storage: Literal["file", "memory"] = "file",
        replicas: int = 1,
        max_bytes: int | None = None,
        retry_seconds: float = 30.0,
        **options: Any,
    ) -> None:
        if find_spec("nats") is None:
            raise ModuleNotFoundError(
                "NatsLog needs a package that is not installed: pip install 'rxstream[nats]'", name="nats"
            )
        shared = {"storage": storage, "num_replicas": replicas, "allow_direct": True, "allow_msg_ttl": True}
        streams = [
            {"name": f"{prefix}-batches", "subjects": [f"{prefix}.batches.*"], "max_bytes": max_bytes or -1, **shared},
            {"name": f"{prefix}-states", "subjects": [f"{prefix}.states.*.*"], "max_msgs_per_subject": 1, **shared},
        ]
        client = NatsClient(url, options, streams)

        async def connect() -> NatsCalls:
            return NatsCalls(await client.connect(), prefix)

        async def disconnect(calls: NatsCalls) -> None:
            await client.disconnect(calls.jet_stream)

        self._engine: Engine[NatsCalls] = Engine(
            "NATS", connect, disconnect, client.failures, client.refusals, retry_seconds
        )

    async def claim(self, stream_id: str, claim: Claim) -> Claimed:
        return await self._engine.call(lambda calls: calls.claim(stream_id, _key(stream_id), claim))

    async def append(self, stream_id: str, token: int, batch: LogBatch | None, end: str | None = None) -> bool:
        return await self._engine.call(lambda calls: calls.append(stream_id, _key(stream_id), token, batch, end))

    async def renew(self, stream_id: str, token: int, *, release: bool = False) -> bool:
        return await self._engine.call(lambda calls: calls.renew(stream_id, _key(stream_id), token, release=release))

    async def request_cancel(self, stream_id: str) -> StreamHead:
        return await self._engine.call(lambda calls: calls.request_cancel(stream_id, _key(stream_id)))

    async def delete(self, stream_id: str) -> None:
        await self._engine.call(lambda calls: calls.delete(_key(stream_id)))

    async def read(self, stream_id: str, after: int | None, place: object = None) -> LogPage:
        start = 0 if after is None else after + 1
        tail = place if isinstance(place, NatsTail) else NatsTail()
        return await self._engine.call(lambda calls: calls.read(_key(stream_id), start, tail))

    def watch(self, stream_id: str, topic: Topic, wake: Callable[[], object]) -> abc.DisposableBase:
        hints: list[Any] = []
        is_over = False

        async def received(_: Any) -> None:
            wake()

        async def begin(calls: NatsCalls) -> None:
            connection = calls.jet_stream.connection
            hints.append(await connection.subscribe(calls.hint(_key(stream_id), topic), cb=received))
            await connection.flush()
            if is_over:
                await end()
            wake()

        async def end() -> None:
            while hints:
                with suppress(Exception):  # the connection is closed, and its subscriptions with it
                    await hints.pop().unsubscribe()

        def stop() -> None:
            nonlocal is_over
            is_over = True
            if self._engine.is_open:
                self._engine.start(end())

        self._engine.start(self._engine.with_retries(begin))
        return Disposable(stop)

    def close(self) -> None:
        """Close the connection. Further calls open it again."""
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


def _key(stream_id: str) -> str:
    """The id as a token of a subject, which has no dots, wildcards and spaces."""
    return quote(stream_id, safe="").replace(".", "%2E")
