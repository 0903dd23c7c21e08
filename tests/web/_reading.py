"""Reads the parts of a format as a strict client does: what is not open is not closed, and the end closes all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from rxstream.events import Event
from rxstream.typing import SupportsFail

Json = dict[str, Any]


def parts_of(core: SupportsFail[Any, Any], events: Iterable[Event], error: Exception | None = None) -> list[Any]:
    """All that a core makes of a stream that completes, or ends with an error."""
    parts = [part for event in events for part in core.feed(event)]
    return [*parts, *(core.finish() if error is None else core.fail(error))]


@dataclass
class Message:
    """What a client has at the end."""

    texts: list[str] = field(default_factory=list[str])
    reasoning: list[str] = field(default_factory=list[str])
    inputs: dict[str, Any] = field(default_factory=dict[str, Any])
    """Id of a call -> its whole input."""
    names: dict[str, str] = field(default_factory=dict[str, str])
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    errors: list[str] = field(default_factory=list[str])
    rest: list[Json] = field(default_factory=list[Json])
    """Chunks of other types, in their order."""
    finish: Json = field(default_factory=dict[str, Any])


def read_chunks(chunks: list[Json]) -> Message:
    """What the chunks of the AI SDK say. Raises: AssertionError: they are not nested as the SDK wants it."""
    message = Message()
    assert chunks[0]["type"] == "start"
    assert chunks[-1]["type"] in ("finish", "abort")
    message.finish = chunks[-1]
    open_texts: dict[str, list[str]] = {}
    open_inputs: dict[str, list[str]] = {}
    in_step = False
    for chunk in chunks[1:-1]:
        kind: str = chunk["type"]
        assert in_step or kind in ("start-step", "error"), f"{kind} outside a step"
        if kind == "start-step":
            assert not in_step
            in_step = True
        elif kind == "finish-step":
            assert not open_texts
            in_step = False
        elif kind in ("text-start", "reasoning-start"):
            assert chunk["id"] not in open_texts
            open_texts[chunk["id"]] = []
        elif kind in ("text-delta", "reasoning-delta"):
            assert chunk["delta"]
            open_texts[chunk["id"]].append(chunk["delta"])
        elif kind in ("text-end", "reasoning-end"):
            texts = message.texts if kind == "text-end" else message.reasoning
            texts.append("".join(open_texts.pop(chunk["id"])))
        elif kind == "tool-input-start":
            call_id = chunk["toolCallId"]
            assert call_id not in message.names
            assert chunk["toolName"]
            message.names[call_id], open_inputs[call_id] = chunk["toolName"], []
        elif kind == "tool-input-delta":
            assert chunk["inputTextDelta"]
            open_inputs[chunk["toolCallId"]].append(chunk["inputTextDelta"])
        elif kind in ("tool-input-available", "tool-input-error"):
            call_id = chunk["toolCallId"]
            streamed, given = "".join(open_inputs.pop(call_id)), chunk["input"]
            message.inputs[call_id] = given
            if streamed and kind == "tool-input-available":
                assert given == (streamed if isinstance(given, str) else from_json(streamed))
        elif kind.startswith("tool-output"):
            assert chunk["toolCallId"] in message.inputs
            if not chunk.get("preliminary"):
                assert chunk["toolCallId"] not in message.outputs
                message.outputs[chunk["toolCallId"]] = chunk.get("output", chunk.get("errorText"))
        elif kind == "error":
            message.errors.append(chunk["errorText"])
        else:
            message.rest.append(chunk)
    assert not in_step
    assert not open_texts
    assert not open_inputs
    return message


def read_ag_ui(events: list[Json]) -> Message:
    """What events of AG-UI say. Raises: AssertionError: they are not nested as the protocol wants it."""
    message = Message()
    assert events[0]["type"] == "RUN_STARTED"
    assert events[-1]["type"] in ("RUN_FINISHED", "RUN_ERROR")
    message.finish = events[-1]
    open_texts: dict[str, list[str]] = {}
    open_inputs: dict[str, list[str]] = {}
    for event in events[1:-1]:
        kind: str = event["type"]
        if kind in ("TEXT_MESSAGE_START", "REASONING_MESSAGE_START"):
            assert event["messageId"] not in open_texts
            open_texts[event["messageId"]] = []
        elif kind in ("TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT"):
            open_texts[event["messageId"]].append(event["delta"])
        elif kind in ("TEXT_MESSAGE_END", "REASONING_MESSAGE_END"):
            texts = message.texts if kind == "TEXT_MESSAGE_END" else message.reasoning
            texts.append("".join(open_texts.pop(event["messageId"])))
        elif kind == "TOOL_CALL_START":
            assert event["toolCallId"] not in message.names
            message.names[event["toolCallId"]], open_inputs[event["toolCallId"]] = event["toolCallName"], []
        elif kind == "TOOL_CALL_ARGS":
            open_inputs[event["toolCallId"]].append(event["delta"])
        elif kind == "TOOL_CALL_END":
            message.inputs[event["toolCallId"]] = "".join(open_inputs.pop(event["toolCallId"]))
        elif kind == "TOOL_CALL_RESULT":
            assert event["toolCallId"] in message.inputs
            assert event["toolCallId"] not in message.outputs
            message.outputs[event["toolCallId"]] = event["content"]
        else:
            message.rest.append(event)
    assert not open_texts
    assert not open_inputs
    return message
