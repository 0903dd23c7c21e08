"""One output item of a response, in all its versions."""

from __future__ import annotations

from typing import Any, Final, cast

from pydantic import BaseModel

from rxstream.events import ApplyPatchCallItem, OutputItem, ShellAction, ShellCallItem, ShellCallOutputItem
from rxstream.events._fields import Part
from rxstream.response.history._versioned import Versioned

BEFORE_ALL: Final = -1
"""A version before the first."""

_OWNERS: Final[dict[str, type]] = {
    "commands": ShellCallItem,
    "output": ShellCallOutputItem,
    "operation": ApplyPatchCallItem,
}
"""Groups whose field is of another kind in other items."""


class ItemHistory:
    """The versions of an output item, of its parts, and of the fields of both."""

    __slots__ = ("annotations", "done", "fields", "models", "opened", "parts")

    def __init__(self) -> None:
        self.models: Versioned[OutputItem] = Versioned()
        self.parts: dict[Part, Versioned[Any]] = {}
        self.fields: dict[Part | None, dict[str, Versioned[Any]]] = {}
        """Part, or None for the item itself -> the name of each field -> its versions."""
        self.annotations: dict[tuple[int, int], Any] = {}
        """Numbers of a part and of an annotation -> the annotation of the last event with both."""
        self.opened: dict[Part, type] = {}
        """Open part -> the class of the event that opened it."""
        self.done = False

    @property
    def model(self) -> OutputItem:
        """The item of the last event that had it, without the deltas since."""
        return self.models.values[-1]

    def part(self, part: Part) -> Versioned[Any]:
        """The versions of a part."""
        return _versioned(self.parts, part)

    def field(self, part: Part | None, name: str) -> Versioned[Any]:
        """The versions of a field, of a part or of the item."""
        return _versioned(self.fields.setdefault(part, {}), name)

    def known_field(self, part: Part | None, name: str) -> Versioned[Any] | None:
        """The versions of a field; None if it has none."""
        return self.fields.get(part, {}).get(name)

    def read(self, until: int) -> OutputItem | None:
        """The item at a version; None if it had not been added yet."""
        latest = self.models.last(BEFORE_ALL, until)
        if latest is None:
            return None
        since, item = latest
        update: dict[str, Any] = {}
        for name, field_values in tuple(self.fields.get(None, {}).items()):
            if field_values.last(since, until) is not None:
                update[name] = field_values.read(getattr(item, name, None), since, until)
        for name, group in self._groups(item, since, until).items():
            update.update(with_group(item, name, [group[number] for number in sorted(group)]))
        return item.model_copy(update=update) if update else item

    def read_part(self, part: Part, until: int) -> Any | None:
        """The part with a number at a version. The number is not a place in a list: numbers may have gaps."""
        latest = self.models.last(BEFORE_ALL, until)
        if latest is None:
            return None
        since, item = latest
        entries = entries_of(item, part.group)
        entry = entries[part.number] if 0 <= part.number < len(entries) else None
        return self._read_part(part, entry, since, until)

    def _groups(self, item: OutputItem, since: int, until: int) -> dict[str, dict[int, Any]]:
        """The groups of parts that have changed since the item: group -> number -> part."""
        groups: dict[str, dict[int, Any]] = {}
        changed: set[str] = set()
        for part in dict.fromkeys((*tuple(self.parts), *tuple(self.fields))):
            if part is None:
                continue
            if part.group not in groups:
                groups[part.group] = dict(enumerate(entries_of(item, part.group)))
            before = groups[part.group].get(part.number)
            entry = self._read_part(part, before, since, until)
            if entry is not before:
                groups[part.group][part.number] = entry
                changed.add(part.group)
        return {name: group for name, group in groups.items() if name in changed}

    def _read_part(self, part: Part, entry: Any, since: int, until: int) -> Any:
        """A part that was `entry` at version `since`, at version `until`. `entry` itself if it has not changed."""
        versions = self.parts.get(part)
        latest = versions.last(since, until) if versions is not None else None
        if latest is not None:
            since, entry = latest
        for name, field_values in tuple(self.fields.get(part, {}).items()):
            if field_values.last(since, until) is None:
                continue
            if not name:
                entry = field_values.read(entry, since, until)
            elif isinstance(entry, BaseModel):
                entry = entry.model_copy(update={name: field_values.read(getattr(entry, name, None), since, until)})
        return entry


def _versioned(table: dict[Any, Versioned[Any]], key: Any) -> Versioned[Any]:
    field_values = table.get(key)
    if field_values is None:
        field_values = table[key] = Versioned()
    return field_values


def entries_of(item: OutputItem, group: str) -> list[Any]:
    """The parts of a group in an item."""
    if group == "commands":
        return getattr(getattr(item, "action", None), "commands", None) or []
    entries = getattr(item, group, None)
    if group == "operation":
        return [entries] if entries is not None else []
    return cast("list[Any]", entries) if isinstance(entries, list) else []


def with_group(item: Any, group: str, entries: list[Any]) -> dict[str, Any]:
    """The changed field of an item that holds a group. An item of another type has no such field."""
    if group in _OWNERS and not isinstance(item, _OWNERS[group]):
        return {}
    if group == "commands":
        action = getattr(item, "action", None)
        action = action if isinstance(action, ShellAction) else ShellAction()
        return {"action": action.model_copy(update={"commands": entries})}
    return {group: entries[0] if group == "operation" else entries}
