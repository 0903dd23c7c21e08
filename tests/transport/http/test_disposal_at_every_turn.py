"""Disposed after each turn of the loop in which a request is sent and its answer is read: nothing of it is left.

The network is a peer in this process, which waits at every call, so that each turn is the same in every run.
"""

from __future__ import annotations

import gc
import gzip
from collections.abc import Iterable
from typing import Any

import anyio
import anyio.lowlevel
import httpcore
import httpx
import pytest

import rxstream
from tests.transport.http._peer import CHUNKED

pytestmark = pytest.mark.anyio
TURNS = 100
COMMENTS = b":\n\n" * 40


class Peer(httpcore.AsyncNetworkBackend):
    """Answers each connection with the same bytes, a piece for each read, and then with nothing."""

    def __init__(self, head: bytes, pieces: Iterable[bytes]) -> None:
        self.answer = [head, *(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)]
        self.open = 0
        """Connections that were not closed."""
        self.sent = 0
        """Requests, or parts of one, that were written."""

    async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        await anyio.lowlevel.checkpoint()
        return Connection(self)


class Connection(httpcore.AsyncNetworkStream):
    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._left = list(peer.answer)
        peer.open += 1

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  (httpcore's)
        await anyio.lowlevel.checkpoint()
        if not self._left:
            await anyio.sleep_forever()
        return self._left.pop(0)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await anyio.lowlevel.checkpoint()
        self._peer.sent += 1
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        self._peer.open -= 1

    def get_extra_info(self, info: str) -> Any:
        return None


def client_of(peer: Peer) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport()
    transport._pool = httpcore.AsyncConnectionPool(network_backend=peer)  # httpx has no argument for it
    return httpx.AsyncClient(transport=transport)


GZIP = CHUNKED.replace("\r\n\r\n", "\r\ncontent-encoding: gzip\r\n\r\n")


@pytest.mark.parametrize(
    ("head", "body"), [(CHUNKED, COMMENTS), (GZIP, gzip.compress(COMMENTS))], ids=["plain", "gzip"]
)
@pytest.mark.parametrize("prompt", [10, 1_000_000])
async def test_disposed_after_each_turn(head: str, body: bytes, prompt: int) -> None:
    peer = Peer(head.encode(), [body[start : start + 3] for start in range(0, len(body), 3)])
    told: list[object] = []
    async with client_of(peer) as client:
        for turns in range(TURNS):
            options: dict[str, Any] = {"api_key": "", "base_url": "http://127.0.0.1:9", "http_client": client}
            async with rxstream.Session(**options) as session:
                answer = session.response(model="m", input="x" * prompt).subscribe(told.append, told.append)
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                answer.dispose()
            gc.collect()  # a generator that was left unfinished warns now, and that is an error
            assert peer.open == 0, f"{turns} turns"
    assert told == []
    assert peer.sent > TURNS  # most moments are later than the request
