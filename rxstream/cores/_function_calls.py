"""Function calls, each as soon as its own arguments are whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from rxstream.errors import OutputError, SchemaError
from rxstream.events import (
    FunctionCallItem,
    Response,
    ResponseCompletedEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    StreamingEvent,
)

_M = TypeVar("_M", bound=BaseModel)


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
        text = self.arguments.strip() or "{}"
        if model is not None:
            try:
                return model.model_validate_json(text)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                path = ".".join(map(str, first["loc"]))
                where = f" at {path}" if path else ""
                raise SchemaError(
                    f"the arguments of {self.name}() do not fit {model.__name__}{where}: {first['msg']}",
                    path=path,
                    text=self.arguments,
                ) from None
        try:
            value = from_json(text)
        except ValueError as error:
            raise OutputError(f"the arguments of {self.name}() are not JSON: {error}", text=self.arguments) from None
        if not isinstance(value, dict):
            raise OutputError(f"the arguments of {self.name}() are not a JSON object", text=self.arguments)
        return value  # pyright: ignore[reportUnknownVariableType]


@dataclass(slots=True)
class _Call:
    """What is known of the call at one index."""

    name: str = ""
    call_id: str = ""
    item_id: str = ""
    arguments: str | None = None


class FunctionCalls:
    """Emit one `FunctionCall` when its arguments are done, whatever other calls interleave.

    Its name and call id come with the item, which usually was added before; where not, the call waits for it. Where
    `function_call_arguments.done` and `output_item.done` differ, the first to come counts.
    """

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._emitted: set[int] = set()
        self._call_ids: set[str] = set()

    def feed(self, event: StreamingEvent) -> Iterable[FunctionCall]:
        if isinstance(event, ResponseFunctionCallArgumentsDoneEvent):
            call = self._call(event.output_index)
            call.item_id = event.item_id or call.item_id
            call.name = call.name or event.name or ""
            call.arguments = event.arguments
            return self._emit(event.output_index, call)
        if isinstance(event, ResponseOutputItemAddedEvent):
            if isinstance(event.item, FunctionCallItem):
                self._identify(self._call(event.output_index), event.item)
        elif isinstance(event, ResponseOutputItemDoneEvent):
            if isinstance(event.item, FunctionCallItem):
                return self._done(event.output_index, event.item)
        elif isinstance(event, ResponseCompletedEvent):
            return tuple(self._only_in_the_response(event.response))
        return ()

    def finish(self) -> Iterable[FunctionCall]:
        """Calls whose arguments are whole, but whose item never came: with what is known."""
        return tuple(
            _made(index, call)
            for index, call in self._calls.items()
            if call.arguments is not None and index not in self._emitted
        )

    def _call(self, index: int) -> _Call:
        return self._calls.setdefault(index, _Call())

    def _identify(self, call: _Call, item: FunctionCallItem) -> None:
        call.name, call.call_id, call.item_id = item.name, item.call_id, item.id or call.item_id

    def _done(self, index: int, item: FunctionCallItem) -> Iterable[FunctionCall]:
        call = self._call(index)
        self._identify(call, item)
        if call.arguments is None:
            call.arguments = item.arguments
        return self._emit(index, call)

    def _emit(self, index: int, call: _Call) -> Iterable[FunctionCall]:
        if index in self._emitted or not call.call_id:
            return ()
        self._emitted.add(index)
        self._call_ids.add(call.call_id)
        return (_made(index, call),)

    def _only_in_the_response(self, response: Response) -> Iterator[FunctionCall]:
        for index, item in enumerate(response.output or ()):
            if isinstance(item, FunctionCallItem) and item.call_id not in self._call_ids:
                if index in self._emitted:
                    continue
                yield from self._done(index, item)


def _made(index: int, call: _Call) -> FunctionCall:
    return FunctionCall(call.name, call.call_id, call.arguments or "", index, call.item_id)
