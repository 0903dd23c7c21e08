"""The response of a stream in all its versions.

A snapshot for each delta must not cost a copy for each delta. So nothing here is changed: each event adds a version of
a header, an item, a part or a text. A snapshot is a version number; the response of that version is made when it is
read.

Two rules decide what is read. A whole item or part of an event replaces all that was known of it. A later delta or
annotation continues it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
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
from rxstream.response.history._completing import complete_item, complete_output, complete_part
from rxstream.response.history._item import BEFORE_ALL, ItemHistory, entries_of
from rxstream.response.history._versioned import Versioned

_DELTAS: Final = {event: (text, text.part_field) for event, text in by_delta().items()}
_WHOLES: Final = {event: (text, text.part_field) for event, text in by_done().items()}
_OPENS: Final = {events.added: events.text for events in PARTS}
_CLOSES: Final = {events.done: events.text for events in PARTS}
_STATUSES: Final = {event: status for event, (item, status) in by_progress().items() if item.endswith("_call")}
"""Class of an event -> the status of its item after it. Only calls have one in the API."""

_output_index: Final[Callable[[Any], int]] = attrgetter("output_index")


class History:
    """Note the events of one stream; read the response of any version.

    Cost of an event: the same however many came before it. Memory: the texts in their deltas, and the parts and items
    of `.done` events.
    """

    def __init__(self) -> None:
        self.version = 0
        """The version after the last event that changed the response."""
        self.items: dict[int, ItemHistory] = {}
        self.terminal: StreamingEvent | None = None
        """The event that ended the response."""
        self._headers: Versioned[Response] = Versioned()
        # Class, output index and part number of the last delta, and the values of its text.
        self._delta_class: type | None = None
        self._delta_index = 0
        self._delta_part = 0
        self._number: Callable[[Any], int] = _output_index
        self._values: Versioned[Any] = Versioned()
        self._is_edited = False
        """Whether a moderator has changed the response, or rxstream has made its end: then that is complete."""

    def grow(self, event: Any) -> bool:
        """Note an event if it is a delta of the same text as the last delta, as most are; return whether it is."""
        if (
            type(event) is not self._delta_class
            or event.output_index != self._delta_index
            or self._number(event) != self._delta_part
            or (type(event) is ResponseOutputTextDeltaEvent and event.logprobs)
        ):
            return False
        self.version += 1
        self._values.add(self.version, event.delta)
        return True

    def feed(self, event: StreamingEvent) -> bool:
        """Note one event; return whether it changed the response."""
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
                self._output_delta(event)
            case ResponseShellCallOutputContentDoneEvent():
                self._output_done(event)
            case _:
                self._is_edited |= event.type.startswith("rxstream.moderation.")
                return False
        return True

    def response(self, version: int | None = None) -> Response:
        """The response at a version, by default the last.

        If the output of the terminal event lacks items, texts or annotations of the stream, they are added, and the
        response is `synthetic`. Items without an end get the status of the response.
        """
        until = self.version if version is None else version
        latest = self._headers.last(BEFORE_ALL, until)
        header = latest[1] if latest is not None else Response(object="response", status="in_progress")
        ended = isinstance(self.terminal, TERMINAL) and header is self.terminal.response
        if ended and header.output and self._is_edited:
            return header
        streamed = {index: self._ended(index, item) if ended else item for index, item in self.output(until)}
        if not (ended and header.output):
            update = {"output": list(streamed.values()), **({"synthetic": True} if ended else {})}
            return header.model_copy(update=update) if streamed else header
        output = complete_output(header.output, streamed)
        return header if output is None else header.model_copy(update={"output": output, "synthetic": True})

    def _ended(self, index: int, item: OutputItem) -> OutputItem:
        if self.items[index].done or item.status is None:
            return item
        status = "completed" if isinstance(self.terminal, ResponseCompletedEvent) else "incomplete"
        return item.model_copy(update={"status": status})

    def output(self, version: int | None = None) -> Iterator[tuple[int, OutputItem]]:
        """Output index and item at a version, in the order of the indexes."""
        until = self.version if version is None else version
        for index in sorted(self.items):
            item = self.items[index].read(until)
            if item is not None:
                yield index, item

    # ------------------------------------------------------------------ deltas

    def _grow(self, event: Any, text: GrowingText, name: str) -> None:
        item, part, values = self._text_values(event, text, name)
        self.version += 1
        if not values.versions and _repeats(item, part, name, event.delta, self.version):
            values.replace(self.version, event.delta)
        else:
            values.add(self.version, event.delta)
        if type(event) is ResponseOutputTextDeltaEvent and event.logprobs:
            item.field(part, "logprobs").add(self.version, event.logprobs)
        self._number = attrgetter(text.index) if text.index else _output_index
        self._delta_class, self._delta_index, self._delta_part = type(event), event.output_index, self._number(event)
        self._values = values

    def _replace(self, event: Any) -> None:
        text, name = _WHOLES[type(event)]
        item, part, values = self._text_values(event, text, name)
        whole = getattr(event, text.field)
        if not whole and values.versions:
            return  # some servers leave the text out here
        self.version += 1
        values.replace(self.version, whole)
        if type(event) is ResponseOutputTextDoneEvent and event.logprobs:
            item.field(part, "logprobs").replace(self.version, event.logprobs)

    def _text_values(self, event: Any, text: GrowingText, name: str) -> tuple[ItemHistory, Part | None, Versioned[Any]]:
        """The item and the part of an event, and the values of its field."""
        item = self.items.get(event.output_index) or self._new_item(event, text)
        part = text.place(event)
        return item, part, item.known_field(part, name) or self._new_field(item, part, text, name)

    def _new_item(self, event: Any, text: GrowingText) -> ItemHistory:
        """Add the item of an event that was never added."""
        item = ItemHistory()
        self.version += 1
        item.models.add(self.version, cast(OutputItem, blank_item(text, event.item_id)))
        self.items[event.output_index] = item
        return item

    def _new_field(self, item: ItemHistory, part: Part | None, text: GrowingText, name: str) -> Versioned[Any]:
        """The values of a field that has none yet. A part that was never added is added."""
        if part is not None and part not in item.parts and part.number >= len(entries_of(item.model, part.group)):
            blank = blank_part(text)
            if blank is not None:
                self.version += 1
                item.part(part).add(self.version, blank)
        return item.field(part, name)

    # ------------------------------------------------------------------ whole parts, items and responses

    def _header(self, event: LifecycleEvent) -> None:
        response = event.response
        self.version += 1
        self._headers.add(self.version, response)
        if isinstance(event, TERMINAL):
            self.terminal = event
            self._is_edited |= event.synthetic
            return
        for index, model in enumerate(response.output):  # a resumed stream may have some
            if index not in self.items:
                item = ItemHistory()
                item.models.add(self.version, model)
                item.done = True  # this stream did not add it, so it does not close it
                self.items[index] = item

    def _item(self, event: ResponseOutputItemAddedEvent | ResponseOutputItemDoneEvent) -> None:
        item = self.items.get(event.output_index)
        model = event.item
        if item is None:
            item = self.items[event.output_index] = ItemHistory()
        elif isinstance(event, ResponseOutputItemDoneEvent):
            model = complete_item(model, cast(OutputItem, item.read(self.version)))
        self.version += 1
        item.models.add(self.version, model)
        item.done = isinstance(event, ResponseOutputItemDoneEvent)

    def _part(self, event: Any) -> None:
        kind = cast("type[Event]", type(event))
        text = _OPENS.get(kind) or _CLOSES[kind]
        item = self.items.get(event.output_index) or self._new_item(event, text)
        part = cast(Part, text.place(event))
        model = event.part if kind in _OPENS else complete_part(event.part, item.read_part(part, self.version))
        self.version += 1
        item.part(part).add(self.version, model)
        if kind in _OPENS:
            item.opened[part] = kind
        else:
            item.opened.pop(part, None)

    def _annotation(self, event: ResponseOutputTextAnnotationAddedEvent) -> None:
        item = self.items.get(event.output_index)
        number = event.content_index, event.annotation_index
        if item is None or event.annotation is None or item.annotations.get(number) == event.annotation:
            return  # some servers repeat the event
        item.annotations[number] = event.annotation
        self.version += 1
        item.field(Part("content", event.content_index), "annotations").add(self.version, [event.annotation])

    def _status(self, event: Any) -> None:
        item = self.items.get(event.output_index)
        if item is not None:
            self.version += 1
            item.field(None, "status").replace(self.version, _STATUSES[type(event)])

    def _output_delta(self, event: ResponseShellCallOutputContentDeltaEvent) -> None:
        item = self.items.get(event.output_index) or self._new_item(event, SHELL_OUTPUT)
        part = cast(Part, SHELL_OUTPUT.place(event))
        self._new_field(item, part, SHELL_OUTPUT, SHELL_OUTPUT.field)
        self.version += 1
        for name in ("stdout", "stderr"):
            text = event.delta.get(name)
            if isinstance(text, str):
                item.field(part, name).add(self.version, text)

    def _output_done(self, event: ResponseShellCallOutputContentDoneEvent) -> None:
        item = self.items.get(event.output_index) or self._new_item(event, SHELL_OUTPUT)
        self.version += 1
        for index, output in enumerate(event.output, event.command_index):
            item.part(Part("output", index)).add(self.version, output)


def _repeats(item: ItemHistory, part: Part | None, name: str, delta: str, version: int) -> bool:
    """Whether a first delta repeats the text with which its part or item was added."""
    holder = item.model if part is None else item.read_part(part, version)
    opening = getattr(holder, name, None) if name else holder
    return isinstance(opening, str) and bool(opening) and opening.startswith(delta)
