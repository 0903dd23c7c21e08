"""Grapheme clusters: what a reader takes for one character, and where a text may be cut without harming one.

The extended grapheme clusters of Unicode Standard Annex 29: rules GB1 to GB999, with GB9c as Unicode 18 has it. One
rule is added: two surrogates that belong together stay together, for a server may escape them in two deltas.
A cluster knows nothing of the clusters before it, so a text that begins at a boundary may be looked at by itself.
"""

from collections.abc import Iterator
from typing import Final

from rxstream.segmentation._grapheme_kinds import (
    CONSONANT,
    CONTROL,
    CR,
    EXTEND,
    EXTENDING,
    HIGH,
    LF,
    LINKER,
    LOW,
    LV,
    LVT,
    PICTOGRAPH,
    PREPEND,
    REGIONAL,
    STACKER,
    ZWJ,
    ZWNJ,
    L,
    T,
    V,
    kind,
)

_KINDS: Final = 21
_APART, _TOGETHER, _DEPENDS = range(3)
_CLOSED: Final = frozenset((CONTROL, LF))
"""Nothing that follows these can still belong to them."""

_HANGUL: Final = {L: (L, V, LV, LVT), LV: (V, T), V: (V, T), LVT: (T,), T: (T,)}


def _between(before: int, after: int) -> int:
    if before == CR:  # GB3, GB4
        return _TOGETHER if after == LF else _APART
    if before in (CONTROL, LF) or after in (CONTROL, CR, LF):  # GB4, GB5
        return _APART
    if after in _HANGUL.get(before, ()):  # GB6, GB7, GB8
        return _TOGETHER
    if after in EXTENDING or before == PREPEND:  # GB9, GB9a, GB9b
        return _TOGETHER
    if (before, after) == (HIGH, LOW):
        return _TOGETHER
    if before in (LINKER, STACKER) and after == CONSONANT:  # GB9c
        return _TOGETHER
    conjunct = before in (EXTEND, ZWJ) and after == CONSONANT  # GB9c, with marks between
    emoji = before == ZWJ and after == PICTOGRAPH  # GB11
    flag = before == REGIONAL and after == REGIONAL  # GB12, GB13
    return _DEPENDS if conjunct or emoji or flag else _APART


_PAIRS: Final = bytes(_between(before, after) for before in range(_KINDS) for after in range(_KINDS))


class Clusters:
    """Told one character after another, says of each whether a new cluster begins with it. Constant memory."""

    __slots__ = ("_before", "_linked", "_odd", "_pictograph")

    def __init__(self) -> None:
        self.after("\n")

    def after(self, character: str) -> None:
        """Go on as if only `character`, the first of its cluster, stood before. Enough for any ASCII character."""
        self._begin(kind(character))

    def _begin(self, this: int) -> None:
        self._before = this
        self._pictograph = 1 if this == PICTOGRAPH else 0  # 1: Extend* may follow, 2: and the joiner has
        self._linked = this in (LINKER, STACKER)  # a linker, and nothing but marks since
        self._odd = this == REGIONAL

    def starts(self, character: str) -> bool:
        """Take the next character; whether a cluster begins with it."""
        this = kind(character)
        relation = _PAIRS[self._before * _KINDS + this]
        if relation == _DEPENDS:
            if this == CONSONANT:
                joined = self._linked
            elif this == PICTOGRAPH:
                joined = self._pictograph == 2
            else:
                joined = self._odd
        else:
            joined = relation == _TOGETHER
        if not joined:
            self._begin(this)
            return True
        if this in EXTENDING:
            self._before = this
            if self._pictograph:
                self._pictograph = self._pictograph_after(this)
            self._linked = this == LINKER or (self._linked and this in (EXTEND, ZWJ))
        else:
            odd = this == REGIONAL and not (self._before == REGIONAL and self._odd)
            self._begin(this)
            self._odd = odd
        return False

    def _pictograph_after(self, this: int) -> int:
        if self._pictograph == 1 and this in (EXTEND, ZWNJ, LINKER):
            return 1
        return 2 if self._pictograph == 1 and this == ZWJ else 0


class Graphemes:
    """Text in pieces -> grapheme clusters, each as soon as the next one begins (or as nothing could join it).

    Joined, the clusters are the text, and they do not depend on how it was split. Memory: one cluster.
    """

    def __init__(self) -> None:
        self._clusters = Clusters()
        self._held: list[str] = []

    def feed(self, text: str) -> list[str]:
        """The clusters that are whole now."""
        whole: list[str] = []
        held = self._held
        starts = self._clusters.starts
        for character in text:
            if starts(character) and held:
                whole.append("".join(held))
                held.clear()
            held.append(character)
        if held and kind(held[-1]) in _CLOSED:
            whole.append("".join(held))
            held.clear()
        return whole

    def finish(self) -> list[str]:
        """The last cluster, if there is one."""
        last = ["".join(self._held)] if self._held else []
        self.__init__()
        return last


def boundaries(text: str) -> Iterator[int]:
    """Every index at which the text may be cut, in order, its beginning and its end included."""
    if not text:
        return
    clusters = Clusters()
    for index, character in enumerate(text):
        if clusters.starts(character):
            yield index
    yield len(text)


def is_boundary(text: str, index: int) -> bool:
    """Whether a cut at `index` leaves every cluster whole. Looks back only as far as the cluster reaches."""
    if not 0 < index < len(text):
        return 0 <= index <= len(text)
    after = kind(text[index])
    relation = _PAIRS[kind(text[index - 1]) * _KINDS + after]
    if relation != _DEPENDS:
        return relation == _APART
    if after == REGIONAL:
        return _run_before(text, index, (REGIONAL,)) % 2 == 0
    if after == PICTOGRAPH:
        start = index - 1 - _run_before(text, index - 1, (EXTEND, ZWNJ, LINKER))
        return start == 0 or kind(text[start - 1]) != PICTOGRAPH
    start = index - _run_before(text, index, (EXTEND, ZWJ))
    return start == 0 or kind(text[start - 1]) not in (LINKER, STACKER)


def _run_before(text: str, index: int, kinds: tuple[int, ...]) -> int:
    start = index
    while start and kind(text[start - 1]) in kinds:
        start -= 1
    return index - start


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
    if not text or kind(text[-1]) in _CLOSED:
        return len(text)
    return boundary_before(text, len(text) - 1)


__all__ = ["Clusters", "Graphemes", "boundaries", "boundary_before", "is_boundary", "last_boundary"]
