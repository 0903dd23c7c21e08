"""Counts and times of a stream."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from reactivex import Observable
from reactivex import operators as ops

from rxstream.typing import Operator

_T = TypeVar("_T")


class Stopwatch:
    """Counts the events and characters of a stream, and measures the time since the stopwatch was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._first_text: float | None = None
        self._events = 0
        self._characters = 0

    def events(self) -> Callable[[Observable[_T]], Observable[_T]]:
        """An operator that counts the events."""

        def count(_: object) -> None:
            self._events += 1

        return ops.do_action(count)

    def text(self) -> Operator[str, str]:
        """An operator that counts the characters, and measures the time to the first."""

        return ops.do_action(self.note_text)

    def note_text(self, piece: str) -> None:
        """Count the characters of a piece of text, and measure the time to the first."""
        if self._first_text is None:
            self._first_text = time.perf_counter() - self._start
        self._characters += len(piece)

    def elapsed(self) -> str:
        """The time so far, as the begin of a line."""
        return f"{time.perf_counter() - self._start:7.2f} s  "

    def summary(self) -> str:
        """The counts and times in one line."""
        first = "no text" if self._first_text is None else f"first text after {self._first_text * 1000:.0f} ms"
        total = time.perf_counter() - self._start
        return f"{self._events} events · {first} · {self._characters} characters · {total:.2f} s in total"
