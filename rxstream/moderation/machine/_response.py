"""One response while it is moderated: what of each event is checked, and what the event waits for."""

from collections.abc import Iterable
from typing import Any, Final

from rxstream.events import OwnEvent, UnknownEvent
from rxstream.moderation.machine._commands import Step
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._lanes import Lanes
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._queue import Fragment, HeldEvent
from rxstream.moderation.machine._release import HEADER, Release
from rxstream.moderation.machine._rendering import has_texts
from rxstream.moderation.machine._response_texts import ResponseTexts, index_of, text_place
from rxstream.moderation.machine._routes import (
    CALL_KINDS,
    ITEM_KINDS,
    Route,
    is_call,
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
    objects_in,
    text_beyond,
)
from rxstream.moderation.machine._window import LaneKind, TextPlace

_OTHER: Final[tuple[LaneKind, ...]] = ("other",)
_WHOLE_ITEMS: Final = frozenset(("mcp_approval_request",))
"""Types of items whose texts arrive in `output_item.added`, and not in deltas."""


class ModeratedResponse:
    """See the module."""

    def __init__(self, options: Options, step: Step, active: bool) -> None:
        self.lanes = Lanes(options, step)
        self.ended = False
        """Whether the terminal event has arrived: a later event is one of another response."""
        self._options = options
        self._texts = ResponseTexts(self.lanes, options.include.union(_OTHER))
        self.release = Release(self.lanes, self._texts, step, active=active, optimistic=options.mode == "optimistic")
        self._has_output = False
        """Whether any output of the model has arrived."""

    # ------------------------------------------------------------------ events in

    def feed(self, event: Any) -> Lane | None:
        """An event of the source. Returns the lane if it was a delta of one; nothing is emitted then."""
        route = route_of(event.type)
        if route.role == "delta" and type(event) is not UnknownEvent and isinstance(event.delta, str):
            self._has_output = True
            return self._feed_delta(event, route)
        if isinstance(event, OwnEvent):  # of another operator: no server sent it
            self.release.put(None, HeldEvent(event))
            return None
        self._has_output |= route.role not in ("header", "plain") or index_of(event, "output_index") is not None
        if type(event) is UnknownEvent:
            self._feed_growing(event, "other")
        elif route.role == "header":
            self._feed_header(event, route)
        elif route.role == "terminal":
            self.ended = True
            self.lanes.close_all()
            self.release.put_last(self._terminal_event(event, route))
            self.lanes.close_all()
        elif event.type == "error":
            self.release.put_last(self._held_event(event, route))
        elif route.role == "audio":
            self._feed_audio(event, route)
        elif route.role in ("plain", "delta"):
            self._feed_growing(event, route.kind)
        else:
            self._feed_structural(event, route)
        return None

    def _feed_delta(self, event: Any, route: Route) -> Lane | None:
        index: int | None = event.__dict__.get("output_index")
        if route.kind not in self._texts.include:
            self._feed_unmoderated(event, index)
            return None
        part_index = getattr(event, route.index_field) if route.index_field else 0
        lane = self.lanes.find_or_add(TextPlace(index or 0, part_index, route.kind))
        item_id = event.__dict__.get("item_id")
        if item_id and item_id not in lane.item_ids and len(lane.item_ids) < 64:
            lane.item_ids.add(item_id)
            if is_structure("item_id", item_id):
                self._texts.names.add(item_id)
        start = lane.text.length
        lane.append(event.delta)
        self.lanes.busy[lane] = None
        if self._options.mode == "optimistic" and self.release.flows(index):
            lane.note_emitted(lane.text.length)
            self.release.emit(event)
            return lane
        self.release.put_delta(index, (route.index_field, part_index), lane, event, start)
        if event.__dict__.get("logprobs"):
            lane.logprobs += event.model_dump(include={"logprobs"})["logprobs"]
        if self._options.mode != "hold" or lane.emitted < lane.safe:
            self.release.note_lane(lane)
        return lane

    def _feed_unmoderated(self, event: Any, index: int | None) -> None:
        """A delta of a kind that is not moderated: only its unknown fields are checked."""
        if event.model_extra and has_texts(event, self._texts.names):
            dump = clone(event.model_dump())
            reader = LeafReader(self._texts.names, True, index or 0)
            extra = [name for name in dump if name in event.model_extra]
            leaves = [leaf for name in extra for leaf in reader.field(dump, name, "", "other")]
            fragments = self.lanes.add_side_texts(0, leaves)
            held_event = HeldEvent(event, dump, _PLAIN, fragments, unchecked=len(event.delta))
        else:
            held_event = HeldEvent(event, unchecked=len(event.delta))
        self.release.put_in_order(index, held_event)

    def _feed_header(self, event: Any, route: Route) -> None:
        """A snapshot of the response. Later ones wait for nothing, and are emitted with the text that was released."""
        if self._has_output:
            self.release.put(None, HeldEvent(event, None, HEADER))
        else:
            self._texts.note_request(fields_of(event.model_dump().get("response")))
            self.release.put_first(self._held_event(event, route))

    def _feed_audio(self, event: Any, route: Route) -> None:
        """Audio cannot be edited: it waits for the end of its transcript."""
        dump = clone(event.model_dump())
        reader = LeafReader(self._texts.names)
        if is_audio(dump.get("delta")):
            reader.taken.add((id(dump), "delta"))
        leaves = [leaf for name in dump for leaf in reader.field(dump, name, "", "other")]
        fragments = self.lanes.add_side_texts(0, leaves)
        if route.kind in self._texts.include:
            lane = self.lanes.find_or_add(TextPlace(0, 0, "audio_transcript"))
            if event.type == "response.audio.transcript.done":
                self.lanes.close(lane)
            fragments.append(Fragment(None, lane, 0, None))
        self.release.put(None, HeldEvent(event, dump, route, fragments), ("audio", 0))

    def _feed_growing(self, event: Any, kind: LaneKind) -> None:
        """An event that the API does not describe, or whose texts it does not describe: each may continue later."""
        index = index_of(event, "output_index")
        unknown = type(event) is UnknownEvent
        dump: JsonFields = event.data if unknown else clone(event.model_dump())
        reader = LeafReader(self._texts.names, not unknown, index or 0)
        extra = event.model_extra or ()
        leaves = (leaf for name in dump for leaf in reader.field(dump, name, "", "other" if name in extra else kind))
        part_index = index_of(event, "content_index") or 0
        fragments = [
            self.lanes.add_growing_text(part_index, f"{event.type} {leaf.path}", leaf)
            for leaf in leaves
            if leaf.kind in self._texts.include
        ]
        held_event = HeldEvent(event, dump, None if unknown else _PLAIN, fragments)
        if unknown:
            self.release.put(index, held_event, (event.type, 0))
        else:
            self.release.put_in_order(index, held_event)

    def _feed_structural(self, event: Any, route: Route) -> None:
        """An event that opens or closes a text, a part or an item, or annotates a text."""
        index = index_of(event, "output_index") or 0
        dump, texts = self._texts.read(event, route)
        item = fields_of(dump.get("item"))
        item_id = str(item.get("id") or dump.get("item_id") or "")
        if item.get("id"):
            self._texts.note_item(item_id, index)
        item_type = str(item.get("type"))
        opens = event.type.endswith(".added") and route.role != "annotation" and item_type not in _WHOLE_ITEMS
        fragments = self._lane_fragments(texts, opens=opens)
        if not opens and route.role == "item":
            kinds = lane_kinds(item_type).union(_OTHER, (ITEM_KINDS.get(item_type, "other"),))
            self.lanes.close_item(index, kinds, item_id)
        elif not opens and route.role != "annotation":
            for fragment in fragments:
                if self.lanes.belongs(fragment.lane, item_id):
                    self.lanes.close(fragment.lane)
        if route.role == "done" and (beyond := self._kept_logprobs(event, route, dump)):
            texts.append(beyond)
        fragments += self._side_fragments(texts, index_of(event, "content_index") or 0)
        row = (route.index_field, getattr(event, route.index_field, 0)) if route.role != "item" else None
        calls: list[Fragment] = []
        if route.role == "item" or (route.role == "done" and route.kind in CALL_KINDS):
            calls = self._call_fragments(self.lanes.of_item(index))
        ends_call = bool(calls) or (not opens and is_call(item_type) if item else route.kind in CALL_KINDS)
        self.release.put(index, HeldEvent(event, dump, route, fragments + calls, ends_call=ends_call), row)

    def _terminal_event(self, event: Any, route: Route) -> HeldEvent:
        """The end of the response, and of the calls that have no end of their own."""
        held_event = self._held_event(event, route)
        calls = self._call_fragments(self.lanes)
        held_event.fragments += tuple(calls)
        output = objects_in(fields_of(held_event.dump.get("response")).get("output"))
        held_event.ends_call = bool(calls) or any(is_call(str(item.get("type"))) for item in output)
        return held_event

    def _call_fragments(self, lanes: Iterable[Lane]) -> list[Fragment]:
        """What a tool gets may be in no field of the event that ends its call."""
        return [
            Fragment(None, lane, 0, lane.text.end)
            for lane in lanes
            if lane.place.kind in CALL_KINDS and not lane.side and lane.text.end
        ]

    def _held_event(self, event: Any, route: Route) -> HeldEvent:
        """An event that waits for all its texts."""
        dump, texts = self._texts.read(event, route)
        fragments = [*self._lane_fragments(texts), *self._side_fragments(texts)]
        return HeldEvent(event, dump, route, fragments)

    def _lane_fragments(self, texts: Iterable[Leaf], *, opens: bool = False) -> list[Fragment]:
        """Where the lanes have those of the texts that lanes collect. Of an event that opens one it may be empty."""
        fragments: list[Fragment] = []
        for leaf in texts:
            if leaf.part_index is not None and leaf.kind in self._texts.include and (leaf.text or not opens):
                lane, end = self.lanes.find_repeated(
                    TextPlace(leaf.output_index, leaf.part_index, leaf.kind), leaf.text
                )
                fragments.append(Fragment(leaf, lane, 0, end))
        return fragments

    def _side_fragments(self, texts: Iterable[Leaf], part_index: int = 0) -> list[Fragment]:
        """Where the lanes have all other texts."""
        leaves = [leaf for leaf in texts if leaf.part_index is None and leaf.kind in self._texts.include]
        return self.lanes.add_side_texts(part_index, leaves)

    def _kept_logprobs(self, event: Any, route: Route, dump: JsonFields) -> Leaf | None:
        """What the log probabilities of the deltas hold beyond the text, if the `.done` of the text has none itself."""
        lane = self.lanes.find(text_place(event))
        if lane is None or not lane.logprobs or dump.get("logprobs"):
            return None
        beyond = text_beyond(lane.logprobs, str(dump.get(route.text_field)))
        if not beyond:
            return None
        index = lane.place.output_index
        return Leaf(dump, "logprobs", beyond, route.kind, "logprobs", None, "logprobs", True, index)


_PLAIN: Final = Route("plain")
