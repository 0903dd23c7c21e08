"""Where another producer goes on: pure, but for the Observable that it makes."""

from __future__ import annotations

from typing import Any

import reactivex as rx
from reactivex import Observable
from reactivex import operators as ops

from rxstream.events import Event, KeepaliveEvent
from rxstream.relay._resume import ResumeResponse
from rxstream.response._ending import Ending
from rxstream.response.decoding._frames_to_events import FramesToEvents
from rxstream.sse import Frame

_HEARTBEAT = "rxstream.heartbeat"


class ResumePoint:
    """Reads the Frames that are in the log."""

    def __init__(self) -> None:
        self.count = 0
        """How many Frames it has read."""
        self._decoder = FramesToEvents()
        self._ending = Ending()
        self._number: int | None = None
        """The `sequence_number` of the last event."""
        self._is_numbered = True

    def feed(self, frame: Frame) -> None:
        """Note the next Frame."""
        self.count += 1
        for event in self._decoder.feed(frame):
            self._ending.feed(event)
            if event.sequence_number is not None:
                self._number = max(event.sequence_number, self._number or 0)
            elif not isinstance(event, KeepaliveEvent) and event.type != _HEARTBEAT:
                self._is_numbered = False

    def rest(self, resume: ResumeResponse) -> Observable[Any] | None:
        """What is missing in the log. None: it cannot be asked for, or would not join what is there."""
        if not self._ending.open:  # the producer had the end, and could not say so
            error = self._ending.verdict()
            return rx.empty() if error is None else rx.throw(error)
        response_id = self._ending.response_id
        if response_id is None or self._number is None or not self._is_numbered:
            return None
        return resume(response_id, after=self._number).pipe(ops.filter(self._is_new))

    def _is_new(self, event: Any) -> bool:
        number = event.sequence_number if isinstance(event, Event) else None
        return number is None or self._number is None or number > self._number
