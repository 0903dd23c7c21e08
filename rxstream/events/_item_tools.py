"""Output items of the hosted tools: search, computer, code, shell, patches, images, MCP."""

from typing import Annotated, Literal

from pydantic import Field

from rxstream.events._base import Model
from rxstream.events._item_types import CallItem, Item
from rxstream.events._lenient import OPEN, Json, JsonObject

__all__ = [
    "ApplyPatchCallItem",
    "ApplyPatchCallOutputItem",
    "CodeInterpreterCallItem",
    "ComputerCallItem",
    "ComputerCallOutputItem",
    "FileSearchCallItem",
    "ImageGenerationCallItem",
    "LocalShellCallItem",
    "LocalShellCallOutputItem",
    "McpApprovalRequestItem",
    "McpApprovalResponseItem",
    "McpCallItem",
    "McpListToolsItem",
    "PatchOperation",
    "ShellAction",
    "ShellCallItem",
    "ShellCallOutputItem",
    "ShellOutput",
    "WebSearchAction",
    "WebSearchCallItem",
]

# --- search ----------------------------------------------------------------------------------------------------------


class FileSearchCallItem(Item, frozen=True):
    """A search in files."""

    type: Literal["file_search_call"]
    queries: list[str] = Field(default_factory=list[str])
    results: list[JsonObject] | None = None


class WebSearchAction(Model, frozen=True):
    """One action of a web search: search, open a page, or find in a page."""

    type: Annotated[Literal["search", "open_page", "find_in_page"] | str, OPEN] = ""
    query: str | None = None
    queries: list[str] | None = None
    sources: list[JsonObject] | None = None
    url: str | None = None
    pattern: str | None = None


class WebSearchCallItem(Item, frozen=True):
    """A search in the web. `action` is None while it begins."""

    type: Literal["web_search_call"]
    action: WebSearchAction | None = None


# --- computer --------------------------------------------------------------------------------------------------------


class ComputerCallItem(CallItem, frozen=True):
    """An action on a computer: a click, a key, a screenshot."""

    type: Literal["computer_call"]
    action: JsonObject | None = None
    actions: list[JsonObject] | None = None
    pending_safety_checks: list[JsonObject] = Field(default_factory=list[JsonObject])


class ComputerCallOutputItem(CallItem, frozen=True):
    """A screenshot of the computer after a call."""

    type: Literal["computer_call_output"]
    output: JsonObject | None = None
    acknowledged_safety_checks: list[JsonObject] | None = None
    created_by: str | None = None


# --- code and shell --------------------------------------------------------------------------------------------------


class CodeInterpreterCallItem(Item, frozen=True):
    """Code that runs in a container. `outputs` has its logs and images, if the request includes them."""

    type: Literal["code_interpreter_call"]
    container_id: str = ""
    code: str | None = None
    outputs: list[JsonObject] | None = None


class LocalShellCallItem(CallItem, frozen=True):
    """A command to run in your own shell (older form)."""

    type: Literal["local_shell_call"]
    action: JsonObject | None = None


class LocalShellCallOutputItem(CallItem, frozen=True):
    """The output of your own shell (older form)."""

    type: Literal["local_shell_call_output"]
    output: str = ""


class ShellAction(Model, frozen=True):
    """The commands of a shell call, and their limits."""

    commands: list[str] = Field(default_factory=list[str])
    timeout_ms: int | None = None
    max_output_length: int | None = None


class ShellCallItem(CallItem, frozen=True):
    """Commands to run in a shell."""

    type: Literal["shell_call"]
    action: ShellAction | None = None
    environment: JsonObject | None = None
    caller: JsonObject | None = None
    created_by: str | None = None


class ShellOutput(Model, frozen=True):
    """The output of one command, and how it ended."""

    stdout: str = ""
    stderr: str = ""
    outcome: JsonObject | None = None
    created_by: str | None = None


class ShellCallOutputItem(CallItem, frozen=True):
    """The output of the commands of a shell call."""

    type: Literal["shell_call_output"]
    output: list[ShellOutput] = Field(default_factory=list[ShellOutput])
    max_output_length: int | None = None
    caller: JsonObject | None = None
    created_by: str | None = None


# --- patches ---------------------------------------------------------------------------------------------------------


class PatchOperation(Model, frozen=True):
    """The change of one file by a patch. `diff` is None if the file is deleted."""

    type: Annotated[Literal["create_file", "update_file", "delete_file"] | str, OPEN] = ""
    path: str = ""
    diff: str | None = None


class ApplyPatchCallItem(CallItem, frozen=True):
    """A patch to apply."""

    type: Literal["apply_patch_call"]
    operation: PatchOperation | None = None
    caller: JsonObject | None = None
    created_by: str | None = None


class ApplyPatchCallOutputItem(CallItem, frozen=True):
    """The result of applying a patch."""

    type: Literal["apply_patch_call_output"]
    output: str | None = None
    caller: JsonObject | None = None
    created_by: str | None = None


# --- images ----------------------------------------------------------------------------------------------------------


class ImageGenerationCallItem(Item, frozen=True):
    """A generated image; `result` is the image in base64."""

    type: Literal["image_generation_call"]
    result: str | None = None
    action: Annotated[Literal["generate", "edit", "auto"] | str, OPEN] | None = None
    background: Annotated[Literal["transparent", "opaque", "auto"] | str, OPEN] | None = None
    error: Json = None
    output_format: Annotated[Literal["png", "webp", "jpeg", "gif", "svg"] | str, OPEN] | None = None
    quality: Annotated[Literal["low", "medium", "high", "xhigh", "max", "auto"] | str, OPEN] | None = None
    revised_prompt: str | None = None
    size: str | None = None
    svg_usage: JsonObject | None = None


# --- MCP -------------------------------------------------------------------------------------------------------------


class McpCallItem(Item, frozen=True):
    """A call of a tool on an MCP server, with its output when it is done."""

    type: Literal["mcp_call"]
    server_label: str = ""
    name: str = ""
    arguments: str = ""
    output: str | None = None
    error: Json = None
    approval_request_id: str | None = None


class McpListToolsItem(Item, frozen=True):
    """The tools that an MCP server offers."""

    type: Literal["mcp_list_tools"]
    server_label: str = ""
    tools: list[JsonObject] = Field(default_factory=list[JsonObject])
    error: Json = None


class McpApprovalRequestItem(Item, frozen=True):
    """A call on an MCP server that waits for your approval."""

    type: Literal["mcp_approval_request"]
    server_label: str = ""
    name: str = ""
    arguments: str = ""


class McpApprovalResponseItem(Item, frozen=True):
    """Your answer to a request for approval."""

    type: Literal["mcp_approval_response"]
    approval_request_id: str = ""
    approve: bool = False
    reason: str | None = None
