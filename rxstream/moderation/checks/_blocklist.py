"""A check of words and patterns, which knows what of a text must be held back for it."""

import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rxstream.moderation.checks._patterns import SearchPattern, read, searched
from rxstream.moderation.machine._window import Verdict, Window

if TYPE_CHECKING:
    import regex


class Blocklist:
    """Flags every window in which one of the entries occurs, and says where.

        rxs.debounce_moderation(Blocklist(["hunter2", re.compile(r"sk-[A-Za-z0-9]{8,64}")]), on_flag="replace")

    A `str` is found wherever it stands, also inside a longer word, and in either Unicode form of its accents. A
    compiled regular expression is found as it is: write `re.compile(r"\\bass\\b")` for a whole word.

    What may still be the beginning of a match is held back until its end has come, or cannot come any more: nothing of
    a match leaves. So a pattern without a greatest length (`\\d+`) may hold back much, at most `max_buffer`.

    The patterns are searched by the `regex` package as `re` would, but that letters and digits are those of its Unicode
    version, and combining marks are part of a word.

    Args:
        entries: words and patterns, compiled by `re` or by `regex`.
        ignore_case: whether case counts in the words. A pattern has its own flags.
        category: the category of the verdicts. Never the entry itself: a verdict is shown.
        timeout: seconds for the search of one entry in one window. A pattern that takes longer fails as a check fails.

    Raises: ValueError: a pattern that is anchored at the edges of the text (`^`, `$`, `\\A`, `\\Z`), which a window has
    not; that has an assertion without a greatest length (`(?=.*x)`), or what only `regex` knows, but for `\\p{…}`; an
    empty entry. TypeError: an entry of another type.
    """

    def __init__(
        self,
        entries: "Iterable[str | re.Pattern[str] | regex.Pattern[str]]",
        *,
        ignore_case: bool = True,
        category: str = "blocklist",
        timeout: float = 1.0,
    ) -> None:
        import regex  # heavy, and not needed by programs that moderate nothing

        if isinstance(entries, str):
            raise TypeError("Blocklist takes a list of entries, not one str")
        words: set[str] = set()
        self._entries: list[SearchPattern] = []
        self._size = 0
        for number, entry in enumerate(entries):
            self._size += 1
            if isinstance(entry, str):
                if not entry:
                    raise ValueError(f"entry {number} of the blocklist is empty")
                words.update(unicodedata.normalize(form, entry) for form in ("NFC", "NFD"))
                words.add(entry)
            elif not isinstance(entry, re.Pattern | regex.Pattern):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"entry {number} of the blocklist is a {type(entry).__name__}: give a str or a pattern")
            else:
                named = f"entry {number} of the blocklist, the pattern {entry.pattern!r},"
                self._entries.append(read(entry, named))
        if words:
            listed = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
            self._entries.append(searched(listed, regex.IGNORECASE if ignore_case else 0))
        self._before = max((entry.before for entry in self._entries), default=0)
        self._category = category
        self._timeout = timeout

    def __call__(self, window: Window) -> Verdict:
        text = window.context + window.text
        shown = len(window.context)
        first = self._before if window.start > shown else 0
        """In front of it a match cannot be told: what is before it is not shown. Earlier windows told."""
        held = len(text)
        spans: set[tuple[int, int]] = set()
        decided = False
        for entry in self._entries:
            undecided = len(text) if window.final else entry.undecided(text, self._timeout)
            held = min(held, undecided)
            known = len(text) if entry.steady else entry.undecided(window.context, self._timeout)
            for start, end in entry.spans(text, self._timeout):
                if start >= first and (end > shown or start >= known):  # else an earlier window had all of it
                    spans.add((start - shown, end - shown))
                    decided |= entry.steady or start < undecided
        return Verdict(
            decided,
            (self._category,) if spans else (),
            spans=tuple(sorted(spans)),
            # What follows may still unmake a match at the end: a second look will tell, unless another decides.
            suspect=bool(spans) and not decided,
            holdback=0 if window.final else min(len(text) - held + self._before, len(text)),
        )

    def __repr__(self) -> str:
        return f"<Blocklist of {self._size} entries>"
