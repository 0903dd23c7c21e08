"""Frames over WebSockets, which are kept for the next request.

A socket carries one response at a time, as the API says. For a second one at the same time another socket is opened:
a queue would make a response wait for one that it has nothing to do with. (OpenAI's lanes, `stream_id`, do the same on
one connection; no other server has them.) If a response is steered, its successors belong to the same request.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio

from rxstream.errors import ConnectionLimitError, ProtocolError, StatusError, SteerFailedError
from rxstream.errors._redaction import one_line
from rxstream.sse import DEFAULT_MAX_FRAME_BYTES
from rxstream.transport._base import Request, Wire
from rxstream.transport.http._answer import HttpAnswer
from rxstream.transport.http._transport import HttpTransport
from rxstream.transport.websocket._messages import create_message
from rxstream.transport.websocket._socket import Socket
from rxstream.transport.websocket._socket_frames import SocketFrames

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_NO_WEBSOCKET = frozenset((200, 404, 405, 426, 501))
"""What servers without a WebSocket mode answer."""
_KEPT = 20
"""Sockets that are kept for the next request; httpx keeps as many connections."""

RunInBackground = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


@dataclass(frozen=True, slots=True)
class _UpgradeFields:
    """What the upgrade has sent: a socket serves only requests with the same."""

    params: tuple[tuple[str, str | int], ...] = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)


class WebSocketTransport:
    """Frames over WebSockets, for one event loop.

    Args:
        http: sends the upgrade, with its address, key, headers, proxy and certificates, and all that is no
            `POST /responses`.
        run_in_background: starts a task that ends when the loop's owner ends. Each socket has one.
        idle_timeout: seconds without a single byte while a response is read.
        max_frame_bytes: the limit of a message.
        ping_interval: seconds without a byte after which a ping is sent, and as many more after which a socket is given
            up.
    """

    def __init__(
        self,
        http: HttpTransport,
        run_in_background: RunInBackground,
        *,
        idle_timeout: float | None = 600.0,
        max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES,
        ping_interval: float = 20.0,
    ) -> None:
        self._http = http
        self._run_in_background = run_in_background
        self._seconds = idle_timeout
        self._max = max_frame_bytes
        self._ping = ping_interval
        self._sockets: dict[Socket, _UpgradeFields] = {}
        """All that are open."""
        self._read: list[SocketFrames] = []
        """The responses that run."""
        self._idle: list[Socket] = []
        """Those without a response; the one used last is the last."""

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Wire, None]:
        """Request a response on a free socket, or a new one. See `Transport.open`.

        Raises:
            ConnectError, IdleTimeoutError: as over HTTP.
            StatusError: the server refuses the upgrade, or its first message is an error, which has the status that it
                would have over HTTP. PreviousResponseNotFoundError is one.
            DisconnectedError, ConnectionLimitError, FrameTooLargeError, ProtocolError: from the iteration.
        """
        if request.method != "POST" or request.path != "/responses" or request.json is None:
            async with self._http.open(request) as wire:
                yield wire
            return
        socket, frames = await self._start(request, create_message(request.json))
        self._read.append(frames)
        try:
            yield Wire(
                frames,
                status=200,
                headers=socket.answer.headers,
                request_id=socket.answer.request_id,
                bytes_read=lambda: socket.bytes_read,
            )
            await frames.settle()
        finally:
            self._read.remove(frames)
            frames.close()
            await self._release(socket, usable=frames.leaves_usable)

    async def steer(self, response_id: str, items: Any) -> Mapping[str, Any]:
        """Send input for a response that runs on one of the sockets; return the server's `response.steer.accepted`.

        Raises: SteerFailedError: the server does not take it, or no such response runs here; TransportError.
        """
        for frames in self._read:
            if frames.response_id == response_id and frames.last is None:
                return await frames.steer(items)
        raise SteerFailedError(
            f"no response {one_line(response_id, 100)} runs on a WebSocket of this session: steer a response after its "
            "first event and before its last",
            code="response_not_found",
        )

    @property
    def open_sockets(self) -> int:
        """How many sockets are open."""
        return len(self._sockets)

    async def aclose(self) -> None:
        """Close all sockets."""
        while self._sockets:
            await self._close(next(iter(self._sockets)))

    async def _start(self, request: Request, message: bytes) -> tuple[Socket, SocketFrames]:
        while True:
            socket = self._take(request)
            is_new = socket is None
            if socket is None:
                socket = await self._connect(request)
            frames = SocketFrames(socket, request.limit("idle", self._seconds))
            usable, started = False, False
            try:
                await frames.start(message)
                started = True
                return socket, frames
            except StatusError:
                usable = frames.leaves_usable
                raise
            except ConnectionLimitError:  # so the request was not begun
                if is_new:
                    raise
            finally:
                if not started:
                    frames.close()
                    await self._release(socket, usable=usable)

    def _take(self, request: Request) -> Socket | None:
        """A free socket: the one that has the previous response, else the one that was not used for longest."""
        fields = _upgrade_fields(request)
        previous = (request.json or {}).get("previous_response_id")
        free = [socket for socket in self._idle if socket.usable and self._sockets.get(socket) == fields]
        found = next((socket for socket in free if previous and socket.response_id == previous), None)
        if found is None and free:
            found = free[0]
        if found is not None:
            self._idle.remove(found)
            found.begin()
        return found

    async def _release(self, socket: Socket, *, usable: bool) -> None:
        if not usable or len(self._idle) >= _KEPT:
            await self._close(socket)
            return
        self._idle.append(socket)
        socket.release()

    async def _close(self, socket: Socket) -> None:
        self._sockets.pop(socket, None)
        if socket in self._idle:
            self._idle.remove(socket)
        await socket.aclose()

    async def _connect(self, request: Request) -> Socket:
        nonce = base64.b64encode(secrets.token_bytes(16)).decode()
        upgrade = {
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": nonce,
        }
        to_send = replace(request, method="GET", json=None, headers={**request.headers, **upgrade})
        try:
            answer = await self._http.upgrade(to_send)
        except StatusError as error:
            if error.status in _NO_WEBSOCKET:
                error.add_note("a server that has no WebSocket mode answers so: leave out transport='websocket'")
            raise
        socket: Socket | None = None
        try:
            socket = Socket(answer, _stream(answer, nonce), max_frame_bytes=self._max)
            self._run_in_background(partial(self._keep, socket))
        except BaseException:
            await answer.aclose()
            raise
        self._sockets[socket] = _upgrade_fields(request)
        return socket

    async def _keep(self, socket: Socket) -> None:
        try:
            await socket.keep(self._ping)
        finally:
            with anyio.CancelScope(shield=True):
                await self._close(socket)


def _upgrade_fields(request: Request) -> _UpgradeFields:
    headers: Mapping[str, str] = {name.lower(): value for name, value in request.headers.items()}
    return _UpgradeFields(tuple(sorted(request.params.items())), tuple(sorted(headers.items())))


def _stream(answer: HttpAnswer, nonce: str) -> Any:
    """The connection behind the answer. Raises: ProtocolError: it is not that of a WebSocket."""
    stream = answer.network_stream
    if stream is None:
        raise ProtocolError(
            "expected an HTTP client that gives its connection after a 101, as httpx does, got one that does not "
            "(httpx-aiohttp does not): leave http_client out, or give an httpx.AsyncClient with its own transport"
        )
    accept = base64.b64encode(hashlib.sha1(nonce.encode() + _GUID).digest()).decode()
    if answer.headers.get("sec-websocket-accept") != accept:
        raise ProtocolError(
            f"{answer.where} answered 101, but not as a WebSocket does (sec-websocket-accept): check base_url",
            request_id=answer.request_id,
        )
    return stream
