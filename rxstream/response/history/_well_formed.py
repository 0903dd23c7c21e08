"""A stream that lost its ending gets one."""

from __future__ import annotations

from collections.abc import Iterable

from rxstream.events import StreamingEvent
from rxstream.events._fields import TERMINAL
from rxstream.response.history._closing import Closing


class WellFormed:
    """Pass every event; close what is open where the stream ends without doing so."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._closing = Closing()

    def feed(self, event: StreamingEvent) -> Iterable[StreamingEvent]:
        closing = self._closing
        if isinstance(event, TERMINAL) and closing.open:
            left_open = closing.before(event)
            closing.feed(event)
            return (*left_open, event)
        closing.feed(event)
        return (event,)

    def finish(self) -> Iterable[StreamingEvent]:
        return self._closing.end(self._reason)

    def fail(self, error: Exception) -> Iterable[StreamingEvent]:
        """The stream is closed all the same, so that whoever keeps it has a whole one; then the error passes."""
        return self._closing.end(self._reason)
