"""Whole words, sentences or lines of the answer, part by part."""

from collections.abc import Callable, Iterable
from typing import Protocol

from rxstream.events import ResponseOutputTextDeltaEvent, StreamingEvent
from rxstream.events._fields import OUTPUT_TEXT
from rxstream.response._part_texts import PartTexts, Place

_ANYWHERE: Place = (-1, -1)
"""The place of text without an event."""


class Segmenter(Protocol):
    """Text in pieces -> whole segments of it: `Words`, `Sentences`, `Lines`."""

    def feed(self, text: str, /) -> list[str]:
        """The segments that are whole."""
        ...

    def finish(self) -> list[str]:
        """The last segment, at the end of the text, if there is one."""
        ...


class Segments:
    """One segmenter for each content part, so that parts may interleave. The end of a part is the end of a segment.

    Values of type `str` are one part.

    Memory: one segment, and the text, of each part that is not finished.
    """

    def __init__(self, make: Callable[[], Segmenter]) -> None:
        self._make = make
        self._texts = PartTexts(OUTPUT_TEXT)
        self._segmenters: dict[Place, Segmenter] = {}

    def quick(self, event: StreamingEvent | str) -> Iterable[str] | None:
        if type(event) is ResponseOutputTextDeltaEvent:
            place, text = self._texts.delta(event)
            return self._segmenter(place).feed(text)
        return self._segmenter(_ANYWHERE).feed(event) if isinstance(event, str) else None

    def feed(self, event: StreamingEvent | str) -> Iterable[str]:
        if (segments := self.quick(event)) is not None:
            return segments
        whole: list[str] = []
        for place, text, final in self._texts.feed(event):
            whole += self._segmenter(place).feed(text)
            if final:
                whole += self._segmenters.pop(place).finish()
        return whole

    def finish(self) -> Iterable[str]:
        return [segment for segmenter in self._segmenters.values() for segment in segmenter.finish()]

    def _segmenter(self, place: Place) -> Segmenter:
        segmenter = self._segmenters.get(place)
        if segmenter is None:
            segmenter = self._segmenters[place] = self._make()
        return segmenter


class SegmentsBeforeError(Segments):
    """`Segments` that returns the unfinished segments before an error of the source too."""

    def fail(self, error: Exception) -> Iterable[str]:
        return self.finish()
