"""Frames become events: parse, skip what is not an event, repair the dialect."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from rxstream.errors import RxStreamError
from rxstream.events import EventParser, StreamingEvent, UnknownEvent
from rxstream.events._parse import validator
from rxstream.response.decoding._mislabelled import error_frame, named_frame
from rxstream.response.decoding._normalize import Normalize
from rxstream.sse import Decoder, Frame

_TYPES_KEPT = 256
_NAMED = re.compile(rb"event: ([\w.]+)")


class FramesToEvents:
    """The Frames of one connection -> its events.

    A Frame without data and the `[DONE]` that some servers send are not events (spec: DIFF.md §5). The Frame's
    `event` field is only a hint, which saves looking for the type: some servers leave it out. It counts where the data
    has no type, and where it is `error`: a text may be the data of an error.
    """

    def __init__(self) -> None:
        parser = EventParser()
        self._parse, self.halves = parser.parse, parser.halves

    def feed(self, frame: Frame) -> Iterable[StreamingEvent]:
        hint, data, _, _ = frame
        if not data or data == "[DONE]":
            return ()
        if hint == "error":
            return (error_frame(data, self._parse),)
        if hint == "message":  # the name of a Frame without one
            return (self._parse(data, ""),)
        event = self._parse(data, hint)
        return (event if type(event) is not UnknownEvent else named_frame(event, hint),)

    def finish(self) -> Iterable[StreamingEvent]:
        return ()


class FramesToNormalEvents(FramesToEvents):
    """The same, with every server's dialect made the API's own."""

    def __init__(self) -> None:
        super().__init__()
        normalize = Normalize()
        self._normalize, self._normalize_quickly = normalize.feed, normalize.quick

    def feed(self, frame: Frame) -> Iterable[StreamingEvent]:
        for event in FramesToEvents.feed(self, frame):  # a call through `super()` takes twice as long
            passed = self._normalize_quickly(event)
            return self._normalize(event) if passed is None else passed
        return ()


class BytesToEvents:
    """The bytes of one connection -> its events, in one step.

    Nearly all bytes are blocks of one event line and one data line, and such a block is parsed where it stands, without
    a Frame. The decoder gets the rest: what is odd, what is unfinished, and whatever may break the ceiling.
    """

    def __init__(self, max_frame_bytes: int, normalize: bool) -> None:
        self._max = max_frame_bytes
        self._decoder = Decoder(max_frame_bytes=max_frame_bytes, at_eof="whole_json")
        self._frames = FramesToEvents()
        self._normalize = Normalize().feed_all if normalize else _unchanged
        self._types: dict[bytes, Callable[[bytes], StreamingEvent]] = {}  # event line -> what reads its data

    def feed(self, data: bytes) -> Iterable[StreamingEvent]:
        events: list[StreamingEvent] = []
        try:
            if len(data) <= self._max and b"\r" not in data:
                if not self._decoder.idle:
                    end = data.find(b"\n\n") + 2
                    self._read(data[:end] if end > 1 else data, events)
                    data = data[end:] if end > 1 else b""
                if self._decoder.idle:
                    data = self._read_blocks(data, events)
            if data:
                self._read(data, events)
        except RxStreamError as error:
            return _then_raise(events, error)
        return events

    def finish(self) -> Iterable[StreamingEvent]:
        events: list[StreamingEvent] = []
        try:
            self._events(self._decoder.close(), events)
        except RxStreamError as error:
            return _then_raise(events, error)
        return events

    def _read_blocks(self, data: bytes, events: list[StreamingEvent]) -> bytes:
        """Read what blank lines end; return what follows the last of them."""
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        types, halves, normalize = self._types, self._frames.halves, self._normalize
        usual: list[StreamingEvent] = []
        for block in blocks:
            line, _, payload = block.partition(b"\ndata: ")
            validate = types.get(line)
            if validate is not None and not halves:
                try:
                    event = validate(payload)
                except ValueError:
                    pass
                else:
                    usual.append(event)
                    continue
            events += normalize(usual)
            usual = []
            self._read(block + b"\n\n", events)
            if line not in types and len(types) < _TYPES_KEPT and (kind := _NAMED.fullmatch(line)):
                types[line] = validator(kind[1].decode())
        events += normalize(usual)
        return rest

    def _read(self, data: bytes, events: list[StreamingEvent]) -> None:
        self._events(self._decoder.feed(data), events)

    def _events(self, frames: Iterable[Frame], events: list[StreamingEvent]) -> None:
        for frame in frames:
            events += self._normalize(self._frames.feed(frame))


def _unchanged(events: Iterable[StreamingEvent]) -> Iterable[StreamingEvent]:
    return events


def _then_raise(events: Iterable[StreamingEvent], error: RxStreamError) -> Iterator[StreamingEvent]:
    """What was good before the error is not lost with it."""
    yield from events
    raise error
