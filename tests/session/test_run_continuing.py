"""What each turn of a run sends of the conversation, and what is left for the next run."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import rxstream
from rxstream import operators as rxs
from rxstream.errors import StatusError
from rxstream.testing import LocalServer, answers
from rxstream.tools import keep_bytes, keep_tokens, shorten_outputs, turns
from tests.session._modes import in_session, modes, options_for
from tests.session._runs import cities_of, journey, kinds, look, run, text_of, with_session
from tests.waiting import BOUND, until

# ---------------------------------------------------------------------- items as they came

ODD = [
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA", "content": None, "x_new": [1.5]},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "phase": "commentary",
        "content": [{"type": "output_text", "text": "I look.", "annotations": [], "logprobs": [], "x_part": None}],
    },
    {"type": "x_vendor_item", "id": "x_1", "deep": {"a": [None, 2**53, "é\u2028"]}},
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "look",
        "arguments": '{"city" : "Oslo"}',
        "status": "completed",
        "namespace": "n",
        "x_id": 7,
    },
]


def finished_with(output: list[dict[str, Any]], *, listed: bool) -> answers.Answer:
    """A response with exactly this output, in its terminal event or only in the events of its items."""
    opening = {"id": "resp_1", "object": "response", "status": "in_progress", "output": []}
    done = {**opening, "status": "completed", "output": output if listed else []}
    return answers.events(
        [
            {"type": "response.created", "response": opening},
            *({"type": "response.output_item.done", "output_index": i, "item": item} for i, item in enumerate(output)),
            {"type": "response.completed", "response": done},
        ]
    )


@pytest.mark.parametrize("listed", [True, False])
def test_items_go_back_as_they_came(listed: bool) -> None:
    given = {"role": "user", "content": "Q", "x_mine": None}
    heard, requests = run("with", [finished_with(ODD, listed=listed), "Warm."], input=[given])
    assert heard.completed()
    assert requests[1]["input"][:-1] == [given, *ODD]
    assert heard.values[-1].input[:5] == [given, *ODD]


def test_the_input_may_be_models_of_an_earlier_answer() -> None:
    with LocalServer(["One.", "Two."]) as server, with_session(server) as session:
        first = rxstream.result(session.response(model="m", input="Q").pipe(rxs.final_response())).wait(BOUND)
        rxstream.result(session.run(model="m", input=[*first.output, {"role": "user", "content": "And?"}])).wait(BOUND)
        sent = server.log[1].json["input"]
    assert sent[0] == first.output[0].model_dump(mode="json")


# ---------------------------------------------------------------------- reasoning that is not stored


def test_reasoning_that_the_server_does_not_store_goes_back_encrypted() -> None:
    heard, requests = journey("Oslo", store=False)
    assert text_of(heard) == "I saw Oslo."
    assert [request["include"] for request in requests] == [["reasoning.encrypted_content"]] * 2
    assert requests[1]["input"][1]["encrypted_content"]
    _, requests = journey("Oslo", store=False, include=["web_search_call.results"])
    assert requests[0]["include"] == ["web_search_call.results", "reasoning.encrypted_content"]
    _, requests = journey("Oslo", store=False, include=["reasoning.encrypted_content"])
    assert requests[0]["include"] == ["reasoning.encrypted_content"]


def test_it_is_asked_for_only_where_it_is_needed() -> None:
    for options in ({}, {"store": True}, {"conversation": "conv_1", "store": False}):
        _, requests = journey("Oslo", **options)
        assert "include" not in requests[0]
    heard, requests = journey("Oslo", store=False, include=[])
    assert requests[0]["include"] == []
    assert isinstance(heard.error, StatusError)  # the server refuses reasoning that nobody has


# ---------------------------------------------------------------------- conversations that the server keeps


@modes
def test_by_the_id_of_the_response_before(mode: str) -> None:
    heard, requests = journey("Oslo", "Rome", mode=mode, continue_by="previous_response_id", instructions="Brief.")
    assert heard.completed()
    assert text_of(heard) == "I saw Oslo, Rome."
    ids = [event.response.id for event in heard.values if event.type == "response.completed"]
    assert [request.get("previous_response_id") for request in requests] == [None, *ids[:2]]
    assert [kinds(request["input"]) for request in requests] == [["message"], *[["function_call_output"]] * 2]
    assert [request["instructions"] for request in requests] == ["Brief."] * 3
    last = heard.values[-1]
    assert (last.input, last.response_id) == ([], ids[2])


def test_a_run_that_a_rule_stopped_goes_on_by_the_id() -> None:
    heard, _ = journey("Oslo", "Rome", continue_by="previous_response_id", stop_when=turns(1))
    last = heard.values[-1]
    assert kinds(last.input) == ["function_call_output"]
    with LocalServer([answers.conversation(lambda items: f"{len(items)} items.")]) as server:
        with with_session(server) as session:
            request: dict[str, Any] = {"model": "m", "tools": [look], "continue_by": "previous_response_id"}
            first = rxstream.result(session.run(input="Q", **request)).wait(BOUND)
            again = session.run(input="And?", previous_response_id=first.response_id, **request)
            assert "".join(rxstream.iterate(again.pipe(rxs.text_only()))) == "3 items."
        assert server.log[1].json["previous_response_id"] == first.response_id


@modes
@pytest.mark.parametrize("conversation", ["conv_1", {"id": "conv_1"}])
def test_in_a_conversation_of_the_server(mode: str, conversation: Any) -> None:
    heard, requests = journey("Oslo", "Rome", mode=mode, conversation=conversation)
    assert text_of(heard) == "I saw Oslo, Rome."
    assert [kinds(request["input"]) for request in requests] == [["message"], *[["function_call_output"]] * 2]
    assert all(request["conversation"] == conversation for request in requests)
    assert not any("previous_response_id" in request for request in requests)
    assert heard.values[-1].input == []


def test_an_id_of_ones_own_is_sent_in_every_turn() -> None:
    with LocalServer([answers.conversation(lambda items: "Hi.")]) as server, with_session(server) as session:
        first = rxstream.result(session.run(model="m", input="Q")).wait(BOUND)

        def play(items: list[Any]) -> Any:
            assert items[0] == {"role": "user", "content": "Q"}
            return "Done." if cities_of(items) else answers.function_calls([("look", {"city": "Oslo"})])

        server.say(answers.conversation(play))
        request: dict[str, Any] = {"model": "m", "tools": [look], "previous_response_id": first.response_id}
        last = rxstream.result(session.run(input="Go.", **request)).wait(BOUND)
        assert [exchange.json.get("previous_response_id") for exchange in server.log[1:]] == [first.response_id] * 2
        assert kinds(last.input) == ["message", "function_call", "function_call_output", "message"]


def test_after_a_turn_that_was_cut_short() -> None:
    script = [answers.function_calls([("look", {"city": "Oslo"})]), answers.incomplete("I s")]
    heard, requests = run("with", script, continue_by="previous_response_id")
    last = heard.values[-1]
    assert last.stopped_by == "incomplete"
    assert (last.input, last.response_id) == (requests[1]["input"], requests[1]["previous_response_id"])


def test_a_server_without_ids_cannot_go_on_by_them() -> None:
    nameless = answers.events(
        [
            {"type": "response.output_item.done", "output_index": 0, "item": ODD[3]},
            {"type": "response.completed", "response": {"status": "completed", "output": [ODD[3]]}},
        ]
    )
    heard, requests = run("with", [nameless], continue_by="previous_response_id")
    assert isinstance(heard.error, ValueError)
    assert 'use continue_by="input"' in str(heard.error)
    assert len(requests) == 1


def test_a_run_without_input() -> None:
    with LocalServer(["Hi."]) as server, with_session(server) as session:
        rxstream.result(session.run(model="m", prompt={"id": "pmpt_1"})).wait(BOUND)
        assert server.log[0].json.keys() == {"model", "prompt", "stream"}


# ---------------------------------------------------------------------- context


@modes
def test_a_context_shortens_what_is_sent_and_not_what_is_kept(mode: str) -> None:
    size = len(json.dumps({"role": "user", "content": "Q"})) + 500
    heard, requests = journey(*"ABCDE", mode=mode, context=keep_bytes(size), stop_when=turns(4), instructions="I")
    sizes = [len(json.dumps(request["input"], separators=(",", ":"))) for request in requests]
    assert max(sizes) <= size
    for request in requests:
        assert request["input"][0] == {"role": "user", "content": "Q"}
    assert len(heard.values[-1].input) == 1 + 4 * 3


def test_tokens_are_those_that_the_usage_tells() -> None:
    def play(items: list[Any]) -> Any:
        return answers.function_calls([("look", {"city": "x" * 400})])

    unlimited = run("with", [answers.conversation(play)], stop_when=turns(6))[1]
    _, requests = run("with", [answers.conversation(play)], stop_when=turns(6), context=keep_tokens(700))
    lengths = [len(request["input"]) for request in requests]
    assert lengths[:2] == [1, 3]
    assert lengths[-1] == lengths[-2] < len(unlimited[-1]["input"])
    assert requests[-1]["input"][-1] == unlimited[-1]["input"][-1] | {"call_id": requests[-1]["input"][-1]["call_id"]}


@modes
@pytest.mark.parametrize("is_async", [True, False])
def test_a_function_of_the_items(mode: str, is_async: bool) -> None:
    def shorten(items: list[Any]) -> list[Any]:
        for item in items:
            item["x_seen"] = True  # the run keeps what came
        return [items[0], *items[-2:]]

    async def shorten_later(items: list[Any]) -> list[Any]:
        await anyio.lowlevel.checkpoint()
        return shorten(items)

    context = shorten_later if is_async else shorten
    heard, requests = journey("Oslo", mode=mode, context=[shorten_outputs(10), context])
    assert heard.completed()
    assert [item["x_seen"] for item in requests[1]["input"]] == [True] * 3
    assert not any("x_seen" in item for item in heard.values[-1].input)


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (lambda items: None, TypeError, r"expected a list of items from <lambda>\(\), got NoneType"),
        (lambda items: "all", TypeError, "got str"),
        (lambda items: [3], TypeError, r"expected items as dicts from <lambda>\(\), got int"),
        (lambda items: [], ValueError, "got an empty list"),
        (lambda items: items[:-1], ValueError, "left out only the output of call_"),
        (lambda items: [*items[:1], *items[3:]], ValueError, "left out only the call of call_"),
        (lambda items: [*items, items[-1]], ValueError, "repeated the output of call_"),
        (lambda items: [*items[:-2], items[-1], items[-2]], ValueError, "the output of call_.* before its call"),
        (lambda items: 1 / 0, ZeroDivisionError, "division"),
    ],
)
def test_a_function_that_returns_something_else(answer: Any, kind: type[Exception], message: str) -> None:
    heard, requests = journey("Oslo", context=lambda items: items)
    assert heard.completed()

    def context(items: list[Any]) -> Any:
        return answer(items) if len(items) > 1 else items

    context.__name__ = "<lambda>"
    heard, requests = journey("Oslo", context=context)
    assert isinstance(heard.error, kind)
    assert re.search(message, str(heard.error))
    assert len(requests) == 1


@modes
def test_disposing_while_a_function_shortens(mode: str) -> None:
    ended: list[bool] = []
    began = threading.Event()

    async def shorten(items: list[Any]) -> list[Any]:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)
        return items

    with LocalServer(["Hi."]) as server:

        def body(session: rxstream.Session) -> None:
            subscription = session.run(model="m", input="Q", context=shorten).subscribe()
            session.spawn(lambda: dispose_later(subscription))

        async def dispose_later(subscription: Any) -> None:
            await until(began.is_set)
            subscription.dispose()

        in_session(mode, body, **options_for(server))
        assert ended == [True]
        assert server.log == []
