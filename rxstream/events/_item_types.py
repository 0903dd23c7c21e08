"""Output items, but for hosted tools: messages, reasoning, calls of your own functions, agents, settings.

The hosted tools are in `_item_tools.py`, the union of all items in `_item_union.py`.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from rxstream.events._base import Model
from rxstream.events._lenient import OPEN, Json, JsonObject
from rxstream.events._parts import ContentPart, ReasoningTextPart, RefusalPart, SummaryTextPart

__all__ = [
    "AdditionalToolsItem",
    "AgentMessageItem",
    "CallItem",
    "CompactionItem",
    "CompactionTriggerItem",
    "ConfigurationUpdateItem",
    "CustomToolCallItem",
    "CustomToolCallOutputItem",
    "FunctionCallItem",
    "FunctionCallOutputItem",
    "Item",
    "ItemReferenceItem",
    "ItemStatus",
    "MessageItem",
    "MultiAgentCallItem",
    "MultiAgentCallOutputItem",
    "ProgramItem",
    "ProgramOutputItem",
    "ReasoningItem",
    "ToolSearchCallItem",
    "ToolSearchOutputItem",
]

ItemStatus: TypeAlias = Annotated[
    Literal["in_progress", "completed", "incomplete", "failed", "searching", "generating", "interpreting", "calling"]
    | str,
    OPEN,
]
"""The state of an item. It is not always final in `output_item.done`; the item ends with that event all the same."""


class Item(Model, frozen=True):
    """The fields of every item."""

    type: str
    id: str = ""
    status: ItemStatus | None = None
    agent: JsonObject | None = None
    """The agent that the item belongs to (multi-agent beta)."""


class CallItem(Item, frozen=True):
    """The fields of an item that calls a tool, or is the output of such a call. Both have the same `call_id`."""

    call_id: str = ""


class MessageItem(Item, frozen=True):
    """A message of the model, or one of its input."""

    type: Literal["message"]
    role: Annotated[Literal["assistant", "user", "system", "developer"] | str, OPEN] = "assistant"
    content: list[ContentPart] = Field(default_factory=list[ContentPart])
    phase: Annotated[Literal["commentary", "final_answer"] | str, OPEN] | None = None

    @property
    def text(self) -> str:
        """The text of all its parts, joined."""
        return "".join(text for part in self.content if isinstance(text := getattr(part, "text", None), str))

    @property
    def refusal(self) -> str:
        """The refusals of all its parts, joined."""
        return "".join(part.refusal for part in self.content if isinstance(part, RefusalPart))


class ReasoningItem(Item, frozen=True):
    """The model's reasoning: a summary, its text, or only its encrypted form."""

    type: Literal["reasoning"]
    summary: list[ContentPart] = Field(default_factory=list[ContentPart])
    content: list[ContentPart] | None = None
    encrypted_content: str | None = None

    @property
    def summary_text(self) -> str:
        """The parts of the summary, a blank line between two."""
        return "\n\n".join(part.text for part in self.summary if isinstance(part, SummaryTextPart))

    @property
    def text(self) -> str:
        """The text of all its parts, joined."""
        return "".join(part.text for part in self.content or () if isinstance(part, ReasoningTextPart))


class FunctionCallItem(CallItem, frozen=True):
    """A call of one of your functions; `arguments` is JSON, as text."""

    type: Literal["function_call"]
    name: str = ""
    arguments: str = ""
    namespace: str | None = None
    caller: JsonObject | None = None
    async_: bool | None = Field(default=None, alias="async")
    created_by: str | None = None


class FunctionCallOutputItem(CallItem, frozen=True):
    """The output of one of your functions."""

    type: Literal["function_call_output"]
    output: str | list[ContentPart] = ""
    name: str | None = None
    namespace: str | None = None
    caller: JsonObject | None = None
    created_by: str | None = None


class CustomToolCallItem(CallItem, frozen=True):
    """A call of one of your custom tools; `input` is free text."""

    type: Literal["custom_tool_call"]
    name: str = ""
    input: str = ""
    namespace: str | None = None
    caller: JsonObject | None = None
    async_: bool | None = Field(default=None, alias="async")
    created_by: str | None = None


class CustomToolCallOutputItem(CallItem, frozen=True):
    """The output of one of your custom tools."""

    type: Literal["custom_tool_call_output"]
    output: str | list[ContentPart] = ""
    caller: JsonObject | None = None
    created_by: str | None = None


class ProgramItem(CallItem, frozen=True):
    """A program that the model wrote to call tools."""

    type: Literal["program"]
    code: str = ""
    fingerprint: str = ""


class ProgramOutputItem(CallItem, frozen=True):
    """The result of the model's program."""

    type: Literal["program_output"]
    result: str = ""


class ToolSearchCallItem(Item, frozen=True):
    """A search among deferred tools."""

    type: Literal["tool_search_call"]
    call_id: str | None = None
    execution: Annotated[Literal["server", "client"] | str, OPEN] | None = None
    arguments: Json = None
    created_by: str | None = None


class ToolSearchOutputItem(Item, frozen=True):
    """The tools that a search among deferred tools found."""

    type: Literal["tool_search_output"]
    call_id: str | None = None
    execution: Annotated[Literal["server", "client"] | str, OPEN] | None = None
    tools: list[JsonObject] = Field(default_factory=list[JsonObject])
    created_by: str | None = None


class AdditionalToolsItem(Item, frozen=True):
    """Tools that were added in the middle of a conversation."""

    type: Literal["additional_tools"]
    role: str = ""
    tools: list[JsonObject] = Field(default_factory=list[JsonObject])


class ConfigurationUpdateItem(Item, frozen=True):
    """Settings that were changed in the middle of a conversation."""

    type: Literal["configuration_update"]
    reasoning: JsonObject | None = None
    text: JsonObject | None = None


class CompactionItem(Item, frozen=True):
    """Earlier items of the conversation, compacted and encrypted."""

    type: Literal["compaction"]
    encrypted_content: str = ""
    created_by: str | None = None


class CompactionTriggerItem(Item, frozen=True):
    """A request to compact the conversation."""

    type: Literal["compaction_trigger"]


class ItemReferenceItem(Item, frozen=True):
    """A reference to another item, by its id."""

    type: Literal["item_reference"]


class AgentMessageItem(Item, frozen=True):
    """A message from one agent to another (multi-agent beta)."""

    type: Literal["agent_message"]
    author: str = ""
    recipient: str = ""
    content: list[ContentPart] = Field(default_factory=list[ContentPart])


class MultiAgentCallItem(CallItem, frozen=True):
    """An agent's call that starts, stops or addresses others (multi-agent beta)."""

    type: Literal["multi_agent_call"]
    action: Annotated[
        Literal["spawn_agent", "interrupt_agent", "list_agents", "send_message", "followup_task", "wait_agent"] | str,
        OPEN,
    ] = ""
    arguments: str = ""


class MultiAgentCallOutputItem(CallItem, frozen=True):
    """The output of an agent's call (multi-agent beta)."""

    type: Literal["multi_agent_call_output"]
    action: Annotated[
        Literal["spawn_agent", "interrupt_agent", "list_agents", "send_message", "followup_task", "wait_agent"] | str,
        OPEN,
    ] = ""
    output: list[ContentPart] = Field(default_factory=list[ContentPart])
