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

    def hold_unmoderated(self, event: Any, index: int | None, now: float) -> HeldEvent:
        """An event of no moderated lane: only its unknown fields are checked."""
        place = TextPlace(index or 0, 0, "aside")
        unknown = {name: value for name, value in unknown_fields(event).items() if name != "obfuscation"}
        return HeldEvent(event, None, [], [self._lanes.add_side_text(place, text, now) for text in texts_in(unknown)])

    def hold_unknown(self, event: UnknownEvent, index: int | None, now: float) -> HeldEvent:
        """An event of an unknown type: all its texts are checked, each field as a lane of its own."""
        part = event.data.get("content_index")
        place = TextPlace(index or 0, part if isinstance(part, int) else 0, "aside")
        side_texts = [
            self._lanes.add_unknown_text(place, f"{event.type} {path}", text, now)
            for path, text in texts_with_paths(event.data)
        ]
        return HeldEvent(event, None, [], side_texts)

    def hold_audio(self, event: Any, route: Route) -> HeldEvent:
        """Audio cannot be edited: it waits for the end of its transcript."""
        lane = self._lanes.find_or_add(TextPlace(0, 0, "audio_transcript"))
        return HeldEvent(event, route, [LanePrefix(lane, None)], [])

    def hold_structural(self, event: Any, route: Route, now: float) -> HeldEvent:
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
        side_texts += [self._lanes.add_side_text(place, text, now) for text in side_texts_of(event, self._include)]
        return HeldEvent(event, route, repeats, side_texts)

    def hold_terminal(self, event: Any, route: Route, emitted: EmittedState, now: float) -> HeldEvent:
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
        side_texts += [self._lanes.add_side_text(place, text, now) for text in texts]
        for lane in self._lanes.all:
            self._lanes.close(lane)
        return HeldEvent(event, route, repeats, side_texts)

    def note_logprobs(self, place: TextPlace, entries: Sequence[Logprob]) -> None:
        """Keep the log probabilities of a delta for the `.done` of its text. The delta is emitted without them."""
        self._logprobs.setdefault(place, []).extend(entries)

    def _close(self, event: Any, route: Route, slots: list[TextSlot]) -> None:
        index = event.output_index
        if route.role == "item":
            self._lanes.close_item(index)
        else:
            for slot in slots:
                self._lanes.close(self._lanes.find_or_add(TextPlace(index, slot.part_index, slot.kind)))

    def _logprob_side_texts(self, place: TextPlace, slot: TextSlot, now: float) -> Iterator[SideText]:
        entries: Any = slot.siblings.get("logprobs")
        logprobs = [Logprob.model_validate(entry) for entry in entries or ()] or self._logprobs.get(place, [])
        if slot.kind == "text" and logprobs:
            side_place = TextPlace(place.output_index, place.content_index, "aside")
            for text in logprob_texts(logprobs, slot.text):
                yield self._lanes.add_side_text(side_place, text, now, drop_flagged=True)

    def _slots(self, slots: Iterable[TextSlot]) -> list[TextSlot]:
        return [slot for slot in slots if slot.kind in self._include]

    def _response_slots(self, dump: JsonFields, emitted: EmittedState) -> Iterator[tuple[int, TextSlot]]:
        for position, item in enumerate(output_items(dump)):
            index = emitted.index_of(item, position)
            for slot in self._slots(item_slots(item)):
                yield index, slot

    # ------------------------------------------------------------------ events to emit

    def take_delta(self, held_deltas: HeldDeltas, limit: int) -> StreamingEvent | None:
        """Take the text from `released` to `limit` out of held deltas, as one delta. None if nothing is left of it.

        If one held delta has just this text, it is the delta. Else it is a copy of the held delta that holds its last
        character; it keeps the `sequence_number` only if both end at the same character.
        """
        lane, deltas = held_deltas.lane, held_deltas.deltas
        text = lane.edited_slice(lane.released, limit)
        same_start = held_deltas.start == lane.released
        event: Any = None
        taken = 0
        while deltas and deltas[0][0] <= limit:
            held_deltas.start, event = deltas.popleft()
            taken += 1
        same_end = held_deltas.start == limit
        if not same_end:
            event = deltas[0][1]
        if not text:
            return None
        if taken == 1 and same_start and same_end and has_only_text(event, text):
            return event
        return copy_delta(event, text, numbered=same_end)

    def render(self, held_event: HeldEvent) -> Any:
        """The event to emit. None if it is left out."""
        event, route = held_event.event, held_event.route
        edited_side_texts = [side_text for side_text in held_event.side_texts if side_text.edited]
        if route is None:
            if edited_side_texts and type(event) is UnknownEvent:
                return None
            return without_texts(event, edited_side_texts) if edited_side_texts else event
        if route.role == "annotation":
            return None if edited_side_texts else self._render_annotation(event)
        edited = any(lane.edits for lane, _ in held_event.repeats)
        if route.role == "audio":
            return None if edited else event
        logprobs = [] if edited else self._missing_logprobs(event, route)
        if not edited_side_texts and not edited and not logprobs:
            return event
        return self._render_edited(held_event, edited_side_texts, logprobs)

    def _render_annotation(self, event: Any) -> Any:
        lane = self._lanes.find(TextPlace(event.output_index, event.content_index, "text"))
        if lane is None or not lane.edits:
            return event
        dump: JsonFields = event.model_dump()
        annotations = move_annotations([dump["annotation"]], lane)
        return rebuild(event, dump | {"annotation": annotations[0]}) if annotations else None

    def _render_edited(
        self, held_event: HeldEvent, edited_side_texts: list[SideText], logprobs: list[Logprob]
    ) -> StreamingEvent:
        """The event with edited texts and with the log probabilities that it lacks."""
        event: Any = held_event.event
        dump: JsonFields = event.model_dump()
        if logprobs:
            dump["logprobs"] = [entry.model_dump() for entry in logprobs]
        for slot, (lane, end) in zip(self._event_slots(held_event.route, dump), held_event.repeats, strict=True):
            if lane.edits:
                write_slot(slot, lane.edited_prefix(lane.text.length if end is None else end), lane)
        if edited_side_texts:
            remove_texts(dump, {side_text.text for side_text in edited_side_texts if not side_text.lane.drop_flagged})
            if any(side_text.lane.drop_flagged for side_text in edited_side_texts):
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
        """One of the events that end the stream after a cut, without the text that was retracted."""
        route = ROUTES[event.type]
        dump: JsonFields = event.model_dump()
        slots = (
            list(self._response_slots(dump, emitted))
            if route.role == "terminal"
            else [(event.output_index, slot) for slot in self._event_slots(route, dump)]
        )
        changed = False
        for lane in retracted:
            index, _, kind = lane.place
            released_text, kept_text = lane.edited_prefix(lane.released), lane.edited_prefix(lane.kept_end())
            for slot_index, slot in slots:
                # By text and not by content_index, which may have gaps.
                if (slot_index, slot.kind) == (index, kind) and slot.text == released_text:
                    write_slot(slot, kept_text, lane)
                    changed = True
        return rebuild(event, dump) if changed else event

    def only_released(self, event: Any, route: Route, emitted: EmittedState) -> Any:
        """An event with a snapshot of the response, with only the text that was released. It waits for nothing."""
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
