"""What a server or a network may answer instead of a stream: one clear error each, which never tells the key."""

import gzip
import json
import logging
import pickle
import socket
import traceback
from email.utils import formatdate
from time import time
from typing import Any

import anyio
import pytest

from rxstream.errors import ConnectError, ContentTypeError, ProtocolError, RxStreamError, StatusError
from rxstream.sse import Frame
from rxstream.transport import HttpTransport, Request
from rxstream.transport.http import _answer
from tests.transport.http._peer import CHUNKED, LAST, Handler, Peer, serve
from tests.transport.http.conftest import Clients
from tests.waiting import BOUND

pytestmark = pytest.mark.anyio

KEY = "sk-test-canary-1234567890"
AZURE = "azure-canary-1234567890"
PROMPT = "the-secret-prompt"
CREATE = Request("POST", "/responses", json={"model": "m", "input": PROMPT})


def assert_keeps_secrets(error: BaseException, logged: str) -> None:
    """Neither key nor prompt in what the error shows, holds, pickles to or hangs on, nor in the logs."""
    shown = [logged, "".join(traceback.format_exception(error))]
    seen: BaseException | None = error
    while seen is not None:
        assert not hasattr(seen, "request"), "an error that holds the request holds the key"
        shown += [repr(seen), str(seen), str(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert again.__dict__ == error.__dict__
    assert str(again) == str(error)
    for text in [*shown, str(pickle.dumps(error))]:
        assert KEY not in text
        assert AZURE not in text
        assert PROMPT not in text


async def failure(transport: HttpTransport, request: Request = CREATE) -> RxStreamError:
    """What opening and reading fails with."""
    with pytest.raises(RxStreamError) as caught:
        async with transport.open(request) as wire:
            async for _ in wire:
                pass
    return caught.value


async def refusal(
    clients: Clients, answer: bytes | str | Handler, log: pytest.LogCaptureFixture, **options: Any
) -> Any:
    """The error for an answer, once it is known to keep the secrets, and the socket to be closed."""

    async def handler(peer: Peer) -> None:
        if callable(answer):
            await answer(peer)
        else:
            await peer.send(answer)

    log.set_level(logging.DEBUG)
    async with clients() as client, serve(handler) as server:
        headers = {"api-key": AZURE, **options.pop("headers", {})}
        transport = HttpTransport(client, base_url=server.url, api_key=KEY, headers=headers, **options)
        error = await failure(transport)
        assert_keeps_secrets(error, log.text)
        assert f"127.0.0.1:{server.port}" in str(error)
        assert len(server.peers) == 1
    return error


def answered(status: str, *fields: str, body: bytes | str = "") -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    return (
        "\r\n".join(
            [f"HTTP/1.1 {status}", *fields, "Connection: close", f"Content-Length: {len(raw)}", "", ""]
        ).encode()
        + raw
    )


def api_error(message: str, code: Any = None, **more: Any) -> str:
    return json.dumps({"error": {"message": message, "type": "some_error", "code": code, **more}})


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


BODIES = [
    (api_error("m", None), "m", "some_error"),
    (api_error("m", 400), "m", "400"),
    ('{"error": "m", "code": "c"}', "m", "c"),
    ('{"message": "m", "code": "c"}', "m", "c"),
    ('{"detail": "m"}', "m", None),
    ('[{"error": {"message": "m", "code": 5}}]', "m", "5"),
    ('{"error": {"message": ["x"], "code": {"a": 1}}}', "", None),
    ('{"error": {"message": "m", "param": "model", "code": "c"}}', "m (model)", "c"),
    (
        '{"error": {"message": "m", "details": [{"message": "a"}, {"description": "b", "field": "f"}]}}',
        "m: a; b (f)",
        None,
    ),
    ('{"detail": [{"loc": ["body", "input", 0], "msg": "m", "type": "missing"}]}', "m (body.input.0)", None),
    ('{"detail": {"error": {"message": "m", "code": "c"}}}', "m", "c"),
    ('{"detail": {"message": "m", "code": "c"}}', "m", "c"),
    ('{"type": "t", "title": "m", "detail": "d", "status": 400}', "m: d", "t"),
    ('{"errors": ["m", "n"]}', "m; n", None),
    ('"m"', "m", None),
    ("Rate limit exceeded.", "Rate limit exceeded", None),
    ("[]", "", None),
    ("null", "", None),
    ("[" * 100_000, "", None),
    ('{"error"', "", None),
    ("<html>Bad gateway</html>", "", None),
    ("", "", None),
    (b"\xff\xfe", "", None),
]


@pytest.mark.parametrize(("body", "message", "code"), BODIES, ids=range(len(BODIES)))
async def test_error_bodies_of_all_kinds(
    clients: Clients, body: str | bytes, message: str, code: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    error = await refusal(clients, answered("400 Bad Request", body=body), caplog)
    assert error.code == code
    assert str(error).endswith(f"answered 400 Bad Request{': ' if message else ''}{message}")
    assert len(error.body.encode()) <= 1024


async def test_an_error_body_is_bounded_and_plain(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    body = api_error("line\r\nbreak \x1b[31m \u2028 \x00" + "€" * 5000, "c\n" * 500)
    error = await refusal(clients, answered("500 Oops", "X-Request-Id: a b", body=body), caplog)
    assert len(error.body.encode()) <= 1024
    assert len(error.code.encode()) <= 100
    assert len(str(error).encode()) < 1000
    for text in (str(error), error.body, error.code, error.request_id):
        assert text.isprintable()


async def test_a_key_that_is_echoed_is_redacted(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    body = api_error(f"Incorrect API key: {KEY} and {AZURE}", KEY, echo="x" * 800, headers=f"Bearer {KEY} " * 20)
    error = await refusal(clients, answered("401 Unauthorized", body=body), caplog)
    assert "Incorrect API key: [redacted] and [redacted]" in str(error)


async def test_an_endless_error_body_is_not_waited_for(
    clients: Clients, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_answer, "_BODY_SECONDS", 0.1)

    async def drips(peer: Peer) -> None:
        await peer.send("HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await peer.chunk("x")
            await anyio.sleep(0.01)

    async def floods(peer: Peer) -> None:
        await peer.send("HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await peer.chunk("x" * 10_000)

    async def breaks(peer: Peer) -> None:
        await peer.send("HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nxxx")

    for handler in (drips, floods, breaks):
        error = await refusal(clients, handler, caplog)
        assert error.status == 500
        assert error.body.startswith("xxx")


async def test_a_compressed_error_body(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    body = gzip.compress(api_error("m", "c").encode() + b" " * 10_000_000)
    error = await refusal(clients, answered("400 Bad Request", "Content-Encoding: gzip", body=body), caplog)
    assert error.body.startswith('{"error"')
    error = await refusal(clients, answered("400 Bad Request", "Content-Encoding: br", body=body), caplog)
    assert (error.status, error.body) == (400, "")


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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nConte", b"SSH-2.0-OpenSSH_9.0\r\n", b"\0" * 100])
async def test_no_http(clients: Clients, answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    error = await refusal(clients, answer, caplog)
    assert isinstance(error, ConnectError)
    assert "closed the connection before it answered" in str(error) or "cannot reach" in str(error)


async def test_endless_headers(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(peer: Peer) -> None:
        await peer.send("HTTP/1.1 200 OK\r\n")
        for n in range(100_000):
            await peer.send(f"X-{n}: {'x' * 1000}\r\n")

    assert isinstance(await refusal(clients, handler, caplog), ConnectError)


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


SHAPES = [
    ('{"error": {"message": "The model is overloaded.", "code": "busy"}}', "The model is overloaded"),
    ('\n {"detail": [{"loc": ["body"], "msg": "Field required"}], "x": "' + "y" * 5000 + '"}', "Field required (body)"),
    ('{"object": "response", "status": "completed", "output": []}', "the whole response at once"),
    ('{"id": "c", "object": "chat.completion", "choices": []}', "Chat Completions"),
    ("\ufeff<html>Sign in</html>", "not an event stream"),
    ("upstream connect error", "upstream connect error"),
]


@pytest.mark.parametrize(("body", "message"), SHAPES, ids=range(len(SHAPES)))
@pytest.mark.parametrize("kind", ["text/event-stream", "application/json", "text/plain", None])
async def test_a_body_that_is_not_a_stream_says_what_it_is(
    clients: Clients, kind: str | None, body: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    fields = [f"Content-Type: {kind}"] if kind else []
    error = await refusal(clients, answered("200 OK", *fields, body=body), caplog)
    assert isinstance(error, ContentTypeError)
    assert message in str(error)
    assert error.content_type == kind
    assert error.body[:50] == body.strip("\n \ufeff")[:50]
