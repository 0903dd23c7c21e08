"""Which event tells of which field of the response: a table."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

from rxstream.events import (
    ApplyPatchCallItem,
    CodeInterpreterCallItem,
    CustomToolCallItem,
    Event,
    FunctionCallItem,
    McpCallItem,
    MessageItem,
    OutputItem,
    OutputTextPart,
    PatchOperation,
    ReasoningItem,
    ReasoningTextPart,
    RefusalPart,
    ResponseApplyPatchCallOperationDiffDeltaEvent,
    ResponseApplyPatchCallOperationDiffDoneEvent,
    ResponseCodeInterpreterCallCodeDeltaEvent,
    ResponseCodeInterpreterCallCodeDoneEvent,
    ResponseCodeInterpreterCallCompletedEvent,
    ResponseCodeInterpreterCallInProgressEvent,
    ResponseCodeInterpreterCallInterpretingEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseCustomToolCallInputDeltaEvent,
    ResponseCustomToolCallInputDoneEvent,
    ResponseFileSearchCallCompletedEvent,
    ResponseFileSearchCallInProgressEvent,
    ResponseFileSearchCallSearchingEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseImageGenerationCallCompletedEvent,
    ResponseImageGenerationCallGeneratingEvent,
    ResponseImageGenerationCallInProgressEvent,
    ResponseMcpCallArgumentsDeltaEvent,
    ResponseMcpCallArgumentsDoneEvent,
    ResponseMcpCallCompletedEvent,
    ResponseMcpCallFailedEvent,
    ResponseMcpCallInProgressEvent,
    ResponseOutputTextDeltaEvent,
    ResponseOutputTextDoneEvent,
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
    ResponseRefusalDeltaEvent,
    ResponseRefusalDoneEvent,
    ResponseShellCallCommandAddedEvent,
    ResponseShellCallCommandDeltaEvent,
    ResponseShellCallCommandDoneEvent,
    ResponseWebSearchCallCompletedEvent,
    ResponseWebSearchCallInProgressEvent,
    ResponseWebSearchCallSearchingEvent,
    ShellCallItem,
    ShellCallOutputItem,
    ShellOutput,
    SummaryTextPart,
)


class Part(NamedTuple):
    """The place of a part within its item."""

    group: str
    """`content` or `summary`; of a shell call `commands`, of its output `output`, of a patch `operation`."""
    number: int


class Field(NamedTuple):
    """A field that grows: of an item, or of a part of one."""

    item: type[Any]
    """The class of the item, should it never have been added."""
    name: str
    """Empty where the part is a plain `str`."""
    group: str = ""
    """Empty where the field is the item's own."""
    number: str = ""
    """The field of the event with the number of the part."""
    part: type[Any] | None = None
    """The class of the part, should it never have been added."""

    def place(self, event: Any) -> Part | None:
        """The part that an event tells of; None where it tells of the item itself."""
        if not self.group:
            return None
        return Part(self.group, getattr(event, self.number) if self.number else 0)


TEXT: Final = Field(MessageItem, "text", "content", "content_index", OutputTextPart)
REFUSAL: Final = Field(MessageItem, "refusal", "content", "content_index", RefusalPart)
REASONING: Final = Field(ReasoningItem, "text", "content", "content_index", ReasoningTextPart)
SUMMARY: Final = Field(ReasoningItem, "text", "summary", "summary_index", SummaryTextPart)
FUNCTION: Final = Field(FunctionCallItem, "arguments")
MCP: Final = Field(McpCallItem, "arguments")
CUSTOM: Final = Field(CustomToolCallItem, "input")
CODE: Final = Field(CodeInterpreterCallItem, "code")
COMMAND: Final = Field(ShellCallItem, "", "commands", "command_index")
PRINTED: Final = Field(ShellCallOutputItem, "stdout", "output", "command_index", ShellOutput)
DIFF: Final = Field(ApplyPatchCallItem, "diff", "operation", "", PatchOperation)

DELTAS: Final[dict[type, Field]] = {
    ResponseOutputTextDeltaEvent: TEXT,
    ResponseRefusalDeltaEvent: REFUSAL,
    ResponseReasoningTextDeltaEvent: REASONING,
    ResponseReasoningDeltaEvent: REASONING,
    ResponseReasoningSummaryTextDeltaEvent: SUMMARY,
    ResponseFunctionCallArgumentsDeltaEvent: FUNCTION,
    ResponseMcpCallArgumentsDeltaEvent: MCP,
    ResponseCustomToolCallInputDeltaEvent: CUSTOM,
    ResponseCodeInterpreterCallCodeDeltaEvent: CODE,
    ResponseShellCallCommandDeltaEvent: COMMAND,
    ResponseApplyPatchCallOperationDiffDeltaEvent: DIFF,
}
"""What a `delta` adds to."""

