"""Events as a server sends them become events as the API describes them (docs/reference/compatibility.md).

An event that names an `output_index` at which an item was added passes unchanged, for the cost of one lookup in a dict.
Any other is *repaired*: it gets the index of its item, and an item that was never added is added first. Events that are
made here are marked `synthetic=True`.

| a server sends                                      | the events become                                         |
|-----------------------------------------------------|-----------------------------------------------------------|
| no `output_index`, no `content_index`               | numbered in the order in which items and parts were added |
| two items with one `output_index`                   | the second gets the next free index, its events by id     |
| an item whose id changes between its events         | one item, found by index, then by call id, then by type   |
| an item with the call id of one that ended with half its arguments, or that calls something else | a call of its own |
| deltas of an item that was never added              | the item is added first, as a snapshot had it             |
| no `function_call_arguments.done`                   | it is made from `output_item.done`                        |
| `{"error": …}` without a type, or `response.error`  | an `ErrorEvent`                                           |
| `response.completed` with another status, or with an error | `response.incomplete`, `response.failed`     |
| `response.done`, `response.cancelled`               | the terminal event of its status                          |
| `response.failed` with its error beside the response | it has the error in the response                         |
| a terminal event without its response               | it has an empty one                                       |
| a whole response instead of a stream                | the events that a stream of it would have                 |
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast

from rxstream.events import (
    ErrorEvent,
    FunctionCallItem,
    ResponseCompletedEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseCreatedEvent,
    ResponseFailedEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseInProgressEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseQueuedEvent,
    StreamingEvent,
    UnknownEvent,
    parse_event,
)
from rxstream.events._base import ItemEvent, PartEvent, SummaryEvent
from rxstream.events._fields import PARTS, TEXTS, blank_fields, item_events
from rxstream.response._ending import is_whole_response
from rxstream.response.decoding._item_matching import OWNER, TrackedItem, TrackedItems, fits, holder
from rxstream.response.decoding._mislabelled import corrected
from rxstream.response.decoding._whole_response import events_of_whole

_E = TypeVar("_E", ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent)
_IDENTITY = ("name", "call_id", "server_label")

_LISTS = ("", "content", "summary")
_OPENED = {text.item_type: text.item for text in TEXTS if text.deltas and text.group in _LISTS}
"""Type of an item -> its class, where the fields of a new one follow from the type. Others only get their index."""

_PART_BEGINS = tuple(events.added for events in PARTS)
_PART_ENDS = (ResponseContentPartAddedEvent, ResponseContentPartDoneEvent)
"""Events whose part has the type of the item."""


class Repairs:
    """The events of one response as a server sends them -> as the API describes them."""

    def __init__(self) -> None:
        self._items = TrackedItems()
        self._response_id = ""
        self._allowed: dict[int, frozenset[type]] = {}
        """Index of an open item -> the classes of events that may have that index."""
        self._begun = False
        """Whether an event of the wire has begun a response."""

    def passes(self, event: StreamingEvent) -> bool:
        """Whether an event is inside an item and passes unchanged, as do those of its class, index and fields."""
        fields = REQUIRED.get(type(event))
        if fields is None:
            return False
        allowed = self._allowed.get(cast(ItemEvent, event).output_index)
        return allowed is not None and type(event) in allowed and fields <= event.__pydantic_fields_set__

    def feed(self, event: StreamingEvent) -> Iterable[StreamingEvent]:
        """The events to pass on for one that does not pass unchanged."""
        return self._repair(event) if isinstance(event, ItemEvent) else self._item_or_response(event)

    def _item_or_response(self, event: StreamingEvent) -> Iterable[StreamingEvent]:
        """An event of a whole item, or of the response."""
        match event:
            case ResponseOutputItemAddedEvent():
                return self._added(event)
            case ResponseOutputItemDoneEvent():
                return self._done(event)
            case UnknownEvent() if not self._begun and is_whole_response(event):
                return map(_corrected, events_of_whole(event.data))
            case ResponseCreatedEvent() | ResponseQueuedEvent() | ResponseInProgressEvent():
                self._begun = True
                self._response_id = event.response.id or self._response_id
                for index, item in enumerate(event.response.output):
                    self._items.note_from_snapshot(index, item)
                return (event,)
            case ResponseCompletedEvent() | ResponseFailedEvent() | ErrorEvent() | UnknownEvent():
                return (corrected(event),)
            case _:
                return (event,)

    # ------------------------------------------------------------------ items

    def _added(self, event: ResponseOutputItemAddedEvent) -> Iterable[StreamingEvent]:
        self._begun = True
        tracked = self._items.begin(_index(event), event.item)
        self._allow(tracked)
        return (_at_index(event, tracked.index),)

    def _done(self, event: ResponseOutputItemDoneEvent) -> Iterable[StreamingEvent]:
        item = event.item
        tracked = self._items.end(_index(event), item)
        before = [] if tracked.opened else self._open(tracked, item.id, item.model_dump())
        self._allow(tracked)
        if isinstance(item, FunctionCallItem) and not tracked.arguments_done and item.status != "incomplete":
            tracked.arguments_done = True
            before.append(_arguments_done(tracked, item))
        return (*before, _at_index(event, tracked.index))

    # ------------------------------------------------------------------ events inside an item

    def _repair(self, event: ItemEvent) -> Iterable[StreamingEvent]:
        """Find the item of an event that does not name its index, or names a wrong one."""
        before: list[StreamingEvent] = []
        fields_set = event.model_fields_set
        item_id = event.item_id
        if not item_id and (extra := event.model_extra) and extra.get("id") != self._response_id:
            item_id = str(extra.get("id") or "")
        item_type = OWNER[type(event)]
        if isinstance(event, _PART_ENDS):
            item_type = holder(event.part.type)
        index = event.output_index if "output_index" in fields_set else None
        tracked = self._items.find(event, index, item_id, item_type) or self._items.new(index, item_type or "message")
        self._items.note_id(tracked, item_id, item_type)
        if not tracked.opened:
            before = self._open(tracked, item_id, {})
        self._allow(tracked)
        if isinstance(event, ResponseFunctionCallArgumentsDoneEvent):
            tracked.arguments_done = True
        update: dict[str, Any] = {}
        if "output_index" not in fields_set or event.output_index != tracked.index:
            update["output_index"] = tracked.index
        if not event.item_id and item_id:
            update["item_id"] = item_id
        update.update(_part_number(event, tracked))
        repaired = event.model_copy(update=update) if update else event
        return (*before, cast(StreamingEvent, repaired))

    def _allow(self, tracked: TrackedItem) -> None:
        """From here on events of this item with its index pass unchanged, as long as indexes decide."""
        if not self._items.indexes_decide:
            self._allowed.clear()
        elif tracked.done:
            self._allowed.pop(tracked.index, None)
        else:
            self._allowed[tracked.index] = _EVENTS.get(tracked.item_type, _ANY)

    def _open(self, tracked: TrackedItem, item_id: str, item: dict[str, Any]) -> list[StreamingEvent]:
        """The missing `output_item.added` of an item, with the fields that follow from its type."""
        tracked.opened = tracked.synthetic = bool(tracked.item_type)
        if tracked.snapshot is not None:
            opened = tracked.snapshot.model_dump()
        elif tracked.item_type in _OPENED:
            opened = {**item, **blank_fields(_OPENED[tracked.item_type])}
            opened.update({name: item[name] for name in _IDENTITY if item.get(name)})
            opened["id"] = item_id or f"item_{tracked.index}"
        else:
            return []
        fields = {
            "type": "response.output_item.added",
            "output_index": tracked.index,
            "item": opened,
            "synthetic": True,
        }
        return [parse_event(json.dumps(fields))]


def _corrected(event: StreamingEvent) -> StreamingEvent:
    return corrected(event) if isinstance(event, ResponseCompletedEvent) else event


def _index(event: Any) -> int | None:
    return event.output_index if "output_index" in event.model_fields_set else None


def _at_index(event: _E, index: int) -> _E:
    if _index(event) == index:
        return event
    return event.model_copy(update={"output_index": index})


def _part_number(event: ItemEvent, tracked: TrackedItem) -> dict[str, int]:
    """The number of the part of an event that does not name it: that of the part that was added last."""
    name = "content_index" if isinstance(event, PartEvent) else "summary_index"
    if not isinstance(event, PartEvent | SummaryEvent):
        return {}
    number: int | None = getattr(event, name) if name in event.model_fields_set else None
    count = tracked.parts.get(name, 0)
    if isinstance(event, _PART_BEGINS):
        tracked.parts[name] = max(count, (count if number is None else number) + 1)
        count += 1
    return {name: max(0, count - 1)} if number is None else {}


def _arguments_done(tracked: TrackedItem, item: FunctionCallItem) -> StreamingEvent:
    fields = {
        "type": "response.function_call_arguments.done",
        "item_id": item.id or "",
        "output_index": tracked.index,
        "name": item.name,
        "arguments": item.arguments,
        "synthetic": True,
    }
    return parse_event(json.dumps(fields))


def _fields_of_place(cls: type[ItemEvent]) -> Iterator[str]:
    yield "output_index"
    if issubclass(cls, PartEvent):
        yield "content_index"
    elif issubclass(cls, SummaryEvent):
        yield "summary_index"


REQUIRED: dict[type, frozenset[str]] = {cls: frozenset(_fields_of_place(cls)) for cls in item_events()}
"""Class of an event inside an item -> the fields without which it is repaired."""

_ANY = frozenset(REQUIRED) - {*_PART_BEGINS, *_PART_ENDS, ResponseFunctionCallArgumentsDoneEvent}
"""Classes of events that may pass unchanged. Others number parts, fit several item types, or end the arguments."""

_EVENTS: dict[str, frozenset[type]] = {
    item_type: frozenset(cls for cls in _ANY if fits(item_type, OWNER[cls]))
    for item_type in OWNER.values()
    if item_type
}
"""Type of an item -> the classes of events that may pass unchanged for it."""
