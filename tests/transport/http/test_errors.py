"""What a server or a network may answer instead of a stream: one clear error each, which never tells the key."""

import json
from email.utils import formatdate
from time import time

import anyio
import pytest

from rxstream.errors import ConnectError, ContentTypeError, HeadTooLargeError, ProtocolError, StatusError
from rxstream.sse import Frame
from rxstream.transport import HttpTransport
from tests.ports import free_port
from tests.transport.http._peer import CHUNKED, LAST, Peer, serve
from tests.transport.http._refusals import CREATE, KEY, answered, api_error, assert_keeps_secrets, failure, refusal
from tests.transport.http.conftest import Clients
from tests.waiting import BOUND

pytestmark = pytest.mark.anyio

ADVICE = [
    ("401 Unauthorized", "check OPENAI_API_KEY or Session(api_key=…)"),
    ("403 Forbidden", "check its project, its permissions and the model"),
    ("404 Not Found", "check the model's name"),
    ("404 Not Found", "base_url"),
    ("408 Request Timeout", "try again"),
    ("429 Too Many Requests", "too many requests, or the quota is used up"),
    ("500 Internal Server Error", "try again later"),
    ("503 Service Unavailable", "try again later"),
    ("599", "try again later"),
]


@pytest.mark.parametrize(("status", "advice"), ADVICE)
async def test_a_status_says_what_to_do(
    clients: Clients, status: str, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = api_error("What the server says.", "some_code")
    error = await refusal(clients, answered(status, "X-Request-Id: req_7", body=body), caplog)
    assert isinstance(error, StatusError)
    assert error.status == int(status[:3])
    assert error.code == "some_code"
    assert error.request_id == "req_7"
    assert error.body == body
    assert f"answered {status}: What the server says:" in str(error)
    assert advice in str(error)
    assert error.retry_after is error.should_retry is None


async def test_a_used_up_quota_is_not_waited_for(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    body = api_error("You exceeded your current quota.", "insufficient_quota")
    assert "billing" in str(await refusal(clients, answered("429 Too Many Requests", body=body), caplog))


RETRY: list[tuple[list[str], float | None]] = [
    (["Retry-After: 2"], 2.0),
    (["Retry-After: 1.5"], 1.5),
    (["Retry-After-Ms: 250", "Retry-After: 9"], 0.25),
    (["Retry-After-Ms: soon", "Retry-After: 9"], 9.0),
    (["Retry-After: -5"], 0.0),
    (["Retry-After: nan"], None),
    (["Retry-After: inf"], None),
    (["Retry-After: soon"], None),
    (["Retry-After: "], None),
    (["Retry-After: Mon, 01 Jan 2001 00:00:00 GMT"], 0.0),
    (["Retry-After: Mon, 99 Foo 2001 00:00:00 GMT"], None),
]


@pytest.mark.parametrize(("fields", "seconds"), RETRY)
async def test_retry_after(
    clients: Clients, fields: list[str], seconds: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    error = await refusal(clients, answered("429 Too Many Requests", *fields), caplog)
    assert error.retry_after == seconds


async def test_retry_after_as_a_date(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    error = await refusal(clients, answered("503 X", f"Retry-After: {formatdate(time() + 60, usegmt=True)}"), caplog)
    assert 50 < error.retry_after <= 61


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("false", False), ("maybe", None)])
async def test_should_retry(
    clients: Clients, value: str, expected: bool | None, caplog: pytest.LogCaptureFixture
) -> None:
    error = await refusal(clients, answered("500 X", f"X-Should-Retry: {value}"), caplog)
    assert error.should_retry is expected


# ------------------------------------------------------------------ not a stream

JSON_ERROR = api_error("No such model.")
WRONG: dict[str, tuple[bytes, str, str | None]] = {
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", "204 No Content without a body", None),
    "JSON": (
        answered("200 OK", "Content-Type: application/json; charset=utf-8", body=JSON_ERROR),
        "200 OK with application/json, which is not an event stream: No such model;",
        "application/json",
    ),
    "HTML": (
        answered("200 OK", "Content-Type: text/html", body="<html>Sign in</html>"),
        "200 OK with text/html",
        "text/html",
    ),
    "plain text": (
        answered("200 OK", "Content-Type: text/plain", body="data: {}\n\n"),
        "with text/plain",
        "text/plain",
    ),
    "JSON without a type": (answered("200 OK", body=JSON_ERROR), "without a content type", None),
    "HTML without a type": (answered("200 OK", body="\n <!doctype html>"), "without a content type", None),
    "text without a type": (answered("200 OK", body="Hello."), "without a content type, and without an event", None),
    "br": (
        answered("200 OK", "Content-Type: text/event-stream", "Content-Encoding: br", body="x"),
        "content-encoding 'br', although identity was requested",
        "text/event-stream",
    ),
}


@pytest.mark.parametrize(("answer", "says", "content_type"), WRONG.values(), ids=WRONG)
async def test_what_is_no_stream(
    clients: Clients, answer: bytes, says: str, content_type: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    error = await refusal(clients, answer, caplog)
    assert isinstance(error, ContentTypeError)
    assert says in str(error)
    assert "check that base_url" in str(error)
    assert error.content_type == content_type
    assert error.status == int(answer[9:12])


async def test_the_body_of_what_is_no_stream_is_bounded(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    answer = answered("200 OK", "Content-Type: text/html", body=f"<p>{KEY}\x07</p>" + "€" * 100_000)
    error = await refusal(clients, answer, caplog)
    assert error.body.startswith("<p>[redacted] </p>€€")
    assert len(error.body.encode()) <= 1024


async def test_an_empty_body_without_a_type_is_an_empty_stream(clients: Clients) -> None:
    async def handler(peer: Peer) -> None:
        await peer.send(answered("200 OK"))

    async with clients() as client, serve(handler) as server:
        transport = HttpTransport(client, base_url=server.url)
        async with transport.open(CREATE) as wire:
            assert [batch async for batch in wire] == []


# ------------------------------------------------------------------ no answer


async def test_a_closed_port(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    async with clients() as client:
        error = await failure(HttpTransport(client, base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY))
    assert isinstance(error, ConnectError)
    assert f"cannot reach 127.0.0.1:{port}: " in str(error)
    assert "check base_url and the network" in str(error)
    assert_keeps_secrets(error, caplog.text)


async def test_no_such_host(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    async with clients() as client:
        error = await failure(HttpTransport(client, base_url="https://nowhere.invalid/v1", api_key=KEY))
    assert isinstance(error, ConnectError)
    assert "cannot reach nowhere.invalid:443: " in str(error)
    assert_keeps_secrets(error, caplog.text)


CLOSED = "closed the connection before it answered"
NO_HTTP = {
    "nothing": (b"", [CLOSED]),
    "half a head": (b"HTTP/1.1 200 OK\r\nConte", [CLOSED]),
    "SSH": (b"SSH-2.0-OpenSSH_9.0\r\n", [CLOSED, "sent what is not HTTP"]),
    "zeros": (b"\0" * 100, ["sent what is not HTTP"]),
}


@pytest.mark.parametrize("sent", NO_HTTP)
async def test_no_http(clients: Clients, sent: str, caplog: pytest.LogCaptureFixture) -> None:
    answer, words = NO_HTTP[sent]
    error = await refusal(clients, answer, caplog)
    assert isinstance(error, ConnectError)
    assert any(some in str(error) for some in words), error


async def test_endless_headers(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(peer: Peer) -> None:
        await peer.send("HTTP/1.1 200 OK\r\n")
        for n in range(100_000):
            await peer.send(f"X-{n}: {'x' * 1000}\r\n")

    error = await refusal(clients, handler, caplog)
    assert isinstance(error, HeadTooLargeError), error
    assert "got more than the HTTP client takes" in str(error)


async def test_tls_to_a_server_without_it(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(peer: Peer) -> None:
        await peer.send("never asked")

    async with clients() as client, serve(handler) as server:
        url = server.url.replace("http://", "https://")
        with anyio.fail_after(BOUND):
            error = await failure(HttpTransport(client, base_url=url, api_key=KEY, connect_timeout=0.2))
    assert isinstance(error, ConnectError)
    assert_keeps_secrets(error, caplog.text)


async def test_a_closed_client(clients: Clients) -> None:
    async with clients() as client:
        pass
    assert "client is closed" in str(await failure(HttpTransport(client, base_url="http://127.0.0.1:1")))


# ------------------------------------------------------------------ redirects


def redirect(status: str, location: str | None) -> bytes:
    return answered(status, *([] if location is None else [f"Location: {location}"]))


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize(
    ("status", "location"),
    [
        ("301 Moved Permanently", "https://elsewhere.example/v1?x=1"),
        ("302 Found", "/same/host/but/loses/the/body"),
        ("303 See Other", "/v2"),
        ("307 Temporary Redirect", "https://elsewhere.example/v1"),
        ("307 Temporary Redirect", "http://127.0.0.1:1/other/port"),
        ("308 Permanent Redirect", None),
        ("307 Temporary Redirect", ""),
        ("307 Temporary Redirect", "ftp://x"),
        ("300 Multiple Choices", None),
    ],
)
async def test_what_is_not_followed(
    clients: Clients, follow: bool, status: str, location: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    error = await refusal(clients, redirect(status, location), caplog, follow_redirects=follow)
    assert isinstance(error, StatusError)
    assert error.status == int(status[:3])
    assert f"it redirects to {location!r}" in str(error) if location else "without a location" in str(error)
    assert "set base_url" in str(error)


@pytest.mark.parametrize("status", ["307 Temporary Redirect", "308 Permanent Redirect"])
async def test_a_redirect_on_the_same_host_is_followed_if_asked_for(clients: Clients, status: str) -> None:
    async def handler(peer: Peer) -> None:
        if peer.path == "/v1/responses":
            await peer.send(redirect(status, "../v2/responses?a=1"))
        else:
            await peer.send(CHUNKED)
            await peer.chunk("data: 1\n\n")
            await peer.send(LAST)

    async with clients() as client, serve(handler) as server:
        base_url = f"{server.url}/v1"
        assert isinstance(await failure(HttpTransport(client, base_url=base_url, api_key=KEY)), StatusError)
        transport = HttpTransport(client, base_url=base_url, api_key=KEY, follow_redirects=True)
        async with transport.open(CREATE) as wire:
            assert [batch async for batch in wire] == [[Frame(data="1")]]
        last = server.peers[-1]
        assert (last.method, last.path) == ("POST", "/v2/responses?a=1")
        assert json.loads(last.body) == CREATE.json
        assert last.headers["authorization"] == f"Bearer {KEY}"


async def test_redirects_in_circles_end(clients: Clients) -> None:
    async def handler(peer: Peer) -> None:
        await peer.send(redirect("307 Temporary Redirect", "/responses"))

    async with clients() as client, serve(handler) as server:
        error = await failure(HttpTransport(client, base_url=server.url, follow_redirects=True))
        assert isinstance(error, ProtocolError)
        assert len(server.peers) == 6
