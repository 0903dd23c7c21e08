"""Deleting responses, and their input items, by the official clients."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest

from rxstream import operators as rxs
from rxstream.errors import StreamNotFoundError
from rxstream.gateway._errors import text_of as text_of_error
from rxstream.moderation import Blocklist
from rxstream.relay import MemoryLog
from rxstream.testing import LocalServer, answers
from tests.gateway._serving import client_of, gateway_at, get, post
from tests.waiting import BOUND, wait_for
from tests.web._clients import needs_node, run_node

TEXT = "Kept until it is deleted."
HELD = "sk-held-by-the-gateway"
KEYS = {"passed through": {}, "held": {"key": HELD}}


def delete(url: str, response_id: str, key: str = "sk-caller-1") -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.delete(f"{url}/responses/{response_id}", headers=headers, trust_env=False, timeout=BOUND)


@pytest.mark.parametrize("log", [None, MemoryLog()], ids=["no log", "log"])
def test_the_official_client_deletes_a_response(log: MemoryLog | None) -> None:
    with LocalServer([answers.text(TEXT)]) as server, gateway_at(server.base_url, log=log) as url:
        with client_of(url) as client:
            response_id = client.responses.create(model="m", input="Hi").id
            assert log is None or len(log) == 1
            client.responses.delete(response_id)
            assert not log
            for stream in (False, True):
                with pytest.raises(openai.NotFoundError):
                    client.responses.retrieve(response_id, stream=stream)  # type: ignore[call-overload]
            with pytest.raises(openai.NotFoundError):
                client.responses.delete(response_id)
        assert {exchange.headers["authorization"] for exchange in server.log} == {"Bearer sk-caller-1"}
        methods = [(exchange.method, exchange.path) for exchange in server.log]
    assert ("DELETE", f"/v1/responses/{response_id}") in methods


@pytest.mark.parametrize("options", KEYS.values(), ids=KEYS)
def test_a_response_in_the_log_has_input_items(options: dict[str, Any]) -> None:
    with LocalServer([answers.text(TEXT)]) as server, gateway_at(server.base_url, log=MemoryLog(), **options) as url:
        with client_of(url) as client:
            response_id = client.responses.create(model="m", input="What is kept?").id
            (item,) = client.responses.input_items.list(response_id, limit=5)
        assert item.content[0].text == "What is kept?"  # type: ignore[union-attr]
        asked = server.log[-1]
    assert (asked.path, asked.query) == (f"/v1/responses/{response_id}/input_items", {"limit": "5"})


def test_with_a_held_key_only_own_responses_are_deleted_and_have_input_items() -> None:
    """For others the answer is that for an id that never was, and nothing goes up."""
    with LocalServer([answers.text(TEXT)], api_key=HELD) as server:
        with gateway_at(server.base_url, log=MemoryLog(), key=HELD) as url:
            own = post(url).json()["id"]
            for request in (delete, lambda url, name, key: get(f"{url}/responses/{name}/input_items", key)):
                replies = [request(url, name, "sk-caller-2") for name in (own, "resp_never")]
                assert [reply.status_code for reply in replies] == [404, 404]
                assert replies[0].text == replies[1].text.replace("resp_never", own)
            assert len(server.log) == 1
            assert delete(url, own).json() == {"id": own, "object": "response", "deleted": True}
            assert delete(url, own).status_code == 404
            assert len(server.log) == 2
        with gateway_at(server.base_url, key=HELD) as url:  # without a log none is known
            own = post(url).json()["id"]
            assert delete(url, own).status_code == 404


def test_a_server_that_keeps_no_responses_does_not_keep_ours() -> None:
    log = MemoryLog()
    with LocalServer([answers.text(TEXT)]) as server, gateway_at(server.base_url, log=log) as url:
        response_id = post(url).json()["id"]
        assert delete(server.base_url, response_id).status_code == 200
        assert delete(url, response_id).json() == {"id": response_id, "object": "response", "deleted": True}
    assert len(log) == 0


def test_where_the_server_cannot_delete_the_log_keeps_it_for_another_try() -> None:
    log = MemoryLog()
    with LocalServer([answers.text(TEXT)]) as server, gateway_at(server.base_url, log=log) as url:
        response_id = post(url).json()["id"]
        server.close()
        assert delete(url, response_id).status_code == 502
        assert get(f"{url}/responses/{response_id}").status_code == 200
    assert len(log) == 1


def test_a_stream_that_runs_ends_when_it_is_deleted() -> None:
    """For who follows it, and at the server; from any process."""
    log = MemoryLog()
    endless = answers.text(TEXT).ends("hang", after=5)
    with (
        LocalServer([endless]) as server,
        gateway_at(server.base_url, log=log) as first,
        gateway_at(server.base_url, log=log) as second,
        client_of(first) as client,
        client_of(second) as other,
    ):
        with client.responses.create(model="m", input="Hi", stream=True) as stream:
            events = iter(stream)
            response_id = next(events).response.id  # type: ignore[union-attr]
            other.responses.delete(response_id)
            *_, last = events
        assert (last.type, last.code) == ("error", "StreamNotFoundError")  # type: ignore[union-attr]
        assert server.wait_closed(1, BOUND)
        wait_for(lambda: "rxstream_gateway_open_streams 0" in get(first.removesuffix("/v1") + "/metrics").text)
    assert len(log) == 0


def test_moderation_shows_no_input_items() -> None:
    """They have what earlier responses said, as the server has it."""
    moderate = rxs.debounce_moderation(Blocklist(["never"]))
    with (
        LocalServer([answers.text(TEXT)]) as server,
        gateway_at(server.base_url, moderate=moderate, log=MemoryLog()) as url,
    ):
        response_id = post(url).json()["id"]
        assert get(f"{url}/responses/{response_id}/input_items").status_code == 404
        assert delete(url, response_id).status_code == 200
        assert get(f"{url}/responses/{response_id}").status_code == 404


@pytest.mark.parametrize("path", ["/responses", "/responses/ID", "/responses/ID/input_items"])
def test_a_held_key_that_the_server_refuses_is_a_502_on_each_route(path: str) -> None:
    log = MemoryLog()
    options: dict[str, Any] = {"log": None} if path == "/responses" else {"log": log}
    with LocalServer([answers.text(TEXT)], api_key=HELD) as server:
        with gateway_at(server.base_url, key=HELD, log=log) as url:
            response_id = post(url).json()["id"]
        with gateway_at(server.base_url, key="sk-of-yesterday", **options) as url:
            if path == "/responses":
                answer = post(url)
            elif path.endswith("ID"):
                answer = delete(url, response_id)
            else:
                answer = get(url + path.replace("ID", response_id))
    assert (answer.status_code, answer.json()["error"]["type"]) == (502, "server_error")


def test_what_a_follower_is_told_of_a_deleted_stream_names_nothing() -> None:
    assert "gateway-" not in text_of_error(StreamNotFoundError("gateway-1f", stream_id="gateway-1f", position=None))


@needs_node
def test_the_javascript_client() -> None:
    with LocalServer([answers.text(TEXT)]) as server, gateway_at(server.base_url, log=MemoryLog()) as url:
        result = run_node("delete_response.mjs", {"url": url, "input": "What is kept?"})
    assert result == {"items": ["What is kept?"], "after": 404, "again": 404}
