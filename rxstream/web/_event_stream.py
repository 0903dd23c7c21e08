"""A stream as the answer of a web server, by ASGI: https://asgi.readthedocs.io/en/latest/specs/www.html."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup
from reactivex import Observable

from rxstream.rx._loops import Signal, loop_clock
from rxstream.sinks._buffer import Buffer, NoValue
from rxstream.web._formats import to_sse
from rxstream.web._stream_format import StreamFormat

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HEARTBEAT = b": heartbeat\n\n"
"""A comment, which every reader of server-sent events ignores."""

HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}
"""`no-transform`: no proxy compresses it, and so waits for more. `x-accel-buffering`: nginx passes each piece on."""

_MOST_BYTES = 65_536
_log = logging.getLogger("rxstream")


class EventStream:
    """An ASGI application that answers one request with a stream of events, on asyncio and trio.

    It subscribes when it is called, and disposes the subscription when the client goes, which closes the socket of a
    session's stream. Parts that have come together are sent together. A slow client pauses the session's stream: at
    most `buffer` parts wait here. (A source that is not a session's cannot be paused.) The status is sent at once, so
    an error of the stream is a part of the format; the error itself is logged, by the logger "rxstream".

    Args:
        source: the events of a response or of a run.
        format: `to_sse()`, if not given, `to_ui_messages()`, `to_ag_ui(…)`, or your own `StreamFormat`.
        status: the HTTP status.
        headers: further headers, or other values for those of `EventStream`.
        heartbeat: so many seconds without a part, and a comment is sent, so that no proxy closes the connection; None:
            never.
        buffer: how many parts may wait for the client.

    Raises: TypeError: `source` is not an Observable, or `format` not a `StreamFormat`. ValueError: `heartbeat` is not
        above 0, or `buffer` less than 1.
    """

    def __init__(
        self,
        source: Observable[Any],
        format: StreamFormat[Any] | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        heartbeat: float | None = 15.0,
        buffer: int = 64,
    ) -> None:
        if not hasattr(source, "subscribe"):
            raise TypeError(f"expected an Observable of events to send, got {type(source).__name__}")
        self.format: StreamFormat[Any] = to_sse() if format is None else format
        if not hasattr(self.format, "encode"):
            raise TypeError(f"expected a format, such as to_sse() or to_ui_messages(), got {self.format!r}")
        if heartbeat is not None and not heartbeat > 0:
            raise ValueError(f"expected more than 0 seconds as heartbeat, or None, got {heartbeat}")
        if buffer < 1:
            raise ValueError(f"buffer must be 1 or more, got {buffer}")
        self.status = status
        self.headers = {
            name.lower(): value
            for each in (HEADERS, self.format.headers, headers or {})
            for name, value in each.items()
        }
        self.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        self._parts = self.format(source)
        self._heartbeat = heartbeat
        self._size = buffer

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request. It returns when the stream has ended, or the client is gone.

        Raises: RuntimeError: it is no HTTP request.
        """
        if scope["type"] != "http":
            raise RuntimeError(f"expected an HTTP request, got {scope['type']}: an event stream cannot answer it")
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            try:
                await send({"type": "http.response.start", "status": self.status, "headers": self.raw_headers})
                await self._send_parts(send, tasks)
                await send({"type": "http.response.body", "body": self.format.end, "more_body": False})
            except OSError:
                pass  # what a server may raise when the client is gone
            tasks.cancel_scope.cancel()

    async def _send_parts(self, send: Send, tasks: TaskGroup) -> None:
        buffer: Buffer[Any] = Buffer(self._size, "pause")
        changed = Signal()
        buffer.wake = changed.set
        silence = _Silence(self._heartbeat, changed.set)
        if self._heartbeat is not None:
            tasks.start_soon(silence.watch)
        try:
            buffer.subscribe(self._parts)
            ended = False
            waited = True
            while not ended:
                changed.clear()
                body, ended = self._encode_waiting(buffer)
                if not body and not ended:
                    if not silence.is_over:
                        await changed.wait()
                        waited = True
                        continue
                    body = HEARTBEAT
                if body:
                    if not waited:
                        await anyio.lowlevel.checkpoint()  # `send` of a server may not wait
                    waited = False
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                    silence.begin()
        finally:
            buffer.close()

    def _encode_waiting(self, buffer: Buffer[Any]) -> tuple[bytes, bool]:
        """The parts that wait, as bytes, and whether the stream has ended."""
        pieces: list[bytes] = []
        size = 0
        while size < _MOST_BYTES:
            try:
                part = buffer.take()
                if part is NoValue.PENDING:
                    return b"".join(pieces), False
                if part is NoValue.ENDED:
                    return b"".join(pieces), True
                pieces.append(self.format.encode(part))
            except Exception as error:
                _log.warning("the stream to a client ended with an error", exc_info=error)
                return b"".join(pieces), True
            size += len(pieces[-1])
        return b"".join(pieces), False


class _Silence:
    """Wakes when nothing was sent for `seconds`. A timer for each part would cost more than the part."""

    def __init__(self, seconds: float | None, wake: Callable[[], object]) -> None:
        self._seconds = seconds
        self._wake = wake
        self._clock = loop_clock()
        self.is_over = False
        """Whether it has lasted so long."""
        self.begin()

    def begin(self) -> None:
        """Something was sent."""
        self.is_over = False
        self._began = self._clock()

    async def watch(self) -> None:
        seconds = self._seconds or 0.0
        while True:
            left = self._began + seconds - self._clock()
            if left <= 0:
                self.is_over = True
                self._wake()
                left = seconds
            await anyio.sleep(left)
