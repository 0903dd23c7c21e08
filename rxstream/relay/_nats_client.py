"""JetStream, as far as a log needs it, over the client `nats-py`, which is imported on use.

These are requests of the JetStream API (https://docs.nats.io/reference/reference-protocols/nats_api_reference) on the
connection itself, because the client has no call for several messages in one answer (ADR-31).
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Any

from rxstream.errors import LogUnavailableError, StreamTooLongError

_REQUEST_SECONDS = 2.0
"""Of one try. A request whose connection breaks gets no answer, and is made again."""

_LEAST_VERSION = (2, 11)
"""Of the server: with a time to live for each message, and several messages in one answer."""

_WRONG_LAST_SEQUENCE = (10071, 10164)
_MESSAGE_NOT_FOUND = 10037
_STREAM_EXISTS = 10058

LAST_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
TTL = "Nats-TTL"


class WrongSequenceError(Exception):
    """Another message of the subject came first."""


@dataclass(frozen=True, slots=True)
class NatsMessage:
    """A message in JetStream."""

    sequence: int
    time: float
    """Seconds since 1970, by the server's clock."""
    data: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])


class JetStream:
    """An open connection."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._clock_offset = 0.0

    @property
    def now(self) -> float:
        """Seconds since 1970, by the server's clock."""
        return time.monotonic() + self._clock_offset

    async def prepare(self, streams: list[dict[str, Any]]) -> None:
        """Make the streams that are missing. Raises: LogUnavailableError: the server is too old."""
        version = self.connection.connected_server_version
        if (version.major, version.minor) < _LEAST_VERSION:
            least = ".".join(map(str, _LEAST_VERSION))
            raise LogUnavailableError(f"expected NATS {least} or later, got {version}: update the server")
        for config in streams:
            answer = await self._request(f"STREAM.CREATE.{config['name']}", config)
            if "error" in answer and answer["error"].get("err_code") != _STREAM_EXISTS:
                raise self._refusal(answer)
        before = time.monotonic()
        answer = await self._request(f"STREAM.INFO.{streams[0]['name']}", {})
        if "ts" not in answer:
            raise self._refusal(answer)
        self._clock_offset = _seconds(answer["ts"]) - (before + time.monotonic()) / 2

    async def publish(self, subject: str, data: bytes, headers: dict[str, str]) -> int:
        """Add a message; its sequence number.

        Raises: WrongSequenceError; StreamTooLongError: the message is larger than the server takes.
        """
        size = len(data) + sum(len(name) + len(value) + 4 for name, value in headers.items()) + 16
        if size > self.connection.max_payload:
            raise StreamTooLongError(
                f"expected a batch of less than {self.connection.max_payload} bytes, as the NATS server takes, got "
                f"{size}: set max_payload of the server to more than the largest event"
            )
        reply = await self.connection.request(subject, data, timeout=_REQUEST_SECONDS, headers=headers)
        answer = json.loads(reply.data)
        if "error" in answer:
            if answer["error"].get("err_code") in _WRONG_LAST_SEQUENCE:
                raise WrongSequenceError
            raise self._refusal(answer)
        return int(answer["seq"])

    async def last(self, stream: str, subject: str) -> NatsMessage | None:
        """The last message of a subject, from the leader of the stream."""
        answer = await self._request(f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})
        if "error" in answer:
            if answer["error"].get("err_code") == _MESSAGE_NOT_FOUND:
                return None
            raise self._refusal(answer)
        message = answer["message"]
        return NatsMessage(
            message["seq"],
            _seconds(message["time"]),
            base64.b64decode(message.get("data", "")),
            _headers_of(base64.b64decode(message.get("hdrs", ""))),
        )

    async def last_direct(self, stream: str, subject: str) -> NatsMessage | None:
        """As `last`, from any replica: it may be an earlier one."""
        reply = await self.connection.request(f"$JS.API.DIRECT.GET.{stream}.{subject}", b"", timeout=_REQUEST_SECONDS)
        return _message_of(reply)

    async def following(self, stream: str, subject: str, behind: int, count: int, max_bytes: int) -> list[NatsMessage]:
        """The messages of a subject behind a sequence number, up to a count and about a size."""
        inbox = self.connection.new_inbox()
        replies = await self.connection.subscribe(inbox)
        try:
            query = {"seq": behind + 1, "next_by_subj": subject, "batch": count, "max_bytes": max_bytes}
            await self.connection.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(query).encode(), reply=inbox)
            found: list[NatsMessage] = []
            while True:
                message = _message_of(await replies.next_msg(timeout=_REQUEST_SECONDS))
                if message is None:
                    return found
                found.append(message)
        finally:
            await replies.unsubscribe()

    async def purge(self, stream: str, subject: str, *, before: int | None = None) -> None:
        """Drop the messages of a subject, those before a sequence number or all."""
        body: dict[str, Any] = {"filter": subject} if before is None else {"filter": subject, "seq": before}
        answer = await self._request(f"STREAM.PURGE.{stream}", body)
        if "error" in answer:
            raise self._refusal(answer)

    async def _request(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        payload = json.dumps(body).encode()
        reply = await self.connection.request(f"$JS.API.{name}", payload, timeout=_REQUEST_SECONDS)
        return json.loads(reply.data)

    def _refusal(self, answer: dict[str, Any]) -> LogUnavailableError:
        error = answer.get("error", {})
        return LogUnavailableError(f"NATS refused: {error.get('description', 'it gave no reason')}")


class NatsClient:
    """How to open and close one."""

    def __init__(self, url: str, options: dict[str, Any], streams: list[dict[str, Any]]) -> None:
        self._nats: Any = import_module("nats")
        errors: Any = import_module("nats.errors")
        self._url = url
        self._options = options
        self._streams = streams
        self.failures: tuple[type[BaseException], ...] = (
            errors.TimeoutError,
            errors.NoRespondersError,
            errors.ConnectionClosedError,
            errors.ConnectionReconnectingError,
            errors.StaleConnectionError,
            errors.UnexpectedEOF,
            errors.OutboundBufferLimitError,
            errors.NoServersError,
            asyncio.TimeoutError,
            OSError,
        )
        """Another try may help. Without JetStream, and while it has no leader, nothing responds."""
        self.refusals: tuple[type[BaseException], ...] = (errors.Error,)
        """What is raised else: no further try helps."""

    async def connect(self) -> JetStream:
        async def ignore(_: Exception) -> None:
            """The client tries again by itself, and each call reports what it could not do."""

        options: dict[str, Any] = {"max_reconnect_attempts": -1, "reconnect_time_wait": 0.2, **self._options}
        # the first connection is tried again by the engine, which knows for how long
        connection = await self._nats.connect(self._url, error_cb=ignore, **options, allow_reconnect=False)
        connection.options["allow_reconnect"] = True
        jet_stream = JetStream(connection)
        try:
            await jet_stream.prepare(self._streams)
        except BaseException:
            await connection.close()
            raise
        return jet_stream

    async def disconnect(self, jet_stream: JetStream) -> None:
        await jet_stream.connection.close()


def _seconds(text: str) -> float:
    """A time of JetStream, such as `2026-01-31T12:00:00.123456789Z`, in seconds since 1970."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or '0'}")


def _message_of(reply: Any) -> NatsMessage | None:
    """None: there is none, or no further one."""
    headers: dict[str, str] = reply.headers or {}
    if "Nats-Sequence" not in headers:
        return None
    return NatsMessage(int(headers["Nats-Sequence"]), _seconds(headers["Nats-Time-Stamp"]), reply.data, headers)


def _headers_of(block: bytes) -> dict[str, str]:
    """`NATS/1.0`, then a line for each header."""
    lines = block.decode().split("\r\n")[1:]
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
