"""A check of words and patterns, which knows how much must be held back for it."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from re import _constants, _parser  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
from typing import Any, NamedTuple, cast

from rxstream.moderation.machine._terms import Verdict, Window


class _Reach(NamedTuple):
    """How many characters a pattern looks at: before a match, in it, and behind it."""

    before: int
    width: int
    behind: int


class Blocklist:
    """Flags every window in which one of the entries occurs, and says where.

        rxs.debounce_moderation(Blocklist(["hunter2", re.compile(r"sk-[A-Za-z0-9]{8,64}")]), on_flag="replace")

    A `str` is found wherever it stands, also inside a longer word, and in either Unicode form of its accents. A
    compiled regular expression is found as it is: write `re.compile(r"\\bass\\b")` for a whole word.

    `holdback` is what the longest match needs, less one character: `debounce_moderation` keeps so much behind the
    verified mark by itself, so that not even the beginning of a match leaves before its end has come.

    Args:
        entries: words and patterns.
        ignore_case: whether case counts in the words. A pattern has its own flags.
        category: the category of the verdicts. Never the entry itself: a verdict is shown.

    Raises: ValueError: a pattern whose matches have no greatest length (`.*`, `\\d+`: write `\\d{1,20}`), or that is
    anchored at the edges of the text (`^`, `$`, `\\A`, `\\Z`), which a window has not; an empty entry. TypeError: an
    entry of another type.
    """

    def __init__(
        self, entries: Iterable[str | re.Pattern[str]], *, ignore_case: bool = True, category: str = "blocklist"
    ) -> None:
        if isinstance(entries, str):
            raise TypeError("Blocklist takes a list of entries, not one str")
        words: set[str] = set()
        self._patterns: list[tuple[re.Pattern[str], int]] = []
        self._size = 0
        reaches = [_Reach(0, 1, 0)]
        for number, entry in enumerate(entries):
            self._size += 1
            if isinstance(entry, str):
                if not entry:
                    raise ValueError(f"entry {number} of the blocklist is empty")
                words.update(unicodedata.normalize(form, entry) for form in ("NFC", "NFD"))
                words.add(entry)
            elif not isinstance(entry, re.Pattern):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"entry {number} of the blocklist is a {type(entry).__name__}: give a str or a pattern")
            else:
                reach = _reach(entry, number)
                reaches.append(reach)
                self._patterns.append((entry, reach.behind))
        if words:
            reaches.append(_Reach(0, max(map(len, words)), 0))
            listed = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
            self._patterns.append((re.compile(listed, re.IGNORECASE if ignore_case else 0), 0))
        self._category = category
        self.holdback = max(reach.before + reach.width + reach.behind for reach in reaches) - 1

    def __call__(self, window: Window) -> Verdict:
        text = window.context + window.text
        shown = len(window.context)
        spans: set[tuple[int, int]] = set()
        decided = False
        for pattern, behind in self._patterns:
            for start, end in _matches(pattern, text):
                if end + behind > shown:  # else an earlier window had all of it
                    spans.add((start - shown, end - shown))
                    decided |= end + behind <= len(text) or window.final
        if not spans:
            return _NOTHING
        # What follows may still unmake a match at the end: a second look will tell, unless there is another to act on.
        return Verdict(decided, (self._category,), spans=tuple(sorted(spans)), suspect=not decided)

    def __repr__(self) -> str:
        return f"<Blocklist of {self._size} entries>"


_NOTHING = Verdict(flagged=False)


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Every match, those that overlap an earlier one too: what a shorter one leaves over must not be shown."""
    found = pattern.search(text)
    while found is not None:
        if found.end() > found.start():
            yield found.span()
        found = pattern.search(text, found.start() + 1)


def _reach(pattern: re.Pattern[str], number: int) -> _Reach:
    named = f"entry {number} of the blocklist, the pattern {pattern.pattern!r},"
    parsed: Any = cast(Any, _parser).parse(pattern.pattern, pattern.flags)
    width: int = parsed.getwidth()[1]
    before, behind = _around(parsed, named)
    if max(width, before, behind) >= cast(Any, _constants).MAXREPEAT:
        raise ValueError(
            f"{named} has no greatest length, so no holdback is long enough for it: "
            "bound it, as in \\d{1,20} for \\d+ and [^<]{0,200} for .*"
        )
    if width == 0:
        raise ValueError(f"{named} matches no text")
    return _Reach(before, width, behind)


def _around(parsed: Any, named: str) -> tuple[int, int]:
    """How far the assertions of a parsed pattern look before and behind it, at most."""
    before = behind = 0
    for operation, argument in parsed:
        name = str(operation)
        if name in ("ASSERT", "ASSERT_NOT"):
            direction, inner = argument
            width = inner.getwidth()[1]
            inner_before, inner_behind = _around(inner, named)
            if direction < 0:
                before = max(before, width + inner_before)
            else:
                behind = max(behind, width + inner_behind)
        elif name == "AT":
            where = str(argument)
            if where in ("AT_BOUNDARY", "AT_NON_BOUNDARY"):
                before, behind = max(before, 1), max(behind, 1)
            else:
                raise ValueError(f"{named} is anchored at an edge of the text, and a window has no such edge")
        else:
            for inner in _inner(argument):
                inner_before, inner_behind = _around(inner, named)
                before, behind = max(before, inner_before), max(behind, inner_behind)
    return before, behind


def _inner(argument: Any) -> Iterator[Any]:
    """The patterns inside one operation of a parsed pattern."""
    if isinstance(argument, cast(Any, _parser).SubPattern):
        yield argument
    elif isinstance(argument, list | tuple):
        for one in argument:  # pyright: ignore[reportUnknownVariableType]
            yield from _inner(one)
