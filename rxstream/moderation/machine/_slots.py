"""Where the wire keeps the text of a lane: in which events it grows, and where its redundant copies stand.

The Responses API says each text up to five times: in the deltas, in the `.done` of the text, in the `.done` of its
part, in that of its item, and in the response of the terminal event. A *slot* is one such place.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias, cast

from pydantic import BaseModel

from rxstream.events import UnknownItem
from rxstream.events._item_types import Item
from rxstream.events._parts import KnownAnnotation
from rxstream.moderation.machine._terms import LaneKind

JsonObject: TypeAlias = dict[str, Any]


class Route(NamedTuple):
    """What an event of one type has to do with lanes."""

    role: str
    """`delta`, `done`, `part`, `summary_part`, `item`, `annotation`, `header`, `terminal`, `error` or `audio`."""
    kind: LaneKind = "text"
    at: str = ""
    """The field with the second half of the place; empty where an item has one such text."""
    field: str = ""
    """The field with the text."""


def _lane(base: str, kind: LaneKind, at: str, field: str) -> dict[str, Route]:
    return {f"{base}.delta": Route("delta", kind, at, "delta"), f"{base}.done": Route("done", kind, at, field)}


ROUTES: Final[dict[str, Route]] = {
    **_lane("response.output_text", "text", "content_index", "text"),
    **_lane("response.refusal", "refusal", "content_index", "refusal"),
    **_lane("response.reasoning_text", "reasoning", "content_index", "text"),
    **_lane("response.reasoning", "reasoning", "content_index", "text"),
    **_lane("response.reasoning_summary_text", "reasoning_summary", "summary_index", "text"),
    **_lane("response.function_call_arguments", "function_args", "", "arguments"),
    **_lane("response.mcp_call_arguments", "function_args", "", "arguments"),
    **_lane("response.custom_tool_call_input", "custom_input", "", "input"),
    **_lane("response.code_interpreter_call_code", "code", "", "code"),
    **_lane("response.shell_call_command", "code", "command_index", "command"),
    **_lane("response.apply_patch_call_operation_diff", "code", "", "diff"),
    "response.audio.transcript.delta": Route("delta", "audio_transcript", "", "delta"),
    "response.audio.transcript.done": Route("audio", "audio_transcript"),
    "response.shell_call_command.added": Route("added", "code", "command_index", "command"),
    "response.content_part.added": Route("part", "text", "content_index"),
    "response.content_part.done": Route("part", "text", "content_index"),
    "response.reasoning_part.added": Route("part", "reasoning", "content_index"),
    "response.reasoning_part.done": Route("part", "reasoning", "content_index"),
    "response.reasoning_summary_part.added": Route("summary_part", "reasoning_summary", "summary_index"),
    "response.reasoning_summary_part.done": Route("summary_part", "reasoning_summary", "summary_index"),
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
    "output_text": ("text", "text"),
    "text": ("text", "text"),
    "refusal": ("refusal", "refusal"),
    "reasoning_text": ("reasoning", "text"),
    "summary_text": ("reasoning_summary", "text"),
}
"""Type of a part -> the kind of lane it holds, and its field."""

PART_KINDS: Final[dict[str, LaneKind]] = {name: kind for name, (kind, _) in _PARTS.items()}

_ITEMS: Final[dict[str, tuple[LaneKind, str]]] = {
    "function_call": ("function_args", "arguments"),
    "mcp_call": ("function_args", "arguments"),
    "mcp_approval_request": ("function_args", "arguments"),
    "custom_tool_call": ("custom_input", "input"),
    "code_interpreter_call": ("code", "code"),
}
"""Type of an item with a single text -> the kind of lane it holds, and its field."""

ITEM_KINDS: Final[dict[str, frozenset[LaneKind]]] = {
    "message": frozenset(("text", "refusal")),
    "reasoning": frozenset(("reasoning", "reasoning_summary")),
    "shell_call": frozenset(("code",)),
    "apply_patch_call": frozenset(("code",)),
    **{name: frozenset((kind,)) for name, (kind, _) in _ITEMS.items()},
}
"""Type of an item -> the kinds of lanes that it may hold."""


WHOLE_ITEMS: Final = frozenset(("mcp_approval_request",))
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
    name = str(item.get("type"))
    if name in ("message", "reasoning"):
        for group in ("summary", "content"):
            for index, part in enumerate(_objects(item.get(group))):
                yield from part_slots(part, index)
    elif name == "shell_call":
        commands = _object(item.get("action")).get("commands")
        if isinstance(commands, list):
            for index in range(len(cast("list[Any]", commands))):
                yield Slot("code", index, commands, index)
    elif name == "apply_patch_call":
        operation = _object(item.get("operation"))
        if "diff" in operation:
            yield Slot("code", 0, operation, "diff")
    elif name in _ITEMS:
        kind, key = _ITEMS[name]
        if key in item:
            yield Slot(kind, 0, item, key)


def event_slots(route: Route, event: JsonObject) -> Iterator[Slot]:
    """The slots of an event other than a delta or one with a whole response."""
    index = event.get(route.at, 0) if route.at else 0
    if route.role in ("done", "added"):
        if route.field in event:
            yield Slot(route.kind, index, event, route.field)
    elif route.role in ("part", "summary_part"):
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
