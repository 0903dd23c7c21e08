"""Where the wire keeps the text of a lane: in which events it grows, and where its redundant copies stand.

The Responses API says each text up to five times: in the deltas, in the `.done` of the text, in the `.done` of its
part, in that of its item, and in the response of the terminal event. A *slot* is one such place.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias, cast

from pydantic import BaseModel

from rxstream.events import UnknownItem
from rxstream.events._fields import PARTS, TEXTS, GrowingText
from rxstream.events._item_types import Item
from rxstream.events._lenient import wire_type
from rxstream.events._parts import KnownAnnotation
from rxstream.moderation.machine._terms import LaneKind

JsonObject: TypeAlias = dict[str, Any]


class Route(NamedTuple):
    """What an event of one type has to do with lanes."""

    role: str
    """`delta`, `done`, `added`, `part`, `item`, `annotation`, `header`, `terminal`, `error` or `audio`."""
    kind: LaneKind = "text"
    at: str = ""
    """The field with the second half of the place; empty where an item has one such text."""
    field: str = ""
    """The field with the text."""


def _routes() -> Iterator[tuple[str, Route]]:
    for text in TEXTS:
        for event in text.deltas:
            yield wire_type(event), Route("delta", text.kind, text.index, "delta")
        for event in text.dones:
            yield wire_type(event), Route("done", text.kind, text.index, text.field)
        if text.added is not None:
            yield wire_type(text.added), Route("added", text.kind, text.index, text.field)
    for events in PARTS:
        for event in (events.added, events.done):
            yield wire_type(event), Route("part", events.text.kind, events.text.index)


ROUTES: Final[dict[str, Route]] = {
    **dict(_routes()),
    "response.audio.transcript.delta": Route("delta", "audio_transcript", "", "delta"),
    "response.audio.transcript.done": Route("audio", "audio_transcript"),
    "response.output_item.added": Route("item"),
    "response.output_item.done": Route("item"),
    "response.output_text.annotation.added": Route("annotation", "text", "content_index"),
    "response.created": Route("header"),
    "response.queued": Route("header"),
    "response.in_progress": Route("header"),
    "response.completed": Route("terminal"),
    "response.incomplete": Route("terminal"),
    "response.failed": Route("terminal"),
    "error": Route("error"),
    "response.audio.delta": Route("audio", "audio_transcript"),
    "response.audio.done": Route("audio", "audio_transcript"),
}

_PARTS: Final[dict[str, tuple[LaneKind, str]]] = {
    **{text.part_type: (text.kind, text.field) for text in TEXTS if text.part_type},
    "text": ("text", "text"),
}
"""Type of a part -> the kind of lane it holds, and its field."""

PART_KINDS: Final[dict[str, LaneKind]] = {name: kind for name, (kind, _) in _PARTS.items()}

_GROUPS: Final[dict[str, dict[str, GrowingText]]] = {}
"""Type of an item -> its groups of parts -> a text that they hold; the item's own text under no group."""
for _text in TEXTS:
    _GROUPS.setdefault(_text.item_type, {})[_text.group] = _text

ITEM_KINDS: Final[dict[str, frozenset[LaneKind]]] = {
    name: frozenset(text.kind for text in TEXTS if text.item_type == name) for name in _GROUPS
}
"""Type of an item -> the kinds of lanes that it may hold."""

WHOLE_ITEMS: Final = frozenset(text.item_type for text in TEXTS if not text.deltas)
"""Items whose text comes with their first event, and in no delta."""


class Slot(NamedTuple):
    """A place in a piece of JSON that holds the text of a lane, whole or in part."""

    kind: LaneKind
    at: int
    holder: JsonObject | list[Any]
    key: Any

    @property
    def text(self) -> str:
        text = self.holder[self.key]
        return text if isinstance(text, str) else ""

    def write(self, text: str) -> None:
        self.holder[self.key] = text

    @property
    def beside(self) -> JsonObject:
        """The fields that stand beside the text."""
        return self.holder if isinstance(self.holder, dict) else {}


