"""A stream out of the log as it is sent: the bytes of the log, without a model of each event."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

from pydantic_core import from_json
from reactivex import Observable

from rxstream.gateway._errors import text_of
from rxstream.rx._lift import lift
from rxstream.sse import Frame, encode
from rxstream.web import StreamFormat
from rxstream.web.formats._sse import EventFrames


class LoggedFormat(StreamFormat[Frame]):
    """As `to_sse(after=after)`, of the Frames of one response in the log instead of its events."""

    def __init__(self, after: int | None) -> None:
        super().__init__("to_sse", lambda: LoggedFrames(after), encode)
        self._after = after

    def __call__(self, source: Observable[Any]) -> Observable[Frame]:
        return source.pipe(lift(lambda: LoggedFrames(self._after)))


class LoggedFrames(EventFrames):
    """Replace the position of each Frame by the `sequence_number` of its event. Memory: a few values."""

    def __init__(self, after: int | None = None) -> None:
        super().__init__(after, text_of=text_of)

    def feed(self, event: Any) -> Iterable[Frame]:
        name, data = event.event, event.data  # a Frame
        number = number_in(data)
        if number is not None:
            self._number = number
        if self._after is not None and (self._number is None or self._number <= self._after):
            return ()
        if name in ("error", "response.failed"):
            self._error_sent = True
        return (self._frame(name, data),)


def number_in(data: str) -> int | None:
    """The `sequence_number` of an event as JSON."""
    try:
        fields: Any = from_json(data)
    except ValueError:  # lone surrogates
        fields = json.loads(data)
    number = cast("dict[str, Any]", fields).get("sequence_number") if isinstance(fields, dict) else None
    return number if isinstance(number, int) else None
