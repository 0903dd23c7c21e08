"""One output item of a response, every moment of which can be read again."""

from __future__ import annotations

from typing import Any, Final, cast

from pydantic import BaseModel

from rxstream.events import OutputItem, ShellAction
from rxstream.events._fields import Part
from rxstream.response.history._versioned import Log

EVER: Final = -1
"""Before the first moment."""


class Item:
    """One output item: its models, those of its parts, and what was added to the fields of either."""

    __slots__ = ("done", "fields", "models", "opened", "parts")

    def __init__(self) -> None:
        self.models: Log[OutputItem] = Log()
        self.parts: dict[Part, Log[Any]] = {}
        self.fields: dict[tuple[Part | None, str], Log[Any]] = {}
        self.opened: dict[Part, type] = {}
        """The parts that are open, and the class of the event that opened each."""
        self.done = False

    @property
    def model(self) -> OutputItem:
        """The item as it came last, without what was added since."""
        return self.models.values[-1]

    def part(self, part: Part) -> Log[Any]:
        """The log of the models of a part."""
        return _log(self.parts, part)

    def field(self, part: Part | None, name: str) -> Log[Any]:
        """The log of a field, of a part or of the item itself."""
        return _log(self.fields, (part, name))

    def read(self, until: int) -> OutputItem | None:
        """The item at a moment; None where it had not come yet."""
        found = self.models.last(EVER, until)
        if found is None:
            return None
        since, item = found
        update: dict[str, Any] = {}
        for (part, name), log in tuple(self.fields.items()):
            if part is None and log.last(since, until) is not None:
                update[name] = log.read(getattr(item, name, None), since, until)
        for name, group in self._groups(item, since, until).items():
            update.update(_regrouped(item, name, [group[number] for number in sorted(group)]))
        return item.model_copy(update=update) if update else item

    def read_part(self, part: Part, until: int) -> Any | None:
        """One of its parts at a moment, by its number, which is not its place in a list: numbers may have gaps."""
        found = self.models.last(EVER, until)
        if found is None:
            return None
        groups = self._groups(found[1], found[0], until)
        return _group(groups, found[1], part).get(part.number)

    def _groups(self, item: OutputItem, since: int, until: int) -> dict[str, dict[int, Any]]:
        """The groups of parts that are not as the item has them: the entries of each by their number."""
        groups: dict[str, dict[int, Any]] = {}
        told: dict[Part, int] = {}
        for part, log in tuple(self.parts.items()):
            latest = log.last(since, until)
            if latest is not None:
                told[part], _group(groups, item, part)[part.number] = latest
        for (part, name), log in tuple(self.fields.items()):
            start = since if part is None else told.get(part, since)
            if part is None or log.last(start, until) is None:
                continue
            group = _group(groups, item, part)
            entry = group.get(part.number)
            if not name:
                group[part.number] = log.read(entry, start, until)
            elif isinstance(entry, BaseModel):
                group[part.number] = entry.model_copy(update={name: log.read(getattr(entry, name, None), start, until)})
        return groups


def _log(logs: dict[Any, Log[Any]], key: Any) -> Log[Any]:
    log = logs.get(key)
    if log is None:
        log = logs[key] = Log()
    return log


def _group(groups: dict[str, dict[int, Any]], item: OutputItem, part: Part) -> dict[int, Any]:
    """The entries of a part's group by their number; to begin with, those that the item has."""
    group = groups.get(part.group)
    if group is None:
        group = groups[part.group] = dict(enumerate(entries_of(item, part.group)))
    return group


def entries_of(item: OutputItem, group: str) -> list[Any]:
    """What an item holds of a group of parts."""
    if group == "commands":
        return list(getattr(getattr(item, "action", None), "commands", None) or ())
    entries = getattr(item, group, None)
    if group == "operation":
        return [entries] if entries is not None else []
    return cast("list[Any]", entries) if isinstance(entries, list) else []


def _regrouped(item: Any, group: str, entries: list[Any]) -> dict[str, Any]:
    """The field of an item that holds a group."""
    if group == "commands":
        action = getattr(item, "action", None) or ShellAction()
        return {"action": action.model_copy(update={"commands": entries})}
    return {group: entries[0] if group == "operation" else entries}
