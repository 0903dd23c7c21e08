"""The events that are held, in queues that keep their order.

Each output item has a queue. Deltas and other events of one content part are one *row* of it, in order; rows do not
wait for each other. An event of the whole item waits for all rows before it, and all rows after it wait for it.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

from rxstream.moderation.machine._lane import Lane

RowKey: TypeAlias = tuple[str, int]
"""The part that a row is for: the name of its index (`content_index`, `summary_index`, …), and the index."""


class LanePrefix(NamedTuple):
    """The text of `lane` up to `end`. If `end` is None, all of its text, once the lane has ended."""

    lane: Lane
    end: int | None


class HeldDeltas:
    """Deltas of one lane with no other event of their row between them."""

    __slots__ = ("deltas", "end", "lane", "start")

    def __init__(self, lane: Lane, start: int) -> None:
        self.lane = lane
        self.start = start
        """Where the text of the first delta begins."""
        self.end = start
        self.deltas: deque[tuple[int, Any]] = deque()
        """The end of the text of each delta, and its event."""

    def add(self, event: Any) -> None:
        self.end = self.lane.text.length
        self.deltas.append((self.end, event))


class HeldEvent:
    """An event that waits until the texts in it are safe.

    `repeats` are the texts of its slots, in order; `side_texts` its other texts.
    """

    __slots__ = ("event", "repeats", "route", "side_texts")

    def __init__(self, event: Any, route: Any, repeats: list[LanePrefix], side_texts: list["SideText"]) -> None:
        self.event = event
        self.route = route
        self.repeats = repeats
        self.side_texts = side_texts

    def lanes(self) -> Iterator[Lane]:
        """The lanes that it waits for."""
        for prefix in self.repeats:
            yield prefix.lane
        for side_text in self.side_texts:
            yield side_text.lane

    def ready(self) -> bool:
        return all(lane.passed if end is None else lane.safe >= end for lane, end in self.repeats) and all(
            side_text.safe for side_text in self.side_texts
        )


class SideText(NamedTuple):
    """A text that is in no lane of the API, and its place in the lane that was made to check it."""

    lane: Lane
    start: int
    end: int
    text: str

    @property
    def safe(self) -> bool:
        return self.lane.safe >= self.end

    @property
    def edited(self) -> bool:
        return self.lane.edits.overlap(self.start, self.end)


Entry: TypeAlias = HeldDeltas | HeldEvent


class _Section:
    """The rows between two events of the whole item."""

    __slots__ = ("barrier", "rows")

    def __init__(self) -> None:
        self.rows: dict[RowKey, deque[Entry]] = {}
        self.barrier: HeldEvent | None = None


class ItemQueue:
    """The held events of one output item."""

    __slots__ = ("_sections",)

    def __init__(self) -> None:
        self._sections: deque[_Section] = deque()

    def __bool__(self) -> bool:
        return bool(self._sections)

    def put(self, key: RowKey | None, entry: Entry) -> None:
        """Add an entry at the end of its row; without a key, after all rows."""
        sections = self._sections
        if not sections or sections[-1].barrier is not None:
            sections.append(_Section())
        if key is None:
            assert isinstance(entry, HeldEvent)
            sections[-1].barrier = entry
        else:
            sections[-1].rows.setdefault(key, deque()).append(entry)

    def last(self, key: RowKey) -> Entry | None:
        """The last entry of this row, if the next one follows it directly."""
        if not self._sections or self._sections[-1].barrier is not None:
            return None
        row = self._sections[-1].rows.get(key)
        return row[-1] if row else None

    def drain(self, emit: Callable[[Entry], bool]) -> None:
        """Call `emit` with each entry that is first in its row; an entry is removed if `emit` returns True."""
        sections = self._sections
        while sections:
            first = sections[0]
            for key in list(first.rows):
                row = first.rows[key]
                while row and emit(row[0]):
                    row.popleft()
                if not row:
                    del first.rows[key]
            if first.rows or (first.barrier is not None and not emit(first.barrier)):
                return
            sections.popleft()
