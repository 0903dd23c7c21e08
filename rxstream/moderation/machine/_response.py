"""One response while it is moderated: what of each event is checked, and what the event waits for."""

from collections.abc import Iterable
from typing import Any, Final

from rxstream.events import UnknownEvent
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._lanes import Lanes
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._queue import Fragment, HeldDeltas, HeldEvent, RowKey
from rxstream.moderation.machine._release import HEADER, Outbox, Release, index_of
from rxstream.moderation.machine._rendering import has_texts
from rxstream.moderation.machine._response_texts import ResponseTexts
from rxstream.moderation.machine._routes import (
    ITEM_KINDS,
    Route,
    event_leaves,
    lane_kinds,
    route_of,
)
from rxstream.moderation.machine._structure import (
    JsonFields,
    Leaf,
    LeafReader,
    clone,
    fields_of,
    is_audio,
    is_structure,
    text_beyond,
)
from rxstream.moderation.machine._window import LaneKind, TextPlace

_OTHER: Final[tuple[LaneKind, ...]] = ("other",)
_WHOLE_ITEMS: Final = frozenset(("mcp_approval_request",))
"""Types of items whose texts arrive in `output_item.added`, and not in deltas."""


class _DeltaLane:
    """The lane of a delta and its place in the queues. Kept, because deltas are the most frequent events."""

    __slots__ = ("deltas", "lane", "row")

    def __init__(self, lane: Lane, row: RowKey) -> None:
        self.lane = lane
        self.row = row
        self.deltas: HeldDeltas | None = None