def part_slots(part: JsonObject, index: int) -> Iterator[Slot]:
    """The slot of one content part or summary part."""
    kind, key = _PARTS.get(str(part.get("type")), (None, ""))
    if kind is not None and key in part:
        yield Slot(kind, index, part, key)


def item_slots(item: JsonObject) -> Iterator[Slot]:
    """The slots of one output item, in order."""
    for group, text in _GROUPS.get(str(item.get("type")), {}).items():
        if text.part is str:
            texts = _object(item.get("action")).get(group)
            if isinstance(texts, list):
                yield from (Slot(text.kind, index, texts, index) for index in range(len(cast("list[Any]", texts))))
        elif group and text.index:
            for index, part in enumerate(_objects(item.get(group))):
                yield from part_slots(part, index)
        else:
            holder = _object(item.get(group)) if group else item
            if text.field in holder:
                yield Slot(text.kind, 0, holder, text.field)


def event_slots(route: Route, event: JsonObject) -> Iterator[Slot]:
    """The slots of an event other than a delta or one with a whole response."""
    index = event.get(route.at, 0) if route.at else 0
    if route.role in ("done", "added"):
        if route.field in event:
            yield Slot(route.kind, index, event, route.field)
    elif route.role == "part":
        yield from part_slots(_object(event.get("part")), event.get(route.at, 0))
    elif route.role == "item":
        yield from item_slots(_object(event.get("item")))


def output_items(event: JsonObject) -> list[JsonObject]:
    """The items in the response of a lifecycle event."""
    return _objects(_object(event.get("response")).get("output"))


# ---------------------------------------------------------------------- asides

_IDENTITY: Final = frozenset(
    ("type", "id", "object", "status", "role", "phase", "model", "encrypted_content", "signature")
)
"""Fields that name things: servers write them, not models. So do all that end in `_id`."""

_CITED: Final = ("title", "url", "filename", "quote", "text")
"""Fields of an annotation that a reader sees."""


_PLAIN: Final = re.compile(r"[A-Za-z0-9_]*")


def plain(name: str) -> bool:
    """Whether the name of a field is a word of somebody's schema, not a text."""
    return _PLAIN.fullmatch(name) is not None


def inert(key: str) -> bool:
    """Whether a field of this name holds an identity, not a text."""
    return key in _IDENTITY or key.endswith(("_id", "_b64"))


def strings(value: object, key: str = "") -> Iterator[str]:
    """Every text in a piece of JSON, but for what merely names something."""
    for _, text in paths(value, key):
        yield text


def paths(value: object, key: str = "", path: str = "") -> Iterator[tuple[str, str]]:
    """As `strings`, each with the names that lead to it. A name that is no plain word is a text too."""
    if isinstance(value, str):
        if value and not inert(key):
            yield path, value
    elif isinstance(value, dict):
        for name, field in cast("JsonObject", value).items():
            if not plain(name):
                yield f"{path}.", name
            yield from paths(field, name, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for field in cast("Iterable[object]", value):
            yield from paths(field, key, path)


def asides(model: BaseModel, included: frozenset[LaneKind]) -> Iterator[str]:
    """Every text in a known event that is in no slot: what readers see of annotations, and fields that nobody knows.

    Items of known types whose lanes are not moderated are passed over.
    """
    if isinstance(model, Item) and not (
        isinstance(model, UnknownItem) or ITEM_KINDS.get(model.type, frozenset()) & included
    ):
        return
    cited = isinstance(model, KnownAnnotation)
    yield from strings(model.model_extra)
    for name, value in model.__dict__.items():
        if isinstance(value, BaseModel):
            yield from asides(value, included)
        elif isinstance(value, list):
            if name != "logprobs":
                for one in cast("list[object]", value):
                    if isinstance(one, BaseModel):
                        yield from asides(one, included)
        elif cited and name in _CITED and isinstance(value, str) and value:
            yield value


def _object(value: object) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def _objects(value: object) -> list[JsonObject]:
    return [_object(one) for one in cast("list[object]", value)] if isinstance(value, list) else []
