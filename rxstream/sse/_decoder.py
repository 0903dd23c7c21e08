"""Bytes to frames: the event-stream format of the WHATWG HTML standard, §9.2.5 and §9.2.6, without I/O."""

import json
from collections.abc import Callable, Iterable
from typing import Literal

from pydantic_core import from_json

from rxstream.errors import FrameTooLargeError
from rxstream.sse._frame import Frame

DEFAULT_MAX_FRAME_BYTES = 64 * 1024 * 1024
"""The default limit of a frame. It is large because an event may hold a whole image."""

MAX_RETRY = 10**15 - 1
"""The longest reconnection time, in milliseconds. A longer one (31,000 years) is read as this."""

_BOM = b"\xef\xbb\xbf"
_SLICE = 1024 * 1024  # larger feeds are read in slices, because splitting into lines copies what is split
_NAMES_KEPT = 256
_NAME_BYTES_KEPT = 128

# Does what `Frame(...)` does, without the Python-level `__new__`, which is a third of the cost of a frame.
# Type checkers know `tuple.__new__` as the maker of plain tuples.
_new_frame: Callable[[type[Frame], tuple[str, str, str, int | None]], Frame] = tuple.__new__  # pyright: ignore


class Decoder:
    """Decode an event stream; one decoder reads one connection.

    The frames are the same however the bytes are split over `feed`. A frame is returned with the bytes that end its
    blank line, be it LF, CRLF or CR alone. The cost is linear in the bytes, however many feeds a line spans. Memory
    is at most about four times `max_frame_bytes`; more for characters beyond U+FFFF, for which Python's `str` takes
    four bytes a character.

    Args:
        max_frame_bytes: the limit of one frame: the line being read, together with the data lines and the name
            already read.
        at_eof: what `close` does with a last frame that no blank line ends. `"drop"`, as the standard has it, or
            `"whole_json"`: dispatch it if its data is complete JSON or `[DONE]`. The terminal event of some servers
            has no blank line; but such a frame may also be the first half of one that a lost connection cut.
        on_comment: called with each comment, without its colon, as soon as its line is whole.
    """

    last_event_id: str
    """The id to reconnect with: the last one whose block a blank line ended. Empty: none."""
    retry: int | None
    """The last reconnection time, in milliseconds."""
    failure: FrameTooLargeError | None
    """Why the decoder has stopped, if it has. `feed` and `close` raise it until `reset`."""

    def __init__(
        self,
        *,
        max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES,
        at_eof: Literal["drop", "whole_json"] = "drop",
        on_comment: Callable[[str], object] | None = None,
    ) -> None:
        if max_frame_bytes < 1:
            raise ValueError(f"max_frame_bytes must be 1 or more, got {max_frame_bytes}")
        self._max = max_frame_bytes
        self._at_eof = at_eof
        self._on_comment = on_comment
        self._names: dict[bytes, str] = {}  # whole `event:` line -> name, decoded once for each type
        self.last_event_id = ""
        self.retry = None
        self.reset()

    def reset(self) -> None:
        """Drop the unfinished frame, to read another connection.

        `last_event_id` and `retry` stay: in the standard they belong to the event source, not to its connection.
        """
        self.failure = None
        self._head: bytes | None = b""  # the first bytes, while they may still become a BOM; then None
        self._after_cr = False  # whether a LF that comes next belongs to the CR before it
        self._tail = bytearray()  # the unfinished line; a bytearray grows in linear time
        self._event = ""
        self._data: bytes | bytearray | None = None
        self._id = self.last_event_id
        self._retry: int | None = None

    @property
    def idle(self) -> bool:
        """Whether the next byte begins a new frame."""
        return (
            not self._tail
            and not self._event
            and self._data is None
            and self._retry is None
            and self._id == self.last_event_id
            and self._head is None
            and not self._after_cr
        )

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes; return the frames that they complete, often none.

        Raises:
            FrameTooLargeError: a frame is larger than `max_frame_bytes`. If the same bytes completed frames before it,
                these are returned, `failure` is set, and the next call raises.
        """
        if self.failure is not None:
            raise self.failure
        frames: list[Frame] = []
        if len(data) <= _SLICE:
            self._feed(data if type(data) is bytes else bytes(data), frames)
        else:
            for start in range(0, len(data), _SLICE):
                self._feed(bytes(data[start : start + _SLICE]), frames)
                if self.failure is not None:
                    break
        if self.failure is not None and not frames:
            raise self.failure
        return frames

    def close(self) -> list[Frame]:
        """The stream has ended: return the last frame as `at_eof` says, and reset the decoder."""
        if self.failure is not None:
            raise self.failure
        frames: list[Frame] = []
        if self._at_eof == "whole_json":
            line = bytes(self._head or self._tail)
            self._read_lines([line, b""] if line else [b""], frames)
            frames = [frame for frame in frames if _is_whole(frame.data)]
        self.reset()
        return frames

    def _feed(self, data: bytes, frames: list[Frame]) -> None:
        if self._head is not None or self._after_cr or b"\r" in data:
            data = self._to_line_feeds(data)
        room = self._room() if self._tail or self._event or self._data is not None else self._max
        if len(data) > room:
            self._feed_line_by_line(data, frames)
            return
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines:
            if self._tail:
                self._end_line(lines.pop(0), frames)
            self._read_lines(lines, frames)
        if rest:
            self._tail += rest

    def _to_line_feeds(self, data: bytes) -> bytes:
        """Remove the BOM, and replace every line end by LF."""
        if self._head is not None:
            data = self._head + data
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._head = data
                return b""
            self._head = None
            data = data.removeprefix(_BOM)
        if not data:
            return data
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
            if not data:
                return data
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _room(self) -> int:
        """How many bytes the line being read may still grow by."""
        return self._max - len(self._tail) - len(self._event) - len(self._data or b"")

    def _feed_line_by_line(self, data: bytes, frames: list[Frame]) -> None:
        """Read bytes that may exceed the limit, and check it before each line."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            if len(line) > self._room():
                break
            self._end_line(line, frames)
        else:
            if len(rest) <= self._room():
                self._tail += rest
                return
        self.reset()
        self.failure = FrameTooLargeError(
            f"a frame is larger than max_frame_bytes={self._max}: raise it if such large events are expected",
            limit=self._max,
        )

    def _end_line(self, rest: bytes, frames: list[Frame]) -> None:
        """Read the unfinished line, which `rest` ends. A method of its own, so that no variable keeps the line."""
        line = b"".join((self._tail, rest))
        self._tail = bytearray()
        self._read_lines((line,), frames)

    def _read_lines(self, lines: Iterable[bytes], frames: list[Frame]) -> None:
        """Interpret whole lines. The frequent fields come first: this loop is most of the cost of a frame."""
        event, data, names = self._event, self._data, self._names
        for line in lines:
            if not line:
                last_id = self.last_event_id = self._id
                if data is not None:
                    text = data.decode("utf-8", "replace")
                    frames.append(_new_frame(Frame, (event or "message", text, last_id, self._retry)))
                    data = None
                event = ""
                self._retry = None
                continue
            if line[:6] == b"data: ":
                value = line[6:]
            elif (name := names.get(line)) is not None:
                event = name
                continue
            else:
                field, _, value = line.partition(b":")
                if value[:1] == b" ":
                    value = value[1:]
                if field == b"event":
                    event = value.decode("utf-8", "replace")
                    if len(names) < _NAMES_KEPT and len(line) <= _NAME_BYTES_KEPT:
                        names[line] = event
                    continue
                if field != b"data":
                    self._read_rare_field(field, value, line)
                    continue
            if data is None:
                data = value
                continue
            if isinstance(data, bytes):
                data = bytearray(data)
            data += b"\n"
            data += value
        self._event, self._data = event, data

    def _read_rare_field(self, field: bytes, value: bytes, line: bytes) -> None:
        if field == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif field == b"retry":
            if value.isdigit():  # for bytes, ASCII digits only
                digits = value.lstrip(b"0")  # int() raises for thousands of digits, so at most 16 are read
                self._retry = self.retry = min(int(digits[:16] or b"0"), MAX_RETRY)
        elif not field and self._on_comment is not None:
            self._on_comment(line[1:].decode("utf-8", "replace"))


def _is_whole(data: str) -> bool:
    """Whether `data` is complete JSON, or `[DONE]`."""
    if data == "[DONE]":
        return True
    try:
        from_json(data)
    except ValueError:
        try:
            json.loads(data)  # unlike pydantic, it accepts lone surrogates
        except (ValueError, RecursionError):
            return False
    return True
