"""The WebSocket mode of the local server, as clients of others see it."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from rxstream.testing import LocalServer, answers
from tests.waiting import BOUND

QUIET = logging.Logger("client", logging.CRITICAL)


@contextmanager
def client(server: LocalServer, **headers: str) -> Generator[ClientConnection]:
    url = server.base_url.replace("http", "ws") + "/responses?q=1"
    with connect(url, additional_headers=headers, logger=QUIET, proxy=None) as connection:
        yield connection


def create(connection: ClientConnection, **fields: Any) -> None:
    connection.send(json.dumps({"type": "response.create", "model": "m", "input": "Hi", **fields}))


def response(connection: ClientConnection) -> list[dict[str, Any]]:
    """The events up to the one that ends the response."""
    events: list[dict[str, Any]] = []
    while not events or events[-1]["type"] not in ("error", "response.completed", "response.failed"):
        events.append(json.loads(connection.recv(BOUND)))
    return events


def test_a_response_for_each_message_one_after_the_other() -> None:
    with LocalServer([answers.text("One"), answers.text("Two"), answers.failed()]) as server:
        with client(server, **{"x-own": "1"}) as connection:
            create(connection)
            create(connection, store=False)  # before the first is over
            create(connection)
            found = [response(connection) for _ in range(3)]
        assert [events[-1]["type"] for events in found] == [
            "response.completed",
            "response.completed",
            "response.failed",
        ]
        assert [events[0]["sequence_number"] for events in found] == [0, 0, 0]
        record = server.wait_over(3, BOUND)[1]
        assert (record.method, record.path, record.query, record.status) == (
            "WEBSOCKET",
            "/v1/responses",
            {"q": "1"},
            200,
        )
        assert record.json == {"type": "response.create", "model": "m", "input": "Hi", "store": False}
        assert record.headers["x-own"] == "1"
        assert record.events_sent == len(found[1])
        assert record.finished


@pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
def test_the_official_client() -> None:
    openai = pytest.importorskip("openai")
    with (
        LocalServer([answers.text("One"), answers.text("Two")]) as server,
        openai.OpenAI(api_key="sk-any", base_url=server.base_url) as sdk,
        sdk.responses.connect() as connection,
    ):
        for _ in range(2):
            connection.response.create(model="m", input="Hi")
            for event in connection:
                if event.type == "response.completed":
                    break
        assert event.response.output[0].content[0].text == "Two"


def test_an_http_error_is_an_error_event_with_its_status() -> None:
    with LocalServer([answers.http_error(429, headers={"retry-after": "1"}), answers.text("Hi")]) as server:
        with client(server) as connection:
            create(connection)
            (error,) = response(connection)
            assert (error["status"], error["headers"]["retry-after"]) == (429, "1")
            assert error["error"]["message"] == "The server answers 429."
            create(connection)
            assert response(connection)[-1]["type"] == "response.completed"
        assert [record.status for record in server.log] == [429, 200]


def test_the_connection_limit_closes_the_socket() -> None:
    with LocalServer([answers.http_error(400, code="websocket_connection_limit_reached")]) as server:
        with client(server) as connection:
            create(connection)
            response(connection)
            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(BOUND)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000


@pytest.mark.parametrize("message", ["no JSON", "[]", '{"type":"response.cancel"}'])
def test_other_messages_are_errors(message: str) -> None:
    with LocalServer() as server, client(server) as connection:
        connection.send(message)
        assert response(connection)[0]["error"]["code"] == "invalid_value"


def test_a_wrong_key_is_refused_before_the_upgrade() -> None:
    with LocalServer(api_key="right") as server:
        with pytest.raises(InvalidStatus) as refused, client(server, authorization="Bearer wrong"):
            pass
        assert refused.value.response.status_code == 401
        assert server.log[0].status == 401
        with client(server, authorization="Bearer right") as connection:
            create(connection)
            assert response(connection)[-1]["type"] == "response.completed"


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "rxstream.testing.server._server.find_spec", lambda name: None if name == "websockets" else found(name)
    )
    with LocalServer() as server:
        headers = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-key": "eA=="}
        answer = httpx.get(f"{server.base_url}/responses", headers=headers, trust_env=False)
    assert answer.status_code == 501
    assert "rxstream[websocket]" in answer.json()["error"]["message"]


def test_a_client_that_closes_is_seen() -> None:
    with LocalServer([answers.endless()], pace=500) as server:
        with client(server) as connection:
            create(connection)
            connection.recv(BOUND)
        (record,) = server.wait_closed(1, BOUND)
        assert record.closed_by_client


def test_what_a_script_raises_reaches_the_test() -> None:
    def broken(request: dict[str, Any]) -> str:
        raise KeyError("mine")

    server = LocalServer([broken])
    with pytest.raises(KeyError, match="mine"), server, client(server) as connection:
        create(connection)
        assert response(connection)[0]["status"] == 500


def test_other_requests_still_go_over_http() -> None:
    with LocalServer([answers.text("Hi")]) as server:
        with client(server) as connection:
            create(connection)
            response_id = response(connection)[0]["response"]["id"]
        answer = httpx.get(f"{server.base_url}/responses/{response_id}", trust_env=False)
        assert answer.json()["status"] == "completed"
