"""Adjacent text deltas as fewer, larger ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from rxstream.timing._merge import merge, mergeable

_T = TypeVar("_T")


class Coalesce(Generic[_T]):
    """Collect the text deltas of one part, and emit them as one, at the latest `seconds` after the first.

    Any other value is emitted after what is held, so that the order stays. Memory: the deltas of `seconds`.
    """

    def __init__(self, seconds: float, max_chars: int | None) -> None:
        self._seconds = seconds
        self._max_chars = max_chars
        self._run: list[_T] = []
        self._chars = 0
        self.due: float | None = None

    def feed(self, value: _T, now: float) -> Iterable[_T]:
        run = self._run
        size = 0
        held: tuple[_T, ...] = ()
        if not mergeable(run[-1] if run else value, value):
            held = self._release()
            if not mergeable(value, value):
                return (*held, value)
        if self._max_chars is not None:
            size = _size(value)
            if self._run and self._chars + size > self._max_chars:
                held = self._release()
        if not self._run:
            self.due = now + self._seconds
        self._run.append(value)
        self._chars += size
        if self._max_chars is not None and self._chars >= self._max_chars:
            return (*held, *self._release())
        return held

    def tick(self, now: float) -> Iterable[_T]:
        return self._release()

    def finish(self, now: float) -> Iterable[_T]:
        return self._release()

    def fail(self, now: float) -> Iterable[_T]:
        return self._release()

    def _release(self) -> tuple[_T, ...]:
        run, self._run, self._chars, self.due = self._run, [], 0, None
        if not run:
            return ()
        return (run[0] if len(run) == 1 else merge(run),)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(value.delta)
