"""Grapheme clusters: what users see as one character. A text may be split only between two clusters.

The extended grapheme clusters of Unicode Standard Annex 29, as the `\\X` of the regex module finds them, for text that
arrives in pieces. The rules are those of the installed regex module (Unicode 18, or a later one), whatever Python has.

We add one rule: the two surrogates of a pair stay together, with the combining characters after them, because a server
may escape them in two deltas.

A cluster does not depend on the clusters before it, so a text that begins at a boundary may be split on its own.
Whether a cluster begins at a character depends only on the text before it, so this is known at once.
"""

from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import regex

_MAX_PIECE: Final = 256
"""For each flag `\\X` counts the flags before it, so a long row of flags is split in pieces of this size."""
_MAX_REMEMBERED: Final = 32
"""A longer cluster is remembered as a shorter text that is continued in the same way."""

_COMBINING: Final = r"[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]"


class _Patterns(NamedTuple):
    cluster: "regex.Pattern[str]"
    ending: "regex.Pattern[str]"
    """The end of a cluster that decides what may join it: a consonant and its linker, or an emoji."""
    context: "regex.Pattern[str]"
    """Backwards: the text that decides whether the next character begins a cluster."""
    closed: "regex.Pattern[str]"
    """Characters that always end their cluster."""
    combining: "regex.Pattern[str]"
    linker: "regex.Pattern[str]"


@cache
def _patterns() -> _Patterns:
    import regex  # slow to import, and not needed for ASCII

    return _Patterns(
        cluster=regex.compile(rf"\p{{GCB=Prepend}}*[\ud800-\udbff][\udc00-\udfff]{_COMBINING}*|\X"),
        ending=regex.compile(
            r"(?:(\p{InCB=Consonant})?(?:\p{InCB=Extend}|(\p{InCB=Linker}))*|(\p{ExtPict})\p{GCB=Extend}*\p{GCB=ZWJ}?)\Z"
        ),
        context=regex.compile(rf"(?rs)(?:\p{{RI}}+|.){_COMBINING}*"),
        closed=regex.compile(r"[\p{GCB=Control}\n]"),
        combining=regex.compile(_COMBINING),
        linker=regex.compile(r"\p{InCB=Linker}"),
    )


@lru_cache(maxsize=8192)
def is_combining(character: str) -> bool:
    """Whether it belongs to the cluster of the character before it, unless that is a control character."""
    return _patterns().combining.match(character) is not None


def is_linker(character: str) -> bool:
    """Whether it may join the next character, a consonant, to the cluster before it."""
    return _patterns().linker.match(character) is not None


@lru_cache(maxsize=8192)
def _is_closed(character: str) -> bool:
    return _patterns().closed.match(character) is not None


class Clusters:
    """Finds where clusters begin in a text that arrives in pieces. Linear cost, constant memory."""

    __slots__ = ("_before",)

    def __init__(self) -> None:
        self._before = ""
        """The last cluster, or a shorter text that is continued in the same way."""

    def restart_after(self, character: str) -> None:
        """Start again after `character`, the first of its cluster. Enough after ASCII text."""
        self._before = character

    def starts(self, text: str) -> list[int]:
        """The indexes in the next piece of text at which a cluster begins."""
        if text.isascii() and self._before.isascii() and "\r" not in self._before + text:
            self._before = text[-1:] or self._before
            return list(range(len(text)))
        cluster = _patterns().cluster
        starts: list[int] = []
        for offset in range(0, len(text), _MAX_PIECE):
            before_size = len(self._before)
            joined = self._before + text[offset : offset + _MAX_PIECE]
            joined_starts = [match.start() for match in cluster.finditer(joined)]
            self._before = _shortened(joined[joined_starts[-1] :])
            starts += [offset + start - before_size for start in joined_starts if start >= before_size]
        return starts


def _shortened(cluster: str) -> str:
    """A short text that is continued in the same way as `cluster`."""
    if len(cluster) <= _MAX_REMEMBERED:
        return cluster
    ending = _patterns().ending.search(cluster)
    assert ending is not None  # it may be empty
    return "".join(group or "" for group in ending.groups()) + cluster[-2:]


class Graphemes:
    """Text in pieces -> grapheme clusters, each as soon as the next one begins (or nothing can join it).

    Joined, the clusters are the text, and they do not depend on how it was split. Memory: one cluster.
    """

    def __init__(self) -> None:
        self._clusters = Clusters()
        self._cluster: list[str] = []
        """The pieces of the last cluster."""

    def feed(self, text: str) -> list[str]:
        """The clusters that are complete now."""
        if not text:
            return []
        starts = self._clusters.starts(text)
        clusters: list[str] = []
        if starts:
            self._cluster.append(text[: starts[0]])
            clusters = ["".join(self._cluster), *(text[start:end] for start, end in pairwise(starts))]
            if not clusters[0]:
                del clusters[0]
            self._cluster.clear()
        self._cluster.append(text[starts[-1] if starts else 0 :])
        if _is_closed(text[-1]):
            clusters += self.finish()
        return clusters

    def finish(self) -> list[str]:
        """The last cluster, if there is one."""
        last = ["".join(self._cluster)] if self._cluster else []
        self.__init__()
        return last


def boundaries(text: str) -> Iterator[int]:
    """Every index at which the text may be split, in order, with its beginning and its end."""
    if text:
        yield from Clusters().starts(text)
        yield len(text)


def is_boundary(text: str, index: int) -> bool:
    """Whether a split at `index` divides no cluster. The cost is that of the cluster around it."""
    if not 0 < index < len(text):
        return 0 <= index <= len(text)
    around = text[index - 1 : index + 1]
    if around.isascii():
        return around != "\r\n"
    if is_combining(around[1]):
        return around[0] == "\r" or _is_closed(around[0])
    start = _patterns().context.match(text, 0, index)
    assert start is not None  # it matches any character
    return Clusters().starts(text[start.start() : index + 1])[-1] == index - start.start()


def boundary_before(text: str, index: int) -> int:
    """The largest boundary that is not above `index`."""
    index = min(index, len(text))
    while index > 0 and not is_boundary(text, index):
        index -= 1
    return max(index, 0)


def last_boundary(text: str) -> int:
    """The end of the clusters that are complete although more text will follow: all but the last one.

    Text that follows may join the last cluster (a combining mark, the second half of a flag), unless it ends in a line
    feed or another control character. For a text that grows use `Graphemes`, which reads each character once.
    """
    if not text or _is_closed(text[-1]):
        return len(text)
    return boundary_before(text, len(text) - 1)


__all__ = [
    "Clusters",
    "Graphemes",
    "boundaries",
    "boundary_before",
    "is_boundary",
    "is_combining",
    "is_linker",
    "last_boundary",
]
