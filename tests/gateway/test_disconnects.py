"""A client that goes away at any byte leaves nothing open, and what it asked for goes on in the log."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest

from rxstream.relay import MemoryLog
from rxstream.testing import LocalServer, answers
from tests.gateway._serving import gateway_at, get
from tests.waiting import BOUND, wait_for

ANSWER = answers.text("Cut.")
BODY = json.dumps({"model": "m", "input": "Hi", "stream": True}).encode()


def request_to(url: str, key: str) -> bytes:
    head = f"POST /v1/responses HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\nauthorization: Bearer {key}\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n".encode() + BODY


def open_streams(url: str) -> str:
    text = get(url.removesuffix("/v1") + "/metrics").text
    return next(line for line in text.splitlines() if line.startswith("rxstream_gateway_open_streams "))


@pytest.mark.parametrize("log", [None, MemoryLog()], ids=["no log", "log"])
@pytest.mark.parametrize("side", ["request", "answer"])
def test_a_client_that_goes_at_any_byte(log: MemoryLog | None, side: str) -> None:
    with LocalServer([ANSWER]) as server, gateway_at(server.base_url, log=log) as url:
        address = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
        request = request_to(url, "sk-caller-1")
        size = len(request) if side == "request" else 4600
        for cut in range(0, size, 7 if side == "request" else 131):
            with socket.create_connection(address, timeout=BOUND) as client:
                client.sendall(request[:cut] if side == "request" else request)
                got = b""
                while side == "answer" and len(got) < cut and (piece := client.recv(cut - len(got))):
                    got += piece
        wait_for(lambda: open_streams(url).endswith(" 0"))
        if log is not None:
            names = [f"resp_{number:048x}" for number in range(1, len(server.log) + 1)]
            replies = [get(f"{url}/responses/{name}") for name in names]
            kept = [reply.json()["status"] for reply in replies if reply.status_code == 200]
            assert kept == ["completed"] * len(log)  # one whose client goes before its first event is ended
            assert side == "request" or len(kept) >= len(names) - 1
