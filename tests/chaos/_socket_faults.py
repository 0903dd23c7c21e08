"""What a server or the wire may do to an answer over a WebSocket, and how the stream ends then."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import anyio
from websockets.frames import Opcode

from rxstream import errors
from rxstream.testing.answers._answer import data_in
from tests.chaos._faults import FRAMES, Fault, raw
from tests.chaos._server import byte_by_byte, head, message, reply, upgrade
from tests.transport.http._peer import Peer

MESSAGES = [data_in(frame).encode() for frame in FRAMES]
WHOLE = b"".join(map(message, MESSAGES))
BEGUN = b"".join(map(message, MESSAGES[:3]))
BUSY = b'{"type":"error","status":429,"error":{"code":"rate_limit_exceeded","message":"busy"}}'


def closing(code: int) -> bytes:
    return message(struct.pack("!H", code) + b"bye", Opcode.CLOSE)


def socket(
    data: bytes | Sequence[bytes],
    *errors: type[errors.RxStreamError],
    rst: bool = False,
    hang: bool = False,
    slowly: bool = False,
    again: bytes = b"",
    **options: Any,
) -> Fault:
    """These bytes after the upgrade, and then the end of the connection. `again`: sent until the client closes."""

    async def send(peer: Peer, number: int) -> None:
        await upgrade(peer)
        for part in [data] if isinstance(data, bytes) else data:
            await (byte_by_byte(peer, part) if slowly else peer.send(part))
        while again and not peer.closed.is_set():
            await peer.send(again)
            await anyio.sleep(0.02)
        if hang:
            await peer.closed.wait()
        if rst:
            await peer.reset()

    return Fault(send, errors, **options)


def socket_then_well(*failing: bytes) -> Fault:
    async def send(peer: Peer, number: int) -> None:
        if number < len(failing) and failing[number].startswith(b"HTTP"):
            await peer.send(failing[number])
            return
        await upgrade(peer)
        await peer.send(failing[number] if number < len(failing) else WHOLE)
        await peer.closed.wait()

    return Fault(send, requests=len(failing) + 1)


def fragments(data: bytes, size: int) -> bytes:
    """One message in many frames, with a ping between them."""
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    frames = [
        message(part, Opcode.CONT if place else Opcode.TEXT, fin=place == len(parts) - 1)
        for place, part in enumerate(parts)
    ]
    return message(b"?", Opcode.PING).join(frames)


WELL: dict[str, Fault] = {
    "byte by byte": socket(WHOLE, slowly=True, hang=True),
    "one piece": socket(WHOLE, hang=True),
    "fragments": socket(b"".join(fragments(data, 7) for data in MESSAGES), hang=True),
    "one byte a fragment": socket(b"".join(fragments(data, 1) for data in MESSAGES), hang=True),
    "binary messages": socket(b"".join(message(data, Opcode.BINARY) for data in MESSAGES), hang=True),
    "pings and pongs": socket(
        b"".join(message(b"", Opcode.PING) + message(b"x", Opcode.PONG) + message(data) for data in MESSAGES), hang=True
    ),
    "each message twice": socket(b"".join(message(data) * 2 for data in MESSAGES), hang=True),
    "closed after the end": socket(WHOLE + closing(1000)),
    "closed with a failure after the end": socket(WHOLE + closing(1011)),
    "FIN after the end": socket(WHOLE),
    "garbage after the end": socket(WHOLE + b"\xff" * 100),
}

LOST = (errors.DisconnectedError,)
PROTOCOL = (errors.ProtocolError,)

ILL: dict[str, Fault] = {
    **{f"FIN after {n}": socket([*map(message, MESSAGES[:n])], *LOST, count=n) for n in range(1, len(MESSAGES))},
    **{f"RST after {n}": socket(WHOLE[: 300 * n], errors.TransportError, rst=True) for n in range(1, 5)},
    **{
        f"closed after {n}": socket([*map(message, MESSAGES[:n]), closing(1000)], errors.TruncatedError, count=n)
        for n in range(1, len(MESSAGES))
    },
    "closed with a failure": socket(BEGUN + closing(1011), *LOST, count=3),
    "FIN inside a frame": socket(BEGUN + message(MESSAGES[3])[:-9], *LOST, count=3),
    "FIN inside the head of a frame": socket(BEGUN + message(MESSAGES[3])[:1], *LOST, count=3),
    "FIN between fragments": socket(BEGUN + message(MESSAGES[3], fin=False), *LOST, count=3),
    "FIN before the first": socket(b"", errors.ConnectError, count=0),
    "closed before the first": socket(closing(1013), errors.ConnectError, count=0),
    "silent before the first": socket(b"", errors.IdleTimeoutError, hang=True, timeout={"idle": 0.5}, count=0),
    "silent after some": socket(BEGUN, errors.IdleTimeoutError, hang=True, timeout={"idle": 0.7}),
    "silent inside a message": socket(BEGUN + b"\x81\x7e", errors.IdleTimeoutError, hang=True, timeout={"idle": 0.7}),
    "pings without end": socket(
        BEGUN, errors.BetweenEventsTimeoutError, again=message(b"", Opcode.PING), timeout={"between": 0.7}
    ),
    "fragments without end": socket(
        BEGUN + message(b"{", fin=False),
        errors.TotalTimeoutError,
        again=message(b" ", Opcode.CONT, fin=False),
        timeout={"total": 0.9},
    ),
    "no terminal event, and an open connection": socket(
        [*map(message, MESSAGES[:-1])], errors.TruncatedError, hang=True, timeout={"terminal_grace": 0.3}
    ),
    "a mask": socket(BEGUN + b"\x81\x85\0\0\0\0hello", *PROTOCOL, count=3),
    "a compressed frame": socket(BEGUN + b"\xc1\x02{}", *PROTOCOL, count=3),
    "an unknown frame": socket(BEGUN + b"\x83\x02{}", *PROTOCOL, count=3),
    "a long ping": socket(BEGUN + b"\x89\x7e\x00\x7e" + b"x" * 126, *PROTOCOL, count=3),
    "a rest without a beginning": socket(BEGUN + message(b"{}", Opcode.CONT), *PROTOCOL, count=3),
    **{
        name: socket(BEGUN + message(data) + message(MESSAGES[3]), *PROTOCOL, count=3, hang=True)
        for name, data in {
            "not JSON": b"nonsense",
            "an array": b"[1]",
            "a number": b"7",
            "not UTF-8": b'{"type":"\xff"}',
            "deep": b"[" * 50_000,
        }.items()
    },
    "no upgrade": raw(reply("200 OK", b"{}", content_type="application/json"), errors.RxStreamError, count=0),
    "another accept": raw(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        "sec-websocket-accept: x\r\n\r\n",
        *PROTOCOL,
        count=0,
    ),
    "a head without end": raw(head()[:30], errors.IdleTimeoutError, hang=True, timeout={"idle": 0.3}, count=0),
    **{f"{status}": raw(reply(f"{status} X", b"{}"), errors.StatusError, count=0) for status in (302, 401, 404, 503)},
    "an error message": socket(message(BUSY), errors.StatusError, count=0, hang=True),
}

PASSING: dict[str, Fault] = {
    "503, then well": socket_then_well(reply("503 X", b"{}", retry_after_ms="1")),
    "FIN before the first, then well": socket_then_well(closing(1012)),
}
