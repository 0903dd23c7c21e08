"""Annotations of the answer, each once, with the text that they refer to."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from rxstream.events import (
    Annotation,
    MessageItem,
    OutputItem,
    OutputTextPart,
    ResponseContentPartDoneEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextAnnotationAddedEvent,
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


_NAMES = ("type", "url", "container_id", "file_id", "start_index", "end_index", "index")
_Identity: TypeAlias = tuple[object, ...]


def _identity(annotation: Annotation) -> _Identity:
    """Equal for two annotations of one part that are the same. Titles do not count: some servers add them later."""
    return tuple(getattr(annotation, name, None) for name in _NAMES)


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
        self.emitted_before: Counter[_Identity] = Counter()
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

    def feed(self, event: StreamingEvent) -> Iterable[TextAnnotation]:
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
        part.emitted_before[_identity(annotation)] += 1
        part.waiting.append(TextAnnotation(annotation, None, index, event.content_index, event.item_id))
        return part.release()

    def _part_done(self, event: ResponseContentPartDoneEvent) -> Iterator[TextAnnotation]:
        if isinstance(event.part, OutputTextPart) and event.part.annotations:
            place = event.output_index, event.content_index
            emitted_before = self._part(place).emitted_before
            for annotation in _not_emitted(event.part.annotations, emitted_before.copy()):
                emitted_before[_identity(annotation)] += 1
                yield _with_text(TextAnnotation(annotation, None, *place, event.item_id), _slicer(event.part.text))

    def _item(self, index: int, item: OutputItem) -> Iterator[TextAnnotation]:
        """The end of an item. Its parts may have other numbers than before, so all are compared together."""
        emitted_before: Counter[_Identity] = Counter()
        for place in [place for place in self._parts if place[0] == index]:
            part = self._parts.pop(place)
            emitted_before += part.emitted_before
            yield from part.release(final=True)
        if isinstance(item, MessageItem):
            for number, content in enumerate(item.content):
                if isinstance(content, OutputTextPart):
                    for annotation in _not_emitted(content.annotations, emitted_before):
                        yield _with_text(
                            TextAnnotation(annotation, None, index, number, item.id), _slicer(content.text)
                        )
        self._done.add(index)
        if item.id:
            self._ids.add(item.id)


def _not_emitted(annotations: Iterable[Annotation], emitted_before: Counter[_Identity]) -> Iterator[Annotation]:
    """The annotations that were not emitted before. One less is counted for each that was."""
    for annotation in annotations:
        identity = _identity(annotation)
        if emitted_before[identity] > 0:
            emitted_before[identity] -= 1
        else:
            yield annotation


def _span(annotation: Annotation) -> tuple[int, int] | None:
    start, end = getattr(annotation, "start_index", None), getattr(annotation, "end_index", None)
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start <= end:
        return None
    return start, end


def _end(annotation: TextAnnotation) -> int:
    span = _span(annotation.annotation)
    return span[1] if span else 0


def _slicer(text: str) -> Callable[[int, int], str]:
    return lambda start, end: text[start:end]


def _with_text(annotation: TextAnnotation, text: Callable[[int, int], str]) -> TextAnnotation:
    span = _span(annotation.annotation)
    return replace(annotation, text=text(*span)) if span else annotation
