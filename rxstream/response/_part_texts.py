"""The texts of a stream by part: the deltas, and what only the `.done` events have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias, cast

from rxstream.events import MessageItem, ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent
from rxstream.events._fields import OUTPUT_TEXT, PARTS, TERMINAL, GrowingText
from rxstream.response._output_matching import StreamedItem, digest, match_output

Place: TypeAlias = tuple[int, int]
"""(output_index, content_index); for a reasoning summary (output_index, summary_index)."""


class Piece(NamedTuple):
    """A piece of the text at one place; `final` if it is the last. The last may be empty."""

    place: Place
    text: str
    final: bool


class _Part:
    """The text of one part."""

    __slots__ = ("finished", "opening", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.finished = False
        self.opening = ""
        """The text of the event that added the part. Deltas may repeat it or continue it."""


class _Item:
    """The parts of one output item. `digest` is that of its text, once it has ended; its parts are dropped then."""

    __slots__ = ("digest", "ids", "parts")

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.parts: dict[int, _Part] = {}
        self.digest: bytes | None = None

    @property
    def text(self) -> str:
        return "".join("".join(self.parts[number].pieces) for number in sorted(self.parts))


class PartTexts:
    """Reads one kind of text. The pieces of a place join to its text.

    What the deltas leave out is a piece of its own at the `.done`. If the two contradict each other, nothing is added:
    the deltas were emitted. At the end of an item its whole text is compared, because some servers number the parts of
    the deltas in another way. After it, `.done` events of the item add nothing.

    Memory: the text of the items that are not done.
    """

    def __init__(self, text: GrowingText) -> None:
        self._text = text
        self._part_classes = text.parts
        self._number = attrgetter(text.index)
        self._part_dones = [events.done for events in PARTS if events.text.group == text.group]
        self._part_addeds = [events.added for events in PARTS if events.text.group == text.group]
        self._items: dict[int, _Item] = {}
        self._open: set[int] = set()
        """The indexes of the items with a text that have not ended."""
        self._last_place: Place | None = None
        self._last_id = ""
        self._last_pieces: list[str] = []
        self._not_messages: set[int] = set()
        """Indexes of items that are not messages, if this is a text of messages: their texts are not the answer."""

    def delta(self, event: Any) -> tuple[Place, str]:
        """Note a delta of the text; return its place, and the text to emit."""
        place = event.output_index, self._number(event)
        text: str = event.delta
        if place == self._last_place and event.item_id == self._last_id:  # as most deltas are
            self._last_pieces.append(text)
            return place, text
        if place[0] in self._not_messages:
            return place, ""
        part = self._part(place, event.item_id)
        self._last_place, self._last_id, self._last_pieces = place, event.item_id, part.pieces
        if part.opening and not part.pieces and not part.opening.startswith(text):
            text = part.opening + text
        part.pieces.append(text)
        return place, text

    def pieces(self, place: Place) -> list[str]:
        """The deltas of a place so far. Further ones may be appended."""
        return self._items[place[0]].parts[place[1]].pieces

    def feed(self, event: Any) -> Iterable[Piece]:
        """The pieces of an event: a delta, or what the deltas before a `.done` left out."""
        kind = cast("type[Any]", type(event))
        if kind in self._text.deltas:
            return (Piece(*self.delta(event), False),)
        self._last_place = None
        if kind in self._text.dones:
            place = event.output_index, self._number(event)
            return self._finish(place, event.item_id, getattr(event, self._text.field))
        if kind in self._part_dones or kind in self._part_addeds:
            return self._part_event(event, done=kind in self._part_dones)
        if kind is ResponseOutputItemAddedEvent:
            self._note_type(event.output_index, event.item)
        elif kind is ResponseOutputItemDoneEvent:
            return tuple(self._end(event.output_index, event.item))
        elif kind in TERMINAL:
            return tuple(self._response(event.response.output or ()))
        elif isinstance(event, str):
            raise TypeError("this operator reads events and was given text: put it before text_only(), not behind")
        return ()

    def finish(self) -> Iterable[Piece]:
        """An empty last piece for each place that no event has finished."""
        return [
            Piece((index, number), "", True)
            for index, item in self._items.items()
            for number, part in item.parts.items()
            if not part.finished
        ]

    def _part(self, place: Place, item_id: str) -> _Part:
        index, number = place
        item = self._items.get(index)
        if item is None:
            item = self._items[index] = _Item()
            self._open.add(index)
        if item_id:
            item.ids.add(item_id)
        return item.parts.get(number) or item.parts.setdefault(number, _Part())

    def _part_event(self, event: Any, *, done: bool) -> Iterable[Piece]:
        if not isinstance(event.part, self._part_classes):
            return ()
        place = event.output_index, self._number(event)
        if done:
            return self._finish(place, event.item_id, self._text_of(event.part))
        opening = self._text_of(event.part)
        if opening and not self._is_over(place[0]):
            self._part(place, event.item_id).opening = opening
        return ()

    def _finish(self, place: Place, item_id: str, whole: str) -> Iterable[Piece]:
        if self._is_over(place[0]):
            return ()
        part = self._part(place, item_id)
        if part.finished:
            return ()
        part.finished = True
        before = "".join(part.pieces)
        whole = whole or before or part.opening  # some servers leave the text out here
        rest = whole[len(before) :] if whole.startswith(before) else ""
        part.pieces[:] = [before + rest]  # the text is needed again at the end of the item
        return (Piece(place, rest, True),)

    def _is_over(self, index: int) -> bool:
        """Whether nothing more of an item is read."""
        item = self._items.get(index)
        return index in self._not_messages or (item is not None and item.digest is not None)

    def _note_type(self, index: int, item: Any) -> None:
        if self._text.item is MessageItem:
            if item.type == "message":
                self._not_messages.discard(index)
            else:
                self._not_messages.add(index)

    def _end(self, index: int, item: Any) -> Iterator[Piece]:
        """The end of an item."""
        self._note_type(index, item)
        texts = dict(self._texts(item))
        whole = "".join(texts.values())
        if whole and index not in self._items and (open_one := self._open_with(whole)) is not None:
            index = open_one
        if self._is_over(index):
            return
        streamed = self._items.get(index) or self._items.setdefault(index, _Item())
        if item.id:
            streamed.ids.add(item.id)
        before = {number: "".join(part.pieces) for number, part in streamed.parts.items()}
        if all(texts.get(number, "").startswith(text) for number, text in before.items()):
            for number, text in texts.items():
                yield from self._finish((index, number), "", text)
        elif whole.startswith(streamed.text):
            number = max(streamed.parts)
            yield from self._finish((index, number), "", before[number] + whole[len(streamed.text) :])
        else:
            for number, text in texts.items():
                if number > max(before):
                    yield from self._finish((index, number), "", text)
        for number, part in streamed.parts.items():
            if not part.finished:
                yield Piece((index, number), "", True)
        self._open.discard(index)
        streamed.digest = digest((streamed.text,))
        streamed.parts.clear()

    def _open_with(self, text: str) -> int | None:
        """The index of an item with this text that has not ended: some servers end an item at another index."""
        return next((index for index in sorted(self._open) if self._items[index].text == text), None)

    def _texts(self, item: Any) -> Iterator[tuple[int, str]]:
        """The number and the text of the parts of an item. The list of an unknown item may hold anything."""
        parts = getattr(item, self._text.group, None)
        if isinstance(parts, list):
            for number, part in enumerate(cast("list[Any]", parts)):
                if isinstance(part, self._part_classes):
                    yield number, self._text_of(part)

    def _text_of(self, part: Any) -> str:
        text = getattr(part, self._text.field, None)
        return text if isinstance(text, str) else ""

    def _response(self, output: Sequence[Any]) -> Iterator[Piece]:
        """The end of the response: of the items that have not ended, and of those that only this event has."""
        streamed = {
            index: StreamedItem(
                self._text.item_type, item.ids, item.digest or digest((item.text,)), changed=item.digest is None
            )
            for index, item in self._items.items()
        }
        for index, item, _ in match_output(output, streamed, self._digest_of):
            yield from self._end(index, item)

    def _digest_of(self, item: Any) -> bytes:
        return digest(("".join(text for _, text in self._texts(item)),))


class TextOnly:
    """The pieces of one kind of text as plain `str`, with `separator` between its parts."""

    def __init__(self, text: GrowingText = OUTPUT_TEXT, separator: str = "") -> None:
        self._texts = PartTexts(text)
        self._deltas = frozenset(text.deltas)
        self._number = attrgetter(text.index)
        self._separator = separator
        self._places: set[Place] = set()
        """The places with text, if there is a separator."""
        self._place: Place | None = None
        self._pieces: list[str] = []

    def quick(self, event: Any) -> Iterable[str] | None:
        """Most deltas have the place of the last one."""
        if type(event) not in self._deltas or (event.output_index, self._number(event)) != self._place:
            return None
        delta: str = event.delta
        self._pieces.append(delta)
        return (delta,) if delta else ()

    def feed(self, event: Any) -> Iterable[str]:
        if (delta := self.quick(event)) is not None:
            return delta
        self._place = None
        texts: list[str] = []
        for place, text, final in self._texts.feed(event):
            if text:
                if self._separator and place not in self._places:
                    if self._places:
                        texts.append(self._separator)
                    self._places.add(place)
                texts.append(text)
                if not final:
                    self._place, self._pieces = place, self._texts.pieces(place)
        return texts

    def finish(self) -> Iterable[str]:
        return ()
