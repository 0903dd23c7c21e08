"""The check that `rxstream.moderation.patterns` makes."""

from collections.abc import Callable
from typing import TypeAlias

from rxstream.moderation.checks._formats import DataFormat
from rxstream.moderation.checks._placeholders import PlaceholderTable
from rxstream.moderation.checks._search import Match, find_matches
from rxstream.moderation.machine._window import Verdict, Window

Reversible: TypeAlias = bool | PlaceholderTable | Callable[[], PlaceholderTable]
"""Whether matches get placeholders; the table for them; or a function that returns the table for the running call."""

_TIMEOUT = 1.0
"""Seconds for the search of one pattern in one window."""


class PatternCheck:
    """A check that finds personal data or secrets. The functions of `rxstream.moderation.patterns` make it.

    One object may serve any number of streams. If it is `reversible`, they share its `table`: for streams of different
    users make one check for each, or pass a function, which is called with each window that has a match, in the
    subscriber's context. So `reversible=TABLE.get` with a `ContextVar` gives each request its own.
    """

    holdback = 0
    """Each verdict says how much of its window stays back."""

    def __init__(self, formats: tuple[DataFormat, ...], *, reversible: Reversible = False) -> None:
        if not isinstance(reversible, bool | PlaceholderTable) and not callable(reversible):
            raise TypeError(
                f"reversible must be a bool, a PlaceholderTable or a function that returns one, got {reversible!r}"
            )
        self.formats = formats
        self._patterns = [each.pattern() for each in formats]
        self._reversible: bool | PlaceholderTable | Callable[[], PlaceholderTable]
        self._reversible = PlaceholderTable() if reversible is True else reversible

    @property
    def table(self) -> PlaceholderTable:
        """Placeholder -> the text that it stands for.

        Raises: ValueError: the check is not reversible.
        """
        table = self._find_table()
        if table is None:
            raise ValueError("the check has no table: make it with reversible=True")
        return table

    def __call__(self, window: Window) -> Verdict:
        found, undecided, holdback = find_matches(self._patterns, window, _TIMEOUT)
        if undecided or not found:
            return Verdict(False, suspect=undecided, holdback=holdback)
        spans = _joined(found)
        return Verdict(
            True,
            tuple(dict.fromkeys(self.formats[span.pattern].category for span in spans)),
            spans=tuple((span.start, span.end) for span in spans),
            holdback=holdback,
            replacements=self._placeholders(window, spans),
        )

    def mask(self, text: str, replacement: str = "[removed]") -> str:
        """A whole text with its matches replaced: by placeholders if the check is reversible, else by `replacement`.

        With the same table as a stream, the request that it answers can be masked too.
        """
        verdict = self(Window(text, final=True))
        replacements = verdict.replacements or (replacement,) * len(verdict.spans)
        for (start, end), placeholder in reversed(list(zip(verdict.spans, replacements, strict=True))):
            text = text[:start] + placeholder + text[end:]
        return text

    def _placeholders(self, window: Window, spans: list[Match]) -> tuple[str, ...]:
        table = self._find_table()
        if table is None:
            return ()
        text, size = window.context + window.text, len(window.context)
        return tuple(
            table.placeholder(self.formats[span.pattern].label, text[span.start + size : span.end + size])
            for span in spans
        )

    def _find_table(self) -> PlaceholderTable | None:
        if isinstance(self._reversible, bool):
            return None
        return self._reversible if isinstance(self._reversible, PlaceholderTable) else self._reversible()

    def __repr__(self) -> str:
        return f"<PatternCheck {', '.join(each.category for each in self.formats)}>"


def _joined(matches: list[Match]) -> list[Match]:
    """The matches in order. Those that overlap become one, of the pattern of the longest."""
    spans: list[Match] = []
    longest = 0
    for match in sorted(matches):
        size = match.end - match.start
        if not spans or match.start >= spans[-1].end:
            spans.append(match)
            longest = size
            continue
        last = spans[-1]
        pattern = match.pattern if size > longest else last.pattern
        longest = max(longest, size)
        spans[-1] = Match(last.start, max(last.end, match.end), pattern)
    return spans
