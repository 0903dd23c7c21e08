"""Frames become events: parse, skip what is no event, repair the dialect."""

from collections.abc import Iterable

from rxstream.cores._normalize import Normalize
from rxstream.events import EventParser, StreamingEvent
from rxstream.sse import Frame


class Reading:
    """The Frames of one connection -> its events.

    A Frame without data and the `[DONE]` that some servers send are no events (spec: DIFF.md §5). The Frame's own
    `event` field is not looked at: some servers leave it out.
    """

    def __init__(self) -> None:
        self._parse = EventParser().parse

    def feed(self, frame: Frame) -> Iterable[StreamingEvent]:
        data = frame.data
        if not data or data == "[DONE]":
            return ()
        return (self._parse(data),)

    def finish(self) -> Iterable[StreamingEvent]:
        return ()


class NormalReading(Reading):
    """The same, with every server's dialect made the API's own."""

    def __init__(self) -> None:
        super().__init__()
        self._normalize = Normalize()

    def feed(self, frame: Frame) -> Iterable[StreamingEvent]:
        data = frame.data
        if not data or data == "[DONE]":
            return ()
        return self._normalize.feed(self._parse(data))

    def finish(self) -> Iterable[StreamingEvent]:
        return self._normalize.finish()
