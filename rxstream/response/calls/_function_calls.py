"""Function calls, each as soon as its own arguments are whole, and before that as far as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast, overload

from pydantic import BaseModel, TypeAdapter
from pydantic_core import from_json

from rxstream.errors import OutputError, SchemaError
from rxstream.events import (
    FunctionCallItem,
    Response,
    ResponseCompletedEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    StreamingEvent,
)
from rxstream.partial_json._paths import JsonValue
from rxstream.partial_json._so_far import JsonReading, JsonSoFar
from rxstream.partial_json._validation import fit
from rxstream.response._ending import failure

_M = TypeVar("_M", bound=BaseModel)


@overload
def parse_arguments(name: str, arguments: str) -> dict[str, Any]: ...
@overload
def parse_arguments(name: str, arguments: str, model: type[_M]) -> _M: ...
def parse_arguments(name: str, arguments: str, model: type[BaseModel] | None = None) -> Any:
    """The arguments of a call of `name` as a dict, or as an instance of `model`. Errors: see `FunctionCall.parse`."""
    text = arguments.strip() or "{}"
    what = f"the arguments of {name}()"
    if model is not None:
        return fit(text, TypeAdapter(model), what=what, into=model.__name__)
    try:
        value = from_json(text)
    except ValueError as error:
        raise OutputError(f"cannot read {what} as JSON: {error}", text=arguments) from None
    if not isinstance(value, dict):
        raise OutputError(f"cannot read {what} as a JSON object: it is {text[:80]}", text=arguments)
    return cast("dict[str, Any]", value)


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call that the model wants made. `arguments` is the JSON text, whole, as the model wrote it."""

    name: str
    call_id: str
    arguments: str
    output_index: int = 0
    item_id: str = ""

    @overload
    def parse(self) -> dict[str, Any]: ...
    @overload
    def parse(self, model: type[_M]) -> _M: ...
    def parse(self, model: type[BaseModel] | None = None) -> Any:
        """The arguments as a dict, or as an instance of `model`.

        Raises: `OutputError` with the text where it is not the JSON of an object (models do write such); `SchemaError`
        with the path where it does not fit the model. No arguments at all are an empty object.
        """
        return (
            parse_arguments(self.name, self.arguments, model) if model else parse_arguments(self.name, self.arguments)
        )


class FunctionCallProgress:
    """A piece of the arguments of a call that is still being written, and what they are so far.

    `arguments` and `value` are made when they are first asked for; see `JsonSoFar` for what that costs.
    """

    __slots__ = ("_so_far", "call_id", "delta", "item_id", "name", "output_index")

    def __init__(self, call: _Call, index: int, delta: str, so_far: JsonSoFar) -> None:
        self.name = call.name
        self.call_id = call.call_id
        self.delta = delta
        self.output_index = index
        self.item_id = call.item_id
        self._so_far = so_far

    @property
    def arguments(self) -> str:
        """The JSON text so far."""
        return self._so_far.text

    @property
    def value(self) -> JsonValue:
        """The arguments as far as they can be read, a dict as a rule; None before their first character."""
        return self._so_far.value

    @property
    def json(self) -> JsonSoFar:
        """The same with more to ask: which paths are finished, and where it is being written."""
        return self._so_far

    def __repr__(self) -> str:
        return (
            f"FunctionCallProgress(name={self.name!r}, call_id={self.call_id!r}, delta={self.delta!r}, "
            f"arguments={self.arguments!r}, output_index={self.output_index})"
        )


@dataclass(slots=True)
class _Call:
    """What is known of the call at one index."""

    name: str = ""
    call_id: str = ""
    item_id: str = ""
    arguments: str | None = None
    reading: JsonReading | None = None
    broken: bool = False

    def identify(self, item: FunctionCallItem) -> None:
        self.name, self.call_id, self.item_id = item.name, item.call_id, item.id or self.item_id


