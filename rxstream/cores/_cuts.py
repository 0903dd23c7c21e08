"""Where a text that is passed on in windows is best cut."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Final, Literal, TypeAlias

from rxstream.cores._graphemes import boundary_before, last_boundary
from rxstream.cores._lines import Lines
from rxstream.cores._sentences import Sentences
from rxstream.cores._words import Words

Boundary: TypeAlias = Literal["sentence", "word", "line"] | Callable[[str], int | None] | None
"""A name; or a function from the text within reach to the index where it is best cut (None or 0: nowhere); or None."""

_LOOK_AHEAD: Final = 32
"""Characters behind the limit that may tell that a sentence ended at it."""


class Cuts:
    """Follows a text that arrives in pieces and is taken in windows; says where to cut the next one.

    `feed` looks at each character once; `cut` looks at no more than the text within reach, and of a sentence not even
    at that. Memory: an `int` for each sentence end not yet taken, and the sentence that is still open.

    Raises: ValueError: a boundary nobody knows.
    """

    def __init__(self, boundary: Boundary = "sentence") -> None:
        if not (boundary is None or callable(boundary) or boundary in ("sentence", "word", "line")):
            raise ValueError(f"boundary must be 'sentence', 'word', 'line', a function or None, not {boundary!r}")
        self._boundary: Boundary = boundary
        self._sentences = Sentences(keep_space=True) if boundary == "sentence" else None
        self._ends: list[int] = []  # of sentences, counted from the beginning of the text
        self._taken = 0  # so many of them lie behind the mark
        self._end = 0
        self._mark = 0
        self._finished = False

    def feed(self, text: str) -> None:
        """More text has arrived."""
        if self._sentences:
            self._note(self._sentences.feed(text))

    def finish(self) -> None:
        """No more text will come, so what is open now is whole."""
        if self._sentences:
            self._note(self._sentences.finish())
        self._finished = True

    def _note(self, sentences: Iterable[str]) -> None:
        for sentence in sentences:
            self._end += len(sentence)
            self._ends.append(self._end)

    def cut(self, text: str, limit: int | None = None, *, at_least: int = 1) -> int:
        """How many characters of `text` to take: at most `limit`, and never a part of a grapheme cluster.

        `text` is what was fed and not yet taken (of a long one, `limit` + 1 characters are enough). Taken is up to the
        last sentence end (line end, word end, what the function says) within reach; where there is none of at least
        `at_least` characters, up to the last word end; where there is none, up to the last cluster. A cluster that
        could still grow stays back. When the text is finished and all of it is within reach: all of it.
        0 says that no cut is possible: nothing is there, or one cluster reaches beyond the limit.
        """
        reach = len(text) if limit is None else min(limit, len(text))
        if self._finished and reach == len(text):
            return reach
        at = self._preferred(text, reach)
        if at < at_least and self._boundary not in (None, "word"):
            at = _last_end(Words(keep_space=True).feed(text[: reach + 1]), reach)
        if at >= at_least:
            return at
        return boundary_before(text, reach) if reach < len(text) else last_boundary(text)

    def _preferred(self, text: str, reach: int) -> int:
        match self._boundary:
            case None:
                return 0
            case "sentence":
                known = bisect_right(self._ends, self._mark + reach, self._taken)
                return self._ends[known - 1] - self._mark if known > self._taken else 0
            case "line":
                return _last_end(Lines(keep_ends=True).feed(text[: reach + 1]), reach)
            case "word":
                return _last_end(Words(keep_space=True).feed(text[: reach + 1]), reach)
            case chosen:
                at = min(chosen(text[:reach]) or 0, reach)
                return last_boundary(text) if at == len(text) else boundary_before(text, at)

    def take(self, count: int) -> None:
        """The first `count` characters have been taken; the next window begins behind them."""
        self._mark += count
        self._taken = bisect_right(self._ends, self._mark, self._taken)
        if self._taken * 2 > len(self._ends):  # each end is moved once at most for one that is dropped
            del self._ends[: self._taken]
            self._taken = 0


def cut_point(
    text: str, boundary: Boundary = "sentence", limit: int | None = None, *, at_least: int = 1, final: bool = False
) -> int:
    """`Cuts.cut` of a text that is looked at once, by itself. `final`: no more text will come."""
    cuts = Cuts(boundary)
    cuts.feed(text if limit is None else text[: limit + _LOOK_AHEAD])
    if final and (limit is None or len(text) <= limit):
        return len(text)
    return cuts.cut(text, limit, at_least=at_least)


def _last_end(pieces: Iterable[str], reach: int) -> int:
    end = 0
    for piece in pieces:
        if end + len(piece) > reach:
            break
        end += len(piece)
    return end
