"""A server of raw bytes on loopback: each test writes the very bytes of the answer, and sees how the client closes."""

import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.abc

from tests.waiting import BOUND


class Peer:
    """The server's end of one connection."""

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        self._stream = stream
        self.method = self.path = ""
        self.headers: dict[str, str] = {}
        self.body = b""
        self.closed = anyio.Event()
        """The client has closed its end."""
        self.heard: Callable[[], int] = lambda: 0
        """How many events the client's subscriber has got, where the test says it."""

    async def read_request(self) -> None:
        raw = b""
        while b"\r\n\r\n" not in raw:
            raw += await self._stream.receive()
        head, _, self.body = raw.partition(b"\r\n\r\n")
        line, *fields = head.decode("ascii").split("\r\n")
        self.method, self.path, _ = line.split(" ")
        self.headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        while len(self.body) < int(self.headers.get("content-length", 0)):
            self.body += await self._stream.receive()

    async def watch(self) -> None:
        """Notice when the client closes."""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                await self._stream.receive()
        self.closed.set()

    async def send(self, *parts: bytes | str) -> None:
        for part in parts:
            await self._stream.send(part.encode() if isinstance(part, str) else part)

    async def chunk(self, data: bytes | str) -> None:
        """Send one chunk of a chunked body."""
        raw = data.encode() if isinstance(data, str) else data
        await self.send(b"%x\r\n%s\r\n" % (len(raw), raw))

    async def reset(self) -> None:
        """Close with RST instead of FIN."""
        raw = self._stream.extra(anyio.abc.SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self._stream.aclose()


Handler = Callable[[Peer], Awaitable[None]]


class Server:
    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.peers: list[Peer] = []

    @property
    def peer(self) -> Peer:
        (only,) = self.peers
        return only


@asynccontextmanager
async def serve(handler: Handler, seconds: float = BOUND) -> AsyncGenerator[Server, None]:
    """Answer each connection's one request with `handler`; the connection closes when it returns."""

    async def handle(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            peer = Peer(stream)
            server.peers.append(peer)
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                await peer.read_request()
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(peer.watch)
                    try:
                        await handler(peer)
                    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                        await peer.closed.wait()
                    tasks.cancel_scope.cancel()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    server = Server(listener.extra(anyio.abc.SocketAttribute.local_port))
    with anyio.fail_after(seconds):
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, handle)
            yield server
            tasks.cancel_scope.cancel()


OK = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nX-Request-Id: req_1\r\n"
CHUNKED = OK + "Transfer-Encoding: chunked\r\n\r\n"
LAST = "0\r\n\r\n"
