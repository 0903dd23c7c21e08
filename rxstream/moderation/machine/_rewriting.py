"""New events made of held events: with a part of the text, with edited text, without some texts."""

from collections.abc import Iterable
from typing import Any, cast

from rxstream.events import Event
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._queues import SideText
from rxstream.moderation.machine._slots import JsonFields, TextSlot, is_identifier, is_plain_name, texts_in


def unknown_fields(event: Any) -> dict[str, Any]:
    return event.model_extra or {}


def rebuild(event: Event, dump: JsonFields) -> Any:
    return type(event).model_validate(dump)


def has_only_text(event: Any, text: str) -> bool:
    """Whether a delta has this text, and no other text, log probabilities or padding."""
    fields: dict[str, Any] = event.__dict__
    return (
        event.delta == text
        and not fields.get("logprobs")
        and fields.get("obfuscation") is None
        and not any(True for _ in texts_in(unknown_fields(event)))
    )


def copy_delta(event: Any, text: str, *, numbered: bool) -> Any:
    """A copy of a delta with `text`: without padding, log probabilities and texts in unknown fields."""
    extra = unknown_fields(event)
    fields: dict[str, Any] = {}
    for name in event.model_fields_set:
        if name == "obfuscation" or (name == "sequence_number" and not numbered):
            continue
        value = getattr(event, name)
        if name not in extra or not any(True for _ in texts_in({name: value})):
            fields[name] = value
    if "logprobs" in fields:
        fields["logprobs"] = []
    fields["delta"] = text
    return cast("type[Event]", type(event)).model_construct(set(fields), **fields)


def without_texts(event: Any, side_texts: Iterable[SideText]) -> Any:
    dump: JsonFields = event.model_dump()
    remove_texts(dump, {side_text.text for side_text in side_texts})
    return rebuild(event, dump)


def write_slot(slot: TextSlot, text: str, lane: Lane | None) -> None:
    """Write a new text, and adapt its annotations and log probabilities."""
    slot.write(text)
    siblings = slot.siblings
    if siblings.get("logprobs"):
        siblings["logprobs"] = []
    annotations: Any = siblings.get("annotations")
    if annotations:
        moved = move_annotations(annotations, lane) if lane is not None else []
        siblings["annotations"] = [annotation for annotation in moved if _end_of(annotation) <= len(text)]


def move_annotations(annotations: list[JsonFields], lane: Lane) -> list[JsonFields]:
    """Annotations with their offsets in the edited text. Annotations of replaced text are left out."""
    moved: list[JsonFields] = []
    for annotation in annotations:
        start = annotation.get("start_index", annotation.get("index"))
        end = annotation.get("end_index", start)
        if isinstance(start, int) and isinstance(end, int):
            if lane.edits.overlap(start, max(end, start + 1)):
                continue
            offsets = {
                "start_index": lane.edited_offset(start),
                "end_index": lane.edited_offset(end),
                "index": lane.edited_offset(start),
            }
            annotation = annotation | {name: offset for name, offset in offsets.items() if name in annotation}
        moved.append(annotation)
    return moved


def _end_of(annotation: JsonFields) -> int:
    end = annotation.get("end_index")
    return end if isinstance(end, int) else 0


def remove_texts(value: Any, hidden: set[str]) -> None:
    """Remove texts from a JSON value: an annotation with one is removed, and a field named so; other fields get ""."""
    if isinstance(value, dict):
        fields = cast("JsonFields", value)
        for name, field in tuple(fields.items()):
            if name in hidden and not is_plain_name(name):
                del fields[name]
            elif isinstance(field, str):
                if field in hidden and not is_identifier(name):
                    fields[name] = ""
            elif name == "annotations" and isinstance(field, list):
                annotations = cast("list[object]", field)
                fields[name] = [
                    annotation for annotation in annotations if not hidden.intersection(texts_in(annotation))
                ]
            else:
                remove_texts(field, hidden)
    elif isinstance(value, list):
        elements = cast("list[object]", value)
        for index, element in enumerate(elements):
            if isinstance(element, str):
                elements[index] = "" if element in hidden else element
            else:
                remove_texts(element, hidden)


def drop_logprobs(value: Any) -> None:
    if isinstance(value, dict):
        fields = cast("JsonFields", value)
        if fields.get("logprobs"):
            fields["logprobs"] = []
        for field in fields.values():
            drop_logprobs(field)
    elif isinstance(value, list):
        for element in cast("list[object]", value):
            drop_logprobs(element)
