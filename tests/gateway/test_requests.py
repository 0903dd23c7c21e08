"""Requests through a gateway, by the official client: what goes up, what comes down, how it ends."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from rxstream import operators as rxs
from rxstream import probes
from rxstream.gateway import gateway
from rxstream.relay import MemoryLog
from rxstream.testing import LocalServer, answers
from rxstream.testing.answers._answer import Reply, events_in
from tests._given import STREAMS, needs
from tests.gateway._serving import client_of, gateway_at, get, numbers_of, post, text_of
from tests.waiting import BOUND, wait_for
from tests.web._serving import served

TEXT = "One gateway, any client. " * 4


def test_a_stream_comes_down_as_it_came() -> None:
    answer = answers.text(TEXT)
    with LocalServer([answer]) as server, gateway_at(server.base_url) as url:
        body = post(url, {"model": "m", "input": "Hi", "stream": True})
        plain = post(server.base_url, {"model": "m", "input": "Hi", "stream": True})
    assert body.headers["content-type"].startswith("text/event-stream")
    assert [event["type"] for event in events_in(body.content)] == [e["type"] for e in events_in(plain.content)]
    assert [sorted(event) for event in events_in(body.content)] == [sorted(e) for e in events_in(plain.content)]


def test_unknown_events_and_fields_pass() -> None:
    known = answers.text("Hi.")
    events = events_in(b"".join(known.all_frames()))
    events[2:2] = [{"type": "vendor:note", "sequence_number": 2, "deep": {"a": [1, None]}}]
    for number, event in enumerate(events):
        event["sequence_number"] = number
        event["vendor_field"] = number
    with LocalServer([answers.events(events)]) as server, gateway_at(server.base_url) as url:
        body = post(url, {"model": "m", "input": "Hi", "stream": True})
    assert events_in(body.content) == events


def test_unknown_fields_headers_and_queries_go_up() -> None:
    fields = {"model": "m", "input": "Hi", "stream": True, "vendor": {"a": [1, 2.5, None, "ü"]}}
    headers = {"authorization": "Bearer sk-caller-1", "x-vendor": "yes", "cookie": "session=1", "openai-beta": "b"}
    with LocalServer([answers.text("Hi.")]) as server, gateway_at(server.base_url) as url:
        post(url, fields, headers=headers, params={"api-version": "1"})
        post(url, {**fields, "stream": False}, headers=headers, params={"api-version": "1"})
        streamed, plain = server.log
    assert (streamed.json, plain.json) == (fields, {**fields, "stream": False})
    for exchange in (streamed, plain):
        assert exchange.query == {"api-version": "1"}
        sent = exchange.headers
        assert (sent["authorization"], sent["x-vendor"], sent["openai-beta"]) == ("Bearer sk-caller-1", "yes", "b")
        assert "cookie" not in sent


def test_the_official_client_streams_and_does_not_stream() -> None:
    with LocalServer([answers.text(TEXT)]) as server, gateway_at(server.base_url) as url, client_of(url) as client:
        with client.responses.create(model="m", input="Hi", stream=True) as stream:
            assert text_of(stream) == TEXT
        assert client.responses.create(model="m", input="Hi").output_text == TEXT
        with client.responses.stream(model="m", input="Hi") as stream:
            assert stream.get_final_response().output_text == TEXT
        assert [exchange.json.get("stream") for exchange in server.log] == [True, None, True]


@pytest.mark.parametrize("options", [{}, {"log": MemoryLog()}])
def test_an_answer_without_stream_is_that_of_the_server(options: dict[str, Any]) -> None:
    with LocalServer([answers.text(TEXT)]) as server, gateway_at(server.base_url, **options) as url:
        through = post(url).json()
        direct = post(server.base_url).json()
    for body in (through, direct):
        body.pop("id")
        body.pop("created_at")
        for item in body["output"]:
            item.pop("id")
    assert through == direct


@pytest.mark.parametrize("stream", [True, False])
def test_an_error_of_the_server_keeps_its_status_and_its_words(stream: bool) -> None:
    error = {"error": {"message": "Slow down.", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
    reply = Reply(429, json.dumps(error).encode(), {"retry-after": "7", "content-type": "application/json"})
    with LocalServer([reply]) as server, gateway_at(server.base_url) as url, client_of(url) as client:
        with pytest.raises(openai.RateLimitError) as raised:
            client.responses.create(model="m", input="Hi", stream=stream)
        assert len(server.log) == 1
    assert raised.value.body == error["error"]
    assert raised.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("stream", [True, False])
def test_a_server_that_is_away_is_a_502(stream: bool) -> None:
    with (
        gateway_at("http://127.0.0.1:9/v1") as url,
        client_of(url) as client,
        pytest.raises(openai.InternalServerError) as raised,
    ):
        client.responses.create(model="m", input="Hi", stream=stream)
    assert raised.value.status_code == 502
    assert raised.value.code == "ConnectError"
    assert "127.0.0.1" not in str(raised.value)


def test_a_stream_that_breaks_ends_with_an_error_event() -> None:
    with LocalServer([answers.text(TEXT).ends("rst", after=6)]) as server, gateway_at(server.base_url) as url:
        events = events_in(post(url, {"model": "m", "input": "Hi", "stream": True}).content)
    assert len(events) == 7
    assert events[-1]["type"] == "error"
    assert events[-1]["code"] == "DisconnectedError"
    assert events[-1]["sequence_number"] == 6


def test_time_limits() -> None:
    with (
        LocalServer([answers.text(TEXT).ends("hang", after=4)]) as server,
        gateway_at(server.base_url, timeouts={"between": 0.1}) as url,
        client_of(url) as client,
        client.responses.create(model="m", input="Hi", stream=True) as stream,
    ):
        *_, last = stream
    assert (last.type, last.code) == ("error", "BetweenEventsTimeoutError")  # type: ignore[union-attr]
    with LocalServer([Reply(silent=True)]) as server:
        limits = {"first_event": 0.1}
        with (
            gateway_at(server.base_url, timeouts=limits) as url,
            client_of(url) as client,
            pytest.raises(openai.InternalServerError) as raised,
        ):
            client.responses.create(model="m", input="Hi", stream=True)
    assert (raised.value.status_code, raised.value.code) == (504, "FirstEventTimeoutError")


def test_a_client_that_goes_away_ends_the_stream() -> None:
    with LocalServer([answers.text(TEXT).ends("hang", after=5)]) as server, gateway_at(server.base_url) as url:
        with client_of(url) as client, client.responses.create(model="m", input="Hi", stream=True) as stream:
            next(iter(stream))
        assert server.wait_closed(1, BOUND)
        wait_for(lambda: "rxstream_gateway_open_streams 0\n" in get(url.removesuffix("/v1") + "/metrics").text)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_before_the_first_event_ends_the_request(stream: bool) -> None:
    with LocalServer([Reply(silent=True)]) as server, gateway_at(server.base_url) as url:
        with client_of(url) as client, pytest.raises(openai.APITimeoutError):
            client.responses.create(model="m", input="Hi", stream=stream, timeout=0.2)
        assert server.wait_closed(1, BOUND)


def test_dialects_are_repaired_and_every_event_has_a_number() -> None:
    events = [
        {name: value for name, value in event.items() if name != "sequence_number"}
        for event in events_in(b"".join(answers.text(TEXT).all_frames()))
    ]
    for event in events:
        event.pop("output_index", None)
    with (
        LocalServer([answers.events(events)]) as server,
        gateway_at(server.base_url) as url,
        client_of(url) as client,
        client.responses.create(model="m", input="Hi", stream=True) as stream,
    ):
        received = list(stream)
    assert numbers_of(received) == list(range(len(events)))
    assert all(event.output_index == 0 for event in received if event.type == "response.output_text.delta")
    assert text_of(received) == TEXT


def test_the_fallback_answers_where_the_server_cannot() -> None:
    with LocalServer([answers.text("Other.")]) as other:
        options = {"fallback": other.base_url, "fallback_model": "small"}
        with gateway_at("http://127.0.0.1:9/v1", **options) as url, client_of(url) as client:
            with client.responses.create(model="m", input="Hi", stream=True) as stream:
                assert text_of(stream) == "Other."
            assert client.responses.create(model="m", input="Hi").output_text == "Other."
        first = other.log[0]
    assert first.json["model"] == "small"
    assert "authorization" not in first.headers


def test_what_the_server_refuses_is_not_asked_of_the_fallback() -> None:
    with LocalServer([answers.text("Other.")]) as other, LocalServer(api_key="right") as server:
        with (
            gateway_at(server.base_url, fallback=other.base_url) as url,
            client_of(url) as client,
            pytest.raises(openai.AuthenticationError),
        ):
            client.responses.create(model="m", input="Hi", stream=True)
        assert not other.log


def test_the_headers_of_the_answer_come_down() -> None:
    body = b"".join(answers.text("Hi.").all_frames())
    headers = {"content-type": "text/event-stream", "x-request-id": "req_1", "x-ratelimit-remaining-tokens": "9"}
    with (
        LocalServer([Reply(200, body, {**headers, "set-cookie": "a=b"})]) as server,
        gateway_at(server.base_url) as url,
    ):
        answer = post(url, {"model": "m", "input": "Hi", "stream": True})
    assert answer.headers["x-request-id"] == "req_1"
    assert answer.headers["x-ratelimit-remaining-tokens"] == "9"
    assert "set-cookie" not in answer.headers


def test_streams_are_recorded(tmp_path: Any) -> None:
    with (
        LocalServer([answers.text(TEXT)]) as server,
        gateway_at(server.base_url, record=tmp_path / "tapes") as url,
        client_of(url) as client,
    ):
        assert client.responses.create(model="m", input="Hi").output_text == TEXT
        assert client.responses.create(model="m", input="Hi").output_text == TEXT
    tapes = list((tmp_path / "tapes").iterdir())
    assert len(tapes) == 2
    assert all("sk-caller-1" not in tape.read_text() for tape in tapes)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 400), (b'{"a": NaN}', 400), (b'{"stream": "yes"}', 400), (b"[" * 100_000, 400)],
)
def test_a_body_that_cannot_be_read(body: bytes, status: int) -> None:
    with gateway_at("http://127.0.0.1:9/v1") as url:
        headers = {"content-type": "application/json"}
        answer = httpx.post(f"{url}/responses", content=body, headers=headers, trust_env=False)
        assert answer.status_code == status
        assert answer.json()["error"]["type"] == "invalid_request_error"
        form = httpx.post(f"{url}/responses", data={"model": "m"}, trust_env=False)
        assert form.status_code == 415
        unknown = get(f"{url}/models")
        assert (unknown.status_code, unknown.json()["error"]["message"]) == (404, "Invalid URL (GET /v1/models)")


def test_it_is_mounted_in_another_application() -> None:
    with LocalServer([answers.text(TEXT)]) as server:
        for runs, status in ((True, 200), (False, 503)):
            app = gateway(server.base_url)
            lifespan = app.router.lifespan_context if runs else None
            with served(Starlette(routes=[Mount("/ai", app)], lifespan=lifespan), lifespan=True) as url:
                answer = post(f"{url}/ai/v1")
                assert answer.status_code == status
                assert status == 200 or "lifespan" in answer.json()["error"]["message"]


@needs(STREAMS)
def test_recorded_streams_come_down_as_they_came() -> None:
    from tests.operators._recorded import NAMES, WHOLE, recorded

    names = [name for name in NAMES if name in WHOLE][:12]
    sent = [[event.model_dump(mode="json") for event in recorded(name)] for name in names]
    with (
        LocalServer([answers.events(events) for events in sent]) as server,
        gateway_at(server.base_url) as url,
        httpx.Client(trust_env=False, timeout=BOUND) as client,
    ):
        for events in sent:
            request = {"model": "m", "input": "Hi", "stream": True}
            assert events_in(client.post(f"{url}/responses", json=request).content) == events


def test_a_page_watches_the_streams_where_it_is_wanted() -> None:
    with LocalServer(["Hello there."] * 2) as server:
        with gateway_at(server.base_url) as url:
            assert httpx.get(url.removesuffix("/v1") + "/inspect/", trust_env=False).status_code == 404
        probes.clear()
        with gateway_at(server.base_url, moderate=rxs.debounce_moderation(lambda window: False), inspect=True) as url:
            post(url, {"model": "m", "input": "Hi", "stream": True})
            page = httpx.get(url.removesuffix("/v1") + "/inspect/", trust_env=False)
            (stream,) = probes.snapshot()
    assert page.status_code == 200
    assert "<html" in page.text
    assert [(stage.name, stage.state) for stage in stream.stages] == [
        ("server", "completed"),
        ("operator 1", "completed"),
    ]
    assert "Hello" not in str(stream)
