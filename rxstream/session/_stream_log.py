"""One line in the log for each stream: how much came, how long it took, how it ended."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import anyio

from rxstream.errors._redaction import one_line
from rxstream.events import StreamingEvent
from rxstream.response._ending import Ending

_log = logging.getLogger("rxstream")

_ID_KEPT = 100


class StreamLog:
    """Counts what comes while DEBUG is logged, and writes the line. It never holds a key, a prompt or a text."""

    def __init__(self) -> None:
        self.enabled = _log.isEnabledFor(logging.DEBUG)
        self._events = 0
        self._bytes = 0
        self._sizes_known = True
        self._start = anyio.current_time() if self.enabled else 0.0

    def counted(self, events: Iterable[StreamingEvent]) -> Iterator[StreamingEvent]:
        for event in events:
            self._events += 1
            yield event

    def add_wire(self, wire: object) -> None:
        """A connection is over."""
        size: int | None = getattr(wire, "bytes_read", None)
        self._sizes_known &= size is not None
        self._bytes += size or 0

    def write(self, ending: Ending, how: str) -> None:
        """Write the line. `how`: how the stream ended."""
        if not self.enabled:
            return
        size = f"{self._bytes} bytes" if self._sizes_known else "unknown bytes"
        _log.debug(
            "stream of response %s: %d events, %s, %.3f s, %s",
            one_line(ending.response_id or "", _ID_KEPT) or "unknown",
            self._events,
            size,
            anyio.current_time() - self._start,
            how,
        )


def outcome(ending: Ending, error: Exception | None) -> str:
    """How a stream ended that was neither disposed nor cancelled: by its error's class, or by its terminal event."""
    if error is not None:
        return one_line(type(error).__name__, _ID_KEPT)
    terminal = ending.terminal.type if ending.terminal is not None else ""
    return "incomplete" if terminal == "response.incomplete" else "completed"
