"""Runs of `session.run` that end in the middle, and go on; and runs over one WebSocket."""

from __future__ import annotations

from typing import Any

import pytest

import rxstream
from rxstream.testing import LocalServer, answers
from rxstream.tools import MemoryLedger, RunResumedEvent, ToolStartedEvent
from tests.session._modes import Heard, in_session, modes, nothing_left_behind, options_for
from tests.session._runs import kinds, look, text_of, traveller

ANSWER = "I saw Oslo, Rome."


def travel(mode: str, server: LocalServer, *, transport: Any = None, **options: Any) -> tuple[Heard, list[Any]]:
    """A run against a server that goes on, and the bodies of its requests."""
    heard, before = Heard(), len(server.log)
    request: dict[str, Any] = {"model": "m", "input": "Q", "tools": [look], **options}
    in_session(
        mode, lambda session: heard.subscribe(session.run(**request)), **options_for(server), transport=transport
    )
    return heard, [exchange.json for exchange in server.log[before:]]


@modes
@pytest.mark.parametrize("continue_by", ["input", "previous_response_id"])
def test_after_every_record_it_goes_on_with_what_the_server_has(mode: str, continue_by: str) -> None:
    whole = MemoryLedger()
    with LocalServer([answers.conversation(traveller("Oslo", "Rome"))]) as server:
        heard, _ = travel(mode, server, continue_by=continue_by, ledger=whole)
        assert heard.completed()
        ids = [event.response.id for event in heard.values if event.type == "response.completed"]
        by_id = continue_by == "previous_response_id"
        for count in range(1, len(whole.records)):
            again, requests = travel(mode, server, continue_by=continue_by, ledger=MemoryLedger(whole.records[:count]))
            assert again.completed()
            answered = sum(record["type"] == "turn.ended" for record in whole.records[:count])
            assert len(requests) == 3 - answered
            assert again.values[-1].turn == 3
            if answered == 3:  # nothing is left but the end
                continue
            assert text_of(again) == ANSWER
            resumed = again.values[0]
            assert isinstance(resumed, RunResumedEvent)
            assert resumed.response_id == (ids[answered - 1] if answered else None)
            if by_id:
                assert requests[0].get("previous_response_id") == resumed.response_id
                assert kinds(requests[0]["input"]) == ["function_call_output" if answered else "message"]
            else:
                assert len(requests[0]["input"]) == 1 + 3 * answered
            finished = {record["turn"] for record in whole.records[:count] if record["type"] == "call.finished"}
            if answered in finished:
                assert not any(isinstance(event, ToolStartedEvent) and event.turn == answered for event in again.values)


@modes
@pytest.mark.parametrize("continue_by", ["input", "previous_response_id"])
def test_a_run_has_one_socket(mode: str, continue_by: str) -> None:
    with LocalServer([answers.conversation(traveller("Oslo", "Rome"))]) as server, nothing_left_behind():
        heard, requests = travel(mode, server, transport="websocket", continue_by=continue_by, store=True)
        assert {exchange.connection for exchange in server.log} == {1}
    assert heard.completed()
    assert text_of(heard) == ANSWER
    ids = [event.response.id for event in heard.values if event.type == "response.completed"]
    by_id = continue_by == "previous_response_id"
    assert [request.get("previous_response_id") for request in requests] == ([None, *ids[:2]] if by_id else [None] * 3)
    assert [len(request["input"]) for request in requests] == ([1, 1, 1] if by_id else [1, 4, 7])


@modes
def test_a_socket_that_was_left_in_a_turn_is_not_used_again(mode: str) -> None:
    """What comes on it would be that of the turn that was left."""
    heard = Heard()
    script = [answers.function_calls([("look", {"city": "Oslo"})]), answers.hang(answers.text("Long."), after=3), "B."]
    with LocalServer(script) as server, nothing_left_behind():

        async def main(session: rxstream.Session) -> None:
            first = session.run(model="m", input="Q", tools=[look])
            async for event in rxstream.iterate(first):
                if event.type == "response.in_progress" and len(server.log) == 2:
                    break
            async for event in rxstream.iterate(session.run(model="m", input="Q", tools=[look])):
                heard.values.append(event)

        options = options_for(server) | {"transport": "websocket"}
        in_session(mode, lambda session: session.spawn(lambda: main(session)), **options)
        assert [exchange.connection for exchange in server.log] == [1, 1, 2]
    assert text_of(heard) == "B."


# ---------------------------------------------------------------------- background responses


def ended_in_turn(server: LocalServer, turn: int, **options: Any) -> tuple[MemoryLedger, str]:
    """The ledger of a run whose process ended when the response of a turn had begun; and its id."""
    whole = MemoryLedger()
    heard, _ = travel("with", server, background=True, ledger=whole, **options)
    assert heard.completed()
    steps = [(record["type"], record["turn"]) for record in whole.records[1:-1]]
    count = steps.index(("turn.began", turn)) + 2
    return MemoryLedger(whole.records[:count]), whole.records[count - 1]["response_id"]


@modes
@pytest.mark.parametrize("turn", [1, 3])
@pytest.mark.parametrize("continue_by", ["input", "previous_response_id"])
def test_a_background_response_that_has_begun_is_read_and_not_asked_for_again(
    mode: str, turn: int, continue_by: Any
) -> None:
    with LocalServer([answers.conversation(traveller("Oslo", "Rome"))]) as server:
        ledger, response_id = ended_in_turn(server, turn, continue_by=continue_by)
        before = len(server.log)
        heard, _ = travel(mode, server, background=True, ledger=ledger, continue_by=continue_by)
        methods = [(exchange.method, exchange.path.rpartition("/")[2]) for exchange in server.log[before:]]
        assert methods == [("GET", response_id), *[("POST", "responses")] * (3 - turn)]
        assert [record.get("response_id") for record in ledger.records if record["type"] == "turn.asked"][turn:] == [
            response_id,
            *[None] * (3 - turn),
        ]
    assert heard.completed()
    assert text_of(heard) == ANSWER
    assert heard.types[:3] == ["rxstream.run.resumed", "rxstream.turn.started", "response.created"]
    assert heard.values[-1].turn == 3


@modes
def test_a_background_response_that_the_server_has_lost_is_asked_for_again(mode: str) -> None:
    with LocalServer([answers.conversation(traveller("Oslo"))]) as server:
        ledger, _ = ended_in_turn(server, 2)
    with LocalServer([answers.conversation(traveller("Oslo"))]) as other:
        heard, _ = travel(mode, other, background=True, ledger=ledger)
        assert [exchange.method for exchange in other.log] == ["GET", "GET", "POST"]  # its stream, itself, anew
    assert heard.completed()
    assert text_of(heard) == "I saw Oslo."


def test_a_background_response_that_has_failed_is_asked_for_again() -> None:
    ledger = MemoryLedger()
    with LocalServer([answers.failed(), answers.text("At last.")]) as server:
        heard, _ = travel("with", server, background=True, ledger=ledger)
        assert isinstance(heard.error, rxstream.ResponseError)
        assert ledger.records[-1]["type"] == "turn.failed"
        again, requests = travel("with", server, background=True, ledger=ledger)
    assert again.completed()
    assert text_of(again) == "At last."
    assert len(requests) == 1
