"""Tool calls of every kind: how far each is, and its input as far as it has come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from rxstream.events import (
    OutputItem,
    Response,
    ResponseCompletedEvent,
    ResponseImageGenerationCallPartialImageEvent,
    ResponseIncompleteEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseShellCallCommandAddedEvent,
    StreamingEvent,
)
from rxstream.events._fields import by_delta, by_done, by_progress
from rxstream.response.calls._tool_call import AnyToolCall, Said, inputs, inputs_of
from rxstream.response.calls._tool_call_kinds import KINDS, ToolCall, class_of

_MORE = {event: text.item_type for event, text in by_delta().items() if text.item_type in KINDS}
"""Events that bring more of an input -> the kind of the call."""

_WHOLE = {event: (text.item_type, text.field) for event, text in by_done().items() if text.item_type in KINDS}
"""Events that bring the whole of an input, or of one command -> the kind of the call, and the field."""

_PROGRESS = {event: progress for event, progress in by_progress().items() if progress[0] in KINDS}
"""Events that only tell how far a call is -> its kind and its status."""

_ENDS = ("completed", "failed", "incomplete")


@dataclass(slots=True)
class _Open:
    """A call that is not over."""

    make: type[AnyToolCall[Any]]
    item: OutputItem
    index: int
    status: str
    input_done: bool = False
    said: Said = field(default_factory=list[tuple[int, str, bool]])

    def moment(self, *, delta: str = "", part: int = 0, done: bool = False, **known: Any) -> ToolCall:
        moment = self.make(
            self.item,
            self.index,
            said=self.said,
            status=self.status,
            delta=delta,
            part=part,
            input_done=self.input_done,
            done=done,
            **known,
        )
        return cast(ToolCall, moment)

    def more(self, part: int, text: str) -> Iterable[ToolCall]:
        if not text:
            return ()
        self.said.append((part, text, False))
        return (self.moment(delta=text, part=part),)

    def settle(self, part: int, whole: str) -> str | None:
        """Take the whole of an input; return what was missing, None where it says something else than was said."""
        said = "".join(inputs([entry for entry in self.said if entry[0] == part]))
        if whole.startswith(said):
            if len(whole) > len(said):
                self.said.append((part, whole[len(said) :], False))
            return whole[len(said) :]
        self.said.append((part, whole, True))
        return None


class ToolCalls:
    """Emit a call each time something of it changes: it begins, goes on, has more input, is over.

    Memory: the input of the calls that are not over, for as long as one of their moments is kept.
    """

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._over: set[int] = set()
        self._ids: set[str] = set()
        """What the calls that are over are known by."""

    def feed(self, event: StreamingEvent) -> Iterable[ToolCall]:
        kind: Any = type(event)
        told: Any = event
        if kind in _MORE:
            call = self._call(told, _MORE[kind])
            return call.more(getattr(told, "command_index", 0), told.delta) if call else ()
        if kind in _WHOLE:
            return self._whole(told, *_WHOLE[kind])
        if kind in _PROGRESS:
            return self._progress(told, *_PROGRESS[kind])
        if kind is ResponseOutputItemAddedEvent:
            return self._added(told.output_index, told.item)
        if kind is ResponseOutputItemDoneEvent:
            return self._done(told.output_index, told.item)
        if kind is ResponseImageGenerationCallPartialImageEvent:
            call = self._call(told, "image_generation_call")
            return (call.moment(preview=told.partial_image_b64),) if call else ()
        if kind is ResponseCompletedEvent or kind is ResponseIncompleteEvent:
            return tuple(self._ended(told.response, cut=kind is ResponseIncompleteEvent))
        return ()

    def finish(self) -> Iterable[ToolCall]:
        return ()

    def _call(self, event: Any, kind: str) -> _Open | None:
        """The call at an event's index, opened where its item was never added; None where it is over."""
        index = event.output_index
        call = self._open.get(index)
        if call is None and index not in self._over:
            make = KINDS[kind]
            call = self._open[index] = _Open(make, make.item_class(type=kind, id=event.item_id), index, "in_progress")
        return call

    def _added(self, index: int, item: OutputItem) -> Iterable[ToolCall]:
        make = class_of(item)
        if make is None or index in self._over:
            return ()
        call = self._open[index] = _Open(make, item, index, item.status or "in_progress")
        return (call.moment(),)

    def _progress(self, event: Any, kind: str, status: str) -> Iterable[ToolCall]:
        call = self._call(event, kind)
        if call is None or call.status == status:
            return ()
        call.status = status
        return (call.moment(),)

    def _whole(self, event: Any, kind: str, name: str) -> Iterable[ToolCall]:
        call = self._call(event, kind)
        if call is None:
            return ()
        part, whole = getattr(event, "command_index", 0), getattr(event, name)
        if kind == "shell_call":
            if type(event) is ResponseShellCallCommandAddedEvent and not whole:
                call.said.append((part, "", False))  # a command that has no text yet is a command
                return ()
            missing = call.settle(part, whole)
            return () if missing == "" else (call.moment(delta=missing or "", part=part),)
        if call.input_done:
            return ()
        missing = call.settle(part, whole)
        call.input_done = True
        return (call.moment(delta=missing or ""),)

    def _done(self, index: int, item: OutputItem) -> Iterable[ToolCall]:
        make = class_of(item)
        if make is None or index in self._over:
            return ()
        call = self._open.pop(index, None) or _Open(make, item, index, "in_progress")
        call.make, call.item = make, item
        if item.status in _ENDS:
            call.status = item.status
        elif call.status != "failed":
            call.status = "failed" if getattr(item, "error", None) else "completed"
        return self._close(call)

    def _close(self, call: _Open) -> Iterable[ToolCall]:
        missing = [call.settle(part, whole) or "" for part, whole in enumerate(inputs_of(call.item)) if whole]
        whole = call.status != "incomplete"
        call.input_done = call.input_done or whole
        self._over.add(call.index)
        self._ids.update(_names(call.item))
        return (call.moment(delta="".join(missing), part=max(0, len(missing) - 1), done=whole),)

    def _ended(self, response: Response, *, cut: bool) -> Iterator[ToolCall]:
        """The response is over: so is each call. Some items come with the last event only."""
        output = response.output or []
        for index, call in sorted(self._open.items()):
            del self._open[index]
            last = _found(call, output)
            if last is not None:
                call.item = last
            if cut:
                call.status = "incomplete"
            elif call.status != "failed":
                call.status = last.status if last is not None and last.status in _ENDS else "completed"
            yield from self._close(call)
        for index, item in enumerate(output):
            if index not in self._over and self._ids.isdisjoint(_names(item)):
                yield from self._done(index, item)


def _names(item: OutputItem) -> set[str]:
    """What an item may be known by: its id, and its call id, which outlives that on some servers."""
    call_id = getattr(item, "call_id", "")
    return {name for name in (item.id, call_id) if name and isinstance(name, str)}


def _found(call: _Open, output: list[OutputItem]) -> OutputItem | None:
    """The item of a call among those of the last event: by its id or call id, else by its place."""
    names = _names(call.item)
    for item in output:
        if not names.isdisjoint(_names(item)) and class_of(item) is call.make:
            return item
    item = output[call.index] if call.index < len(output) else None
    return item if item is not None and class_of(item) is call.make else None
