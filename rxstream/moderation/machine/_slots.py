"""Where the events of the API hold the text of a lane.

The Responses API sends each text up to five times: in the deltas, in the `.done` of the text, in the `.done` of its
part, in the `.done` of its item, and in the response of the terminal event. A *slot* is one such place.
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
from rxstream.moderation.machine._window import LaneKind

JsonFields: TypeAlias = dict[str, Any]


class Route(NamedTuple):
    """How an event of one type is handled."""

    role: str
    """`delta`, `done`, `added`, `part`, `item`, `annotation`, `header`, `terminal`, `error` or `audio`."""
    kind: LaneKind = "text"
    index_field: str = ""
    """The field with the index of the part. Empty if an item has only one text of the kind."""
    text_field: str = ""
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
"""Type of a part -> the kind of its lane, and the field with the text."""

PART_KINDS: Final[dict[str, LaneKind]] = {name: kind for name, (kind, _) in _PARTS.items()}

_GROUPS: Final[dict[str, dict[str, GrowingText]]] = {}
"""Type of an item -> each group of its parts -> the text they hold; the item's own text has the group ""."""
for _text in TEXTS:
    _GROUPS.setdefault(_text.item_type, {})[_text.group] = _text

ITEM_KINDS: Final[dict[str, frozenset[LaneKind]]] = {
    name: frozenset(text.kind for text in TEXTS if text.item_type == name) for name in _GROUPS
}
"""Type of an item -> the kinds of its lanes."""

WHOLE_ITEMS: Final = frozenset(text.item_type for text in TEXTS if not text.deltas)
"""Types of items whose text comes in `output_item.added`, without deltas."""


class TextSlot(NamedTuple):
    """A place in a JSON value that holds the text of a lane, whole or in part."""

    kind: LaneKind
    part_index: int
    holder: JsonFields | list[Any]
    key: Any

    @property
    def text(self) -> str:
        text = self.holder[self.key]
        return text if isinstance(text, str) else ""

    def write(self, text: str) -> None:
        self.holder[self.key] = text

    @property
    def siblings(self) -> JsonFields:
        """The object that the text is a field of."""
        return self.holder if isinstance(self.holder, dict) else {}


def part_slots(part: JsonFields, index: int) -> Iterator[TextSlot]:
    """The slot of one content part or summary part."""
    kind, key = _PARTS.get(str(part.get("type")), (None, ""))
    if kind is not None and key in part:
        yield TextSlot(kind, index, part, key)


def item_slots(item: JsonFields) -> Iterator[TextSlot]:
    """The slots of one output item, in order."""
    for group, text in _GROUPS.get(str(item.get("type")), {}).items():
        if text.part is str:
            texts = _object(item.get("action")).get(group)
            if isinstance(texts, list):
                yield from (TextSlot(text.kind, index, texts, index) for index in range(len(cast("list[Any]", texts))))
        elif group and text.index:
            for index, part in enumerate(_objects(item.get(group))):
                yield from part_slots(part, index)
        else:
            holder = _object(item.get(group)) if group else item
            if text.field in holder:
                yield TextSlot(text.kind, 0, holder, text.field)


def event_slots(route: Route, event: JsonFields) -> Iterator[TextSlot]:
    """The slots of an event other than a delta or one with a whole response."""
    index = event.get(route.index_field, 0) if route.index_field else 0
    if route.role in ("done", "added"):
        if route.text_field in event:
            yield TextSlot(route.kind, index, event, route.text_field)
    elif route.role == "part":
        yield from part_slots(_object(event.get("part")), event.get(route.index_field, 0))
    elif route.role == "item":
        yield from item_slots(_object(event.get("item")))


def output_items(event: JsonFields) -> list[JsonFields]:
    """The items in the response of a lifecycle event."""
    return _objects(_object(event.get("response")).get("output"))


# ---------------------------------------------------------------------- side_texts

_IDENTIFIERS: Final = frozenset(
    ("type", "id", "object", "status", "role", "phase", "model", "encrypted_content", "signature")
)
"""Fields with identifiers: the server writes them, not the model. So are those that end in `_id` or `_b64`."""

_ANNOTATION_TEXTS: Final = ("title", "url", "filename", "quote", "text")
"""Fields of an annotation that users see."""

_NAME: Final = re.compile(r"[A-Za-z0-9_]*")


def is_plain_name(name: str) -> bool:
    """Whether the name of a field can hold no text: letters, digits and `_` only."""
    return _NAME.fullmatch(name) is not None


def is_identifier(name: str) -> bool:
    """Whether a field of this name holds an identifier, not a text."""
    return name in _IDENTIFIERS or name.endswith(("_id", "_b64"))


def texts_in(value: object) -> Iterator[str]:
    """Every text in a JSON value, without identifiers."""
    for _, text in texts_with_paths(value):
        yield text


def texts_with_paths(value: object, name: str = "", path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, with the names of the fields around it. A name that is not plain is a text too."""
    if isinstance(value, str):
        if value and not is_identifier(name):
            yield path, value
    elif isinstance(value, dict):
        for key, field in cast("JsonFields", value).items():
            if not is_plain_name(key):
                yield f"{path}.", key
            yield from texts_with_paths(field, key, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for element in cast("Iterable[object]", value):
            yield from texts_with_paths(element, name, path)


def side_texts_of(model: BaseModel, included: frozenset[LaneKind]) -> Iterator[str]:
    """Every text of an event of a known type that is in no slot: texts of annotations, and unknown fields.

    Items of known types whose lanes are not moderated are skipped.
    """
    if isinstance(model, Item) and not (
        isinstance(model, UnknownItem) or ITEM_KINDS.get(model.type, frozenset()) & included
    ):
        return
    annotation = isinstance(model, KnownAnnotation)
    yield from texts_in(model.model_extra)
    for name, value in model.__dict__.items():
        if isinstance(value, BaseModel):
            yield from side_texts_of(value, included)
        elif isinstance(value, list):
            if name != "logprobs":
                for element in cast("list[object]", value):
                    if isinstance(element, BaseModel):
                        yield from side_texts_of(element, included)
        elif annotation and name in _ANNOTATION_TEXTS and isinstance(value, str) and value:
            yield value


def _object(value: object) -> JsonFields:
    return cast("JsonFields", value) if isinstance(value, dict) else {}


def _objects(value: object) -> list[JsonFields]:
    return [_object(element) for element in cast("list[object]", value)] if isinstance(value, list) else []
