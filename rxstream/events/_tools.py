"""The events of tool calls: arguments and inputs, and the progress of hosted tools."""

from typing import Literal

from pydantic import Field

from rxstream.events._base import CommandEvent, ItemEvent
from rxstream.events._item_tools import ShellOutput
from rxstream.events._lenient import JsonObject

__all__ = [
    "ResponseApplyPatchCallOperationDiffDeltaEvent",
    "ResponseApplyPatchCallOperationDiffDoneEvent",
    "ResponseCodeInterpreterCallCodeDeltaEvent",
    "ResponseCodeInterpreterCallCodeDoneEvent",
    "ResponseCodeInterpreterCallCompletedEvent",
    "ResponseCodeInterpreterCallInProgressEvent",
    "ResponseCodeInterpreterCallInterpretingEvent",
    "ResponseCustomToolCallInputDeltaEvent",
    "ResponseCustomToolCallInputDoneEvent",
    "ResponseFileSearchCallCompletedEvent",
    "ResponseFileSearchCallInProgressEvent",
    "ResponseFileSearchCallSearchingEvent",
    "ResponseFunctionCallArgumentsDeltaEvent",
    "ResponseFunctionCallArgumentsDoneEvent",
    "ResponseMcpCallArgumentsDeltaEvent",
    "ResponseMcpCallArgumentsDoneEvent",
    "ResponseMcpCallCompletedEvent",
    "ResponseMcpCallFailedEvent",
    "ResponseMcpCallInProgressEvent",
    "ResponseMcpListToolsCompletedEvent",
    "ResponseMcpListToolsFailedEvent",
    "ResponseMcpListToolsInProgressEvent",
    "ResponseShellCallCommandAddedEvent",
    "ResponseShellCallCommandDeltaEvent",
    "ResponseShellCallCommandDoneEvent",
    "ResponseShellCallOutputContentDeltaEvent",
    "ResponseShellCallOutputContentDoneEvent",
    "ResponseWebSearchCallCompletedEvent",
    "ResponseWebSearchCallInProgressEvent",
    "ResponseWebSearchCallSearchingEvent",
]

# --- your own tools --------------------------------------------------------------------------------------------------


