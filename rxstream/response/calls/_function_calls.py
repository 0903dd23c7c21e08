"""Function calls: each as soon as its arguments are whole, and on request its progress before that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import cast

from rxstream.errors import SchemaError
from rxstream.events import FunctionCallItem, ResponseFunctionCallArgumentsDeltaEvent, StreamingEvent
from rxstream.partial_json._paths import JsonValue
from rxstream.partial_json._so_far import JsonReading, JsonSoFar
from rxstream.partial_json._validation import is_json
from rxstream.response.calls._tool_call_kinds import FunctionCall, ToolCall
from rxstream.response.calls._tool_calls import ToolCalls


class FunctionCalls:
    """Emit one `FunctionCall` for each call when its arguments are whole. Calls may interleave.

    They are whole with `function_call_arguments.done` if that is JSON and the name is known; else with the end of the
    item or of the response. A call that was cut is not emitted: its arguments are not whole.
    """

    def __init__(self, on_other: Callable[[ToolCall], object] | None = None) -> None:
        self._on_other = on_other
        """Gets the snapshots of other calls."""
        self._calls = ToolCalls()
        self._early: set[int] = set()
        """The output indexes of the calls that were emitted before the end of their item."""
        # The output index of the last event, if it was a delta, and the pieces of its arguments.
        self._index: int | None = None
        self._pieces: list[str] = []

    def quick(self, event: StreamingEvent) -> Iterable[FunctionCall] | None:
        if type(event) is not ResponseFunctionCallArgumentsDeltaEvent:
            return None
        if event.output_index == self._index:
            self._pieces.append(event.delta)
        else:
            self.add(event)
        return ()

    def feed(self, event: StreamingEvent) -> Iterable[FunctionCall]:
        if (calls := self.quick(event)) is not None:
            return calls
        self._index = None
        return list(self._complete(self._calls.feed(event)))

    def add(self, event: ResponseFunctionCallArgumentsDeltaEvent) -> FunctionCallItem | None:
        """Note a delta; return the item of its call, or None if that has ended."""
        call = self._calls.add(event, "function_call")
        if call is None:
            return None
        self._index, self._pieces = event.output_index, call.texts[0]
        return cast(FunctionCallItem, call.item)

    def finish(self) -> Iterable[FunctionCall]:
        """The stream has no end of the response: emit the calls whose arguments are whole."""
        return list(self._complete(self._calls.open_calls(), without_id=True))

    def _complete(self, calls: Iterable[ToolCall], *, without_id: bool = False) -> Iterator[FunctionCall]:
        for call in calls:
            if not isinstance(call, FunctionCall):
                if self._on_other is not None:
                    self._on_other(call)
                continue
            if not call.name:
                continue
            if call.done:
                if call.output_index in self._early:
                    self._early.remove(call.output_index)
                else:
                    yield call.as_done()
            elif call.input_done and (call.call_id or without_id) and self._is_early(call):
                self._early.add(call.output_index)
                yield call.as_done()

    def _is_early(self, call: FunctionCall) -> bool:
        """Whether the arguments of a call are whole before the end of its item."""
        return call.output_index not in self._early and call.status != "incomplete" and is_json(call.arguments)


class FunctionCallProgress:
    """A delta of the arguments of a call that has not ended, and the arguments so far.

    `arguments` and `value` are made when they are first read; `JsonSoFar` has the costs.
    """

    __slots__ = ("_so_far", "call_id", "delta", "item_id", "name", "namespace", "output_index")

    def __init__(
        self, item: FunctionCallItem, event: ResponseFunctionCallArgumentsDeltaEvent, so_far: JsonSoFar
    ) -> None:
        self.name = item.name
        self.namespace = item.namespace
        self.call_id = item.call_id
        self.delta = event.delta
        self.output_index = event.output_index
        self.item_id = item.id
        self._so_far = so_far

    @property
    def arguments(self) -> str:
        """The JSON text so far."""
        return self._so_far.text

    @property
    def value(self) -> JsonValue:
        """The arguments so far, usually a dict; None before their first character."""
        return self._so_far.value

    @property
    def json(self) -> JsonSoFar:
        """The same, with the paths that are finished and the one that is being written."""
        return self._so_far

    def __repr__(self) -> str:
        return (
            f"FunctionCallProgress(name={self.name!r}, call_id={self.call_id!r}, delta={self.delta!r}, "
            f"arguments={self.arguments!r}, output_index={self.output_index})"
        )


class FunctionCallsSoFar:
    """The same, with the progress of each call before it.

    If the arguments are not JSON from some place on, `value` stays as it was there.
    """

    def __init__(self) -> None:
        self._complete = FunctionCalls()
        self._readings: dict[int, JsonReading] = {}
        self._broken: set[int] = set()
        """The output indexes of the calls whose arguments are not JSON."""
        # The output index of the last event, if it was a delta, with the item and the JSON of its call.
        self._index: int | None = None
        self._item = FunctionCallItem(type="function_call")
        self._reading = JsonReading()

    def quick(self, event: StreamingEvent) -> Iterable[FunctionCallProgress] | None:
        if type(event) is not ResponseFunctionCallArgumentsDeltaEvent:
            return None
        index, delta = event.output_index, event.delta
        if not delta:
            return ()
        if index == self._index:
            self._complete.quick(event)
        else:
            item = self._complete.add(event)
            if item is None:
                return ()
            self._index, self._item = index, item
            self._reading = self._readings.get(index) or self._readings.setdefault(index, JsonReading())
        if index in self._broken:
            self._reading.pieces.append(delta)
        else:
            try:
                self._reading.feed(delta)
            except SchemaError:
                self._broken.add(index)
        return (FunctionCallProgress(self._item, event, JsonSoFar(self._reading)),)

    def feed(self, event: StreamingEvent) -> Iterable[FunctionCall | FunctionCallProgress]:
        if (progress := self.quick(event)) is not None:
            return progress
        self._index = None
        calls = self._complete.feed(event)
        for call in calls:
            self._readings.pop(call.output_index, None)
            self._broken.discard(call.output_index)
        return calls

    def finish(self) -> Iterable[FunctionCall | FunctionCallProgress]:
        return self._complete.finish()
