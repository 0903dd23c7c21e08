"""Tools that the model finds by a search of the app's, instead of reading all of them at the start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, ClassVar, ParamSpec

from typing_extensions import TypeVar

from rxstream.errors import ToolError
from rxstream.tools._client_tool import ClientTool
from rxstream.tools._context import Context
from rxstream.tools._custom_tool import CustomTool
from rxstream.tools._docstring import read_docstring
from rxstream.tools._namespace import Namespace
from rxstream.tools._runnable_tools import RunnableTools
from rxstream.tools._schema import Parameters, annotated_function
from rxstream.tools._tool import Tool, as_tool, require_function

_P = ParamSpec("_P")
_R = TypeVar("_R", default=Any)


class ToolSearch(ClientTool[_P, _R]):
    """A search of the app's among tools that the model does not know yet. What it finds, the model can call.

    Args:
        fn: a function or coroutine function of what the model searches by, with annotated parameters, as of `Tool`. It
            returns the tools that it found, or their names. A parameter of the type `tools.Context` gets the context.
        tools: all that can be found: functions, `Tool`s, `CustomTool`s, `Namespace`s. A request does not have them.
        description: when to search, for the model; the text of the docstring.
        timeout, max_in_flight: as of `Tool`.

    The API has no way to say why a search failed: the model gets no tools then.

    Raises: TypeError, ValueError: as `Tool`; another kind of tool in `tools`, or two that have one name.
    """

    call_type: ClassVar[str] = "tool_search_call"

    def __init__(
        self,
        fn: Callable[_P, _R],
        *,
        tools: Sequence[Callable[..., Any] | Namespace],
        description: str | None = None,
        timeout: float | timedelta | None = None,
        max_in_flight: int | None = None,
    ) -> None:
        require_function(fn)
        super().__init__(fn, "tool_search", timeout=timeout, max_in_flight=max_in_flight, pure=True)
        docstring = read_docstring(annotated_function(fn).__doc__)
        self.description = docstring.text if description is None else description
        self.tools = tuple(each if isinstance(each, Namespace) else as_tool(each) for each in tools)
        RunnableTools(self.tools)  # raises here for what is wrong
        self._by_name: dict[str, ClientTool[..., Any] | Namespace] = {}
        for each in self.tools:
            if not isinstance(each, Tool | CustomTool | Namespace):
                raise TypeError(f"expected functions, Tools, CustomTools and Namespaces in a search, got {each}")
            if self._by_name.setdefault(each.name, each) is not each:
                raise ValueError(f"expected tools of different names in a search, got two of the name {each.name}")
        self._parameters = Parameters(fn, self.name, docstring.parameters)

    @property
    def definition(self) -> dict[str, Any]:
        return {
            "type": "tool_search",
            "execution": "client",
            "description": self.description,
            "parameters": self._parameters.schema,
        }

    def bind_call(self, call: Any, context: Context[Any]) -> Callable[[], Any]:
        return self._parameters.bind(call.input, context, null_is_default=False)

    def output_item(self, call: Any, result: Any) -> dict[str, Any]:
        found = [self._found(each) for each in _as_iterable(result)]
        return _output(call, "completed", [_deferred(each.definition) for each in dict.fromkeys(found)])

    def error_item(self, call: Any, text: str, error: Exception) -> dict[str, Any] | None:
        return _output(call, "incomplete", [])

    def _found(self, found: Any) -> ClientTool[..., Any] | Namespace:
        name = found if isinstance(found, str) else getattr(found, "name", getattr(found, "__name__", repr(found)))
        if name not in self._by_name:
            names = ", ".join(self._by_name) or "none"
            raise ToolError(f"expected tools of this search, or their names, got {name}; there are: {names}")
        return self._by_name[name]


def definition_of(tool: Any) -> Any:
    """A tool as a request has it: the definition of a tool, a namespace or a function; a dict as it is."""
    if isinstance(tool, Namespace):
        return tool.definition
    return as_tool(tool).definition if callable(tool) else tool


def _as_iterable(result: Any) -> Iterable[Any]:
    if isinstance(result, Iterable) and not isinstance(result, str):
        return result  # type: ignore[reportUnknownVariableType]
    raise TypeError(f"expected the tools that a search found, or their names, got {type(result).__name__}")


def _deferred(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition of a tool that a search has found. The API has it so also once it is loaded."""
    if definition["type"] == "namespace":
        return definition | {"tools": [_deferred(each) for each in definition["tools"]]}
    return definition | {"defer_loading": True}


def _output(call: Any, status: str, tools: list[dict[str, Any]]) -> dict[str, Any]:
    answer = {"type": "tool_search_output", "call_id": call.call_id, "execution": "client"}
    return answer | {"status": status, "tools": tools}
