"""Makes the events that end a stream which has no end of its own.

They hold only what earlier events had, so they show nothing that the subscriber has not seen. They are `synthetic` and
have no sequence number: numbers are the server's, and a resumed stream could use one that was made here.

Texts get their `.done`: a text may stop anywhere. Arguments, inputs, code and commands do not: their `.done` means that
they are whole and may be used. Their item is closed as `incomplete`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, cast

from rxstream.events import (
    ErrorEvent,
    IncompleteDetails,
    OutputItem,
    OutputTextPart,
    ResponseCompletedEvent,
    ResponseErrorInfo,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseOutputItemDoneEvent,
    StreamingEvent,
)
from rxstream.events._fields import PARTS, TEXTS, Part, TerminalEvent
from rxstream.events._lenient import wire_type
from rxstream.response.history._history import History
from rxstream.response.history._item import ItemHistory

_TEXTS: Final = {part: text for text in TEXTS if text.part_type for part in text.parts}
"""Class of a part -> the text that it holds."""

_TEXT_FIELDS: Final = frozenset(text.field for text in _TEXTS.values())

_CLOSES: Final = {events.added: events.done for events in PARTS}
"""The event that opened a part -> the event that closes it."""

_NUMBERS: Final = {events.text.group: events.text.index for events in PARTS}
"""Group of parts that are opened and closed -> the field of their events that numbers them."""


class Closing:
    """Notes the events of a stream, and makes those that end it.

    Memory: that of a `History`, which may be read.
    """

    def __init__(self) -> None:
        self.history = History()
        self._error: ErrorEvent | None = None

    def feed(self, event: StreamingEvent) -> None:
        """Note an event that the subscriber gets."""
        if isinstance(event, ErrorEvent):
            self._error = event
        self.history.feed(event)

    @property
    def open(self) -> bool:
        """Whether a response has begun and not ended."""
        return (self.history.version > 0 or self._error is not None) and self.history.terminal is None

    def end(self, reason: str) -> list[StreamingEvent]:
        """The events that close all parts and items, and then the response as incomplete for `reason`.

        After an `error` event the response is closed as failed, with that error. None if no response is open. The
        events are noted.
        """
        if not self.open:
            return []
        events = list(self._close(()))
        response = self.history.response()
        terminal: TerminalEvent
        if self._error is None:
            details = IncompleteDetails(reason=reason)
            response = response.model_copy(update={"status": "incomplete", "incomplete_details": details})
            terminal = ResponseIncompleteEvent(type="response.incomplete", response=response, synthetic=True)
        else:
            error = ResponseErrorInfo(code=self._error.code, message=self._error.message)
            response = response.model_copy(update={"status": "failed", "error": error})
            terminal = ResponseFailedEvent(type="response.failed", response=response, synthetic=True)
        self.feed(terminal)
        return [*events, terminal]

    def close_items(self, terminal: TerminalEvent) -> list[StreamingEvent]:
        """The events that close the parts and items which are open at a terminal event, as that event has them.

        They are noted; the terminal event is not.
        """
        whole = isinstance(terminal, ResponseCompletedEvent)
        return list(self._close(terminal.response.output, "completed" if whole else "incomplete"))

    # ------------------------------------------------------------------ inside

    def _close(self, output: Sequence[OutputItem], status: str = "incomplete") -> Iterator[StreamingEvent]:
        items = self.history.items
        for position, index in enumerate(sorted(items)):
            item = items[index]
            if not item.done:
                final = _item_in(item.model, position, output)
                for part in sorted(_parts(item)):
                    yield from self._close_part(index, item, part, final)
                yield from self._close_item(index, item, final, status)

    def _close_item(
        self, index: int, item: ItemHistory, final: OutputItem | None, status: str
    ) -> Iterator[StreamingEvent]:
        if final is None:
            final = cast(OutputItem, item.read(self.history.version)).model_copy(update={"status": status})
        yield self._note(
            ResponseOutputItemDoneEvent(
                type="response.output_item.done", output_index=index, item=final, synthetic=True
            )
        )

    def _close_part(
        self, index: int, item: ItemHistory, part: Part, final: OutputItem | None
    ) -> Iterator[StreamingEvent]:
        model = _part_in(final, part) or item.read_part(part, self.history.version)
        if model is None:
            return  # a later version of the item does not have this part
        where: dict[str, Any] = {"item_id": item.model.id, "output_index": index, _NUMBERS[part.group]: part.number}
        text = _TEXTS.get(cast(Any, type(model)))
        if text is not None and not _text_is_done(item, part, text.field):
            fields = {text.field: getattr(model, text.field)}
            if isinstance(model, OutputTextPart):
                fields["logprobs"] = model.logprobs or []
            done = text.dones[0]
            yield self._note(done(type=wire_type(done), **where, **fields, synthetic=True))
        opened = item.opened.get(part)
        if opened is not None:
            done = _CLOSES[opened]
            fields = {"type": wire_type(done), **where, "part": model, "synthetic": True}
            yield self._note(done.model_validate(fields))

    def _note(self, event: Any) -> StreamingEvent:
        self.history.feed(event)
        return event


def _parts(item: ItemHistory) -> Iterable[Part]:
    """The open parts of an item, and those that were never opened whose text is not done."""
    growing = {part for part, fields in item.fields.items() if part is not None and _TEXT_FIELDS & fields.keys()}
    return {*item.opened, *(part for part in growing if part.group in _NUMBERS and not _is_closed(item, part))}


def _is_closed(item: ItemHistory, part: Part) -> bool:
    """Whether the part came whole after its last delta."""
    if part in item.opened:
        return False
    models = item.parts.get(part)
    added = max(
        (values.versions[-1] for values in item.fields.get(part, {}).values() if values.versions),
        default=-1,
    )
    return models is not None and models.versions[-1] > added


def _text_is_done(item: ItemHistory, part: Part, field: str) -> bool:
    """Whether the text of the part has had its `.done`."""
    values = item.known_field(part, field)
    return values is not None and values.whole


def _part_in(item: OutputItem | None, part: Part) -> Any | None:
    """The part in an item of the response."""
    entries = getattr(item, part.group, None)
    if not isinstance(entries, list) or not 0 <= part.number < len(cast("list[Any]", entries)):
        return None
    return cast("list[Any]", entries)[part.number]


def _item_in(model: OutputItem, position: int, output: Sequence[OutputItem]) -> OutputItem | None:
    """The item in the response: the one with its id, or else the one of its type at its position."""
    for item in output:
        if model.id and item.id == model.id:
            return item
    if position < len(output) and output[position].type == model.type:
        return output[position]
    return None
