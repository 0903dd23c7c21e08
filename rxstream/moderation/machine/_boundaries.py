"""Where a window ends, and where a text may be split without splitting a grapheme."""

import re
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from rxstream.segmentation._graphemes import boundary_before, last_boundary
from rxstream.segmentation._sentences import Sentences

Boundary: TypeAlias = Literal["sentence", "word", "line"] | Callable[[str], int | None] | None
"""A name, or a function from the text of a full window to the offset at which it is to end."""

_JOINER: Final = "\u200d"
_FLAGS: Final = "".join(map(chr, range(0x1F1E6, 0x1F200)))
"""The regional indicators. Two of them are one flag."""

_AFTER_SPACE: Final = re.compile(r"\s+(?=\S)|\s+\Z")


def boundary_function(boundary: Boundary) -> Callable[[str], int | None] | None:
    """The function for a boundary. If no sentence or line ends in the second half of a text, a word does.

    Raises: ValueError: an unknown name.
    """
    if boundary is None or callable(boundary):
        return boundary
    if boundary not in ("sentence", "word", "line"):
        raise ValueError(f"boundary must be 'sentence', 'word', 'line', a function or None, got {boundary!r}")
    return {"sentence": _sentence_end, "line": _line_end, "word": _word_end}[boundary]


def _sentence_end(text: str) -> int:
    end = sum(map(len, Sentences(keep_space=True).feed(text)))
    return end if end > len(text) // 2 else _word_end(text)


def _line_end(text: str) -> int:
    end = text.rfind("\n") + 1
    return end if end > len(text) // 2 else _word_end(text)


def _word_end(text: str) -> int:
    return max((space.end() for space in _AFTER_SPACE.finditer(text, len(text) // 2)), default=0)


def split_before(text: str, offset: int, *, ended: bool) -> int:
    """The last offset up to `offset` where `text`, which begins with a grapheme, can be split.

    If `text` ends at `offset`, its last grapheme may still grow: it stays back, unless the text has `ended` for now and
    the grapheme can be complete.
    """
    if offset < len(text):
        return boundary_before(text, offset)
    return offset if ended and not _is_open(text) else last_boundary(text)


def _is_open(text: str) -> bool:
    """Whether the end of the text cannot be the end of a grapheme: a joiner, half a flag, half a surrogate pair."""
    last = text[-1:]
    if last == _JOINER or "\ud800" <= last <= "\udbff":
        return True
    flags = len(text) - len(text.rstrip(_FLAGS)) if last and last in _FLAGS else 0
    return flags % 2 == 1
