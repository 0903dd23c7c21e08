"""A class for each kind of tool call, and the union of them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypeVar, cast, overload

from pydantic import BaseModel, TypeAdapter
from pydantic_core import from_json

from rxstream.errors import OutputError
from rxstream.errors._redaction import one_line
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
    ToolSearchCallItem,
    WebSearchAction,
    WebSearchCallItem,
)
from rxstream.partial_json._validation import fit
from rxstream.response.calls._tool_call import AnsweredToolCall, AnyToolCall
from rxstream.response.calls._tool_names import full_name

_M = TypeVar("_M", bound=BaseModel)


class FunctionCall(AnsweredToolCall[FunctionCallItem]):
    """A call of one of your functions. Answer it when it is `done`.

    One that you make yourself is done, and equal to one with the same values that came from a stream.
    """

    kind: Literal["function_call"] = "function_call"
    item_class = FunctionCallItem
    __slots__ = ()

    def __init__(
        self,
        name: str,
        call_id: str,
        arguments: str,
        output_index: int = 0,
        item_id: str = "",
        *,
        namespace: str | None = None,
    ) -> None:
        item = FunctionCallItem(
            type="function_call", id=item_id, name=name, call_id=call_id, arguments=arguments, status="completed"
        )
        if namespace is not None:
            item = item.model_copy(update={"namespace": namespace})
        texts = {0: [arguments]}
        super().__init__(item, output_index, texts=texts, status="completed", input_done=True, done=True)

    @classmethod
    def of_item(cls, item: FunctionCallItem, output_index: int, **fields: Any) -> FunctionCall:
        call = cls.__new__(cls)
        super(FunctionCall, call).__init__(item, output_index, **fields)
        return call

    def as_done(self) -> FunctionCall:
        """The same call, `done` with the arguments so far."""
        arguments = self.arguments
        call = FunctionCall(self.name, self.call_id, arguments, self.output_index, self.item_id)
        call.item = self.item.model_copy(update={"arguments": arguments, "status": "completed"})
        return call

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def namespace(self) -> str | None:
        """That of the function, if the server sent one."""
        return self.item.namespace

    @property
    def arguments(self) -> str:
        """The JSON text so far, as the model wrote it; the same as `input`."""
        return self.input

    @overload
    def parse(self) -> dict[str, Any]: ...
    @overload
    def parse(self, model: type[_M], *, context: Any = None) -> _M: ...
    def parse(self, model: type[BaseModel] | None = None, *, context: Any = None) -> Any:
        """The arguments as a dict, or as an instance of `model`. `context` is pydantic's validation context.

        Raises: `OutputError` with the text if it is not the JSON of an object, as models sometimes write; `SchemaError`
        with the path if it does not fit the model. Empty arguments are an empty object.
        """
        arguments = self.arguments
        text = arguments.strip() or "{}"
        what = f"the arguments of {full_name(self.name, self.namespace)}()"
        if model is not None:
            return fit(text, TypeAdapter(model), what=what, into=model.__name__, context=context)
        try:
            value = from_json(text)
        except ValueError as error:
            raise OutputError(f"cannot read {what} as JSON: {error}", text=arguments) from None
        if not isinstance(value, dict):
            raise OutputError(f"cannot read {what} as a JSON object: it is {one_line(text, 80)}", text=arguments)
        return cast("dict[str, Any]", value)

    def _values(self) -> tuple[object, ...]:
        fields = (self.status, self.delta, self.input_done, self.done)
        return (self.name, self.namespace, self.call_id, self.arguments, self.output_index, self.item_id, *fields)

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, FunctionCall) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        values = ["name", "call_id", "arguments", "output_index", "item_id"]
        if self.namespace is not None:
            values.append("namespace")
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in values)
        return f"FunctionCall({shown})" if self.done else f"FunctionCall({shown}, delta={self.delta!r}, done=False)"


class CustomToolCall(AnsweredToolCall[CustomToolCallItem]):
    """A call of one of your custom tools, whose input is free text. Answer it when it is `done`."""

    kind: Literal["custom_tool_call"] = "custom_tool_call"
    item_class = CustomToolCallItem
    __slots__ = ()

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def namespace(self) -> str | None:
        """That of the tool, if the server sent one."""
        return self.item.namespace


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
    """An image that is made. `input` is empty: the API does not send the prompt."""

    kind: Literal["image_generation_call"] = "image_generation_call"
    item_class = ImageGenerationCallItem
    __slots__ = ("preview",)

    preview: str | None
    """A preview of the image in base64, if this snapshot is of an event with one."""

    def __init__(self, item: ImageGenerationCallItem, output_index: int, **fields: Any) -> None:
        self.preview = fields.pop("preview", None)
        super().__init__(item, output_index, **fields)

    @property
    def result(self) -> str | None:
        """The image in base64, once it is done."""
        return self.item.result


class ComputerToolCall(AnsweredToolCall[ComputerCallItem]):
    """Something to do on a computer; `input` is the JSON of the actions."""

    kind: Literal["computer_call"] = "computer_call"
    item_class = ComputerCallItem
    __slots__ = ()


class ToolSearchToolCall(AnyToolCall[ToolSearchCallItem]):
    """A search among tools that the model does not know yet; `input` is its JSON arguments.

    You answer one with `item.execution == "client"`.
    """

    kind: Literal["tool_search_call"] = "tool_search_call"
    item_class = ToolSearchCallItem
    __slots__ = ()

    @property
    def call_id(self) -> str:
        """The id that your answer repeats; empty if the server searches."""
        return self.item.call_id or ""


class OtherToolCall(AnyToolCall[OutputItem]):
    """A call of a tool that has no class here: `item.type` says what it is."""

    kind: Literal["other"] = "other"
    __slots__ = ()


ToolCall: TypeAlias = (
    FunctionCall
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
    | ToolSearchToolCall
    | OtherToolCall
)
"""A snapshot of any tool call. Its `kind` or its class says which."""

KINDS: dict[str, type[AnyToolCall[Any]]] = {
    cls.kind: cls
    for cls in (
        FunctionCall,
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
        ToolSearchToolCall,
    )
}


def class_of(item: OutputItem) -> type[AnyToolCall[Any]] | None:
    """The class for an item; None for one that is not a tool call."""
    fields = KINDS.get(item.type)
    if fields is not None and isinstance(item, fields.item_class):
        return fields
    return OtherToolCall if item.type.endswith("_call") else None
