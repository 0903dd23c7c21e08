"""Bytes to events: the way in for people with a transport of their own."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from rxstream.events import StreamingEvent
from rxstream.response.decoding._frames_to_events import ByteReading, Reading
from rxstream.response.decoding._normalize import Normalize
from rxstream.rx._lift import lift
from rxstream.sse import DEFAULT_MAX_FRAME_BYTES, Decoder, Frame
from rxstream.typing import Operator


class _FrameDecoder:
    def __init__(self, max_frame_bytes: int) -> None:
        self._decoder = Decoder(max_frame_bytes=max_frame_bytes, at_eof="whole_json")

    def feed(self, data: bytes) -> Iterable[Frame]:
        return self._decoder.feed(data)

    def finish(self) -> Iterable[Frame]:
        return self._decoder.close()


def decode_events(
    *, normalize: bool = True, max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES
) -> Operator[bytes, StreamingEvent]:
    """Bytes to typed events in one step: `decode_sse()`, `parse_events()` and `normalize()`, at less cost.

    Marbles::

        wire     -C-M-a-b_-K|
        result   -C-M-a-b_-K|

    Emits: what the three would. Completes: with the source. Errors: theirs. Memory: theirs.
    """
    return lift(partial(ByteReading, max_frame_bytes, normalize))


def decode_sse(*, max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES) -> Operator[bytes, Frame]:
    """Decode the bytes of a server-sent-event stream into its Frames, however the bytes were split.

    Marbles::

        bytes    -data:_a-¶---¶---data:_b¶¶-|
        result   -------------a---b---------|

    The rules are the WHATWG's, with one exception: a last Frame that only lacks its blank line is emitted at the end if
    its data is whole JSON, because some servers end so and it would be the terminal event that is lost.

    Emits: one `Frame` for each event dispatched. Completes: with the source, after a last unfinished Frame.
    Errors: the source's; `FrameTooLargeError`. Memory: one Frame, at most `max_frame_bytes`.
    """
    return lift(partial(_FrameDecoder, max_frame_bytes))


def parse_events() -> Operator[Frame, StreamingEvent]:
    """Parse the Frames of a response into typed events. Nothing is repaired: follow it by `normalize()`.

    Marbles::

        frames   -C-a-b_-K|
        result   -C-a-b_-K|

    Emits: one event a Frame; nothing for a Frame without data and for `[DONE]`. What is not known, or does not fit its
    type, is an `UnknownEvent`. Completes: with the source. Errors: the source's; `ProtocolError` for what is not JSON.
    Memory: none.
    """
    return lift(Reading)


def normalize() -> Operator[StreamingEvent, StreamingEvent]:
    """Make every server's dialect the API's own. A `Session` does it already, unless told `normalize=False`.

    Marbles::

        source   -C-a------b_-c-|
        result   -C-(M*,a)-b_-c-|

    Missing or shared indexes are given by the order in which items were added; items that were never added are opened;
    a missing `function_call_arguments.done` is made; an untyped error becomes an `ErrorEvent`; a `response.completed`
    whose status says otherwise becomes what it says. What is made is marked `synthetic=True`; what came right passes
    untouched, the very same object.

    Emits: the events. Completes: with the source. Errors: the source's. Memory: a few fields an item.
    """
    return lift(Normalize)
