"""What the local server may say: an answer, frame by frame, and how its wire ends."""

import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal, TypeAlias, cast

JsonObject: TypeAlias = dict[str, Any]

Ending: TypeAlias = Literal["eof", "fin", "rst", "chunk", "length", "hang"]
"""How the wire ends once the frames are said.

`eof` as HTTP wants it · `fin` closed without the last HTTP chunk · `rst` reset · `chunk` closed inside an HTTP chunk ·
`length` closed before the promised Content-Length · `hang` left open and silent until the client goes.
"""

FIXED_TIME = 1_763_900_000
"""`created_at` of a response that no server made, so that builders give the same events every time."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request, as an answer sees it."""

    request: Mapping[str, Any] = field(default_factory=dict[str, Any])
    serial: int = 1
    """Which answer of the server this is, from 1: it makes the ids."""
    created_at: int = FIXED_TIME


Item: TypeAlias = Callable[[ReceivedRequest, int], Generator[JsonObject, None, JsonObject]]
"""An output item: given the request and its `output_index`, yields its events and returns itself, finished."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the server: made by the functions of `rxstream.testing`, immutable, usable any number of times."""

    events: Callable[[ReceivedRequest], Iterable[JsonObject]]
    """The events of the whole answer, without regard to `after`."""
    items: tuple[Item, ...] = ()
    """Its output items, where they are known, so that `together` can put several answers in one response."""
    pace: float | Sequence[float] | None = None
    """Events a second, or the second at which each is due; None: the server's own pace."""
    ending: Ending = "eof"
    after: int | None = None
    """Say only so many frames; None: all."""
    plus: int = 0
    """… and so many bytes of the next frame."""
    endless: bool = False
    """It never ends by itself: the server keeps no copy for a later GET."""
    raw: bytes | None = None
    """Bytes said as they are, instead of `events`."""

    def whole(self, asked: ReceivedRequest | None = None) -> Iterator[bytes]:
        """Each frame of the answer as bytes, with no regard to how its wire ends."""
        if self.raw is not None:
            return iter(frames_in(self.raw))
        return map(frame_bytes, self.events(asked or ReceivedRequest()))

    def said(self, asked: ReceivedRequest | None = None) -> Iterator[bytes]:
        """Each frame that is really sent; the last may be a fragment."""
        frames = self.whole(asked)
        if self.after is None:
            yield from frames
            return
        yield from islice(frames, self.after)
        fragment = next(frames, b"")[: self.plus] if self.plus else b""
        if fragment:
            yield fragment

    def ends(self, ending: Ending, *, after: int | None, plus: int = 0) -> "Answer":
        """The same answer with another end of its wire."""
        return replace(self, ending=ending, after=after, plus=plus)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is no stream: an HTTP status with a body. With `verbatim`, the very bytes of the connection."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    verbatim: bool = False
    silent: bool = False
    """Nothing is sent, not even a status: the client waits until it gives up."""


def compact(value: object) -> str:
    """JSON as the API writes it: no spaces, UTF-8 as it is."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def frame_bytes(event: JsonObject) -> bytes:
    """One event as the API frames it."""
    try:
        data = compact(event).encode()
    except UnicodeEncodeError:  # half a surrogate pair travels only escaped
        data = json.dumps(event, separators=(",", ":")).encode()
    return b"event: %b\ndata: %b\n\n" % (str(event.get("type", "message")).encode(), data)


_BLOCK = re.compile(rb".+?(?:\r\n\r\n|\n\n|\r\r|\Z)", re.DOTALL)


def frames_in(stream: bytes) -> list[bytes]:
    """Cut the bytes of a stream after each blank line; joined they are the same bytes."""
    return _BLOCK.findall(stream)


def events_in(stream: bytes) -> list[JsonObject]:
    """The JSON objects that the `data:` lines of a stream hold; comments, `[DONE]` and other data are passed over."""
    found: list[JsonObject] = []
    for frame in frames_in(stream):
        lines = re.split(r"\r\n|\n|\r", frame.decode("utf-8", "replace"))
        data = "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))
        try:
            value: object = json.loads(data) if data else None
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(cast(JsonObject, value))
    return found


def numbered(events: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Give each event its place in the stream, from 0."""
    for number, event in enumerate(events):
        yield {"type": event["type"], "sequence_number": number, **event}
