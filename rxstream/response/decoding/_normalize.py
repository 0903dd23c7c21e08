"""All events of an Observable: each response with its own repairs, and no event twice.

Deltas of one text follow each other. The first passes through all checks; the next costs a few comparisons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rxstream.events import StreamingEvent
from rxstream.response._responses import NOTED_EVENTS, BelongsTo, Responses
from rxstream.response.decoding._numbering import Numbering
from rxstream.response.decoding._repairs import REQUIRED, Repairs


class Normalize:
    """Events as a server sends them -> events as the API describes them, each once."""

    def __init__(self) -> None:
        self._responses = Responses()
        self._begin()

    def _begin(self) -> None:
        self._repairs = Repairs()
        self._numbering = Numbering()
        # Class, index and required fields of the last event, if it was a delta that passed, and what came behind it.
        self._class: type | None = None
        self._index = 0
        self._needs: frozenset[str] = frozenset()
        self._upcoming: Iterator[int | None] = iter(())
        self._deltas: list[str] = []

    def feed(self, event: StreamingEvent) -> Iterable[StreamingEvent]:
        return self.feed_all((event,))

    def feed_all(self, events: Iterable[Any]) -> list[StreamingEvent]:
        """The same for several events, at less cost for each."""
        passed: list[StreamingEvent] = []
        add, add_delta = passed.append, self._deltas.append
        kind, index, needs, upcoming = self._class, self._index, self._needs, self._upcoming
        for event in events:
            if (
                type(event) is kind
                and event.output_index == index
                and needs <= event.__pydantic_fields_set__
                and event.sequence_number == next(upcoming, "")
            ):
                add_delta(event.delta)
                add(event)
            else:
                passed += self._check(event)
                add_delta = self._deltas.append
                kind, index, needs, upcoming = self._class, self._index, self._needs, self._upcoming
        return passed

    @property
    def numbers_count(self) -> bool:
        """Whether the sequence numbers of the response count its events, as far as is known."""
        return self._numbering.believed

    def finish(self) -> Iterable[StreamingEvent]:
        """No event waits."""
        return ()

    def _check(self, event: Any) -> Iterable[StreamingEvent]:
        """The events to pass on for one that is not the next delta of the same text."""
        self._class = None
        if self._deltas:
            self._numbering.note_deltas(self._deltas)
            self._deltas.clear()
        belongs = BelongsTo.SAME
        if type(event) in NOTED_EVENTS or self._responses.ended:
            belongs = self._responses.note(event)
            if belongs is BelongsTo.NEXT:
                self._begin()
        if self._numbering.is_repeat(event):
            return ()
        if belongs is BelongsTo.LATE:
            return (event,)
        if not self._repairs.passes(event):
            return self._repairs.feed(event)
        if isinstance(event.__dict__.get("delta"), str):
            self._class, self._index, self._needs = type(event), event.output_index, REQUIRED[type(event)]
            self._upcoming = self._numbering.upcoming(event.sequence_number)
        return (event,)
