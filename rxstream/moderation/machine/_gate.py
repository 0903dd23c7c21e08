"""The gate: what waits, behind what, and for which marks.

Each output item has a *shelf*. Text and the structural events of one content part stand in one row of it, in order;
rows do not wait for each other. An event of the whole item waits for every row, and every row waits for it.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

from rxstream.moderation.machine._lane import Lane

RowKey: TypeAlias = tuple[str, int]
"""Which part of the item a row holds: its group (`content_index`, `summary_index` …) and its index there."""


class Need(NamedTuple):
    """An event may not be shown before `lane` is safe up to `end`; None: to its end, which has not come yet."""

    lane: Lane
    end: int | None


class Run:
    """Text of one lane that stands together: nothing of its row came between."""

    __slots__ = ("at", "end", "lane", "pieces")

    def __init__(self, lane: Lane, start: int) -> None:
        self.lane = lane
        self.at = start
        """Where the first of `pieces` begins."""
        self.end = start
        self.pieces: deque[tuple[int, Any]] = deque()
        """Where the text of each delta ends, and the event that it came in."""

    def add(self, event: Any) -> None:
        self.end = self.lane.text.length
        self.pieces.append((self.end, event))


class Held:
    """An event that waits. `copies` say whose text its slots repeat, in order; `asides` what else it says."""

    __slots__ = ("asides", "copies", "event", "route")

    def __init__(self, event: Any, route: Any, copies: list[Need], asides: list["Aside"]) -> None:
        self.event = event
        self.route = route
        self.copies = copies
        self.asides = asides

    def lanes(self) -> Iterator[Lane]:
        """The lanes that it waits for."""
        for need in self.copies:
            yield need.lane
        for aside in self.asides:
            yield aside.lane

    def ready(self) -> bool:
        return all(lane.passed if end is None else lane.safe >= end for lane, end in self.copies) and all(
            aside.lane.safe >= aside.end for aside in self.asides
        )


class Aside(NamedTuple):
    """A text beside the lanes, and where it stands in the lane that was made to judge it."""

    lane: Lane
    start: int
    end: int
    text: str


Entry: TypeAlias = Run | Held


class _Stretch:
    """What stands on a shelf between two events of the whole item."""

    __slots__ = ("barrier", "rows")

    def __init__(self) -> None:
        self.rows: dict[RowKey, deque[Entry]] = {}
        self.barrier: Held | None = None


class Shelf:
    """What waits for one output item."""

    __slots__ = ("_stretches",)

    def __init__(self) -> None:
        self._stretches: deque[_Stretch] = deque()

    def __bool__(self) -> bool:
        return bool(self._stretches)

    def put(self, key: RowKey | None, entry: Entry) -> None:
        """Add an entry at the end of its row; or, without a key, behind everything there is."""
        stretches = self._stretches
        if not stretches or stretches[-1].barrier is not None:
            stretches.append(_Stretch())
        if key is None:
            assert isinstance(entry, Held)
            stretches[-1].barrier = entry
        else:
            stretches[-1].rows.setdefault(key, deque()).append(entry)

    def last(self, key: RowKey) -> Entry | None:
        """The entry that would stand in front of the next one of this row, if that is in the same stretch."""
        if not self._stretches or self._stretches[-1].barrier is not None:
            return None
        row = self._stretches[-1].rows.get(key)
        return row[-1] if row else None

    def drain(self, step: Callable[[Entry], bool]) -> None:
        """Offer `step` every entry whose turn it is, until it takes no more."""
        stretches = self._stretches
        while stretches:
            first = stretches[0]
            for key in list(first.rows):
                row = first.rows[key]
                while row and step(row[0]):
                    row.popleft()
                if not row:
                    del first.rows[key]
            if first.rows or (first.barrier is not None and not step(first.barrier)):
                return
            stretches.popleft()
