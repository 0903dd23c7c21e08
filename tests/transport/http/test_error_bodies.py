"""What an error body says reaches the reader, whatever its shape and its content type."""

import gzip

import anyio
import pytest

from rxstream.errors import ContentTypeError
from rxstream.transport.http import _answer
from tests.transport.http._peer import Peer
from tests.transport.http._refusals import AZURE, KEY, answered, api_error, refusal
from tests.transport.http.conftest import Clients

pytestmark = pytest.mark.anyio


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
    monkeypatch.setattr(_answer, "BODY_SECONDS", 0.1)

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
        assert error.body.startswith("x")


async def test_a_compressed_error_body(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    body = gzip.compress(api_error("m", "c").encode() + b" " * 10_000_000)
    error = await refusal(clients, answered("400 Bad Request", "Content-Encoding: gzip", body=body), caplog)
    assert error.body.startswith('{"error"')
    error = await refusal(clients, answered("400 Bad Request", "Content-Encoding: br", body=body), caplog)
    assert (error.status, error.body) == (400, "")


SHAPES = [
    ('{"error": {"message": "The model is overloaded.", "code": "busy"}}', "The model is overloaded"),
    ('\n {"detail": [{"loc": ["body"], "msg": "Field required"}], "x": "' + "y" * 5000 + '"}', "Field required (body)"),
    ('{"object": "response", "status": "completed", "output": [', "the whole response at once"),
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
