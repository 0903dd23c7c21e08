"""Where a window is best cut, and where a text may be split without splitting a grapheme."""

import re
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from rxstream.segmentation._graphemes import boundary_before, last_boundary
from rxstream.segmentation._sentences import Sentences

Boundary: TypeAlias = Literal["sentence", "word", "line"] | Callable[[str], int | None] | None
"""A name, or a function from the text of a full window to the place in it where it is best cut."""

_JOINER: Final = "\u200d"
_FLAGS: Final = "".join(map(chr, range(0x1F1E6, 0x1F200)))
"""The regional indicators, two of which make a flag."""

_AFTER_SPACE: Final = re.compile(r"\s+(?=\S)|\s+\Z")


def cutter(boundary: Boundary) -> Callable[[str], int | None] | None:
    """The function for a name of a boundary. A sentence or a line that is not to be had is replaced by a word.

    Raises: ValueError: a name nobody knows.
    """
    if boundary is None or callable(boundary):
        return boundary
    if boundary not in ("sentence", "word", "line"):
        raise ValueError(f"boundary must be 'sentence', 'word', 'line', a function or None, not {boundary!r}")
    return {"sentence": _sentence, "line": _line, "word": _word}[boundary]


def _sentence(text: str) -> int:
    end = sum(map(len, Sentences(keep_space=True).feed(text)))
    return end if end > len(text) // 2 else _word(text)


def _line(text: str) -> int:
    end = text.rfind("\n") + 1
    return end if end > len(text) // 2 else _word(text)


def _word(text: str) -> int:
    return max((found.end() for found in _AFTER_SPACE.finditer(text, len(text) // 2)), default=0)


def floor(text: str, at: int, *, ended: bool) -> int:
    """The last place up to `at` where `text`, which begins with a grapheme, can be split.

    `text` is known up to `at` or further. Where it is not, the last grapheme may still grow: it stays back, unless the
    text has `ended` for now and nothing says that the grapheme is open.
    """
    if at < len(text):
        return boundary_before(text, at)
    return at if ended and not _open(text) else last_boundary(text)


def _open(text: str) -> bool:
    """Whether the end of the text cannot be the end of a grapheme: a joiner, half a flag, half a surrogate pair."""
    last = text[-1:]
    if last == _JOINER or "\ud800" <= last <= "\udbff":
        return True
    flags = len(text) - len(text.rstrip(_FLAGS)) if last and last in _FLAGS else 0
    return flags % 2 == 1
