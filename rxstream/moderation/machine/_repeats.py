"""The texts that each event repeats: which lanes an event waits for, and the event that is emitted at last.

A held event is kept as it arrived. If none of its texts was edited, the same object is emitted. Else its slots get the
edited text; log probabilities are removed, and annotations get new offsets or are removed.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rxstream.events import Logprob, StreamingEvent, UnknownEvent, UnknownItem
from rxstream.moderation.machine._emitted_state import EmittedState
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._lanes import Lanes, logprob_texts
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._queues import HeldDeltas, HeldEvent, LanePrefix, SideText
from rxstream.moderation.machine._rewriting import (
    copy_delta,
    drop_logprobs,
    has_only_text,
    move_annotations,
    rebuild,
    remove_texts,
    unknown_fields,
    without_texts,
    write_slot,
)
from rxstream.moderation.machine._slots import (
    ITEM_KINDS,
    PART_KINDS,
    ROUTES,
    WHOLE_ITEMS,
    JsonFields,
    Route,
    TextSlot,
    event_slots,
    item_slots,
    output_items,
    side_texts_of,
    texts_in,
    texts_with_paths,
)
from rxstream.moderation.machine._window import TextPlace


class Repeats:
    """Make held events of the events of the source, and events to emit of held events."""

    def __init__(self, options: Options, lanes: Lanes) -> None:
        self._include = options.include
        self._lanes = lanes
        self._logprobs: dict[TextPlace, list[Logprob]] = {}

    # ------------------------------------------------------------------ events of the source

    def concerns(self, event: Any, route: Route) -> bool:
        """Whether an event may hold text of a moderated lane."""
        if route.role in ("header", "terminal", "error"):
            return True
        if route.role == "item":
            kinds = ITEM_KINDS.get(event.item.type)
            return bool(kinds & self._include) if kinds else isinstance(event.item, UnknownItem)
        if route.role == "part":
            return PART_KINDS.get(event.part.type, "aside") in {*self._include, "aside"}
        return route.kind in self._include

    def unmoderated(self, event: Any, index: int | None, now: float) -> HeldEvent:
        """An event of no moderated lane: only its unknown fields are checked."""
        place = TextPlace(index or 0, 0, "aside")
        unknown = {name: value for name, value in unknown_fields(event).items() if name != "obfuscation"}
        return HeldEvent(event, None, [], [self._lanes.side_text(place, text, now) for text in texts_in(unknown)])

    def unknown(self, event: UnknownEvent, index: int | None, now: float) -> HeldEvent:
        """An event of an unknown type: all its texts are checked, each field as a lane of its own."""
        part = event.data.get("content_index")
        place = TextPlace(index or 0, part if isinstance(part, int) else 0, "aside")
        side_texts = [
            self._lanes.unknown_text(place, f"{event.type} {path}", text, now)
            for path, text in texts_with_paths(event.data)
        ]
        return HeldEvent(event, None, [], side_texts)

    def audio(self, event: Any, route: Route) -> HeldEvent:
        """Audio cannot be edited: it waits for the end of its transcript."""
        lane = self._lanes.at(TextPlace(0, 0, "audio_transcript"))
        return HeldEvent(event, route, [LanePrefix(lane, None)], [])

    def structural(self, event: Any, route: Route, now: float) -> HeldEvent:
        """An event that opens or closes a text, a part or an item, or annotates a text."""
        index: int = event.output_index
        dump: JsonFields = event.model_dump()
        slots = self._slots(event_slots(route, dump))
        opens = event.type.endswith(".added") and not (route.role == "item" and event.item.type in WHOLE_ITEMS)
        repeats: list[LanePrefix] = []
        side_texts: list[SideText] = []
        if opens and any(slot.text for slot in slots):
            for slot in slots:
                slot.write("")
            event = rebuild(event, dump)
        elif not opens:
            for slot in slots:
                place = TextPlace(index, slot.part_index, slot.kind)
                repeats.append(self._lanes.find_repeated(place, slot.text, now))
                side_texts += self._logprob_side_texts(place, slot, now)
            self._close(event, route, slots)
        place = TextPlace(index, getattr(event, "content_index", 0), "aside")
        side_texts += [self._lanes.side_text(place, text, now) for text in side_texts_of(event, self._include)]
        return HeldEvent(event, route, repeats, side_texts)

    def terminal(self, event: Any, route: Route, emitted: EmittedState, now: float) -> HeldEvent:
        """The event that ends the response. All lanes are closed already."""
        if route.role == "error":
            return HeldEvent(event, route, [], [])
        repeats: list[LanePrefix] = []
        side_texts: list[SideText] = []
        dump: JsonFields = event.model_dump()
        for index, slot in self._response_slots(dump, emitted):
            place = TextPlace(index, slot.part_index, slot.kind)
            repeats.append(self._lanes.find_repeated(place, slot.text, now))
            side_texts += self._logprob_side_texts(place, slot, now)
        place = TextPlace(0, 0, "aside")
        output_text = event.response.sent_output_text
        texts = [*side_texts_of(event, self._include), *([output_text] if output_text else [])]
        side_texts += [self._lanes.side_text(place, text, now) for text in texts]
        for lane in self._lanes.all:
            self._lanes.close(lane)
        return HeldEvent(event, route, repeats, side_texts)

    def note_logprobs(self, place: TextPlace, entries: Sequence[Logprob]) -> None:
        """Keep the log probabilities of a delta for its `.done`: the delta itself is emitted without them."""
        self._logprobs.setdefault(place, []).extend(entries)

    def _close(self, event: Any, route: Route, slots: list[TextSlot]) -> None:
        index = event.output_index
        if route.role == "item":
            self._lanes.close_item(index)
        else:
            for slot in slots:
                self._lanes.close(self._lanes.at(TextPlace(index, slot.part_index, slot.kind)))

    def _logprob_side_texts(self, place: TextPlace, slot: TextSlot, now: float) -> Iterator[SideText]:
        entries: Any = slot.siblings.get("logprobs")
        logprobs = [Logprob.model_validate(entry) for entry in entries or ()] or self._logprobs.get(place, [])
        if slot.kind == "text" and logprobs:
            side_place = TextPlace(place.output_index, place.content_index, "aside")
            for text in logprob_texts(logprobs, slot.text):
                yield self._lanes.side_text(side_place, text, now, droppable=True)

    def _slots(self, slots: Iterable[TextSlot]) -> list[TextSlot]:
        return [slot for slot in slots if slot.kind in self._include]

    def _response_slots(self, dump: JsonFields, emitted: EmittedState) -> Iterator[tuple[int, TextSlot]]:
        for position, item in enumerate(output_items(dump)):
            index = emitted.index_of(item, position)
            for slot in self._slots(item_slots(item)):
                yield index, slot

    # ------------------------------------------------------------------ events to emit

    def deltas(self, held_deltas: HeldDeltas, limit: int) -> Iterator[StreamingEvent]:
        """The text of held deltas from `released` to `limit`, as one delta; the original one if it has just this text.

        A new delta is made of the one that its last character is in. It has the `sequence_number` of that one if it
        ends with it.
        """
        lane, deltas = held_deltas.lane, held_deltas.deltas
        text = lane.edited_slice(lane.released, limit)
        event: Any = None
        single = held_deltas.start == lane.released
        while deltas and deltas[0][0] <= limit:
            single = single and event is None
            held_deltas.start, event = deltas.popleft()
        whole = held_deltas.start == limit
        if not whole:
            event = deltas[0][1]
        if text:
            yield event if whole and single and has_only_text(event, text) else copy_delta(event, text, numbered=whole)

    def render(self, held_event: HeldEvent) -> Any:
        """The event to emit; None if it is left out."""
        event, route = held_event.event, held_event.route
        dropped = [side_text for side_text in held_event.side_texts if side_text.edited]
        if route is None:
            if dropped and type(event) is UnknownEvent:
                return None
            return without_texts(event, dropped) if dropped else event
        altered = any(lane.edits for lane, _ in held_event.repeats)
        if route.role == "audio":
            return None if altered else event
        if route.role == "annotation":
            lane = self._lanes.find(TextPlace(event.output_index, event.content_index, "text"))
            altered = lane is not None and bool(lane.edits)
            if dropped:
                return None
        logprobs = self._missing_logprobs(event, route)
        if not dropped and not altered and not logprobs:
            return event
        dump: JsonFields = event.model_dump()
        if route.role == "annotation":
            kept = move_annotations(
                [dump["annotation"]], self._lanes.at(TextPlace(event.output_index, event.content_index, "text"))
            )
            if not kept:
                return None
            dump["annotation"] = kept[0]
        if logprobs and not altered:
            dump["logprobs"] = [entry.model_dump() for entry in logprobs]
        for slot, (lane, end) in zip(self._event_slots(route, dump), held_event.repeats, strict=True):
            if lane.edits:
                write_slot(slot, lane.edited_prefix(lane.text.length if end is None else end), lane)
        if dropped:
            remove_texts(dump, {side_text.text for side_text in dropped if not side_text.lane.droppable})
            if any(side_text.lane.droppable for side_text in dropped):
                drop_logprobs(dump)
        return rebuild(event, dump)

    def _event_slots(self, route: Route, dump: JsonFields) -> list[TextSlot]:
        if route.role == "terminal":
            return [slot for item in output_items(dump) for slot in self._slots(item_slots(item))]
        return self._slots(event_slots(route, dump))

    def _missing_logprobs(self, event: Any, route: Route) -> list[Logprob]:
        """The log probabilities of the deltas, for a `.done` that has none."""
        if route.role != "done" or route.kind != "text" or getattr(event, "logprobs", None):
            return []
        return self._logprobs.get(TextPlace(event.output_index, event.content_index, "text"), [])

    def without_retracted(self, event: Any, retracted: Iterable[Lane], emitted: EmittedState) -> Any:
        """An event of the made ending, without the text that was retracted."""
        route = ROUTES[event.type]
        dump: JsonFields = event.model_dump()
        found = (
            list(self._response_slots(dump, emitted))
            if route.role == "terminal"
            else [(event.output_index, slot) for slot in self._event_slots(route, dump)]
        )
        changed = False
        for lane in retracted:
            index, _, kind = lane.place
            released, kept = lane.edited_prefix(lane.released), lane.edited_prefix(lane.kept_end())
            for slot_index, slot in found:
                # By text and not by content_index, which may have gaps.
                if (slot_index, slot.kind) == (index, kind) and slot.text == released:
                    write_slot(slot, kept, lane)
                    changed = True
        return rebuild(event, dump) if changed else event

    def released_so_far(self, event: Any, route: Route, emitted: EmittedState) -> Any:
        """A snapshot of the response with the released text only. It waits for nothing."""
        if route.role == "error":
            return event
        dump: JsonFields = event.model_dump()
        changed = False
        for index, slot in self._response_slots(dump, emitted):
            lane = self._lanes.find(TextPlace(index, slot.part_index, slot.kind))
            text = lane.edited_prefix(lane.kept_end()) if lane is not None else ""
            if text != slot.text:
                write_slot(slot, text, lane)
                changed = True
        hidden = {text for text in side_texts_of(event, self._include) if not self._lanes.side_text_passed(text)}
        if event.response.sent_output_text:
            hidden.add(event.response.sent_output_text)
        if hidden:
            remove_texts(dump, hidden)
        return rebuild(event, dump) if changed or hidden else event
