"""The texts of a response that grow by deltas: one row for each kind of text.

The API repeats each text in up to five places: in the deltas, in the `.done` of the text, in that of its part, in that
of its item, and in the response of the terminal event. A row names all five. Text operators, tool calls, snapshots,
the closing of cut streams, the matching of items and the moderator read these tables, and have no tables of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from rxstream.events._base import Event, ItemEvent
from rxstream.events._item_tools import (
    ApplyPatchCallItem,
    CodeInterpreterCallItem,
    McpApprovalRequestItem,
    McpCallItem,
    PatchOperation,
    ShellCallItem,
    ShellCallOutputItem,
    ShellOutput,
)
from rxstream.events._item_types import CustomToolCallItem, FunctionCallItem, Item, MessageItem, ReasoningItem
from rxstream.events._items import ResponseContentPartAddedEvent, ResponseContentPartDoneEvent
from rxstream.events._lenient import wire_type
from rxstream.events._lifecycle import ResponseCompletedEvent, ResponseFailedEvent, ResponseIncompleteEvent
from rxstream.events._parts import OutputTextPart, ReasoningTextPart, RefusalPart, SummaryTextPart, TextPart
from rxstream.events._reasoning import (
    ResponseReasoningDeltaEvent,
    ResponseReasoningDoneEvent,
    ResponseReasoningPartAddedEvent,
    ResponseReasoningPartDoneEvent,
    ResponseReasoningSummaryPartAddedEvent,
    ResponseReasoningSummaryPartDoneEvent,
    ResponseReasoningSummaryTextDeltaEvent,
    ResponseReasoningSummaryTextDoneEvent,
    ResponseReasoningTextDeltaEvent,
    ResponseReasoningTextDoneEvent,
)
from rxstream.events._text import (
    ResponseOutputTextDeltaEvent,
    ResponseOutputTextDoneEvent,
    ResponseRefusalDeltaEvent,
    ResponseRefusalDoneEvent,
)
from rxstream.events._tools import (
    ResponseApplyPatchCallOperationDiffDeltaEvent,
    ResponseApplyPatchCallOperationDiffDoneEvent,
    ResponseCodeInterpreterCallCodeDeltaEvent,
    ResponseCodeInterpreterCallCodeDoneEvent,
    ResponseCustomToolCallInputDeltaEvent,
    ResponseCustomToolCallInputDoneEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseMcpCallArgumentsDeltaEvent,
    ResponseMcpCallArgumentsDoneEvent,
    ResponseShellCallCommandAddedEvent,
    ResponseShellCallCommandDeltaEvent,
    ResponseShellCallCommandDoneEvent,
)

TextKind: TypeAlias = Literal[
    "text", "refusal", "reasoning_summary", "reasoning", "function_args", "custom_input", "code", "audio_transcript"
]
"""The kind of a text. A moderator checks some kinds and passes the others."""


class Part(NamedTuple):
    """The place of a part within its item."""

    group: str
    """`content` or `summary`; of a shell call `commands`, of its output `output`, of a patch `operation`."""
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class GrowingText:
    """One kind of text that grows by deltas, and all the places where the API repeats it."""

    kind: TextKind
    deltas: tuple[type[Event], ...]
    """The classes of the events that add their `delta`."""
    dones: tuple[type[Event], ...]
    """The classes of the events with the whole text."""
    field: str
    """The field of the `.done` event with the whole text. The part (or the item, without a part) has the same field."""
    item: type[Item]
    group: str = ""
    """The list of the item that holds the part; empty if the text is a field of the item."""
    index: str = ""
    """The field of the events with the number of the part; empty if the item has only one part."""
    part: type[Any] | None = None
    """The class of the part; `str` if the part is the text itself. None if the text is a field of the item."""
    added: type[Event] | None = None
    """The class of the event that opens the text, with its beginning in `field`."""
    other_parts: tuple[type[Any], ...] = ()
    """Other classes of parts with such a text, which some servers send."""

    @property
    def item_type(self) -> str:
        return wire_type(self.item)

    @property
    def part_type(self) -> str:
        """The `type` of the part; empty if the part has none."""
        return _type_of(self.part) if self.part is not None else ""

    @property
    def parts(self) -> tuple[type[Any], ...]:
        """The classes of the parts; empty if the part is the text itself, or there is none."""
        return () if self.part in (None, str) else (self.part, *self.other_parts)

    @property
    def part_field(self) -> str:
        """The field of the part or item with the text; empty if the part is the text itself."""
        return "" if self.part is str else self.field

    def place(self, event: Any) -> Part | None:
        """The part that an event belongs to; None if it belongs to the item itself."""
        if not self.group:
            return None
        return Part(self.group, getattr(event, self.index) if self.index else 0)


@dataclass(frozen=True, slots=True, eq=False)
class PartEvents:
    """The two events that open and close a part as a whole."""

    added: type[Event]
    done: type[Event]
    text: GrowingText
    """The text of such a part if the part has no `type`."""


OUTPUT_TEXT: Final = GrowingText(
    "text",
    (ResponseOutputTextDeltaEvent,),
    (ResponseOutputTextDoneEvent,),
    "text",
    MessageItem,
    "content",
    "content_index",
    OutputTextPart,
    other_parts=(TextPart,),
)
REFUSAL: Final = GrowingText(
    "refusal",
    (ResponseRefusalDeltaEvent,),
    (ResponseRefusalDoneEvent,),
    "refusal",
    MessageItem,
    "content",
    "content_index",
    RefusalPart,
)
REASONING_TEXT: Final = GrowingText(
    "reasoning",
    (ResponseReasoningTextDeltaEvent, ResponseReasoningDeltaEvent),
    (ResponseReasoningTextDoneEvent, ResponseReasoningDoneEvent),
    "text",
    ReasoningItem,
    "content",
    "content_index",
    ReasoningTextPart,
)
REASONING_SUMMARY: Final = GrowingText(
    "reasoning_summary",
    (ResponseReasoningSummaryTextDeltaEvent,),
    (ResponseReasoningSummaryTextDoneEvent,),
    "text",
    ReasoningItem,
    "summary",
    "summary_index",
    SummaryTextPart,
)

TEXTS: Final[list[GrowingText]] = [
    OUTPUT_TEXT,
    REFUSAL,
    REASONING_SUMMARY,
    REASONING_TEXT,
    GrowingText(
        "function_args",
        (ResponseFunctionCallArgumentsDeltaEvent,),
        (ResponseFunctionCallArgumentsDoneEvent,),
        "arguments",
        FunctionCallItem,
    ),
    GrowingText(
        "function_args",
        (ResponseMcpCallArgumentsDeltaEvent,),
        (ResponseMcpCallArgumentsDoneEvent,),
        "arguments",
        McpCallItem,
    ),
    GrowingText(
        "custom_input",
        (ResponseCustomToolCallInputDeltaEvent,),
        (ResponseCustomToolCallInputDoneEvent,),
        "input",
        CustomToolCallItem,
    ),
    GrowingText(
        "code",
        (ResponseCodeInterpreterCallCodeDeltaEvent,),
        (ResponseCodeInterpreterCallCodeDoneEvent,),
        "code",
        CodeInterpreterCallItem,
    ),
    GrowingText(
        "code",
        (ResponseShellCallCommandDeltaEvent,),
        (ResponseShellCallCommandDoneEvent,),
        "command",
        ShellCallItem,
        "commands",
        "command_index",
        str,
        ResponseShellCallCommandAddedEvent,
    ),
    GrowingText(
        "code",
        (ResponseApplyPatchCallOperationDiffDeltaEvent,),
        (ResponseApplyPatchCallOperationDiffDoneEvent,),
        "diff",
        ApplyPatchCallItem,
        "operation",
        "",
        PatchOperation,
    ),
    GrowingText("function_args", (), (), "arguments", McpApprovalRequestItem),
]
"""All kinds of text. One without delta events arrives whole, with its item."""

SHELL_OUTPUT: Final = GrowingText("code", (), (), "stdout", ShellCallOutputItem, "output", "command_index", ShellOutput)
"""The output of a command. Its deltas are objects with two texts, so it is not in `TEXTS`."""

PARTS: Final[list[PartEvents]] = [
    PartEvents(ResponseContentPartAddedEvent, ResponseContentPartDoneEvent, OUTPUT_TEXT),
    PartEvents(ResponseReasoningPartAddedEvent, ResponseReasoningPartDoneEvent, REASONING_TEXT),
    PartEvents(ResponseReasoningSummaryPartAddedEvent, ResponseReasoningSummaryPartDoneEvent, REASONING_SUMMARY),
]

TerminalEvent: TypeAlias = ResponseCompletedEvent | ResponseIncompleteEvent | ResponseFailedEvent
TERMINAL: Final[tuple[type[TerminalEvent], ...]] = get_args(TerminalEvent)
"""The classes of the events that end a response."""

_BLANK_ITEMS: Final[dict[type[Item], dict[str, Any]]] = {
    MessageItem: {"role": "assistant", "content": []},
    ReasoningItem: {"summary": []},
    FunctionCallItem: {"arguments": "", "name": "", "call_id": ""},
    McpCallItem: {"arguments": "", "name": "", "server_label": ""},
    CustomToolCallItem: {"input": "", "name": "", "call_id": ""},
    CodeInterpreterCallItem: {"code": ""},
    ShellCallItem: {"action": {"commands": []}},
    ShellCallOutputItem: {"output": []},
    ApplyPatchCallItem: {},
}
"""The fields that an item has when it opens, for items whose `output_item.added` is missing."""

_OTHER_FIELDS: Final[dict[type, dict[str, Any]]] = {OutputTextPart: {"annotations": []}, ShellOutput: {"stderr": ""}}
"""The fields that a part has when it opens, other than its text."""


def by_delta() -> dict[type, GrowingText]:
    """Class of an event that adds text -> the text."""
    return {event: text for text in TEXTS for event in text.deltas}


def by_done() -> dict[type, GrowingText]:
    """Class of an event with the whole text -> the text. Also the events that open a text."""
    return {event: text for text in TEXTS for event in (*text.dones, text.added) if event is not None}


def item_events(base: type[ItemEvent] = ItemEvent) -> Iterator[type[ItemEvent]]:
    """The classes of all events inside an output item."""
    for event in base.__subclasses__():
        if "type" in event.__annotations__:
            yield event
        yield from item_events(event)


def by_progress() -> dict[type[ItemEvent], tuple[str, str]]:
    """Class of an event without own fields, as of `mcp_call.failed` -> the type and the new status of its item."""
    progress: dict[type[ItemEvent], tuple[str, str]] = {}
    for event in item_events():
        if event.model_fields.keys() == ItemEvent.model_fields.keys():
            _, item_type, status = wire_type(event).split(".")
            progress[event] = item_type, status
    return progress


def blank_fields(item: type[Item]) -> dict[str, Any]:
    """The fields of an item of that class when it opens, without its id."""
    return {"type": wire_type(item), **_BLANK_ITEMS.get(item, {}), "status": "in_progress"}


def blank_item(text: GrowingText, item_id: str) -> Item:
    """The item of a text when it opens, for items whose `output_item.added` is missing."""
    fields = blank_fields(text.item)
    return text.item.model_validate({**fields, "id": item_id} if item_id else fields)


def blank_part(text: GrowingText) -> Any | None:
    """The part of a text when it opens, for parts whose `.added` is missing; None if the part is not a model."""
    if text.part is None or text.part is str:
        return None
    name = {"type": text.part_type} if text.part_type else {}
    return text.part.model_validate({**name, text.field: "", **_OTHER_FIELDS.get(text.part, {})})


def _type_of(model: type[Any]) -> str:
    name: Any = wire_type(model) if "type" in getattr(model, "model_fields", ()) else ""
    return name if isinstance(name, str) else ""
