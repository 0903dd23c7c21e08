"""The kinds of tool calls: a class for each, and the union of them."""

from typing import Any, Literal, TypeAlias, TypeVar, overload

from pydantic import BaseModel

from rxstream.events import (
    ApplyPatchCallItem,
    CodeInterpreterCallItem,
    ComputerCallItem,
    CustomToolCallItem,
    FileSearchCallItem,
    FunctionCallItem,
    ImageGenerationCallItem,
    LocalShellCallItem,
    McpApprovalRequestItem,
    McpCallItem,
    McpListToolsItem,
    OutputItem,
    ShellCallItem,
    WebSearchAction,
    WebSearchCallItem,
)
from rxstream.response.calls._function_calls import parse_arguments
from rxstream.response.calls._tool_call import AnsweredToolCall, AnyToolCall

_M = TypeVar("_M", bound=BaseModel)


class FunctionToolCall(AnsweredToolCall[FunctionCallItem]):
    """A call of one of your functions. Answer it when it is `done`."""

    kind: Literal["function_call"] = "function_call"
    item_class = FunctionCallItem
    __slots__ = ()

    @property
    def name(self) -> str:
        return self.item.name

    @overload
    def parse(self) -> dict[str, Any]: ...
    @overload
    def parse(self, model: type[_M]) -> _M: ...
    def parse(self, model: type[BaseModel] | None = None) -> Any:
        """The whole arguments as a dict, or as an instance of `model`. Errors: see `FunctionCall.parse`."""
        name = self.item.name
        return parse_arguments(name, self.input, model) if model else parse_arguments(name, self.input)


class CustomToolCall(AnsweredToolCall[CustomToolCallItem]):
    """A call of one of your custom tools, whose input is free text. Answer it when it is `done`."""

    kind: Literal["custom_tool_call"] = "custom_tool_call"
    item_class = CustomToolCallItem
    __slots__ = ()

    @property
    def name(self) -> str:
        return self.item.name


class McpToolCall(AnyToolCall[McpCallItem]):
    """A call of a tool on an MCP server; `input` is its JSON arguments."""

    kind: Literal["mcp_call"] = "mcp_call"
    item_class = McpCallItem
    __slots__ = ()

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def server_label(self) -> str:
        return self.item.server_label

    @property
    def output(self) -> str | None:
        """What the tool answered, once it is done."""
        return self.item.output


class McpListTools(AnyToolCall[McpListToolsItem]):
    """An MCP server is asked for its tools."""

    kind: Literal["mcp_list_tools"] = "mcp_list_tools"
    item_class = McpListToolsItem
    __slots__ = ()

    @property
    def server_label(self) -> str:
        return self.item.server_label


class McpApprovalRequest(AnyToolCall[McpApprovalRequestItem]):
    """A call on an MCP server that waits for your approval; `input` is its JSON arguments."""

    kind: Literal["mcp_approval_request"] = "mcp_approval_request"
    item_class = McpApprovalRequestItem
    __slots__ = ()

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def server_label(self) -> str:
        return self.item.server_label


class WebSearchToolCall(AnyToolCall[WebSearchCallItem]):
    """A search in the web, or a page that is opened; `input` is the query, the URL, or what is looked for."""

    kind: Literal["web_search_call"] = "web_search_call"
    item_class = WebSearchCallItem
    __slots__ = ()

    @property
    def action(self) -> WebSearchAction | None:
        return self.item.action


class FileSearchToolCall(AnyToolCall[FileSearchCallItem]):
    """A search in files; `input` is the queries, a line each."""

    kind: Literal["file_search_call"] = "file_search_call"
    item_class = FileSearchCallItem
    __slots__ = ()

    @property
    def queries(self) -> list[str]:
        return self.item.queries


