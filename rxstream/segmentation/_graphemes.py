"""Grapheme clusters: what a reader takes for one character, and where a text may be cut without harming one.

The extended grapheme clusters of Unicode Standard Annex 29, as the `\\X` of the regex module finds them, for text that
arrives in pieces. The rules are those of the installed regex module (Unicode 18, or a later one), whatever Python has.

One rule is added: two surrogates that belong together stay together, with the marks behind them, for a server may
escape them in two deltas.

A cluster knows nothing of the clusters before it, so a text that begins at a boundary may be looked at by itself.
Whether a cluster begins with a character depends on what stands before it alone, so that much is known at once.
"""

from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import regex

_PIECE: Final = 256
"""`\\X` counts the flags before each flag, so a long row of them is looked at in pieces."""
_LONG: Final = 32
"""A cluster of more characters is remembered by a shorter one that ends like it."""

_MARK: Final = r"[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]"


class _Patterns(NamedTuple):
    cluster: "regex.Pattern[str]"
    ending: "regex.Pattern[str]"
    """The end of a cluster, as far as it tells what may join it: a consonant and its linker, or an emoji."""
    context: "regex.Pattern[str]"
    """Backwards: all that tells whether the next character begins a cluster."""
    closed: "regex.Pattern[str]"
    """Nothing that follows these can still belong to them."""
    mark: "regex.Pattern[str]"
    linker: "regex.Pattern[str]"


@cache
def _patterns() -> _Patterns:
    import regex  # heavy, and not needed for ASCII, nor by programs that cut no text

    return _Patterns(
        cluster=regex.compile(rf"\p{{GCB=Prepend}}*[\ud800-\udbff][\udc00-\udfff]{_MARK}*|\X"),
        ending=regex.compile(
            r"(?:(\p{InCB=Consonant})?(?:\p{InCB=Extend}|(\p{InCB=Linker}))*|(\p{ExtPict})\p{GCB=Extend}*\p{GCB=ZWJ}?)\Z"
        ),
        context=regex.compile(rf"(?rs)(?:\p{{RI}}+|.){_MARK}*"),
        closed=regex.compile(r"[\p{GCB=Control}\n]"),
        mark=regex.compile(_MARK),
        linker=regex.compile(r"\p{InCB=Linker}"),
    )


@lru_cache(maxsize=8192)
def is_mark(character: str) -> bool:
    """Whether it stays with whatever stands before it, unless that is a control character."""
    return _patterns().mark.match(character) is not None


def is_linker(mark: str) -> bool:
    """Whether it may join the consonant behind it to what stands before it."""
    return _patterns().linker.match(mark) is not None


@lru_cache(maxsize=8192)
def _closed(character: str) -> bool:
    return _patterns().closed.match(character) is not None


class Clusters:
    """Told one piece of text after another, says where clusters begin in it. Linear cost, constant memory."""

    __slots__ = ("_before",)

    def __init__(self) -> None:
        self._before = ""

    def after(self, character: str) -> None:
        """Go on as if only `character`, the first of its cluster, stood before. Enough for any ASCII character."""
        self._before = character

    def starts(self, text: str) -> list[int]:
        """Take the next piece; every index at which a cluster begins."""
        if text.isascii() and self._before.isascii() and "\r" not in self._before + text:
            self._before = text[-1:] or self._before
            return list(range(len(text)))
        cluster = _patterns().cluster
        starts: list[int] = []
        for at in range(0, len(text), _PIECE):
            known = len(self._before)
            seen = self._before + text[at : at + _PIECE]
            found = [match.start() for match in cluster.finditer(seen)]
            self._before = _same_ending(seen[found[-1] :])
            starts += [at + start - known for start in found if start >= known]
        return starts


def _same_ending(cluster: str) -> str:
    """A short text after which everything goes on as it does after `cluster`."""
    if len(cluster) <= _LONG:
        return cluster
    ending = _patterns().ending.search(cluster)
    assert ending is not None  # it may be empty
    return "".join(group or "" for group in ending.groups()) + cluster[-2:]


class Graphemes:
    """Text in pieces -> grapheme clusters, each as soon as the next one begins (or as nothing could join it).

    Joined, the clusters are the text, and they do not depend on how it was split. Memory: one cluster.
    """

    def __init__(self) -> None:
        self._clusters = Clusters()
        self._held: list[str] = []

    def feed(self, text: str) -> list[str]:
        """The clusters that are whole now."""
        if not text:
            return []
        starts = self._clusters.starts(text)
        whole: list[str] = []
        if starts:
            self._held.append(text[: starts[0]])
            whole = ["".join(self._held), *(text[start:end] for start, end in pairwise(starts))]
            if not whole[0]:
                del whole[0]
            self._held.clear()
        self._held.append(text[starts[-1] if starts else 0 :])
        if _closed(text[-1]):
            whole += self.finish()
        return whole

    def finish(self) -> list[str]:
        """The last cluster, if there is one."""
        last = ["".join(self._held)] if self._held else []
        self.__init__()
        return last


def boundaries(text: str) -> Iterator[int]:
    """Every index at which the text may be cut, in order, its beginning and its end included."""
    if text:
        yield from Clusters().starts(text)
        yield len(text)


def is_boundary(text: str, index: int) -> bool:
    """Whether a cut at `index` leaves every cluster whole. Looks back only as far as the cluster reaches."""
    if not 0 < index < len(text):
        return 0 <= index <= len(text)
    around = text[index - 1 : index + 1]
    if around.isascii():
        return around != "\r\n"
    if is_mark(around[1]):
        return around[0] == "\r" or _closed(around[0])
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
    """How much of the text may leave although more will follow: all but its last cluster.

    What follows could still join that one (a combining mark, the second half of a flag), unless it ends in a line feed
    or another control character; then everything may leave. To ask again and again of a growing text, use `Graphemes`,
    which does not look at anything twice.
    """
    if not text or _closed(text[-1]):
        return len(text)
    return boundary_before(text, len(text) - 1)


__all__ = [
    "Clusters",
    "Graphemes",
    "boundaries",
    "boundary_before",
    "is_boundary",
    "is_linker",
    "is_mark",
    "last_boundary",
]
