"""Whoever serialises an event, in whatever way of pydantic: it has the fields that came, and it is JSON."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, SerializeAsAny, TypeAdapter

from rxstream import events as ev
from rxstream.moderation import ModerationRetractedEvent

SENT: dict[str, dict[str, Any]] = {
    "delta": {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "Hi", "logprobs": [], "x": {"y": 1}},
    "code": {"type": "error", "error": {"code": 500, "message": "no"}},
    "unknown": {"type": "acme:thing", "n": None, "items": [{"a": 1}]},
    "misfit": {"type": "response.output_text.delta", "delta": {"a": 1}},
    "nested": {
        "type": "response.completed",
        "response": {
            "id": "resp_1",
            "error": {"code": 3, "message": "m"},
            "output_text": "Hi",
            "temperature": "hot",
            "output": [
                {"type": "message", "content": [{"type": "output_text", "text": "Hi"}, {"type": "new", "a": 1}]},
                {"type": "function_call", "async": True, "name": "f", "arguments": {"a": 1}},
                {"type": "acme"},
            ],
        },
    },
}


class Holder(BaseModel):
    event: ev.Event
    precise: ev.StreamingEvent
    several: list[ev.StreamingEvent]
    duck: SerializeAsAny[BaseModel]


def holder(event: Any) -> Holder:
    return Holder(event=event, precise=event, several=[event], duck=event)


FASTAPI = {"include": None, "exclude": None, "exclude_unset": False, "exclude_defaults": False, "exclude_none": False}
WAYS: dict[str, Callable[[Any], Any]] = {
    "model_dump": lambda event: event.model_dump(),
    "model_dump, mode json": lambda event: event.model_dump(mode="json"),
    "model_dump_json": lambda event: json.loads(event.model_dump_json()),
    "adapter of the base": lambda event: TypeAdapter(ev.Event).dump_python(event),
    "adapter of the base, JSON": lambda event: json.loads(TypeAdapter(ev.Event).dump_json(event)),
    "adapter of the union": lambda event: TypeAdapter(ev.StreamingEvent).dump_python(event, mode="json"),
    "adapter of the union, JSON": lambda event: json.loads(TypeAdapter(ev.StreamingEvent).dump_json(event)),
    "adapter of a list": lambda event: json.loads(TypeAdapter(list[ev.Event]).dump_json([event]))[0],
    "adapter of anything": lambda event: json.loads(TypeAdapter(Any).dump_json(event)),
    "a field": lambda event: holder(event).model_dump()["event"],
    "a field, JSON": lambda event: json.loads(holder(event).model_dump_json())["event"],
    "a field of the union": lambda event: json.loads(holder(event).model_dump_json())["precise"],
    "an entry of a field": lambda event: json.loads(holder(event).model_dump_json())["several"][0],
    "a field by its class": lambda event: json.loads(holder(event).model_dump_json())["duck"],
    "FastAPI's jsonable_encoder": lambda event: event.model_dump(mode="json", by_alias=True, **FASTAPI),
    "FastAPI's response_model": lambda event: TypeAdapter(type(event)).dump_python(
        event, mode="json", by_alias=True, **FASTAPI
    ),
}
way = pytest.mark.parametrize("dump", WAYS.values(), ids=WAYS)


@way
@pytest.mark.parametrize("sent", SENT.values(), ids=SENT)
def test_a_dump_is_what_came(dump: Callable[[Any], Any], sent: dict[str, Any]) -> None:
    assert dump(ev.parse_event(json.dumps(sent))) == sent


def refuse(constant: str) -> None:
    raise AssertionError(constant)


@pytest.mark.parametrize("kind", ["acme", "response.output_text.delta", "response.created"])
def test_no_dump_has_a_number_that_json_does_not_have(kind: str) -> None:
    event = ev.parse_event(
        f"""{{"type": "{kind}", "delta": "NaN", "x": [1e999, NaN, {{"y": -Infinity}}],
        "logprobs": [{{"token": "a", "logprob": -Infinity}}], "response": {{"temperature": 1e999}}}}"""
    )
    for text in (
        TypeAdapter(ev.Event).dump_json(event),
        TypeAdapter(ev.StreamingEvent).dump_json(event),
        holder(event).model_dump_json(),
        json.dumps(event.model_dump(mode="json"), allow_nan=False),
        json.dumps(holder(event).model_dump(mode="json"), allow_nan=False),
    ):
        json.loads(text, parse_constant=refuse)
    assert event.model_dump(mode="json")["x"] == [None, None, {"y": None}]
    assert event.model_dump()["x"][0] == float("inf")


def test_the_options_of_pydantic_mean_what_they_say() -> None:
    event = ev.parse_event(json.dumps({**SENT["nested"], "sequence_number": None, "extra": 1}))
    assert "sequence_number" in event.model_dump()
    assert "sequence_number" not in event.model_dump(exclude_none=True)
    assert event.model_dump(include={"type", "extra"}) == {"type": "response.completed", "extra": 1}
    for dumped in (
        event.model_dump(include={"response": {"id": True, "output": {2: True}}}),
        json.loads(event.model_dump_json(include={"response": {"id": True, "output": {2: True}}})),
    ):
        assert dumped == {"response": {"id": "resp_1", "output": [{"type": "acme"}]}}
    assert event.model_dump(exclude={"response": {"output", "error"}})["response"].keys() == {
        *("id", "output_text", "temperature"),
    }
    item = ev.FunctionCallItem.model_validate({"type": "function_call", "async": True})
    assert item.model_dump(by_alias=False) == {"type": "function_call", "async_": True}


def test_the_schema_describes_the_fields() -> None:
    for mode in ("validation", "serialization"):
        schema = ev.ResponseOutputTextDeltaEvent.model_json_schema(mode=mode)  # type: ignore[arg-type]
        assert {"type", "delta", "logprobs"} <= schema["properties"].keys()


def test_what_no_server_sent_is_dumped_with_all_fields() -> None:
    event = ModerationRetractedEvent(start=1, end=2)
    whole = {
        "type": "rxstream.moderation.retracted",
        "sequence_number": None,
        "synthetic": True,
        "kind": "text",
        "output_index": 0,
        "content_index": 0,
        "response_id": None,
        "start": 1,
        "end": 2,
    }
    assert event.model_dump() == json.loads(TypeAdapter(ev.Event).dump_json(event)) == whole
