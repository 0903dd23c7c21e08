"""What a request may hold, as users of the official client write it."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import Any

import httpx
import openai
import openai.types.responses
import pydantic
import pytest

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ConnectError, IdleTimeoutError
from rxstream.testing import LocalServer, answers
from rxstream.testing.server._log import Exchange
from tests.session._modes import Heard, hear, in_session, modes, options_for


def sent(**request: Any) -> Exchange:
    """What arrives at the server."""
    heard = Heard()
    with LocalServer([answers.text("Hi")]) as server:

        def body(session: rxstream.Session) -> None:
            heard.subscribe(session.response(model="m", **request))

        in_session("with", body, **options_for(server))
        assert heard.completed()
        return server.log[0]


class Message(pydantic.BaseModel):
    role: str = "user"
    content: str
    kind: str = pydantic.Field(default="message", alias="type")


def test_models_of_the_user() -> None:
    assert sent(input=[Message(content="Hi")]).json["input"] == [{"role": "user", "content": "Hi", "type": "message"}]


def test_our_own_items_and_those_of_the_sdk_as_they_came() -> None:
    with LocalServer([answers.together(answers.text("Hi"), answers.function_calls([("f", {"a": 1})]))]) as server:
        with rxstream.Session(**options_for(server)) as session:
            source = session.response(model="m", input="Hi").pipe(rxs.final_response())
            response = rxstream.result(source).wait()
        client = openai.OpenAI(api_key="k", base_url=server.base_url)
        with client:
            theirs = client.responses.create(model="m", input="Hi")
    came = [item.model_dump(mode="json") for item in response.output]
    assert [item["type"] for item in came] == ["message", "function_call"]
    assert sent(input=[*response.output]).json["input"] == came
    assert sent(input=(*theirs.output,)).json["input"] == [item.to_dict(mode="json") for item in theirs.output]
    assert (
        sent(input="Hi", metadata={"deep": [{"er": response.output[0]}]}).json["metadata"]["deep"][0]["er"] == came[0]
    )


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ([{"content": b"bytes"}], r"input\[0\]\.content, got bytes"),
        ({1, 2}, "input, got set"),
        ([datetime.date(2026, 1, 1)], r"input\[0\], got date"),
        (Message, "input, got the class Message"),
        (iter("a"), "input, got str_"),
    ],
)
@modes
def test_what_json_cannot_hold_is_found_before_anything_is_sent(mode: str, value: Any, where: str) -> None:
    def body(session: rxstream.Session) -> None:
        with pytest.raises(TypeError, match=where):
            session.response(model="m", input=value)

    in_session(mode, body, api_key="k", base_url="http://127.0.0.1:9/v1")


def test_extra_headers_query_and_body() -> None:
    exchange = sent(
        input="Hi",
        extra_headers={"X-Team": "blue", "Authorization": "Bearer mine"},
        extra_query={"api-version": "preview", "n": 1},
        extra_body={"future": 1},
    )
    assert exchange.headers["x-team"] == "blue"
    assert exchange.headers["authorization"] == "Bearer mine"
    assert exchange.query == {"api-version": "preview", "n": "1"}
    assert exchange.json == {"model": "m", "input": "Hi", "future": 1, "stream": True}
    plain = sent(input="Hi", extra_headers=None, extra_query=None, extra_body=None, timeout=None)
    assert plain.json == {"model": "m", "input": "Hi", "stream": True}


@modes
@pytest.mark.parametrize("timeout", [0.05, datetime.timedelta(milliseconds=50), httpx.Timeout(0.05)])
def test_a_timeout_is_of_this_request_alone(mode: str, timeout: Any) -> None:
    first, second = Heard(), Heard()

    def body(session: rxstream.Session) -> None:
        first.subscribe(session.response(model="m", input="Hi", timeout=timeout))

    with LocalServer([answers.hang(answers.text("Hi"), after=1)]) as server:
        in_session(mode, body, **options_for(server))
        assert "timeout" not in server.log[0].json
        server.say(answers.text("Hi"))
        in_session(
            mode, lambda session: second.subscribe(session.response(model="m", input="Hi")), **options_for(server)
        )
    assert isinstance(first.error, IdleTimeoutError)
    assert "0.05 s" in str(first.error)
    assert second.completed()


@pytest.mark.parametrize("timeout", ["5", -1, 0, math.nan, math.inf, True])
def test_a_timeout_that_is_none(timeout: Any) -> None:
    with pytest.raises(TypeError, match="in timeout, got"):
        rxstream.Session("k").response(model="m", input="Hi", timeout=timeout)


@pytest.mark.parametrize("key", [lambda: "sk-1", b"sk-1", pydantic.SecretStr("sk-1")])
def test_a_key_that_is_no_text(key: Any) -> None:
    with pytest.raises(TypeError, match="expected the key as a str"):
        rxstream.Session(key)


def test_an_address_that_is_a_url_object() -> None:
    with LocalServer([answers.text("Hi")]) as server:
        assert hear("with", server, base_url=httpx.URL(server.base_url)).completed()


@pytest.mark.parametrize("end", ["/responses", "/responses/", "/responses?api-version=1"])
def test_an_address_that_ends_where_the_path_begins(end: str) -> None:
    session = rxstream.Session("k", base_url="https://api.example.com/v1" + end)
    with pytest.raises(ValueError, match="/responses is added"):
        session.response(model="m", input="Hi")


def test_request_json_takes_models_too() -> None:
    async def ask(session: rxstream.Session, check: Callable[[Any], None]) -> None:
        check(await session.request_json("POST", "/moderations", {"input": "fine", "x": Message(content="a")}))

    seen: list[Any] = []
    with LocalServer() as server:
        in_session("with", lambda session: session.spawn(lambda: ask(session, seen.append)), **options_for(server))
        assert server.log[0].json["x"]["content"] == "a"
    assert seen


@modes
def test_https_to_a_server_without_tls_says_so(mode: str) -> None:
    with LocalServer() as server:
        address = server.base_url.replace("http://", "https://")
        heard = Heard()
        options = options_for(server) | {"base_url": address}
        in_session(mode, lambda session: heard.subscribe(session.response(model="m", input="Hi")), **options)
    assert isinstance(heard.error, ConnectError)
    assert "write http:// in base_url" in str(heard.error)
