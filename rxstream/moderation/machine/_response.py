"""One response while it is moderated: its lanes, the events that are held, and what was emitted."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from rxstream.events import Event, StreamingEvent, UnknownEvent
from rxstream.events._fields import TERMINAL
from rxstream.moderation.machine._emitted_state import EmittedState
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._lanes import Lanes
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._queue import Entry, Fragment, HeldDeltas, HeldEvent, ItemQueue, RowKey
from rxstream.moderation.machine._rendering import has_texts, rebuild, render, take_delta, write_text
from rxstream.moderation.machine._routes import (
    ITEM_KINDS,
    Route,
    event_leaves,
    item_leaves,
    lane_kinds,
    route_of,
)
from rxstream.moderation.machine._structure import (
    JsonFields,
    Leaf,
    Reader,
    clone,
    declared_names,
    echo_of,
    fields_of,
    is_audio,
    is_structure,
    text_beyond,
)
from rxstream.moderation.machine._window import LaneKind, TextPlace

_NO_QUEUES: Final[frozenset[int | None]] = frozenset()
_WHOLE_ITEMS: Final = frozenset(("mcp_approval_request",))
"""Types of items whose texts arrive in `output_item.added`, and not in deltas."""


class Outbox:
    """What a step of the machine returns, and how much is held."""

    __slots__ = ("held", "outputs")

    def __init__(self) -> None:
        self.outputs: list[Any] = []
        self.held = 0
        """Characters in events that are held."""


class _DeltaLane:
    """The lane of a delta and its place in the queues. Kept, because deltas are the most frequent events."""

    __slots__ = ("held", "lane", "row")

    def __init__(self, lane: Lane, row: RowKey) -> None:
        self.lane = lane
        self.row = row
        self.held: HeldDeltas | None = None


class ModeratedResponse:
    """See the module. Nothing is emitted before the response is `active`: those before it have ended."""

    def __init__(self, options: Options, outbox: Outbox, active: bool) -> None:
        self.active = active
        self.lanes = Lanes(options)
        self.emitted = EmittedState()
        self.final_event: HeldEvent | None = None
        """The held terminal event. It is emitted after all other held events."""
        self.ended = False
        """Whether the terminal event was emitted, or is held: a later event is one of another response."""
        self._options = options
        self._include: frozenset[LaneKind] = options.include | {"other"}
        self._optimistic = options.mode == "optimistic"
        self._outbox = outbox
        self._queues: dict[int | None, ItemQueue] = {}
        """Output index -> the events held for this item; the key of events of no item is None. No queue is empty."""
        self._queues_of_lane: dict[Lane, set[int | None]] = {}
        """The queues with an event that waits for the lane."""
        self._ready_queues: set[int | None] = set()
        """The queues that may have something to emit now."""
        self._headers: list[HeldEvent] = []
        """The held events from before the output. All others wait for them."""
        self._errors: list[HeldEvent] = []
        """The held `error` events. They are emitted after all events of items."""
        self._delta_lanes: dict[tuple[int | None, int, str], _DeltaLane] = {}
        self._has_output = False
        """Whether any output of the model has arrived."""
        self._echo: JsonFields = {}
        """What the response repeated of its request before the output began."""
        self._declared: set[str] = set()
        """The names of the tools that the request declared."""
        self._indexes: dict[str, int] = {}
        """Id of each item -> its output index."""
        self._logprobs: dict[TextPlace, list[Any]] = {}
        """The log probabilities of the deltas of each text. The deltas are emitted without them."""

    # ------------------------------------------------------------------ events in

    def feed(self, event: Any, now: float) -> Lane | None:
        """An event of the source. Returns the lane if it was a delta of one; nothing is emitted then."""
        route = route_of(event.type)
        if type(event) is UnknownEvent:
            self._feed_growing(event, "other", now)
        elif event.type.startswith("rxstream."):
            self._hold(None, HeldEvent(event, None, None, ()))
        elif route.role == "delta" and isinstance(event.delta, str):
            return self._feed_delta(event, route, now)
        elif route.role == "header":
            self._feed_header(event, now)
        elif route.role == "terminal":
            self.ended = True
            self.lanes.close_all()
            self.final_event = self._held_response(event, clone(event.model_dump()), route, now)
            self.lanes.close_all()
            self._outbox.held += self.final_event.size
        elif event.type == "error":
            self._feed_error(event, route, now)
        elif route.role == "audio":
            self._feed_audio(event, route, now)
        elif route.role in ("plain", "delta"):
            self._feed_growing(event, route.kind, now)
        else:
            self._feed_structural(event, route, now)
        return None

    def _feed_delta(self, event: Any, route: Route, now: float) -> Lane | None:
        index: int | None = event.__dict__.get("output_index")
        if route.kind not in self._include:
            self._feed_unmoderated(event, index, now)
            return None
        key = (index, getattr(event, route.index_field) if route.index_field else 0, route.kind)
        delta_lane = self._delta_lanes.get(key)
        if delta_lane is None:
            lane = self.lanes.find_or_add(TextPlace(index or 0, key[1], route.kind))
            delta_lane = self._delta_lanes[key] = _DeltaLane(lane, (route.index_field, key[1]))
        lane = delta_lane.lane
        self._has_output = True
        item_id = event.__dict__.get("item_id")
        if item_id and item_id not in lane.item_ids:
            if not is_structure("item_id", item_id):
                event = event.model_copy(update={"item_id": ""})
            elif len(lane.item_ids) < 64:
                lane.item_ids.add(item_id)
        start = lane.text.length
        lane.append(event.delta, now)
        self.lanes.busy[lane] = None
        if self._optimistic:
            lane.released = lane.text.length
            self._emit(event)
            return lane
        held, queue = delta_lane.held, self._queue(index)
        if held is None or queue.last(delta_lane.row) is not held:
            held = delta_lane.held = HeldDeltas(lane, start)
            queue.put(delta_lane.row, held)
            self._queues_of_lane.setdefault(lane, set()).add(index)
        held.add(event)
        self._outbox.held += len(event.delta)
        if event.__dict__.get("logprobs"):
            self._logprobs.setdefault(lane.place, []).extend(event.model_dump(include={"logprobs"})["logprobs"])
        if self._options.mode == "bounded" or lane.released < lane.safe:
            self._ready_queues.add(index)
        return lane

    def _feed_unmoderated(self, event: Any, index: int | None, now: float) -> None:
        """A delta of a kind that is not moderated: only its unknown fields are checked."""
        if event.model_extra and has_texts(event, self._declared):
            dump = clone(event.model_dump())
            reader = Reader(self._declared)
            extra = [name for name in dump if name in event.model_extra]
            leaves = [leaf for name in extra for leaf in reader.field(dump, name, "", "other")]
            held_event = HeldEvent(event, dump, Route("plain"), self.lanes.add_side_texts(index or 0, 0, leaves, now))
        else:
            held_event = HeldEvent(event, None, None, ())
        self._hold_in_order(index, held_event)

    def _feed_header(self, event: Any, now: float) -> None:
        """A snapshot of the response. Later ones wait for nothing, and are emitted with the text that was released."""
        if self._optimistic:
            self._emit(event)
        elif self._has_output:
            self._hold(None, HeldEvent(event, None, _HEADER, ()))
        else:
            dump = clone(event.model_dump())
            response = fields_of(dump.get("response"))
            self._echo.update(echo_of(response))
            self._declared.update(declared_names(response))
            held_event = self._held_response(event, dump, _PLAIN, now)
            self._headers.append(held_event)
            self._outbox.held += held_event.size

    def _feed_error(self, event: Any, route: Route, now: float) -> None:
        dump = clone(event.model_dump())
        leaves = event_leaves(route, dump, Reader(self._declared))
        held_event = HeldEvent(event, dump, route, self.lanes.add_side_texts(0, 0, leaves, now))
        if self._optimistic:
            self._emit(event)
        else:
            self._errors.append(held_event)
            self._outbox.held += held_event.size

    def _feed_audio(self, event: Any, route: Route, now: float) -> None:
        """Audio cannot be edited: it waits for the end of its transcript."""
        self._has_output = True
        dump = clone(event.model_dump())
        reader = Reader(self._declared)
        if is_audio(dump.get("delta")):
            reader.taken.add((id(dump), "delta"))
        leaves = [leaf for name in dump for leaf in reader.field(dump, name, "", "other")]
        fragments = self.lanes.add_side_texts(0, 0, leaves, now)
        if route.kind in self._include:
            lane = self.lanes.find_or_add(TextPlace(0, 0, "audio_transcript"))
            if event.type == "response.audio.transcript.done":
                self.lanes.close(lane)
            fragments.append(Fragment(None, lane, 0, None))
        self._hold(None, HeldEvent(event, dump, route, fragments), ("audio", 0))

    def _feed_growing(self, event: Any, kind: LaneKind, now: float) -> None:
        """An event that the API does not describe, or whose texts it does not describe: each may continue later."""
        index = _index(event, "output_index")
        unknown = type(event) is UnknownEvent
        dump: JsonFields = event.data if unknown else clone(event.model_dump())
        reader = Reader(self._declared, known=not unknown)
        extra = event.model_extra or ()
        leaves = (leaf for name in dump for leaf in reader.field(dump, name, "", "other" if name in extra else kind))
        part_index = _index(event, "content_index") or 0
        fragments = [
            self.lanes.add_growing_text(index or 0, part_index, f"{event.type} {leaf.path}", leaf, now)
            for leaf in leaves
            if leaf.kind in self._include
        ]
        held_event = HeldEvent(event, dump, None if unknown else _PLAIN, fragments)
        if unknown:
            self._hold(index, held_event, (event.type, 0))
        else:
            self._hold_in_order(index, held_event)

    def _feed_structural(self, event: Any, route: Route, now: float) -> None:
        """An event that opens or closes a text, a part or an item, or annotates a text."""
        index = _index(event, "output_index") or 0
        dump = clone(event.model_dump())
        leaves = list(event_leaves(route, dump, Reader(self._declared)))
        item = fields_of(dump.get("item"))
        item_id = str(item.get("id") or dump.get("item_id") or "")
        if item.get("id"):
            self._indexes[item_id] = index
        opens = (
            event.type.endswith(".added") and route.role != "annotation" and str(item.get("type")) not in _WHOLE_ITEMS
        )
        fragments = self._slot_fragments(index, (leaf for leaf in leaves if leaf.part_index is not None), opens, now)
        others = [leaf for leaf in leaves if leaf.part_index is None and leaf.kind in self._include]
        if route.role == "done" and (beyond := self._kept_logprobs(event, route, dump)):
            others.append(beyond)
        if not opens and route.role == "item":
            item_type = str(item.get("type"))
            kinds = lane_kinds(item_type) | {ITEM_KINDS.get(item_type, "other"), "other"}
            self.lanes.close_item(index, kinds, item_id)
        elif not opens and route.role != "annotation":
            for fragment in fragments:
                if self.lanes.belongs(fragment.lane, item_id):
                    self.lanes.close(fragment.lane)
        part_index = _index(event, "content_index") or 0
        fragments += self.lanes.add_side_texts(index, part_index, others, now)
        row = (route.index_field, getattr(event, route.index_field, 0)) if route.role != "item" else None
        self._hold(index, HeldEvent(event, dump, route, fragments), row)

    def _slot_fragments(self, index: int, leaves: Iterable[Leaf], opens: bool, now: float) -> list[Fragment]:
        """Where the lanes have these texts."""
        fragments: list[Fragment] = []
        for leaf in leaves:
            if leaf.kind not in self._include or (opens and not leaf.text):
                continue
            place = TextPlace(index, leaf.part_index or 0, leaf.kind)
            lane, end = self.lanes.find_repeated(place, leaf.text, now)
            fragments.append(Fragment(leaf, lane, 0, end))
        return fragments

    def _kept_logprobs(self, event: Any, route: Route, dump: JsonFields) -> Leaf | None:
        """What the log probabilities of the deltas hold beyond the text, if the `.done` of the text has none itself."""
        if dump.get("logprobs"):
            return None
        kept = self._logprobs.get(
            TextPlace(_index(event, "output_index") or 0, _index(event, "content_index") or 0, "text")
        )
        beyond = text_beyond(kept, str(dump.get(route.text_field))) if kept else ""
        return Leaf(dump, "logprobs", beyond, route.kind, "logprobs", target="logprobs", drops=True) if beyond else None

    def _held_response(self, event: Any, dump: JsonFields, route: Route, now: float) -> HeldEvent:
        """An event with a response, which waits for all texts in it."""
        fragments: list[Fragment] = []
        others: dict[int, list[Leaf]] = {}
        for index, leaf in self._response_leaves(dump):
            if leaf.part_index is not None:
                fragments += self._slot_fragments(index, [leaf], False, now)
            elif leaf.kind in self._include:
                others.setdefault(index, []).append(leaf)
        for index, leaves in others.items():
            fragments += self.lanes.add_side_texts(index, 0, leaves, now)
        return HeldEvent(event, dump, route, fragments)

    def _response_leaves(self, dump: JsonFields) -> Iterator[tuple[int, Leaf]]:
        """The texts of an event with a response, and the output index of each."""
        reader = Reader(self._declared)
        response = fields_of(dump.get("response"))
        output_index = 0

        def leaves_of_item(output: list[Any], position: int) -> Iterator[Leaf]:
            nonlocal output_index
            output_index = self._indexes.get(str(fields_of(output[position]).get("id")), position)
            yield from item_leaves(output, position, reader)

        for leaf in reader.response(response, self._echo, leaves_of_item):
            yield output_index, leaf
        for name in dump:
            if name != "response" or not isinstance(dump[name], dict):
                for leaf in reader.field(dump, name, "", "other", drops=True):
                    yield 0, leaf

    # ------------------------------------------------------------------ queues

    def _hold(self, index: int | None, held_event: HeldEvent, row: RowKey | None = ("stream", 0)) -> None:
        """Hold an event until it may be emitted, which may be now."""
        self._has_output |= index is not None
        if self._optimistic:
            self._emit_event(held_event)
            return
        self._queue(index).put(row, held_event)
        self._outbox.held += held_event.size
        self._ready_queues.add(index)
        for fragment in held_event.fragments:
            self._queues_of_lane.setdefault(fragment.lane, set()).add(index)

    def _hold_in_order(self, index: int | None, held_event: HeldEvent) -> None:
        """Hold an event that keeps its place among the events of its item."""
        if not held_event.fragments and self.active and not self._headers and index not in self._queues:
            self._has_output |= index is not None
            self._emit(held_event.event)
        else:
            self._hold(index, held_event, ("stream", 0) if index is None else None)

    def _queue(self, index: int | None) -> ItemQueue:
        queue = self._queues.get(index)
        if queue is None:
            queue = self._queues[index] = ItemQueue()
        return queue

    def note_lane(self, lane: Lane) -> None:
        """More of a lane may be released."""
        self._ready_queues |= self._queues_of_lane.get(lane, _NO_QUEUES)

    def activate(self) -> None:
        """The responses before this one have ended."""
        self.active = True
        self._ready_queues.update(self._queues)
        self.lanes.changed.extend(self.lanes.all)

    @property
    def drained(self) -> bool:
        """Whether no event is held, except the final one."""
        return not self._queues and not self._errors and not self._headers

    def release(self, now: float) -> None:
        """Emit what may leave the queues in which something changed; `error` events after all others."""
        if not self.active:
            return
        while self._headers:
            if not self._headers[0].ready():
                return
            self._release_event(self._headers.pop(0))
        while self._ready_queues:
            index = self._ready_queues.pop()
            queue = self._queues.get(index)
            if queue is None:
                continue
            queue.drain(lambda entry: self._emit_entry(entry, now))
            if not queue:
                del self._queues[index]
        while self._errors and not self._queues and self._errors[0].ready():
            self._release_event(self._errors.pop(0))

    def release_all(self, now: float) -> None:
        self._ready_queues.update(self._queues)
        self.release(now)

    def release_final(self) -> bool:
        """Emit the terminal event, if it is the only one that is held. Returns whether it was."""
        final = self.final_event
        if final is None or not self.active:
            return False
        if self._optimistic or (self.drained and final.ready()):
            self.final_event = None
            self._release_event(final)
            return True
        return False

    def drop_all(self) -> tuple[list[Any], Any | None]:
        """Drop what is held. Returns the held `error` events, and the terminal event without unverified text."""
        self._queues.clear()
        self._headers.clear()
        errors = [held_event.event for held_event in self._errors]
        final = None if self.final_event is None else self.only_released(self.final_event.event)
        self._errors, self.final_event = [], None
        return errors, final

    def _emit_entry(self, entry: Entry, now: float) -> bool:
        """Emit as much of an entry as may be emitted. Returns whether that was all of it."""
        if isinstance(entry, HeldEvent):
            if not entry.ready():
                return False
            self._release_event(entry)
            return True
        lane = entry.lane
        limit = min(lane.limit(now), entry.end)
        if limit > lane.released:
            delta = take_delta(entry, limit, self._declared)
            if delta is not None:
                self._emit(delta)
            self._outbox.held -= limit - lane.released
            lane.released = limit
        return lane.released >= entry.end

    # ------------------------------------------------------------------ events out

    def _emit(self, event: Any) -> None:
        self.emitted.note(event)
        self._outbox.outputs.append(event)

    def _release_event(self, held_event: HeldEvent) -> None:
        if not self._optimistic:
            self._outbox.held -= held_event.size
        self._emit_event(held_event)

    def _emit_event(self, held_event: HeldEvent) -> None:
        event, route = held_event.event, held_event.route
        if route is _HEADER:
            event = self.only_released(event)
        elif not self._optimistic and (held_event.fragments or (route is not None and route.role == "annotation")):
            event = self._rendered(held_event)
        for fragment in held_event.fragments:
            end = fragment.lane.text.length if fragment.end is None else fragment.end
            fragment.lane.released = max(fragment.lane.released, end)
        if event is not None:
            self._emit(event)

    def _rendered(self, held_event: HeldEvent) -> Any | None:
        event, route = held_event.event, held_event.route
        annotated: Lane | None = None
        logprobs: list[Any] = []
        if route is not None and route.role in ("annotation", "done"):
            place = TextPlace(_index(event, "output_index") or 0, _index(event, "content_index") or 0, "text")
            annotated = self.lanes.find(place)
            if route.role == "done" and route.kind == "text" and not getattr(event, "logprobs", None):
                logprobs = self._logprobs.get(place, [])
        return render(held_event, annotated, logprobs)

    def only_released(self, event: Any) -> Any:
        """An event with only the text that was released. It waits for nothing."""
        dump = clone(event.model_dump())
        changed = False
        if "response" in dump:
            leaves = list(self._response_leaves(dump))
        else:
            leaves = [(0, leaf) for leaf in event_leaves(route_of(event.type), dump, Reader(self._declared))]
        for index, leaf in leaves:
            if leaf.kind not in self._include:
                continue
            if leaf.part_index is None:
                if not self.lanes.side_text_passed(leaf.text):
                    leaf.remove()
                    changed = True
                continue
            lane = self.lanes.find(TextPlace(index, leaf.part_index, leaf.kind))
            text = lane.output_prefix(lane.kept_end()) if lane is not None else ""
            if text != leaf.text:
                write_text(leaf, text, lane)
                changed = True
        return rebuild(dump) if changed else event

    def closing_events(self, retracted: Iterable[Lane], refusal: str | None) -> Iterator[StreamingEvent]:
        """The events that close the response after a cut, without the text that was retracted."""
        lanes = list(retracted)
        for event in self.emitted.closing_events(refusal):
            yield self._without_retracted(event, lanes) if lanes else event

    def _without_retracted(self, event: Any, retracted: list[Lane]) -> Any:
        dump = clone(event.model_dump())
        if isinstance(event, TERMINAL):
            leaves = list(self._response_leaves(dump))
        else:
            route = route_of(event.type)
            leaves = [(event.output_index, leaf) for leaf in event_leaves(route, dump, Reader(self._declared))]
        changed = False
        for lane in retracted:
            released, kept = lane.output_prefix(lane.released), lane.output_prefix(lane.kept_end())
            for index, leaf in leaves:
                # By text and not by content_index, which may have gaps.
                if (index, leaf.kind, leaf.text) == (lane.place.output_index, lane.place.kind, released):
                    if leaf.part_index is not None:
                        write_text(leaf, kept, lane)
                        changed = True
        return rebuild(dump) if changed else event


_PLAIN: Final = Route("plain")
_HEADER: Final = Route("header")


def _index(event: Event, name: str) -> int | None:
    """An index of an event. None if it has none."""
    value = event.data.get(name) if isinstance(event, UnknownEvent) else getattr(event, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
