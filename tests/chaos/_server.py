"""A server of raw bytes on a thread of its own: the header `x-fault` of a request names what goes wrong."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial

from anyio.from_thread import start_blocking_portal
from websockets.frames import Frame, Opcode

from tests.transport.http._peer import Peer, serve
from tests.waiting import wait_for

Send = Callable[[Peer, int], Awaitable[None]]
"""Answers a request; the number is that of the requests for this fault so far, from 0."""

_SECONDS = 250.0
"""After this a test has hung."""


class FaultServer:
    """What it was asked."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.requests: Counter[tuple[str, str]] = Counter()
        """By fault and method."""
        self.connections = 0
        """How many are open."""

    def wait_closed(self) -> None:
        """Wait until the client has closed every connection."""
        wait_for(lambda: self.connections == 0)


@contextmanager
def fault_server(faults: Mapping[str, Send], heard: Callable[[str], int] = lambda name: 0) -> Generator[FaultServer]:
    """Answer as the faults say. `heard`: how many events the subscriber to a fault's stream has got so far."""
    server = FaultServer("")

    async def handle(peer: Peer) -> None:
        name = peer.headers["x-fault"]
        peer.heard = partial(heard, name)
        number = server.requests[name, peer.method]
        server.requests[name, peer.method] += 1
        server.connections += 1
        try:
            await faults[name](peer, number)
        finally:
            server.connections -= 1

    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serve(handle, _SECONDS)) as raw:
        server.base_url = f"{raw.url}/v1"
        yield server


def head(status: str = "200 OK", **headers: str | None) -> str:
    """A status line and headers; without more those of an event stream in HTTP chunks. None: without that header."""
    fields: dict[str, str | None] = {
        "connection": "close",
        "content-type": "text/event-stream",
        "transfer-encoding": "chunked",
        "x-request-id": "req_1",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return f"HTTP/1.1 {status}\r\n{lines}\r\n"


def reply(status: str, body: bytes, **headers: str | None) -> bytes:
    """A whole answer with a length."""
    length = {"transfer_encoding": None, "content_length": str(len(body))}
    return head(status, **length | headers).encode() + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def byte_by_byte(peer: Peer, data: bytes) -> None:
    for place in range(len(data)):
        await peer.send(data[place : place + 1])


# ---------------------------------------------------------------------- WebSockets


async def upgrade(peer: Peer) -> None:
    """Make a WebSocket of the connection."""
    nonce = peer.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(nonce.encode()).digest()).decode()
    await peer.send(f"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                    f"sec-websocket-accept: {accept}\r\nx-request-id: req_1\r\n\r\n")  # fmt: skip


def message(data: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    """A frame of a server."""
    return Frame(opcode, data, fin).serialize(mask=False)
