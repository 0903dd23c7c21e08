"""A server that ignores `stream` and answers with the whole response as JSON."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import rxstream
from rxstream import errors
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from rxstream.transport import HttpTransport
from tests.session._modes import Heard, hear, modes

RESPONSE = answers.events_of(answers.text("Hello there"))[-1].response.model_dump(mode="json")
OTHERS = {
    "a chat": {"object": "chat.completion", "choices": []},
    "an error": {"error": {"message": "No such model.", "code": "model_not_found"}},
    "no output": {"object": "response"},
    "a list": [RESPONSE],
    "an input item": {"object": "list", "data": [{"object": "response"}]},
}


def reply(body: Any, kind: str | None = "application/json", **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answers.http_error(200, raw, {"content-type": kind, **headers} if kind else headers)


def verbatim(body: bytes, length: int) -> Any:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    return answers.verbatim(head.encode() + body)


@modes
@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/json; charset=utf-8", "application/x+json", "text/plain", "text/event-stream"],
)
def test_its_events_are_delivered(mode: str, kind: str) -> None:
    with LocalServer([reply(RESPONSE, kind)]) as server:
        heard = hear(mode, server, max_retries=2)
        assert heard.completed()
        assert all(event.synthetic for event in heard.values)
        assert heard.types[0] == "response.created"
        assert heard.types[-1] == "response.completed"
        assert "".join(event.delta for event in heard.values if hasattr(event, "delta")) == "Hello there"
        assert heard.values[-1].response.model_dump(mode="json") == RESPONSE
        assert len(server.log) == 1


SHAPES = {
    "pretty": json.dumps(RESPONSE, indent=2).encode(),
    "blank lines first": b"\n\r\n  " + json.dumps(RESPONSE).encode(),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(RESPONSE).encode(),
    "long": json.dumps(RESPONSE | {"metadata": {"x": "y" * 300_000}}).encode(),
}


@pytest.mark.parametrize("body", SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize("compressed", [False, True])
def test_however_the_body_is_written(body: bytes, compressed: bool) -> None:
    headers = {"content-encoding": "gzip"} if compressed else {}
    with LocalServer([reply(gzip.compress(body) if compressed else body, **headers)]) as server:
        heard = hear("with", server, lambda source: source.pipe(rxs.text_only()))
        assert heard.completed()
        assert heard.values == ["Hello there"]


@modes
def test_it_ends_as_its_status_says(mode: str) -> None:
    limit = {"code": "rate_limit_exceeded", "message": "Try again in 2ms."}
    failed = reply({**RESPONSE, "status": "failed", "output": [], "error": limit})
    with LocalServer([failed]) as server:
        heard = hear(mode, server)
        assert isinstance(heard.error, errors.ResponseFailedError)
        assert (heard.error.code, heard.error.response_id) == ("rate_limit_exceeded", RESPONSE["id"])
        assert heard.types == ["response.created", "response.failed"]
    with LocalServer([failed, reply(RESPONSE)]) as server:
        assert hear(mode, server, max_retries=2).completed()
        assert len(server.log) == 2
    with LocalServer([reply({**RESPONSE, "status": "incomplete"})]) as server:
        assert hear(mode, server).completed()
        assert isinstance(hear(mode, server, rxs.require_completed()).error, errors.ResponseIncompleteError)


@modes
@pytest.mark.parametrize("body", OTHERS.values(), ids=list(OTHERS))
def test_other_json_is_an_error(mode: str, body: Any) -> None:
    with LocalServer([reply(body)]) as server:
        heard = hear(mode, server, max_retries=2)
        assert isinstance(heard.error, errors.ContentTypeError)
        assert heard.error.content_type == "application/json"
        assert heard.values == []
        assert len(server.log) == 1


@pytest.mark.parametrize("body", [b"", b" \n", b"data: {}\n\n", b"upstream connect error"], ids=repr)
def test_what_is_not_json_is_an_error_under_its_content_type(body: bytes) -> None:
    with LocalServer([reply(body)]) as server:
        assert isinstance(hear("with", server).error, errors.ContentTypeError)


@modes
def test_one_that_is_cut_is_not_asked_for_again(mode: str) -> None:
    body = json.dumps(RESPONSE).encode()
    with LocalServer([verbatim(body[:-20], len(body))]) as server:
        heard = hear(mode, server, max_retries=2)
        assert isinstance(heard.error, errors.DisconnectedError)
        assert len(server.log) == 1


def test_one_that_is_too_large() -> None:
    with LocalServer([reply(SHAPES["long"])]) as server:
        transport = HttpTransport(base_url=server.base_url, max_frame_bytes=100_000)
        heard = Heard()
        with rxstream.Session(transport=transport) as session:
            heard.subscribe(session.response(model="m", input="Hi"))
        assert isinstance(heard.error, errors.FrameTooLargeError)
        assert "100000" in str(heard.error)


@modes
def test_without_normalize_it_is_an_error_that_says_why(mode: str) -> None:
    with LocalServer([reply(RESPONSE)]) as server:
        heard = hear(mode, server, normalize=False)
        assert isinstance(heard.error, errors.ProtocolError)
        assert "leave normalize on" in str(heard.error)


def test_its_tape_replays_the_same_events(tmp_path: Path) -> None:
    tape = tmp_path / "whole.tape"
    with LocalServer([reply(SHAPES["pretty"])]) as server:
        heard = hear("with", server, tape=tape)
    again = Heard()
    with rxstream.Session() as session:
        again.subscribe(session.replay(tape, speed=None))
    assert again.completed()
    assert again.values == heard.values


def test_it_may_be_a_value_of_an_iterable() -> None:
    heard = Heard()
    with rxstream.Session():
        heard.subscribe(rxstream.from_iterable([RESPONSE]).pipe(rxs.text_only()))
    assert heard.completed()
    assert heard.values == ["Hello there"]
