"""Frames over real loopback HTTP, however the server frames its body."""

import gzip
import json
import zlib
from typing import Any

import anyio
import pytest

from rxstream._version import __version__
from rxstream.errors import ContentTypeError, ProtocolError
from rxstream.sse import Frame
from rxstream.transport import HttpTransport, Request, Wire
from tests.transport.http._peer import CHUNKED, LAST, OK, Handler, Peer, serve
from tests.transport.http.conftest import Clients

pytestmark = pytest.mark.anyio

KEY = "sk-test-canary-1234567890"
FRAMES = [
    Frame("response.created", '{"n": 0}'),
    Frame("response.output_text.delta", '{"n": "é😀"}'),
    Frame(data="[DONE]"),
]
STREAM = (
    'event: response.created\ndata: {"n": 0}\n\n'
    'event: response.output_text.delta\ndata: {"n": "é😀"}\n\ndata: [DONE]\n\n'
).encode()
CREATE = Request("POST", "/responses", json={"model": "m", "input": "grüße", "stream": True})


async def read(wire: Wire) -> list[Frame]:
    return [frame async for batch in wire for frame in batch]


async def frames_of(clients: Clients, handler: Handler, **options: Any) -> list[Frame]:
    async with clients() as client, serve(handler) as server:
        transport = HttpTransport(client, base_url=server.url, **options)
        async with transport.open(CREATE) as wire:
            return await read(wire)


async def test_the_request_and_the_head_of_the_answer(clients: Clients) -> None:
    async def handler(peer: Peer) -> None:
        await peer.send(CHUNKED)
        await peer.chunk(STREAM)
        await peer.send(LAST)

    async with clients() as client, serve(handler) as server:
        transport = HttpTransport(
            client, base_url=f"{server.url}/prefix/v1/?api-version=preview", api_key=KEY, headers={"X-One": "1"}
        )
        request = Request(
            "POST", "/responses", json={"input": "grüße"}, params={"a": "b c"}, headers={"x-one": "2", "X-Two": "3"}
        )
        async with transport.open(request) as wire:
            assert await read(wire) == FRAMES
            assert wire.status == 200
            assert wire.request_id == "req_1"
            assert wire.headers["content-type"] == "text/event-stream; charset=utf-8"
        peer = server.peer
    assert peer.method == "POST"
    assert peer.path == "/prefix/v1/responses?api-version=preview&a=b+c"
    assert json.loads(peer.body) == {"input": "grüße"}
    expected = {
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "user-agent": f"rxstream/{__version__}",
        "x-one": "2",
        "x-two": "3",
    }
    assert expected.items() <= peer.headers.items()


async def test_a_get_has_no_body(clients: Clients) -> None:
    async def handler(peer: Peer) -> None:
        await peer.send(OK + "Content-Length: 0\r\n\r\n")

    async with clients() as client, serve(handler) as server:
        transport = HttpTransport(client, base_url=server.url)
        async with transport.open(Request("GET", "/responses/resp_1", params={"starting_after": 3})) as wire:
            assert await read(wire) == []
        assert server.peer.path == "/responses/resp_1?starting_after=3"
        assert server.peer.body == b""
        assert "authorization" not in server.peer.headers


async def test_frames_come_as_they_arrive_and_in_batches(clients: Clients) -> None:
    seen = anyio.Event()

    async def handler(peer: Peer) -> None:
        await peer.send(CHUNKED)
        await peer.chunk("data: 1\n\ndata: 2\n\ndata: 3\n")
        await seen.wait()
        await peer.chunk("\n")
        await peer.send(LAST)

    async with clients() as client, serve(handler) as server:
        transport = HttpTransport(client, base_url=server.url)
        async with transport.open(CREATE) as wire:
            batches = aiter(wire)
            assert await anext(batches) == [Frame(data="1"), Frame(data="2")]
            seen.set()
            assert await anext(batches) == [Frame(data="3")]
            with pytest.raises(StopAsyncIteration):
                await anext(batches)
            with pytest.raises(StopAsyncIteration):
                await anext(batches)


