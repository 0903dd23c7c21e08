"""The texts of the events with a whole response or item, and what of them the subscriber may have."""

from collections.abc import Iterator
from typing import Any

from rxstream.events import Event, UnknownEvent
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._lanes import Lanes
from rxstream.moderation.machine._rendering import rebuild, write_text
from rxstream.moderation.machine._routes import Route, event_leaves, item_leaves, route_of
from rxstream.moderation.machine._structure import (
    JsonFields,
    Leaf,
    LeafReader,
    clone,
    declared_names,
    echo_of,
    fields_of,
)
from rxstream.moderation.machine._window import LaneKind, TextPlace


class ResponseTexts:
    """Finds the texts in the events of one response."""

    def __init__(self, lanes: Lanes, include: frozenset[LaneKind]) -> None:
        self.include = include
        """The kinds that are moderated."""
        self.names: set[str] = set()
        """What may be repeated anywhere: the names of declared tools, and identifiers of earlier events."""
        self._lanes = lanes
        self._echo: JsonFields = {}
        """What the response repeated of its request before the output began."""
        self._indexes: dict[str, int] = {}
        """Id of each item -> its output index."""

    def note_request(self, response: JsonFields) -> None:
        """A response before its output repeats the request."""
        self._echo.update(echo_of(response))
        self.names.update(declared_names(response))

    def note_item(self, item_id: str, index: int) -> None:
        self._indexes[item_id] = index

    def read(self, event: Any, route: Route) -> tuple[JsonFields, list[Leaf]]:
        """The JSON of an event of a known type other than a delta, and the texts in it."""
        dump: JsonFields = clone(event.model_dump())
        if route.role in ("header", "terminal"):
            return dump, list(self._response_leaves(dump))
        return dump, list(event_leaves(route, dump, LeafReader(self.names, True, index_of(event, "output_index") or 0)))

    def _response_leaves(self, dump: JsonFields) -> Iterator[Leaf]:
        reader = LeafReader(self.names)

        def leaves_of_item(output: list[Any], position: int) -> Iterator[Leaf]:
            reader.output_index = self._indexes.get(str(fields_of(output[position]).get("id")), position)
            yield from item_leaves(output, position, reader)

        yield from reader.response(fields_of(dump.get("response")), self._echo, leaves_of_item)
        reader.output_index = 0
        for name in dump:
            if name != "response" or not isinstance(dump[name], dict):
                yield from reader.field(dump, name, "", "other", drops=True)

    def only_released(self, event: Any) -> Any:
        """A snapshot of the response with only the text that was released. It waits for nothing."""
        dump, texts = self.read(event, route_of(event.type))
        changed = False
        for leaf in texts:
            if leaf.kind not in self.include:
                continue
            if leaf.part_index is None:
                if not self._lanes.side_text_passed(leaf.text):
                    leaf.remove()
                    changed = True
                continue
            lane = self._lanes.find(TextPlace(leaf.output_index, leaf.part_index, leaf.kind))
            text = lane.output_prefix(lane.kept_end()) if lane is not None else ""
            if text != leaf.text:
                write_text(leaf, text, lane)
                changed = True
        return rebuild(event, dump) if changed else event

    def without_retracted(self, event: Any, retracted: list[Lane]) -> Any:
        """An event that closes the response, without the text that was retracted."""
        dump, texts = self.read(event, route_of(event.type))
        changed = False
        for lane in retracted:
            released, kept = lane.output_prefix(lane.shown), lane.output_prefix(lane.kept_end())
            for leaf in texts:
                # By text and not by content_index, which may have gaps.
                place = (leaf.output_index, leaf.kind, leaf.text)
                if leaf.part_index is not None and place == (lane.place.output_index, lane.place.kind, released):
                    write_text(leaf, kept, lane)
                    changed = True
        return rebuild(event, dump) if changed else event


def text_place(event: Event) -> TextPlace:
    """The place of the text of a message that an event of a known type names."""
    return TextPlace(index_of(event, "output_index") or 0, index_of(event, "content_index") or 0, "text")


def index_of(event: Event, name: str) -> int | None:
    """An index of an event. None if it has none."""
    value = event.data.get(name) if isinstance(event, UnknownEvent) else getattr(event, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