WHOLES: Final[dict[type, tuple[Field, str]]] = {
    ResponseOutputTextDoneEvent: (TEXT, "text"),
    ResponseRefusalDoneEvent: (REFUSAL, "refusal"),
    ResponseReasoningTextDoneEvent: (REASONING, "text"),
    ResponseReasoningDoneEvent: (REASONING, "text"),
    ResponseReasoningSummaryTextDoneEvent: (SUMMARY, "text"),
    ResponseFunctionCallArgumentsDoneEvent: (FUNCTION, "arguments"),
    ResponseMcpCallArgumentsDoneEvent: (MCP, "arguments"),
    ResponseCustomToolCallInputDoneEvent: (CUSTOM, "input"),
    ResponseCodeInterpreterCallCodeDoneEvent: (CODE, "code"),
    ResponseShellCallCommandAddedEvent: (COMMAND, "command"),
    ResponseShellCallCommandDoneEvent: (COMMAND, "command"),
    ResponseApplyPatchCallOperationDiffDoneEvent: (DIFF, "diff"),
}
"""What an event gives whole, and the field of the event that has it."""

OPENS: Final[dict[type, Field]] = {
    ResponseContentPartAddedEvent: TEXT,
    ResponseReasoningPartAddedEvent: REASONING,
    ResponseReasoningSummaryPartAddedEvent: SUMMARY,
}
"""The events that open a part."""

CLOSES: Final[dict[type, Field]] = {
    ResponseContentPartDoneEvent: TEXT,
    ResponseReasoningPartDoneEvent: REASONING,
    ResponseReasoningSummaryPartDoneEvent: SUMMARY,
}
"""The events that close a part."""

STATUSES: Final[dict[type, str]] = {
    ResponseWebSearchCallInProgressEvent: "in_progress",
    ResponseWebSearchCallSearchingEvent: "searching",
    ResponseWebSearchCallCompletedEvent: "completed",
    ResponseFileSearchCallInProgressEvent: "in_progress",
    ResponseFileSearchCallSearchingEvent: "searching",
    ResponseFileSearchCallCompletedEvent: "completed",
    ResponseCodeInterpreterCallInProgressEvent: "in_progress",
    ResponseCodeInterpreterCallInterpretingEvent: "interpreting",
    ResponseCodeInterpreterCallCompletedEvent: "completed",
    ResponseImageGenerationCallInProgressEvent: "in_progress",
    ResponseImageGenerationCallGeneratingEvent: "generating",
    ResponseImageGenerationCallCompletedEvent: "completed",
    ResponseMcpCallInProgressEvent: "in_progress",
    ResponseMcpCallCompletedEvent: "completed",
    ResponseMcpCallFailedEvent: "failed",
}
"""The status of an item after the event."""

_BLANK_PARTS: Final[dict[type, dict[str, Any]]] = {
    OutputTextPart: {"type": "output_text", "text": "", "annotations": []},
    RefusalPart: {"type": "refusal", "refusal": ""},
    ReasoningTextPart: {"type": "reasoning_text", "text": ""},
    SummaryTextPart: {"type": "summary_text", "text": ""},
    ShellOutput: {"stdout": "", "stderr": ""},
    PatchOperation: {"diff": ""},
}
_BLANK_ITEMS: Final[dict[type, dict[str, Any]]] = {
    MessageItem: {"type": "message", "role": "assistant", "content": [], "status": "in_progress"},
    ReasoningItem: {"type": "reasoning", "summary": []},
    FunctionCallItem: {"type": "function_call", "arguments": "", "name": "", "call_id": "", "status": "in_progress"},
    McpCallItem: {"type": "mcp_call", "arguments": "", "name": "", "server_label": ""},
    CustomToolCallItem: {"type": "custom_tool_call", "input": "", "name": "", "call_id": ""},
    CodeInterpreterCallItem: {"type": "code_interpreter_call", "code": "", "status": "in_progress"},
    ShellCallItem: {"type": "shell_call", "action": {"commands": []}, "status": "in_progress"},
    ShellCallOutputItem: {"type": "shell_call_output", "output": [], "status": "in_progress"},
    ApplyPatchCallItem: {"type": "apply_patch_call", "status": "in_progress"},
}


def blank_part(field: Field) -> Any | None:
    """A part that was never opened, before anything was added to it; None where it is no model."""
    return field.part.model_validate(_BLANK_PARTS[field.part]) if field.part is not None else None


def blank_item(field: Field, event: Event) -> OutputItem:
    """An item that was never added, before anything was added to it."""
    item_id = getattr(event, "item_id", "")
    known = {"id": item_id} if item_id else {}
    return cast(OutputItem, field.item.model_validate({**_BLANK_ITEMS[field.item], **known}))
