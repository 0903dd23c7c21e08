"""Events for tests: a builder for each kind that several tests need, named by the event.

An event comes as the parser makes it of the wire. Items and parts are dicts, as they stand in an event. A builder's
keywords are more fields of the event, of the item or of the response; an index or an id that is None is left out.
"""

import json
from collections.abc import Iterable
from typing import Any

from rxstream.events import StreamingEvent, parse_event
from rxstream.testing.marbles._encoder import RowEncoder  # pyright: ignore[reportPrivateUsage]

Json = dict[str, Any]
Index = int | None


def make_event(kind: str, **fields: Any) -> StreamingEvent:
    """Any event: `make_event("response.refusal.delta", delta="no")`."""
    return parse_event(json.dumps({"type": kind, **fields}))


def say(tokens: str) -> list[StreamingEvent]:
    """The events of tokens of the marble alphabet, set apart by spaces: `say("C M B a b_")`."""
    encoder = RowEncoder()
    return [parse_event(json.dumps(encoder.encode(token))) for token in tokens.split()]


# ---------------------------------------------------------------------- the response


def created(*output: Json, **response: Any) -> StreamingEvent:
    return _of_response("created", "in_progress", output, response)


def in_progress(*output: Json, **response: Any) -> StreamingEvent:
    return _of_response("in_progress", "in_progress", output, response)


def completed(*output: Json, **response: Any) -> StreamingEvent:
    return _of_response("completed", "completed", output, response)


def incomplete(*output: Json, **response: Any) -> StreamingEvent:
    return _of_response("incomplete", "incomplete", output, response)


def failed(*output: Json, **response: Any) -> StreamingEvent:
    return _of_response("failed", "failed", output, response)


# ---------------------------------------------------------------------- its items: messages, unless a type is given


def item_added(output_index: Index = 0, *parts: Json, **item: Any) -> StreamingEvent:
    whole = _item(output_index, parts, {"status": "in_progress"} | item)
    return make_event("response.output_item.added", **_place(output_index, None, None), item=whole)


def item_done(output_index: Index = 0, *parts: Json, **item: Any) -> StreamingEvent:
    return make_event(
        "response.output_item.done", **_place(output_index, None, None), item=_item(output_index, parts, item)
    )


def message(*parts: Json, output_index: int = 0, **fields: Any) -> Json:
    return _item(output_index, parts, fields)


def function_call(name: str, arguments: str = "", output_index: int = 0, **fields: Any) -> Json:
    known = {"type": "function_call", "call_id": f"call_{output_index}", "name": name, "arguments": arguments}
    return _item(output_index, (), known | fields)


def arguments_delta(delta: str, output_index: Index = 0, item_id: str | None = "") -> StreamingEvent:
    return make_event("response.function_call_arguments.delta", **_place(output_index, None, item_id), delta=delta)


def arguments_done(arguments: str, output_index: Index = 0, item_id: str | None = "") -> StreamingEvent:
    return make_event(
        "response.function_call_arguments.done", **_place(output_index, None, item_id), arguments=arguments
    )


# ---------------------------------------------------------------------- the parts of a message: texts


def text_part(text: str, **fields: Any) -> Json:
    return {"type": "output_text", "text": text, "annotations": []} | fields


def part_added(
    output_index: Index = 0, content_index: Index = 0, item_id: str | None = "", **fields: Any
) -> StreamingEvent:
    return make_event(
        "response.content_part.added",
        **_place(output_index, content_index, item_id),
        part=text_part(**{"text": ""} | fields),
    )


def part_done(
    text: str, output_index: Index = 0, content_index: Index = 0, item_id: str | None = "", **fields: Any
) -> StreamingEvent:
    return make_event(
        "response.content_part.done", **_place(output_index, content_index, item_id), part=text_part(text, **fields)
    )


def text_delta(
    delta: str, output_index: Index = 0, content_index: Index = 0, item_id: str | None = "", **fields: Any
) -> StreamingEvent:
    return make_event(
        "response.output_text.delta", **_place(output_index, content_index, item_id), delta=delta, **fields
    )


def text_deltas(*deltas: str, output_index: int = 0, content_index: int = 0) -> list[StreamingEvent]:
    return [text_delta(delta, output_index, content_index) for delta in deltas]


def text_done(
    text: str, output_index: Index = 0, content_index: Index = 0, item_id: str | None = "", **fields: Any
) -> StreamingEvent:
    return make_event("response.output_text.done", **_place(output_index, content_index, item_id), text=text, **fields)


def _of_response(step: str, status: str, output: Iterable[Json], fields: Json) -> StreamingEvent:
    response = {"id": "resp_1", "object": "response", "status": status, "output": list(output)}
    return make_event(f"response.{step}", response=response | fields)


def _item(output_index: Index, parts: Iterable[Json], fields: Json) -> Json:
    known = {"type": "message", "id": f"item_{output_index}", "status": "completed"}
    if "type" not in fields:
        known |= {"role": "assistant", "content": list(parts)}
    return known | fields


def _place(output_index: Index, content_index: Index, item_id: str | None) -> Json:
    place = {
        "output_index": output_index,
        "content_index": content_index,
        "item_id": f"item_{output_index}" if item_id == "" else item_id,
    }
    return {name: value for name, value in place.items() if value is not None}
