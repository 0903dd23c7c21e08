"""The answer as one JSON document: which text that is, and which errors it may have.

* The text of a message is the answer unless the message is commentary (`phase`). Of several messages the last counts,
  and of the parts of a message the last that is not empty: each is a document of its own. But a server that has several
  numbers for one part goes on with its document under the next: one that no event has added, while it is open.
* Text that does not begin as an object or an array and is not JSON (a preamble, an apology) may come before the
  answer. It is an error at the end, if no other follows. An object or array with wrong JSON is an error at once.
* What may stand around the JSON within one text: see `partial_json/_enclosed.py`.
* The end of the response says more than the text that it cut: a refusal, a limit and a failure come before "not JSON".
* A response without an answer, such as one of function calls, is not an error: nothing is emitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from rxstream.errors import RefusalError, ResponseIncompleteError, RxStreamError, SchemaError
from rxstream.events import (
    MessageItem,
    OutputItem,
    ResponseContentPartAddedEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextDeltaEvent,
    StreamingEvent,
)
from rxstream.events._fields import OUTPUT_TEXT, REFUSAL, TERMINAL
from rxstream.partial_json._enclosed import text_before_json
from rxstream.response._ending import Ending
from rxstream.response._final import is_steered, shortfall
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

    @property
    def is_open(self) -> bool:
        """Whether that object or array has not ended."""
        ...

    def feed(self, text: str, /) -> Iterable[_T_co]: ...

    def finish(self) -> Iterable[_T_co]: ...


class AnswerJson(Generic[_T]):
    """Reads the parts of the answer with a reader for each. See the head of this file.

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
        self._added: Place | None = None  # the part that was added last
        self._broken: SchemaError | None = None
        self._whole = False  # the text at the place has ended
        self._empty_answer = False  # there was an answer, and it was empty
        self._ended = False

    def quick(self, event: StreamingEvent) -> Iterable[_T] | None:
        if type(event) is not ResponseOutputTextDeltaEvent or self._ended:
            return None
        self._ending.last = event
        place, text = self._texts.delta(event)
        return self._read(place, text)

    def feed(self, event: StreamingEvent) -> Iterable[_T]:
        if self._ended:
            return ()
        outputs = self.quick(event)
        return self._other(event) if outputs is None else outputs

    def finish(self) -> Iterable[_T]:
        """The source completed without a terminal event, as the group of one item or a cut stream does."""
        if not self._ended:
            self._ended = True
            known = self._ending.error is not None or is_steered(self._ending)
            yield from self._end(shortfall(self._ending) if known else None)

    def followed(self) -> Iterable[_T]:
        return () if is_steered(self._ending) else self.finish()

    def _other(self, event: StreamingEvent) -> Iterator[_T]:
        self._ending.feed(event)
        if isinstance(event, (ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent)):
            self._note(event.output_index, event.item)
        elif isinstance(event, ResponseContentPartAddedEvent):
            self._added = event.output_index, event.content_index
        elif isinstance(event, TERMINAL):
            for index, item in enumerate(event.response.output or ()):
                self._note(index, item)
        for place, text, final in self._texts.feed(event):
            yield from self._read(place, text)
            if place == self._place:
                self._whole = final
            elif final and place[0] not in self._commentary:
                self._empty_answer = True
        self._refusal += [piece.text for piece in self._refusals.feed(event)]
        if self._ending.over and not is_steered(self._ending):
            self._ended = True
            yield from self._end(shortfall(self._ending))

    def _note(self, index: int, item: OutputItem) -> None:
        if isinstance(item, MessageItem) and item.phase == "commentary":
            self._commentary.add(index)
            if self._place is not None and self._place[0] == index:
                self._place = self._reader = self._broken = None

    def _read(self, place: Place, text: str) -> Iterable[_T]:
        if place != self._place and self._continues(place):
            self._place = place
        elif place != self._place:
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
                raise self._with_context(error, reader) from None
            self._broken = error
            return ()
        return outputs if isinstance(outputs, (tuple, list)) else self._guarded(outputs, reader)

    def _continues(self, place: Place) -> bool:
        """Whether the document of the last place goes on at this one."""
        return (
            self._place is not None
            and self._place[0] == place[0]
            and self._place < place != self._added
            and self._reader is not None
            and self._reader.is_open
            and not self._whole
        )

    def _guarded(self, outputs: Iterable[_T], reader: Reader[_T]) -> Iterator[_T]:
        try:
            yield from outputs
        except SchemaError as error:
            raise self._with_context(error, reader) from None

    def _end(self, error: RxStreamError | None) -> Iterator[_T]:
        """The end: the answer is whole, or the error why not."""
        refusal = "".join(self._refusal)
        if refusal and (error is None or isinstance(error, ResponseIncompleteError)):
            raise self._with_context(RefusalError(f"the model refused: {refusal}", text=refusal))
        if error is not None:
            raise error
        reader, cut = self._reader, None if self._ending.over else shortfall(self._ending)
        if reader is None:
            if self._empty_answer:
                raise self._with_context(SchemaError("expected JSON, got an empty answer", path="$"))
            if cut is not None and self._ending.created:
                raise cut
        elif self._broken is not None:
            text = "".join(reader.pieces)
            message = text_before_json(text)
            broken = self._broken if message is None else SchemaError(message, path="$")
            broken.text = text
            raise self._with_context(broken)
        else:
            try:
                yield from reader.finish()
            except SchemaError as unfinished:
                if cut is not None and not self._whole:
                    raise cut from None
                raise self._with_context(unfinished, reader) from None

    def _with_context(self, error: RxStreamError, reader: Reader[_T] | None = None) -> RxStreamError:
        """The error, with the text and the place in the stream."""
        if reader is not None and isinstance(error, SchemaError) and not error.text:
            error.text = "".join(reader.pieces)
        last = self._ending.last
        error.response_id = self._ending.response_id
        error.sequence_number = last.sequence_number if last is not None else None
        return error
