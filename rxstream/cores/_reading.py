"""Frames become events: parse, skip what is no event, repair the dialect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rxstream.cores._normalize import Normalize
from rxstream.errors import RxStreamError
from rxstream.events import EventParser, StreamingEvent
from rxstream.sse import Decoder, Frame


class Reading:
    """The Frames of one connection -> its events.

    A Frame without data and the `[DONE]` that some servers send are no events (spec: DIFF.md §5). The Frame's
    `event` field is only a hint, which saves looking for the type: some servers leave it out.
    """

    def __init__(self) -> None:
        self._parse = EventParser().parse

    def feed(self, frame: Frame) -> Iterable[StreamingEvent]:
        hint, data, _, _ = frame
        if not data or data == "[DONE]":
            return ()
        return (self._parse(data, hint if hint != "message" else ""),)

    def finish(self) -> Iterable[StreamingEvent]:
        return ()


class NormalReading:
    """The same, with every server's dialect made the API's own."""

    def __init__(self) -> None:
        self._parse = EventParser().parse
        self._normalize = Normalize().feed

    def feed(self, frame: Frame) -> Iterable[StreamingEvent]:
        hint, data, _, _ = frame
        if not data or data == "[DONE]":
            return ()
        return self._normalize(self._parse(data, hint if hint != "message" else ""))

    def finish(self) -> Iterable[StreamingEvent]:
        return ()


class ByteReading:
    """The bytes of one connection -> its events, in one step: nothing between them costs a notification."""

    def __init__(self, max_frame_bytes: int, normalize: bool) -> None:
        self._decoder = Decoder(max_frame_bytes=max_frame_bytes, dispatch_at_eof=True)
        self._read = (NormalReading() if normalize else Reading()).feed

    def feed(self, data: bytes) -> Iterable[StreamingEvent]:
        return self._events(self._decoder.feed(data))

    def finish(self) -> Iterable[StreamingEvent]:
        return self._events(self._decoder.close())

    def _events(self, frames: Iterable[Frame]) -> Iterable[StreamingEvent]:
        read = self._read
        events: list[StreamingEvent] = []
        try:
            for frame in frames:
                events += read(frame)
        except RxStreamError as error:
            return _then_raise(events, error)
        return events


def _then_raise(events: Iterable[StreamingEvent], error: RxStreamError) -> Iterator[StreamingEvent]:
    """What was good before the error is not lost with it."""
    yield from events
    raise error
