"""What happens where a reader is too far behind its stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args

from rxstream.errors import BufferOverflowError
from rxstream.timing._merge import LONGEST_RUN, merge, mergeable

_T = TypeVar("_T")

Overflow = Literal["pause", "error", "drop_oldest", "conflate"]


def check_overflow(buffer: int, overflow: Overflow) -> None:
    """Raises: TypeError if `buffer` is not an `int`; ValueError if it is less than 1, or `overflow` is unknown."""
    if isinstance(buffer, bool) or not isinstance(buffer, int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"buffer must be a number of values, got {buffer!r}")
    if buffer < 1:
        raise ValueError(f"buffer must be 1 or more, got {buffer}")
    if overflow not in get_args(Overflow):
        raise ValueError(f'overflow must be "pause", "error", "drop_oldest" or "conflate", got {overflow!r}')


class Backlog(Protocol[_T]):
    """Says what a reader gets next of values that are all kept. Each reader has its own.

    A reader is too far behind if more than `size` values wait for it.
    """

    def take(self, values: Sequence[_T], position: int) -> tuple[_T, int]:
        """The next value of the reader, and its new position. At least one value waits at `position`.

        Raises: BufferOverflowError.
        """
        ...


def backlog_of(overflow: Overflow, size: int) -> Callable[[], Backlog[Any]]:
    """Makes the `Backlog` of each reader. `"pause"` has none."""
    if overflow == "error":
        return lambda: FailingBacklog[Any](size)
    if overflow == "drop_oldest":
        return lambda: DroppingBacklog[Any](size)
    return lambda: ConflatingBacklog[Any](size)


class FailingBacklog(Generic[_T]):
    """A reader that is too far behind gets the `size` values that wait first, and then an error."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._end: int | None = None
        """The position of the error."""

    def take(self, values: Sequence[_T], position: int) -> tuple[_T, int]:
        if self._end is None and len(values) - position > self._size:
            self._end = position + self._size
        if position == self._end:
            raise BufferOverflowError(
                f"a subscriber was more than {self._size} values behind the stream: "
                "make it faster, or pass a larger buffer= or another overflow="
            )
        return values[position], position + 1


class DroppingBacklog(Generic[_T]):
    """A reader that is too far behind gets the `size` newest values; those before them are lost."""

    def __init__(self, size: int) -> None:
        self._size = size

    def take(self, values: Sequence[_T], position: int) -> tuple[_T, int]:
        position = max(position, len(values) - self._size)
        return values[position], position + 1


class ConflatingBacklog(Generic[_T]):
    """A reader that is too far behind gets adjacent text deltas of one part as one. Nothing is lost."""

    def __init__(self, size: int) -> None:
        self._size = size

    def take(self, values: Sequence[_T], position: int) -> tuple[_T, int]:
        first, end = values[position], position + 1
        if len(values) - position <= self._size:
            return first, end
        last = min(len(values), position + LONGEST_RUN)
        while end < last and mergeable(values[end - 1], values[end]):
            end += 1
        return (first if end == position + 1 else merge(values[position:end])), end
