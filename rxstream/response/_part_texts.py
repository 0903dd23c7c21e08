"""The texts of a stream, part by part: what the deltas say, and what only the `.done` events bring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple, cast

from rxstream.events import (
    ResponseCompletedEvent,
    ResponseContentPartDoneEvent,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextDeltaEvent,
    ResponseOutputTextDoneEvent,
    ResponseReasoningDeltaEvent,
    ResponseReasoningDoneEvent,
    ResponseReasoningSummaryPartDoneEvent,
    ResponseReasoningSummaryTextDeltaEvent,
    ResponseReasoningSummaryTextDoneEvent,
    ResponseReasoningTextDeltaEvent,
    ResponseReasoningTextDoneEvent,
    ResponseRefusalDeltaEvent,
    ResponseRefusalDoneEvent,
)
from rxstream.events._base import Model

Place = tuple[int, int]
"""(output_index, content_index); for a reasoning summary (output_index, summary_index)."""


class Piece(NamedTuple):
    """A piece of the text at one place; `final` where the text is whole with it. It may be empty then."""

    place: Place
    text: str
    final: bool


@dataclass(frozen=True)
class Family:
    """Which events carry one kind of text, and where the redundant copies of it stand."""

    deltas: tuple[type, ...]
    dones: dict[type, str]
    """Class of a `.done` event -> the name of its field with the whole text."""
    index: str
    """The name of the field with the second half of the place."""
    parts: Callable[[Any], Sequence[Any]]
    """An output item -> its parts of all kinds, in order."""
    part_type: str
    part_field: str
    part_done: type


def _content(item: Any) -> Sequence[Any]:
    return _models(getattr(item, "content", None))


def _summary(item: Any) -> Sequence[Any]:
    return _models(getattr(item, "summary", None))


def _models(parts: Any) -> Sequence[Any]:
    """What an item of a type that nobody knows holds there may be anything."""
    return [part for part in cast("list[Any]", parts) if isinstance(part, Model)] if isinstance(parts, list) else ()


OUTPUT_TEXT = Family(
    (ResponseOutputTextDeltaEvent,),
    {ResponseOutputTextDoneEvent: "text"},
    "content_index",
    _content,
    "output_text",
    "text",
    ResponseContentPartDoneEvent,
)
REFUSAL = Family(
    (ResponseRefusalDeltaEvent,),
    {ResponseRefusalDoneEvent: "refusal"},
    "content_index",
    _content,
    "refusal",
    "refusal",
    ResponseContentPartDoneEvent,
)
REASONING_SUMMARY = Family(
    (ResponseReasoningSummaryTextDeltaEvent,),
    {ResponseReasoningSummaryTextDoneEvent: "text"},
    "summary_index",
    _summary,
    "summary_text",
    "text",
    ResponseReasoningSummaryPartDoneEvent,
)
REASONING_TEXT = Family(
    (ResponseReasoningTextDeltaEvent, ResponseReasoningDeltaEvent),
    {ResponseReasoningTextDoneEvent: "text", ResponseReasoningDoneEvent: "text"},
    "content_index",
    _content,
    "reasoning_text",
    "text",
    ResponseContentPartDoneEvent,
)

_NOT_WHOLE = -1  # no text has this hash
_NOTHING = hash(())
_TERMINAL = (ResponseCompletedEvent, ResponseIncompleteEvent, ResponseFailedEvent)


class PartTexts:
    """Follow one family of texts. The pieces of a place always join to its text.

    A `.done` is authoritative: what the deltas before it left out is a piece of its own. Where the two contradict each
    other (a delta was something else), what was said stays said, and nothing is added.

    Memory: the text of the parts that are not finished yet.
    """

    def __init__(self, family: Family) -> None:
        self._family = family
        self._number = attrgetter(family.index)
        self._open: dict[Place, list[str]] = {}
        self._settled: set[Place] = set()
        self._ids: dict[str, int] = {}
        self._items: dict[int, dict[int, int]] = {}
        """Index of an item -> the numbers of its parts that were met -> the hash of the text, once that is whole."""

    def delta(self, event: Any) -> Place:
        """Note a delta of the family; return its place."""
        place = event.output_index, self._number(event)
        self.pieces(place, event).append(event.delta)
        return place

    def pieces(self, place: Place, event: Any) -> list[str]:
        """Where the deltas of the place of `event` are noted."""
        pieces = self._open.get(place)
        if pieces is None:
            pieces = self._open[place] = []
            self._items.setdefault(place[0], {}).setdefault(place[1], _NOT_WHOLE)
            self._identify(event.item_id, place[0])
        return pieces

    def feed(self, event: Any) -> Iterable[Piece]:
        """The pieces that an event brings: for a delta, itself; for a `.done`, what was missing."""
        family = self._family
        kind = cast("type[object]", type(event))
        if kind in family.deltas:
            return (Piece(self.delta(event), event.delta, False),)
        whole = family.dones.get(kind)
        if whole is not None:
            place = event.output_index, self._number(event)
            return self._settle(place, getattr(event, whole))
        if kind is family.part_done:
            place = event.output_index, self._number(event)
            return self._part(place, event.part)
        if kind is ResponseOutputItemDoneEvent:
            return tuple(self._item(event.output_index, event.item))
        if kind in _TERMINAL:
            return tuple(self._response(event.response.output))
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
        self._items.setdefault(place[0], {})[place[1]] = hash(whole)
        return (Piece(place, whole[len(said) :] if whole.startswith(said) else "", True),)

    def _part(self, place: Place, part: Any) -> Iterable[Piece]:
        if part is None or part.type != self._family.part_type:
            return ()
        return self._settle(place, getattr(part, self._family.part_field, None) or "")

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
        """The parts of the family with their numbers."""
        parts = enumerate(self._family.parts(item))
        return [(number, part) for number, part in parts if part.type == self._family.part_type]

    def _response(self, output: Sequence[Any] | None) -> Iterator[Piece]:
        """Items that only the terminal event brings.

        Those that came before are known by their id, or else by their text: some servers give other ids at the end,
        and leave items out. What is left is known by its index, if no other item has proved to be the one there.
        """
        met = {index: self._hash(index, numbers) for index, numbers in self._items.items() if numbers}
        by_text = {text: index for index, text in met.items()}
        left: list[tuple[int, Any]] = []
        for index, item in enumerate(output or ()):
            same = self._ids.pop(item.id, None)
            if same is None:
                same = by_text.pop(hash(tuple(map(self._hash_of, self._parts(item)))), None)
            if same is None:
                left.append((index, item))
            else:
                met.pop(same, None)
        for index, item in left:
            if index not in met:
                yield from self._item(max(self._items) + 1 if self._items.get(index) else index, item)

    def _identify(self, identity: str, index: int) -> None:
        if identity:
            self._ids.setdefault(identity, index)

    def _hash(self, index: int, numbers: dict[int, int]) -> int:
        """The hash of the texts of an item, as far as they came."""
        for number, text in numbers.items():
            if text == _NOT_WHOLE:
                numbers[number] = hash("".join(self._open.get((index, number), ())))
        return hash(tuple(numbers[number] for number in sorted(numbers)))

    def _hash_of(self, part: tuple[int, Any]) -> int:
        return hash(getattr(part[1], self._family.part_field, None) or "")


class TextOnly:
    """One family's pieces as plain `str`."""

    def __init__(self, family: Family = OUTPUT_TEXT) -> None:
        self._texts = PartTexts(family)
        self._deltas = frozenset(family.deltas)
        self._number = attrgetter(family.index)
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
