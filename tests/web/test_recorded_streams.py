"""Each recorded stream in each format: every text once, every input whole, and all that begins ends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json

from rxstream.errors import TruncatedError
from rxstream.events import Event, MessageItem, ReasoningItem, Response
from rxstream.response.calls._tool_calls import ToolCalls
from rxstream.sse import Decoder, encode
from rxstream.web.formats._ag_ui import AgUiEvents, encode_event
from rxstream.web.formats._json import data_frame
from rxstream.web.formats._sse import EventFrames
from rxstream.web.formats._ui_messages import UiMessageChunks
from tests._given import STREAMS, each_stream, needs, recordings
from tests.operators._recorded import NAMES, WHOLE, events_of, final, recorded
from tests.web._reading import Json, parts_of, read_ag_ui, read_chunks

RECORDINGS = recordings()


def chunks_of(events: Iterable[Event], error: Exception | None = None) -> list[Json]:
    return [json.loads(json.dumps(chunk)) for chunk in parts_of(UiMessageChunks(), events, error)]


def ag_ui_of(events: Iterable[Event], error: Exception | None = None) -> list[Json]:
    data = [encode_event(event) for event in parts_of(AgUiEvents("thread", "run"), events, error)]
    return [json.loads(block.removeprefix(b"data: ")) for block in data]


def texts_of(response: Response) -> list[str]:
    messages = [item for item in response.output if isinstance(item, MessageItem)]
    texts = [getattr(part, "text", None) or getattr(part, "refusal", "") for item in messages for part in item.content]
    return [text for text in texts if text]


def reasoning_of(response: Response) -> list[str]:
    items = [item for item in response.output if isinstance(item, ReasoningItem)]
    return [part.text for item in items for part in (*item.summary, *(item.content or ())) if getattr(part, "text", "")]


def inputs_of(events: Sequence[Any]) -> list[str]:
    """The JSON arguments of the calls that ended."""
    core = ToolCalls()
    calls = [call for event in events for call in core.feed(event)]
    return [call.input for call in calls if call.done and call.kind in ("function_call", "mcp_call")]


@needs(STREAMS)
@each_stream(WHOLE)
def test_ui_chunks_hold_each_text_once_and_each_input_whole(name: str) -> None:
    message = read_chunks(chunks_of(recorded(name)))
    assert message.texts == texts_of(final(name))
    assert message.reasoning == reasoning_of(final(name))
    for text in inputs_of(recorded(name)):
        assert from_json(text or "{}") in message.inputs.values()
    assert not message.errors
    assert message.finish["finishReason"] in ("stop", "tool-calls")


@needs(STREAMS)
@each_stream(WHOLE)
def test_ag_ui_events_hold_each_text_once_and_each_input_whole(name: str) -> None:
    message = read_ag_ui(ag_ui_of(recorded(name)))
    assert message.texts == texts_of(final(name))
    assert message.reasoning == reasoning_of(final(name))
    assert set(inputs_of(recorded(name))) <= {*message.inputs.values(), ""}
    for text in message.inputs.values():
        json.loads(text)
    assert message.finish["type"] == "RUN_FINISHED"


@needs(STREAMS)
@each_stream(NAMES)
def test_every_stream_is_nested_well_also_where_it_is_cut(name: str) -> None:
    events = recorded(name)
    for end in {0, len(events) // 2, len(events) - 1}:
        for error in (None, TruncatedError("cut")):
            read_chunks(chunks_of(events[:end], error))
            read_ag_ui(ag_ui_of(events[:end], error))


@pytest.mark.skipif(not RECORDINGS, reason="no recordings beside the repository")
@each_stream([str(path) for path in RECORDINGS])
def test_every_dialect_is_nested_well(name: str) -> None:
    events = events_of(Path(name))
    for error in (None, TruncatedError("cut")):
        read_chunks(chunks_of(events, error))
        read_ag_ui(ag_ui_of(events, error))


@needs(STREAMS)
@each_stream(NAMES)
def test_sse_gives_back_what_came(name: str) -> None:
    events = recorded(name)
    frames = Decoder().feed(b"".join(encode(frame) for frame in parts_of(EventFrames(), events)))
    assert [json.loads(frame.data) for frame in frames] == [json.loads(event.model_dump_json()) for event in events]
    assert [frame.event for frame in frames] == [event.type or "message" for event in events]
    numbers = [event.sequence_number for event in events]
    assert [frame.id for frame, number in zip(frames, numbers, strict=True) if number is not None] == [
        str(number) for number in numbers if number is not None
    ]


@needs(STREAMS)
@each_stream(NAMES[1::20])
def test_two_responses_give_what_each_gives(name: str) -> None:
    events, others = recorded(name), recorded(WHOLE[0])
    both = read_chunks(chunks_of([*events, *others]))
    one, other = read_chunks(chunks_of(events)), read_chunks(chunks_of(others))
    assert both.texts == one.texts + other.texts
    assert list(both.inputs.values()) == [*one.inputs.values(), *other.inputs.values()]


def test_json_of_lone_surrogates_and_of_numbers_that_json_does_not_have() -> None:
    assert data_frame({"text": "\ud83d", "n": float("nan")}) == b'data: {"text": "\\ud83d", "n": null}\n\n'
    assert data_frame({"n": float("inf")}) == b'data: {"n":null}\n\n'
