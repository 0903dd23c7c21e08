"""However much a server sends: the peak of memory is at most that of a small stream, and four times the limit."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from rxstream.testing import answers

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the peak of Linux")

LIMIT = 8 * 1024 * 1024
MORE = 256 * 1024 * 1024
"""So much a server sends at most, where it is not stopped."""
SMALL = 4 * 1024 * 1024
"""What a process may grow by where nothing large is kept: buffers of sockets, and what the allocator holds."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
CREATED = b'data: {"type":"response.created","response":{"id":"resp_1"}}\n\n'
DELTA = b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"%s"}\n\n'
COMPLETED = b'data: {"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[]}}\n\n'
PIECE = b"x" * 65536


def much(piece: bytes) -> Iterator[bytes]:
    return repeat(piece, MORE // len(piece))


def zipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    deflate = zlib.compressobj(9, wbits=31)
    for piece in pieces:
        yield deflate.compress(piece)
    yield deflate.flush()


def gzip(head: bytes) -> bytes:
    return head + b"Content-Encoding: gzip\r\n\r\n"


ERROR = HEAD.replace(b"200 OK", b"500 Internal Server Error").replace(b"text/event-stream", b"application/json")
JSON = HEAD.replace(b"text/event-stream", b"application/json")
WHOLE = b'{"id":"resp_1","object":"response","status":"completed","output":[],"x":"'

CASES: dict[str, tuple[Any, str, int]] = {
    "an endless line": (lambda: chain([HEAD + b"\r\ndata: "], much(PIECE)), "FrameTooLargeError", 4 * LIMIT),
    "endless data lines": (
        lambda: chain([HEAD + b"\r\n"], much(b"data: " + PIECE[:1000] + b"\n")),
        "FrameTooLargeError",
        4 * LIMIT,
    ),
    "an endless name": (lambda: chain([HEAD + b"\r\nevent: "], much(PIECE)), "FrameTooLargeError", 4 * LIMIT),
    "an endless comment": (lambda: chain([HEAD + b"\r\n: "], much(PIECE)), "FrameTooLargeError", 4 * LIMIT),
    "one huge event": (
        lambda: [HEAD + b"\r\n", CREATED, DELTA % (b"x" * (LIMIT - 200)), COMPLETED],
        "",
        4 * LIMIT,
    ),
    "one huge event with escapes": (
        lambda: [HEAD + b"\r\n", CREATED, DELTA % (b"\\u00e9" * ((LIMIT - 200) // 6)), COMPLETED],
        "",
        4 * LIMIT,
    ),
    "an endless whole response": (
        lambda: chain([JSON + b"\r\n", WHOLE], much(PIECE)),
        "FrameTooLargeError",
        4 * LIMIT,
    ),
    "a gzip bomb": (
        lambda: chain([gzip(HEAD)], zipped(chain([b"data: "], much(PIECE)))),
        "FrameTooLargeError",
        4 * LIMIT,
    ),
    "a gzip bomb of small events": (
        lambda: chain([gzip(HEAD)], zipped(chain([CREATED], much(DELTA % PIECE)))),
        "ResponseTooLargeError",
        4 * LIMIT,
    ),
    "a huge error body": (lambda: chain([ERROR + b"\r\n"], much(PIECE)), "StatusError", SMALL),
    "an error body that is a gzip bomb": (lambda: chain([gzip(ERROR)], zipped(much(PIECE))), "StatusError", SMALL),
    "a huge page": (
        lambda: chain([HEAD.replace(b"event-stream", b"html") + b"\r\n"], much(PIECE)),
        "ContentTypeError",
        SMALL,
    ),
    "huge headers": (lambda: chain([HEAD], much(b"X-More: " + PIECE[:1000] + b"\r\n")), "HeadTooLargeError", SMALL),
    "one huge header": (lambda: chain([HEAD, b"X-More: "], much(PIECE)), "HeadTooLargeError", SMALL),
}


@contextmanager
def server(pieces: Iterator[bytes]) -> Iterator[str]:
    """Answers the first request with a small stream, and the second with `pieces`."""
    small = b"".join(answers.text("Hi").all_frames())
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket, parts: Iterator[bytes]) -> None:
        with connection, suppress(OSError):
            request = b""
            while b'"stream":' not in request.replace(b": ", b":"):
                request += connection.recv(65536)
            for part in parts:
                connection.sendall(part)

    def serve() -> None:
        with suppress(OSError):
            for parts in (iter([HEAD + b"\r\n" + small]), pieces):
                answer(listener.accept()[0], parts)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


ON_TRIO = ("an endless line", "one huge event", "a gzip bomb", "huge headers")
"""There httpx sends; `with` and asyncio run the same code, over aiohttp where it is installed."""


@pytest.fixture(scope="module")
def clients() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.session._memory_client"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


@pytest.mark.parametrize(("case", "mode"), [*((case, "with") for case in CASES), *((case, "trio") for case in ON_TRIO)])
def test_peak(case: str, mode: str, clients: subprocess.Popen[str]) -> None:
    make, outcome, most = CASES[case]
    limits = {"max_frame_bytes": LIMIT, "max_response_chars": LIMIT}
    assert clients.stdin is not None
    assert clients.stdout is not None
    with server(iter(make())) as url:
        print(json.dumps([mode, url, limits]), file=clients.stdin, flush=True)
        line = clients.stdout.readline()
    assert line.strip(), "the client has failed: stderr has its error"
    measured = json.loads(line)
    assert measured["outcome"].startswith(outcome), measured
    assert bool(measured["outcome"]) is bool(outcome)
    assert measured["grown"] <= most, f"{measured['grown'] / 2**20:.1f} MiB"
