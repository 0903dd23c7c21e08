"""Calls of tools in the formats: those that a run executes, those of the server, approvals, what goes wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ResponseCancelledError, TruncatedError
from rxstream.events import parse_event
from rxstream.results import HeartbeatEvent
from rxstream.testing import LocalServer, answers
from rxstream.tools import Context, Denial, tool
from rxstream.tools._events import (
    RunFinishedEvent,
    RunResumedEvent,
    ToolApprovalEvent,
    ToolFinishedEvent,
    ToolProgressEvent,
    ToolStartedEvent,
    TurnStartedEvent,
)
from rxstream.web import to_ag_ui, to_ui_messages
from rxstream.web.formats._ag_ui import AgUiEvents
from rxstream.web.formats._ui_messages import UiMessageChunks
from tests.event_builders import completed, created, incomplete, make_event, text_delta
from tests.web._reading import Json, parts_of, read_ag_ui, read_chunks


@tool(pure=True)
async def weather(city: str, context: Context[Any]) -> dict[str, Any]:
    """The weather in a city."""
    context.emit("looking")
    return {"city": city, "celsius": 21}


@tool(needs_approval=True)
async def pay(amount: int) -> str:
    """Pay an amount."""
    return f"paid {amount}"


@tool(pure=True)
async def broken() -> str:
    """Fail."""
    raise RuntimeError("postgres://user:secret@host")


CALLS = [("weather", {"city": "Oslo"}, "c1"), ("pay", {"amount": 5}, "c2"), ("broken", {}, "c3")]


def real_run(format: Any, *, approved: Any = True) -> list[Any]:
    """What a format makes of a run of two turns."""
    tools = [weather, pay, broken]
    with (
        LocalServer([answers.function_calls(CALLS), answers.text("Done.")]) as server,
        rxstream.Session("none", base_url=server.base_url) as session,
    ):

        def ask(items: list[Any]) -> Any:
            return session.response(model="m", input=items)

        run = rxs.run_tools(tools, ask, input="Q", approve=lambda call: approved)
        return list(rxstream.iterate(ask([]).pipe(run, format)))


def test_a_run_is_one_message_of_two_steps() -> None:
    chunks = real_run(to_ui_messages())
    message = read_chunks(chunks)
    assert message.texts == ["Done."]
    assert message.inputs == {"c1": {"city": "Oslo"}, "c2": {"amount": 5}, "c3": {}}
    assert message.outputs == {"c1": {"city": "Oslo", "celsius": 21}, "c2": "paid 5", "c3": "The tool failed."}
    kinds = [chunk["type"] for chunk in chunks]
    assert kinds.count("start-step") == 2
    assert kinds.index("finish-step") > kinds.index("tool-output-error")
    assert message.finish["finishReason"] == "stop"
    assert message.rest == [
        {"type": "tool-approval-request", "approvalId": "c2", "toolCallId": "c2"},
        {"type": "tool-approval-response", "approvalId": "c2", "approved": True},
    ]
    assert {"type": "tool-output-available", "toolCallId": "c1", "output": "looking", "preliminary": True} in chunks
    assert "secret" not in json.dumps(chunks)


def test_a_call_that_was_not_approved_is_denied() -> None:
    message = read_chunks(real_run(to_ui_messages(), approved=Denial("too much")))
    assert message.rest[1] == {"type": "tool-approval-response", "approvalId": "c2", "approved": False}
    assert message.outputs["c2"] is None


def test_a_run_in_ag_ui() -> None:
    events = [json.loads(event.model_dump_json(by_alias=True)) for event in real_run(to_ag_ui("t", "r"))]
    message = read_ag_ui(events)
    assert message.texts == ["Done."]
    assert {call_id: json.loads(text) for call_id, text in message.inputs.items()} == {
        "c1": {"city": "Oslo"},
        "c2": {"amount": 5},
        "c3": {},
    }
    assert json.loads(message.outputs["c1"]) == {"city": "Oslo", "celsius": 21}
    assert message.outputs["c3"] == "The tool failed."
    assert sorted(event["name"] for event in message.rest if event["type"] == "CUSTOM") == [
        "tool_approval_request",
        "tool_approval_response",
        "tool_progress",
    ]
    assert message.finish["outcome"] == {"type": "success"}
    assert message.finish["usage"][0]["totalTokens"] > 0


@pytest.mark.parametrize("progress", [object, b"\xff", "\ud800"])
@pytest.mark.parametrize("make", [UiMessageChunks, lambda: AgUiEvents("t", "r")])
def test_progress_that_json_cannot_hold_is_shown_as_its_repr(make: Any, progress: Any) -> None:
    events = [
        TurnStartedEvent(turn=1),
        created(id="r1"),
        ToolStartedEvent(call_id="c1", name="weather", arguments="{}"),
        ToolProgressEvent(call_id="c1", name="weather", progress=progress),
    ]
    parts = parts_of(make(), events)
    written = [part if isinstance(part, dict) else part.model_dump(mode="json", by_alias=True) for part in parts]
    assert json.dumps(repr(progress)) in json.dumps(written)


def test_a_run_that_goes_on_from_its_ledger_shows_calls_whose_events_are_not_repeated() -> None:
    events = [
        RunResumedEvent(turn=1),
        ToolStartedEvent(call_id="c1", name="weather", arguments='{"city":"Oslo"}'),
        ToolProgressEvent(call_id="c1", name="weather", progress={"at": 1}),
        ToolFinishedEvent(call_id="c1", name="weather", output='{"celsius":21}'),
        ToolStartedEvent(kind="custom_tool_call", call_id="c2", name="run", arguments="print(1)"),
        ToolFinishedEvent(kind="custom_tool_call", call_id="c2", name="run", output="1"),
        TurnStartedEvent(turn=2),
        created(id="r2"),
        completed(id="r2"),
        RunFinishedEvent(turn=2),
    ]
    message = read_chunks(parts_of(UiMessageChunks(), events))
    assert message.inputs == {"c1": {"city": "Oslo"}, "c2": "print(1)"}
    assert message.outputs == {"c1": {"celsius": 21}, "c2": "1"}
    ag_ui = read_ag_ui(
        [event.model_dump(mode="json", by_alias=True) for event in parts_of(AgUiEvents("t", "r"), events)]
    )
    assert ag_ui.inputs == {"c1": '{"city":"Oslo"}', "c2": '{"input":"print(1)"}'}


def item_events(item: Json, *deltas: Json, index: int = 0) -> list[Any]:
    """The events of an item that is opened, written and done."""
    opened = {name: "" if name in ("arguments", "input", "code") else value for name, value in item.items()}
    opened.pop("results", None)
    return [
        make_event("response.output_item.added", output_index=index, item={**opened, "status": "in_progress"}),
        *(parse_event(json.dumps({"output_index": index, "item_id": item["id"], **delta})) for delta in deltas),
        make_event("response.output_item.done", output_index=index, item={"status": "completed", **item}),
    ]


def of_items(*events: list[Any]) -> list[Any]:
    return [created(id="r"), *(event for each in events for event in each), completed(id="r")]


def test_code_that_the_server_runs_is_streamed_as_json() -> None:
    code = 'print("é\n")'
    kind = "response.code_interpreter_call_code"
    item = {"type": "code_interpreter_call", "id": "ci1", "code": code, "outputs": [{"type": "logs", "logs": "é"}]}
    deltas = [{"type": f"{kind}.delta", "delta": piece} for piece in code]
    events = of_items(item_events(item, *deltas, {"type": f"{kind}.done", "code": code}))
    chunks = parts_of(UiMessageChunks(), events)
    message = read_chunks(chunks)
    assert message.names == {"ci1": "code_interpreter"}
    assert message.inputs == {"ci1": {"code": code}}
    assert message.outputs == {"ci1": {"outputs": [{"type": "logs", "logs": "é"}]}}
    assert all(chunk.get("providerExecuted", True) for chunk in chunks)
    assert message.finish["finishReason"] == "stop"


HOSTED = [
    (
        {"type": "web_search_call", "id": "w", "action": {"type": "search", "query": "q"}},
        "web_search",
        {"type": "search", "query": "q"},
        {"action": {"type": "search", "query": "q"}},
    ),
    (
        {"type": "file_search_call", "id": "f", "queries": ["q"], "results": [{"file_id": "x"}]},
        "file_search",
        {"queries": ["q"]},
        {"queries": ["q"], "results": [{"file_id": "x"}]},
    ),
    (
        {"type": "mcp_call", "id": "m", "name": "roll", "server_label": "dice", "arguments": '{"n":1}', "output": "4"},
        "mcp.roll",
        {"n": 1},
        "4",
    ),
    ({"type": "image_generation_call", "id": "i", "result": "QUJD"}, "image_generation", {}, {}),
    ({"type": "new_thing_call", "id": "n", "found": 3}, "new_thing", {}, {"found": 3}),
]


@pytest.mark.parametrize(("item", "name", "given", "output"), HOSTED, ids=[each[1] for each in HOSTED])
def test_a_call_of_a_hosted_tool(item: Json, name: str, given: Any, output: Any) -> None:
    message = read_chunks(parts_of(UiMessageChunks(), of_items(item_events(item))))
    assert (message.names, message.inputs, message.outputs) == (
        {item["id"]: name},
        {item["id"]: given},
        {item["id"]: output},
    )
    files = [{"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,QUJD"}]
    assert message.rest == (files if item["type"] == "image_generation_call" else [])


def test_a_hosted_call_that_failed() -> None:
    item = {"type": "mcp_call", "id": "m", "name": "roll", "arguments": "{}", "status": "failed"}
    message = read_chunks(parts_of(UiMessageChunks(), of_items(item_events({**item, "error": {"message": "no dice"}}))))
    assert message.outputs == {"m": "no dice"}
    message = read_chunks(parts_of(UiMessageChunks(), of_items(item_events(item))))
    assert message.outputs == {"m": "The tool failed."}


def test_a_shell_that_the_server_runs_has_its_output_from_another_item() -> None:
    call = {"type": "shell_call", "id": "s", "call_id": "c", "action": {"commands": ["ls"]}}
    output = {"type": "shell_call_output", "id": "o", "call_id": "c", "output": [{"stdout": "a", "stderr": ""}]}
    hosted = {**call, "environment": {"type": "container_reference", "container_id": "x"}}
    chunks = parts_of(UiMessageChunks(), of_items(item_events(hosted), item_events(output, index=1)))
    message = read_chunks(chunks)
    assert chunks[2]["providerExecuted"] is True
    assert message.inputs == {"c": {"commands": ["ls"]}}
    assert message.outputs == {"c": [{"stdout": "a", "stderr": ""}]}
    assert read_chunks(parts_of(UiMessageChunks(), of_items(item_events(call)))).finish["finishReason"] == "tool-calls"


def test_an_mcp_server_that_asks_for_approval() -> None:
    request = {"type": "mcp_approval_request", "id": "a1", "name": "roll", "server_label": "dice", "arguments": "{}"}
    events = of_items(item_events(request))
    message = read_chunks(parts_of(UiMessageChunks(), events))
    assert message.rest == [{"type": "tool-approval-request", "approvalId": "a1", "toolCallId": "a1"}]
    assert message.finish["finishReason"] == "tool-calls"
    ag_ui = parts_of(AgUiEvents("t", "r"), events)[-1].model_dump(mode="json", by_alias=True)
    assert ag_ui["outcome"]["interrupts"] == [{"id": "a1", "reason": "tool_approval", "toolCallId": "a1"}]
    call = {
        "type": "mcp_call",
        "id": "m",
        "name": "roll",
        "arguments": "{}",
        "output": "4",
        "approval_request_id": "a1",
    }
    run = [
        *events,
        ToolApprovalEvent(kind="mcp_approval_request", call_id="a1", name="roll", arguments="{}"),
        ToolFinishedEvent(kind="mcp_approval_request", call_id="a1", name="roll"),
        TurnStartedEvent(turn=2),
        created(id="r2"),
        *item_events(call),
        completed(id="r2"),
        RunFinishedEvent(turn=2),
    ]
    later = [*events, created(id="r2"), *item_events(call), completed(id="r2")]
    message = read_chunks(parts_of(UiMessageChunks(), later))
    assert (message.outputs, message.finish["finishReason"]) == ({"a1": "4"}, "stop")
    message = read_chunks(parts_of(UiMessageChunks(), run))
    assert message.outputs == {"a1": "4"}, "the call that was approved, not another one"
    assert message.rest[1:] == [{"type": "tool-approval-response", "approvalId": "a1", "approved": True}]


def call_events(arguments: str, *, end: Any = None) -> list[Any]:
    item = {"type": "function_call", "id": "f", "call_id": "c", "name": "look", "arguments": arguments}
    kind = "response.function_call_arguments"
    events = item_events(item, {"type": f"{kind}.delta", "delta": arguments[:4]}, {"type": f"{kind}.done", **item})
    return [created(id="r"), *(events if end is None else [*events[:2], end])]


def test_arguments_that_are_not_json() -> None:
    chunks = parts_of(UiMessageChunks(), [*call_events('{"a":'), completed(id="r")])
    (error,) = [chunk for chunk in chunks if chunk["type"] == "tool-input-error"]
    assert (error["input"], error["errorText"]) == ('{"a":', "the arguments are not JSON")


def test_a_call_that_was_cut() -> None:
    end = incomplete(id="r", incomplete_details={"reason": "max_output_tokens"})
    chunks = parts_of(UiMessageChunks(), call_events('{"a":1}', end=end))
    assert [chunk["type"] for chunk in chunks][-3:] == ["tool-input-error", "finish-step", "finish"]
    assert chunks[-1]["finishReason"] == "length"
    chunks = parts_of(UiMessageChunks(), call_events('{"a":1}')[:3], TruncatedError("cut"))
    assert [chunk["type"] for chunk in chunks][-4:] == ["tool-input-error", "finish-step", "error", "finish"]
    events = parts_of(AgUiEvents("t", "r"), call_events('{"a":1}')[:3], TruncatedError("cut"))
    assert [event.type.value for event in events][-4:] == [
        "TOOL_CALL_END",
        "TOOL_CALL_RESULT",
        "STEP_FINISHED",
        "RUN_ERROR",
    ]


@pytest.mark.parametrize("end", [incomplete(id="r"), None])
def test_a_call_that_was_cut_waits_for_no_answer(end: Any) -> None:
    events = call_events('{"a":1}', end=end) if end else call_events('{"a":1}')[:3]
    last = parts_of(AgUiEvents("t", "r"), events)[-1].model_dump(mode="json", by_alias=True)
    assert last["outcome"] == {"type": "success"}


def test_a_call_on_an_mcp_server_whose_arguments_are_not_json_has_its_output() -> None:
    item = {"type": "mcp_call", "id": "m", "name": "roll", "arguments": "{", "output": "4"}
    chunks = parts_of(UiMessageChunks(), of_items(item_events(item)))
    assert [chunk["type"] for chunk in chunks][-4:-2] == ["tool-input-error", "tool-output-available"]


def test_the_usage_of_several_responses_is_their_sum() -> None:
    usage = {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5}
    events = [event for id in ("r1", "r2") for event in (created(id=id), completed(id=id, usage=usage))]
    last = parts_of(AgUiEvents("t", "r"), events)[-1].model_dump(mode="json", by_alias=True)
    assert last["usage"] == [{"inputTokens": 4, "outputTokens": 6, "totalTokens": 10}]


def test_calls_of_one_id_have_ids_of_their_own() -> None:
    one, other = [*call_events("{}"), completed(id="r")], [*call_events("{}")[1:], completed(id="r2")]
    message = read_chunks(parts_of(UiMessageChunks(), [*one, created(id="r2"), *other]))
    assert list(message.inputs) == ["c", "c-2"]


def test_events_of_rxstream_that_belong_to_no_run_are_no_parts() -> None:
    beat = HeartbeatEvent(seconds=1)
    events = [beat, created(id="r"), beat, completed(id="r"), beat]
    chunks = parts_of(UiMessageChunks(), events)
    assert [chunk["type"] for chunk in chunks] == ["start", "start-step", "finish-step", "finish"]
    assert [chunk["type"] for chunk in parts_of(UiMessageChunks(), events[:1])] == ["start", "finish"]


def test_citations_are_sources() -> None:
    kind = "response.output_text.annotation.added"
    annotations = [
        {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1},
        {"type": "file_citation", "file_id": "f1", "filename": "a.pdf", "index": 1},
        {"type": "file_path", "file_id": "f2", "index": 1},
    ]
    events = [make_event(kind, item_id="m", annotation_index=n, annotation=each) for n, each in enumerate(annotations)]
    stream = [created(id="r"), text_delta("ab", item_id="m"), *events, completed(id="r")]
    assert read_chunks(parts_of(UiMessageChunks(), stream)).rest == [
        {"type": "source-url", "sourceId": "source-1", "url": "https://a.example", "title": "A"},
        {
            "type": "source-document",
            "sourceId": "source-2",
            "mediaType": "text/plain",
            "title": "a.pdf",
            "filename": "a.pdf",
        },
        {"type": "source-document", "sourceId": "source-3", "mediaType": "text/plain", "title": "f2"},
    ]
    sources = [event for event in parts_of(AgUiEvents("t", "r"), stream) if event.type.value == "CUSTOM"]
    assert [event.value for event in sources] == annotations


def test_a_response_that_was_cancelled() -> None:
    events = [created(id="r")]
    error = ResponseCancelledError("cancelled")
    assert parts_of(UiMessageChunks(), events, error)[-1]["type"] == "abort"
    last = parts_of(AgUiEvents("t", "r"), events, error)[-1].model_dump(mode="json", by_alias=True)
    assert (last["type"], last["outcome"]) == ("RUN_FINISHED", {"type": "cancelled"})


def test_a_response_that_failed_in_a_source_that_completes() -> None:
    events = [created(id="r"), make_event("response.failed", response={"id": "r", "status": "failed"})]
    assert parts_of(UiMessageChunks(), events)[-2] == {"type": "error", "errorText": "The model reported an error."}
