"""A whole response instead of a stream: its events, and what the operators make of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rxstream import operators as rxs
from rxstream.errors import ProtocolError, ResponseCancelledError, ResponseFailedError, TruncatedError
from rxstream.events import FunctionCallItem, StreamingEvent, UnknownEvent, parse_event
from rxstream.events._fields import TERMINAL
from rxstream.response._ending import Ending
from rxstream.testing import answers
from tests._given import STREAMS, each_stream, needs
from tests.operators._recorded import WHOLE, recorded, run
from tests.response.decoding._normal import normal

Json = dict[str, Any]

CALL = {
    "type": "function_call",
    "id": "fc",
    "call_id": "c",
    "name": "f",
    "arguments": '{"a": 1}',
    "status": "completed",
}
MESSAGE = {
    "type": "message",
    "id": "m",
    "role": "assistant",
    "status": "completed",
    "content": [
        {"type": "output_text", "text": "Hello", "annotations": [{"type": "file_path", "file_id": "f", "index": 0}]},
        {"type": "refusal", "refusal": "No."},
        {"type": "output_hologram", "light": 1},
    ],
}
SHELL = {"type": "shell_call", "id": "sh", "call_id": "s", "status": "completed", "action": {"commands": ["ls", ""]}}
PATCH = {
    "type": "apply_patch_call",
    "id": "p",
    "call_id": "p",
    "status": "completed",
    "operation": {"type": "update_file", "path": "a", "diff": "+x"},
}
SEARCH = {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search", "query": "q"}}
ODD = {"type": "hologram", "light": 1}


def response(*output: Any, **fields: Any) -> Json:
    return {"id": "resp_1", "object": "response", "status": "completed", "output": list(output), **fields}


def events_of(whole: Json) -> list[Any]:
    return normal(parse_event(json.dumps(whole)))


def types(events: list[StreamingEvent]) -> list[str]:
    return [event.type.removeprefix("response.") for event in events]


def verdict(events: list[StreamingEvent]) -> Exception | None:
    ending = Ending()
    for event in events:
        ending.feed(event)
    return ending.verdict()


def test_the_events_of_every_kind_of_item() -> None:
    whole = response(MESSAGE, CALL, SHELL, PATCH, SEARCH, ODD)
    events = events_of(whole)
    assert types(events) == [
        "created",
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.annotation.added"),
        *("output_text.done", "content_part.done", "content_part.added", "refusal.delta", "refusal.done"),
        *("content_part.done", "content_part.added", "content_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"),
        *("output_item.added", "shell_call_command.added", "shell_call_command.delta", "shell_call_command.done"),
        *("shell_call_command.added", "shell_call_command.done", "output_item.done"),
        *("output_item.added", "apply_patch_call_operation_diff.delta", "apply_patch_call_operation_diff.done"),
        "output_item.done",
        *("output_item.added", "output_item.done") * 2,
        "completed",
    ]
    assert all(event.synthetic and event.sequence_number is None for event in events)
    assert not any(isinstance(event, UnknownEvent) for event in events)
    assert events[-1].response.model_dump(mode="json") == whole
    assert events[0].response.output == []


@pytest.mark.parametrize(
    ("fields", "last", "error"),
    [
        ({"status": "completed"}, "completed", None),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "incomplete", None),
        ({"status": "failed", "error": {"code": "server_error", "message": "m"}}, "failed", ResponseFailedError),
        ({"status": "completed", "error": {"code": "server_error", "message": "m"}}, "failed", ResponseFailedError),
        ({"status": "cancelled"}, "failed", ResponseCancelledError),
        ({"status": None}, "completed", None),
        ({"status": None, "error": {"message": "m"}}, "failed", ResponseFailedError),
        ({"status": None, "incomplete_details": {"reason": "content_filter"}}, "incomplete", None),
        ({"status": "queued"}, "output_item.done", TruncatedError),
        ({"status": "in_progress"}, "output_item.done", TruncatedError),
    ],
    ids=str,
)
def test_it_ends_as_its_status_says(fields: Json, last: str, error: type[Exception] | None) -> None:
    events = events_of(response(MESSAGE, **fields))
    assert types(events)[-1] == last
    found = verdict(events)
    assert type(found) is (type(None) if error is None else error)
    if found is not None:
        assert found.response_id == "resp_1"  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", ["incomplete", "in_progress"])
@pytest.mark.parametrize("ending", ["incomplete", "failed", "cancelled", "in_progress"])
def test_arguments_that_were_cut_are_not_whole(status: str, ending: str) -> None:
    cut = {**CALL, "arguments": '{"a', "status": status}
    shell = {**SHELL, "status": status}
    events = events_of(response(cut, shell, status=ending))
    assert not [kind for kind in types(events) if kind.endswith(("arguments.done", "command.done"))]
    assert run(events, rxs.accumulate_function_args()) == []


@pytest.mark.parametrize(
    "output",
    [
        None,
        "text",
        [None, 1, "text"],
        [{}],
        [{"type": "message", "content": "text"}],
        [{"type": "message", "content": [None, "text", {}]}],
        [{"type": "message", "content": [{"type": "output_text", "text": None, "annotations": [None]}]}],
        [{"type": "function_call", "arguments": {"a": 1}, "name": 3}],
        [{"type": "shell_call", "action": None}, {"type": "shell_call", "action": {"commands": [None]}}],
        [{"type": "apply_patch_call", "operation": None}],
        [{"type": ["message"], "id": 7}],
    ],
    ids=str,
)
def test_an_odd_output_is_no_failure(output: Any) -> None:
    events = events_of(response() | {"output": output})
    assert (types(events)[0], types(events)[-1]) == ("created", "completed")


def test_within_a_stream_it_is_no_answer() -> None:
    """Some servers send it as an extra."""
    stream = answers.events_of(answers.text("Hi"))
    extra = parse_event(json.dumps(response(MESSAGE)))
    assert normal(*stream[:4], extra, *stream[4:])[4] is extra


def test_without_normalize_the_error_says_what_it_is() -> None:
    error = verdict([parse_event(json.dumps(response(MESSAGE)))])
    assert isinstance(error, ProtocolError)
    assert "whole response" in str(error)


@needs(STREAMS)
@each_stream(WHOLE)
def test_the_last_response_of_a_recorded_stream_says_what_the_stream_said(name: str) -> None:
    """If the server has put its output there."""
    terminal = next(event for event in reversed(recorded(name)) if isinstance(event, TERMINAL))
    if not terminal.response.output:
        return
    whole = terminal.response.model_dump(mode="json") | {"object": "response"}
    events = events_of(whole)
    assert not [event for event in events if isinstance(event, UnknownEvent)]
    assert normal(*events) == events
    assert "".join(run(events, rxs.text_only())) == _text(terminal.response)
    calls = [item for item in terminal.response.output if isinstance(item, FunctionCallItem)]
    assert [call.arguments for call in run(events, rxs.accumulate_function_args())] == [c.arguments for c in calls]
    (snapshot,) = run(events, rxs.final_response())
    assert snapshot.output == terminal.response.output


def _text(whole: Any) -> str:
    parts = [part for item in whole.output if item.type == "message" for part in item.content]
    return "".join(part.text for part in parts if part.type == "output_text")
