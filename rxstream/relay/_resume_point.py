"""Where another producer goes on: pure."""

from __future__ import annotations

import json
from typing import Any

from reactivex import Observable
from reactivex import operators as rx

from rxstream.events import Event
from rxstream.sse import Frame


class ResumePoint:
    """Reads the Frames that are in the log."""

    def __init__(self) -> None:
        self.response_id: str | None = None
        self.number: int | None = None
        """The `sequence_number` of the last event."""
        self.count = 0
        """How many Frames it has read."""
        self._is_numbered = True

    def feed(self, frame: Frame) -> None:
        self.count += 1
        event = json.loads(frame.data)
        if not isinstance(event, dict):
            self._is_numbered = False
            return
        fields: dict[str, Any] = event
        number, response = fields.get("sequence_number"), fields.get("response")
        if isinstance(number, int):
            self.number = number if self.number is None else max(number, self.number)
        elif fields.get("type") != "keepalive":
            self._is_numbered = False
        if isinstance(response, dict) and isinstance(response.get("id"), str):
            self.response_id = response["id"]

    @property
    def is_usable(self) -> bool:
        """Whether the rest of the stream can be asked for, and joins what is there."""
        return self.response_id is not None and self.number is not None and self._is_numbered

    def rest_of(self, resumed: Observable[Any]) -> Observable[Any]:
        """`resumed`, without events that are in the log."""
        return resumed.pipe(rx.filter(self._is_new))

    def _is_new(self, event: Any) -> bool:
        number = event.sequence_number if isinstance(event, Event) else None
        return number is None or self.number is None or number > self.number
