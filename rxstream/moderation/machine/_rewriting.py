"""Events written anew: a delta that says a part of what came, a copy that says what was released."""

from collections.abc import Iterable
from typing import Any, cast

from rxstream.events import Event
from rxstream.moderation.machine._gate import Aside
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._slots import JsonObject, Slot, inert, plain, strings


def extra_of(event: Any) -> dict[str, Any]:
    return event.model_extra or {}


def remade(event: Event, dump: JsonObject) -> Any:
    return type(event).model_validate(dump)


def is_clean(event: Any, text: str) -> bool:
    """Whether a delta says this text, and nothing else."""
    fields: dict[str, Any] = event.__dict__
    return (
        event.delta == text
        and not fields.get("logprobs")
        and fields.get("obfuscation") is None
        and not any(True for _ in strings(extra_of(event)))
    )


def delta_like(event: Any, text: str, *, numbered: bool) -> Any:
    """A delta like `event` that says `text`: without padding, log probabilities and texts in unknown fields."""
    extra = extra_of(event)
    fields: dict[str, Any] = {}
    for name in event.model_fields_set:
        if name == "obfuscation" or (name == "sequence_number" and not numbered):
            continue
        value = getattr(event, name)
        if name not in extra or not any(True for _ in strings({name: value})):
            fields[name] = value
    if "logprobs" in fields:
        fields["logprobs"] = []
    fields["delta"] = text
    return cast("type[Event]", type(event)).model_construct(set(fields), **fields)


def without(event: Any, dropped: Iterable[Aside]) -> Any:
    dump: JsonObject = event.model_dump()
    blank(dump, {aside.text for aside in dropped})
    return remade(event, dump)


def write_slot(slot: Slot, text: str, lane: Lane | None) -> None:
    """Write a text anew, and what goes with it."""
    slot.write(text)
    beside = slot.beside
    if beside.get("logprobs"):
        beside["logprobs"] = []
    annotations: Any = beside.get("annotations")
    if annotations:
        kept = moved_with(annotations, lane) if lane is not None else []
        beside["annotations"] = [one for one in kept if _end_of(one) <= len(text)]


def moved_with(annotations: list[JsonObject], lane: Lane) -> list[JsonObject]:
    """Annotations with their offsets in the text as it is shown; those of edited text are left out."""
    kept: list[JsonObject] = []
    for annotation in annotations:
        at = annotation.get("index")
        start = annotation.get("start_index", at)
        end = annotation.get("end_index", start)
        if isinstance(start, int) and isinstance(end, int):
            if lane.edits.touch(start, max(end, start + 1)):
                continue
            moved = {"start_index": lane.offset(start), "end_index": lane.offset(end), "index": lane.offset(start)}
            annotation = annotation | {name: offset for name, offset in moved.items() if name in annotation}
        kept.append(annotation)
    return kept


def _end_of(annotation: JsonObject) -> int:
    end = annotation.get("end_index")
    return end if isinstance(end, int) else 0


def blank(value: Any, hidden: set[str]) -> None:
    """Take texts out of a piece of JSON: an annotation goes, a field that is named so goes, all else is left empty."""
    if isinstance(value, dict):
        fields = cast("JsonObject", value)
        for name, field in tuple(fields.items()):
            if name in hidden and not plain(name):
                del fields[name]
            elif isinstance(field, str):
                if field in hidden and not inert(name):
                    fields[name] = ""
            elif name == "annotations" and isinstance(field, list):
                shown = cast("list[object]", field)
                fields[name] = [one for one in shown if not hidden.intersection(strings(one))]
            else:
                blank(field, hidden)
    elif isinstance(value, list):
        texts = cast("list[object]", value)
        for at, one in enumerate(texts):
            if isinstance(one, str):
                texts[at] = "" if one in hidden else one
            else:
                blank(one, hidden)


def drop_logprobs(value: Any) -> None:
    if isinstance(value, dict):
        fields = cast("JsonObject", value)
        if fields.get("logprobs"):
            fields["logprobs"] = []
        for field in fields.values():
            drop_logprobs(field)
    elif isinstance(value, list):
        for one in cast("list[object]", value):
            drop_logprobs(one)
