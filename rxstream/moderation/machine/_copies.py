"""The redundant copies: what each event repeats, when it may be shown, and what is written into it then.

An event that waits is kept as it came. When its turn comes and nothing in it was edited, the very same object leaves;
else its slots are written anew from what was released: log probabilities go, annotations move with the text or go.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rxstream.events import Logprob, StreamingEvent, UnknownEvent, UnknownItem
from rxstream.moderation.machine._gate import Aside, Held, Need, Run
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._lanes import Lanes, logprob_texts
from rxstream.moderation.machine._ledger import Ledger
from rxstream.moderation.machine._rewriting import (
    blank,
    delta_like,
    drop_logprobs,
    extra_of,
    is_clean,
    moved_with,
    remade,
    without,
    write_slot,
)
from rxstream.moderation.machine._slots import (
    ITEM_KINDS,
    PART_KINDS,
    ROUTES,
    WHOLE_ITEMS,
    JsonObject,
    Route,
    Slot,
    asides,
    event_slots,
    item_slots,
    output_items,
    paths,
    strings,
)
from rxstream.moderation.machine._terms import Place, Terms


class Copies:
    """Turn events into what waits, and what waits into events."""

    def __init__(self, terms: Terms, lanes: Lanes) -> None:
        self._include = terms.include
        self._lanes = lanes
        self._logprobs: dict[Place, list[Logprob]] = {}

    # ------------------------------------------------------------------ events in

    def concerns(self, event: Any, route: Route) -> bool:
        """Whether an event may say something of a lane that is moderated."""
        if route.role in ("header", "terminal", "error"):
            return True
        if route.role == "item":
            kinds = ITEM_KINDS.get(event.item.type)
            return bool(kinds & self._include) if kinds else isinstance(event.item, UnknownItem)
        if route.role == "part":
            return PART_KINDS.get(event.part.type, "aside") in {*self._include, "aside"}
        return route.kind in self._include

    def plain(self, event: Any, index: int | None, now: float) -> Held:
        """An event of no moderated lane: it says nothing, unless in fields that nobody knows."""
        place = Place(index or 0, 0, "aside")
        unknown = {name: value for name, value in extra_of(event).items() if name != "obfuscation"}
        found = [self._lanes.aside(place, text, now) for text in strings(unknown)]
        return Held(event, None, [], found)

    def unknown(self, event: UnknownEvent, index: int | None, now: float) -> Held:
        """An event that nobody knows: all it says is judged, field by field, as if each were a lane."""
        part = event.data.get("content_index")
        place = Place(index or 0, part if isinstance(part, int) else 0, "aside")
        found = [self._lanes.unknown(place, f"{event.type} {path}", text, now) for path, text in paths(event.data)]
        return Held(event, None, [], found)

    def audio(self, event: Any, route: Route) -> Held:
        """Audio cannot be edited: it waits for the end of its transcript."""
        lane = self._lanes.at(Place(0, 0, "audio_transcript"))
        return Held(event, route, [Need(lane, None)], [])

    def structural(self, event: Any, route: Route, now: float) -> Held:
        """An event that opens or closes a text, a part or an item, or annotates a text."""
        index: int = event.output_index
        dump: JsonObject = event.model_dump()
        slots = self._slots(event_slots(route, dump))
        opens = event.type.endswith(".added") and not (route.role == "item" and event.item.type in WHOLE_ITEMS)
        copies: list[Need] = []
        beside: list[Aside] = []
        if opens and any(slot.text for slot in slots):
            for slot in slots:
                slot.write("")
            event = remade(event, dump)
        elif not opens:
            for slot in slots:
                place = Place(index, slot.at, slot.kind)
                copies.append(self._lanes.copy(place, slot.text, now))
                beside += self._beside_logprobs(place, slot, now)
            self._close(event, route, slots)
        place = Place(index, getattr(event, "content_index", 0), "aside")
        beside += [self._lanes.aside(place, text, now) for text in asides(event, self._include)]
        return Held(event, route, copies, beside)

    def last(self, event: Any, route: Route, ledger: Ledger, now: float) -> Held:
        """The event that ends the response; every lane is closed by now."""
        if route.role == "error":
            return Held(event, route, [], [])
        copies: list[Need] = []
        beside: list[Aside] = []
        dump: JsonObject = event.model_dump()
        for index, slot in self._response_slots(dump, ledger):
            place = Place(index, slot.at, slot.kind)
            copies.append(self._lanes.copy(place, slot.text, now))
            beside += self._beside_logprobs(place, slot, now)
        place = Place(0, 0, "aside")
        said = event.response.sent_output_text
        texts = [*asides(event, self._include), *([said] if said else [])]
        beside += [self._lanes.aside(place, text, now) for text in texts]
        for lane in self._lanes.all:
            self._lanes.close(lane)
        return Held(event, route, copies, beside)

    def note_logprobs(self, place: Place, entries: Sequence[Logprob]) -> None:
        """Keep the log probabilities of a delta, which leaves without them, for the end of its text."""
        self._logprobs.setdefault(place, []).extend(entries)

    def _close(self, event: Any, route: Route, slots: list[Slot]) -> None:
        index = event.output_index
        if route.role == "item":
            self._lanes.close_item(index)
        else:
            for slot in slots:
                self._lanes.close(self._lanes.at(Place(index, slot.at, slot.kind)))

    def _beside_logprobs(self, place: Place, slot: Slot, now: float) -> Iterator[Aside]:
        entries: Any = slot.beside.get("logprobs")
        read = [Logprob.model_validate(entry) for entry in entries or ()]
        read = read or self._logprobs.get(place, [])
        if slot.kind == "text" and read:
            beside = Place(place.output_index, place.content_index, "aside")
            for text in logprob_texts(read, slot.text):
                yield self._lanes.aside(beside, text, now, droppable=True)

    def _slots(self, slots: Iterable[Slot]) -> list[Slot]:
        return [slot for slot in slots if slot.kind in self._include]

    def _response_slots(self, dump: JsonObject, ledger: Ledger) -> Iterator[tuple[int, Slot]]:
        for position, item in enumerate(output_items(dump)):
            index = ledger.index_of(item, position)
            for slot in self._slots(item_slots(item)):
                yield index, slot

    # ------------------------------------------------------------------ events out

    def deltas(self, run: Run, limit: int) -> Iterator[StreamingEvent]:
        """The text of a run, from what was released up to `limit`, as one delta; or the delta that came, if that is it.

        It takes the place of the delta that its last character came in, and its number too if that is whole with it.
        """
        lane, pieces = run.lane, run.pieces
        text = lane.out(lane.released, limit)
        event: Any = None
        alone = run.at == lane.released
        while pieces and pieces[0][0] <= limit:
            alone = alone and event is None
            run.at, event = pieces.popleft()
        whole = run.at == limit
        if not whole:
            event = pieces[0][1]
        if text:
            yield event if whole and alone and is_clean(event, text) else delta_like(event, text, numbered=whole)

    def render(self, held: Held) -> Any:
        """The event as it may be shown; None where nothing of it may be."""
        event, route = held.event, held.route
        dropped = [aside for aside in held.asides if aside.lane.edits.touch(aside.start, aside.end)]
        if route is None:
            if dropped and type(event) is UnknownEvent:
                return None
            return without(event, dropped) if dropped else event
        altered = any(lane.edits for lane, _ in held.copies)
        if route.role == "audio":
            return None if altered else event
        if route.role == "annotation":
            lane = self._lanes.find(Place(event.output_index, event.content_index, "text"))
            altered = lane is not None and bool(lane.edits)
            if dropped:
                return None
        logprobs = self._forgotten_logprobs(event, route)
        if not dropped and not altered and not logprobs:
            return event
        dump: JsonObject = event.model_dump()
        if route.role == "annotation":
            kept = moved_with(
                [dump["annotation"]], self._lanes.at(Place(event.output_index, event.content_index, "text"))
            )
            if not kept:
                return None
            dump["annotation"] = kept[0]
        if logprobs and not altered:
            dump["logprobs"] = [entry.model_dump() for entry in logprobs]
        for slot, (lane, end) in zip(self._event_slots(route, dump), held.copies, strict=True):
            if lane.edits:
                write_slot(slot, lane.shown(lane.text.length if end is None else end), lane)
        if dropped:
            blank(dump, {aside.text for aside in dropped if not aside.lane.droppable})
            if any(aside.lane.droppable for aside in dropped):
                drop_logprobs(dump)
        return remade(event, dump)

    def _event_slots(self, route: Route, dump: JsonObject) -> list[Slot]:
        if route.role == "terminal":
            return [slot for item in output_items(dump) for slot in self._slots(item_slots(item))]
        return self._slots(event_slots(route, dump))

    def _forgotten_logprobs(self, event: Any, route: Route) -> list[Logprob]:
        """What the deltas had, where the `.done` has none."""
        if route.role != "done" or route.kind != "text" or getattr(event, "logprobs", None):
            return []
        return self._logprobs.get(Place(event.output_index, event.content_index, "text"), [])

    def less(self, event: Any, taken: Iterable[Lane], ledger: Ledger) -> Any:
        """An event of the ending, without the text that was taken back of some lanes."""
        route = ROUTES[event.type]
        dump: JsonObject = event.model_dump()
        found = (
            list(self._response_slots(dump, ledger))
            if route.role == "terminal"
            else [(event.output_index, slot) for slot in self._event_slots(route, dump)]
        )
        changed = False
        for lane in taken:
            index, _, kind = lane.place
            said, stays = lane.shown(lane.released), lane.shown(lane.kept())
            for at, slot in found:
                if (at, slot.kind) == (index, kind) and slot.text == said:  # parts may have been numbered with gaps
                    write_slot(slot, stays, lane)
                    changed = True
        return remade(event, dump) if changed else event

    def so_far(self, event: Any, route: Route, ledger: Ledger) -> Any:
        """A snapshot of the response, saying only what was shown: nothing is waited for."""
        if route.role == "error":
            return event
        dump: JsonObject = event.model_dump()
        changed = False
        for index, slot in self._response_slots(dump, ledger):
            lane = self._lanes.find(Place(index, slot.at, slot.kind))
            text = lane.shown(lane.kept()) if lane is not None else ""
            if text != slot.text:
                write_slot(slot, text, lane)
                changed = True
        hidden = {text for text in asides(event, self._include) if not self._lanes.passed(text)}
        if event.response.sent_output_text:
            hidden.add(event.response.sent_output_text)
        if hidden:
            blank(dump, hidden)
        return remade(event, dump) if changed or hidden else event
