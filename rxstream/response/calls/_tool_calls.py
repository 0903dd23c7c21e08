"""Tool calls of every kind: how far each is, and its input as far as it has come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from rxstream.response._output_matching import StreamedItem, digest, match_output, names_of
from rxstream.response.calls._tool_call import AnyToolCall, Pieces, inputs, inputs_of
from rxstream.response.calls._tool_call_kinds import KINDS, ToolCall, class_of

_MORE = {event: text.item_type for event, text in by_delta().items() if text.item_type in KINDS}
"""Events that bring more of an input -> the kind of the call."""

_WHOLE = {event: (text.item_type, text.field) for event, text in by_done().items() if text.item_type in KINDS}
"""Events that bring the whole of an input, or of one command -> the kind of the call, and the field."""

_PROGRESS = {event: progress for event, progress in by_progress().items() if progress[0] in KINDS}
"""Events that only tell how far a call is -> its kind and its status."""

_ENDS = ("completed", "failed", "incomplete")
_IDENTITY = ("id", "name", "call_id")


@dataclass(slots=True)
class _Call:
    """A call that is not over."""

    make: type[AnyToolCall[Any]]
    item: OutputItem
    index: int
    status: str
    input_done: bool = False
    pieces: Pieces = field(default_factory=list[tuple[int, str, bool]])

    def now(self, *, delta: str = "", part: int = 0, done: bool = False, **known: Any) -> ToolCall:
        """The call at this moment."""
        now = self.make.of_item(
            self.item,
            self.index,
            pieces=self.pieces,
            status=self.status,
            delta=delta,
            part=part,
            input_done=self.input_done,
            done=done,
            **known,
        )
        return cast(ToolCall, now)

    def add(self, part: int, text: str) -> None:
        self.pieces.append((part, text, False))

    def settle(self, part: int, whole: str) -> str | None:
        """Take the whole of an input; return what was missing, None where it contradicts what came before.

        An empty one tells nothing: some servers leave it out at the end.
        """
        so_far = "".join(inputs([piece for piece in self.pieces if piece[0] == part]))
        if not whole or whole == so_far:
            return ""
        if whole.startswith(so_far):
            self.add(part, whole[len(so_far) :])
            return whole[len(so_far) :]
        self.pieces.append((part, whole, True))
        return None

    def take(self, item: OutputItem) -> None:
        """Take what an item says now. What it leaves out stays as it was."""
        make = class_of(item)
        if make is not None:
            kept = {
                name: value
                for name in _IDENTITY
                if (value := getattr(self.item, name, None)) and getattr(item, name, value) in ("", None)
            }
            self.make, self.item = make, item.model_copy(update=kept) if kept else item
            if item.status in _ENDS:
                self.status = item.status
            elif getattr(item, "error", None):
                self.status = "failed"


class ToolCalls:
    """Emit a call each time something of it changes: it begins, goes on, has more input, is over.

    Memory: the input of the calls that are not over, for as long as one of their moments is kept.
    """

    def __init__(self) -> None:
        self._open: dict[int, _Call] = {}
        self._over: dict[int, StreamedItem] = {}
        self._at_end = False
        """Whether the response has ended."""

    def feed(self, event: StreamingEvent) -> Iterable[ToolCall]:
        kind: Any = type(event)
        fields: Any = event
        if kind in _MORE:
            part = getattr(fields, "command_index", 0)
            call = self.add(fields, _MORE[kind], part)
            return (call.now(delta=fields.delta, part=part),) if call is not None else ()
        if kind in _WHOLE:
            return self._whole(fields, *_WHOLE[kind])
        if kind in _PROGRESS:
            return self._progress(fields, *_PROGRESS[kind])
        if kind is ResponseOutputItemAddedEvent:
            return self._added(fields.output_index, fields.item)
        if kind is ResponseOutputItemDoneEvent:
            return self._done(fields.output_index, fields.item)
        if kind is ResponseImageGenerationCallPartialImageEvent:
            call = self._call(fields, "image_generation_call")
            return (call.now(preview=fields.partial_image_b64),) if call is not None else ()
        if kind in TERMINAL:
            return tuple(self._ended(fields.response, whole=kind is ResponseCompletedEvent))
        return ()

    def finish(self) -> Iterable[ToolCall]:
        return ()

    def add(self, event: Any, kind: str, part: int = 0) -> _Call | None:
        """Note a delta; return its call, None where it says nothing of one."""
        call = self._call(event, kind) if event.delta else None
        if call is not None:
            call.add(part, event.delta)
        return call

    def open_calls(self) -> list[ToolCall]:
        """The calls that are not over."""
        return [call.now() for _, call in sorted(self._open.items())]

    def _call(self, event: Any, kind: str) -> _Call | None:
        """The call at an event's index, opened where its item was never added; None where it is over, or another."""
        index = event.output_index
        call = self._open.get(index)
        if call is None and index not in self._over and not self._at_end:
            make = KINDS[kind]
            call = self._open[index] = _Call(make, make.item_class(type=kind, id=event.item_id), index, "in_progress")
        return call if call is not None and call.make is KINDS[kind] else None

    def _added(self, index: int, item: OutputItem) -> Iterable[ToolCall]:
        make = class_of(item)
        if make is None or self._is_over(index, item):
            return ()
        call = self._open.get(index)
        if call is None:
            call = self._open[index] = _Call(make, item, index, "in_progress")
        call.take(item)
        if item.status is not None:
            call.status = item.status
        return (call.now(),)

    def _progress(self, event: Any, kind: str, status: str) -> Iterable[ToolCall]:
        call = self._call(event, kind)
        if call is None or call.status == status:
            return ()
        call.status = status
        return (call.now(),)

    def _whole(self, event: Any, kind: str, name: str) -> Iterable[ToolCall]:
        call = self._call(event, kind)
        if call is None or call.input_done:
            return ()
        part, whole = getattr(event, "command_index", 0), getattr(event, name)
        if type(event) is ResponseShellCallCommandAddedEvent and not whole:
            call.add(part, "")  # a command that has no text yet is a command
            return ()
        missing = call.settle(part, whole)
        if kind == "shell_call":
            return () if missing == "" else (call.now(delta=missing or "", part=part),)
        call_name = getattr(event, "name", None)
        if call_name and not getattr(call.item, "name", ""):
            call.item = call.item.model_copy(update={"name": call_name})
        call.input_done = True
        return (call.now(delta=missing or ""),)

    def _done(self, index: int, item: OutputItem) -> Iterable[ToolCall]:
        make = class_of(item)
        if make is None or self._is_over(index, item):
            return ()
        call = self._open.get(index) or _Call(make, item, index, "in_progress")
        call.take(item)
        return self._close(call)

    def _close(self, call: _Call) -> Iterable[ToolCall]:
        """A call is over. One whose end says nothing of how it went has succeeded."""
        self._open.pop(call.index, None)
        missing = [call.settle(part, whole) or "" for part, whole in enumerate(inputs_of(call.item))]
        if call.status not in _ENDS:
            call.status = "completed"
        whole = call.status != "incomplete"
        call.input_done = call.input_done or whole
        self._over[call.index] = StreamedItem(call.item.type, names_of(call.item), _content(call.item, call.pieces))
        return (call.now(delta="".join(missing), part=max(0, len(missing) - 1), done=whole),)

    def _is_over(self, index: int, item: OutputItem) -> bool:
        """Whether the item is the one at that index that is over. A server that counts nothing has others there."""
        names = names_of(item)
        if self._at_end and any(not over.names.isdisjoint(names) for over in self._over.values()):
            return True
        over = self._over.get(index)
        if over is None:
            return False
        return not names or not over.names.isdisjoint(names) or over.content == _content(item)

    def _ended(self, response: Response, *, whole: bool) -> Iterator[ToolCall]:
        """The response is over: so is each call. Some items come with the last event only."""
        self._at_end = True
        whole = whole and response.status not in ("incomplete", "failed") and failure(response) is None
        streamed = dict(self._over)
        for index, call in self._open.items():
            names, content = names_of(call.item), _content(call.item, call.pieces)
            streamed[index] = StreamedItem(call.item.type, names, content, changed=True)
        last = {index: item for index, item, _ in match_output(response.output or (), streamed, _content)}
        for index, call in sorted(self._open.items()):
            if index in last:
                call.take(last[index])
            if not whole:
                call.status = "incomplete"
            yield from self._close(call)
        for index, item in last.items():
            if whole and index not in streamed:
                yield from self._done(index, item)


def _content(item: OutputItem, pieces: Sequence[tuple[int, str, bool]] = ()) -> bytes:
    """The digest of what a call says: its name and its input."""
    texts = inputs(pieces) or inputs_of(item)
    return digest((str(getattr(item, "name", "")), *texts))
