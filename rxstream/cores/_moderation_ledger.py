"""What the subscriber has seen, and the ending that makes a stream of it that was cut.

The ending is made of nothing but what was emitted before, so that it cannot say what was held back.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from rxstream.cores._moderation import Place
from rxstream.cores._moderation_slots import ROUTES, JsonObject, Route, item_slots
from rxstream.events import Event, StreamingEvent, parse_event

_PART_TYPES: Final = {"text": "output_text", "refusal": "refusal", "reasoning": "reasoning_text"}
_TEXT_DONE: Final = {
    "text": ("response.output_text.done", "text"),
    "refusal": ("response.refusal.done", "refusal"),
    "reasoning": ("response.reasoning_text.done", "text"),
    "reasoning_summary": ("response.reasoning_summary_text.done", "text"),
}


class _Item:
    """One output item, as far as it was shown."""

    __slots__ = ("added", "annotations", "done", "item_id", "parts", "texts", "texts_done")

    def __init__(self) -> None:
        self.item_id = ""
        self.added: JsonObject | None = None
        self.done: JsonObject | None = None
        self.parts: dict[tuple[str, int], tuple[JsonObject, bool]] = {}
        """`content` or `summary` and the index -> the part, and whether it is done."""
        self.texts: dict[Place, list[str]] = {}
        self.texts_done: set[Place] = set()
        self.annotations: dict[int, list[JsonObject]] = {}


class Ledger:
    """Note every event that is emitted; close what is open.

    Memory: the text emitted.
    """

    def __init__(self) -> None:
        self.response: JsonObject | None = None
        self.terminal = False
        """Whether the subscriber has had the event that ends a response."""
        self.last: int | None = None
        """The last sequence number."""
        self._items: dict[int, _Item] = {}
        self._order: dict[str, int] = {}

    @property
    def response_id(self) -> str | None:
        return (self.response or {}).get("id")

    def note(self, event: Any) -> None:
        route = ROUTES.get(event.type)
        if event.sequence_number is not None:
            self.last = event.sequence_number
        if route is None:
            return
        if route.role == "delta":
            self._delta(event, route)
        elif route.role == "done":
            self._item(event).texts_done.add(_place(event, route))
        elif route.role in ("header", "terminal"):
            self.response = event.response.model_dump(mode="json")
            self.terminal |= route.role == "terminal"
        elif route.role not in ("error", "audio", "added"):
            self._structure(event, route)

    def index_of(self, item: JsonObject, position: int) -> int:
        """The output index of an item in the output of a response."""
        known = self._order.get(str(item.get("id") or ""))
        if known is not None:
            return known
        indexes = sorted(self._items)
        return indexes[position] if position < len(indexes) else position

    def _item(self, event: Any) -> _Item:
        index = getattr(event, "output_index", 0)
        item = self._items.get(index)
        if item is None:
            item = self._items[index] = _Item()
        item.item_id = getattr(event, "item_id", "") or item.item_id
        return item

    def _delta(self, event: Any, route: Route) -> None:
        if isinstance(event.delta, str) and route.kind != "audio_transcript":
            self._item(event).texts.setdefault(_place(event, route), []).append(event.delta)

    def _structure(self, event: Any, route: Route) -> None:
        item = self._item(event)
        done = event.type.endswith(".done")
        if route.role == "item":
            dump: JsonObject = event.item.model_dump(mode="json")
            item.item_id = str(dump.get("id") or item.item_id)
            self._order[item.item_id] = event.output_index
            if done:
                item.done = dump
            else:
                item.added = dump
        elif route.role == "annotation":
            if event.annotation is not None:
                annotation = event.annotation.model_dump(mode="json")
                item.annotations.setdefault(event.content_index, []).append(annotation)
        else:
            key = ("summary", event.summary_index) if route.role == "summary_part" else ("content", event.content_index)
            item.parts[key] = (event.part.model_dump(mode="json"), done)

    # ------------------------------------------------------------------ the ending

    def ending(self, kept: Mapping[Place, str]) -> list[StreamingEvent]:
        """The events that close whatever is open, `response.incomplete` last.

        `kept` are the texts of which something was taken back. Empty where the stream has had its end.
        """
        if self.terminal:
            return []
        events: list[JsonObject] = []
        output: list[JsonObject] = []
        for index in sorted(self._items):
            item = self._items[index]
            if item.done is None:
                output.append(self._close(index, item, kept, events))
            else:
                output.append(_rewritten(index, item.done, kept))
        response: JsonObject = {"id": "", "object": "response", **(self.response or {})}
        response |= {
            "status": "incomplete",
            "incomplete_details": {"reason": "content_filter"},
            "output": output,
        }
        events.append({"type": "response.incomplete", "response": response})
        return [parse_event(json.dumps({**event, "synthetic": True})) for event in events]

    def _close(self, index: int, item: _Item, kept: Mapping[Place, str], events: list[JsonObject]) -> JsonObject:
        texts = {place: kept.get(place, "".join(pieces)) for place, pieces in item.texts.items()}
        parts = {key: part for key, (part, _) in item.parts.items()}
        for place in texts:
            key = ("summary" if place.kind == "reasoning_summary" else "content", place.content_index)
            if place.kind in _TEXT_DONE and key not in parts:
                parts[key] = {"type": _PART_TYPES.get(place.kind, "summary_text")}
        whole: JsonObject = dict(item.added or _implied(item))
        whole["id"] = whole.get("id") or item.item_id
        for key in sorted(parts):
            self._close_part(index, item, key, parts[key], texts, kept, events)
        for group in ("summary", "content"):
            ordered = [parts[key] for key in sorted(parts) if key[0] == group]
            if ordered:
                whole[group] = ordered
        for slot in item_slots(whole):
            text = texts.get(Place(index, slot.at, slot.kind))
            if text is not None:
                slot.write(text)
        whole["status"] = "incomplete"
        if item.added is not None:
            events.append({"type": "response.output_item.done", "output_index": index, "item": whole})
        return whole

    def _close_part(
        self,
        index: int,
        item: _Item,
        key: tuple[str, int],
        part: JsonObject,
        texts: Mapping[Place, str],
        kept: Mapping[Place, str],
        events: list[JsonObject],
    ) -> None:
        group, at = key
        where: JsonObject = {"item_id": item.item_id, "output_index": index}
        where["summary_index" if group == "summary" else "content_index"] = at
        known, done = item.parts.get(key, (None, False))
        for kind, (done_type, field) in _TEXT_DONE.items():
            place = Place(index, at, kind)  # type: ignore[arg-type]
            if (kind == "reasoning_summary") != (group == "summary") or part.get("type") != _part_type(kind):
                continue
            text = kept.get(place, part.get(field, "")) if done else texts.get(place, "")
            part[field] = text
            if not done and place not in item.texts_done:
                logprobs: JsonObject = {"logprobs": []} if kind == "text" else {}
                events.append({"type": done_type, **where, field: text, **logprobs})
            if kind == "text" and not done:
                shown = item.annotations.get(at, [])
                part["annotations"] = [one for one in shown if (one.get("end_index") or 0) <= len(text)]
        if known is not None and not done:
            done_type = "response.reasoning_summary_part.done" if group == "summary" else "response.content_part.done"
            events.append({"type": done_type, **where, "part": part})


def _part_type(kind: str) -> str:
    return _PART_TYPES.get(kind, "summary_text")


def _implied(item: _Item) -> JsonObject:
    """An item that was never added, from the texts that came for it."""
    kinds = {place.kind for place in item.texts}
    if kinds & {"reasoning", "reasoning_summary"}:
        return {"type": "reasoning", "id": item.item_id, "summary": []}
    if kinds & {"text", "refusal"} or item.parts:
        return {"type": "message", "id": item.item_id, "role": "assistant", "content": []}
    if "custom_input" in kinds:
        return {"type": "custom_tool_call", "id": item.item_id, "call_id": "", "name": "", "input": ""}
    if "function_args" in kinds:
        return {"type": "function_call", "id": item.item_id, "call_id": "", "name": "", "arguments": ""}
    return {"type": "message", "id": item.item_id, "role": "assistant", "content": []}


def _rewritten(index: int, item: JsonObject, kept: Mapping[Place, str]) -> JsonObject:
    for slot in item_slots(item):
        text = kept.get(Place(index, slot.at, slot.kind))
        if text is not None:
            slot.write(text)
    return item


def _place(event: Event, route: Route) -> Place:
    index = getattr(event, route.at) if route.at else 0
    return Place(getattr(event, "output_index", 0), index, route.kind)
