"""What the subscriber has seen, and the ending that makes a whole stream of one that was cut."""

from typing import Any

from rxstream.events import IncompleteDetails, Response, ResponseIncompleteEvent, StreamingEvent
from rxstream.moderation.machine._slots import ROUTES, JsonObject
from rxstream.response.history._closing import Closing

_REASON = "content_filter"


class Ledger:
    """Note every event that is emitted; close what is open.

    Memory: the text emitted.
    """

    def __init__(self) -> None:
        self._closing = Closing()
        self._indexes: dict[str, int] = {}
        self._order: list[int] = []
        self.response_id: str | None = None
        self.last: int | None = None
        """The last sequence number."""

    @property
    def terminal(self) -> bool:
        """Whether the subscriber has had the event that ends a response."""
        return self._closing.history.terminal is not None

    def note(self, event: Any) -> None:
        self._closing.feed(event)
        if event.sequence_number is not None:
            self.last = event.sequence_number
        route = ROUTES.get(event.type)
        if route is None:
            return
        if route.role in ("header", "terminal"):
            self.response_id = event.response.id or self.response_id
        elif route.role == "item":
            if event.output_index not in self._order:
                self._order.append(event.output_index)
                self._order.sort()
            self._indexes[str(event.item.id)] = event.output_index

    def index_of(self, item: JsonObject, position: int) -> int:
        """The output index of an item in the output of a response: that of its id, or else of its position."""
        known = self._indexes.get(str(item.get("id") or ""))
        if known is not None:
            return known
        return self._order[position] if position < len(self._order) else position

    def ending(self) -> list[StreamingEvent]:
        """The events that close whatever is open, `response.incomplete` last. None where the response has ended.

        They are made of nothing but what was emitted before, so they cannot say what was held back.
        """
        if self.terminal:
            return []
        if self._closing.open:
            return self._closing.end(_REASON)
        response = Response(status="incomplete", incomplete_details=IncompleteDetails(reason=_REASON))
        return [ResponseIncompleteEvent(type="response.incomplete", response=response, synthetic=True)]
