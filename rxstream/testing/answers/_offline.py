"""Answers without a server: their events, frames and bytes."""

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

from rxstream.events import StreamingEvent, parse_event
from rxstream.sse import Decoder, Frame
from rxstream.testing.answers._answer import Answer, ReceivedRequest


def events_of(answer: Answer, request: Mapping[str, Any] | None = None) -> list[StreamingEvent]:
    """The typed events of an answer: the same ones every time.

        events_of(text("Hello."))[-1].response.output_text

    Of an answer that is cut (`truncated`, `disconnect`, `hang`), the events before the cut.

    Raises: ValueError for an endless answer that is not cut; TypeError for what is not an answer.
    """
    _must_end(answer)
    events = islice(answer.events(ReceivedRequest(request or {})), answer.after)
    return [parse_event(json.dumps(event)) for event in events]


def frames_of(answer: Answer, request: Mapping[str, Any] | None = None) -> list[Frame]:
    """The frames of an answer, as a transport delivers them."""
    decoder = Decoder(at_eof="whole_json")
    frames = decoder.feed(sse_bytes_of(answer, request))
    return [*frames, *([] if answer.plus else decoder.close())]


def sse_bytes_of(answer: Answer, request: Mapping[str, Any] | None = None) -> bytes:
    """The bytes of an answer, as a server sends them: an `.sse` file."""
    _must_end(answer)
    return b"".join(answer.sent_frames(ReceivedRequest(request or {})))


def _must_end(answer: Answer) -> None:
    if not isinstance(answer, Answer):  # pyright: ignore[reportUnnecessaryIsInstance]  # a server takes a `str`, too
        raise TypeError(f"expected an answer, such as answers.text('Hello.'), got {type(answer).__name__}")
    if answer.endless and answer.after is None:
        raise ValueError("expected an answer with an end, got an endless one: cut it, `truncated(answer, after=100)`")
