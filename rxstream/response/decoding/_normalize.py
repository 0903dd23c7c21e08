"""Every server's dialect becomes the API's own (recorded dialects: docs/reference/compatibility.md).

Two states. As long as each event names an `output_index` that an item was added at, it passes untouched, at the cost of
one look into a dict. An event that does not is *repaired*: it is given the index of the item that it belongs to, and an
item that was never added is opened first. What is made here is marked `synthetic=True`.

| what servers do                                     | what is done about it                                     |
|-----------------------------------------------------|-----------------------------------------------------------|
| no `output_index`, no `content_index`               | given by the order in which items and parts were added    |
| two items share an `output_index`                   | the second gets the next free one, its events by item id  |
| an item's id changes between its events             | found by index, then by call id, then by type             |
| deltas for an item that was never added             | the item is opened first, as a snapshot told of it        |
| no `function_call_arguments.done`                   | made from `output_item.done`                              |
| `{"error": …}` without a type, or `response.error`  | an `ErrorEvent`                                           |
| `response.completed` with status `incomplete`, `failed`, or with an error | `response.incomplete`, `response.failed` |
| a terminal event without its response               | has an empty one                                          |
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
from rxstream.response.decoding._item_matching import OWNER, Slot, Slots, fits, holder
from rxstream.response.decoding._mislabelled import meant

_E = TypeVar("_E", ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent)
_IDENTITY = ("name", "call_id", "server_label")

_LISTS = ("", "content", "summary")
_OPENED = {text.item_type: text.item for text in TEXTS if text.deltas and text.group in _LISTS}
"""The items that can be opened with what their type says. Others are only given their index."""

_PART_BEGINS = tuple(events.added for events in PARTS)
_NO_RUN: tuple[type | None, int, frozenset[str]] = (None, 0, frozenset())
_PART_ENDS = (ResponseContentPartAddedEvent, ResponseContentPartDoneEvent)
"""Of which the part tells what item they belong to."""


class Normalize:
    """Events as a server sends them -> events as the API describes them."""

    def __init__(self) -> None:
        self._slots = Slots()
        self._passing: dict[int, frozenset[type]] = {}
        """Index of an item that is open -> the classes of events that are right there."""
        self._run: tuple[type | None, int, frozenset[str]] = _NO_RUN
        """Class and index of the last event that passed, and what it needed: deltas come in runs."""

    def feed(self, event: StreamingEvent) -> Iterable[StreamingEvent]:
        kind = type(event)
        same, index, needs = self._run
        if kind is same and event.output_index == index and needs <= event.__pydantic_fields_set__:  # type: ignore[union-attr]
            return (event,)
        fields = _NEEDS.get(kind)
        if fields is None:
            return self._whole(event)
        index = cast(ItemEvent, event).output_index
        passing = self._passing.get(index)
        if passing is None or kind not in passing or not fields <= event.__pydantic_fields_set__:
            return self._place(event)  # type: ignore[arg-type]
        self._run = kind, index, fields
        return (event,)

    def finish(self) -> Iterable[StreamingEvent]:
        """Nothing is held back."""
        return ()

    def _whole(self, event: StreamingEvent) -> Iterable[StreamingEvent]:
        """An event of an item as a whole, or of the response."""
        match event:
            case ResponseOutputItemAddedEvent():
                return self._added(event)
            case ResponseOutputItemDoneEvent():
                return self._done(event)
            case ResponseCreatedEvent() | ResponseQueuedEvent() | ResponseInProgressEvent():
                for index, item in enumerate(event.response.output):
                    self._slots.foretell(index, item)
                return (event,)
            case ResponseCompletedEvent() | ErrorEvent() | UnknownEvent():
                return (meant(event),)
            case _:
                return (event,)

    # ------------------------------------------------------------------ items

    def _added(self, event: ResponseOutputItemAddedEvent) -> Iterable[StreamingEvent]:
        slot = self._slots.beginning(_index(event), event.item)
        self._let_pass(slot)
        return (_moved(event, slot.index),)

    def _done(self, event: ResponseOutputItemDoneEvent) -> Iterable[StreamingEvent]:
        item = event.item
        slot = self._slots.end(_index(event), item)
        made = [] if slot.opened else self._open(slot, item.id, item.model_dump())
        self._let_pass(slot)
        if isinstance(item, FunctionCallItem) and not slot.arguments_done and item.status != "incomplete":
            slot.arguments_done = True
            made.append(_arguments_done(slot, item))
        return (*made, _moved(event, slot.index))

    # ------------------------------------------------------------------ what belongs to an item

    def _place(self, event: ItemEvent) -> Iterable[StreamingEvent]:
        """Find the item of an event that does not say it, or says it wrongly."""
        made: list[StreamingEvent] = []
        came = event.model_fields_set
        identity = event.item_id
        if not identity and (extra := event.model_extra):
            identity = str(extra.get("id") or "")
        kind = OWNER[type(event)]
        if isinstance(event, _PART_ENDS):
            kind = holder(event.part.type)
        index = event.output_index if "output_index" in came else None
        slot = self._slots.of(event, index, identity, kind) or self._slots.new(index, kind or "message")
        self._slots.name(slot, identity, kind)
        if not slot.opened:
            made = self._open(slot, identity, {})
        self._let_pass(slot)
        if isinstance(event, ResponseFunctionCallArgumentsDoneEvent):
            slot.arguments_done = True
        update: dict[str, Any] = {}
        if "output_index" not in came or event.output_index != slot.index:
            update["output_index"] = slot.index
        if not event.item_id and identity:
            update["item_id"] = identity
        update.update(_number(event, slot))
        placed = event.model_copy(update=update) if update else event
        return (*made, cast(StreamingEvent, placed))

    def _let_pass(self, slot: Slot) -> None:
        """What comes right for this item from here on is not looked at any more, as long as indexes decide."""
        self._run = _NO_RUN
        if not self._slots.indexes_decide:
            self._passing.clear()
        elif slot.done:
            self._passing.pop(slot.index, None)
        else:
            self._passing[slot.index] = _EVENTS.get(slot.kind, _ANY)

    def _open(self, slot: Slot, identity: str, item: dict[str, Any]) -> list[StreamingEvent]:
        """`output_item.added` for an item that was not, as far as its type lets one guess what it held then."""
        slot.opened = slot.made = bool(slot.kind)
        if slot.known is not None:
            opened = slot.known.model_dump()
        elif slot.kind in _OPENED:
            opened = {**item, **blank_fields(_OPENED[slot.kind])}
            opened.update({name: item[name] for name in _IDENTITY if item.get(name)})
            opened["id"] = identity or f"item_{slot.index}"
        else:
            return []
        fields = {"type": "response.output_item.added", "output_index": slot.index, "item": opened, "synthetic": True}
        return [parse_event(json.dumps(fields))]


def _index(event: Any) -> int | None:
    return event.output_index if "output_index" in event.model_fields_set else None


def _moved(event: _E, index: int) -> _E:
    if _index(event) == index:
        return event
    return event.model_copy(update={"output_index": index})


def _number(event: ItemEvent, slot: Slot) -> dict[str, int]:
    """The number of the part that an event belongs to, where it does not say it: that of the part added last."""
    name = "content_index" if isinstance(event, PartEvent) else "summary_index"
    if not isinstance(event, PartEvent | SummaryEvent):
        return {}
    told: int | None = getattr(event, name) if name in event.model_fields_set else None
    count = slot.parts.get(name, 0)
    if isinstance(event, _PART_BEGINS):
        slot.parts[name] = max(count, (count if told is None else told) + 1)
        count += 1
    return {name: max(0, count - 1)} if told is None else {}


def _arguments_done(slot: Slot, item: FunctionCallItem) -> StreamingEvent:
    fields = {
        "type": "response.function_call_arguments.done",
        "item_id": item.id or "",
        "output_index": slot.index,
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


_NEEDS: dict[type, frozenset[str]] = {cls: frozenset(_fields_of_place(cls)) for cls in item_events()}
"""The classes of events that belong to an item -> what they must have brought to pass untouched."""

_ANY = frozenset(_NEEDS) - {*_PART_BEGINS, *_PART_ENDS, ResponseFunctionCallArgumentsDoneEvent}
"""Those that are left never pass unseen: they number parts, belong to several types of items, or say what is done."""

_EVENTS: dict[str, frozenset[type]] = {
    kind: frozenset(cls for cls in _ANY if fits(kind, OWNER[cls])) for kind in OWNER.values() if kind
}
"""Type of an item -> the classes of events that it may have."""
