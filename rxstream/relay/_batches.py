"""Events and Frames to batches, and back. A batch is a piece of the event stream that a browser would get."""

from __future__ import annotations

from collections.abc import Iterator

from rxstream.errors import PositionLostError
from rxstream.events import Event
from rxstream.relay._log import LogBatch
from rxstream.sse import Decoder, Frame, encode

_NO_LIMIT = 2**62
"""The decoder's. What is in the log was within the limits of its producer."""


def to_bytes(value: object) -> bytes:
    """One event or Frame, encoded. The id of a Frame is left out: its position in the log takes its place.

    Raises: TypeError: something else; ValueError: a Frame that cannot be encoded.
    """
    if isinstance(value, Event):
        name = value.type if value.type and value.type.isprintable() else "message"
        return encode(Frame(name, value.model_dump_json()))
    if isinstance(value, Frame):
        return encode(value._replace(id=""))
    raise TypeError(
        f"publish expects events or Frames, got {type(value).__name__}: publish before operators that emit something "
        "else, such as text_only(), and put these behind follow()"
    )


def frames_of(batch: LogBatch) -> Iterator[Frame]:
    """Its Frames, each with its position as id.

    Raises: PositionLostError: the batch is damaged.
    """
    frames = list(Decoder(max_frame_bytes=_NO_LIMIT).feed(batch.data))
    if len(frames) != batch.count:
        raise PositionLostError(
            f"expected {batch.count} events in the batch at position {batch.first} of the log, got {len(frames)}: "
            "the log is damaged"
        )
    for position, frame in enumerate(frames, batch.first):
        yield frame._replace(id=str(position))
