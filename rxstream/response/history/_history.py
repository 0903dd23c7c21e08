"""What a stream has said of its response, kept so that every moment of it can be read again.

A snapshot for each delta must not cost a copy for each delta. So nothing is ever changed here: headers, items, parts
and texts are *logs*, to which each event adds. A snapshot is then nothing but a number, the moment; the response of
that moment is put together when somebody asks for it.

Two rules decide what is read. A model (an item or a part, as an event brought it whole) is the truth at its moment, and
what came before it does not count any more. What is added later, a delta or an annotation, goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias, cast

from rxstream.events import (
    OutputItem,
    Response,
    ResponseCompletedEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseCreatedEvent,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseInProgressEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextAnnotationAddedEvent,
    ResponseOutputTextDeltaEvent,
    ResponseOutputTextDoneEvent,
    ResponseQueuedEvent,
    ResponseReasoningPartAddedEvent,
    ResponseReasoningPartDoneEvent,
    ResponseReasoningSummaryPartAddedEvent,
    ResponseReasoningSummaryPartDoneEvent,
    ResponseShellCallOutputContentDeltaEvent,
    ResponseShellCallOutputContentDoneEvent,
    StreamingEvent,
)
from rxstream.response.history._item import EVER, Item, entries_of
from rxstream.response.history._table import (
    CLOSES,
    DELTAS,
    OPENS,
    PRINTED,
    STATUSES,
    WHOLES,
    Field,
    Part,
    blank_item,
    blank_part,
)
from rxstream.response.history._versioned import Log

_TERMINAL: Final = (ResponseCompletedEvent, ResponseIncompleteEvent, ResponseFailedEvent)
_PartEvent: TypeAlias = (
    ResponseContentPartAddedEvent
    | ResponseContentPartDoneEvent
    | ResponseReasoningPartAddedEvent
    | ResponseReasoningPartDoneEvent
    | ResponseReasoningSummaryPartAddedEvent
    | ResponseReasoningSummaryPartDoneEvent
)


class History:
    """Note the events of one stream; read the response of any moment of it.

    Cost: the same for each event, however much came before it. Memory: what was said, in pieces and in the models that
    end them.
    """

    def __init__(self) -> None:
        self.now = 0
        """The moment of the last event that changed the response."""
        self.items: dict[int, Item] = {}
        self.terminal: StreamingEvent | None = None
        """The event that ended the response."""
        self._headers: Log[Response] = Log()

    def feed(self, event: StreamingEvent) -> bool:
        """Note one event; return whether it told of the response."""
        kind = type(event)
        field = DELTAS.get(kind)
        if field is not None:
            self._grow(event, field)
            return True
        note = _NOTES.get(kind)
        if note is None:
            return False
        note(self, event)
        return True

    def response(self, moment: int | None = None) -> Response:
        """The response at a moment; now, where none is given.

        An output that came with the end is left as it is. Where the end brought none, items that were never done end
        as the response did.
        """
        until = self.now if moment is None else moment
        found = self._headers.last(EVER, until)
        header = found[1] if found is not None else Response(object="response", status="in_progress")
        ended = isinstance(self.terminal, _TERMINAL) and header is self.terminal.response
        if ended and header.output:
            return header
        output = [self._ended(index, item) if ended else item for index, item in self.output(until)]
        return header.model_copy(update={"output": output}) if output else header

    def _ended(self, index: int, item: OutputItem) -> OutputItem:
        if self.items[index].done or item.status is None:
            return item
        status = "completed" if isinstance(self.terminal, ResponseCompletedEvent) else "incomplete"
        return item.model_copy(update={"status": status})

    def output(self, moment: int | None = None) -> Iterator[tuple[int, OutputItem]]:
        """The items at a moment in the order of their output index, which stands beside each."""
        until = self.now if moment is None else moment
        for index in sorted(self.items):
            item = self.items[index].read(until)
            if item is not None:
                yield index, item

    # ------------------------------------------------------------------ what grows

    def _grow(self, event: Any, field: Field) -> None:
        item = self.items.get(event.output_index) or self._open(event, field)
        part = field.place(event)
        log = item.fields.get((part, field.name)) or self._begin(item, part, field)
        self.now += 1
        log.add(self.now, event.delta)
        if type(event) is ResponseOutputTextDeltaEvent and event.logprobs:
            item.field(part, "logprobs").add(self.now, event.logprobs)

    def _replace(self, event: Any) -> None:
        field, name = WHOLES[type(event)]
        item = self.items.get(event.output_index) or self._open(event, field)
        part = field.place(event)
        log = item.fields.get((part, field.name)) or self._begin(item, part, field)
        self.now += 1
        log.replace(self.now, getattr(event, name))
        if type(event) is ResponseOutputTextDoneEvent and event.logprobs:
            item.field(part, "logprobs").replace(self.now, event.logprobs)

    def _open(self, event: Any, field: Field) -> Item:
        """An item that was never added is there from now on."""
        item = Item()
        self.now += 1
        item.models.add(self.now, blank_item(field, event))
        self.items[event.output_index] = item
        return item

    def _begin(self, item: Item, part: Part | None, field: Field) -> Log[Any]:
        """The log of a field to which nothing was added so far. A part that was never opened is there from now on."""
        if part is not None and part not in item.parts and part.number >= len(entries_of(item.model, part.group)):
            blank = blank_part(field)
            if blank is not None:
                self.now += 1
                item.part(part).add(self.now, blank)
        return item.field(part, field.name)

    # ------------------------------------------------------------------ what comes whole

    def _header(self, event: Any) -> None:
        response: Response = event.response
        self.now += 1
        self._headers.add(self.now, response)
        if isinstance(event, _TERMINAL):
            self.terminal = event
            return
        for index, model in enumerate(response.output):  # a stream that goes on where another stopped may have some
            if index not in self.items:
                item = Item()
                item.models.add(self.now, model)
                item.done = True  # as far as this stream is concerned: it did not open it
                self.items[index] = item

    def _item(self, event: ResponseOutputItemAddedEvent | ResponseOutputItemDoneEvent) -> None:
        item = self.items.get(event.output_index) or Item()
        self.now += 1
        item.models.add(self.now, event.item)
        item.done = isinstance(event, ResponseOutputItemDoneEvent)
        self.items[event.output_index] = item

    def _part(self, event: _PartEvent) -> None:
        kind = type(event)
        field = OPENS.get(kind) or CLOSES[kind]
        item = self.items.get(event.output_index) or self._open(event, field)
        part = cast(Part, field.place(event))
        self.now += 1
        item.part(part).add(self.now, event.part)
        if kind in OPENS:
            item.opened[part] = kind
        else:
            item.opened.pop(part, None)

    def _annotation(self, event: ResponseOutputTextAnnotationAddedEvent) -> None:
        item = self.items.get(event.output_index)
        if item is not None and event.annotation is not None:
            self.now += 1
            item.field(Part("content", event.content_index), "annotations").add(self.now, [event.annotation])

    def _status(self, event: Any) -> None:
        item = self.items.get(event.output_index)
        if item is not None:
            self.now += 1
            item.field(None, "status").replace(self.now, STATUSES[type(event)])

    def _printed(self, event: ResponseShellCallOutputContentDeltaEvent) -> None:
        item = self.items.get(event.output_index) or self._open(event, PRINTED)
        part = cast(Part, PRINTED.place(event))
        self._begin(item, part, PRINTED)
        self.now += 1
        for name in ("stdout", "stderr"):
            text = event.delta.get(name)
            if isinstance(text, str):
                item.field(part, name).add(self.now, text)

    def _printed_all(self, event: ResponseShellCallOutputContentDoneEvent) -> None:
        item = self.items.get(event.output_index) or self._open(event, PRINTED)
        self.now += 1
        for index, output in enumerate(event.output, event.command_index):
            item.part(Part("output", index)).add(self.now, output)


_NOTES: Final[dict[type, Callable[[History, Any], None]]] = {
    **dict.fromkeys(WHOLES, History._replace),  # pyright: ignore[reportPrivateUsage]
    **dict.fromkeys((*OPENS, *CLOSES), History._part),  # pyright: ignore[reportPrivateUsage]
    **dict.fromkeys(STATUSES, History._status),  # pyright: ignore[reportPrivateUsage]
    **dict.fromkeys(
        (ResponseCreatedEvent, ResponseQueuedEvent, ResponseInProgressEvent, *_TERMINAL),
        History._header,  # pyright: ignore[reportPrivateUsage]
    ),
    ResponseOutputItemAddedEvent: History._item,  # pyright: ignore[reportPrivateUsage]
    ResponseOutputItemDoneEvent: History._item,  # pyright: ignore[reportPrivateUsage]
    ResponseOutputTextAnnotationAddedEvent: History._annotation,  # pyright: ignore[reportPrivateUsage]
    ResponseShellCallOutputContentDeltaEvent: History._printed,  # pyright: ignore[reportPrivateUsage]
    ResponseShellCallOutputContentDoneEvent: History._printed_all,  # pyright: ignore[reportPrivateUsage]
}
