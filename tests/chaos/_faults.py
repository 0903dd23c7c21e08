"""What a server or the wire may do to an answer over HTTP, and how the stream ends then.

The table of endings is docs/reference/endings.md.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio

from rxstream import errors
from rxstream.testing import answers
from tests.chaos._server import Send, byte_by_byte, chunk, head, reply
from tests.transport.http._peer import LAST, Peer
from tests.waiting import until

ANSWER = answers.text("Grüße 😀, one two", split=4)
SENT: list[dict[str, Any]] = [event.model_dump() for event in answers.events_of(ANSWER)]
FRAMES = list(ANSWER.all_frames())
WHOLE = b"".join(FRAMES)
ID: str = SENT[0]["response"]["id"]
NO_LENGTH = b"no number\r\n"
INSIDE_UTF8 = WHOLE.index("😀".encode()) + 2


@dataclass(frozen=True)
class Fault:
    """One way to answer, and its ending."""

    send: Send
    ends: tuple[type[errors.RxStreamError], ...] = ()
    """The classes of its error; none: the subscriber gets exactly `SENT`, and completion."""
    count: int | None = None
    """How many events come before the error; None: as many as arrived in time."""
    requests: int = 1
    timeout: dict[str, float] | None = None
    extra: tuple[str, ...] = field(default=())
    """Types of events that are not in `SENT`."""


def stream(
    data: bytes | list[bytes],
    *errors: type[errors.RxStreamError],
    rst: bool = False,
    hang: bool = False,
    last: bytes | str = LAST,
    send_head: str | None = None,
    **options: Any,
) -> Fault:
    """An event stream in these HTTP chunks, and then its end."""

    async def send(peer: Peer, number: int) -> None:
        await peer.send(head() if send_head is None else send_head)
        for part in [data] if isinstance(data, bytes) else data:
            await peer.send(chunk(part))
        if hang:
            await peer.closed.wait()
        elif rst:
            await peer.reset()
        else:
            await peer.send(last)

    return Fault(send, errors, **options)


def raw(data: bytes | str, *errors: type[errors.RxStreamError], hang: bool = False, **options: Any) -> Fault:
    """These bytes instead of an answer."""

    async def send(peer: Peer, number: int) -> None:
        await peer.send(data)
        if hang:
            await peer.closed.wait()

    return Fault(send, errors, **options)


def then_well(*failing: bytes) -> Fault:
    """These answers to the first requests, and then a whole stream."""

    async def send(peer: Peer, number: int) -> None:
        await peer.send(failing[number] if number < len(failing) else (head().encode() + chunk(WHOLE) + LAST.encode()))

    return Fault(send, requests=len(failing) + 1)


def broken(data: bytes, heard: int, *errors: type[errors.RxStreamError], **options: Any) -> Fault:
    """An event stream in one HTTP chunk, and then a chunk without a length as soon as these events have been heard.

    Sent with the head, it could be lost: of a head and a broken body in one read aiohttp gives nothing.
    """

    async def send(peer: Peer, number: int) -> None:
        await peer.send(head(), chunk(data))
        await until(lambda: peer.heard() >= heard)
        await peer.send(NO_LENGTH)

    return Fault(send, errors, **options)


def drip(first: bytes | str, again: bytes | str, *errors: type[errors.RxStreamError], **options: Any) -> Fault:
    """The first bytes, and then the same again until the client closes."""

    async def send(peer: Peer, number: int) -> None:
        await peer.send(first)
        while not peer.closed.is_set():
            await peer.send(again)
            await anyio.sleep(0.02)

    return Fault(send, errors, **options)


async def one_by_one(peer: Peer, number: int) -> None:
    await byte_by_byte(peer, head().encode() + b"".join(map(chunk, FRAMES)) + LAST.encode())


async def one_byte_chunks(peer: Peer, number: int) -> None:
    await peer.send(head(), b"".join(chunk(WHOLE[place : place + 1]) for place in range(len(WHOLE))), LAST)


async def gzip_byte_by_byte(peer: Peer, number: int) -> None:
    await peer.send(head(content_encoding="gzip"))
    for byte in gzip.compress(WHOLE):
        await peer.send(chunk(bytes([byte])))
    await peer.send(LAST)


def lines(change: Callable[[bytes], bytes], data: bytes = WHOLE) -> Fault:
    return stream(change(data))


def numbered_from(start: int, *events: dict[str, Any]) -> bytes:
    parts = [{"sequence_number": number, **event} for number, event in enumerate(events, start)]
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in parts)


BEGUN = b"".join(FRAMES[:3])
UNKNOWN = {"type": "slug:unheard_of", "what": ["ever"]}

WELL: dict[str, Fault] = {
    "byte by byte": Fault(one_by_one),
    "one HTTP chunk a byte": Fault(one_byte_chunks),
    "one piece": raw(head().encode() + chunk(WHOLE) + LAST.encode()),
    "cut inside UTF-8, then on": stream([WHOLE[:INSIDE_UTF8], WHOLE[INSIDE_UTF8:]]),
    "CRLF": lines(lambda data: data.replace(b"\n", b"\r\n")),
    "CR": lines(lambda data: data.replace(b"\n", b"\r")),
    "BOM": lines(lambda data: b"\xef\xbb\xbf" + data),
    "comments everywhere": lines(lambda data: data.replace(b"data:", b": ping\ndata:").replace(b"\n\n", b"\n\n:\n\n")),
    "no event names": lines(lambda data: re.sub(rb"event: .*\n", b"", data)),
    "names after the data": lines(lambda data: re.sub(rb"(event: .*\n)(data: .*\n)", rb"\2\1", data)),
    "blocks without data": lines(lambda data: data.replace(b"\n\n", b"\n\nretry: 5\n\nid: 7\n: ping\n\ndata:\n\n")),
    "done": lines(lambda data: b"data: [DONE]\n\n" + data + b"data: [DONE]\n\n"),
    "no last blank line": lines(lambda data: data[:-2]),
    "garbage after the terminal event": lines(lambda data: data + b"data: {]\n\n"),
    "gzip": stream(gzip.compress(WHOLE), send_head=head(content_encoding="gzip")),
    "gzip byte by byte": Fault(gzip_byte_by_byte),
    "deflate": stream(zlib.compress(WHOLE), send_head=head(content_encoding="deflate")),
    "no content type": stream(WHOLE, send_head=head(content_type=None)),
    "a charset": stream(WHOLE, send_head=head(content_type="text/event-stream; charset=utf-8")),
    "a length": raw(reply("200 OK", WHOLE)),
    "no length": raw(head(transfer_encoding=None).encode() + WHOLE),
    "HTTP/1.0": raw(head(transfer_encoding=None).encode().replace(b"HTTP/1.1", b"HTTP/1.0") + WHOLE),
    "trailers": stream(WHOLE, last="0\r\nx-trailer: 1\r\n\r\n"),
    "early hints": raw(
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + head().encode() + chunk(WHOLE) + LAST.encode()
    ),
    "an open connection after the end": stream(WHOLE, hang=True),
    "a broken HTTP chunk after the end": broken(WHOLE + b": bye\n\n", len(SENT)),
    "each event twice": stream(b"".join(frame * 2 for frame in FRAMES)),
    "begun again in the middle": stream(b"".join(FRAMES[:6]) + WHOLE),
    "unknown events": stream(
        BEGUN + numbered_from(2, UNKNOWN, {"no": "type"})[:-1] + b"\n" + b"".join(FRAMES[3:]),
        extra=(UNKNOWN["type"], ""),
    ),
    "comments for a while": stream([b": ping\n\n"] * 50 + [WHOLE]),
}

AFTER_3 = {"count": 3}
LOST = (errors.DisconnectedError,)
PROTOCOL = (errors.ProtocolError,)
LIMIT = 1.2
"""Seconds. Within them a slow machine sends all these requests, which are open at the same time."""
SILENT = {"idle": LIMIT}

ILL: dict[str, Fault] = {
    **{f"FIN after {n}": stream(FRAMES[:n], *LOST, last="", count=n) for n in range(len(FRAMES))},
    **{f"RST after {n}": stream(FRAMES[:n], errors.TransportError, rst=True) for n in range(len(FRAMES))},
    **{f"polite end after {n}": stream(FRAMES[:n], errors.TruncatedError, count=n) for n in range(len(FRAMES))},
    "FIN inside an HTTP chunk": stream(BEGUN, *LOST, last="40\r\nevent: resp", **AFTER_3),
    "FIN inside UTF-8": stream(WHOLE[:INSIDE_UTF8], *LOST, last=""),
    "polite end inside UTF-8": stream(WHOLE[:INSIDE_UTF8], errors.TruncatedError),
    "polite end inside an event": stream(BEGUN + FRAMES[3][:-9], errors.TruncatedError, **AFTER_3),
    "FIN before the length": raw(reply("200 OK", BEGUN, content_length="99999"), *LOST, **AFTER_3),
    "gzip cut": stream(gzip.compress(WHOLE[:-300])[:-10], *LOST, send_head=head(content_encoding="gzip")),
    "not gzip": stream(BEGUN, *PROTOCOL, send_head=head(content_encoding="gzip"), count=0),
    "no answer": raw(b"", errors.ConnectError, count=0),
    "not HTTP": raw(b"SSH-2.0-OpenSSH_9.6\r\n", errors.ProtocolError, errors.ConnectError, count=0),
    "HTTP/2": raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", errors.ProtocolError, errors.ConnectError, count=0),
    "an HTTP chunk without a length": broken(BEGUN, 3, *LOST, errors.IdleTimeoutError, timeout=SILENT),
    "the same in one read": raw(head().encode() + chunk(BEGUN) + NO_LENGTH, *LOST, errors.ConnectError),
    "silent": raw(b"", errors.IdleTimeoutError, hang=True, timeout=SILENT | {"connect": 5}, count=0),
    "silent inside the head": raw(head()[:30], errors.IdleTimeoutError, hang=True, timeout=SILENT, count=0),
    "silent after the head": raw(head(), errors.IdleTimeoutError, hang=True, timeout=SILENT, count=0),
    "silent after events": stream(BEGUN, errors.IdleTimeoutError, hang=True, timeout=SILENT),
    "silent inside an event": stream(BEGUN + FRAMES[3][:20], errors.IdleTimeoutError, hang=True, timeout=SILENT),
    "a head without end": drip(
        "HTTP/1.1 200 OK\r\n", "x-a: b\r\n", errors.IdleTimeoutError, timeout=SILENT | {"connect": LIMIT}, count=0
    ),
    "comments without end": drip(
        head(), chunk(b": ping\n\n"), errors.FirstEventTimeoutError, timeout={"first_event": LIMIT}, count=0
    ),
    "comments without end after events": drip(
        head().encode() + chunk(BEGUN), chunk(b":\n\n"), errors.BetweenEventsTimeoutError, timeout={"between": LIMIT}
    ),
    "keep-alives without end": drip(
        head().encode() + chunk(BEGUN),
        chunk(b'data: {"type":"keepalive"}\n\n'),
        errors.BetweenEventsTimeoutError,
        timeout={"between": LIMIT},
        extra=("keepalive",),
    ),
    "events without end": drip(
        head().encode() + chunk(BEGUN),
        chunk(b'data: {"type":"slug:more"}\n\n'),
        errors.TotalTimeoutError,
        timeout={"total": LIMIT},
        extra=("slug:more",),
    ),
    "no terminal event, and an open connection": stream(
        FRAMES[:-1], errors.TruncatedError, hang=True, timeout={"terminal_grace": 0.3}, count=len(FRAMES) - 1
    ),
    "no text, and an open connection": stream(
        FRAMES[:4], errors.FirstTextTimeoutError, hang=True, timeout={"first_text": 0.7}
    ),
    "JSON": raw(reply("200 OK", b'{"ok": true}', content_type="application/json"), errors.ContentTypeError, count=0),
    "a page": raw(reply("200 OK", b"<html>", content_type="text/html"), errors.ContentTypeError, count=0),
    "a page as a stream": raw(reply("200 OK", b"<!doctype html>"), errors.ContentTypeError, count=0),
    "a picture": raw(reply("200 OK", b"\x89PNG", content_type="image/png"), errors.ContentTypeError, count=0),
    "204": raw(reply("204 No Content", b"", content_type=None, content_length=None), errors.ContentTypeError, count=0),
    **{
        f"{status}": raw(reply(f"{status} X", b"{}", location="/v1/responses"), errors.StatusError, count=0)
        for status in (301, 302, 303, 307, 308, 400, 401, 404, 429, 500, 503, 599)
    },
    **{
        name: stream(BEGUN + b"data: " + data + b"\n\n" + FRAMES[3], *PROTOCOL, **AFTER_3)
        for name, data in {
            "not JSON": b"nonsense",
            "half of JSON": b'{"type":"response.created"',
            "an array": b"[1]",
            "a number": b"7",
            "NUL": b"\0",
            "not UTF-8": b'{"type": "\xff\xfe',
            "deep": b"[" * 50_000,
            "deep and closed": b'{"type":"x","a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        }.items()
    },
    "failed": stream(
        BEGUN + numbered_from(3, {"type": "response.failed", "response": {"id": ID, "status": "failed"}}),
        errors.ResponseFailedError,
        extra=("response.failed",),
    ),
    "error": stream(
        BEGUN + numbered_from(3, {"type": "error", "code": "no", "message": "No."}), errors.ApiError, extra=("error",)
    ),
}

SOON = {"retry_after_ms": "1", "content_type": "application/json"}

PASSING: dict[str, Fault] = {
    **{
        f"{status}, then well": then_well(reply(f"{status} X", b'{"error":{"message":"busy"}}', **SOON))
        for status in (408, 409, 429, 500, 502, 503, 504)
    },
    "429, 503, then well": then_well(reply("429 X", b"{}", **SOON), reply("503 X", b"<p>", **SOON)),
    "rate limit in the stream, then well": then_well(
        head().encode()
        + chunk(FRAMES[0] + numbered_from(1, {"type": "error", "code": "rate_limit_exceeded", "message": "in 1ms"}))
        + LAST.encode()
    ),
    "no answer, then well": then_well(b""),
}
"""With `max_retries`: the request is sent again, and only the last try is seen."""
