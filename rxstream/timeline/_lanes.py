"""Which lane an event belongs to: the response, an item, a part of an item, or a tool that runs."""

from __future__ import annotations

from typing import Any, cast

from rxstream.errors._redaction import one_line
from rxstream.events import (
    Event,
    ResponseCreatedEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    UnknownEvent,
)
from rxstream.events._fields import PARTS, TERMINAL, GrowingText, Part, by_delta, by_done
from rxstream.response._ending import failure
from rxstream.response.calls._tool_call import inputs_of
from rxstream.response.calls._tool_call_kinds import class_of
from rxstream.response.calls._tool_names import full_name
from rxstream.timeline._model import Mark, MarkKind, TimelineLane
from rxstream.timeline._notes import call_line, item_line

_DELTAS = by_delta()
_DONES = by_done()
_PARTS = {event: (part.text, event is part.added) for part in PARTS for event in (part.added, part.done)}
_LONGEST_TITLE = 120
_TOOL = "rxstream.tool."


class LaneBuilder:
    """The lanes of one response."""

    def __init__(self, start: float) -> None:
        self._response = TimelineLane("response", "response", start)
        self._items: dict[int, TimelineLane] = {}
        self._parts: dict[tuple[int, Part], TimelineLane] = {}
        self._tools: dict[str, TimelineLane] = {}
        self._last_items: dict[int, Any] = {}
        """Output index -> the item as the last event had it."""
        self._pieces: dict[int, list[str]] = {}
        """`id` of a lane -> its deltas."""

    def feed(self, number: int, at: float, event: Event) -> None:
        """Put an event on its lane, as one mark."""
        kind = type(event)
        index = getattr(event, "output_index", None)
        if event.type.startswith(_TOOL):
            self._feed_tool(number, at, event)
        elif (text := _DELTAS.get(kind)) is not None:
            lane = self._text_lane(text, event, at)
            delta = getattr(event, "delta", "")
            self._pieces.setdefault(id(lane), []).append(delta)
            lane.marks.append(Mark(at, "delta", number, len(delta)))
        elif (text := _DONES.get(kind)) is not None:
            self._whole(self._text_lane(text, event, at), getattr(event, text.field, ""), at, number)
        elif kind in _PARTS:
            self._feed_part(number, at, event)
        elif isinstance(event, ResponseOutputItemAddedEvent | ResponseOutputItemDoneEvent):
            self._feed_item(number, at, event)
        elif isinstance(index, int):
            lane = self._item_lane(index, at)
            lane.marks.append(Mark(at, "progress", number))
        else:
            self._response.marks.append(Mark(at, _kind(event), number))

    def close(self, end: float, *, failed: bool) -> None:
        """The stream has ended: give each lane its text and its line."""
        ends = [mark.at for mark in self._response.marks if mark.kind in ("end", "error")]
        self._response.end = ends[-1] if ends else end
        self._response.status = "failed" if failed else "completed"
        for lane in (*self._items.values(), *self._parts.values()):
            pieces = self._pieces.get(id(lane))
            if pieces and not lane.text:
                lane.text = "".join(pieces)
        for (index, _), part in self._parts.items():
            if part.end is None and self._items[index].end is not None:  # its item is done, so it is
                part.end = part.last
        for index, item in self._last_items.items():
            self._describe(self._items[index], item)

    def ordered(self) -> list[TimelineLane]:
        """The response, each item with its parts, the tools."""
        lanes = [self._response]
        for index in sorted(self._items):
            lanes.append(self._items[index])
            lanes += [self._parts[key] for key in sorted(self._parts) if key[0] == index]
        return [*lanes, *self._tools.values()]

    # ------------------------------------------------------------------ items and parts

    def _item_lane(self, index: int, at: float, kind: str = "") -> TimelineLane:
        lane = self._items.get(index)
        if lane is None:
            lane = self._items[index] = TimelineLane("item", kind or "item", at, output_index=index, type=kind)
        return lane

    def _text_lane(self, text: GrowingText, event: Any, at: float) -> TimelineLane:
        item = self._item_lane(event.output_index, at, text.item_type)
        place = text.place(event)
        return item if place is None else self._part_lane(event.output_index, place, text.kind, at)

    def _part_lane(self, index: int, place: Part, kind: str, at: float) -> TimelineLane:
        lane = self._parts.get((index, place))
        if lane is None:
            title = f"{kind} {place.number}"
            lane = self._parts[index, place] = TimelineLane("part", title, at, output_index=index, type=kind)
        return lane

    def _whole(self, lane: TimelineLane, text: object, at: float, number: int) -> None:
        """The text is whole. Some servers leave it out at the end; then the deltas count."""
        if isinstance(text, str) and text:
            lane.text = text
        lane.marks.append(Mark(at, "done", number))
        if lane.role == "part":
            lane.end = at

    def _feed_part(self, number: int, at: float, event: Any) -> None:
        text, opens = _PARTS[type(event)]
        self._item_lane(event.output_index, at, text.item_type)
        place = text.place(event)
        kind = {"refusal": "refusal"}.get(getattr(event.part, "type", ""), text.kind)
        lane = self._part_lane(event.output_index, place or Part(text.group, 0), kind, at)
        lane.marks.append(Mark(at, "start" if opens else "done", number))
        if not opens:
            lane.end = at

    def _feed_item(
        self, number: int, at: float, event: ResponseOutputItemAddedEvent | ResponseOutputItemDoneEvent
    ) -> None:
        item = event.item
        lane = self._item_lane(event.output_index, at, item.type)
        self._last_items[event.output_index] = item
        done = isinstance(event, ResponseOutputItemDoneEvent)
        lane.type = item.type
        lane.title = _title(item)
        lane.status = one_line(item.status or ("completed" if done else "in_progress"), _LONGEST_TITLE)
        lane.marks.append(Mark(at, "done" if done else "start", number))
        if done:
            lane.end = at

    def _describe(self, lane: TimelineLane, item: Any) -> None:
        call_class = class_of(item)
        if call_class is None:
            if item.type not in ("message", "reasoning"):
                lane.detail = item_line(item)
            return
        whole = inputs_of(item)
        if not any(whole) and lane.text:  # it was cut before its end
            whole = [lane.text]
        lane.text = lane.text or "\n".join(whole)
        texts = {place: [text] for place, text in enumerate(whole)}
        call: Any = call_class.of_item(item, lane.output_index or 0, texts=texts, status=lane.status)
        lane.detail = call_line(call)

    # ------------------------------------------------------------------ tools

    def _feed_tool(self, number: int, at: float, event: Event) -> None:
        fields = event.data if isinstance(event, UnknownEvent) else event.model_dump()
        call_id = str(fields.get("call_id", ""))
        lane = self._tools.get(call_id)
        if lane is None:
            name = full_name(str(fields.get("name") or "tool"), fields.get("namespace"))
            title = one_line(name, _LONGEST_TITLE)
            lane = self._tools[call_id] = TimelineLane("tool", title, at, type=str(fields.get("kind", "")))
        step = event.type.removeprefix(_TOOL)
        mark: MarkKind = "progress"
        if step == "started":
            mark, lane.status = "start", "running"
        elif step == "approval":
            lane.status = "waits for approval"
        elif step == "finished":
            error = fields.get("error")
            mark, lane.end = ("error" if error else "done"), at
            lane.status = one_line(str(error), _LONGEST_TITLE) if error else "completed"
            output = fields.get("output", "")
            lane.text = output if isinstance(output, str) else str(output)
        lane.marks.append(Mark(at, mark, number))


def _title(item: Any) -> str:
    """The name of what is called, or else the type."""
    names = [getattr(item, name, None) for name in ("server_label", "namespace", "name")]
    name = ".".join(dict.fromkeys(name for name in names if isinstance(name, str) and name))
    return one_line(name or item.type, _LONGEST_TITLE) or "item"


def _kind(event: Event) -> MarkKind:
    if event.type == "error":
        return "error"
    if isinstance(event, TERMINAL):
        failed = event.type == "response.failed" or failure(event.response) is not None
        return "error" if failed else "end"
    if event.type.startswith("rxstream.moderation."):
        return "flag"
    return "start" if isinstance(cast(Any, event), ResponseCreatedEvent) else "event"
