"""Tool calls of every kind: the status of each, and its input so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from rxstream.events import (
    OutputItem,
    Response,
    ResponseCompletedEvent,
    ResponseImageGenerationCallPartialImageEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseShellCallCommandAddedEvent,
    StreamingEvent,
)
from rxstream.events._fields import TERMINAL, by_delta, by_done, by_progress
from rxstream.response._ending import failure
from rxstream.response._output_matching import StreamedItem, digest, ids_of, match_output
from rxstream.response.calls._tool_call import AnyToolCall, Texts, inputs_of
from rxstream.response.calls._tool_call_kinds import KINDS, ToolCall, class_of

_DELTAS = {event: (text.item_type, text.index) for event, text in by_delta().items() if text.item_type in KINDS}
"""Class of an event that adds to an input -> the kind of the call, and the field with the number of the command."""

_DONES = {event: (text.item_type, text.field) for event, text in by_done().items() if text.item_type in KINDS}
"""Class of an event with a whole input, or a whole command -> the kind of the call, and the field."""

_PROGRESS = {event: progress for event, progress in by_progress().items() if progress[0] in KINDS}
"""Class of an event with only a status -> the kind of the call, and the status."""

_END_STATUSES = ("completed", "failed", "incomplete")
_IDENTITY = ("id", "name", "call_id")


@dataclass(slots=True)
class _OpenCall:
    """A call that has not ended."""

    call_class: type[AnyToolCall[Any]]
    item: OutputItem
    index: int
    status: str
    input_done: bool = False
    texts: Texts = field(default_factory=dict[int, list[str]])

    def snapshot(self, *, delta: str = "", part: int = 0, done: bool = False, **fields: Any) -> ToolCall:
        """The call as it is now."""
        snapshot = self.call_class.of_item(
            self.item,
            self.index,
            texts=self.texts,
            status=self.status,
            delta=delta,
            part=part,
            input_done=self.input_done,
            done=done,
            **fields,
        )
        return cast(ToolCall, snapshot)

    def add(self, part: int, text: str) -> None:
        pieces = self.texts.get(part)
        if pieces is None:
            pieces = self.texts[part] = []
        pieces.append(text)

    def complete_input(self, part: int, whole: str) -> str | None:
        """Note the whole input; return what the deltas had left out, or None if they had another text.

        An empty one is ignored: some servers leave the input out at the end.
        """
        text = "".join(self.texts.get(part, ()))
        if not whole or whole == text:
            return ""
        if whole.startswith(text):
            self.add(part, whole[len(text) :])
            return whole[len(text) :]
        self.texts[part] = [whole]  # earlier snapshots keep the list that they have
        return None

    def update(self, item: OutputItem) -> None:
        """Note the item of a later event. A field that it leaves empty keeps its value."""
        call_class = class_of(item)
        if call_class is not None:
            kept = {
                name: value
                for name in _IDENTITY
                if (value := getattr(self.item, name, None)) and getattr(item, name, value) in ("", None)
            }
            self.call_class, self.item = call_class, item.model_copy(update=kept) if kept else item
            if item.status in _END_STATUSES:
                self.status = item.status
            elif getattr(item, "error", None):
                self.status = "failed"


class ToolCalls:
    """Emit a snapshot of a call each time that it changes.

    Memory: the inputs of the calls that have not ended, and those of the snapshots that are kept.
    """

    def __init__(self) -> None:
        self._open: dict[int, _OpenCall] = {}
        self._ended: dict[int, StreamedItem] = {}
        self._response_ended = False
        """Whether the response has ended."""

    def quick(self, event: Any) -> Iterable[ToolCall] | None:
        delta = _DELTAS.get(event.__class__)
        if delta is None:
            return None
        call_kind, number = delta
        part = getattr(event, number) if number else 0
        call = self.add(event, call_kind, part)
        return (call.snapshot(delta=event.delta, part=part),) if call is not None else ()

    def feed(self, event: StreamingEvent) -> Iterable[ToolCall]:
        if (calls := self.quick(event)) is not None:
            return calls
        kind: Any = type(event)
        fields: Any = event
        if kind in _DONES:
            return self._input_done(fields, *_DONES[kind])
        if kind in _PROGRESS:
            return self._progress(fields, *_PROGRESS[kind])
        if kind is ResponseOutputItemAddedEvent:
            return self._added(fields.output_index, fields.item)
        if kind is ResponseOutputItemDoneEvent:
            return self._done(fields.output_index, fields.item)
        if kind is ResponseImageGenerationCallPartialImageEvent:
            call = self._call(fields, "image_generation_call")
            return (call.snapshot(preview=fields.partial_image_b64),) if call is not None else ()
        if kind in TERMINAL:
            return tuple(self._terminal(fields.response, whole=kind is ResponseCompletedEvent))
        return ()

    def finish(self) -> Iterable[ToolCall]:
        return ()

    def add(self, event: Any, kind: str, part: int = 0) -> _OpenCall | None:
        """Note a delta; return its call, or None if it belongs to none."""
        call = self._call(event, kind) if event.delta else None
        if call is not None:
            call.add(part, event.delta)
        return call

    def open_calls(self) -> list[ToolCall]:
        """The calls that have not ended."""
        return [call.snapshot() for _, call in sorted(self._open.items())]

    def _call(self, event: Any, kind: str) -> _OpenCall | None:
        """The call of an event, new if its item was never added; None if it has ended or is of another kind."""
        index = event.output_index
        call = self._open.get(index)
        if call is None and index not in self._ended and not self._response_ended:
            call_class = KINDS[kind]
            call = self._open[index] = _OpenCall(
                call_class, call_class.item_class(type=kind, id=event.item_id), index, "in_progress"
            )
        return call if call is not None and call.call_class is KINDS[kind] else None

    def _added(self, index: int, item: OutputItem) -> Iterable[ToolCall]:
        call_class = class_of(item)
        if call_class is None or self._is_ended(index, item):
            return ()
        call = self._open.get(index)
        if call is None:
            call = self._open[index] = _OpenCall(call_class, item, index, "in_progress")
        call.update(item)
        if item.status is not None:
            call.status = item.status
        return (call.snapshot(),)

    def _progress(self, event: Any, kind: str, status: str) -> Iterable[ToolCall]:
        call = self._call(event, kind)
        if call is None or call.status == status:
            return ()
        call.status = status
        return (call.snapshot(),)

    def _input_done(self, event: Any, kind: str, name: str) -> Iterable[ToolCall]:
        call = self._call(event, kind)
        if call is None or call.input_done:
            return ()
        part, whole = getattr(event, "command_index", 0), getattr(event, name)
        if type(event) is ResponseShellCallCommandAddedEvent and not whole:
            call.add(part, "")  # the command has no text yet
            return ()
        rest = call.complete_input(part, whole)
        if kind == "shell_call":
            return () if rest == "" else (call.snapshot(delta=rest or "", part=part),)
        call_name = getattr(event, "name", None)
        if call_name and not getattr(call.item, "name", ""):
            call.item = call.item.model_copy(update={"name": call_name})
        call.input_done = True
        return (call.snapshot(delta=rest or ""),)

    def _done(self, index: int, item: OutputItem) -> Iterable[ToolCall]:
        call_class = class_of(item)
        if call_class is None or self._is_ended(index, item):
            return ()
        call = self._open.get(index) or _OpenCall(call_class, item, index, "in_progress")
        call.update(item)
        return self._close(call)

    def _close(self, call: _OpenCall) -> Iterable[ToolCall]:
        """The end of a call. Without a status at its end it is completed."""
        self._open.pop(call.index, None)
        rest = [call.complete_input(part, whole) or "" for part, whole in enumerate(inputs_of(call.item))]
        if call.status not in _END_STATUSES:
            call.status = "completed"
        whole = call.status != "incomplete"
        call.input_done = call.input_done or whole
        self._ended[call.index] = StreamedItem(call.item.type, ids_of(call.item), _digest_of(call.item, call.texts))
        return (call.snapshot(delta="".join(rest), part=max(0, len(rest) - 1), done=whole),)

    def _is_ended(self, index: int, item: OutputItem) -> bool:
        """Whether the item is that of an ended call at that index. Servers without indexes have others there."""
        ids = ids_of(item)
        if self._response_ended and any(not ended.ids.isdisjoint(ids) for ended in self._ended.values()):
            return True
        ended = self._ended.get(index)
        if ended is None:
            return False
        return not ids or not ended.ids.isdisjoint(ids) or ended.content == _digest_of(item)

    def _terminal(self, response: Response, *, whole: bool) -> Iterator[ToolCall]:
        """The end of the response, and of each call. Some servers send items only in it."""
        self._response_ended = True
        whole = whole and response.status not in ("incomplete", "failed") and failure(response) is None
        streamed = dict(self._ended)
        for index, call in self._open.items():
            ids, content = ids_of(call.item), _digest_of(call.item, call.texts)
            streamed[index] = StreamedItem(call.item.type, ids, content, changed=True)
        last = {index: item for index, item, _ in match_output(response.output or (), streamed, _digest_of)}
        for index, call in sorted(self._open.items()):
            if index in last:
                call.update(last[index])
            if not whole:
                call.status = "incomplete"
            yield from self._close(call)
        for index, item in last.items():
            if whole and index not in streamed:
                yield from self._done(index, item)


def _digest_of(item: OutputItem, texts: Texts | None = None) -> bytes:
    """A digest of the name and the input of a call."""
    inputs = ["".join(texts[number]) for number in sorted(texts)] if texts else inputs_of(item)
    return digest((str(getattr(item, "name", "")), *inputs))
