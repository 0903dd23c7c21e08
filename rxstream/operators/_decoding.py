"""Bytes to events, for programs with a transport of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from reactivex import Observable

from rxstream.events import Event, StreamingEvent
from rxstream.response.decoding._frames_to_events import BytesToEvents, FramesToEvents
from rxstream.response.decoding._normalize import Normalize
from rxstream.rx._checks import of_bytes, of_events, of_frames
from rxstream.rx._lift import lift, lift_passing
from rxstream.sse import DEFAULT_MAX_FRAME_BYTES, Decoder, Frame
from rxstream.typing import Operator

_E = TypeVar("_E", bound=Event)


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
    """Decode bytes into typed events: `decode_sse()`, `parse_events()` and `normalize()` in one, at less cost.

    Marbles::

        wire     -C-M-a-b_-K|
        result   -C-M-a-b_-K|

    Emits, errors, memory: as the three. Completes: with the source.
    """
    return lift(partial(BytesToEvents, max_frame_bytes, normalize), of_bytes("decode_events"))


def decode_sse(*, max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES) -> Operator[bytes, Frame]:
    """Decode the bytes of an event stream into its Frames. The bytes may be split in any way.

    Marbles::

        bytes    -data:_a-¶---¶---data:_b¶¶-|
        result   -------------a---b---------|

    The rules are the WHATWG's, with one exception: a last Frame without its blank line is emitted at the end if its
    data is whole JSON, because the terminal event of some servers has no blank line.

    Emits: one `Frame` for each dispatched event. Completes: with the source, after a last Frame without blank line.
    Errors: the source's; `FrameTooLargeError`. Memory: one Frame, at most `max_frame_bytes`.
    """
    return lift(partial(_FrameDecoder, max_frame_bytes), of_bytes("decode_sse"))


def parse_events() -> Operator[Frame, StreamingEvent]:
    """Parse the Frames of a response into typed events. It repairs nothing: put `normalize()` after it.

    Marbles::

        frames   -C-a-b_-K|
        result   -C-a-b_-K|

    Emits: one event a Frame; nothing for a Frame without data and for `[DONE]`. An event of an unknown type, or that
    does not fit its type, is an `UnknownEvent`; a Frame that is named `error` is an `ErrorEvent`, also if its data is a
    text. Completes: with the source. Errors: the source's; `ProtocolError` for other data that is not JSON.
    Memory: none.
    """
    return lift(FramesToEvents, of_frames("parse_events"))


def normalize() -> Callable[[Observable[_E]], Observable[_E]]:
    """Repair the dialects of servers, so that the events are as the API's own. A `Session` does it unless it has
    `normalize=False`.

    Marbles::

        source   -C-a------b_-c-|
        result   -C-(M*,a)-b_-c-|

    Missing or shared indexes are set by the order in which items were added; an item without `output_item.added` gets
    one; a missing `function_call_arguments.done` is added; an untyped error becomes an `ErrorEvent`; a
    `response.completed` with another status becomes the event of that status. Added events have `synthetic=True`. An
    event without a fault is passed on as the same object.

    An event that came before, with the same sequence number, is not passed on: a resumed connection may repeat events.
    Missing numbers are reported by one warning. Numbers that do not count the events are ignored.

    Emits: the events, each once. Completes: with the source. Errors: the source's. Memory: a few fields an item, eight
    bytes an event.
    """
    return lift_passing(Normalize, of_events("normalize"))
