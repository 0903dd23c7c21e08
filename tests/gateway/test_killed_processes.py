"""One of two gateway processes is killed in the middle of a stream. The client's next request gets the rest, once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import openai
import pytest

from rxstream.testing import LocalServer, answers
from rxstream.testing.answers._answer import Answer
from tests.gateway._processes import ServeProcess, serve_processes
from tests.gateway._serving import client_of, numbers_of, text_of
from tests.web._clients import needs_node, run_node

TEXT = "Two processes, one stream, each event once. " * 4
COUNT = len(list(answers.text(TEXT).all_frames()))
CUTS = (2, COUNT // 2, COUNT - 4)
GAP = 4.0
"""Seconds in which a process is killed."""


def waiting_at(cut: int) -> Answer:
    """An answer that goes on after a while behind its first events."""
    return replace(answers.text(TEXT), pace=[0.0] * cut + [GAP] * (COUNT - cut))


def hanging_at(cut: int) -> Answer:
    """An answer that does not go on behind its first events, over this connection."""
    return answers.text(TEXT).ends("hang", after=cut)


def read_until_killed(stream: Any, victim: ServeProcess, cut: int) -> list[Any]:
    """The events up to the end of the connection. The process is killed when `cut` events have come."""
    events: list[Any] = []
    with pytest.raises(openai.APIConnectionError):
        for event in stream:
            events.append(event)
            if len(events) == cut:
                victim.kill()
    assert len(events) < COUNT
    return events


@pytest.mark.parametrize("cut", CUTS)
def test_the_process_that_sends_is_killed(valkey_url: str, cut: int) -> None:
    """Another one reads from the server, so the stream goes on: any server will do."""
    with LocalServer([waiting_at(cut)]) as server, serve_processes() as start:
        arguments = ("--upstream", server.base_url, "--relay", valkey_url)
        reader, sender = start(*arguments), start(*arguments)
        with (
            client_of(reader.base_url) as client,
            client.responses.create(model="m", input="Hi", stream=True) as stream,
        ):
            response_id = next(iter(stream)).response.id  # type: ignore[union-attr]
        with client_of(sender.base_url) as client, client.responses.retrieve(response_id, stream=True) as stream:
            head = read_until_killed(stream, sender, cut)
        with client_of(reader.base_url) as client:
            after = head[-1].sequence_number
            with client.responses.retrieve(response_id, stream=True, starting_after=after) as stream:
                rest = list(stream)
        assert len(server.log) == 1
    assert numbers_of(head + rest) == list(range(COUNT))
    assert text_of(head + rest) == TEXT


@pytest.mark.parametrize("cut", CUTS)
def test_the_process_that_reads_from_the_server_is_killed(valkey_url: str, cut: int) -> None:
    """The server keeps a background response, so another process goes on with it."""
    with LocalServer([hanging_at(cut)]) as server, serve_processes() as start:
        arguments = ("--upstream", server.base_url, "--relay", valkey_url, "--lease", "1")
        first, second = start(*arguments), start(*arguments)
        with (
            client_of(first.base_url) as client,
            client.responses.create(model="m", input="Hi", stream=True, background=True) as stream,
        ):
            head = read_until_killed(stream, first, cut)
        with client_of(second.base_url) as client:
            options = {"stream": True, "starting_after": head[-1].sequence_number}
            with client.responses.retrieve(head[0].response.id, **options) as stream:
                rest = list(stream)
            assert client.responses.retrieve(head[0].response.id).output_text == TEXT
        assert server.log[1].headers["authorization"] == "Bearer sk-caller-1"
    assert numbers_of(head + rest) == list(range(COUNT))
    assert text_of(head + rest) == TEXT


def test_without_a_background_response_the_end_is_told(valkey_url: str) -> None:
    with LocalServer([hanging_at(COUNT // 2)]) as server, serve_processes() as start:
        arguments = ("--upstream", server.base_url, "--relay", valkey_url, "--lease", "1")
        first, second = start(*arguments), start(*arguments)
        with client_of(first.base_url) as client, client.responses.create(model="m", input="Hi", stream=True) as stream:
            head = read_until_killed(stream, first, COUNT // 2)
        with client_of(second.base_url) as client:
            with client.responses.retrieve(head[0].response.id, stream=True) as stream:
                *events, last = stream
            assert client.responses.retrieve(head[0].response.id).status == "failed"
    assert (last.type, last.code) == ("error", "ProducerLostError")
    assert numbers_of(events) == list(range(len(events)))
    assert len(events) >= len(head)


@needs_node
@pytest.mark.parametrize("background", [True, False])
def test_the_javascript_client(valkey_url: str, background: bool) -> None:
    answer = hanging_at(COUNT // 2) if background else waiting_at(COUNT // 2)
    with LocalServer([answer]) as server, serve_processes() as start:
        arguments = ("--upstream", server.base_url, "--relay", valkey_url, "--lease", "1")
        first, second = start(*arguments), start(*arguments)
        given: dict[str, Any] = {"cut": COUNT // 2, "background": background, "second": second.base_url}
        if background:
            given |= {"first": first.base_url, "sender": first.base_url, "kill": first.process.pid}
        else:
            third = start(*arguments)
            given |= {"first": first.base_url, "sender": third.base_url, "kill": third.process.pid}
        result = run_node("read_gateway.mjs", given)
    assert result["numbers"] == list(range(COUNT))
    assert result["text"] == TEXT
    assert 0 < result["before"] < COUNT
    assert result["whole"] == TEXT
    assert result["other"] == 404
