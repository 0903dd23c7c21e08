"""What a stream has said of its response, kept so that every moment of it can be read again.

A snapshot for each delta must not cost a copy for each delta. So nothing is ever changed here: headers, items, parts
and texts are *logs*, to which each event adds. A snapshot is then nothing but a number, the moment; the response of
that moment is put together when somebody asks for it.

Two rules decide what is read. A model (an item or a part, as an event brought it whole) is the truth at its moment, and
what came before it does not count any more. What is added later, a delta or an annotation, goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

from rxstream.events import (
    Event,
    OutputItem,
    Response,
    ResponseCompletedEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextAnnotationAddedEvent,
    ResponseOutputTextDeltaEvent,
    ResponseOutputTextDoneEvent,
    ResponseShellCallOutputContentDeltaEvent,
    ResponseShellCallOutputContentDoneEvent,
    StreamingEvent,
)
from rxstream.events._fields import (
    PARTS,
    SHELL_OUTPUT,
    TERMINAL,
    GrowingText,
    Part,
    blank_item,
    blank_part,
    by_delta,
    by_done,
    by_progress,
)
from rxstream.events._lifecycle import LifecycleEvent
from rxstream.response.history._item import EVER, Item, entries_of
from rxstream.response.history._versioned import Log

_DELTAS: Final = {event: (text, text.part_field) for event, text in by_delta().items()}
_WHOLES: Final = {event: (text, text.part_field) for event, text in by_done().items()}
_OPENS: Final = {events.added: events.text for events in PARTS}
_CLOSES: Final = {events.done: events.text for events in PARTS}
_STATUSES: Final = {event: status for event, (item, status) in by_progress().items() if item.endswith("_call")}
"""The status of an item after the event. What is no call has no status in the API."""


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
        grows = _DELTAS.get(kind)
        if grows is not None:
            self._grow(event, *grows)
            return True
        if kind in _WHOLES:
            self._replace(event)
        elif kind in _OPENS or kind in _CLOSES:
            self._part(event)
        elif kind in _STATUSES:
            self._status(event)
        else:
            return self._other(event)
        return True

    def _other(self, event: StreamingEvent) -> bool:
        match event:
            case ResponseOutputItemAddedEvent() | ResponseOutputItemDoneEvent():
                self._item(event)
            case ResponseOutputTextAnnotationAddedEvent():
                self._annotation(event)
            case LifecycleEvent():
                self._header(event)
            case ResponseShellCallOutputContentDeltaEvent():
                self._printed(event)
            case ResponseShellCallOutputContentDoneEvent():
                self._printed_all(event)
            case _:
                return False
        return True

    def response(self, moment: int | None = None) -> Response:
        """The response at a moment; now, where none is given.

        An output that came with the end is left as it is. Where the end brought none, items that were never done end
        as the response did.
        """
        until = self.now if moment is None else moment
        found = self._headers.last(EVER, until)
        header = found[1] if found is not None else Response(object="response", status="in_progress")
        ended = isinstance(self.terminal, TERMINAL) and header is self.terminal.response
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

    def _grow(self, event: Any, text: GrowingText, name: str) -> None:
        item, part, log = self._log(event, text, name)
        self.now += 1
        log.add(self.now, event.delta)
        if type(event) is ResponseOutputTextDeltaEvent and event.logprobs:
            item.field(part, "logprobs").add(self.now, event.logprobs)

    def _replace(self, event: Any) -> None:
        text, name = _WHOLES[type(event)]
        item, part, log = self._log(event, text, name)
        self.now += 1
        log.replace(self.now, getattr(event, text.field))
        if type(event) is ResponseOutputTextDoneEvent and event.logprobs:
            item.field(part, "logprobs").replace(self.now, event.logprobs)

    def _log(self, event: Any, text: GrowingText, name: str) -> tuple[Item, Part | None, Log[Any]]:
        """The item and the part of an event, and the log of the field that it tells of."""
        item = self.items.get(event.output_index) or self._open(event, text)
        part = text.place(event)
        return item, part, item.fields.get((part, name)) or self._begin(item, part, text, name)

    def _open(self, event: Any, text: GrowingText) -> Item:
        """An item that was never added is there from now on."""
        item = Item()
        self.now += 1
        item.models.add(self.now, cast(OutputItem, blank_item(text, event.item_id)))
        self.items[event.output_index] = item
        return item

    def _begin(self, item: Item, part: Part | None, text: GrowingText, name: str) -> Log[Any]:
        """The log of a field to which nothing was added so far. A part that was never opened is there from now on."""
        if part is not None and part not in item.parts and part.number >= len(entries_of(item.model, part.group)):
            blank = blank_part(text)
            if blank is not None:
                self.now += 1
                item.part(part).add(self.now, blank)
        return item.field(part, name)

    # ------------------------------------------------------------------ what comes whole

    def _header(self, event: LifecycleEvent) -> None:
        response = event.response
        self.now += 1
        self._headers.add(self.now, response)
        if isinstance(event, TERMINAL):
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

    def _part(self, event: Any) -> None:
        kind = cast("type[Event]", type(event))
        text = _OPENS.get(kind) or _CLOSES[kind]
        item = self.items.get(event.output_index) or self._open(event, text)
        part = cast(Part, text.place(event))
        self.now += 1
        item.part(part).add(self.now, event.part)
        if kind in _OPENS:
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
            item.field(None, "status").replace(self.now, _STATUSES[type(event)])

    def _printed(self, event: ResponseShellCallOutputContentDeltaEvent) -> None:
        item = self.items.get(event.output_index) or self._open(event, SHELL_OUTPUT)
        part = cast(Part, SHELL_OUTPUT.place(event))
        self._begin(item, part, SHELL_OUTPUT, SHELL_OUTPUT.field)
        self.now += 1
        for name in ("stdout", "stderr"):
            text = event.delta.get(name)
            if isinstance(text, str):
                item.field(part, name).add(self.now, text)

    def _printed_all(self, event: ResponseShellCallOutputContentDoneEvent) -> None:
        item = self.items.get(event.output_index) or self._open(event, SHELL_OUTPUT)
        self.now += 1
        for index, output in enumerate(event.output, event.command_index):
            item.part(Part("output", index)).add(self.now, output)
