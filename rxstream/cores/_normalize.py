"""Every server's dialect becomes the API's own (recorded dialects: docs/reference/compatibility.md).

Two states. As long as each event names an `output_index` that an item was added at, it passes untouched, at the cost of
one look into a dict. An event that does not is *repaired*: it is given the index of the item that it belongs to, and an
item that was never added is opened first. What is made here is marked `synthetic=True`.

| what servers do                                     | what is done about it                                     |
|-----------------------------------------------------|-----------------------------------------------------------|
| no `output_index`, no `content_index`               | given by the order in which items and parts were added    |
| two items share an `output_index`                   | the second gets the next free one, its events by item id  |
| an item's id changes between its events             | found by index, then by call id, then by type             |
| deltas for an item that was never added             | the item is opened first                                  |
| no `function_call_arguments.done`                   | made from `output_item.done`                              |
| `{"error": …}` without a type, or `response.error`  | an `ErrorEvent`                                           |
| `response.completed` with status `incomplete`, `failed` | becomes `response.incomplete`, `response.failed`      |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from rxstream.events import (
    Event,
    ResponseCompletedEvent,
    ResponseContentPartAddedEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    StreamingEvent,
    UnknownEvent,
    parse_event,
)
from rxstream.events._base import ItemEvent, PartEvent

_E = TypeVar("_E", ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent)

_OPENS = {
    "response.output_text": "message",
    "response.refusal": "message",
    "response.content_part": "message",
    "response.reasoning": "reasoning",
    "response.function_call_arguments": "function_call",
    "response.custom_tool_call_input": "custom_tool_call",
    "response.mcp_call_arguments": "mcp_call",
    "response.mcp_list_tools": "mcp_list_tools",
    "response.mcp_call": "mcp_call",
    "response.web_search_call": "web_search_call",
    "response.file_search_call": "file_search_call",
    "response.code_interpreter_call": "code_interpreter_call",
    "response.image_generation_call": "image_generation_call",
    "response.shell_call_output": "shell_call_output",
    "response.shell_call": "shell_call",
    "response.apply_patch_call": "apply_patch_call",
}
"""The start of an event's type -> the type of the item that it belongs to."""

_NEW: dict[str, dict[str, Any]] = {
    "message": {"role": "assistant", "content": []},
    "reasoning": {"summary": []},
    "function_call": {"arguments": "", "name": "", "call_id": ""},
    "custom_tool_call": {"input": "", "name": "", "call_id": ""},
}
"""What an item that had to be opened is known to hold; others are not opened, only given their index."""


@dataclass
class _Slot:
    """One output item: the index that it has from here on, and what is known of it."""

    index: int
    kind: str
    ids: set[str] = field(default_factory=set[str])
    call_id: str | None = None
    parts: int = 0
    arguments_done: bool = False
    done: bool = False
    opened_here: bool = False