class ModeratedResponse:
    """See the module."""

    def __init__(self, options: Options, outbox: Outbox, active: bool) -> None:
        self.lanes = Lanes(options)
        self.ended = False
        """Whether the terminal event has arrived: a later event is one of another response."""
        self._options = options
        self._optimistic = options.mode == "optimistic"
        self._texts = ResponseTexts(self.lanes, options.include.union(_OTHER))
        self.release = Release(self.lanes, self._texts, outbox, active=active, optimistic=self._optimistic)
        self._delta_lanes: dict[tuple[int | None, int, str], _DeltaLane] = {}
        self._has_output = False
        """Whether any output of the model has arrived."""

    # ------------------------------------------------------------------ events in

    def feed(self, event: Any, now: float) -> Lane | None:
        """An event of the source. Returns the lane if it was a delta of one; nothing is emitted then."""
        route = route_of(event.type)
        if route.role == "delta" and type(event) is not UnknownEvent and isinstance(event.delta, str):
            return self._feed_delta(event, route, now)
        if type(event) is UnknownEvent:
            self._feed_growing(event, "other", now)
        elif event.type.startswith("rxstream."):
            self._put(None, HeldEvent(event, None, None, ()))
        elif route.role == "header":
            self._feed_header(event, now)
        elif route.role == "terminal":
            self.ended = True
            self.lanes.close_all()
            self.release.put_final(self._held_response(event, clone(event.model_dump()), route, now))
            self.lanes.close_all()
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
        if route.kind not in self._texts.include:
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
        if item_id and item_id not in lane.item_ids and len(lane.item_ids) < 64:
            lane.item_ids.add(item_id)
            if is_structure("item_id", item_id):
                self._texts.names.add(item_id)
        start = lane.text.length
        lane.append(event.delta, now)
        self.lanes.busy[lane] = None
        if self._optimistic:
            lane.note_emitted(lane.text.length)
            self.release.emit(event)
            return lane
        delta_lane.deltas = self.release.put_delta(index, delta_lane.row, delta_lane.deltas, lane, event, start)
        if event.__dict__.get("logprobs"):
            self.release.logprobs.setdefault(lane.place, []).extend(event.model_dump(include={"logprobs"})["logprobs"])
        if self._options.mode == "bounded" or lane.emitted < lane.safe:
            self.release.note_lane(lane)
        return lane

    def _feed_unmoderated(self, event: Any, index: int | None, now: float) -> None:
        """A delta of a kind that is not moderated: only its unknown fields are checked."""
        if event.model_extra and has_texts(event, self._texts.names):
            dump = clone(event.model_dump())
            reader = LeafReader(self._texts.names)
            extra = [name for name in dump if name in event.model_extra]
            leaves = [leaf for name in extra for leaf in reader.field(dump, name, "", "other")]
            fragments = self.lanes.add_side_texts(index or 0, 0, leaves, now)
            held_event = HeldEvent(event, dump, _PLAIN, fragments, len(event.delta))
        else:
            held_event = HeldEvent(event, None, None, (), len(event.delta))
        self._put_in_order(index, held_event)

    def _feed_header(self, event: Any, now: float) -> None:
        """A snapshot of the response. Later ones wait for nothing, and are emitted with the text that was released."""
        if self._optimistic:
            self.release.emit(event)
        elif self._has_output:
            self._put(None, HeldEvent(event, None, HEADER, ()))
        else:
            dump = clone(event.model_dump())
            response = fields_of(dump.get("response"))
            self._texts.note_request(response)
            self.release.put_header(self._held_response(event, dump, _PLAIN, now))

    def _feed_error(self, event: Any, route: Route, now: float) -> None:
        dump = clone(event.model_dump())
        leaves = event_leaves(route, dump, LeafReader(self._texts.names))
        held_event = HeldEvent(event, dump, route, self.lanes.add_side_texts(0, 0, leaves, now))
        if self._optimistic:
            self.release.emit(event)
        else:
            self.release.put_error(held_event)

    def _feed_audio(self, event: Any, route: Route, now: float) -> None:
        """Audio cannot be edited: it waits for the end of its transcript."""
        self._has_output = True
        dump = clone(event.model_dump())
        reader = LeafReader(self._texts.names)
        if is_audio(dump.get("delta")):
            reader.taken.add((id(dump), "delta"))
        leaves = [leaf for name in dump for leaf in reader.field(dump, name, "", "other")]
        fragments = self.lanes.add_side_texts(0, 0, leaves, now)
        if route.kind in self._texts.include:
            lane = self.lanes.find_or_add(TextPlace(0, 0, "audio_transcript"))
            if event.type == "response.audio.transcript.done":
                self.lanes.close(lane)
            fragments.append(Fragment(None, lane, 0, None))
        self._put(None, HeldEvent(event, dump, route, fragments), ("audio", 0))

    def _feed_growing(self, event: Any, kind: LaneKind, now: float) -> None:
        """An event that the API does not describe, or whose texts it does not describe: each may continue later."""
        index = index_of(event, "output_index")
        unknown = type(event) is UnknownEvent
        dump: JsonFields = event.data if unknown else clone(event.model_dump())
        reader = LeafReader(self._texts.names, known=not unknown)
        extra = event.model_extra or ()
        leaves = (leaf for name in dump for leaf in reader.field(dump, name, "", "other" if name in extra else kind))
        part_index = index_of(event, "content_index") or 0
        fragments = [
            self.lanes.add_growing_text(index or 0, part_index, f"{event.type} {leaf.path}", leaf, now)
            for leaf in leaves
            if leaf.kind in self._texts.include
        ]
        held_event = HeldEvent(event, dump, None if unknown else _PLAIN, fragments)
        if unknown:
            self._put(index, held_event, (event.type, 0))
        else:
            self._put_in_order(index, held_event)

    def _feed_structural(self, event: Any, route: Route, now: float) -> None:
        """An event that opens or closes a text, a part or an item, or annotates a text."""
        index = index_of(event, "output_index") or 0
        dump = clone(event.model_dump())
        leaves = list(event_leaves(route, dump, LeafReader(self._texts.names)))
        item = fields_of(dump.get("item"))
        item_id = str(item.get("id") or dump.get("item_id") or "")
        if item.get("id"):
            self._texts.note_item(item_id, index)
        opens = (
            event.type.endswith(".added") and route.role != "annotation" and str(item.get("type")) not in _WHOLE_ITEMS
        )
        fragments = self._slot_fragments(index, (leaf for leaf in leaves if leaf.part_index is not None), opens, now)
        others = [leaf for leaf in leaves if leaf.part_index is None and leaf.kind in self._texts.include]
        if route.role == "done" and (beyond := self._kept_logprobs(event, route, dump)):
            others.append(beyond)
        if not opens and route.role == "item":
            item_type = str(item.get("type"))
            kinds = lane_kinds(item_type).union(_OTHER, (ITEM_KINDS.get(item_type, "other"),))
            self.lanes.close_item(index, kinds, item_id)
        elif not opens and route.role != "annotation":
            for fragment in fragments:
                if self.lanes.belongs(fragment.lane, item_id):
                    self.lanes.close(fragment.lane)
        part_index = index_of(event, "content_index") or 0
        fragments += self.lanes.add_side_texts(index, part_index, others, now)
        row = (route.index_field, getattr(event, route.index_field, 0)) if route.role != "item" else None
        self._put(index, HeldEvent(event, dump, route, fragments), row)

    def _put(self, index: int | None, held_event: HeldEvent, row: RowKey | None = ("stream", 0)) -> None:
        self._has_output |= index is not None
        self.release.put(index, held_event, row)

    def _put_in_order(self, index: int | None, held_event: HeldEvent) -> None:
        self._has_output |= index is not None
        self.release.put_in_order(index, held_event)

    def _slot_fragments(self, index: int, leaves: Iterable[Leaf], opens: bool, now: float) -> list[Fragment]:
        """Where the lanes have these texts."""
        fragments: list[Fragment] = []
        for leaf in leaves:
            if leaf.kind not in self._texts.include or (opens and not leaf.text):
                continue
            place = TextPlace(index, leaf.part_index or 0, leaf.kind)
            lane, end = self.lanes.find_repeated(place, leaf.text, now)
            fragments.append(Fragment(leaf, lane, 0, end))
        return fragments

    def _kept_logprobs(self, event: Any, route: Route, dump: JsonFields) -> Leaf | None:
        """What the log probabilities of the deltas hold beyond the text, if the `.done` of the text has none itself."""
        if dump.get("logprobs"):
            return None
        kept = self.release.logprobs.get(
            TextPlace(index_of(event, "output_index") or 0, index_of(event, "content_index") or 0, "text")
        )
        beyond = text_beyond(kept, str(dump.get(route.text_field))) if kept else ""
        return Leaf(dump, "logprobs", beyond, route.kind, "logprobs", target="logprobs", drops=True) if beyond else None

    def _held_response(self, event: Any, dump: JsonFields, route: Route, now: float) -> HeldEvent:
        """An event with a response, which waits for all texts in it."""
        fragments: list[Fragment] = []
        others: dict[int, list[Leaf]] = {}
        for index, leaf in self._texts.leaves(dump):
            if leaf.part_index is not None:
                fragments += self._slot_fragments(index, [leaf], False, now)
            elif leaf.kind in self._texts.include:
                others.setdefault(index, []).append(leaf)
        for index, leaves in others.items():
            fragments += self.lanes.add_side_texts(index, 0, leaves, now)
        return HeldEvent(event, dump, route, fragments)


_PLAIN: Final = Route("plain")
