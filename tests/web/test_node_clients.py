"""The formats' own clients read each recorded stream: `ai` of Vercel, and the verifier of `@ag-ui/client`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import from_json
from starlette.requests import Request
from starlette.routing import Route

from rxstream.errors import TruncatedError
from rxstream.testing import LocalServer, answers
from rxstream.web import EventStreamResponse, from_ag_ui, to_ag_ui, to_ui_messages
from rxstream.web.formats._ag_ui import AgUiEvents, encode_event
from rxstream.web.formats._json import data_frame
from rxstream.web.formats._ui_messages import UiMessageChunks
from tests._given import STREAMS, needs, recordings
from tests.operators._recorded import NAMES, WHOLE, events_of, final, recorded
from tests.web._clients import needs_node, run_node
from tests.web._reading import parts_of, read_chunks
from tests.web._serving import served, with_session
from tests.web.test_calls import real_run
from tests.web.test_recorded_streams import inputs_of, reasoning_of, texts_of

pytestmark = needs_node


def all_streams() -> dict[str, Any]:
    """Name -> the events, of all recorded streams."""
    streams: dict[str, Any] = {name: recorded(name) for name in NAMES}
    return streams | {str(path): events_of(path) for path in recordings()}


def ui_bytes(events: Any, error: Exception | None = None) -> str:
    return b"".join(map(data_frame, parts_of(UiMessageChunks(), events, error))).decode() + "data: [DONE]\n\n"


def ag_ui_bytes(events: Any, error: Exception | None = None) -> str:
    return b"".join(map(encode_event, parts_of(AgUiEvents("thread", "run"), events, error))).decode()


def texts(message: Any, kind: str) -> list[str]:
    return [part["text"] for part in message["parts"] if part["type"] == kind]


@needs(STREAMS)
def test_the_ai_sdk_reads_every_recorded_stream() -> None:
    streams = all_streams()
    results = run_node("read_ui.mjs", {name: ui_bytes(events) for name, events in streams.items()})
    for name, events in streams.items():
        message, errors = results[name]["message"] or {"parts": []}, results[name]["errors"]
        expected = read_chunks(parts_of(UiMessageChunks(), events))
        assert errors == expected.errors, name
        assert texts(message, "text") == expected.texts, name
        assert texts(message, "reasoning") == expected.reasoning, name
        calls = {part["toolCallId"]: part for part in message["parts"] if "toolCallId" in part}
        assert {call_id: part.get("input") for call_id, part in calls.items()} == expected.inputs, name
        assert all(part["state"] != "input-streaming" for part in calls.values()), name
        assert all(part["state"] == "done" for part in message["parts"] if part["type"] in ("text", "reasoning")), name


@needs(STREAMS)
def test_the_ai_sdk_reads_streams_that_end_with_an_error() -> None:
    streams = {name: recorded(name)[: len(recorded(name)) // 2] for name in NAMES[::3]}
    error = TruncatedError("secret")
    results = run_node("read_ui.mjs", {name: ui_bytes(events, error) for name, events in streams.items()})
    for name in streams:
        assert results[name]["errors"] == ["The connection to the model was lost."], name


@needs(STREAMS)
def test_the_client_of_ag_ui_reads_every_recorded_stream() -> None:
    streams = all_streams()
    results = run_node("read_ag_ui.mjs", {name: ag_ui_bytes(events) for name, events in streams.items()})
    for name, result in results.items():
        assert result["errors"] == [], name
        assert result["outcome"]["type"] in ("success", "interrupt", "error"), name
    for name in WHOLE:
        messages = results[name]["messages"]
        assert [each["content"] for each in messages if each["role"] == "assistant" and "content" in each] == texts_of(
            final(name)
        ), name
        assert [each["content"] for each in messages if each["role"] == "reasoning"] == reasoning_of(final(name)), name
        calls = [call for each in messages for call in each.get("toolCalls", ())]
        written = [from_json(call["function"]["arguments"]) for call in calls]
        assert all(from_json(text or "{}") in written for text in inputs_of(streams[name])), name


@needs(STREAMS)
def test_the_client_of_ag_ui_reads_streams_that_end_with_an_error() -> None:
    streams = {name: recorded(name)[: len(recorded(name)) // 2] for name in NAMES[::3]}
    error = TruncatedError("secret")
    results = run_node("read_ag_ui.mjs", {name: ag_ui_bytes(events, error) for name, events in streams.items()})
    for name in streams:
        assert results[name]["errors"] == [], name
        assert results[name]["outcome"] == {
            "type": "error",
            "message": "The connection to the model was lost.",
            "code": "TruncatedError",
        }


@pytest.mark.parametrize("approved", [True, False])
def test_both_read_a_run_of_tools(approved: bool) -> None:
    chunks = b"".join(map(data_frame, real_run(to_ui_messages(), approved=approved))).decode()
    result = run_node("read_ui.mjs", {"run": chunks})["run"]
    assert result["errors"] == []
    calls = {part["toolCallId"]: part for part in result["message"]["parts"] if "toolCallId" in part}
    assert calls["c1"]["type"] == "tool-weather"
    assert calls["c1"]["output"] == {"city": "Oslo", "celsius": 21}
    assert calls["c2"]["state"] == ("output-available" if approved else "output-denied")
    assert calls["c3"]["state"] == "output-error"
    events = b"".join(map(encode_event, real_run(to_ag_ui("thread", "run"), approved=approved))).decode()
    result = run_node("read_ag_ui.mjs", {"run": events})["run"]
    assert (result["errors"], result["outcome"]) == ([], {"type": "success"})
    assert {each["toolCallId"] for each in result["messages"] if each["role"] == "tool"} == {"c1", "c2", "c3"}


def test_an_agent_of_ag_ui_runs_a_tool_of_its_own() -> None:
    async def agent(request: Request) -> EventStreamResponse:
        asked = from_ag_ui(await request.body())
        events = request.app.state.session.response(model="m", input=asked.input, tools=asked.tools)
        return EventStreamResponse(events, to_ag_ui(asked.thread_id, asked.run_id))

    script = [answers.function_calls([("pick", {}, "c1")]), answers.text("Red it is.")]
    with LocalServer(script) as upstream:
        route = Route("/", agent, methods=["POST"])
        with served(with_session(upstream.base_url, route), lifespan=True) as url:
            result = run_node("run_ag_ui.mjs", {"url": f"{url}/"})
        first, second = upstream.log
    assert result["outcomes"] == [{"type": "success", "pendingToolCallIds": ["c1"]}, {"type": "success"}]
    assert result["messages"][-1]["content"] == "Red it is."
    assert first.json["tools"][0]["name"] == "pick"
    assert second.json["input"] == [
        {"role": "user", "content": "Hi"},
        {"type": "function_call", "call_id": "c1", "name": "pick", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "red"},
    ]
