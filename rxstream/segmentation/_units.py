"""Text in pieces, cut into units: words, characters, lines, or whatever a pattern or a function says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol, TypeAlias

from rxstream.segmentation._graphemes import Graphemes
from rxstream.segmentation._lines import Lines
from rxstream.segmentation._words import Words

Unit: TypeAlias = Literal["word", "char", "line"] | str | re.Pattern[str] | Callable[[str], int | None]
"""What goes out as one: a name; a regular expression, each match of which is a unit (what stands before a match belongs
to it); or a function from a text to the length of its first unit, None while that may still grow."""

_LONGEST: Final = 4096
"""So many characters without an end are a unit all the same, or each piece would have them looked at again."""


class Splitter(Protocol):
    """Joined, the units are the text."""

    def feed(self, text: str, /) -> list[str]:
        """The units that are whole now."""
        ...

    def finish(self) -> list[str]:
        """What was held back because it might have grown."""
        ...


def splitter_of(unit: Unit) -> Callable[[], Splitter]:
    """What makes a splitter for a unit.

    Raises: TypeError: it is neither a name, nor a pattern, nor a function. ValueError: no such name; no valid pattern.
    """
    named: dict[Any, Callable[[], Splitter]] = {
        "word": lambda: Words(keep_space=True),
        "char": Graphemes,
        "line": lambda: Lines(keep_ends=True),
    }
    if isinstance(unit, str):
        if unit in named:
            return named[unit]
        if unit.isidentifier() or not unit:
            raise ValueError(f"unit must be 'word', 'char', 'line', a regular expression or a function, not {unit!r}")
        try:
            unit = re.compile(unit)
        except re.error as error:
            raise ValueError(f"unit {unit!r} is no regular expression: {error}") from None
    if isinstance(unit, re.Pattern):
        pattern = unit
        return lambda: _Cut(lambda text: _first_match(pattern, text))
    if not callable(unit):
        raise TypeError(f"unit must be a name, a regular expression or a function, not {unit!r}")
    function = unit
    return lambda: _Cut(function)


def _first_match(pattern: re.Pattern[str], text: str) -> int | None:
    """The end of the first match that is not empty and does not touch the end of the text, where it might grow."""
    for match in pattern.finditer(text):
        if match.end() == len(text):
            return None
        if match.end() > match.start():
            return match.end()
    return None


class _Cut:
    """Cut the text again and again where a function says. Memory: one unit."""

    def __init__(self, first: Callable[[str], int | None]) -> None:
        self._first = first
        self._held = ""

    def feed(self, text: str) -> list[str]:
        self._held += text
        units: list[str] = []
        start = 0
        while start < len(self._held):
            ahead = self._held[start : start + _LONGEST]
            size = self._first(ahead)
            if not size:
                if len(ahead) < _LONGEST:
                    break
                size = _LONGEST
            if not 0 < size <= len(ahead):
                raise ValueError(f"a unit of {size} characters was found in a text of {len(ahead)}")
            units.append(ahead[:size])
            start += size
        self._held = self._held[start:]
        return units

    def finish(self) -> list[str]:
        held, self._held = self._held, ""
        return [held] if held else []
