"""The end of a stream that lost its own: the events that close what is open.

An ending is made of nothing but what passed before, so it says nothing that the subscriber has not had. Its events are
`synthetic` and carry no sequence number: numbers are the server's, and one made here could be met again when the
stream is resumed.

Texts get their `.done`, for a text is a text wherever it stops. Arguments, inputs, code and commands do not: their
`.done` says that they are whole and may be acted upon. Their item closes as `incomplete` with what there is.
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
from rxstream.response.history._item import Item

_TEXTS: Final = {text.part: text for text in TEXTS if text.part_type}
"""Class of a part -> the text that it holds."""

_TEXT_FIELDS: Final = frozenset(text.field for text in _TEXTS.values())

_CLOSES: Final = {events.added: events.done for events in PARTS}
"""The event that opened a part -> the event that closes it."""

_NUMBERS: Final = {events.text.group: events.text.index for events in PARTS}
"""Group of parts that are opened and closed -> the field of their events that numbers them."""


class Closing:
    """Note each event that passes; say what would close the stream now.

    Memory: that of a `History`, which is there to be read: what was said so far.
    """

    def __init__(self) -> None:
        self.history = History()
        self._error: ErrorEvent | None = None

    def feed(self, event: StreamingEvent) -> None:
        """Note an event that passes to the subscriber."""
        if isinstance(event, ErrorEvent):
            self._error = event
        self.history.feed(event)

    @property
    def open(self) -> bool:
        """Whether a response has begun and not ended."""
        return (self.history.now > 0 or self._error is not None) and self.history.terminal is None

    def end(self, reason: str) -> list[StreamingEvent]:
        """What closes every part and item and then the response, as cut short for `reason`.

        After an `error` event the response has failed, with that error. Nothing where none is open. The events are
        noted.
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
            said = ResponseErrorInfo(code=self._error.code, message=self._error.message)
            response = response.model_copy(update={"status": "failed", "error": said})
            terminal = ResponseFailedEvent(type="response.failed", response=response, synthetic=True)
        self.feed(terminal)
        return [*events, terminal]

    def before(self, terminal: TerminalEvent) -> list[StreamingEvent]:
        """What closes the parts and items that the stream leaves open at its own end, as that end has them.

        The events are noted, the terminal one is not.
        """
        whole = isinstance(terminal, ResponseCompletedEvent)
        return list(self._close(terminal.response.output, "completed" if whole else "incomplete"))

    # ------------------------------------------------------------------ one by one

    def _close(self, output: Sequence[OutputItem], status: str = "incomplete") -> Iterator[StreamingEvent]:
        items = self.history.items
        for position, index in enumerate(sorted(items)):
            item = items[index]
            if not item.done:
                final = _final(item.model, position, output)
                for part in sorted(_parts(item)):
                    yield from self._close_part(index, item, part, final)
                yield from self._close_item(index, item, final, status)

    def _close_item(self, index: int, item: Item, final: OutputItem | None, status: str) -> Iterator[StreamingEvent]:
        if final is None:
            final = cast(OutputItem, item.read(self.history.now)).model_copy(update={"status": status})
        yield self._noted(
            ResponseOutputItemDoneEvent(
                type="response.output_item.done", output_index=index, item=final, synthetic=True
            )
        )

    def _close_part(self, index: int, item: Item, part: Part, final: OutputItem | None) -> Iterator[StreamingEvent]:
        model = _entry(final, part) or item.read_part(part, self.history.now)
        if model is None:
            return  # the item has come anew since, without this part
        where: dict[str, Any] = {"item_id": item.model.id, "output_index": index, _NUMBERS[part.group]: part.number}
        text = _TEXTS.get(cast(Any, type(model)))
        if text is not None and not _whole(item, part, text.field):
            fields = {text.field: getattr(model, text.field)}
            if isinstance(model, OutputTextPart):
                fields["logprobs"] = model.logprobs or []
            done = text.dones[0]
            yield self._noted(done(type=wire_type(done), **where, **fields, synthetic=True))
        opened = item.opened.get(part)
        if opened is not None:
            done = _CLOSES[opened]
            fields = {"type": wire_type(done), **where, "part": model, "synthetic": True}
            yield self._noted(done.model_validate(fields))

    def _noted(self, event: Any) -> StreamingEvent:
        self.history.feed(event)
        return event


def _parts(item: Item) -> Iterable[Part]:
    """The parts of an item that are open, and those that were never opened but have text that is not done."""
    growing = {part for part, name in item.fields if part is not None and name in _TEXT_FIELDS}
    return {*item.opened, *(part for part in growing if part.group in _NUMBERS and not _closed(item, part))}


def _closed(item: Item, part: Part) -> bool:
    """Whether the part came whole after all that was added to it."""
    if part in item.opened:
        return False
    models = item.parts.get(part)
    added = max((log.at[-1] for (place, _), log in item.fields.items() if place == part and log.at), default=-1)
    return models is not None and models.at[-1] > added


def _whole(item: Item, part: Part, field: str) -> bool:
    """Whether the text of the part has had its `.done`."""
    log = item.fields.get((part, field))
    return log is not None and log.whole


def _entry(item: OutputItem | None, part: Part) -> Any | None:
    """The part as the response itself has it."""
    entries = getattr(item, part.group, None)
    return dict(enumerate(cast("list[Any]", entries))).get(part.number) if isinstance(entries, list) else None


def _final(model: OutputItem, position: int, output: Sequence[OutputItem]) -> OutputItem | None:
    """The item as the response itself has it: the one with its id, or else the one of its type in its place."""
    for item in output:
        if model.id and item.id == model.id:
            return item
    if position < len(output) and output[position].type == model.type:
        return output[position]
    return None
