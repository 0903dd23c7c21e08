"""New events made of held events: with a part of the text, with edited text, without some texts.

A held event of which nothing was edited is emitted as the object that arrived. In all others the log probabilities of
edited text are removed, and annotations get new offsets or are removed.
"""

from collections.abc import Iterable
from typing import Any, cast

from pydantic import ValidationError

from rxstream.events import Event, UnknownEvent
from rxstream.events._parse import read_fields
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._queue import Fragment, HeldDeltas, HeldEvent
from rxstream.moderation.machine._structure import JsonFields, Leaf, LeafReader, clone, elements_of


def take_delta(held_deltas: HeldDeltas, limit: int, names: set[str]) -> Any | None:
    """Take the text up to `limit` out of held deltas, as one delta. None if nothing is left of it.

    If one held delta has just this text, it is the delta. Else it is a copy of the held delta that holds its last
    character; it keeps the `sequence_number` only if both end at the same character.
    """
    lane, deltas = held_deltas.lane, held_deltas.deltas
    text = lane.output(held_deltas.next, limit)
    same_start = held_deltas.start == held_deltas.next
    event: Any = None
    taken = 0
    while deltas and deltas[0][0] <= limit:
        held_deltas.start, event = deltas.popleft()
        taken += 1
    same_end = held_deltas.start == limit
    if not same_end:
        event = deltas[0][1]
    if not text:
        return None
    if taken == 1 and same_start and same_end and _has_only_text(event, text):
        return event
    return _copy_delta(event, text, names, numbered=same_end)


def _has_only_text(event: Any, text: str) -> bool:
    """Whether a delta has this text, and no log probabilities, padding or unknown fields."""
    fields: dict[str, Any] = event.__dict__
    return (
        event.delta == text
        and not fields.get("logprobs")
        and fields.get("obfuscation") is None
        and not event.model_extra
    )


def _copy_delta(event: Any, text: str, names: set[str], *, numbered: bool) -> Any:
    """A copy of a delta with `text`: without padding, log probabilities and texts in unknown fields."""
    extra: JsonFields = event.model_extra or {}
    fields: dict[str, Any] = {}
    for name in event.model_fields_set:
        if name == "obfuscation" or (name == "sequence_number" and not numbered):
            continue
        if name not in extra or not has_texts(event, names, name):
            fields[name] = getattr(event, name)
    if "logprobs" in fields:
        fields["logprobs"] = []
    fields["delta"] = text
    return cast("type[Event]", type(event)).model_construct(set(fields), **fields)


def has_texts(event: Any, names: set[str], *fields: str) -> bool:
    """Whether unknown fields of an event hold text: these `fields`, or all."""
    extra = event.model_extra
    if not extra:
        return False
    chosen: JsonFields = {name: value for name, value in extra.items() if not fields or name in fields}
    return any(True for _ in LeafReader(names).fields(chosen, "", "other"))


def rebuild(event: Event, dump: JsonFields) -> Any:
    """The event with this JSON, read as leniently as one of the server."""
    try:
        return type(event).model_validate(dump)
    except ValidationError:
        return read_fields(dump)


# ---------------------------------------------------------------------- held events


def render(held_event: HeldEvent, lane_of_annotation: Lane | None, logprobs: list[Any]) -> Any | None:
    """The event to emit. None if it is left out.

    `logprobs` are those of the deltas of its text, if it has none itself.
    """
    event, route = held_event.event, held_event.route
    edited = [fragment for fragment in held_event.fragments if fragment.edited]
    if route is not None and route.role == "annotation" and not edited:
        return _render_annotation(event, lane_of_annotation)
    if not edited and not logprobs:
        return event
    if edited and (route is None or route.role in ("annotation", "audio") or type(event) is UnknownEvent):
        return None
    dump: JsonFields = held_event.dump
    if logprobs and not edited:
        dump["logprobs"] = logprobs
    for fragment in edited:
        if fragment.leaf is None:
            continue
        if fragment.leaf.part_index is None:
            fragment.leaf.remove()
        else:
            write_slot(fragment)
    return rebuild(event, dump)


def _render_annotation(event: Any, lane: Lane | None) -> Any | None:
    if lane is None or not lane.edits:
        return event
    dump = clone(event.model_dump())
    annotations = _move_annotations([dump["annotation"]], lane)
    return rebuild(event, dump | {"annotation": annotations[0]}) if annotations else None


def write_slot(fragment: Fragment, text: str | None = None) -> None:
    """Write the edited text of a lane, or `text`, and adapt its annotations and log probabilities."""
    leaf, lane = fragment.leaf, fragment.lane
    assert leaf is not None
    write_text(leaf, lane.output_prefix(fragment.end or 0) if text is None else text, lane)


def write_text(leaf: Leaf, text: str, lane: Lane | None) -> None:
    """Write another text, and adapt its annotations and log probabilities."""
    leaf.write(text)
    holder: object = leaf.holder
    if not isinstance(holder, dict):
        return
    siblings = cast("JsonFields", holder)
    if siblings.get("logprobs"):
        siblings["logprobs"] = []
    annotations = elements_of(siblings.get("annotations"))
    if annotations:
        moved = _move_annotations(annotations, lane) if lane is not None else []
        siblings["annotations"] = [annotation for annotation in moved if _end_of(annotation) <= len(text)]


def _move_annotations(annotations: Iterable[Any], lane: Lane) -> list[JsonFields]:
    """Annotations with their offsets in the edited text. Annotations of replaced text are left out."""
    moved: list[JsonFields] = []
    for annotation in annotations:
        if not isinstance(annotation, dict):
            continue
        fields = cast("JsonFields", annotation)
        start = fields.get("start_index", fields.get("index"))
        end = fields.get("end_index", start)
        if isinstance(start, int) and isinstance(end, int):
            if lane.edits.between(start, max(end, start + 1)):
                continue
            offsets = {
                "start_index": lane.output_offset(start),
                "end_index": lane.output_offset(end),
                "index": lane.output_offset(start),
            }
            fields = fields | {name: offset for name, offset in offsets.items() if name in fields}
        moved.append(fields)
    return moved


def _end_of(annotation: JsonFields) -> int:
    end = annotation.get("end_index")
    return end if isinstance(end, int) else 0
