"""The texts of a stream, part by part: what the deltas say, and what only the `.done` events bring."""

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
    """A piece of the text at one place; `final` where the text is whole with it. It may be empty then."""

    place: Place
    text: str
    final: bool


class PartTexts:
    """Follow one kind of text. The pieces of a place always join to its text.

    A `.done` is authoritative: what the deltas before it left out is a piece of its own. Where the two contradict each
    other (a delta was something else), what was said stays said, and nothing is added.

    Memory: the text of the parts that are not finished yet.
    """

    def __init__(self, text: GrowingText) -> None:
        self._text = text
        self._number = attrgetter(text.index)
        self._part_dones = [events.done for events in PARTS if events.text.group == text.group]
        self._open: dict[Place, list[str]] = {}
        self._settled: set[Place] = set()
        self._names: dict[int, set[str]] = {}
        self._items: dict[int, dict[int, bytes | None]] = {}
        """Index of an item -> the numbers of its parts that were met -> the digest of the text, once that is whole."""

    def delta(self, event: Any) -> Place:
        """Note a delta of the text; return its place."""
        place = event.output_index, self._number(event)
        self.pieces(place, event).append(event.delta)
        return place

    def pieces(self, place: Place, event: Any) -> list[str]:
        """Where the deltas of the place of `event` are noted."""
        pieces = self._open.get(place)
        if pieces is None:
            pieces = self._open[place] = []
            self._items.setdefault(place[0], {}).setdefault(place[1], None)
            self._identify(event.item_id, place[0])
        return pieces

    def feed(self, event: Any) -> Iterable[Piece]:
        """The pieces that an event brings: for a delta, itself; for a `.done`, what was missing."""
        kind = cast("type[Any]", type(event))
        if kind in self._text.deltas:
            return (Piece(self.delta(event), event.delta, False),)
        if kind in self._text.dones:
            place = event.output_index, self._number(event)
            return self._settle(place, getattr(event, self._text.field))
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
        """The places that no event has finished, each with an empty last piece."""
        return [Piece(place, "", True) for place in self._open]

    def _settle(self, place: Place, whole: str) -> Iterable[Piece]:
        if place in self._settled:
            return ()
        self._settled.add(place)
        said = "".join(self._open.pop(place, ()))
        self._items.setdefault(place[0], {})[place[1]] = digest((whole,))
        return (Piece(place, whole[len(said) :] if whole.startswith(said) else "", True),)

    def _part(self, place: Place, part: Any) -> Iterable[Piece]:
        if part is None or part.type != self._text.part_type:
            return ()
        return self._settle(place, self._text_of(part))

    def _item(self, index: int, item: Any) -> Iterator[Piece]:
        self._identify(item.id, index)
        parts = self._parts(item)
        seen = sorted(self._items.setdefault(index, {}))
        if not {number for number, _ in parts}.issuperset(seen):
            # One server counts the reasoning before the answer as a part of the message, and leaves it out at the end.
            parts = [(seen[rank] if rank < len(seen) else number, part) for rank, (number, part) in enumerate(parts)]
        for number, part in parts:
            yield from self._part((index, number), part)

    def _parts(self, item: Any) -> list[tuple[int, Any]]:
        """The parts that hold such a text, with their numbers. An item of an unknown type may hold anything there."""
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
        """Items that only the terminal event brings. What came before may say something else there: it stays."""
        streamed = {
            index: StreamedItem(self._text.item_type, self._names.get(index, set()), self._digest(index), changed=True)
            for index, numbers in self._items.items()
            if numbers
        }
        for index, item, known in match_output(output, streamed, self._digest_of):
            if not known:
                yield from self._item(index, item)

    def _identify(self, name: str, index: int) -> None:
        if name:
            self._names.setdefault(index, set()).add(name)

    def _digest(self, index: int) -> bytes:
        """The digest of the texts of an item, as far as they came."""
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
            if place != self._place:  # deltas come in runs: most of them go where the last one went
                self._place, self._pieces = place, self._texts.pieces(place, event)
            delta: str = event.delta
            self._pieces.append(delta)
            return (delta,) if delta else ()
        self._place = None
        return [piece.text for piece in self._texts.feed(event) if piece.text]

    def finish(self) -> Iterable[str]:
        return ()
