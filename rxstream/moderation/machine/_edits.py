"""The replaced parts of a text."""

from collections.abc import Iterator
from typing import NamedTuple


class Edit(NamedTuple):
    """The characters from `start` to `end` become `text`."""

    start: int
    end: int
    text: str


class Edits:
    """The edits of one text, in order. No two overlap."""

    __slots__ = ("_edits",)

    def __init__(self) -> None:
        self._edits: list[Edit] = []

    def __bool__(self) -> bool:
        return bool(self._edits)

    def __iter__(self) -> Iterator[Edit]:
        return iter(self._edits)

    def add(self, start: int, end: int, text: str) -> None:
        """Replace the characters from `start` to `end` by `text`. Edits that overlap become one."""
        edits = self._edits
        later: list[Edit] = []
        while edits and edits[-1].end > start:
            last = edits.pop()
            if last.start < end:
                start, end = min(start, last.start), max(end, last.end)
            else:
                later.append(last)
        edits.append(Edit(start, end, text))
        edits.extend(reversed(later))

    def cover(self, start: int, end: int) -> bool:
        """Whether one edit replaces all characters from `start` to `end`."""
        return any(edit.start <= start and end <= edit.end for edit in self._edits)

    def overlap(self, start: int, end: int) -> bool:
        """Whether an edit replaces a character from `start` to `end`."""
        return any(edit.start < end and start < edit.end for edit in self._edits)

    def last_outside(self, offset: int) -> int:
        """The last offset up to `offset` that is inside no edit."""
        for edit in reversed(self._edits):
            if edit.end <= offset:
                break
            if edit.start < offset:
                return edit.start
        return offset

    def any_before(self, offset: int) -> bool:
        """Whether an edit begins before `offset`."""
        return bool(self._edits) and self._edits[0].start < offset

    def apply(self, text: str, start: int = 0) -> str:
        """`text`, which begins at `start`, edited. A replacement stands where its edit begins."""
        pieces: list[str] = []
        offset, end = start, start + len(text)
        for edit in self._edits:
            if edit.end <= offset or edit.start >= end:
                continue
            pieces.append(text[offset - start : max(edit.start, offset) - start])
            if edit.start >= offset:
                pieces.append(edit.text)
            offset = min(edit.end, end)
        pieces.append(text[offset - start :])
        return "".join(pieces)