class ResponseFunctionCallArgumentsDeltaEvent(ItemEvent, frozen=True):
    """More of the JSON arguments of a function call."""

    type: Literal["response.function_call_arguments.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseFunctionCallArgumentsDoneEvent(ItemEvent, frozen=True):
    """The arguments of a function call are whole. Some servers send it without any delta, others do not send it."""

    type: Literal["response.function_call_arguments.done"]
    arguments: str
    name: str | None = None
    """The function's name. Few servers send it here; the item has it."""


class ResponseCustomToolCallInputDeltaEvent(ItemEvent, frozen=True):
    """More of the input of a custom tool call."""

    type: Literal["response.custom_tool_call_input.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseCustomToolCallInputDoneEvent(ItemEvent, frozen=True):
    """The input of a custom tool call is whole."""

    type: Literal["response.custom_tool_call_input.done"]
    input: str


# --- MCP -------------------------------------------------------------------------------------------------------------


class ResponseMcpCallArgumentsDeltaEvent(ItemEvent, frozen=True):
    """More of the JSON arguments of an MCP call."""

    type: Literal["response.mcp_call_arguments.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseMcpCallArgumentsDoneEvent(ItemEvent, frozen=True):
    """The arguments of an MCP call are whole."""

    type: Literal["response.mcp_call_arguments.done"]
    arguments: str


class ResponseMcpCallInProgressEvent(ItemEvent, frozen=True):
    """An MCP call has begun."""

    type: Literal["response.mcp_call.in_progress"]


class ResponseMcpCallCompletedEvent(ItemEvent, frozen=True):
    """An MCP call has its output."""

    type: Literal["response.mcp_call.completed"]


class ResponseMcpCallFailedEvent(ItemEvent, frozen=True):
    """An MCP call failed."""

    type: Literal["response.mcp_call.failed"]


class ResponseMcpListToolsInProgressEvent(ItemEvent, frozen=True):
    """The request for the tools of an MCP server was sent."""

    type: Literal["response.mcp_list_tools.in_progress"]


class ResponseMcpListToolsCompletedEvent(ItemEvent, frozen=True):
    """An MCP server sent its list of tools."""

    type: Literal["response.mcp_list_tools.completed"]


class ResponseMcpListToolsFailedEvent(ItemEvent, frozen=True):
    """An MCP server could not list its tools."""

    type: Literal["response.mcp_list_tools.failed"]


# --- search ----------------------------------------------------------------------------------------------------------


class ResponseFileSearchCallInProgressEvent(ItemEvent, frozen=True):
    """A file search has begun."""

    type: Literal["response.file_search_call.in_progress"]


class ResponseFileSearchCallSearchingEvent(ItemEvent, frozen=True):
    """A file search is searching."""

    type: Literal["response.file_search_call.searching"]


class ResponseFileSearchCallCompletedEvent(ItemEvent, frozen=True):
    """A file search is done."""

    type: Literal["response.file_search_call.completed"]


class ResponseWebSearchCallInProgressEvent(ItemEvent, frozen=True):
    """A web search has begun."""

    type: Literal["response.web_search_call.in_progress"]


class ResponseWebSearchCallSearchingEvent(ItemEvent, frozen=True):
    """A web search is searching."""

    type: Literal["response.web_search_call.searching"]


class ResponseWebSearchCallCompletedEvent(ItemEvent, frozen=True):
    """A web search is done."""

    type: Literal["response.web_search_call.completed"]


# --- code interpreter ------------------------------------------------------------------------------------------------


class ResponseCodeInterpreterCallInProgressEvent(ItemEvent, frozen=True):
    """A call of the code interpreter has begun."""

    type: Literal["response.code_interpreter_call.in_progress"]


class ResponseCodeInterpreterCallCodeDeltaEvent(ItemEvent, frozen=True):
    """More of the code that the model writes for the interpreter."""

    type: Literal["response.code_interpreter_call_code.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseCodeInterpreterCallCodeDoneEvent(ItemEvent, frozen=True):
    """The code for the interpreter is whole."""

    type: Literal["response.code_interpreter_call_code.done"]
    code: str


class ResponseCodeInterpreterCallInterpretingEvent(ItemEvent, frozen=True):
    """The code runs."""

    type: Literal["response.code_interpreter_call.interpreting"]


class ResponseCodeInterpreterCallCompletedEvent(ItemEvent, frozen=True):
    """The code has run."""

    type: Literal["response.code_interpreter_call.completed"]


# --- shell and patches -----------------------------------------------------------------------------------------------


class ResponseShellCallCommandAddedEvent(CommandEvent, frozen=True):
    """A command of a shell call opens."""

    type: Literal["response.shell_call_command.added"]
    command: str


class ResponseShellCallCommandDeltaEvent(CommandEvent, frozen=True):
    """More of a command of a shell call."""

    type: Literal["response.shell_call_command.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseShellCallCommandDoneEvent(CommandEvent, frozen=True):
    """A command of a shell call is whole."""

    type: Literal["response.shell_call_command.done"]
    command: str


class ResponseShellCallOutputContentDeltaEvent(CommandEvent, frozen=True):
    """More output of a command: an object with `stdout`, `stderr` or both."""

    type: Literal["response.shell_call_output_content.delta"]
    delta: JsonObject


class ResponseShellCallOutputContentDoneEvent(CommandEvent, frozen=True):
    """The output of a command is whole."""

    type: Literal["response.shell_call_output_content.done"]
    output: list[ShellOutput] = Field(default_factory=list[ShellOutput])


class ResponseApplyPatchCallOperationDiffDeltaEvent(ItemEvent, frozen=True):
    """More of a patch (only live servers send it)."""

    type: Literal["response.apply_patch_call_operation_diff.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseApplyPatchCallOperationDiffDoneEvent(ItemEvent, frozen=True):
    """A patch is whole (only live servers send it)."""

    type: Literal["response.apply_patch_call_operation_diff.done"]
    diff: str
