"""Events for tests: a builder for each kind that several tests need, named by the event.

An event comes as the parser makes it of the wire. Items and parts are dicts, as they stand in an event. A builder's
keywords are more fields of the event, of the item or of the response; an index or an id that is None is left out.
"""

import json
from collections.abc import Iterable
from typing import Any

from rxstream.events import StreamingEvent, parse_event
from rxstream.testing.marbles._encoder import Speaker  # pyright: ignore[reportPrivateUsage]


def event(kind: str, **fields: Any) -> StreamingEvent:
    """Any event: `event("response.refusal.delta", delta="no")`."""
    return parse_event(json.dumps({"type": kind, **fields}))


def say(tokens: str) -> list[StreamingEvent]:
    """The events of tokens of the marble alphabet, set apart by spaces: `say("C M B a b_")`."""
    speaker = Speaker()
    return [parse_event(json.dumps(speaker.say(token))) for token in tokens.split()]


# ---------------------------------------------------------------------- the response


def created(**response: Any) -> StreamingEvent:
    return _of_response("created", "in_progress", [], response)


def in_progress(*output: dict[str, Any], **response: Any) -> StreamingEvent:
    return _of_response("in_progress", "in_progress", output, response)


def completed(*output: dict[str, Any], **response: Any) -> StreamingEvent:
    return _of_response("completed", "completed", output, response)


def incomplete(*output: dict[str, Any], **response: Any) -> StreamingEvent:
    return _of_response("incomplete", "incomplete", output, response)


def failed(*output: dict[str, Any], **response: Any) -> StreamingEvent:
    return _of_response("failed", "failed", output, response)


# ---------------------------------------------------------------------- its items: messages, unless a type is given


def item_added(index: int | None = 0, *parts: dict[str, Any], **item: Any) -> StreamingEvent:
    whole = _item(index, parts, {"status": "in_progress"} | item)
    return event("response.output_item.added", **_place(index, None, None), item=whole)


def item_done(index: int | None = 0, *parts: dict[str, Any], **item: Any) -> StreamingEvent:
    return event("response.output_item.done", **_place(index, None, None), item=_item(index, parts, item))


def message(*parts: dict[str, Any], index: int = 0, **fields: Any) -> dict[str, Any]:
    return _item(index, parts, fields)


def function_call(name: str, arguments: str = "", index: int = 0, **fields: Any) -> dict[str, Any]:
    known = {"type": "function_call", "call_id": f"call_{index}", "name": name, "arguments": arguments}
    return _item(index, (), known | fields)


def arguments_delta(delta: str, index: int | None = 0, item_id: str | None = "") -> StreamingEvent:
    return event("response.function_call_arguments.delta", **_place(index, None, item_id), delta=delta)


def arguments_done(arguments: str, index: int | None = 0, item_id: str | None = "") -> StreamingEvent:
    return event("response.function_call_arguments.done", **_place(index, None, item_id), arguments=arguments)


# ---------------------------------------------------------------------- the parts of a message: texts


def text_part(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []} | fields


def part_added(index: int | None = 0, part: int | None = 0, item_id: str | None = "", **fields: Any) -> StreamingEvent:
    return event("response.content_part.added", **_place(index, part, item_id), part=text_part(**{"text": ""} | fields))


def part_done(
    text: str, index: int | None = 0, part: int | None = 0, item_id: str | None = "", **fields: Any
) -> StreamingEvent:
    return event("response.content_part.done", **_place(index, part, item_id), part=text_part(text, **fields))


def text_delta(
    delta: str, index: int | None = 0, part: int | None = 0, item_id: str | None = "", **fields: Any
) -> StreamingEvent:
    return event("response.output_text.delta", **_place(index, part, item_id), delta=delta, **fields)


def text_deltas(*deltas: str, index: int = 0, part: int = 0) -> list[StreamingEvent]:
    return [text_delta(delta, index, part) for delta in deltas]


def text_done(
    text: str, index: int | None = 0, part: int | None = 0, item_id: str | None = "", **fields: Any
) -> StreamingEvent:
    return event("response.output_text.done", **_place(index, part, item_id), text=text, **fields)


def _of_response(step: str, status: str, output: Iterable[dict[str, Any]], fields: dict[str, Any]) -> StreamingEvent:
    response = {"id": "resp_1", "object": "response", "status": status, "output": list(output)}
    return event(f"response.{step}", response=response | fields)


def _item(index: int | None, parts: Iterable[dict[str, Any]], fields: dict[str, Any]) -> dict[str, Any]:
    known = {"type": "message", "id": f"item_{index}", "status": "completed"}
    if "type" not in fields:
        known |= {"role": "assistant", "content": list(parts)}
    return known | fields


def _place(index: int | None, part: int | None, item_id: str | None) -> dict[str, Any]:
    place = {"output_index": index, "content_index": part, "item_id": f"item_{index}" if item_id == "" else item_id}
    return {name: value for name, value in place.items() if value is not None}
