"""Fields that the official SDK has under other names than the wire (`schema_`, `async_`) come under the wire's."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import openai.types.responses
import pytest
from openai.types.responses import ResponseCreatedEvent, ResponseOutputItemDoneEvent
from pydantic import BaseModel

import rxstream
from rxstream.events import StreamingEvent

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "name": "f", "parameters": {}, "strict": True, "async": True},
    {"type": "custom", "name": "g", "async": True},
    {
        "type": "namespace",
        "name": "n",
        "description": "d",
        "tools": [{"type": "function", "name": "f", "parameters": {}, "async": True}],
    },
]
CALLS: list[dict[str, Any]] = [
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "async": True},
    {"type": "custom_tool_call", "call_id": "c", "name": "g", "input": "", "async": True},
]
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "output": CALLS,
    "text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}},
    "tools": TOOLS,
}
EVENTS: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (ResponseCreatedEvent, {"type": "response.created", "response": RESPONSE}),
    *(
        (ResponseOutputItemDoneEvent, {"type": "response.output_item.done", "output_index": 0, "item": call})
        for call in CALLS
    ),
]
TESTED = {
    "CustomTool": "async",
    "FunctionTool": "async",
    "ParsedResponseFunctionToolCall": "async",
    "ResponseCustomToolCall": "async",
    "ResponseCustomToolCallItem": "async",
    "ResponseFormatTextJSONSchemaConfig": "schema",
    "ResponseFunctionToolCall": "async",
    "ResponseFunctionToolCallItem": "async",
    "ToolFunction": "async",
}
"""Each model of the SDK with such a field -> its name on the wire."""


def renamed() -> Iterator[tuple[str, str]]:
    """The models of the SDK with a field whose name is not that of the wire."""
    package = openai.types.responses
    for module in pkgutil.iter_modules(package.__path__):
        for model in vars(importlib.import_module(f"{package.__name__}.{module.name}")).values():
            if isinstance(model, type) and issubclass(model, BaseModel):
                for name, field in model.model_fields.items():
                    if field.alias not in (None, name):
                        yield model.__name__, str(field.alias)


def test_these_are_all() -> None:
    assert dict(renamed()).items() <= TESTED.items()


@pytest.mark.parametrize(("model", "sent"), EVENTS)
def test_a_field_has_the_name_of_the_wire(model: type[BaseModel], sent: dict[str, Any]) -> None:
    came: list[StreamingEvent] = []
    make: Any = model.construct  # as the SDK does
    with rxstream.Session():
        rxstream.from_iterable([make(**sent)]).subscribe(came.append, lambda error: None)
    assert [event.model_dump() for event in came if not event.synthetic] == [sent]