class FunctionCalls:
    """Emit one `FunctionCall` when its arguments are done, whatever other calls interleave.

    Its name and call id come with the item, which usually was added before; where not, the call waits for it. Where
    `function_call_arguments.done` and `output_item.done` differ, the first to come counts. A call that was cut short,
    whose item ends as `incomplete` without its arguments ever having been whole, is none.
    """

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._emitted: set[int] = set()
        self._call_ids: set[str] = set()
        self._seen: set[int] = set()
        """The hashes of the calls that were emitted: an API knows calls by their id, and none is to be made twice."""

    def feed(self, event: StreamingEvent) -> Iterable[FunctionCall]:
        if isinstance(event, ResponseFunctionCallArgumentsDoneEvent):
            call = self.call(event.output_index)
            if call is not None:
                call.item_id = event.item_id or call.item_id
                call.name = call.name or event.name or ""
                call.arguments = event.arguments
                return self._emit(event.output_index, call)
        elif isinstance(event, ResponseOutputItemAddedEvent):
            if isinstance(event.item, FunctionCallItem) and (call := self.call(event.output_index)):
                call.identify(event.item)
        elif isinstance(event, ResponseOutputItemDoneEvent):
            if isinstance(event.item, FunctionCallItem):
                return self._done(event.output_index, event.item)
        elif isinstance(event, ResponseCompletedEvent):
            return tuple(self._only_in_the_response(event.response))
        return ()

    def finish(self) -> Iterable[FunctionCall]:
        """Calls whose arguments are whole, but whose item never came: with what is known."""
        return tuple(_made(index, call) for index, call in self._calls.items() if call.arguments is not None)

    def call(self, index: int) -> _Call | None:
        """What is known of the call at an index; None where it has been emitted."""
        call = self._calls.get(index)
        if call is None and index not in self._emitted:
            call = self._calls[index] = _Call()
        return call

    def _done(self, index: int, item: FunctionCallItem) -> Iterable[FunctionCall]:
        call = self.call(index)
        if call is None or (call.call_id and item.call_id not in ("", call.call_id)):
            if item.call_id in self._call_ids or not item.call_id:
                return ()
            call = _Call()  # a second one at the index: nobody has normalized this stream
        call.identify(item)
        if call.arguments is None:
            if item.status == "incomplete":
                return ()  # cut short: whoever made the call would make it with half of its arguments
            call.arguments = item.arguments
        return self._emit(index, call)

    def _emit(self, index: int, call: _Call) -> Iterable[FunctionCall]:
        if not call.call_id:
            return ()
        self._emitted.add(index)
        self._call_ids.add(call.call_id)
        if self._calls.get(index) is call:
            del self._calls[index]
        made = hash((call.call_id, call.name, call.arguments))
        if made in self._seen:
            return ()
        self._seen.add(made)
        return (_made(index, call),)

    def _only_in_the_response(self, response: Response) -> Iterator[FunctionCall]:
        """Calls that no event has named. A name is never put to the arguments of another call."""
        if response.status in ("incomplete", "failed") or failure(response) is not None:
            return
        by_id = {call.call_id: index for index, call in self._calls.items()}
        by_arguments = {call.arguments: index for index, call in self._calls.items() if not call.call_id}
        for index, item in enumerate(response.output):
            if isinstance(item, FunctionCallItem) and item.call_id not in self._call_ids:
                place = by_id.get(item.call_id) if item.call_id else None
                if place is None:
                    place = by_arguments.pop(item.arguments, index)
                call = self._calls.get(place)
                if call is not None and not call.call_id and call.arguments not in (None, item.arguments):
                    call.arguments = item.arguments
                yield from self._done(place, item)


def _made(index: int, call: _Call) -> FunctionCall:
    return FunctionCall(call.name, call.call_id, call.arguments or "", index, call.item_id)


class FunctionCallsSoFar:
    """The same, with the progress of each call before it.

    Arguments that are no JSON from some place on stay, as a value, what they were there.
    """

    def __init__(self) -> None:
        self._whole = FunctionCalls()

    def feed(self, event: StreamingEvent) -> Iterable[FunctionCall | FunctionCallProgress]:
        if type(event) is not ResponseFunctionCallArgumentsDeltaEvent:
            return self._whole.feed(event)
        delta = event.delta
        call = self._whole.call(event.output_index)
        if call is None or not delta:
            return ()
        if event.item_id:
            call.item_id = event.item_id
        reading = call.reading
        if reading is None:
            reading = call.reading = JsonReading()
        if call.broken:
            reading.pieces.append(delta)
        else:
            try:
                reading.feed(delta)
            except SchemaError:
                call.broken = True
        return (FunctionCallProgress(call, event.output_index, delta, JsonSoFar(reading)),)

    def finish(self) -> Iterable[FunctionCall | FunctionCallProgress]:
        return self._whole.finish()
