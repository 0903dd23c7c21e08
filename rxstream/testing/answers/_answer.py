"""Answers of the local server: their frames, and how the connection ends."""

import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal, TypeAlias, cast

JsonDict: TypeAlias = dict[str, Any]

WireEnd: TypeAlias = Literal["eof", "fin", "rst", "chunk", "length", "hang"]
"""How the connection ends after the frames.

`eof` as HTTP wants it · `fin` closed without the last HTTP chunk · `rst` reset · `chunk` closed inside an HTTP chunk ·
`length` closed before Content-Length bytes were sent · `hang` left open until the client closes it.
"""

FIXED_TIME = 1_763_900_000
"""`created_at` without a server, so that the events are the same every time."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request, as an answer gets it."""

    json: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The body."""
    serial: int = 1
    """The number of the answer, from 1. The ids are made of it."""
    created_at: int = FIXED_TIME


ItemBuilder: TypeAlias = Callable[[ReceivedRequest, int], Generator[JsonDict, None, JsonDict]]
"""Takes the request and an `output_index`; yields the events of an output item, and returns the finished item."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the server, made by the functions of this module. It can be used any number of times."""

    events: Callable[[ReceivedRequest], Iterable[JsonDict]]
    """The events of the whole answer, also of the part that `after` cuts off."""
    items: tuple[ItemBuilder, ...] = ()
    """Its output items, if they are known: `together` joins the items of several answers."""
    pace: float | Sequence[float] | None = None
    """Events a second, or the time of each in seconds. None means the pace of the server."""
    ending: WireEnd = "eof"
    after: int | None = None
    """How many frames are sent. None means all."""
    plus: int = 0
    """How many bytes of the next frame are sent after them."""
    endless: bool = False
    """Whether it has no end. Then the server keeps no copy for a later GET."""
    raw: bytes | None = None
    """Bytes to send as they are, instead of `events`."""

    def all_frames(self, request: ReceivedRequest | None = None) -> Iterator[bytes]:
        """Each frame of the whole answer as bytes."""
        if self.raw is not None:
            return iter(frames_in(self.raw))
        return map(frame_bytes, self.events(request or ReceivedRequest()))

    def sent_frames(self, request: ReceivedRequest | None = None) -> Iterator[bytes]:
        """Each frame that is sent. The last may be a part of a frame."""
        frames = self.all_frames(request)
        if self.after is None:
            yield from frames
            return
        yield from islice(frames, self.after)
        if start := next(frames, b"")[: self.plus]:
            yield start

    def ends(self, ending: WireEnd, *, after: int | None, plus: int = 0) -> "Answer":
        """A copy of the answer with another end of its connection."""
        return replace(self, ending=ending, after=after, plus=plus)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is not a stream: an HTTP status with a body. With `verbatim`, `body` is all the bytes sent."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    verbatim: bool = False
    silent: bool = False
    """Send nothing, not even a status, until the client closes the connection."""


@dataclass(frozen=True, slots=True)
class ConversationScript:
    """A model that is a function of the whole conversation. `answers.conversation` makes it."""

    play: Callable[[list[JsonDict]], Answer | Reply | str | Sequence[Mapping[str, Any]]]


def compact(value: object) -> str:
    """JSON as the API writes it: without spaces, and without escapes for other than ASCII characters."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def frame_bytes(event: JsonDict) -> bytes:
    """One event as the API frames it."""
    try:
        data = compact(event).encode()
    except UnicodeEncodeError:  # a lone surrogate has to be escaped
        data = json.dumps(event, separators=(",", ":")).encode()
    return b"event: %b\ndata: %b\n\n" % (str(event.get("type", "message")).encode(), data)


_BLOCK = re.compile(rb".+?(?:\r\n\r\n|\n\n|\r\r|\Z)", re.DOTALL)


def frames_in(stream: bytes) -> list[bytes]:
    """Split the bytes of a stream after each blank line. Joined, the frames are the same bytes."""
    return _BLOCK.findall(stream)


def data_in(frame: bytes) -> str:
    """The `data:` lines of a frame, joined by LF."""
    lines = re.split(r"\r\n|\n|\r", frame.decode("utf-8", "replace"))
    return "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))


def events_in(stream: bytes) -> list[JsonDict]:
    """The JSON objects in the `data:` lines of a stream. Comments, `[DONE]` and other data are skipped."""
    events: list[JsonDict] = []
    for frame in frames_in(stream):
        data = data_in(frame)
        try:
            value: object = json.loads(data) if data else None
        except ValueError:
            continue
        if isinstance(value, dict):
            events.append(cast(JsonDict, value))
    return events


def numbered(events: Iterable[JsonDict]) -> Iterator[JsonDict]:
    """Give each event its `sequence_number`, from 0."""
    for number, event in enumerate(events):
        yield {"type": event["type"], "sequence_number": number, **event}