def chunked(data: bytes, size: int = 10_000) -> bytes:
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def head(*fields: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: text/event-stream", *fields, "", ""]).encode()


def raw_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return squeeze.compress(data) + squeeze.flush()


TE = "Transfer-Encoding: chunked"
PLAIN: dict[str, bytes] = {
    "chunked": head(TE) + chunked(STREAM),
    "a chunk for each byte": head(TE) + chunked(STREAM, 1),
    "content-length": head(f"Content-Length: {len(STREAM)}") + STREAM,
    "until the connection closes": head("Connection: close") + STREAM,
    "HTTP/1.0": head().replace(b"HTTP/1.1", b"HTTP/1.0") + STREAM,
    "no content type": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + STREAM,
    "an odd content type": head("Connection: close").replace(b"text/event-stream", b"Text/Event-Stream;charset=x")
    + STREAM,
    "trailers": head(TE) + chunked(STREAM)[:-2] + b"X-Checksum: 1\r\n\r\n",
    "chunk extensions": head(TE) + b"%x;name=value\r\n%s\r\n0\r\n\r\n" % (len(STREAM), STREAM),
    "103 Early Hints": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + head(TE) + chunked(STREAM),
    "gzip": head(TE, "Content-Encoding: gzip") + chunked(gzip.compress(STREAM)),
    "x-gzip, byte by byte": head(TE, "Content-Encoding: X-GZIP") + chunked(gzip.compress(STREAM), 1),
    "gzip in two members": head(TE, "Content-Encoding: gzip")
    + chunked(gzip.compress(STREAM[:50]) + gzip.compress(STREAM[50:])),
    "gzip and padding": head(TE, "Content-Encoding: gzip") + chunked(gzip.compress(STREAM) + b"\0\0\0"),
    "deflate": head(TE, "Content-Encoding: deflate") + chunked(zlib.compress(STREAM)),
    "raw deflate": head(TE, "Content-Encoding: deflate") + chunked(raw_deflate(STREAM)),
    "identity": head(TE, "Content-Encoding: identity") + chunked(STREAM),
    "CRLF": head(TE) + chunked(STREAM.replace(b"\n", b"\r\n")),
    "CR": head(TE) + chunked(STREAM.replace(b"\n", b"\r"), 7),
    "BOM": head(TE) + chunked(b"\xef\xbb\xbf" + STREAM, 1),
    "comments and ids": head(TE) + chunked(STREAM.replace(b"\n\n", b"\n\n: ping\n\nretry: 5\n\nid\n\n")),
    "no last blank line": head(TE) + chunked(STREAM[:-1]),
    "no last line end": head(TE) + chunked(STREAM[:-2]),
}


@pytest.mark.parametrize("answer", PLAIN.values(), ids=PLAIN)
async def test_the_same_frames_however_they_are_sent(clients: Clients, answer: bytes) -> None:
    async def handler(peer: Peer) -> None:
        await peer.send(answer)

    assert await frames_of(clients, handler) == FRAMES


async def test_bytes_that_trickle_in(clients: Clients) -> None:
    async def handler(peer: Peer) -> None:
        raw = head(TE) + chunked(STREAM, 5)
        for i in range(len(raw)):
            await peer.send(raw[i : i + 1])

    assert await frames_of(clients, handler) == FRAMES


async def test_gzip_that_is_flushed_arrives_at_once(clients: Clients) -> None:
    seen = anyio.Event()

    async def handler(peer: Peer) -> None:
        squeeze = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        await peer.send(head(TE, "Content-Encoding: gzip"))
        await peer.chunk(squeeze.compress(b"data: 1\n\n") + squeeze.flush(zlib.Z_SYNC_FLUSH))
        await seen.wait()
        await peer.chunk(squeeze.compress(b"data: 2\n\n") + squeeze.flush())
        await peer.send(LAST)

    async with clients() as client, serve(handler) as server:
        transport = HttpTransport(client, base_url=server.url)
        async with transport.open(CREATE) as wire:
            batches = aiter(wire)
            assert await anext(batches) == [Frame(data="1")]
            seen.set()
            assert await anext(batches) == [Frame(data="2")]


async def test_half_a_last_event_is_not_dispatched(clients: Clients) -> None:
    async def handler(peer: Peer) -> None:
        await peer.send(head("Connection: close") + STREAM + b'event: response.completed\ndata: {"n": ')

    assert await frames_of(clients, handler) == FRAMES


async def test_comments_are_told(clients: Clients) -> None:
    async def handler(peer: Peer) -> None:
        await peer.send(head(TE) + chunked(b": ping\n\n" + STREAM))

    comments: list[str] = []
    assert await frames_of(clients, handler, on_comment=comments.append) == FRAMES
    assert comments == [" ping"]


async def test_a_client_of_its_own_is_made_and_closed() -> None:
    async def handler(peer: Peer) -> None:
        await peer.send(head("Connection: close") + STREAM)

    async with serve(handler) as server:
        transport = HttpTransport(base_url=server.url)
        for _ in range(2):
            async with transport.open(CREATE) as wire:
                assert await read(wire) == FRAMES
        await transport.aclose()
        await transport.aclose()
        assert len(server.peers) == 2


def json_answer(body: bytes) -> Handler:
    async def handler(peer: Peer) -> None:
        await peer.send(
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n", body
        )

    return handler


async def test_request_json(clients: Clients) -> None:
    async with clients() as client, serve(json_answer(b'{"a": [1]}')) as server:
        assert await HttpTransport(client, base_url=server.url).request_json(CREATE) == {"a": [1]}
        assert server.peer.headers["accept"] == "application/json"


async def test_request_json_of_something_else(clients: Clients) -> None:
    async with clients() as client, serve(json_answer(b"<html>")) as server:
        with pytest.raises(ContentTypeError, match="not JSON"):
            await HttpTransport(client, base_url=server.url).request_json(CREATE)


async def test_request_json_that_is_too_large(clients: Clients) -> None:
    async with clients() as client, serve(json_answer(b"[" + b"1," * 1000 + b"1]")) as server:
        with pytest.raises(ProtocolError, match="larger than max_frame_bytes=1000"):
            await HttpTransport(client, base_url=server.url, max_frame_bytes=1000).request_json(CREATE)