class CodeInterpreterToolCall(AnyToolCall[CodeInterpreterCallItem]):
    """Code that the model writes and has run; `input` is the code."""

    kind: Literal["code_interpreter_call"] = "code_interpreter_call"
    item_class = CodeInterpreterCallItem
    __slots__ = ()

    @property
    def code(self) -> str:
        """The code so far."""
        return self.input


class ShellToolCall(AnsweredToolCall[ShellCallItem]):
    """Commands for a shell; `input` is the commands, a line each."""

    kind: Literal["shell_call"] = "shell_call"
    item_class = ShellCallItem
    __slots__ = ()

    @property
    def commands(self) -> list[str]:
        """The commands so far; the last may be unfinished."""
        return self._inputs()

    @property
    def command_index(self) -> int:
        """Which command `delta` belongs to."""
        return self.part


class LocalShellToolCall(AnsweredToolCall[LocalShellCallItem]):
    """A command for your own shell (older form); `input` is the command line."""

    kind: Literal["local_shell_call"] = "local_shell_call"
    item_class = LocalShellCallItem
    __slots__ = ()


class ApplyPatchToolCall(AnsweredToolCall[ApplyPatchCallItem]):
    """A patch to apply; `input` is the diff."""

    kind: Literal["apply_patch_call"] = "apply_patch_call"
    item_class = ApplyPatchCallItem
    __slots__ = ()

    @property
    def path(self) -> str:
        """The file it is for."""
        return self.item.operation.path if self.item.operation else ""

    @property
    def diff(self) -> str:
        """The diff so far."""
        return self.input


class ImageGenerationToolCall(AnyToolCall[ImageGenerationCallItem]):
    """An image that is made. `input` is empty: what the model was asked is not told."""

    kind: Literal["image_generation_call"] = "image_generation_call"
    item_class = ImageGenerationCallItem
    __slots__ = ("preview",)

    preview: str | None
    """A preview of the image in base64, where this is the moment at which one came."""

    def __init__(self, item: ImageGenerationCallItem, output_index: int, **known: Any) -> None:
        self.preview = known.pop("preview", None)
        super().__init__(item, output_index, **known)

    @property
    def result(self) -> str | None:
        """The image in base64, once it is done."""
        return self.item.result


class ComputerToolCall(AnsweredToolCall[ComputerCallItem]):
    """Something to do on a computer; `input` is the JSON of the actions."""

    kind: Literal["computer_call"] = "computer_call"
    item_class = ComputerCallItem
    __slots__ = ()


class OtherToolCall(AnyToolCall[OutputItem]):
    """A call of a tool that has no class here: `item.type` says what it is."""

    kind: Literal["other"] = "other"
    __slots__ = ()


ToolCall: TypeAlias = (
    FunctionToolCall
    | CustomToolCall
    | McpToolCall
    | McpListTools
    | McpApprovalRequest
    | WebSearchToolCall
    | FileSearchToolCall
    | CodeInterpreterToolCall
    | ShellToolCall
    | LocalShellToolCall
    | ApplyPatchToolCall
    | ImageGenerationToolCall
    | ComputerToolCall
    | OtherToolCall
)
"""Any tool call at one moment, by its `kind` or its class."""

KINDS: dict[str, type[AnyToolCall[Any]]] = {
    cls.kind: cls
    for cls in (
        FunctionToolCall,
        CustomToolCall,
        McpToolCall,
        McpListTools,
        McpApprovalRequest,
        WebSearchToolCall,
        FileSearchToolCall,
        CodeInterpreterToolCall,
        ShellToolCall,
        LocalShellToolCall,
        ApplyPatchToolCall,
        ImageGenerationToolCall,
        ComputerToolCall,
    )
}


def class_of(item: OutputItem) -> type[AnyToolCall[Any]] | None:
    """The class for an item; None for one that calls no tool."""
    known = KINDS.get(item.type)
    if known is not None and isinstance(item, known.item_class):
        return known
    return OtherToolCall if item.type.endswith("_call") else None
