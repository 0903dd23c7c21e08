"""A whole response, from a server that ignored `stream`, becomes the events that a stream of it would have.

Each text is one delta. The events are `synthetic` and have no sequence number. Texts, parts and their events come from
the table of `events/_fields.py`; an item without growing texts is added and done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

from rxstream.events import StreamingEvent, parse_event
from rxstream.events._fields import PARTS, TEXTS, GrowingText
from rxstream.events._lenient import wire_type

_Json: TypeAlias = dict[str, Any]
_State: TypeAlias = Literal["whole", "cut", "open"]
"""Of an item. One that is open at the end of its response is never done."""

_TERMINAL_TYPES = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.failed",
}
_UNFINISHED = ("queued", "in_progress")
_LATER = ("usage", "completed_at", "error", "incomplete_details", "output_text")
"""Fields of a response that it has at its end only."""

_GROWING = [text for text in TEXTS if text.deltas]
_PART_EVENTS = {"content": PARTS[0], "summary": PARTS[2]}
"""Group of parts -> the events that open and close such a part."""


def events_of_whole(response: Mapping[str, Any], indexes: Sequence[int] = ()) -> Iterator[StreamingEvent]:
    """The events of a response, from its JSON. One that is queued or in progress gets no terminal event.

    `indexes`: the output index of each item, where a stream had them; by default its place.
    """
    for fields in _events(response, indexes):
        yield parse_event(json.dumps({**fields, "synthetic": True}))


def is_unfinished(response: Mapping[str, Any]) -> bool:
    """Whether the response is queued or in progress."""
    return response.get("status") in _UNFINISHED


def _events(response: Mapping[str, Any], indexes: Sequence[int]) -> Iterator[_Json]:
    status = response.get("status")
    status = status if isinstance(status, str) else None
    begun = {name: value for name, value in response.items() if name not in _LATER}
    begun |= {"output": [], "status": status if status in _UNFINISHED else "in_progress"}
    yield {"type": "response.created", "response": begun}
    for place, item in enumerate(items_of(response)):
        if isinstance(item, dict):
            index = indexes[place] if place < len(indexes) else place
            yield from _item(index, cast(_Json, item), _state(cast(_Json, item), status))
    if status in _UNFINISHED:
        return
    if status not in _TERMINAL_TYPES:
        reason = "failed" if response.get("error") else "incomplete" if response.get("incomplete_details") else None
        status = reason or "completed"
    yield {"type": _TERMINAL_TYPES[status], "response": dict(response)}


def items_of(response: Mapping[str, Any]) -> list[Any]:
    """The output of a response, as it came."""
    output = response.get("output")
    return cast("list[Any]", output) if isinstance(output, list) else []


def _state(item: _Json, status: Any) -> _State:
    """`whole`: arguments, code and commands get their `.done`, which says that they may be used. `cut`: they do not."""
    if item.get("status") == "in_progress" and status in ("incomplete", "failed", "cancelled", *_UNFINISHED):
        return "open"
    return "cut" if item.get("status") == "incomplete" else "whole"


def _item(index: int, item: _Json, state: _State) -> Iterator[_Json]:
    texts = [text for text in _GROWING if text.item_type == item.get("type")]
    place = {"output_index": index, "item_id": item["id"] if isinstance(item.get("id"), str) else ""}
    opened = dict(item)
    if texts and "status" in item:
        opened["status"] = "in_progress"
    whole = state == "whole"
    inside: list[_Json] = []
    for group in dict.fromkeys(text.group for text in texts):
        kinds = [text for text in texts if text.group == group]
        if group == "":
            for text in kinds:
                inside += _text(text, item, opened, place, whole)
        elif group == "commands":
            inside += _commands(kinds[0], item, opened, place, whole)
        elif group == "operation":
            inside += _operation(kinds[0], item, opened, place, whole)
        elif isinstance(item.get(group), list):
            opened[group] = []
            for number, part in enumerate(item[group]):
                inside += _part(kinds, group, part, {**place, kinds[0].index: number})
    yield {"type": "response.output_item.added", "output_index": index, "item": opened}
    yield from inside
    if state != "open":
        yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _text(text: GrowingText, item: _Json, opened: _Json, place: _Json, whole: bool) -> Iterator[_Json]:
    """A text that is a field of its item or part, and empties the field of the opened one."""
    value = item.get(text.field)
    if not isinstance(value, str):
        return
    opened[text.field] = ""
    yield from _delta_and_done(text, value, place, whole)


def _commands(text: GrowingText, item: _Json, opened: _Json, place: _Json, whole: bool) -> Iterator[_Json]:
    action = item.get("action")
    commands = cast(_Json, action).get("commands") if isinstance(action, dict) else None
    if not isinstance(commands, list) or text.added is None:
        return
    opened["action"] = {**cast(_Json, action), "commands": []}
    for number, command in enumerate(cast("list[Any]", commands)):
        if isinstance(command, str):
            at = {**place, text.index: number}
            yield {"type": wire_type(text.added), **at, text.field: ""}
            yield from _delta_and_done(text, command, at, whole)


def _operation(text: GrowingText, item: _Json, opened: _Json, place: _Json, whole: bool) -> Iterator[_Json]:
    operation = item.get("operation")
    if isinstance(operation, dict):
        opened["operation"] = dict(cast(_Json, operation))
        yield from _text(text, cast(_Json, operation), opened["operation"], place, whole)


def _part(kinds: list[GrowingText], group: str, part: Any, place: _Json) -> Iterator[_Json]:
    if not isinstance(part, dict):
        return
    fields = cast(_Json, part)
    text = next((kind for kind in kinds if kind.part_type == fields.get("type")), None)
    inside: list[_Json] = []
    opened = dict(fields)
    if text is not None and isinstance(value := fields.get(text.field), str):
        opened[text.field] = ""
        logprobs = fields.get("logprobs")
        inside += _delta_and_done(text, value, place, True, **({"logprobs": logprobs} if logprobs else {}))
    annotations = fields.get("annotations")
    if isinstance(annotations, list) and annotations:
        opened["annotations"] = []
        added = [
            {"type": "response.output_text.annotation.added", **place, "annotation_index": at, "annotation": annotation}
            for at, annotation in enumerate(cast("list[Any]", annotations))
        ]
        inside[-1:-1] = added  # the API sends them before the text is done
    events = _PART_EVENTS[group]
    yield {"type": wire_type(events.added), **place, "part": opened}
    yield from inside
    yield {"type": wire_type(events.done), **place, "part": fields}


def _delta_and_done(text: GrowingText, value: str, place: _Json, whole: bool, **more: Any) -> Iterator[_Json]:
    if value:
        yield {"type": wire_type(text.deltas[0]), **place, "delta": value, **more}
    if whole:
        yield {"type": wire_type(text.dones[0]), **place, text.field: value, **more}
