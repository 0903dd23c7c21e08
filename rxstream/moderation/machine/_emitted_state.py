"""What was emitted, and the events that end a stream after a cut."""

from typing import Any

from rxstream.events import IncompleteDetails, Response, ResponseIncompleteEvent, StreamingEvent
from rxstream.moderation.machine._slots import ROUTES, JsonFields
from rxstream.response.history._closing import Closing

_REASON = "content_filter"


class EmittedState:
    """The state of the stream as the subscriber has it. Memory: the text emitted."""

    def __init__(self) -> None:
        self._closing = Closing()
        self._index_of_id: dict[str, int] = {}
        self._item_indexes: list[int] = []
        """The output indexes of the emitted items, in order."""
        self.response_id: str | None = None
        self.last_number: int | None = None
        """The last `sequence_number`."""

    @property
    def terminal(self) -> bool:
        """Whether a terminal event was emitted."""
        return self._closing.history.terminal is not None

    def note(self, event: Any) -> None:
        self._closing.feed(event)
        if event.sequence_number is not None:
            self.last_number = event.sequence_number
        route = ROUTES.get(event.type)
        if route is None:
            return
        if route.role in ("header", "terminal"):
            self.response_id = event.response.id or self.response_id
        elif route.role == "item":
            if event.output_index not in self._item_indexes:
                self._item_indexes.append(event.output_index)
                self._item_indexes.sort()
            self._index_of_id[str(event.item.id)] = event.output_index

    def index_of(self, item: JsonFields, position: int) -> int:
        """The output index of an item of a response: found by its id, or else by its position."""
        known = self._index_of_id.get(str(item.get("id") or ""))
        if known is not None:
            return known
        return self._item_indexes[position] if position < len(self._item_indexes) else position

    def closing_events(self) -> list[StreamingEvent]:
        """The events that close what is open, `response.incomplete` last. None are needed after a terminal event.

        They are made of emitted events only, so they hold no text that was held back.
        """
        if self.terminal:
            return []
        if self._closing.open:
            return self._closing.end(_REASON)
        response = Response(status="incomplete", incomplete_details=IncompleteDetails(reason=_REASON))
        return [ResponseIncompleteEvent(type="response.incomplete", response=response, synthetic=True)]
