"""What was emitted, and the events that end a stream after a cut."""

from typing import Any, Final

from rxstream.events import (
    IncompleteDetails,
    MessageItem,
    Response,
    ResponseContentPartAddedEvent,
    ResponseIncompleteEvent,
    ResponseOutputItemAddedEvent,
    ResponseRefusalDeltaEvent,
    StreamingEvent,
)
from rxstream.response.history._closing import Closing

_REASON: Final = "content_filter"


class EmittedState:
    """The state of the response as the subscriber has it. Memory: the text emitted."""

    def __init__(self) -> None:
        self._closing = Closing()
        self.response_id: str | None = None
        self.last_number: int | None = None
        """The last `sequence_number`."""

    @property
    def open(self) -> bool:
        """Whether the subscriber has the begin of a response, and not its end."""
        return self._closing.open

    def note(self, event: Any) -> None:
        self._closing.feed(event)
        if event.sequence_number is not None:
            self.last_number = event.sequence_number
        response = event.__dict__.get("response")
        if isinstance(response, Response):
            self.response_id = response.id or self.response_id

    def closing_events(self, refusal: str | None) -> list[StreamingEvent]:
        """The events that close what is open, `response.incomplete` last. None are needed after a terminal event.

        They are made of emitted events only, so they hold no text that was held back. With a `refusal`, the open
        message gets it as its last part, after the end of its other parts; if no message is open, a new one does.
        """
        if self._closing.history.terminal is not None:
            return []
        events = self._refusal_events(refusal) if refusal is not None else []
        for event in events:
            self._closing.feed(event)
        if self._closing.open:
            ending = self._closing.end(_REASON)
            # The last refusal that ends is this one: it is the last part of the last open message.
            ends = [place for place, event in enumerate(ending) if event.type == "response.refusal.done"]
            place = ends[-1] if events else 0
            return [*ending[:place], *events, *ending[place:]]
        response = Response(status="incomplete", incomplete_details=IncompleteDetails(reason=_REASON))
        return [ResponseIncompleteEvent(type="response.incomplete", response=response, synthetic=True)]

    def _refusal_events(self, refusal: str) -> list[StreamingEvent]:
        items = self._closing.history.items
        events: list[StreamingEvent] = []
        open_messages = [index for index, item in items.items() if not item.done and item.model.type == "message"]
        if open_messages:
            index = max(open_messages)
            item: Any = items[index].model
            numbers = [part.number for part in items[index].parts] + [part.number for part in items[index].opened]
            number = max([*numbers, *(len(item.content) - 1,)], default=-1) + 1
        else:
            index, number = max(items, default=-1) + 1, 0
            item = MessageItem.model_validate(
                {"type": "message", "id": "msg_refusal", "role": "assistant", "status": "in_progress", "content": []}
            )
            events.append(
                ResponseOutputItemAddedEvent(
                    type="response.output_item.added", output_index=index, item=item, synthetic=True
                )
            )
        where: dict[str, Any] = {"output_index": index, "item_id": item.id, "content_index": number, "synthetic": True}
        part = {"type": "refusal", "refusal": ""}
        added = {"type": "response.content_part.added", **where, "part": part}
        delta = {"type": "response.refusal.delta", **where, "delta": refusal}
        return [
            *events,
            ResponseContentPartAddedEvent.model_validate(added),
            ResponseRefusalDeltaEvent.model_validate(delta),
        ]
