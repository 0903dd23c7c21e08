"""A check for words and patterns, which holds back only text that may begin a match."""

import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rxstream.moderation.checks._patterns import SearchPattern, compile_pattern, search_pattern
from rxstream.moderation.machine._window import Verdict, Window

if TYPE_CHECKING:
    import regex


class Blocklist:
    """Flags each window that has a match of one of the entries, with the spans of the matches.

        rxs.debounce_moderation(Blocklist(["hunter2", re.compile(r"sk-[A-Za-z0-9]{8,64}")]), on_flag="replace")

    A `str` is found anywhere, also inside a longer word, with composed or decomposed accents. For a whole word give a
    regular expression: `re.compile(r"\\bass\\b")`.

    Text that may begin a match is held back until the match is complete, or no longer possible: no part of a match is
    released. So a pattern without a greatest length (`\\d+`) may hold back much text, at most `max_buffer`.

    The `regex` package searches the patterns. It differs from `re` in two things: letters and digits follow its
    own Unicode version, and combining characters are part of a word.

    Args:
        entries: words and patterns, compiled by `re` or by `regex`.
        ignore_case: whether words match in upper and lower case. A pattern has its own flags.
        category: the category of the verdicts. Not the entry itself, because the subscriber gets the verdict.
        timeout: seconds for the search of one entry in one window. If it takes longer, the check fails.

    Raises: ValueError: an empty entry; a pattern with an anchor at an edge of the text (`^`, `$`, `\\A`, `\\Z`), with
    an assertion without a greatest length (`(?=.*x)`), or with syntax that only `regex` has, except `\\p{…}`.
    TypeError: an entry of another type.
    """

    holdback = 0
    """Each verdict says how much of its window stays back."""

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
            raise TypeError("Blocklist expects a list of entries, got one str: write Blocklist([...])")
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
                raise TypeError(
                    f"entry {number} of the blocklist must be a str or a compiled pattern, got {type(entry).__name__}"
                )
            else:
                name = f"entry {number} of the blocklist, the pattern {entry.pattern!r},"
                self._entries.append(search_pattern(entry, name))
        if words:
            words_pattern = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
            self._entries.append(compile_pattern(words_pattern, regex.IGNORECASE if ignore_case else 0))
        self._before = max((entry.before for entry in self._entries), default=0)
        self._category = category
        self._timeout = timeout

    def __call__(self, window: Window) -> Verdict:
        text = window.context + window.text
        context_size = len(window.context)
        first = self._before if window.start > context_size else 0
        """Before this offset the context lacks what an assertion looks at. An earlier window found those matches."""
        holdback_start = len(text)
        spans: set[tuple[int, int]] = set()
        decided = False
        for entry in self._entries:
            undecided = len(text) if window.final else entry.undecided(text, self._timeout)
            holdback_start = min(holdback_start, undecided)
            context_decided = len(text) if entry.stable else entry.undecided(window.context, self._timeout)
            for start, end in entry.spans(text, self._timeout):
                found_before = end <= context_size and start < context_decided
                if start >= first and not found_before:
                    spans.add((start - context_size, end - context_size))
                    decided |= entry.stable or start < undecided
        return Verdict(
            decided,
            (self._category,) if spans else (),
            spans=tuple(sorted(spans)),
            # The text that follows may undo a match at the end: the window is checked again with more text.
            suspect=bool(spans) and not decided,
            holdback=0 if window.final else min(len(text) - holdback_start + self._before, len(text)),
        )

    def __repr__(self) -> str:
        return f"<Blocklist of {self._size} entries>"
