"""The output items of one stream, and which of them an event belongs to, whatever the server says of it.

Indexes decide, until they prove to say nothing: two items come at one, or an item's event comes at another's. From then
on ids decide, then call ids, then what is still open of the right type. An id that two items share decides nothing.
"""

from __future__ import annotations

from typing import Any, Final, get_args

from rxstream.events import ResponseContentPartDoneEvent
from rxstream.events._base import ItemEvent
from rxstream.events._fields import TEXTS, item_events
from rxstream.events._item_union import KnownItem
from rxstream.events._lenient import wire_type

_ITEM_TYPES = [wire_type(item) for item in get_args(KnownItem)]
_OWNERS = {
    **{f"response.{item_type}": item_type for item_type in _ITEM_TYPES},
    **{wire_type(event).removesuffix(".delta"): text.item_type for text in TEXTS for event in text.deltas},
}
"""The start of an event's type -> the type of the item that it belongs to."""

_HOLDERS = {text.part_type: text.item_type for text in TEXTS if text.part_type}
"""The type of a part -> the type of the item that holds it, as a rule."""


def _owner(event_type: str) -> str:
    starts = [start for start in _OWNERS if event_type.startswith(start)]
    return _OWNERS[max(starts, key=len)] if starts else ""


OWNER: Final[dict[type[ItemEvent], str]] = {event: _owner(wire_type(event)) for event in item_events()}
"""Class of an event inside an item -> the type of that item; empty where it may be any."""

_OWNING = frozenset(OWNER.values()) - {""}
_NO_CALLS = frozenset(("message", "reasoning"))


def holder(part_type: str) -> str:
    """The type of the item that holds parts of a type; empty where that may be any."""
    return _HOLDERS.get(part_type, "")


def fits(item_type: str, event_owner: str) -> bool:
    """Whether an item of that type may have events with that owner. Types without events of their own may have any."""
    return item_type == event_owner or not event_owner or item_type not in _OWNING


class Slot:
    """One output item: the index that it has from here on, and what is known of it."""

    __slots__ = ("arguments_done", "call_id", "done", "index", "kind", "known", "made", "opened", "parts", "steady")

    def __init__(self, index: int, kind: str, known: Any = None) -> None:
        self.index = index
        self.kind = kind
        self.known = known
        """The item, where a snapshot of the response told of it before any event did."""
        self.call_id = ""
        self.opened = False
        """Whether an `output_item.added` has passed, or need not."""
        self.made = False
        """Whether it was opened without the server's saying so."""
        self.done = False
        self.steady = False
        """Whether it ended with the id that it had before."""
        self.arguments_done = False
        self.parts: dict[str, int] = {}
        """The field that numbers parts -> the next number."""


