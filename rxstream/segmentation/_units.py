"""Splits text that arrives in pieces into units: words, characters, lines, or what a pattern or a function makes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol, TypeAlias

from rxstream.segmentation._graphemes import Graphemes
from rxstream.segmentation._lines import Lines
from rxstream.segmentation._words import Words

Unit: TypeAlias = Literal["word", "char", "line"] | str | re.Pattern[str] | Callable[[str], int | None]
"""How text is split: a name; a regular expression, each match of which ends a unit; or a function from a text to the
length of its first unit, or to None while this unit may still grow."""

_MAX_UNIT: Final = 4096
"""Characters. A longer unit is split, because each new piece of text would search it again from its beginning."""


class Splitter(Protocol):
    """Splits text into units. Joined, the units are the text."""

    def feed(self, text: str, /) -> list[str]:
        """The units that are complete now."""
        ...

    def finish(self) -> list[str]:
        """The last units."""
        ...


def splitter_of(unit: Unit) -> Callable[[], Splitter]:
    """The function that makes splitters for a unit.

    Raises: TypeError: not a name, a pattern or a function. ValueError: an unknown name, or an invalid pattern.
    """
    names: dict[Any, Callable[[], Splitter]] = {
        "word": lambda: Words(keep_space=True),
        "char": Graphemes,
        "line": lambda: Lines(keep_ends=True),
    }
    if isinstance(unit, str):
        if unit in names:
            return names[unit]
        if unit.isidentifier() or not unit:
            raise ValueError(f"unit must be 'word', 'char', 'line', a regular expression or a function, got {unit!r}")
        try:
            unit = re.compile(unit)
        except re.error as error:
            raise ValueError(f"unit {unit!r} is not a regular expression: {error}") from None
    if isinstance(unit, re.Pattern):
        pattern = unit
        return lambda: _FunctionSplitter(lambda text: _first_match(pattern, text))
    if not callable(unit):
        raise TypeError(f"unit must be a name, a regular expression or a function, got {unit!r}")
    function = unit
    return lambda: _FunctionSplitter(function)


def _first_match(pattern: re.Pattern[str], text: str) -> int | None:
    """The end of the first match that is not empty. None if it touches the end of the text, where it may grow."""
    for match in pattern.finditer(text):
        if match.end() == len(text):
            return None
        if match.end() > match.start():
            return match.end()
    return None


class _FunctionSplitter:
    """Splits the text with a function. Memory: one unit."""

    def __init__(self, first_length: Callable[[str], int | None]) -> None:
        self._first_length = first_length
        self._unit = ""
        """The text of the next unit so far."""

    def feed(self, text: str) -> list[str]:
        self._unit += text
        units: list[str] = []
        start = 0
        while start < len(self._unit):
            ahead = self._unit[start : start + _MAX_UNIT]
            size = self._first_length(ahead)
            if not size:
                if len(ahead) < _MAX_UNIT:
                    break
                size = _MAX_UNIT
            if not 0 < size <= len(ahead):
                raise ValueError(f"the unit function must return a length from 1 to {len(ahead)}, got {size}")
            units.append(ahead[:size])
            start += size
        self._unit = self._unit[start:]
        return units

    def finish(self) -> list[str]:
        unit, self._unit = self._unit, ""
        return [unit] if unit else []
