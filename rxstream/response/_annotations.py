"""Annotations of the answer, each once, with the text that they refer to."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from pydantic_core import to_json

from rxstream.events import (
    Annotation,
    MessageItem,
    OutputItem,
    OutputTextPart,
    ResponseContentPartDoneEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextAnnotationAddedEvent,
    ResponseOutputTextDeltaEvent,
    StreamingEvent,
)
from rxstream.events._fields import OUTPUT_TEXT, TERMINAL
from rxstream.response._part_texts import PartTexts, Place


@dataclass(frozen=True, slots=True)
class TextAnnotation:
    """An annotation, and the text that it refers to."""

    annotation: Annotation
    """A citation of a web page, of a file or of a container's file, a file path, or an unknown one, unchanged."""
    text: str | None = None
    """The text from its `start_index` to its `end_index`; None if it has no such indices."""
    output_index: int = 0
    content_index: int = 0
    item_id: str = ""


_FIELDS = ("url", "container_id", "file_id", "start_index", "end_index", "index")


def _identity(annotation: Annotation) -> str:
    """Equal for two annotations of one item that are the same. Titles do not count: some servers add them later."""
    fields = annotation.model_dump()
    known = {name: fields[name] for name in _FIELDS if fields.get(name) is not None}
    return to_json({**(known or fields), "type": annotation.type}, inf_nan_mode="strings").decode()


class _Text:
    """The text of a part in its pieces. A slice does not join them all."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._starts: list[int] = []
        self.length = 0

    def append(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            self._starts.append(self.length)
            self.length += len(piece)

    def slice(self, start: int, end: int) -> str:
        if start >= end or start >= self.length:
            return ""
        first, last = bisect_right(self._starts, start) - 1, bisect_right(self._starts, end - 1)
        begin = self._starts[first]
        return "".join(self._pieces[first:last])[start - begin : end - begin]


class _AnnotatedPart:
    """One content part: its text so far, and its annotations."""

    def __init__(self) -> None:
        self.text = _Text()
        self.whole = False
        self.emitted: Counter[str] = Counter()
        """Identity of an annotation -> how many were emitted."""
        self.events: set[tuple[int, str]] = set()
        """Number and identity of those that an event had."""
        self.waiting: list[TextAnnotation] = []

    def release(self, *, final: bool = False) -> list[TextAnnotation]:
        """Those whose text is complete, in their order; with `final` all."""
        final = final or self.whole
        ready = 0
        while ready < len(self.waiting) and (final or _end(self.waiting[ready]) <= self.text.length):
            ready += 1
        released, self.waiting = self.waiting[:ready], self.waiting[ready:]
        return [_with_text(annotation, self.text.slice) for annotation in released]


class Annotations:
    """Emit each annotation with its event, and those without an event with the `.done` event that has them.

    An annotation waits until its text is complete, and later ones of its part wait with it.
    Memory: the text of each item that is not done, and a few values for each annotation.
    """

    def __init__(self) -> None:
        self._texts = PartTexts(OUTPUT_TEXT)
        self._parts: dict[Place, _AnnotatedPart] = {}
        self._done: set[int] = set()
        self._ids: set[str] = set()

    def quick(self, event: StreamingEvent) -> Iterable[TextAnnotation] | None:
        if type(event) is not ResponseOutputTextDeltaEvent:
            return None
        place, text = self._texts.delta(event)
        if place[0] in self._done:
            return ()
        part = self._part(place)
        part.text.append(text)
        return part.release() if part.waiting else ()

    def feed(self, event: StreamingEvent) -> Iterable[TextAnnotation]:
        if (released := self.quick(event)) is not None:
            return released
        emitted: list[TextAnnotation] = []
        for place, text, final in self._texts.feed(event):
            if place[0] not in self._done:
                part = self._part(place)
                part.text.append(text)
                part.whole = part.whole or final
                if part.waiting:
                    emitted += part.release()
        if isinstance(event, ResponseOutputTextAnnotationAddedEvent):
            emitted += self._added(event)
        elif isinstance(event, ResponseContentPartDoneEvent):
            emitted += self._part_done(event)
        elif isinstance(event, ResponseOutputItemDoneEvent):
            emitted += self._item(event.output_index, event.item)
        elif isinstance(event, TERMINAL):
            for index, item in enumerate(event.response.output or ()):
                if index not in self._done and not (item.id and item.id in self._ids):
                    emitted += self._item(index, item)
        return emitted

    def finish(self) -> Iterable[TextAnnotation]:
        return [annotation for part in self._parts.values() for annotation in part.release(final=True)]

    def _part(self, place: Place) -> _AnnotatedPart:
        part = self._parts.get(place)
        if part is None:
            part = self._parts[place] = _AnnotatedPart()
        return part

    def _added(self, event: ResponseOutputTextAnnotationAddedEvent) -> Iterable[TextAnnotation]:
        annotation, index = event.annotation, event.output_index
        if annotation is None or index in self._done:
            return ()
        part = self._part((index, event.content_index))
        identity = _identity(annotation)
        if (event.annotation_index, identity) in part.events:
            return ()  # some servers repeat the event
        part.events.add((event.annotation_index, identity))
        part.emitted[identity] += 1
        part.waiting.append(TextAnnotation(annotation, None, index, event.content_index, event.item_id))
        return part.release()

    def _part_done(self, event: ResponseContentPartDoneEvent) -> Iterable[TextAnnotation]:
        part, index, number = event.part, event.output_index, event.content_index
        if not isinstance(part, OutputTextPart) or not part.annotations or index in self._done:
            return ()
        emitted = self._part((index, number)).emitted
        new = list(_new_ones(part, emitted.copy(), index, number, event.item_id))
        emitted.update(_identity(annotation.annotation) for annotation in new)
        return new

    def _item(self, index: int, item: OutputItem) -> Iterator[TextAnnotation]:
        """The end of an item. Its parts may have other numbers than before, so all are compared together."""
        emitted: Counter[str] = Counter()
        for place in [place for place in self._parts if place[0] == index]:
            part = self._parts.pop(place)
            emitted += part.emitted
            yield from part.release(final=True)
        if isinstance(item, MessageItem):
            for number, content in enumerate(item.content):
                if isinstance(content, OutputTextPart):
                    yield from _new_ones(content, emitted, index, number, item.id)
        self._done.add(index)
        if item.id:
            self._ids.add(item.id)


def _new_ones(
    part: OutputTextPart, emitted: Counter[str], index: int, number: int, item_id: str
) -> Iterator[TextAnnotation]:
    """The annotations of a whole part that were not emitted. `emitted` counts one less for each that was."""
    for annotation in part.annotations:
        identity = _identity(annotation)
        if emitted[identity] > 0:
            emitted[identity] -= 1
        else:
            yield _with_text(
                TextAnnotation(annotation, None, index, number, item_id), lambda start, end: part.text[start:end]
            )


def _span(annotation: Annotation) -> tuple[int, int] | None:
    start, end = getattr(annotation, "start_index", None), getattr(annotation, "end_index", None)
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start <= end:
        return None
    return start, end


def _end(annotation: TextAnnotation) -> int:
    span = _span(annotation.annotation)
    return span[1] if span else 0


def _with_text(annotation: TextAnnotation, text: Callable[[int, int], str]) -> TextAnnotation:
    span = _span(annotation.annotation)
    return replace(annotation, text=text(*span)) if span else annotation
