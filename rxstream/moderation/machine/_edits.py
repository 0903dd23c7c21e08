"""The replaced parts of a text."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Final, NamedTuple


class Edit(NamedTuple):
    """The characters from `start` to `end` become `text`."""

    start: int
    end: int
    text: str


_START: Final = attrgetter("start")
_END: Final = attrgetter("end")


class Edits:
    """The edits of one text, in order. No two overlap. Each method costs the logarithm of their number."""

    def __init__(self) -> None:
        self._edits: list[Edit] = []
        self._shifts: list[int] = []
        """How much longer the text is after each edit, as far as it was needed."""

    def __bool__(self) -> bool:
        return bool(self._edits)

    def __iter__(self) -> Iterator[Edit]:
        return iter(self._edits)

    def add(self, start: int, end: int, text: str) -> None:
        """Replace the characters from `start` to `end` by `text`. Edits that overlap become one."""
        overlapping = self.between(start, end)
        if overlapping:
            start, end = min(start, overlapping[0].start), max(end, overlapping[-1].end)
        first = bisect_right(self._edits, start, key=_END)
        self._edits[first : first + len(overlapping)] = [Edit(start, end, text)]
        del self._shifts[first:]

    def between(self, start: int, end: int) -> Sequence[Edit]:
        """The edits that replace a character from `start` to `end`."""
        first = bisect_right(self._edits, start, key=_END)
        return self._edits[first : bisect_left(self._edits, end, key=_START)] if self._edits else ()

    def cover(self, start: int, end: int) -> bool:
        """Whether one edit replaces all characters from `start` to `end`."""
        return any(edit.start <= start and end <= edit.end for edit in self.between(start, end))

    def last_outside(self, offset: int) -> int:
        """The last offset up to `offset` that is inside no edit."""
        position = bisect_right(self._edits, offset, key=_END)
        return min(offset, self._edits[position].start) if position < len(self._edits) else offset

    def shifted(self, offset: int) -> int:
        """Where the character at `offset` is in the edited text."""
        before = bisect_left(self._edits, offset, key=_START)
        while len(self._shifts) < before:
            edit = self._edits[len(self._shifts)]
            change = len(edit.text) - (edit.end - edit.start)
            self._shifts.append(change + (self._shifts[-1] if self._shifts else 0))
        if before:
            offset = max(offset, self._edits[before - 1].end)  # inside an edit: the end of what replaces it
        return offset + (self._shifts[before - 1] if before else 0)


def apply(
    text: str, start: int, edits: Sequence[Edit], kept: Callable[[str, int], str] = lambda text, start: text
) -> str:
    """`text`, which begins at `start`, edited. A replacement stands where its edit begins.

    What is not replaced becomes what `kept` returns for it and its offset.
    """
    pieces: list[str] = []
    offset, end = start, start + len(text)
    for edit in edits:
        pieces.append(kept(text[offset - start : max(edit.start, offset) - start], offset))
        if edit.start >= start:
            pieces.append(edit.text)
        offset = min(edit.end, end)
    return "".join([*pieces, kept(text[offset - start :], offset)])


def source_offset(offset: int, start: int, edits: Sequence[Edit], *, is_end: bool) -> int:
    """Where a character of the edited text is in the text itself, both of which begin at `start`.

    Inside a replacement: the end of its edit if `is_end`, else the start.
    """
    position = start
    """In the text itself."""
    for edit in edits:
        kept = max(edit.start - position, 0)
        if offset < kept or (offset == kept and is_end):
            break
        offset -= kept
        size = len(edit.text) if edit.start >= start else 0
        if offset < size or (offset == size and is_end):
            return edit.end if is_end else edit.start
        offset -= size
        position = edit.end
    return position + offset
