"""What a demo took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from reactivex import Observable
from reactivex import operators as ops

from rxstream.typing import Operator

_T = TypeVar("_T")


class Stopwatch:
    """Counts events and characters as they pass; seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._first_text: float | None = None
        self._events = 0
        self._characters = 0

    def events(self) -> Callable[[Observable[_T]], Observable[_T]]:
        """Count what passes."""

        def count(_: object) -> None:
            self._events += 1

        return ops.do_action(count)

    def text(self) -> Operator[str, str]:
        """Count the characters that pass, and note when the first did."""

        def measure(piece: str) -> None:
            if self._first_text is None:
                self._first_text = time.perf_counter() - self._began
            self._characters += len(piece)

        return ops.do_action(measure)

    def summary(self) -> str:
        """One line."""
        first = "no text" if self._first_text is None else f"first text after {self._first_text * 1000:.0f} ms"
        total = time.perf_counter() - self._began
        return f"{self._events} events · {first} · {self._characters} characters · {total:.2f} s in total"
