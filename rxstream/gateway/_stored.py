"""A response out of the log: as JSON, as it is now."""

from __future__ import annotations

from typing import Any

from rxstream.events import Response
from rxstream.relay import Log, StreamHead
from rxstream.relay._batches import frames_of
from rxstream.relay._end import StreamEnd
from rxstream.response.decoding._frames_to_events import FramesToEvents
from rxstream.response.history._history import History


async def has_stream(log: Log, stream_id: str) -> bool:
    """Whether the log has a stream. Raises: LogUnavailableError."""
    return (await log.read(stream_id, None)).head is not None


async def stored_response(log: Log, stream_id: str) -> dict[str, Any] | None:
    """The response of a stream so far, as the API would show it; None: the log does not have the stream.

    Raises: LogUnavailableError, PositionLostError.
    """
    history, decoder = History(), FramesToEvents()
    after, place = None, None
    while True:
        page = await log.read(stream_id, after, place)
        if page.head is None:
            return None
        for batch in page.batches:
            for frame in frames_of(batch):
                if after is None or int(frame.id) > after:
                    after = int(frame.id)
                    for event in decoder.feed(frame):
                        history.feed(event)
        place = page.place
        if not page.more:
            return _as_json(history, page.head, stream_id)


def _as_json(history: History, head: StreamHead, stream_id: str) -> dict[str, Any]:
    body = response_json(history.response())
    if history.terminal is not None:
        return body
    end = StreamEnd.from_text(head.end, stream_id) if head.end is not None else None
    if head.cancel_requested or (end is not None and end.cause == "cancelled"):
        body["status"] = "cancelled"
    elif end is not None or head.lease_left + head.takeover_within <= 0:
        body["status"] = "failed"
        body["error"] = {"code": "server_error", "message": "The stream of this response ended before its last event."}
    return body


def response_json(response: Response) -> dict[str, Any]:
    """With the fields that came."""
    return response.model_dump(mode="json")


class HistoryFold:
    """Feeds a history, and emits at the end, however the response has ended."""

    def __init__(self, history: History) -> None:
        self._history = history

    def feed(self, event: Any) -> tuple[()]:
        self._history.feed(event)
        return ()

    def finish(self) -> tuple[History]:
        return (self._history,)
