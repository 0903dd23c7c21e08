"""The answer's text as one JSON document: which text that is, and how it may fail to be one.

* The text of a message is the answer unless the message is commentary (`phase`). Of several the last counts, and of
  the parts of a message the last that says anything: each is a document of its own, read anew.
* Text that does not begin as an object or an array and is no JSON (a preamble, an apology) may be followed by the
  answer; it is an error at the end, where nothing followed. An object or array that breaks is an error at once.
* What ends the response tells more than the text that it cut: a refusal, a limit, a failure come before "not JSON".
* A response without any answer text, such as one of function calls, is no failure: nothing is emitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from rxstream.errors import RefusalError, ResponseIncompleteError, RxStreamError, SchemaError
from rxstream.events import (
    MessageItem,
    OutputItem,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextDeltaEvent,
    StreamingEvent,
)
from rxstream.events._fields import OUTPUT_TEXT, REFUSAL, TERMINAL
from rxstream.response._ending import Ending
from rxstream.response._final import shortfall
from rxstream.response._part_texts import PartTexts, Place

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class Reader(Protocol[_T_co]):
    """Reads one document: a core of text. `feed` and `finish` raise `SchemaError`."""

    pieces: list[str]
    """The text so far."""

    @property
    def begun(self) -> bool:
        """Whether the text begins as an object or an array."""
        ...

    def feed(self, text: str, /) -> Iterable[_T_co]: ...

    def finish(self) -> Iterable[_T_co]: ...


class AnswerJson(Generic[_T]):
    """Carry a reader of text over the parts of the answer. See the head of this file.

    Memory: the text of the part that is being written, and what the reader keeps.
    """

    def __init__(self, make: Callable[[], Reader[_T]]) -> None:
        self._make = make
        self._texts = PartTexts(OUTPUT_TEXT)
        self._refusals = PartTexts(REFUSAL)
        self._ending = Ending()
        self._commentary: set[int] = set()
        self._refusal: list[str] = []
        self._place: Place | None = None
        self._reader: Reader[_T] | None = None
        self._broken: SchemaError | None = None
        self._whole = False  # no more text will come at the place
        self._silent = False  # there was an answer, and it said nothing
        self._over = False

    def feed(self, event: StreamingEvent) -> Iterable[_T]:
        if self._over:
            return ()
        if type(event) is not ResponseOutputTextDeltaEvent:
            return self._other(event)
        self._ending.last = event
        return self._say(self._texts.delta(event), event.delta)

    def finish(self) -> Iterable[_T]:
        """The source completed without a terminal event: as the group of one item does, or a stream that was cut."""
        if not self._over:
            self._over = True
            yield from self._end(shortfall(self._ending) if self._ending.error is not None else None)

    def _other(self, event: StreamingEvent) -> Iterator[_T]:
        self._ending.feed(event)
        if isinstance(event, (ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent)):
            self._note(event.output_index, event.item)
        elif isinstance(event, TERMINAL):
            for index, item in enumerate(event.response.output or ()):
                self._note(index, item)
        for place, text, final in self._texts.feed(event):
            yield from self._say(place, text)
            if place == self._place:
                self._whole = final
            elif final and place[0] not in self._commentary:
                self._silent = True
        self._refusal += [piece.text for piece in self._refusals.feed(event)]
        if self._ending.over:
            self._over = True
            yield from self._end(shortfall(self._ending))

    def _note(self, index: int, item: OutputItem) -> None:
        if isinstance(item, MessageItem) and item.phase == "commentary":
            self._commentary.add(index)
            if self._place is not None and self._place[0] == index:
                self._place = self._reader = self._broken = None

    def _say(self, place: Place, text: str) -> Iterable[_T]:
        if place != self._place:
            behind = self._place is not None and place < self._place
            if behind or not text or text.isspace() or place[0] in self._commentary:
                return ()
            self._place, self._whole, self._broken = place, False, None
            self._reader = self._make()
        reader = self._reader
        if reader is None or not text:
            return ()
        if self._broken is not None:
            reader.pieces.append(text)
            return ()
        try:
            outputs = reader.feed(text)
        except SchemaError as error:
            if reader.begun:
                raise self._told(error, reader) from None
            self._broken = error
            return ()
        return outputs if isinstance(outputs, (tuple, list)) else self._guarded(outputs, reader)

    def _guarded(self, outputs: Iterable[_T], reader: Reader[_T]) -> Iterator[_T]:
        try:
            yield from outputs
        except SchemaError as error:
            raise self._told(error, reader) from None

    def _end(self, error: RxStreamError | None) -> Iterator[_T]:
        """Everything has been said: the answer is whole, or this is why not."""
        refusal = "".join(self._refusal)
        if refusal and (error is None or isinstance(error, ResponseIncompleteError)):
            raise self._told(RefusalError(f"the model refused: {refusal}", text=refusal))
        if error is not None:
            raise error
        reader, cut = self._reader, None if self._ending.over else shortfall(self._ending)
        if reader is None:
            if self._silent:
                raise self._told(SchemaError("the answer is empty, and JSON was owed", path="$"))
            if cut is not None and self._ending.created:
                raise cut
        elif self._broken is not None:
            self._broken.text = "".join(reader.pieces)
            raise self._told(self._broken)
        else:
            try:
                yield from reader.finish()
            except SchemaError as unfinished:
                if cut is not None and not self._whole:
                    raise cut from None
                raise self._told(unfinished, reader) from None

    def _told(self, error: RxStreamError, reader: Reader[_T] | None = None) -> RxStreamError:
        """The error, with what is known of the stream."""
        if reader is not None and isinstance(error, SchemaError) and not error.text:
            error.text = "".join(reader.pieces)
        last = self._ending.last
        error.response_id = self._ending.response_id
        error.sequence_number = last.sequence_number if last is not None else None
        return error
