"""The text of one lane: appended delta by delta, decoded if it is JSON, read near its end."""

import json
import re
from bisect import bisect_left
from collections import deque
from enum import Enum
from operator import attrgetter
from typing import Final, NamedTuple

_JSON_START: Final = re.compile(r"\{\s*[\"}]|\[\s*[\[{\"\]]")
_JSON_MAYBE: Final = re.compile(r"[\[{]\s*\Z")
_SLASHES: Final = r"(?:\\|\\{3}|\\{7})?"
"""More backslashes, as an escape has them in JSON inside of JSON."""
_ESCAPE: Final = re.compile(
    rf"\\(?:{_SLASHES}u[dD][89abAB][0-9a-fA-F]{{2}}\\{_SLASHES}u[dD][c-fC-F][0-9a-fA-F]{{2}}"
    rf"|{_SLASHES}u[0-9a-fA-F]{{4}}|.)",
    re.DOTALL,
)
_ALL_SLASHES: Final = re.compile(r"\\+")
_STRING_END: Final = re.compile(r'["\\]')
_UNFINISHED: Final = re.compile(
    rf"\\{{1,7}}|\\{_SLASHES}u(?:[0-9a-fA-F]{{0,3}}|[dD][89abAB][0-9a-fA-F]{{2}}(?:\\{{1,7}}|\\{_SLASHES}u[0-9a-fA-F]{{0,3}})?)"
)
"""An escape that may be a part of a longer one."""


class Format(Enum):
    """How a text is read."""

    UNKNOWN = 0
    """The first characters decide."""
    PLAIN = 1
    JSON = 2
    """Escapes in its strings are decoded; those of characters by number also if the string holds JSON itself."""


class _Escape(NamedTuple):
    """A decoded escape."""

    offset: int
    raw_offset: int
    """In the raw text."""
    raw: str


_OFFSET: Final = attrgetter("offset")
_RAW_OFFSET: Final = attrgetter("raw_offset")


