"""The response so far, at every event: a property, not a payload."""

from __future__ import annotations

from collections.abc import Iterable

from rxstream.events import Response, StreamingEvent
from rxstream.response.history._history import History


class Snapshot:
    """The response as it was after one event.

    `response` is put together when it is first asked for, however late, and kept; a snapshot that nobody asks costs
    nothing but its place. All snapshots of a stream share what was said in it.
    """

    __slots__ = ("_history", "_moment", "_response", "event")

    def __init__(self, event: StreamingEvent, history: History) -> None:
        self.event = event
        """The event that brought the response here."""
        self._history = history
        self._moment = history.now
        self._response: Response | None = None

    @property
    def response(self) -> Response:
        """The response so far, as the API itself would show it."""
        if self._response is None:
            self._response = self._history.response(self._moment)
        return self._response

    @property
    def text(self) -> str:
        """The text of all its messages so far, joined."""
        return self.response.output_text

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Snapshot after {self.event.type}>"


class Snapshots:
    """Events -> a snapshot for each event that tells of the response.

    Memory: what was said, in pieces and in the items and parts that end them.
    """

    def __init__(self) -> None:
        self._history = History()

    def feed(self, event: StreamingEvent) -> Iterable[Snapshot]:
        return (Snapshot(event, self._history),) if self._history.feed(event) else ()

    def finish(self) -> Iterable[Snapshot]:
        """Nothing is held back."""
        return ()
