"""Values that are only added, so that every earlier version can still be read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any, Generic, TypeVar, cast

_T = TypeVar("_T")


class Versioned(Generic[_T]):
    """The values of one thing, each with its version, a number that never falls.

    An addition costs the same however many values there are. Another thread may read meanwhile.
    """

    __slots__ = ("_joined", "starts", "values", "versions")

    def __init__(self) -> None:
        self.values: list[_T] = []
        self.versions: list[int] = []
        self.starts: list[int] = []
        """The places in `values` of those that replace all earlier ones."""
        self._joined: tuple[int, int, str] = (0, 0, "")

    def add(self, version: int, value: _T) -> None:
        """Add a value that continues the earlier ones."""
        # In this order another thread sees nothing of the value, or all of it.
        self.values.append(value)
        self.versions.append(version)

    def replace(self, version: int, value: _T) -> None:
        """Add a value that replaces all earlier ones."""
        self.starts.append(len(self.values))
        self.add(version, value)

    @property
    def whole(self) -> bool:
        """Whether the last value replaced all earlier ones."""
        return bool(self.starts) and self.starts[-1] == len(self.values) - 1

    def last(self, since: int, until: int) -> tuple[int, _T] | None:
        """The last value after version `since` and up to `until`, with its version."""
        end = bisect_right(self.versions, until)
        if not end or self.versions[end - 1] <= since:
            return None
        return self.versions[end - 1], self.values[end - 1]

    def read(self, base: Any, since: int, until: int) -> Any:
        """The value at version `until`, if it was `base` at version `since`. Texts and lists grow; others are replaced.

        A base of another type than the values does not count: the field had a value that did not fit it.
        """
        end = bisect_right(self.versions, until)
        start = bisect_right(self.versions, since, hi=end)
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
        """The text from `start` to `end`. Read after each delta, it costs one copy of the text each time."""
        first, last, text = self._joined
        if first != start or last > end:
            last, text = start, ""
        text += "".join(cast("list[str]", self.values[last:end]))
        self._joined = start, end, text
        return text
