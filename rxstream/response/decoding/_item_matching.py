"""The output items of one stream, and the item of each event.

Indexes decide until they prove to be wrong: two items come at one index, or an event of one item at the index of
another. From then on ids decide, then call ids, then which items of the right type are open. An id that two items have
decides nothing.
"""

from __future__ import annotations

from typing import Any, Final, get_args

from rxstream.events import CustomToolCallItem, FunctionCallItem, ResponseContentPartDoneEvent
from rxstream.events._base import ItemEvent
from rxstream.events._fields import TEXTS, item_events
from rxstream.events._item_union import KnownItem
from rxstream.events._lenient import wire_type
from rxstream.partial_json._validation import is_json
from rxstream.response._output_matching import digest

_ITEM_TYPES = [wire_type(item) for item in get_args(KnownItem)]
_OWNERS = {
    **{f"response.{item_type}": item_type for item_type in _ITEM_TYPES},
    **{wire_type(event).removesuffix(".delta"): text.item_type for text in TEXTS for event in text.deltas},
}
"""The start of an event's type -> the type of the item that it belongs to."""

_HOLDERS = {text.part_type: text.item_type for text in TEXTS if text.part_type}
"""Type of a part -> the type of the item that usually holds it."""


def _owner(event_type: str) -> str:
    starts = [start for start in _OWNERS if event_type.startswith(start)]
    return _OWNERS[max(starts, key=len)] if starts else ""


OWNER: Final[dict[type[ItemEvent], str]] = {event: _owner(wire_type(event)) for event in item_events()}
"""Class of an event inside an item -> the type of that item; empty if it may be any."""

_OWNING = frozenset(OWNER.values()) - {""}
_NOT_CALLS = frozenset(("message", "reasoning"))


def holder(part_type: str) -> str:
    """The type of the item that holds parts of a type; empty if it may be any."""
    return _HOLDERS.get(part_type, "")


def fits(item_type: str, event_owner: str) -> bool:
    """Whether an item of that type may have events of that owner. A type without events of its own may have any."""
    return item_type == event_owner or not event_owner or item_type not in _OWNING


class TrackedItem:
    """One output item: the index that it gets, and what is known of it."""

    __slots__ = (
        "arguments_done",
        "call_id",
        "content",
        "done",
        "half",
        "index",
        "item_type",
        "keeps_id",
        "name",
        "opened",
        "parts",
        "snapshot",
        "synthetic",
    )

    def __init__(self, index: int, item_type: str, snapshot: Any = None) -> None:
        self.index = index
        self.item_type = item_type
        self.snapshot = snapshot
        """The item as the response of an earlier event had it, if no event has added it."""
        self.call_id = ""
        self.name = ""
        self.opened = False
        """Whether an `output_item.added` has passed, or none is needed."""
        self.synthetic = False
        """Whether that `output_item.added` was made here."""
        self.done = False
        self.content = b""
        """Of a call that has ended: what it calls, to compare it with another of its call id. Empty without input."""
        self.half = False
        """Whether it ended with arguments that are not JSON: another item with its call id is no repetition."""
        self.keeps_id = False
        """Whether it ended with the id that it began with."""
        self.arguments_done = False
        self.parts: dict[str, int] = {}
        """Field that numbers parts -> the next number."""


