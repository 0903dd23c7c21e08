"""The texts of a stream by part: the deltas, and what only the `.done` events have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias, cast

from rxstream.events import ResponseOutputItemDoneEvent
from rxstream.events._base import Model
from rxstream.events._fields import OUTPUT_TEXT, PARTS, TERMINAL, GrowingText
from rxstream.response._output_matching import StreamedItem, digest, match_output

Place: TypeAlias = tuple[int, int]
"""(output_index, content_index); for a reasoning summary (output_index, summary_index)."""


class Piece(NamedTuple):
    """A piece of the text at one place; `final` if it is the last. The last may be empty."""

    place: Place
    text: str
    final: bool


class PartTexts:
    """Reads one kind of text. The pieces of a place join to its text.

    What the deltas leave out is a piece of its own at the `.done`. If the two contradict each other, nothing is added:
    the deltas were emitted.

    Memory: the text of the parts that are not finished.
    """

    def __init__(self, text: GrowingText) -> None:
        self._text = text
        self._number = attrgetter(text.index)
        self._part_dones = [events.done for events in PARTS if events.text.group == text.group]
        self._open: dict[Place, list[str]] = {}
        self._finished: set[Place] = set()
        self._ids: dict[int, set[str]] = {}
        self._items: dict[int, dict[int, bytes | None]] = {}
        """Index of an item -> number of a part -> the digest of its text, once that is whole."""

    def delta(self, event: Any) -> Place:
        """Note a delta of the text; return its place."""
        place = event.output_index, self._number(event)
        self.pieces(place, event).append(event.delta)
        return place

    def pieces(self, place: Place, event: Any) -> list[str]:
        """The deltas of the place of `event`; new ones are appended to it."""
        pieces = self._open.get(place)
        if pieces is None:
            pieces = self._open[place] = []
            self._items.setdefault(place[0], {}).setdefault(place[1], None)
            self._note_id(event.item_id, place[0])
        return pieces

    def feed(self, event: Any) -> Iterable[Piece]:
        """The pieces of an event: a delta, or what the deltas before a `.done` left out."""
        kind = cast("type[Any]", type(event))
        if kind in self._text.deltas:
            return (Piece(self.delta(event), event.delta, False),)
        if kind in self._text.dones:
            place = event.output_index, self._number(event)
            return self._finish(place, getattr(event, self._text.field))
        if kind in self._part_dones:
            place = event.output_index, self._number(event)
            return self._part(place, event.part)
        if kind is ResponseOutputItemDoneEvent:
            return tuple(self._item(event.output_index, event.item))
        if kind in TERMINAL:
            return tuple(self._response(event.response.output or ()))
        if isinstance(event, str):
            raise TypeError("this operator reads events and was given text: put it before text_only(), not behind")
        return ()

    def finish(self) -> Iterable[Piece]:
        """An empty last piece for each place that no event has finished."""
        return [Piece(place, "", True) for place in self._open]

    def _finish(self, place: Place, whole: str) -> Iterable[Piece]:
        if place in self._finished:
            return ()
        self._finished.add(place)
        text_before = "".join(self._open.pop(place, ()))
        self._items.setdefault(place[0], {})[place[1]] = digest((whole,))
        return (Piece(place, whole[len(text_before) :] if whole.startswith(text_before) else "", True),)

    def _part(self, place: Place, part: Any) -> Iterable[Piece]:
        if part is None or part.type != self._text.part_type:
            return ()
        return self._finish(place, self._text_of(part))

    def _item(self, index: int, item: Any) -> Iterator[Piece]:
        self._note_id(item.id, index)
        parts = self._parts(item)
        numbers = sorted(self._items.setdefault(index, {}))
        if not {number for number, _ in parts}.issuperset(numbers):
            # One server numbers the reasoning before the answer as a part of the message, and leaves it out at the end.
            parts = [
                (numbers[rank] if rank < len(numbers) else number, part) for rank, (number, part) in enumerate(parts)
            ]
        for number, part in parts:
            yield from self._part((index, number), part)

    def _parts(self, item: Any) -> list[tuple[int, Any]]:
        """The parts with such a text, and their numbers. The list of an unknown item may hold anything."""
        parts = getattr(item, self._text.group, None)
        if not isinstance(parts, list):
            return []
        return [
            (number, part)
            for number, part in enumerate(cast("list[Any]", parts))
            if isinstance(part, Model) and getattr(part, "type", None) == self._text.part_type
        ]

    def _text_of(self, part: Any) -> str:
        return getattr(part, self._text.field, None) or ""

    def _response(self, output: Sequence[Any]) -> Iterator[Piece]:
        """Items that only the terminal event has. Those of the stream stay as they were emitted."""
        streamed = {
            index: StreamedItem(self._text.item_type, self._ids.get(index, set()), self._digest(index), changed=True)
            for index, numbers in self._items.items()
            if numbers
        }
        for index, item, is_streamed in match_output(output, streamed, self._digest_of):
            if not is_streamed:
                yield from self._item(index, item)

    def _note_id(self, item_id: str, index: int) -> None:
        if item_id:
            self._ids.setdefault(index, set()).add(item_id)

    def _digest(self, index: int) -> bytes:
        """The digest of the texts of an item so far."""
        numbers = self._items[index]
        open_texts = {number: "".join(self._open.get((index, number), ())) for number in numbers}
        return b"".join(numbers[number] or digest((open_texts[number],)) for number in sorted(numbers))

    def _digest_of(self, item: Any) -> bytes:
        return b"".join(digest((self._text_of(part),)) for _, part in self._parts(item))


class TextOnly:
    """The pieces of one kind of text as plain `str`."""

    def __init__(self, text: GrowingText = OUTPUT_TEXT) -> None:
        self._texts = PartTexts(text)
        self._deltas = frozenset(text.deltas)
        self._number = attrgetter(text.index)
        self._place: Place | None = None
        self._pieces: list[str] = []

    def feed(self, event: Any) -> Iterable[str]:
        if type(event) in self._deltas:
            place = event.output_index, self._number(event)
            if place != self._place:  # most deltas have the place of the last one
                self._place, self._pieces = place, self._texts.pieces(place, event)
            delta: str = event.delta
            self._pieces.append(delta)
            return (delta,) if delta else ()
        self._place = None
        return [piece.text for piece in self._texts.feed(event) if piece.text]

    def finish(self) -> Iterable[str]:
        return ()
