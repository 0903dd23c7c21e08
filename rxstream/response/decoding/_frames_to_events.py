"""Frames become events: parse, skip what is no event, repair the dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from rxstream.errors import RxStreamError
from rxstream.events import EventParser, StreamingEvent
from rxstream.response.decoding._mislabelled import error_frame, named_frame
from rxstream.response.decoding._normalize import Normalize
from rxstream.sse import Decoder, Frame

_TYPES_KEPT = 256


class FramesToEvents:
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


class FramesToNormalEvents:
    """The same, with every server's dialect made the API's own."""

    def __init__(self) -> None:
        self._parse = EventParser().parse
        self._normalize = Normalize().feed

    def feed(self, frame: Frame) -> Iterable[StreamingEvent]:
        hint, data, _, _ = frame
        if not data or data == "[DONE]":
            return ()
        return self._normalize(_read_frame(hint, data, self._parse))

    def finish(self) -> Iterable[StreamingEvent]:
        return ()


class BytesToEvents:
    """The bytes of one connection -> its events, in one step.

    Nearly all bytes are blocks of one event line and one data line, and such a block is parsed where it stands, without
    a Frame. The decoder gets the rest: what is odd, what is unfinished, and whatever may break the ceiling.
    """

    def __init__(self, max_frame_bytes: int, normalize: bool) -> None:
        self._max = max_frame_bytes
        self._decoder = Decoder(max_frame_bytes=max_frame_bytes, at_eof="whole_json")
        self._parser = EventParser()
        self._repair = normalize
        self._normalize = Normalize().feed if normalize else _unchanged
        self._types: dict[bytes, str] = {}  # event line -> the type it names

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
        types, usual, normalize = self._types, self._parser.usual, self._normalize
        for block in blocks:
            line, _, payload = block.partition(b"\ndata: ")
            kind = types.get(line)
            event = usual(kind, payload) if kind is not None else None
            if event is not None:
                events += normalize(event)
                continue
            self._read(block + b"\n\n", events)
            if line.startswith(b"event: ") and b"\n" not in line and len(types) < _TYPES_KEPT:
                types[line] = line[7:].decode("utf-8", "replace")
        return rest

    def _read(self, data: bytes, events: list[StreamingEvent]) -> None:
        self._events(self._decoder.feed(data), events)

    def _events(self, frames: Iterable[Frame], events: list[StreamingEvent]) -> None:
        for hint, data, _, _ in frames:
            if not data or data == "[DONE]":
                continue
            if self._repair:
                events += self._normalize(_read_frame(hint, data, self._parser.parse))
            else:
                events += self._normalize(self._parser.parse(data, hint if hint != "message" else ""))


def _read_frame(name: str, data: str, parse: Callable[[str, str], StreamingEvent]) -> StreamingEvent:
    """The event of a Frame. Its name counts where the data has no type, and where it is `error`."""
    if name == "error":
        return error_frame(data, parse)
    if name == "message":  # the name of a Frame without one
        return parse(data, "")
    return named_frame(parse(data, name), name)


def _unchanged(event: StreamingEvent) -> Iterable[StreamingEvent]:
    return (event,)


def _then_raise(events: Iterable[StreamingEvent], error: RxStreamError) -> Iterator[StreamingEvent]:
    """What was good before the error is not lost with it."""
    yield from events
    raise error
