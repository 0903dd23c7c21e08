"""Whose stream it is, what is refused, and where no key goes."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import openai
import pytest
from starlette.requests import Request

from rxstream.gateway import GatewayLimits, gateway
from rxstream.gateway._callers import one_of, stream_id_of
from rxstream.relay import MemoryLog
from rxstream.testing import LocalServer, answers
from tests.gateway._serving import client_of, gateway_at, get, post
from tests.waiting import BOUND, wait_for

TEXT = "Mine alone."
HELD = "sk-held-by-the-gateway"
ENDLESS = answers.text(TEXT).ends("hang", after=4)


@pytest.fixture
def held() -> Iterator[tuple[LocalServer, str]]:
    """A gateway that has the key, and a log."""
    with (
        LocalServer([answers.text(TEXT)], api_key=HELD) as server,
        gateway_at(server.base_url, log=MemoryLog(), key=HELD) as url,
    ):
        yield server, url


def test_a_stream_of_another_caller_is_unknown(held: tuple[LocalServer, str]) -> None:
    """For each way to it the answer is that for an id that never was."""
    server, url = held
    own = post(url).json()["id"]

    def requests(name: str, key: str) -> list[tuple[int, str]]:
        headers = {"authorization": f"Bearer {key}"}
        path = f"{url}/responses/{name}"
        replies = [
            get(path, key),
            get(path, key, headers={"x-forwarded-user": "sk-caller-1"}),
            get(path, key, params={"stream": "true", "starting_after": 0}),
            httpx.post(f"{path}/cancel", headers=headers, trust_env=False),
        ]
        return [(reply.status_code, reply.text.replace(name, "ID")) for reply in replies]

    assert [status for status, _ in requests(own, "sk-caller-1")] == [200] * 4
    assert requests(own, "sk-caller-2") == requests("resp_never", "sk-caller-2")
    assert [status for status, _ in requests(own, "sk-caller-2")] == [404] * 4
    assert get(f"{url}/responses/{own}", None).status_code == 404
    assert len(server.log) == 1, "the server was asked with the key of the gateway"


def test_with_own_keys_the_log_gives_no_stream_of_another_caller() -> None:
    with (
        LocalServer([answers.text(TEXT)], api_key="sk-caller-1") as server,
        gateway_at(server.base_url, log=MemoryLog()) as url,
    ):
        response_id = post(url, headers={"authorization": "Bearer sk-caller-1"}).json()["id"]
        assert get(f"{url}/responses/{response_id}").json()["status"] == "completed"
        assert get(f"{url}/responses/{response_id}", "sk-caller-2").status_code == 401  # as the server says


def test_the_id_in_the_log_says_neither_the_key_nor_the_response() -> None:
    ids = {stream_id_of(caller, name) for caller in ("a", "b") for name in ("resp_1", "resp_2")}
    assert len(ids) == 4
    assert all(re.fullmatch("gateway-[0-9a-f]{64}", each) for each in ids)


def test_with_a_held_key_only_own_responses_are_continued(held: tuple[LocalServer, str]) -> None:
    server, url = held
    body = {"model": "m", "input": "Hi", "previous_response_id": post(url).json()["id"]}
    assert post(url, body).status_code == 200
    refused = post(url, body, headers={"authorization": "Bearer sk-caller-2"})
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "previous_response_not_found"
    assert post(url, {"model": "m", "input": "Hi", "conversation": "conv_1"}).status_code == 400
    assert len(server.log) == 2


@pytest.mark.parametrize("options", [{"log": MemoryLog()}, {}])
def test_a_held_key_goes_up_in_place_of_the_callers(options: dict[str, Any]) -> None:
    headers = {"authorization": "Bearer sk-caller-1", "api-key": "sk-other", "openai-project": "proj_1", "x-note": "n"}
    with LocalServer([answers.text(TEXT)]) as server, gateway_at(server.base_url, key=HELD, **options) as url:
        for stream in (True, False):
            post(url, {"model": "m", "input": "Hi", "stream": stream}, headers=headers)
        assert len(server.log) == 2
        for exchange in server.log:
            assert exchange.headers["authorization"] == f"Bearer {HELD}"
            assert exchange.headers["x-note"] == "n"
            assert not {"api-key", "openai-project"} & exchange.headers.keys()


def test_a_held_key_that_the_server_refuses_is_not_the_callers_fault() -> None:
    with LocalServer(api_key="another") as server, gateway_at(server.base_url, key=HELD) as url:
        answer = post(url, {"model": "m", "input": "Hi", "stream": True})
    assert answer.status_code == 502
    assert HELD not in answer.text


def test_authorize_names_the_caller_and_refuses() -> None:
    asked: list[str | None] = []

    async def authorize(request: Request, response_id: str | None) -> str | None:
        asked.append(response_id)
        return {"ann": "user-1", "ann-phone": "user-1", "bob": "user-2"}.get(request.headers.get("x-login", ""))

    with LocalServer([answers.text(TEXT)]) as server:
        with gateway_at(server.base_url, key=HELD, authorize=authorize, log=MemoryLog()) as url:
            response_id = post(url, headers={"x-login": "ann"}).json()["id"]
            path = f"{url}/responses/{response_id}"
            assert get(path, headers={"x-login": "ann-phone"}).json()["status"] == "completed"
            assert get(path, headers={"x-login": "bob"}).status_code == 404
            assert get(path).status_code == 404
            refused = post(url)
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        assert len(server.log) == 1
    assert asked == [None, response_id, response_id, response_id, None]


def test_a_caller_without_a_token_keeps_nothing_and_uses_no_held_key() -> None:
    log = MemoryLog()
    with LocalServer([answers.text(TEXT)]) as server:
        with gateway_at(server.base_url, log=log) as url:
            assert post(url, headers={}).status_code == 200
            assert len(log) == 0
        with gateway_at(server.base_url, key=HELD) as url:
            assert post(url, headers={}).status_code == 401


def test_tokens_of_callers() -> None:
    with (
        LocalServer([answers.text(TEXT)]) as server,
        gateway_at(server.base_url, key=HELD, authorize=one_of(["sk-caller-1", "sk-caller-2"])) as url,
    ):
        with client_of(url) as client:
            assert client.responses.create(model="m", input="Hi").output_text == TEXT
        with client_of(url, "sk-caller-3") as client, pytest.raises(openai.AuthenticationError):
            client.responses.create(model="m", input="Hi")
    for tokens in ([], [""], ["a", ""]):
        with pytest.raises(ValueError, match="one token or more"):
            one_of(tokens)


def test_a_key_of_the_fallback_needs_somebody_who_checks_callers() -> None:
    with pytest.raises(ValueError, match="expected authorize="):
        gateway("http://127.0.0.1:9/v1", fallback="http://127.0.0.1:8/v1", fallback_key="sk-fallback")


def test_pages_may_not_call_it_unless_they_are_named() -> None:
    origin = {"origin": "https://page.example", "access-control-request-method": "POST"}
    with LocalServer([answers.text(TEXT)]) as server:
        for options, allowed in (({}, None), ({"cors": ["https://page.example"]}, "https://page.example")):
            with gateway_at(server.base_url, **options) as url, httpx.Client(trust_env=False) as client:
                for answer in (
                    client.options(f"{url}/responses", headers=origin),
                    client.post(f"{url}/responses", json={"model": "m", "stream": True}, headers=origin),
                ):
                    assert answer.headers.get("access-control-allow-origin") == allowed


def test_limits_of_bodies_and_headers() -> None:
    limits = GatewayLimits(body_bytes=1000, header_bytes=2000)
    with LocalServer([answers.text(TEXT)]) as server, gateway_at(server.base_url, limits=limits) as url:
        assert post(url).status_code == 200
        assert post(url, {"model": "m", "input": "x" * 1000}).status_code == 413
        assert get(f"{url}/responses/resp_1", headers={"x-large": "x" * 2000}).status_code == 431
        assert get(f"{url}/responses/resp_1", params={"large": "x" * 2000}).status_code == 431

        def pieces() -> Iterator[bytes]:
            for _ in range(20):
                yield b"x" * 100

        headers = {"content-type": "application/json"}
        assert httpx.post(f"{url}/responses", content=pieces(), headers=headers, trust_env=False).status_code == 413
        assert len(server.log) == 1


@pytest.mark.parametrize("log", [None, MemoryLog()])
def test_a_limit_of_open_streams(log: Any) -> None:
    limits = GatewayLimits(open_streams=2)
    with LocalServer([ENDLESS]) as server, gateway_at(server.base_url, limits=limits, log=log) as url:
        with ExitStack() as stack:
            client = stack.enter_context(client_of(url))
            for _ in range(2):
                stream = stack.enter_context(client.responses.create(model="m", input="Hi", stream=True))
                response_id = next(iter(stream)).response.id  # type: ignore[union-attr]
            with pytest.raises(openai.RateLimitError):
                client.responses.create(model="m", input="Hi", stream=True)
            assert get(f"{url}/responses/{response_id}?stream=true").status_code == 429
            if log is not None:  # a stream without its client is open until it has ended
                client.responses.cancel(response_id)
        server.wait_closed(1, BOUND)
        server.say(answers.text(TEXT))
        wait_for(lambda: post(url).status_code == 200)


@pytest.mark.parametrize("values", [{"body_bytes": 0}, {"header_bytes": -1}, {"open_streams": 0}])
def test_limits_that_cannot_be_used(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected 1 or more"):
        GatewayLimits(**values)


def test_no_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    keys = ("sk-caller-1-secret", HELD)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).propagate = True
    broken = answers.text(TEXT).ends("rst", after=4)
    with caplog.at_level(logging.DEBUG), LocalServer([answers.text(TEXT), broken], api_key=HELD) as server:
        for options in ({}, {"key": HELD, "log": MemoryLog()}):
            with gateway_at(server.base_url, **options) as url:
                for stream in (True, False, True):
                    headers = {"authorization": f"Bearer {keys[0]}"}
                    post(url, {"model": "m", "input": "Hi", "stream": stream}, headers=headers)
                get(f"{url}/responses/resp_1", keys[0])
    shown = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert shown
    assert not any(
        key in record.getMessage() or key in str(record.exc_info) for record in caplog.records for key in keys
    )


def test_open_streams_end_when_the_gateway_stops() -> None:
    with LocalServer([ENDLESS]) as server, ExitStack() as stack:
        serving = ExitStack()
        url = serving.enter_context(gateway_at(server.base_url, shutdown_seconds=0.05))
        client = stack.enter_context(client_of(url))
        stream = stack.enter_context(client.responses.create(model="m", input="Hi", stream=True))
        first = next(iter(stream))
        serving.close()  # it fails where a request does not end
        last = list(stream)[-1]
    assert first.type == "response.created"
    assert (last.type, last.code) == ("error", "DisconnectedError")  # type: ignore[union-attr]
