"""The models have every type and field of the specification; of a new one, the tests name what is missing."""

import json
import re
from functools import cache
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from rxstream import events as ev
from rxstream.events._base import Model
from rxstream.events._lenient import wire_type
from tests._given import SPEC, needs

pytestmark = needs(SPEC)

SUFFIX = {
    "output_item": "Item",
    "beta_output_item": "Item",
    "listed_item": "Item",
    "input_item": "Item",
    "output_content_part": "Part",
    "input_content_part": "Part",
    "reasoning_content_part": "Part",
    "summary_part": "Part",
    "annotation": "Annotation",
}
BEYOND_THE_SPEC = {
    "keepalive",
    "response.reasoning_part.added",
    "response.reasoning_part.done",
    "response.rate_limits.updated",
    "compaction_trigger",
}


@cache
def spec(name: str) -> Any:
    path = SPEC / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else []


def camel(wire: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[._]", wire))


def model_of(entry: dict[str, Any]) -> type[Model]:
    return getattr(ev, camel(entry["type"]) + SUFFIX.get(entry.get("category", ""), "Event"))


def fields_of(model: type[Model]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def sample(kind: str) -> Any:
    """A value of a type as the specification's extract writes it."""
    alternative = kind.split("|")[0].removeprefix("Beta")
    if found := re.match(r'const "(.*?)"', kind):
        return found[1]
    if found := re.match(r"enum\((.*?)[|)]", kind):
        return found[1]
    if kind.startswith("array<") or alternative in ("ToolsArray", "InputMessageContentList", "ComputerActionList"):
        return []
    plain = {"string": "x", "integer": 1, "number": 0.5, "boolean": True, "any": [1], "ModelIdsShared": "gpt-4o"}
    return plain.get(alternative, {})


def samples(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The entry with all its fields, and once more for each field that may be null."""
    fields = entry["fields"]
    whole = {name: sample(field["type"]) for name, field in fields.items()} | {"type": entry["type"]}
    nulls = [name for name, field in fields.items() if "null" in field["type"].split("|")]
    return [whole, *({**whole, name: None} for name in nulls)]


def ident(entry: dict[str, Any]) -> str:
    return "-".join(filter(None, [entry.get("category"), entry["type"], entry.get("role")]))


@pytest.mark.parametrize("entry", spec("events"), ids=ident)
def test_every_event_has_its_class_with_every_field(entry: dict[str, Any]) -> None:
    model = model_of(entry)
    assert wire_type(model) == entry["type"]
    assert entry["fields"].keys() <= fields_of(model)


@pytest.mark.parametrize("entry", spec("events"), ids=ident)
def test_every_event_of_the_spec_is_read_strictly(entry: dict[str, Any]) -> None:
    for data in samples(entry):
        event = ev.parse_event(json.dumps(data), strict=True)
        assert type(event) is model_of(entry)
        assert json.loads(event.model_dump_json()) == data


@pytest.mark.parametrize("entry", spec("items"), ids=ident)
def test_every_item_part_and_annotation_has_its_class_with_every_field(entry: dict[str, Any]) -> None:
    model = model_of(entry)
    assert wire_type(model) == entry["type"]
    assert entry["fields"].keys() <= fields_of(model)


@pytest.mark.parametrize("entry", spec("items"), ids=ident)
def test_every_item_part_and_annotation_of_the_spec_is_read_strictly(entry: dict[str, Any]) -> None:
    kind, name = {
        "Item": ("response.output_item.done", "item"),
        "Part": ("response.content_part.done", "part"),
        "Annotation": ("response.output_text.annotation.added", "annotation"),
    }[SUFFIX[entry["category"]]]
    for inner in samples(entry):
        if entry["category"] == "input_item" and (None in inner.values() or inner.get("content") == "x"):
            continue  # the API accepts more forms in the input than it sends
        event = ev.parse_event(json.dumps({"type": kind, name: inner}), strict=True)
        assert type(getattr(event, name)) is model_of(entry)
        assert json.loads(event.model_dump_json()) == {"type": kind, name: inner}


def test_the_response_has_every_field_and_takes_every_null() -> None:
    whole = {name: sample(field["type"]) for name, field in spec("response")["fields"].items()}
    assert whole.keys() <= fields_of(ev.Response)
    nullable = {
        name
        for name, field in spec("response")["fields"].items()
        if "null" in field["type"] or any(field.get("nullable_by_source", {}).values())
    }
    for name in (None, *nullable):
        data = {"type": "response.completed", "response": whole if name is None else {**whole, name: None}}
        event = ev.parse_event(json.dumps(data), strict=True)
        assert json.loads(event.model_dump_json()) == data


@pytest.mark.parametrize(
    ("model", "extract"),
    [
        (ev.Usage, ("openai-python", "ResponseUsage")),
        (ev.InputTokensDetails, ("openai-python", "InputTokensDetails")),
        (ev.OutputTokensDetails, ("openai-python", "OutputTokensDetails")),
        (ev.Usage, ("openapi", "ResponseUsage")),
        (ev.InputTokensDetails, ("openapi", "input_tokens_details")),
        (ev.Usage, ("open-responses", "Usage")),
    ],
)
def test_usage_has_every_field(model: type[Model], extract: tuple[str, str]) -> None:
    source, name = extract
    assert spec("response")["usage"][source][name].keys() <= fields_of(model)


def test_error_and_moderation_have_every_field() -> None:
    response = spec("response")
    assert response["error"]["openai-python"]["fields"].keys() <= fields_of(ev.ResponseErrorInfo)
    assert response["moderation"]["openapi"].keys() <= fields_of(ev.Moderation)
    assert response["moderation"]["result"].keys() <= fields_of(ev.ModerationResult)
    assert response["moderation"]["error"].keys() <= fields_of(ev.ModerationFailure)


def test_every_class_is_a_type_of_the_specification() -> None:
    named = {entry["type"] for entry in spec("events") + spec("items")}
    models = [getattr(ev, name) for name in ev.__all__ if isinstance(getattr(ev, name), type)]
    wire = {
        get_args(model.model_fields["type"].annotation)[0]
        for model in models
        if issubclass(model, Model)
        and "type" in model.model_fields
        and get_args(model.model_fields["type"].annotation)
        and not model.__name__.startswith(("Moderation", "WebSearchAction", "PatchOperation"))
        and isinstance(get_args(model.model_fields["type"].annotation)[0], str)
    }
    # Two more parts stand in the lists of other schemas only.
    assert wire - named == BEYOND_THE_SPEC - named | {"computer_screenshot"}


def test_the_24_names_of_the_api_guide_are_aliases() -> None:
    rows = re.findall(r"^\| \d+ \| (\w+) \| `([\w.]+)`", (SPEC / "SEED_MAP.md").read_text("utf-8"), re.MULTILINE)
    assert len(rows) == 24
    for name, wire in rows:
        assert getattr(ev, name) is getattr(ev, camel(wire) + "Event")
        assert name in ev.__all__


def test_old_wire_names_are_not_an_error() -> None:
    for entry in spec("legacy_wire_types"):
        event = ev.parse_event(json.dumps({"type": entry["type"], "delta": "x", "text": "x"}))
        assert event.type == entry["type"]
        assert not isinstance(event, ev.UnknownEvent) or event.error is None


def test_open_enums_accept_other_values() -> None:
    with pytest.raises(ValidationError):
        ev.ResponseOutputTextDeltaEvent.model_validate({"type": "response.refusal.delta", "delta": ""})
    item = ev.MessageItem.model_validate({"type": "message", "status": "pondering", "role": "oracle"})
    assert (item.status, item.role) == ("pondering", "oracle")
