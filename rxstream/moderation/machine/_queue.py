"""The events that are held, in queues that keep their order.

Each output item has a queue. Deltas and other events of one content part are one *row* of it, in order; rows do not
wait for each other. An event of the whole item waits for all rows before it, and all rows after it wait for it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._routes import Route
from rxstream.moderation.machine._structure import Leaf

RowKey: TypeAlias = tuple[str, int]
"""The part that a row is for: the name of its index (`content_index`, `summary_index`, …), and the index."""


class Fragment(NamedTuple):
    """A text of a held event, and where a lane has it: from `start` to `end`.

    Without an `end`: all text of the lane, once the lane has ended.
    """

    leaf: Leaf | None
    """None: the event waits for the lane, and has no text of it."""
    lane: Lane
    start: int
    end: int | None

    @property
    def ready(self) -> bool:
        return self.lane.passed if self.end is None else self.lane.text.reaches(self.lane.safe, self.end)

    @property
    def passed(self) -> bool:
        return self.ready and not self.edited

    @property
    def edited(self) -> bool:
        end = self.lane.text.length if self.end is None else self.end
        return bool(self.lane.edits.between(self.start, end))


class HeldDeltas:
    """Deltas of one lane with no other event of their row between them."""

    def __init__(self, lane: Lane, start: int) -> None:
        self.lane = lane
        self.start = start
        """Where the text of the first delta begins."""
        self.end = start
        self.deltas: deque[tuple[int, Any]] = deque()
        """The end of the text of each delta, and its event."""
        self.size = 0
        """The number of deltas, and of the characters that are not emitted."""

    def add(self, event: Any) -> None:
        self.end = self.lane.text.end
        self.deltas.append((self.end, event))

    @property
    def next(self) -> int:
        """The offset of the first character that is not emitted. Text before `start` came in other events."""
        return max(self.lane.emitted, self.start)

    def count(self) -> int:
        """Count the size again. Returns the change."""
        before = self.size
        self.size = len(self.deltas) + max(self.end - self.next, 0)
        return self.size - before


class HeldEvent:
    """An event that waits until its texts are safe."""

    def __init__(
        self,
        event: Any,
        dump: Any = None,
        route: Route | None = None,
        fragments: Iterable[Fragment] = (),
        *,
        unchecked: int = 0,
        ends_call: bool = False,
    ) -> None:
        self.event = event
        self.dump = dump
        """The JSON of the event, which the leaves of its fragments are in."""
        self.route = route
        """None: the event is left out if one of its texts is flagged."""
        self.ends_call = ends_call
        """Whether a tool may run because of it: then it waits for its texts in every mode."""
        self.fragments = tuple(fragments)
        texts = (fragment.leaf.text for fragment in self.fragments if fragment.leaf is not None)
        self.size = 1 + unchecked + sum(map(len, texts))
        """One for the event, and the characters of its text. So many as `unchecked` of these are not moderated."""
        self._ready = 0
        """So many of the fragments are ready."""

    def awaited(self) -> Lane | None:
        """A lane that the event waits for. None if it may be emitted."""
        while self._ready < len(self.fragments):
            if not self.fragments[self._ready].ready:
                return self.fragments[self._ready].lane
            self._ready += 1
        return None


Entry: TypeAlias = HeldDeltas | HeldEvent


class _Section:
    """The rows between two events of the whole item."""

    def __init__(self) -> None:
        self.rows: dict[RowKey, deque[Entry]] = {}
        self.barrier: HeldEvent | None = None


class ItemQueue:
    """The held events of one output item."""

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

    @property
    def first_rows(self) -> Iterable[RowKey | None]:
        """The rows with an entry that waits for no other."""
        return (*self._sections[0].rows, None) if self._sections else ()

    def drain(self, row: RowKey | None, emit: Callable[[Entry], Lane | None]) -> Iterator[tuple[RowKey | None, Lane]]:
        """Call `emit` with the first entries of a row, and with all that waited for these. Yields what stays.

        `emit` returns the lane that an entry waits for, or None: then it is removed. Yields the row of each entry that
        stays, and its lane.
        """
        rows: Iterable[RowKey | None] = (row,)
        while self._sections:
            first = self._sections[0]
            for key in rows:
                entries = first.rows.get(key) if key is not None else None
                while entries:
                    lane = emit(entries[0])
                    if lane is not None:
                        yield key, lane
                        break
                    entries.popleft()
                    if not entries and key is not None:
                        del first.rows[key]
            if first.rows:
                return
            if first.barrier is not None and (lane := emit(first.barrier)) is not None:
                yield None, lane
                return
            self._sections.popleft()
            rows = self.first_rows
