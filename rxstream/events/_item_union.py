"""The union of all items, by their `type`."""

from typing import Annotated, TypeAlias, get_args

from pydantic import Field, WrapValidator

from rxstream.events._item_tools import *
from rxstream.events._item_types import *
from rxstream.events._lenient import fallback

__all__ = [
    "OutputItem",
    "UnknownItem",
]


class UnknownItem(Item, frozen=True):
    """An item of an unknown type, or one that does not fit its type. All its fields are kept."""

    type: str = ""


KnownItem: TypeAlias = (
    MessageItem
    | ReasoningItem
    | FunctionCallItem
    | FunctionCallOutputItem
    | CustomToolCallItem
    | CustomToolCallOutputItem
    | FileSearchCallItem
    | WebSearchCallItem
    | ComputerCallItem
    | ComputerCallOutputItem
    | CodeInterpreterCallItem
    | LocalShellCallItem
    | LocalShellCallOutputItem
    | ShellCallItem
    | ShellCallOutputItem
    | ApplyPatchCallItem
    | ApplyPatchCallOutputItem
    | ImageGenerationCallItem
    | McpCallItem
    | McpListToolsItem
    | McpApprovalRequestItem
    | McpApprovalResponseItem
    | ProgramItem
    | ProgramOutputItem
    | ToolSearchCallItem
    | ToolSearchOutputItem
    | AdditionalToolsItem
    | ConfigurationUpdateItem
    | CompactionItem
    | CompactionTriggerItem
    | ItemReferenceItem
    | AgentMessageItem
    | MultiAgentCallItem
    | MultiAgentCallOutputItem
)
OutputItem: TypeAlias = Annotated[
    Annotated[KnownItem, Field(discriminator="type")]
    | Annotated[UnknownItem, WrapValidator(fallback(get_args(KnownItem)))],
    Field(union_mode="left_to_right"),
]
"""Any item of a response, or of its input, by its `type`."""
