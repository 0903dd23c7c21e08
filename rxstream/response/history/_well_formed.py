"""Gives an end to a stream that has none."""

from __future__ import annotations

from collections.abc import Iterable

from rxstream.events import StreamingEvent
from rxstream.events._fields import TERMINAL
from rxstream.response.history._closing import Closing


class WellFormed:
    """Pass every event; close what is open when the stream ends."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._closing = Closing()

    def quick(self, event: StreamingEvent) -> Iterable[StreamingEvent] | None:
        return (event,) if self._closing.history.grow(event) else None

    def feed(self, event: StreamingEvent) -> Iterable[StreamingEvent]:
        closing = self._closing
        if isinstance(event, TERMINAL) and closing.open:
            left_open = closing.close_items(event)
            closing.feed(event)
            return (*left_open, event)
        closing.feed(event)
        return (event,)

    def finish(self) -> Iterable[StreamingEvent]:
        return self._closing.end(self._reason)

    def fail(self, error: Exception) -> Iterable[StreamingEvent]:
        """The stream gets its end before the error, so that one that is stored is whole."""
        return self._closing.end(self._reason)