class LaneText:
    """Append-only text. The cost of `slice` does not grow with the text, if `forget` is called.

    Offsets count decoded characters. The text as the server wrote it is its *raw* text.
    """

    def __init__(self, format: Format = Format.PLAIN) -> None:
        self.length = 0
        self.format = format
        self._new_pieces: list[str] = []
        """Pieces that are not yet joined to `_recent`."""
        self._recent = ""
        """The text from `_recent_start` on, which `slice` reads."""
        self._recent_start = 0
        self._older: list[str] = []
        """The text before `_recent_start`, in pieces."""
        self._pending = ""
        """The end of the raw text that cannot be decoded yet: half a surrogate pair, a part of an escape."""
        self._escapes: list[_Escape] = []
        self._quotes: list[int] = []
        """The offsets of the quotation marks around the strings of a JSON text."""
        self._in_string = False

    # ------------------------------------------------------------------ text in

    def append(self, piece: str) -> None:
        """Add a piece of raw text."""
        if self.format is Format.PLAIN:
            if self._pending or (piece and "\ud800" <= piece[-1] <= "\udbff"):
                piece = self._join_surrogates(piece)
            self._new_pieces.append(piece)
            self.length += len(piece)
        elif self.format is Format.JSON:
            self._decode(self._pending + piece)
        else:
            first = (self._pending + piece).lstrip()
            space = len(self._pending) + len(piece) - len(first)
            self._add(piece[:space])
            self._pending = ""
            if _JSON_MAYBE.match(first):
                self._pending = first
            elif first:
                self.format = Format.JSON if _JSON_START.match(first) else Format.PLAIN
                self.append(first)

    def close(self) -> None:
        """No other text follows for now: what was pending is text as it is."""
        self._add(self._pending)
        self._pending = ""

    def _decode(self, raw: str) -> None:
        self._pending = ""
        offset = 0
        while offset < len(raw):
            if raw[offset] == '"':
                self._quotes.append(self.length)
                self._in_string = not self._in_string
                self._add('"')
                offset += 1
                continue
            if not self._in_string:
                end = raw.find('"', offset)
            elif raw[offset] != "\\":
                found = _STRING_END.search(raw, offset)
                end = found.start() if found is not None else -1
            elif _UNFINISHED.fullmatch(raw, offset):
                self._pending = raw[offset:]
                return
            else:
                escape = _ESCAPE.match(raw, offset)
                assert escape is not None
                self._add_escape(escape[0])
                offset = escape.end()
                continue
            end = len(raw) if end < 0 else end
            self._add(raw[offset:end])
            offset = end

    def _add(self, text: str) -> None:
        self._new_pieces.append(text)
        self.length += len(text)

    def _add_escape(self, raw: str) -> None:
        character = _unescape(raw)
        if character is None:
            self._add(raw)
            return
        self._escapes.append(_Escape(self.length, self.length + self._extra(len(self._escapes)), raw))
        self._add(character)

    def _join_surrogates(self, piece: str) -> str:
        piece = self._pending + piece
        self._pending = ""
        if piece and "\ud800" <= piece[-1] <= "\udbff":
            piece, self._pending = piece[:-1], piece[-1]
        return piece.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")

    # ------------------------------------------------------------------ text out

    @property
    def end(self) -> int:
        """The end of the text with what cannot be decoded yet, which may become fewer characters."""
        return self.length + len(self._pending)

    def reaches(self, offset: int, end: int) -> bool:
        """Whether `offset` is the end of what had the end `end` when it was appended."""
        return offset >= min(end, self.length) and (end <= self.length or not self._pending)

    def slice(self, start: int, end: int) -> str:
        self._join_pieces()
        first = self._recent_start
        return self._recent[start - first : end - first]

    def forget(self, before: int) -> None:
        """Text before `before` is not sliced any more. `full_raw` still has it."""
        if before - self._recent_start > 4096 + (self.length - before) // 4:
            self._join_pieces()
            size = before - self._recent_start
            self._older.append(self._recent[:size])
            self._recent = self._recent[size:]
            self._recent_start = before

    def full_raw(self) -> str:
        """All the raw text."""
        return self.raw(self.full(), 0) + self._pending

    def full(self) -> str:
        """All the text that can be decoded."""
        self._join_pieces()
        if self._older:
            self._older.append(self._recent)
            text = "".join(self._older)
            self._older = [text[: self._recent_start]]
            return text
        return self._recent

    def raw(self, text: str, start: int) -> str:
        """The raw text of a slice `text` that begins at `start`."""
        if not self._escapes:
            return text
        pieces: list[str] = []
        offset = start
        first = bisect_left(self._escapes, start, key=_OFFSET)
        for escape in self._escapes[first : bisect_left(self._escapes, start + len(text), key=_OFFSET)]:
            pieces += text[offset - start : escape.offset - start], escape.raw
            offset = escape.offset + 1
        return "".join([*pieces, text[offset - start :]])

    def offset_of_raw(self, raw_offset: int) -> int:
        """The offset of the character that holds the raw character before `raw_offset`, plus one."""
        number = bisect_left(self._escapes, raw_offset, key=_RAW_OFFSET)
        if number and self._escapes[number - 1].raw_offset + len(self._escapes[number - 1].raw) > raw_offset:
            return self._escapes[number - 1].offset + 1
        return min(raw_offset - self._extra(number), self.length)

    def parts_of_span(self, start: int, end: int) -> list[tuple[int, int, bool]]:
        """Where a span is cut by the quotation marks of a JSON text: start, end, whether it is in a string."""
        if self.format is not Format.JSON:
            return [(start, end, True)]
        parts: list[tuple[int, int, bool]] = []
        number = bisect_left(self._quotes, start)
        while start < end:
            quote = self._quotes[number] if number < len(self._quotes) else end
            if start < min(quote, end):
                parts.append((start, min(quote, end), number % 2 == 1))
            start, number = quote + 1, number + 1
        return parts

    def _extra(self, number: int) -> int:
        """How much longer the raw text of the first `number` escapes is."""
        if not number:
            return 0
        last = self._escapes[number - 1]
        return last.raw_offset - last.offset + len(last.raw) - 1

    def _join_pieces(self) -> None:
        if self._new_pieces:
            self._recent += "".join(self._new_pieces)
            self._new_pieces.clear()


def _unescape(token: str) -> str | None:
    """The one character of a JSON escape; None if it is not a valid escape."""
    if "u" in token:
        token = _ALL_SLASHES.sub(r"\\", token)
    try:
        character: str = json.loads(f'"{token}"')
    except ValueError:
        return None
    return "\ufffd" if "\ud800" <= character <= "\udfff" else character


def decode_escapes(text: str) -> str:
    """The text with each JSON escape decoded, wherever it stands."""
    return _ESCAPE.sub(lambda escape: _unescape(escape[0]) or escape[0], text)


class Arrivals:
    """When each piece of a text arrived."""

    def __init__(self) -> None:
        self._ends: deque[tuple[int, float]] = deque()

    def note(self, end: int, now: float) -> None:
        self._ends.append((end, now))

    def oldest(self, start: int) -> float:
        """When the character at `start` arrived. Times before it are dropped."""
        ends = self._ends
        while ends[0][0] <= start:
            ends.popleft()
        return ends[0][1]
