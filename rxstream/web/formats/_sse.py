"""The API's own events as Frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rxstream.events import ErrorEvent, Event, ResponseFailedEvent
from rxstream.response._responses import BelongsTo, Responses
from rxstream.sse import Frame
from rxstream.web.formats._error_text import ErrorText, error_text
from rxstream.web.formats._json import json_text


class EventFrames:
    """Emit a Frame for each event, with the fields that came. Memory: a few values."""

    def __init__(self, after: int | None = None, retry: float | None = None, text_of: ErrorText = error_text) -> None:
        self._after = after
        self._retry = None if retry is None else round(retry * 1000)
        self._text_of = text_of
        self._responses = Responses()
        self._number: int | None = None
        self._error_sent = False

    def feed(self, event: Event) -> Iterable[Frame]:
        if self._responses.note(event) is BelongsTo.NEXT and self._number is not None:
            self._after = None  # the numbers of the next response begin anew
            self._error_sent = False
        number = event.sequence_number
        if number is not None:
            self._number = number
        if self._after is not None and (self._number is None or self._number <= self._after):
            return ()
        if isinstance(event, ErrorEvent | ResponseFailedEvent):
            self._error_sent = True
        return (self._frame(event.type, event.model_dump_json()),)

    def finish(self) -> Iterable[Frame]:
        return ()

    def fail(self, error: Exception) -> Iterable[Frame]:
        """The error as the API words one, unless the server has sent its own."""
        if self._error_sent:
            return ()
        name = type(error).__name__
        fields: dict[str, Any] = {"type": "error", "code": name, "message": self._text_of(error), "param": None}
        if self._number is not None:
            self._number += 1
            fields["sequence_number"] = self._number
        return (self._frame("error", json_text(fields)),)

    def _frame(self, name: str, data: str) -> Frame:
        if not name or "\n" in name or "\r" in name:  # the format cannot write it; the data has it
            name = "message"
        retry, self._retry = self._retry, None  # the browser keeps it
        return Frame(name, data, "" if self._number is None else str(self._number), retry)
