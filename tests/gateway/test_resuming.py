"""Streams of a gateway with a log: they run on without their client, and any process has the rest."""

from __future__ import annotations

from dataclasses import replace

import openai
import pytest

from rxstream import operators as rxs
from rxstream.moderation import Blocklist
from rxstream.relay import MemoryLog
from rxstream.testing import LocalServer, answers
from rxstream.testing.answers._answer import events_in
from tests.gateway._serving import client_of, gateway_at, get, numbers_of, post, text_of
from tests.waiting import BOUND, wait_for

TEXT = "It runs on without its client. " * 4
PACED = replace(answers.text(TEXT), pace=400)
COUNT = len(list(answers.text(TEXT).all_frames()))


@pytest.mark.parametrize("cut", [1, 3, 7, COUNT])
def test_a_client_gets_the_rest_from_any_process(cut: int) -> None:
    log = MemoryLog()
    with LocalServer([PACED]) as server, gateway_at(server.base_url, log=log) as first:
        with gateway_at(server.base_url, log=log) as second:
            with client_of(first) as client, client.responses.create(model="m", input="Hi", stream=True) as stream:
                head = [event for event, _ in zip(stream, range(cut), strict=False)]
            response_id = head[0].response.id  # type: ignore[union-attr]
            after = head[-1].sequence_number
            with client_of(second) as client:
                with client.responses.retrieve(response_id, stream=True, starting_after=after) as stream:
                    rest = list(stream)
                with client.responses.retrieve(response_id, stream=True) as stream:
                    assert numbers_of(stream) == list(range(COUNT))
                assert client.responses.retrieve(response_id).output_text == TEXT
        assert len(server.log) == 1
    assert numbers_of(head + rest) == list(range(COUNT))
    assert text_of(head + rest) == TEXT


def test_what_a_client_gets_is_what_the_server_sent() -> None:
    with LocalServer([answers.text(TEXT)]) as server, gateway_at(server.base_url, log=MemoryLog()) as url:
        through = events_in(post(url, {"model": "m", "input": "Hi", "stream": True}).content)
        response_id = through[0]["response"]["id"]
        again = events_in(get(f"{url}/responses/{response_id}?stream=true").content)
        plain = get(f"{url}/responses/{response_id}").json()
        direct = events_in(get(f"{server.base_url}/responses/{response_id}?stream=true").content)
    assert through == again == direct
    assert plain == direct[-1]["response"]


def test_without_a_log_the_server_is_asked() -> None:
    with LocalServer([answers.text(TEXT)]) as server, gateway_at(server.base_url) as url, client_of(url) as client:
        with client.responses.create(model="m", input="Hi", stream=True, background=True) as stream:
            response_id = next(iter(stream)).response.id  # type: ignore[union-attr]
        with client.responses.retrieve(response_id, stream=True, starting_after=3) as stream:
            assert numbers_of(stream) == list(range(4, COUNT))
        assert client.responses.retrieve(response_id).output_text == TEXT
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve("resp_unknown")


def test_a_stream_is_cancelled_from_any_process() -> None:
    log = MemoryLog()
    endless = answers.text(TEXT).ends("hang", after=6)
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
            assert other.responses.retrieve(response_id).status == "in_progress"
            assert other.responses.cancel(response_id).status == "cancelled"
            *_, last = events
        assert (last.type, last.code) == ("error", "StreamCancelledError")  # type: ignore[union-attr]
        assert server.wait_closed(1, BOUND)
        assert other.responses.retrieve(response_id).status == "cancelled"
        assert client.responses.cancel(response_id).status == "cancelled"


def test_a_background_response_is_cancelled_at_the_server_too() -> None:
    endless = answers.text(TEXT).ends("hang", after=6)
    with LocalServer([endless]) as server, gateway_at(server.base_url, log=MemoryLog()) as url:
        with client_of(url) as client:
            started = client.responses.create(model="m", input="Hi", background=True)
            assert started.status in ("queued", "in_progress")
            assert client.responses.cancel(started.id).status == "cancelled"
        paths = [exchange.path for exchange in server.log]
    assert paths == ["/v1/responses", f"/v1/responses/{started.id}/cancel"]