class Slots:
    """All items of the stream. Cost: the same for each event, however many there are."""

    def __init__(self) -> None:
        self.indexes_decide = True
        self._at: dict[int, Slot] = {}
        self._by_id: dict[str, Slot | None] = {}
        self._by_call: dict[tuple[str, str], Slot] = {}
        self._unfinished: dict[str, dict[int, Slot]] = {"": {}}
        """Type -> the items of it that have not ended; all of them under no type."""
        self._nameless: dict[str, dict[int, Slot]] = {"": {}}
        """Those of them that no event has given an id."""
        self._next = 0

    # ------------------------------------------------------------------ an item begins, ends, is told of

    def beginning(self, index: int | None, item: Any) -> Slot:
        """The slot of an item that is said to begin: a new one, unless it has been met already."""
        at = self._at.get(index) if index is not None else None
        slot = at if at is not None and self._is(at, item) else self._met(item, index)
        if slot is None:
            if at is not None:
                self.indexes_decide = False
            slot = self.new(index, item.type)
        self._retype(slot, item.type)
        self._called(slot, item)
        slot.opened = True
        return slot

    def end(self, index: int | None, item: Any) -> Slot:
        """The slot of an item that is said to end: a new one, unless it has been met."""
        at = self._at.get(index) if index is not None and self.indexes_decide else None
        slot = at if at is not None and self._may_end(at, item) else self._known(item)
        if slot is None and (index is None or not self.indexes_decide):
            slot = self._last(item.type)
            if slot is not None and slot.call_id and _call_id(item) not in ("", slot.call_id):
                slot = None
        if slot is None:
            if at is not None:
                self.indexes_decide = False
            slot = self.new(index, item.type)
        slot.steady = bool(item.id) and self._by_id.get(item.id) is slot
        self._called(slot, item)
        slot.done = True
        for slots in (self._unfinished, self._nameless):
            for kind in (slot.kind, ""):
                slots[kind].pop(slot.index, None)
        return slot

    def foretell(self, index: int, item: Any) -> None:
        """Note an item that a snapshot of the response tells of, and of which no event may ever say that it began."""
        if self._known(item) is None and (index not in self._at or _call_id(item)):
            self._called(self.new(index, item.type, item), item)

    # ------------------------------------------------------------------ an event of an item

    def of(self, event: ItemEvent, index: int | None, identity: str, kind: str) -> Slot | None:
        """The slot of the item that an event belongs to, with what it says of that; None where it was not met."""
        at = self._at.get(index) if index is not None and self.indexes_decide else None
        named = self._by_id.get(identity)
        says = bool(identity) and (named is not None or identity not in self._by_id)
        if at is None:
            return named or (None if index is not None and self.indexes_decide else self._unnamed(event, kind, says))
        if at is named or not (says or at.done):
            return at
        if fits(at.kind, kind) and (not at.done or not says or (named is None and not at.steady)):
            return at  # its index is right, and its id is another one in every event
        self.indexes_decide = False
        return named or self._unnamed(event, kind, says)

    def name(self, slot: Slot, identity: str, kind: str) -> None:
        """Note the id that an event gives an item, and the type, where that was not known."""
        if not slot.kind:
            self._retype(slot, kind)
        if identity:
            for kind in (slot.kind, ""):
                self._nameless[kind].pop(slot.index, None)
            self._identify(slot, identity)

    def new(self, index: int | None, kind: str, known: Any = None) -> Slot:
        """A slot at an index, or at the next one where that is taken."""
        if index is None or index in self._at:
            index = self._next
        slot = self._at[index] = Slot(index, kind, known)
        self._next = max(self._next, index + 1)
        for slots in (self._unfinished, self._nameless):
            slots.setdefault(kind, {})[slot.index] = slots[""][slot.index] = slot
        return slot

    # ------------------------------------------------------------------ inside

    def _is(self, at: Slot, item: Any) -> bool:
        """Whether an item that is said to begin is the one that is there."""
        if at.known is not None and not at.opened:
            return True  # what events say outranks what was foretold
        if at.call_id and _call_id(item):
            return at.kind == item.type and at.call_id == _call_id(item)
        if item.id and self._by_id.get(item.id) is at:
            return at.kind in ("", item.type) and (at.made or not at.done)
        return at.made and not at.done and at.kind in ("", item.type)

    def _met(self, item: Any, index: int | None) -> Slot | None:
        """An item that is said to begin where it is not: only if nothing speaks against its being that."""
        slot = self._known(item)
        if slot is None or slot.kind not in ("", item.type):
            return None
        if index is None or slot.made or not slot.opened or (slot.call_id and slot.call_id == _call_id(item)):
            return slot
        return None

    def _may_end(self, at: Slot, item: Any) -> bool:
        """Whether an item that is said to end can be the one that is there."""
        if at.call_id and _call_id(item) and at.kind == item.type:
            return at.call_id == _call_id(item)
        if item.id and self._by_id.get(item.id) is at:
            return True
        if at.kind != item.type and at.kind and not _NO_CALLS.isdisjoint((at.kind, item.type)):
            return False  # a call may turn out to be of another kind; a message does not
        return not at.done

    def _known(self, item: Any) -> Slot | None:
        """The item with this call id or this id."""
        call_id = _call_id(item)
        slot = self._by_call.get((item.type, call_id)) if call_id else None
        if slot is None and item.id:
            slot = self._by_id.get(item.id)
            if slot is not None and slot.kind == item.type and call_id and slot.call_id not in ("", call_id):
                return None
        return slot

    def _unnamed(self, event: ItemEvent, kind: str, says: bool) -> Slot | None:
        """Where only the type tells. An id that is new is that of an item that had none so far."""
        nameless = self._nameless.get(kind) if says else None
        if nameless:
            return next(iter(nameless.values()))
        # a part that ends has begun somewhere, even if it is of another item's kind
        return self._last(kind) or (self._last("") if isinstance(event, ResponseContentPartDoneEvent) else None)

    def _last(self, kind: str) -> Slot | None:
        """The last item of a type that has not ended."""
        unfinished = self._unfinished.get(kind)
        return next(reversed(unfinished.values())) if unfinished else None

    def _called(self, slot: Slot, item: Any) -> None:
        self._identify(slot, item.id)
        call_id = _call_id(item)
        if call_id:
            slot.call_id = call_id
            self._by_call.setdefault((item.type, call_id), slot)

    def _identify(self, slot: Slot, identity: str) -> None:
        if identity and self._by_id.setdefault(identity, slot) is not slot:
            self._by_id[identity] = None

    def _retype(self, slot: Slot, kind: str) -> None:
        if slot.kind != kind:
            for slots in (self._unfinished, self._nameless):
                if slot.kind:
                    slots[slot.kind].pop(slot.index, None)
                if slot.index in slots[""]:
                    slots.setdefault(kind, {})[slot.index] = slot
            slot.kind = kind


def _call_id(item: Any) -> str:
    call_id = getattr(item, "call_id", None)
    return call_id if isinstance(call_id, str) else ""