class TrackedItems:
    """All items of the stream. Cost of an event: the same however many items there are."""

    def __init__(self) -> None:
        self.indexes_decide = True
        self._at: dict[int, TrackedItem] = {}
        self._by_id: dict[str, TrackedItem | None] = {}
        self._by_call_id: dict[tuple[str, str], TrackedItem] = {}
        self._open: dict[str, dict[int, TrackedItem]] = {"": {}}
        """Type -> its items that have not ended; under the empty type all that have not ended."""
        self._without_id: dict[str, dict[int, TrackedItem]] = {"": {}}
        """The same, of the items that have no id."""
        self._next = 0

    # ------------------------------------------------------------------ a whole item

    def begin(self, index: int | None, item: Any) -> TrackedItem:
        """The item of an `output_item.added`: a new one, unless it is known already."""
        at = self._at.get(index) if index is not None else None
        tracked = at if at is not None and self._same_item(at, item) else self._added_elsewhere(item, index)
        if tracked is None:
            if at is not None:
                self.indexes_decide = False
            tracked = self.new(index, item.type)
        self._set_type(tracked, item.type)
        self._note_ids(tracked, item)
        tracked.opened = True
        return tracked

    def end(self, index: int | None, item: Any) -> TrackedItem:
        """The item of an `output_item.done`: a new one, unless it is known."""
        at = self._at.get(index) if index is not None and self.indexes_decide else None
        tracked = at if at is not None and self._may_end(at, item) else self._by_ids(item)
        if tracked is None and (index is None or not self.indexes_decide):
            tracked = self._last_open(item.type)
            if tracked is not None and tracked.call_id and _call_id(item) not in ("", tracked.call_id):
                tracked = None
        content = _content_of(item)
        if tracked is not None and index is not None and index not in self._at and content != tracked.content != b"":
            tracked = None  # another call with the call id of one that has ended
        if tracked is None:
            if at is not None:
                self.indexes_decide = False
            tracked = self.new(index, item.type)
        tracked.content = content
        tracked.keeps_id = bool(item.id) and self._by_id.get(item.id) is tracked
        self._note_ids(tracked, item)
        tracked.done = True
        tracked.half = isinstance(item, FunctionCallItem) and bool(item.arguments) and not is_json(item.arguments)
        for table in (self._open, self._without_id):
            for item_type in (tracked.item_type, ""):
                table.get(item_type, {}).pop(tracked.index, None)
        return tracked

    def note_from_snapshot(self, index: int, item: Any) -> None:
        """Note an item of the response of an event: it may never get an `output_item.added`."""
        if self._by_ids(item) is None and (index not in self._at or _call_id(item)):
            self._note_ids(self.new(index, item.type, item), item)

    # ------------------------------------------------------------------ an event inside an item

    def find(self, event: ItemEvent, index: int | None, item_id: str, item_type: str) -> TrackedItem | None:
        """The item of an event with this index, id and type of item; None if it is not known."""
        at = self._at.get(index) if index is not None and self.indexes_decide else None
        with_id = self._by_id.get(item_id)
        has_id = bool(item_id) and (with_id is not None or item_id not in self._by_id)
        if at is None:
            return with_id or (
                None if index is not None and self.indexes_decide else self._by_type(event, item_type, has_id)
            )
        if at is with_id or not (has_id or at.done):
            return at
        if fits(at.item_type, item_type) and (not at.done or not has_id or (with_id is None and not at.keeps_id)):
            return at  # servers that give each event another id: the index is right
        self.indexes_decide = False
        return with_id or self._by_type(event, item_type, has_id)

    def note_id(self, tracked: TrackedItem, item_id: str, item_type: str) -> None:
        """Note the id that an event gives an item, and its type if that was not known."""
        if not tracked.item_type:
            self._set_type(tracked, item_type)
        if item_id:
            for key in (tracked.item_type, ""):
                self._without_id.get(key, {}).pop(tracked.index, None)
            self._note_id(tracked, item_id)

    def new(self, index: int | None, item_type: str, snapshot: Any = None) -> TrackedItem:
        """A new item at an index, or at the next free index."""
        if index is None or index in self._at:
            index = self._next
        tracked = self._at[index] = TrackedItem(index, item_type, snapshot)
        self._next = max(self._next, index + 1)
        for table in (self._open, self._without_id):
            table.setdefault(item_type, {})[tracked.index] = table[""][tracked.index] = tracked
        return tracked

    # ------------------------------------------------------------------ inside

    def _same_item(self, at: TrackedItem, item: Any) -> bool:
        """Whether an `output_item.added` is of the item at its index."""
        if at.snapshot is not None and not at.opened:
            return True  # an event counts more than an earlier snapshot
        if at.call_id and _call_id(item):
            return at.item_type == item.type and at.call_id == _call_id(item)
        if item.id and self._by_id.get(item.id) is at:
            return at.item_type in ("", item.type) and (at.synthetic or not at.done)
        return at.synthetic and not at.done and at.item_type in ("", item.type)

    def _added_elsewhere(self, item: Any, index: int | None) -> TrackedItem | None:
        """The item of an `output_item.added` that is at another index, or at none."""
        tracked = self._by_ids(item)
        if tracked is None or tracked.item_type not in ("", item.type):
            return None
        is_other = tracked.half or _name(item) != tracked.name != "" != _name(item)
        if tracked.done and _content_of(item) not in (b"", tracked.content):
            is_other = True  # another call with the call id of one that has ended
        if is_other and item.id and item.id not in self._by_id:
            return None
        if (
            index is None
            or tracked.synthetic
            or not tracked.opened
            or (tracked.call_id and tracked.call_id == _call_id(item))
        ):
            return tracked
        return None

    def _may_end(self, at: TrackedItem, item: Any) -> bool:
        """Whether an `output_item.done` can be of the item at its index."""
        call_id = _call_id(item)
        if at.call_id and call_id and at.item_type == item.type and at.call_id != call_id:
            # Some servers give a call new ids at its end. Another call has another name, or is known by its ids.
            return not at.done and at.name == _name(item) and self._by_ids(item) in (None, at)
        if item.id and self._by_id.get(item.id) is at:
            return True
        if at.item_type != item.type and at.item_type and not _NOT_CALLS.isdisjoint((at.item_type, item.type)):
            return False  # a call may turn out to be of another kind; a message does not
        return not at.done

    def _by_ids(self, item: Any) -> TrackedItem | None:
        """The item with the call id or the id of this one."""
        call_id = _call_id(item)
        tracked = self._by_call_id.get((item.type, call_id)) if call_id else None
        with_id = self._by_id.get(item.id)
        if with_id is not None and tracked is not None and with_id.call_id == call_id:
            return with_id  # a server may give several calls one call id
        if tracked is None and item.id:
            tracked = self._by_id.get(item.id)
            if (
                tracked is not None
                and tracked.item_type == item.type
                and call_id
                and tracked.call_id not in ("", call_id)
            ):
                return None
        return tracked

    def _by_type(self, event: ItemEvent, item_type: str, has_id: bool) -> TrackedItem | None:
        """The item of an event by its type alone. An unknown id is that of an item without an id."""
        without_id = self._without_id.get(item_type) if has_id else None
        if without_id:
            return next(iter(without_id.values()))
        # the end of a part belongs to an open item, even to one of another type
        return self._last_open(item_type) or (
            self._last_open("") if isinstance(event, ResponseContentPartDoneEvent) else None
        )

    def _last_open(self, item_type: str) -> TrackedItem | None:
        """The last item of a type that has not ended."""
        open_items = self._open.get(item_type)
        return next(reversed(open_items.values())) if open_items else None

    def _note_ids(self, tracked: TrackedItem, item: Any) -> None:
        self._note_id(tracked, item.id)
        tracked.name = _name(item) or tracked.name
        call_id = _call_id(item)
        if call_id:
            tracked.call_id = call_id
            self._by_call_id.setdefault((item.type, call_id), tracked)

    def _note_id(self, tracked: TrackedItem, item_id: str) -> None:
        if item_id and self._by_id.setdefault(item_id, tracked) is not tracked:
            self._by_id[item_id] = None

    def _set_type(self, tracked: TrackedItem, item_type: str) -> None:
        if tracked.item_type != item_type:
            for table in (self._open, self._without_id):
                if tracked.item_type:
                    table.get(tracked.item_type, {}).pop(tracked.index, None)
                if tracked.index in table[""]:
                    table.setdefault(item_type, {})[tracked.index] = tracked
            tracked.item_type = item_type


def _call_id(item: Any) -> str:
    call_id = getattr(item, "call_id", None)
    return call_id if isinstance(call_id, str) else ""


def _content_of(item: Any) -> bytes:
    """A digest of what an item calls, if it is a call with an input."""
    match item:
        case FunctionCallItem(arguments=text) | CustomToolCallItem(input=text) if text:
            return digest((item.name, text))
        case _:
            return b""


def _name(item: Any) -> str:
    name = getattr(item, "name", None)
    return name if isinstance(name, str) else ""
