"""A limit for the text of one response."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rxstream.errors import ResponseTooLargeError
from rxstream.events import StreamingEvent
from rxstream.events._fields import by_delta, by_done


class TextLimit:
    """Counts the characters of every text of a response that grows: answer, refusal, reasoning, arguments, code.

    A text counts once, though the API repeats it. What a `.done` event has more than the deltas counts too.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self._counts: dict[object, int] = {}
        self._deltas, self._dones = by_delta(), by_done()

    def checked(self, events: Iterable[StreamingEvent]) -> Iterator[StreamingEvent]:
        """The events. Raises: ResponseTooLargeError: instead of the event with which the text is too long."""
        for event in events:
            self._count(event)
            yield event

    def _count(self, event: StreamingEvent) -> None:
        row = self._deltas.get(type(event))
        field = "delta"
        if row is None:
            row = self._dones.get(type(event))
            if row is None:
                return
            field = row.field
        text = getattr(event, field, None)
        if not isinstance(text, str):
            return
        place = row.kind, getattr(event, "output_index", None), row.place(event)
        before = self._counts.get(place, 0)
        after = before + len(text) if field == "delta" else max(before, len(text))
        self._counts[place] = after
        self._total += after - before
        if self._total > self._limit:
            raise ResponseTooLargeError(
                f"the text of a response is longer than max_response_chars={self._limit}: {self._total} characters "
                "came so far; raise it, or set max_output_tokens",
                limit=self._limit,
            )
