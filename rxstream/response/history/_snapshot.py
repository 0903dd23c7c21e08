"""The response as it is after each event."""

from __future__ import annotations

from collections.abc import Iterable

from rxstream.events import Response, StreamingEvent
from rxstream.response.history._history import History


class Snapshot:
    """The response as it was after one event.

    `response` is made when it is first read, however late, and kept. The snapshots of a stream share its texts, so one
    that is not read costs a small object.
    """

    __slots__ = ("_history", "_response", "_version", "event")

    def __init__(self, event: StreamingEvent, history: History) -> None:
        self.event = event
        """The event after which this is."""
        self._history = history
        self._version = history.version
        self._response: Response | None = None

    @property
    def response(self) -> Response:
        """The response so far, as the API would return it."""
        if self._response is None:
            self._response = self._history.response(self._version)
        return self._response

    @property
    def text(self) -> str:
        """The text of all messages so far, joined."""
        return self.response.output_text

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Snapshot after {self.event.type}>"


class Snapshots:
    """Events -> a snapshot for each event that changes the response.

    Memory: the texts of the response in their deltas, and the parts and items of `.done` events.
    """

    def __init__(self) -> None:
        self._history = History()

    def quick(self, event: StreamingEvent) -> Iterable[Snapshot] | None:
        return (Snapshot(event, self._history),) if self._history.grow(event) else None

    def feed(self, event: StreamingEvent) -> Iterable[Snapshot]:
        return (Snapshot(event, self._history),) if self._history.feed(event) else ()

    def finish(self) -> Iterable[Snapshot]:
        """Emits nothing."""
        return ()
