"""Completes an item that a later event repeats with less than the stream had.

Some servers leave texts, arguments or names empty in `.done` events, or leave items out of the terminal response.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rxstream.events import OutputItem
from rxstream.events._fields import TEXTS, GrowingText
from rxstream.response._output_matching import StreamedItem, digest, ids_of, match_output
from rxstream.response.history._item import entries_of, with_group

_IDENTITY: Final = ("id", "name", "call_id")


def complete_part(part: Any, known: Any) -> Any:
    """A part, with its known text and annotations if it has none."""
    if part is None or type(part) is not type(known):
        return part
    names = [text.field for text in TEXTS if type(part) in text.parts]
    update = {name: getattr(known, name) for name in (*names, "annotations") if not getattr(part, name, True)}
    return part.model_copy(update=update) if any(update.values()) else part


def complete_item(item: OutputItem, known: OutputItem) -> OutputItem:
    """An item, with the known value of each id, name and text that it leaves empty."""
    return _merge(item, known, lambda text, known_text: not text)


def complete_output(output: Sequence[OutputItem], streamed: Mapping[int, OutputItem]) -> list[OutputItem] | None:
    """The output of a terminal response, with all that the stream had; None if it lacks nothing.

    If it contradicts a text of the stream, that of the stream counts: the subscriber has it.
    """
    known = {
        index: StreamedItem(item.type, ids_of(item), _digest(item), changed=True) for index, item in streamed.items()
    }
    complete: dict[int, OutputItem] = dict(streamed)
    for index, item, is_streamed in match_output(output, known, _digest):
        complete[index] = _merge(item, streamed[index], _contradicts) if is_streamed else item
    items = [complete[index] for index in sorted(complete)]
    same = len(items) == len(output) and all(one is other for one, other in zip(items, output, strict=True))
    return None if same else items


def _contradicts(text: str, known_text: str) -> bool:
    return not text.startswith(known_text)


def _merge(item: OutputItem, known: OutputItem, use_known: Callable[[str, str], bool]) -> OutputItem:
    """An item with the ids and names that it lacks, and with each known text for which `use_known` holds."""
    if item.type != known.type:
        return item
    update: dict[str, Any] = {
        name: value
        for name in _IDENTITY
        if (value := getattr(known, name, None)) and getattr(item, name, value) in ("", None)
    }
    texts = {group: _text(item, group) for group in {text.group for text in TEXTS if text.item_type == item.type}}
    for group, text in texts.items():
        known_text = _text(known, group)
        if known_text and not text and known_text in texts.values():
            continue  # some servers stream reasoning as its text, and repeat it as its summary
        if known_text and use_known(text, known_text):
            update.update(_text_fields(item, known, group))
        elif group and (parts := _complete_parts(entries_of(item, group), entries_of(known, group))):
            update.update(with_group(item, group, parts))
    return item.model_copy(update=update) if update else item


def _complete_parts(parts: Sequence[Any], known: Sequence[Any]) -> list[Any] | None:
    """The parts with what they lack; None if they lack nothing, or are other parts."""
    if len(parts) != len(known):
        return None
    complete = [complete_part(part, known_part) for part, known_part in zip(parts, known, strict=True)]
    return None if all(one is other for one, other in zip(complete, parts, strict=True)) else complete


def _text_fields(item: OutputItem, known: OutputItem, group: str) -> dict[str, Any]:
    """The fields of an item with the known text."""
    if group:
        return with_group(item, group, entries_of(known, group))
    return {text.field: getattr(known, text.field) for text in _texts_of(item, "")}


def _texts_of(item: OutputItem, group: str) -> list[GrowingText]:
    return [text for text in TEXTS if text.item_type == item.type and text.group == group]


def _text(item: OutputItem, group: str) -> str:
    """All text of a group of parts, or of the item itself."""
    kinds = _texts_of(item, group)
    holders = entries_of(item, group) if group else [item]
    return "".join(
        str(holder if kind.part is str else getattr(holder, kind.field, None) or "")
        for holder in holders
        for kind in kinds
        if not kind.parts or isinstance(holder, kind.parts)
    )


def _digest(item: OutputItem) -> bytes:
    groups = sorted({text.group for text in TEXTS if text.item_type == item.type})
    return digest([str(getattr(item, "name", "")), *(_text(item, group) for group in groups)])
