"""Where the events of the API hold texts: those that lanes collect, and the kinds of all others.

The Responses API sends each text up to five times: in the deltas, in the `.done` of the text, in the `.done` of its
part, in the `.done` of its item, and in the response of the terminal event.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, cast

from rxstream.events._fields import PARTS, TEXTS, GrowingText
from rxstream.events._lenient import wire_type
from rxstream.moderation.machine._structure import JsonFields, Leaf, LeafReader, elements_of, fields_of, objects_in
from rxstream.moderation.machine._window import LaneKind


class Route(NamedTuple):
    """How an event of one type is handled."""

    role: str
    """`delta`, `done`, `added`, `part`, `item`, `annotation`, `header`, `terminal`, `audio` or `plain`."""
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


_ROUTES: Final[dict[str, Route]] = {
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
    "response.audio.delta": Route("audio", "audio_transcript"),
    "response.audio.done": Route("audio", "audio_transcript"),
}

KINDS_OF_EVENTS: Final[tuple[tuple[str, LaneKind], ...]] = (
    ("response.web_search_call", "query"),
    ("response.file_search_call", "query"),
    ("response.image_generation_call", "image_prompt"),
    ("response.code_interpreter_call", "code"),
    ("response.shell_call_output", "tool_output"),
    ("response.mcp_", "function_args"),
)
"""Beginnings of the types of other events -> the kind of their texts."""

ITEM_KINDS: Final[dict[str, LaneKind]] = {
    "message": "text",
    "reasoning": "reasoning",
    "function_call": "function_args",
    "mcp_call": "function_args",
    "mcp_approval_request": "function_args",
    "tool_search_call": "function_args",
    "custom_tool_call": "custom_input",
    "code_interpreter_call": "code",
    "program": "code",
    "shell_call": "code",
    "apply_patch_call": "code",
    "local_shell_call": "action",
    "computer_call": "action",
    "web_search_call": "query",
    "file_search_call": "query",
    "image_generation_call": "image_prompt",
    "agent_message": "agent_message",
    "multi_agent_call": "agent_message",
    "function_call_output": "tool_output",
    "custom_tool_call_output": "tool_output",
    "program_output": "tool_output",
    "shell_call_output": "tool_output",
    "local_shell_call_output": "tool_output",
    "computer_call_output": "tool_output",
    "apply_patch_call_output": "tool_output",
    "multi_agent_call_output": "tool_output",
    "tool_search_output": "tool_output",
    "mcp_list_tools": "tool_output",
}
"""Type of an item -> the kind of its texts that no lane collects. Items of other types are `other`."""

CALL_KINDS: Final = frozenset[LaneKind](("function_args", "custom_input", "code", "action"))
"""Kinds of what a tool gets."""

_PARTS: Final[dict[str, tuple[LaneKind, str]]] = {
    **{text.part_type: (text.kind, text.field) for text in TEXTS if text.part_type},
    "text": ("text", "text"),
}
"""Type of a part -> the kind of its lane, and the field with the text."""

_GROUPS: Final[dict[str, dict[str, GrowingText]]] = {}
"""Type of an item -> each group of its parts -> the text they hold; the item's own text has the group ""."""
for _text in TEXTS:
    _GROUPS.setdefault(_text.item_type, {})[_text.group] = _text


def route_of(event_type: str) -> Route:
    """How an event of a known type is handled."""
    route = _ROUTES.get(event_type)
    if route is None:
        kinds: list[LaneKind] = [kind for start, kind in KINDS_OF_EVENTS if event_type.startswith(start)]
        route = _ROUTES[event_type] = Route("plain", kinds[0] if kinds else "other")
    return route


def is_call(item_type: str) -> bool:
    """Whether a tool may run for an item of this type. The types that the API does not describe are among them."""
    return ITEM_KINDS.get(item_type, "other") in CALL_KINDS | {"other"}


def lane_kinds(item_type: str) -> frozenset[LaneKind]:
    """The kinds of the lanes of an item."""
    kinds: set[LaneKind] = {text.kind for text in _GROUPS.get(item_type, {}).values()}
    if "text" in kinds:
        kinds.add("refusal")
    return frozenset(kinds)


# ---------------------------------------------------------------------- the texts of one event


def event_leaves(route: Route, event: JsonFields, reader: LeafReader) -> Iterator[Leaf]:
    """The texts of an event of a known type other than a delta: those of lanes first. See `response_leaves`."""
    where = _whole_number(event.get(route.index_field)) if route.index_field else 0
    if route.role in ("done", "added"):
        yield from _slot(event, route.text_field, route.kind, where, reader)
    elif route.role == "part":
        yield from part_leaves(event, "part", where, reader)
    elif route.role == "item":
        yield from item_leaves(event, "item", reader)
    is_error = event.get("type") == "error"
    kind: LaneKind = route.kind if route.role in ("annotation", "plain") else "other"
    for name in event:
        if name != route.role or name not in ("part", "item"):
            yield from reader.field(event, name, "error" if is_error else "", kind, drops=is_error)


def item_leaves(holder: Any, key: Any, reader: LeafReader) -> Iterator[Leaf]:
    """The texts of one item: those of lanes in order, then all others."""
    item = fields_of(holder[key])
    item_type = str(item.get("type"))
    kind: LaneKind = ITEM_KINDS.get(item_type, "other")
    for group, text in _GROUPS.get(item_type, {}).items():
        if text.part is str:
            texts = fields_of(item.get("action")).get(group)
            for index in range(len(elements_of(texts))):
                yield from _slot(texts, index, text.kind, index, reader)
        elif group and text.index:
            for index in range(len(objects_in(item.get(group)))):
                yield from part_leaves(item[group], index, index, reader)
        else:
            yield from _slot(fields_of(item.get(group)) if group else item, text.field, text.kind, 0, reader)
    yield from reader.leaves(holder, key, "item", "item", kind)


def part_leaves(holder: Any, key: Any, index: int, reader: LeafReader) -> Iterator[Leaf]:
    """The texts of one part of content or of a summary."""
    part = fields_of(holder[key])
    kind, field = _PARTS.get(str(part.get("type")), ("other", ""))
    if field:
        yield from _slot(part, field, kind, index, reader)
    yield from reader.leaves(holder, key, "part", "part", kind)
    reader.taken.add((id(holder), key))


def _slot(holder: Any, key: Any, kind: LaneKind, index: int, reader: LeafReader) -> Iterator[Leaf]:
    """The text of a lane."""
    value: object = holder[key] if isinstance(holder, list) or key in holder else None  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, str):
        reader.taken.add((id(cast(object, holder)), key))
        yield reader.leaf(holder, key, value, kind, "", index)


def _whole_number(value: object) -> int:
    return value if isinstance(value, int) else 0
