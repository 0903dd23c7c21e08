"""The sequence numbers of one response: events that came twice, and events that are missing.

Numbers are believed as long as they count. An event whose number was there before is a repeat if it is the same event,
and is not passed on: a connection that was resumed may repeat events. If it is another event, the server does not count
in the API's way (it begins anew with each item, or always sends 0). From then on numbers say nothing, so no event is
lost by them. docs/decisions/sequence-numbers.md has the measurements.
"""

from __future__ import annotations

import logging
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import repeat
from typing import Any

from rxstream.events import StreamingEvent, UnknownEvent

_log = logging.getLogger("rxstream")

_MOST_MISSING = 10_000
"""Numbers that jump further are not positions; they may be times."""

_AT_ONCE = 256
"""Deltas that are noted together, which costs half of noting each."""

_NO_EVENT = 0


class Numbering:
    """Notes the number of each event, and says which events came before.

    Memory: eight bytes an event.
    """

    def __init__(self) -> None:
        self._first = 0
        self._fingerprints = array("q")
        """Of the event of each number from the first; 0 for a number that no event had."""
        self._starts = array("q")
        """The positions from which on events have another class or index."""
        self._kinds = array("q")
        """The hash of that class and index."""
        self._unnumbered = 0
        """Events without a number since the last number."""
        self._repeated = -1
        """The position of the last event, if it was a repeat."""
        self.believed = True
        """Whether the numbers count the events, as far as is known."""
        self._reported = False

    def upcoming(self, number: int | None) -> Iterator[int | None]:
        """The numbers of the next events behind one with this number, if they are in order; for some of them."""
        if number is None:
            return repeat(None, 0 if self._fingerprints else _AT_ONCE)
        return iter(range(number + 1, number + _AT_ONCE if self.believed else 0))

    def note_deltas(self, deltas: list[str]) -> None:
        """Note deltas of the class and index of the last event, with the next numbers."""
        if self._fingerprints and self.believed:
            self._fingerprints.fromlist(list(map(hash, deltas)))  # faster than `extend`

    def is_repeat(self, event: StreamingEvent) -> bool:
        """Note an event; whether it came before."""
        number = event.sequence_number
        if number is None:
            self._unnumbered += not event.synthetic
            return False
        if not self.believed:
            return False
        following = len(self._fingerprints)
        if not following:
            self._first = number
        position = number - self._first
        kind = hash((type(event), getattr(event, "output_index", None)))
        if position < following:
            if position >= 0 and self._fingerprints[position] == _NO_EVENT:  # it was missing, and comes late
                self._fingerprints[position] = _fingerprint(event)
                return False
            same = (
                position >= 0
                and self._fingerprints[position] == _fingerprint(event)
                and self._kinds[bisect_right(self._starts, position) - 1] == kind
            )
            if not same or position == self._repeated:  # three times in a row is not a resumed connection
                return self._disbelieve(number)
            self._repeated = position
            return True
        missing = position - following - self._unnumbered
        if missing > 0 and not self._report_missing(number, missing):
            return self._disbelieve(number)
        if not following or kind != self._kinds[-1]:
            self._starts.append(position)
            self._kinds.append(kind)
        self._fingerprints.extend(repeat(_NO_EVENT, position - following))
        self._fingerprints.append(_fingerprint(event))
        self._unnumbered, self._repeated = 0, -1
        return False

    def _report_missing(self, number: int, missing: int) -> bool:
        """Whether the numbers up to this one may be those of events."""
        if missing > _MOST_MISSING or (len(self._fingerprints) == 1 and self._first > 1):
            return False  # numbers that have never counted
        self._report(
            f"expected event {self._first + len(self._fingerprints)} of the stream, got {number}: some are lost"
        )
        return True

    def _disbelieve(self, number: int) -> bool:
        if len(self._fingerprints) > 1:  # else the server has never counted
            self._report(f"sequence number {number} does not count the events: numbers are ignored in this stream")
        self.believed = False
        return False

    def _report(self, problem: str) -> None:
        if not self._reported:
            self._reported = True
            _log.warning("%s", problem)


def _fingerprint(event: StreamingEvent) -> int:
    """A hash of what an event says, without what may differ when it is sent again. Of a delta, that of its text."""
    fields = event.__dict__
    delta = fields.get("delta")
    if isinstance(delta, str):
        return hash(delta)
    if isinstance(event, UnknownEvent):
        return hash(repr({key: value for key, value in event.data.items() if key != "obfuscation"}))
    texts = [value for value in fields.values() if isinstance(value, str | int)]
    nested = [fields.get(name) for name in ("item", "part", "response")]
    return hash((*texts, *map(_identity, nested)))


def _identity(value: Any) -> tuple[str | None, ...]:
    fields = (getattr(value, name, None) for name in ("type", "id", "status", "text"))
    return tuple(field for field in fields if field is None or isinstance(field, str))
