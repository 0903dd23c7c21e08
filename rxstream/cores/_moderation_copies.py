"""The redundant copies: what each event repeats, when it may be shown, and what is written into it then.

An event that waits is kept as it came. When its turn comes and nothing in it was edited, the very same object leaves;
else its slots are written anew from what was released: log probabilities go, annotations move with the text or go.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from rxstream.cores._moderation import Place, Terms
from rxstream.cores._moderation_gate import Aside, Held, Need, Run
from rxstream.cores._moderation_lane import Lane
from rxstream.cores._moderation_lanes import Lanes, logprob_texts
from rxstream.cores._moderation_ledger import Ledger
from rxstream.cores._moderation_slots import (
    ITEM_KINDS,
    PART_KINDS,
    ROUTES,
    WHOLE_ITEMS,
    JsonObject,
    Route,
    Slot,
    asides,
    event_slots,
    inert,
    item_slots,
    output_items,
    paths,
    plain,
    strings,
)
from rxstream.events import Event, Logprob, StreamingEvent, UnknownEvent, UnknownItem


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
        if route.role in ("part", "summary_part"):
            return PART_KINDS.get(event.part.type, "aside") in {*self._include, "aside"}
        return route.kind in self._include

    def plain(self, event: Any, index: int | None, now: float) -> Held:
        """An event of no moderated lane: it says nothing, unless in fields that nobody knows."""
        place = Place(index or 0, 0, "aside")
        unknown = {name: value for name, value in _extra(event).items() if name != "obfuscation"}
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
            event = _remade(event, dump)
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
            yield event if whole and alone and _clean(event, text) else _delta(event, text, numbered=whole)

    def render(self, held: Held) -> Any:
        """The event as it may be shown; None where nothing of it may be."""
        event, route = held.event, held.route
        dropped = [aside for aside in held.asides if aside.lane.touches(aside.start, aside.end)]
        if route is None:
            if dropped and type(event) is UnknownEvent:
                return None
            return _without(event, dropped) if dropped else event
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
            kept = _moved([dump["annotation"]], self._lanes.at(Place(event.output_index, event.content_index, "text")))
            if not kept:
                return None
            dump["annotation"] = kept[0]
        if logprobs and not altered:
            dump["logprobs"] = [entry.model_dump() for entry in logprobs]
        for slot, (lane, end) in zip(self._event_slots(route, dump), held.copies, strict=True):
            if lane.edits:
                _write(slot, lane.shown(lane.text.length if end is None else end), lane)
        if dropped:
            _blank(dump, {aside.text for aside in dropped if not aside.lane.droppable})
            if any(aside.lane.droppable for aside in dropped):
                _no_logprobs(dump)
        return _remade(event, dump)

    def _event_slots(self, route: Route, dump: JsonObject) -> list[Slot]:
        if route.role == "terminal":
            return [slot for item in output_items(dump) for slot in self._slots(item_slots(item))]
        return self._slots(event_slots(route, dump))

    def _forgotten_logprobs(self, event: Any, route: Route) -> list[Logprob]:
        """What the deltas had, where the `.done` has none."""
        if route.role != "done" or route.kind != "text" or event.logprobs:
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
                    _write(slot, stays, lane)
                    changed = True
        return _remade(event, dump) if changed else event

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
                _write(slot, text, lane)
                changed = True
        hidden = {text for text in asides(event, self._include) if not self._lanes.passed(text)}
        if event.response.sent_output_text:
            hidden.add(event.response.sent_output_text)
        if hidden:
            _blank(dump, hidden)
        return _remade(event, dump) if changed or hidden else event


# ---------------------------------------------------------------------- pieces of JSON


def _extra(event: Any) -> dict[str, Any]:
    return event.model_extra or {}


def _remade(event: Event, dump: JsonObject) -> Any:
    return type(event).model_validate(dump)


def _clean(event: Any, text: str) -> bool:
    """Whether a delta says this text, and nothing else."""
    fields: dict[str, Any] = event.__dict__
    return (
        event.delta == text
        and not fields.get("logprobs")
        and fields.get("obfuscation") is None
        and not any(True for _ in strings(_extra(event)))
    )


def _delta(event: Any, text: str, *, numbered: bool) -> Any:
    """A delta like `event` that says `text`: without padding, log probabilities and texts in unknown fields."""
    extra = _extra(event)
    fields: dict[str, Any] = {}
    for name in event.model_fields_set:
        if name == "obfuscation" or (name == "sequence_number" and not numbered):
            continue
        value = getattr(event, name)
        if name not in extra or not any(True for _ in strings({name: value})):
            fields[name] = value
    if "logprobs" in fields:
        fields["logprobs"] = []
    fields["delta"] = text
    return cast("type[Event]", type(event)).model_construct(set(fields), **fields)


def _without(event: Any, dropped: Iterable[Aside]) -> Any:
    dump: JsonObject = event.model_dump()
    _blank(dump, {aside.text for aside in dropped})
    return _remade(event, dump)


def _write(slot: Slot, text: str, lane: Lane | None) -> None:
    """Write a text anew, and what goes with it."""
    slot.write(text)
    beside = slot.beside
    if beside.get("logprobs"):
        beside["logprobs"] = []
    annotations: Any = beside.get("annotations")
    if annotations:
        kept = _moved(annotations, lane) if lane is not None else []
        beside["annotations"] = [one for one in kept if _end(one) <= len(text)]


def _moved(annotations: list[JsonObject], lane: Lane) -> list[JsonObject]:
    """Annotations with their offsets in the text as it is shown; those of edited text are left out."""
    kept: list[JsonObject] = []
    for annotation in annotations:
        at = annotation.get("index")
        start = annotation.get("start_index", at)
        end = annotation.get("end_index", start)
        if isinstance(start, int) and isinstance(end, int):
            if lane.touches(start, max(end, start + 1)):
                continue
            moved = {"start_index": lane.offset(start), "end_index": lane.offset(end), "index": lane.offset(start)}
            annotation = annotation | {name: offset for name, offset in moved.items() if name in annotation}
        kept.append(annotation)
    return kept


def _end(annotation: JsonObject) -> int:
    end = annotation.get("end_index")
    return end if isinstance(end, int) else 0


def _blank(value: Any, hidden: set[str]) -> None:
    """Take texts out of a piece of JSON: an annotation goes, a field that is named so goes, all else is left empty."""
    if isinstance(value, dict):
        fields = cast("JsonObject", value)
        for name, field in tuple(fields.items()):
            if name in hidden and not plain(name):
                del fields[name]
            elif isinstance(field, str):
                if field in hidden and not inert(name):
                    fields[name] = ""
            elif name == "annotations" and isinstance(field, list):
                shown = cast("list[object]", field)
                fields[name] = [one for one in shown if not hidden.intersection(strings(one))]
            else:
                _blank(field, hidden)
    elif isinstance(value, list):
        texts = cast("list[object]", value)
        for at, one in enumerate(texts):
            if isinstance(one, str):
                texts[at] = "" if one in hidden else one
            else:
                _blank(one, hidden)


def _no_logprobs(value: Any) -> None:
    if isinstance(value, dict):
        fields = cast("JsonObject", value)
        if fields.get("logprobs"):
            fields["logprobs"] = []
        for field in fields.values():
            _no_logprobs(field)
    elif isinstance(value, list):
        for one in cast("list[object]", value):
            _no_logprobs(one)