def test_a_background_response_without_stream_is_asked_for_until_it_has_ended() -> None:
    with LocalServer([PACED]) as server, gateway_at(server.base_url, log=MemoryLog()) as url, client_of(url) as client:
        response = client.responses.create(model="m", input="Hi", background=True)
        statuses = [response.status]
        while response.status != "completed":
            response = client.responses.retrieve(response.id)
            statuses.append(response.status)
        assert response.output_text == TEXT
        assert statuses[0] in ("queued", "in_progress")
        assert len(server.log) == 1


def test_a_second_response_of_one_id_is_sent_without_the_log() -> None:
    """Some servers repeat their ids. The stream of the first one must not be taken for the second."""
    events = events_in(b"".join(answers.text("One.").all_frames()))
    other = events_in(b"".join(answers.text("Two.").all_frames()))
    with (
        LocalServer([answers.events(events), answers.events(other)]) as server,
        gateway_at(server.base_url, log=MemoryLog()) as url,
        client_of(url) as client,
    ):
        for text in ("One.", "Two."):
            with client.responses.create(model="m", input="Hi", stream=True) as stream:
                assert text_of(stream) == text


def test_moderation_is_in_force_in_every_way_to_the_text() -> None:
    answer = answers.text("This is fine. This is bad. " * 3)
    moderate = rxs.debounce_moderation(Blocklist(["bad"]), quiet=0.01, on_flag="replace")
    with LocalServer([answer]) as server, gateway_at(server.base_url, moderate=moderate, log=MemoryLog()) as url:
        with client_of(url) as client:
            with client.responses.create(model="m", input="Hi", stream=True) as stream:
                events = list(stream)
            response_id = events[0].response.id  # type: ignore[union-attr]
            with client.responses.retrieve(response_id, stream=True, starting_after=1) as stream:
                again = list(stream)
            texts = [
                text_of(events),
                text_of(again),
                client.responses.retrieve(response_id).output_text,
                client.responses.create(model="m", input="Hi").output_text,
            ]
            assert texts == ["This is fine. This is [removed]. " * 3] * 4
            assert not any(event.type.startswith("rxstream.") for event in events)
            assert numbers_of(events) == sorted(set(numbers_of(events)))
            assert [event.to_dict() for event in again] == [event.to_dict() for event in events[2:]]
        with client_of(url, "sk-caller-2") as client, pytest.raises(openai.NotFoundError):
            client.responses.retrieve(response_id)


def test_moderation_without_a_log_lets_no_background_response_pass() -> None:
    moderate = rxs.debounce_moderation(Blocklist(["bad"]))
    with (
        LocalServer([answers.text("bad")]) as server,
        gateway_at(server.base_url, moderate=moderate) as url,
        client_of(url) as client,
    ):
        with pytest.raises(openai.BadRequestError):
            client.responses.create(model="m", input="Hi", background=True)
        assert not server.log
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve("resp_1")


def test_a_detached_stream_is_counted_until_its_end() -> None:
    with LocalServer([PACED]) as server, gateway_at(server.base_url, log=MemoryLog()) as url:
        metrics = url.removesuffix("/v1") + "/metrics"
        with client_of(url) as client, client.responses.create(model="m", input="Hi", stream=True) as stream:
            next(iter(stream))
        assert "rxstream_gateway_open_streams 1\n" in get(metrics).text
        wait_for(lambda: "rxstream_gateway_open_streams 0\n" in get(metrics).text)
        lines = get(metrics).text.splitlines()
    assert f"rxstream_gateway_events_total {COUNT}" in lines
    assert 'rxstream_gateway_streams_ended_total{end="completed"} 1' in lines
    assert 'rxstream_gateway_requests_total{route="/v1/responses",status="200"} 1' in lines
    assert "rxstream_gateway_first_event_seconds_count 1" in lines
