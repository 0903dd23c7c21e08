"""Values that are only ever added, so that any earlier state can be read again."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any, Generic, TypeVar, cast

_T = TypeVar("_T")


class Log(Generic[_T]):
    """Values in order, each with its *moment*, a number that never falls.

    Adding costs the same however much is there. Another thread may read while one adds.
    """

    __slots__ = ("_joined", "at", "starts", "values")

    def __init__(self) -> None:
        self.values: list[_T] = []
        self.at: list[int] = []
        self.starts: list[int] = []
        """The places of those values that are the whole truth: what was before them does not count any more."""
        self._joined: tuple[int, int, str] = (0, 0, "")

    def add(self, moment: int, value: _T) -> None:
        """A value that goes on from those before it."""
        # In this order another thread sees either nothing of it or all.
        self.values.append(value)
        self.at.append(moment)

    def replace(self, moment: int, value: _T) -> None:
        """A value that takes the place of all before it."""
        self.starts.append(len(self.values))
        self.add(moment, value)

    @property
    def whole(self) -> bool:
        """Whether the last value was the whole truth."""
        return bool(self.starts) and self.starts[-1] == len(self.values) - 1

    def last(self, since: int, until: int) -> tuple[int, _T] | None:
        """The last value after the moment `since`, up to `until`, with its own moment."""
        end = bisect_right(self.at, until)
        if not end or self.at[end - 1] <= since:
            return None
        return self.at[end - 1], self.values[end - 1]

    def read(self, base: Any, since: int, until: int) -> Any:
        """What became of `base`, the truth at the moment `since`, by `until`: texts and lists grow, others change.

        A base that is of another type than what was added to it does not count: what came did not fit its field.
        """
        end = bisect_right(self.at, until)
        start = bisect_right(self.at, since, hi=end)
        whole = bisect_left(self.starts, end) - 1
        if whole >= 0 and self.starts[whole] >= start:
            start, base = self.starts[whole], None
        if start == end:
            return base
        first = self.values[start]
        if isinstance(first, str):
            return (base if isinstance(base, str) else "") + self._join(start, end)
        if isinstance(first, list):
            grown: list[Any] = list(cast("list[Any]", base)) if isinstance(base, list) else []
            for more in cast("list[list[Any]]", self.values[start:end]):
                grown.extend(more)
            return grown
        return self.values[end - 1]

    def _join(self, start: int, end: int) -> str:
        """The text from `start` to `end`. Asked again at each delta, it costs one copy of the text, no more."""
        first, last, text = self._joined
        if first != start or last > end:
            last, text = start, ""
        text += "".join(cast("list[str]", self.values[last:end]))
        self._joined = start, end, text
        return text
