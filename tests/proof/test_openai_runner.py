"""The same conversation, driven by the runner of the `openai` package and by `session.run`: the same requests are sent.

The differences that are meant are in docs/reference/tools.md, and each has a test here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import openai
import pytest
from openai.types.responses import FunctionToolParam

import rxstream
from rxstream.testing import LocalServer, answers
from rxstream.tools import RunFinishedEvent, tool, turns
from tests.waiting import BOUND

runner = pytest.importorskip(
    "openai.lib.responses_tool_runner", reason="this version of openai has no runner of tools: 3.57 has one"
)

Play = Callable[[list[dict[str, Any]]], Any]


@tool
def look(city: str) -> str:
    """The weather in a city."""
    return f"{len(city)} °C in {city}"


@tool
def fail(city: str) -> str:
    """Fail."""
    raise LookupError(city)


SEARCH = {"type": "web_search"}


def outputs(items: list[dict[str, Any]]) -> int:
    return sum(item.get("type") == "function_call_output" for item in items)


def in_parallel(items: list[dict[str, Any]]) -> Any:
    if outputs(items):
        return "Warm."
    return answers.function_calls([("look", {"city": "Oslo"}), ("look", {"city": "Rome é"})])


def in_turns(items: list[dict[str, Any]]) -> Any:
    if outputs(items) == 6:
        return answers.reasoning_summary("Enough.", then="Warm.")
    call = answers.function_calls([("look", {"city": "x" * (outputs(items) + 1)})])
    return answers.together(answers.reasoning_summary("Hm."), answers.text("I look."), call)


def with_unknown_fields(items: list[dict[str, Any]]) -> Any:
    """As the API sends items: with a phase, and with fields that no specification has."""
    if outputs(items):
        return "Warm."
    output = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA", "x_new": [1.5, None]},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "phase": "commentary",
            "content": [{"type": "output_text", "text": "I look.", "annotations": [], "logprobs": []}],
        },
        call("fc_1", x_trace={"deep": True}),
    ]
    return finished_with(output)


def call(item_id: str | None, **fields: Any) -> dict[str, Any]:
    function = {"call_id": "call_1", "name": "look", "arguments": '{"city" : "Oslo"}', "status": "completed"}
    return {"type": "function_call", "id": item_id, **function, **fields}


def finished_with(output: list[dict[str, Any]]) -> Any:
    opening = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "in_progress"}
    opening |= {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "output": []}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": opening}]
    for index, item in enumerate(output):
        events.append({"type": "response.output_item.added", "output_index": index, "item": item})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    completed = {**opening, "status": "completed", "output": output}
    return answers.events(
        {**event, "sequence_number": number}
        for number, event in enumerate([*events, {"type": "response.completed", "response": completed}])
    )


def theirs(play: Play, *, functions: list[Any], **request: Any) -> list[Any]:
    """The bodies that openai's runner sends."""
    with LocalServer([answers.conversation(play)]) as server:
        registered = [
            runner.RegisteredFunction(
                FunctionToolParam(**each.definition), lambda arguments, each=each: each(**arguments)
            )
            for each in functions
        ]
        client = openai.OpenAI(api_key="k", base_url=server.base_url, max_retries=0)
        with client, suppress(runner.ToolRunnerError):
            runner.ResponsesToolRunner(functions=registered).run(client, copy.deepcopy(request), stream=True)
        return [exchange.json for exchange in server.log]


def ours(play: Play, *, functions: list[Any], **request: Any) -> list[Any]:
    """The bodies that `session.run` sends."""
    with LocalServer([answers.conversation(play)]) as server:
        with rxstream.Session(api_key="k", base_url=server.base_url, max_retries=0) as session:
            tools = [*functions, *request.pop("tools", [])]
            last = rxstream.result(session.run(tools=tools, stop_when=turns(20), **request)).wait(BOUND)
        assert isinstance(last, RunFinishedEvent)
        return [exchange.json for exchange in server.log]


@pytest.mark.parametrize("play", [in_parallel, in_turns, with_unknown_fields])
@pytest.mark.parametrize(
    "request_fields",
    [
        {"input": "Where is it warm?"},
        {"input": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Where?"}]},
        {"input": "Where?", "instructions": "Be brief.", "tools": [SEARCH], "temperature": 0.5, "tool_choice": "auto"},
    ],
)
def test_the_same_requests_are_sent(play: Play, request_fields: dict[str, Any]) -> None:
    fields = {"model": "m", "store": False, **request_fields}
    sent = ours(play, functions=[look], **fields)
    assert sent == theirs(play, functions=[look], **fields)
    assert len(sent) == (7 if play is in_turns else 2)


def test_encrypted_reasoning_is_asked_for_only_where_nothing_is_stored() -> None:
    fields: dict[str, Any] = {"model": "m", "input": "Where?"}
    mine, other = ours(in_turns, functions=[look], **fields), theirs(in_turns, functions=[look], **fields)
    assert all(body.pop("include") == ["reasoning.encrypted_content"] for body in other)
    for body in other:
        for item in body["input"]:
            if item.get("type") == "reasoning":
                del item["encrypted_content"]
    assert mine == other


def test_null_ids_and_created_by_go_back_as_they_came() -> None:
    def play(items: list[dict[str, Any]]) -> Any:
        return "Warm." if outputs(items) else finished_with([call(None, created_by="agent")])

    fields: dict[str, Any] = {"model": "m", "store": False, "input": "Where?"}
    mine, other = ours(play, functions=[look], **fields), theirs(play, functions=[look], **fields)
    assert mine[1]["input"][1] == {**other[1]["input"][1], "id": None, "created_by": "agent"}
    del mine[1]["input"][1]["id"], mine[1]["input"][1]["created_by"]
    assert mine == other


def test_what_goes_wrong_in_a_tool_is_told_to_the_model() -> None:
    def play(items: list[dict[str, Any]]) -> Any:
        return "Sorry." if outputs(items) else answers.function_calls([("fail", {"city": "Oslo"})])

    fields: dict[str, Any] = {"model": "m", "store": False, "input": "Where?"}
    mine, other = ours(play, functions=[fail], **fields), theirs(play, functions=[fail], **fields)
    assert mine[:1] == other  # theirs raises, and asks no more
    assert mine[1]["input"][-1]["output"] == "Error: LookupError: Oslo"
