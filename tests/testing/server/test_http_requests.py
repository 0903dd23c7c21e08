"""HTTP requests that the local server reads, and those that it refuses."""

import json
import socket

import pytest

from rxstream.testing import LocalServer
from tests.waiting import BOUND


def send_bytes(server: LocalServer, request: bytes) -> bytes:
    """Send these bytes; return all that the server sends until it closes."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=BOUND) as client:
        client.sendall(request)
        return client.makefile("rb").read()


def test_what_is_no_http_is_refused():
    with LocalServer() as server:
        assert send_bytes(server, b"EHLO there\r\n\r\n").startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize(
    ("request_bytes", "status", "why"),
    [
        (b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", b"505", b"got HTTP/2.0"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400", b"Host"),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n", b"400", b"Content-Length"),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"400", b"chunk"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx-long: " + b"x" * 70_000, b"431", b"too long"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_with_the_reason(request_bytes: bytes, status: bytes, why: bytes):
    with LocalServer() as server:
        answer = send_bytes(server, request_bytes)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert why in answer
    assert b"expected" in answer


def test_a_request_may_come_in_chunks_after_the_server_has_said_go_on():
    body = json.dumps({"model": "m", "input": "Hi"}).encode()
    head = b"POST /v1/responses HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n"
    with LocalServer() as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=BOUND) as client:
            client.sendall(head + b"expect: 100-continue\r\n\r\n")
            answer = client.makefile("rb")
            assert answer.readline() == b"HTTP/1.1 100 \r\n"
            assert answer.readline() == b"\r\n"
            client.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
        assert server.wait_requests(1)[0].json == {"model": "m", "input": "Hi"}


def test_a_second_request_may_follow_at_once():
    get = b"GET /nowhere HTTP/1.1\r\nhost: a\r\n"
    with LocalServer() as server:
        answer = send_bytes(server, get + b"\r\n" + get + b"connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 404") == 2
