"""The matches of patterns in a window, and what must stay back because a match may begin there."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from rxstream.moderation.machine._window import Window


class WindowPattern(Protocol):
    """What is searched in windows: a `SearchPattern`, or one that wraps it."""

    @property
    def before(self) -> int:
        """The most characters before a match that the pattern looks at."""
        ...

    @property
    def stable(self) -> bool:
        """Whether no text that follows can undo a match. It may grow."""
        ...

    def spans(self, text: str, timeout: float) -> Iterator[tuple[int, int]]: ...

    def undecided(self, text: str, timeout: float) -> int: ...


class Match(NamedTuple):
    """A match, counted from the beginning of `Window.text`."""

    start: int
    end: int
    pattern: int
    """The number of its pattern."""


class Matches(NamedTuple):
    """What a window has of all patterns."""

    found: list[Match]
    undecided: bool
    """Whether the text that follows may undo one of them."""
    holdback: int


def find_matches(patterns: Sequence[WindowPattern], window: Window, timeout: float) -> Matches:
    """Search all patterns. A match that an earlier window had is left out.

    Raises: TimeoutError: a search took longer than `timeout`.
    """
    text = window.context + window.text
    context_size = len(window.context)
    before = max((pattern.before for pattern in patterns), default=0)
    first = before if window.start > context_size else 0
    """Before this offset the context lacks what an assertion looks at. An earlier window found those matches."""
    holdback_start = len(text)
    found: list[Match] = []
    any_undecided = False
    for number, pattern in enumerate(patterns):
        undecided = len(text) if window.final else pattern.undecided(text, timeout)
        holdback_start = min(holdback_start, undecided)
        context_decided = len(text) if pattern.stable else pattern.undecided(window.context, timeout)
        for start, end in pattern.spans(text, timeout):
            found_before = end <= context_size and start < context_decided
            if start >= first and not found_before:
                found.append(Match(start - context_size, end - context_size, number))
                any_undecided |= not pattern.stable and start >= undecided
    holdback = 0 if window.final else min(len(text) - holdback_start + before, len(text))
    return Matches(found, any_undecided, holdback)
