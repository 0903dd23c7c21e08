"""The events of a whole response that a subscriber does not have yet.

A stream that is lost may be impossible to resume, while the server still has the response. Its events are made as for
any whole response, and those that were delivered are left out. Of a text that was delivered in part, the rest is one
delta. What is made is `synthetic` and has no sequence number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, cast

from rxstream.events import (
    OutputEvent,
    ResponseCreatedEvent,
    ResponseIncompleteEvent,
    ResponseInProgressEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextDeltaEvent,
    ResponseQueuedEvent,
    StreamingEvent,
    parse_event,
)
from rxstream.events._fields import PARTS, TERMINAL, TEXTS, by_delta
from rxstream.response._output_matching import StreamedItem, ids_of, match_output
from rxstream.response.decoding._mislabelled import corrected
from rxstream.response.decoding._whole_response import events_of_whole, items_of

_OPENING = (ResponseCreatedEvent, ResponseInProgressEvent, ResponseQueuedEvent)
_ITEMS = (ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent)
_DELTAS: Final = by_delta()

_SAME: Final[dict[type, type]] = {
    **{event: text.deltas[0] for text in TEXTS for event in text.deltas},
    **{event: text.dones[0] for text in TEXTS for event in text.dones},
    PARTS[1].added: PARTS[0].added,
    PARTS[1].done: PARTS[0].done,
}
"""Class of an event -> the class by which a whole response says the same."""

_PART_ENDS: Final = (PARTS[0].done, PARTS[2].done)


class _Place(NamedTuple):
    """Where an event belongs. An event without such an index has None there."""

    output_index: int
    content_index: int | None
    summary_index: int | None
    command_index: int | None


def _place(event: OutputEvent) -> _Place:
    return _Place(*(getattr(event, name, None) for name in _Place._fields))  # pyright: ignore[reportArgumentType]


class MissingEvents:
    """Notes the events that a subscriber has, and makes those that it lacks of the whole response.

    Memory: the texts of the response.
    """

    def __init__(self, *, from_start: bool = True) -> None:
        self._from_start = from_start
        """Whether the subscriber has no events but those that are noted here."""
        self._begun = False
        self._items: dict[int, StreamedItem] = {}
        self._had: set[tuple[type, _Place, int | None]] = set()
        """Class, place and annotation index of the events that are not deltas."""
        self._texts: dict[tuple[type, _Place], list[str]] = {}
        self._logprobs: dict[_Place, int] = {}

    def feed(self, event: StreamingEvent) -> None:
        """Note an event that the subscriber gets."""
        if not isinstance(event, OutputEvent):
            self._begun |= isinstance(event, _OPENING)
            return
        kind, place = _SAME.get(type(event), type(event)), _place(event)
        if type(event) in _DELTAS:
            if (deltas := self._texts.get((kind, place))) is None:
                self._note_opened(place)
                deltas = self._texts[kind, place] = []
            deltas.append(cast(Any, event).delta)
            if isinstance(event, ResponseOutputTextDeltaEvent) and event.logprobs:
                self._logprobs[place] = self._logprobs.get(place, 0) + len(event.logprobs)
            return
        self._note_opened(place)
        self._had.add((kind, place, getattr(event, "annotation_index", None)))
        if isinstance(event, _ITEMS):
            ids = ids_of(event.item)
            known = self._items.get(event.output_index)
            if known is not None:
                ids |= known.ids
            self._items[event.output_index] = StreamedItem(event.item.type, ids, b"", changed=True)

    def _note_opened(self, place: _Place) -> None:
        """Some servers never open the part or the item of an event. To open it after that would empty it."""
        self._had.add((ResponseOutputItemAddedEvent, _Place(place.output_index, None, None, None), None))
        if place.content_index is not None:
            self._had.add((PARTS[0].added, place, None))
        if place.summary_index is not None:
            self._had.add((PARTS[2].added, place, None))

    def is_made_again(self, event: StreamingEvent) -> bool:
        """Whether it was made for an item that began before the first event here: the subscriber may have it."""
        if self._from_start or not event.synthetic or not isinstance(event, OutputEvent):
            return False
        return event.output_index not in self._items

    def of(self, response: Mapping[str, Any]) -> Iterator[StreamingEvent]:
        """The missing events, from the JSON of the response.

        A subscriber that has earlier events than those noted here gets the terminal event alone, which has the whole
        output: which of the other events it has is not known.
        """
        for event in events_of_whole(response, self._indexes(response)):
            if isinstance(event, TERMINAL):
                yield event if isinstance(event, ResponseIncompleteEvent) else corrected(event)
            elif not self._from_start:
                continue
            elif not isinstance(event, OutputEvent):
                if not self._begun:
                    yield event
            elif not self._is_closed(event):
                rest = self._rest(event)
                if rest is not None:
                    yield rest

    def _indexes(self, response: Mapping[str, Any]) -> list[int]:
        """The output index of each item of the response."""
        items = items_of(response)
        dones = [
            parse_event(json.dumps({"type": "response.output_item.done", "output_index": place, "item": item}))
            for place, item in enumerate(items)
        ]
        if not all(isinstance(done, ResponseOutputItemDoneEvent) for done in dones):
            return []  # some are not items, so nothing but the place can be known
        output = [cast(ResponseOutputItemDoneEvent, done).item for done in dones]
        return [index for index, _, _ in match_output(output, self._items, lambda _: b"unknown")]

    def _is_closed(self, event: OutputEvent) -> bool:
        """Whether the item or the part of an event has had its end."""
        place = _place(event)
        item = _Place(place.output_index, None, None, None)
        if (ResponseOutputItemDoneEvent, item, None) in self._had:
            return True
        return any((end, place, None) in self._had for end in _PART_ENDS)

    def _rest(self, event: OutputEvent) -> StreamingEvent | None:
        """What the subscriber lacks of an event; None if nothing."""
        place = _place(event)
        text = _DELTAS.get(type(event))
        if text is None:
            had = (type(event), place, getattr(event, "annotation_index", None)) in self._had
            return None if had else cast(StreamingEvent, event)
        if (text.dones[0], place, None) in self._had:
            return None
        known = "".join(self._texts.get((type(event), place), ()))
        whole = cast(Any, event).delta
        if not known:
            return cast(StreamingEvent, event)
        if len(known) == len(whole) or not whole.startswith(known):
            return None  # where it contradicts the stream, the `.done` has the whole text
        update: dict[str, Any] = {"delta": whole[len(known) :]}
        if isinstance(event, ResponseOutputTextDeltaEvent) and event.logprobs:
            count = self._logprobs.get(place)
            update["logprobs"] = event.logprobs[count:] if count else []
        return cast(StreamingEvent, event.model_copy(update=update))
