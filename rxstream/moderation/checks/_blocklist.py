"""A check for words and patterns, which holds back only text that may begin a match."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rxstream.moderation.checks._folding import is_invisible, words_pattern
from rxstream.moderation.checks._patterns import search_pattern
from rxstream.moderation.checks._search import WindowPattern, find_matches
from rxstream.moderation.machine._window import Verdict, Window

if TYPE_CHECKING:
    import regex


class Blocklist:
    """Flags each window that has a match of one of the entries, with the spans of the matches.

        rxs.debounce_moderation(Blocklist(["hunter2", re.compile(r"sk-[A-Za-z0-9]{8,64}")]), on_flag="replace")

    A `str` is found anywhere, also inside a longer word. It is found with composed or decomposed accents, in full-width
    and other compatibility forms (NFKC), and with zero-width characters and soft hyphens between its letters. A regular
    expression matches the text as it is. For a whole word give one: `re.compile(r"\\bass\\b")`.

    The spans are those of the matches: what a lookaround looks at is not in them.

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
    TypeError: an entry of another type, also a pattern of bytes.
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
        words: list[str] = []
        self._patterns: list[WindowPattern] = []
        self._size = 0
        for number, entry in enumerate(entries):
            self._size += 1
            if isinstance(entry, str):
                if is_invisible(entry):
                    raise ValueError(f"entry {number} of the blocklist is empty, or has no visible character")
                words.append(entry)
            elif not isinstance(entry, re.Pattern | regex.Pattern):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(
                    f"entry {number} of the blocklist must be a str or a compiled pattern, got {type(entry).__name__}"
                )
            elif isinstance(entry.pattern, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(
                    f"entry {number} of the blocklist is a pattern of bytes, and a window is text: "
                    "compile it from a str"
                )
            else:
                name = f"entry {number} of the blocklist, the pattern {entry.pattern!r},"
                self._patterns.append(search_pattern(entry, name))
        if words:
            self._patterns.append(words_pattern(words, ignore_case=ignore_case))
        self._category = category
        self._timeout = timeout

    def __call__(self, window: Window) -> Verdict:
        found, undecided, holdback = find_matches(self._patterns, window, self._timeout)
        return Verdict(
            bool(found) and not undecided,
            (self._category,) if found else (),
            spans=tuple(sorted({(match.start, match.end) for match in found})),
            # The window is checked again with more text, until that decides all matches.
            suspect=undecided,
            holdback=holdback,
        )

    def __repr__(self) -> str:
        return f"<Blocklist of {self._size} entries>"