class Normalize:
    """Events as a server sends them -> events as the API describes them."""

    def __init__(self) -> None:
        self._slots: dict[int, _Slot] = {}
        self._ids_decide = False
        """Two items came with one index: from then on an index says nothing, and ids decide."""

    def feed(self, event: StreamingEvent) -> Iterable[StreamingEvent]:
        kind = type(event)
        needs = _NEEDS.get(kind)
        if needs is not None:
            if (
                needs <= event.__pydantic_fields_set__
                and event.output_index in self._slots  # type: ignore[union-attr]  # what is in _NEEDS has one
                and not self._ids_decide
            ):
                return (event,)
            return self._place(event)  # type: ignore[arg-type]
        rule = _RULES.get(kind)
        return rule(self, event) if rule is not None else (event,)

    def finish(self) -> Iterable[StreamingEvent]:
        """Nothing is held back."""
        return ()

    def _arguments(self, event: ResponseFunctionCallArgumentsDoneEvent) -> Iterable[StreamingEvent]:
        (*made, placed) = self._place(event)
        self._slots[placed.output_index].arguments_done = True  # type: ignore[union-attr]
        return (*made, placed)

    # ------------------------------------------------------------------ items

    def _added(self, event: ResponseOutputItemAddedEvent) -> Iterable[StreamingEvent]:
        item = event.item
        index = event.output_index if "output_index" in event.model_fields_set else None
        if index is not None and index not in self._slots:
            self._slots[index] = _slot(index, item)
            return (event,)
        known = self._by_id(item) if index is None or self._ids_decide else self._same(index, item)
        if known is None:
            if index is not None:
                self._ids_decide = True
            known = self._slots[self._next()] = _slot(self._next(), item)
        return (_moved(event, known.index),)

    def _done(self, event: ResponseOutputItemDoneEvent) -> Iterable[StreamingEvent]:
        item = event.item
        index = event.output_index if "output_index" in event.model_fields_set else None
        slot = self._slots.get(index) if index is not None and not self._ids_decide else self._by_id(item)
        slot = slot or self._open_one(item.type)
        made: list[StreamingEvent] = []
        if slot is None:
            slot = _slot(index if index is not None and index not in self._slots else self._next(), item)
            self._slots[slot.index] = slot
            made += _open(slot, getattr(item, "id", None), item.model_dump())
        slot.done = True
        if item.type == "function_call" and not slot.arguments_done and item.status != "incomplete":
            slot.arguments_done = True
            made.append(_arguments_done(slot, item))
        return (*made, _moved(event, slot.index))

    # ------------------------------------------------------------------ what belongs to an item

    def _place(self, event: ItemEvent) -> Iterable[StreamingEvent]:
        """Find the item of an event that does not say it, or says it wrongly."""
        made: list[StreamingEvent] = []
        came = event.model_fields_set
        kind = next((item for start, item in _OPENS.items() if event.type.startswith(start)), "")
        identity = event.item_id or str((event.model_extra or {}).get("id") or "")
        slot = next((slot for slot in self._slots.values() if identity and identity in slot.ids), None)
        if slot is None and "output_index" in came and not self._ids_decide:
            slot = self._slots.get(event.output_index)
        elif slot is None:
            slot = self._open_one(kind)
        if slot is None:
            given = event.output_index if "output_index" in came else None
            slot = _Slot(given if given is not None and given not in self._slots else self._next(), kind)
            self._slots[slot.index] = slot
            made += _open(slot, identity, {})
        if identity:
            slot.ids.add(identity)
        update: dict[str, Any] = {}
        if "output_index" not in came or event.output_index != slot.index:
            update["output_index"] = slot.index
        if not event.item_id and identity:
            update["item_id"] = identity
        if isinstance(event, PartEvent):
            if isinstance(event, ResponseContentPartAddedEvent):
                slot.parts += 1
            if "content_index" not in came:
                update["content_index"] = max(0, slot.parts - 1)
        placed = event.model_copy(update=update) if update else event
        return (*made, cast(StreamingEvent, placed))

    def _by_id(self, item: Any) -> _Slot | None:
        """The item with this id, or else this call id."""
        identity, call_id = getattr(item, "id", None), getattr(item, "call_id", None)
        slots = self._slots.values()
        return next(
            (slot for slot in slots if identity and identity in slot.ids),
            next((slot for slot in slots if call_id and call_id == slot.call_id), None),
        )

    def _same(self, index: int, item: Any) -> _Slot | None:
        """The item at `index`, where it is this one: opened before it was added, or added again."""
        slot = self._slots[index]
        return slot if slot.kind == item.type and (slot.opened_here or self._by_id(item) is slot) else None

    def _open_one(self, kind: str) -> _Slot | None:
        """The last item of this type that is not done."""
        return next((slot for slot in reversed(self._slots.values()) if slot.kind == kind and not slot.done), None)

    def _next(self) -> int:
        return max(self._slots, default=-1) + 1

    # ------------------------------------------------------------------ the response

    def _completed(self, event: ResponseCompletedEvent) -> Iterable[StreamingEvent]:
        status = event.response.status
        if status in ("incomplete", "failed"):
            return (_remade(event, type=f"response.{status}", synthetic=True),)
        return (event,)

    def _unknown(self, event: UnknownEvent) -> Iterable[StreamingEvent]:
        error = event.data.get("error")
        if event.type not in ("", "response.error") or not error:
            return (event,)
        content = error if isinstance(error, dict) else {"message": str(error)}
        return (parse_event(json.dumps({**event.data, "type": "error", "error": content, "synthetic": True})),)


def _slot(index: int, item: Any) -> _Slot:
    identity = getattr(item, "id", None)
    return _Slot(index, item.type, {identity} if identity else set(), getattr(item, "call_id", None))


def _moved(event: _E, index: int) -> _E:
    if "output_index" in event.model_fields_set and event.output_index == index:
        return event
    return event.model_copy(update={"output_index": index})


def _open(slot: _Slot, identity: str | None, item: dict[str, Any]) -> list[StreamingEvent]:
    """`output_item.added` for an item that was not, as far as its type lets one guess what it held then."""
    slot.opened_here = True
    if slot.kind not in _NEW:
        return []
    if identity:
        slot.ids.add(identity)
    blank = {**item, **_NEW[slot.kind]}
    blank.update({name: item[name] for name in ("name", "call_id") if item.get(name)})
    blank.update(type=slot.kind, id=identity or f"item_{slot.index}", status="in_progress")
    fields = {"type": "response.output_item.added", "output_index": slot.index, "item": blank, "synthetic": True}
    return [parse_event(json.dumps(fields))]


def _arguments_done(slot: _Slot, item: Any) -> StreamingEvent:
    fields = {
        "type": "response.function_call_arguments.done",
        "item_id": item.id or "",
        "output_index": slot.index,
        "name": item.name,
        "arguments": item.arguments,
        "synthetic": True,
    }
    return parse_event(json.dumps(fields))


def _remade(event: Event, **changes: Any) -> StreamingEvent:
    return parse_event(json.dumps({**event.model_dump(mode="json"), **changes}))


def _item_events(cls: type[ItemEvent] = ItemEvent) -> Iterator[type[ItemEvent]]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _item_events(subclass)


_NEEDS: dict[type, frozenset[str]] = {
    cls: frozenset(("output_index", "content_index") if issubclass(cls, PartEvent) else ("output_index",))
    for cls in _item_events()
    if cls is not ResponseFunctionCallArgumentsDoneEvent
}
"""The classes of events that belong to an item -> what they must have brought to pass untouched."""

_RULES: dict[type, Callable[[Normalize, Any], Iterable[StreamingEvent]]] = {
    ResponseOutputItemAddedEvent: Normalize._added,  # pyright: ignore[reportPrivateUsage]
    ResponseOutputItemDoneEvent: Normalize._done,  # pyright: ignore[reportPrivateUsage]
    ResponseFunctionCallArgumentsDoneEvent: Normalize._arguments,  # pyright: ignore[reportPrivateUsage]
    ResponseCompletedEvent: Normalize._completed,  # pyright: ignore[reportPrivateUsage]
    UnknownEvent: Normalize._unknown,  # pyright: ignore[reportPrivateUsage]
}
