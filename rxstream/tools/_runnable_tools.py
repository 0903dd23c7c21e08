"""All tools that a run can run, and which of them a call means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from rxstream.tools._client_tool import ClientTool
from rxstream.tools._custom_tool import CustomTool
from rxstream.tools._namespace import Namespace
from rxstream.tools._tool import Tool, as_tool


class ToolKey(NamedTuple):
    """What tells a tool of a run from the others."""

    kind: str
    """The type of its calls."""
    name: str = ""
    """Empty for a tool that is the only one of its type, such as a shell."""
    namespace: str = ""
    """Empty outside of namespaces."""

    @property
    def full_name(self) -> str:
        return f"{self.namespace}.{self.name}" if self.namespace else self.name


class RunnableTools:
    """The tools of a run.

    Raises: TypeError: one is not a tool. ValueError: two have one name in one namespace, or two namespaces one name.
    """

    def __init__(self, tools: Iterable[Any] = ()) -> None:
        self._by_key: dict[ToolKey, ClientTool[..., Any]] = {}
        self._namespaces: set[str] = set()
        for each in tools:
            self.add(each)

    def add(self, tool: Any, namespace: str = "") -> None:
        """Add a function, a tool, a `Namespace`, or a search with all that it can find."""
        if isinstance(tool, Namespace):
            if tool.name in self._namespaces:
                raise ValueError(f"expected namespaces of different names, got two namespaces of the name {tool.name}")
            self._namespaces.add(tool.name)
            for inner in tool.tools:
                self.add(inner, tool.name)
            return
        tool = as_tool(tool)
        has_name = isinstance(tool, Tool | CustomTool)
        key = ToolKey(tool.call_type, tool.name if has_name else "", namespace)
        if key in self._by_key:
            raise ValueError(f"expected tools of different names, got two of the name {key.full_name or tool.name}")
        self._by_key[key] = tool
        for inner in tool.tools:
            self.add(inner)

    def __iter__(self) -> Iterator[tuple[ToolKey, ClientTool[..., Any]]]:
        return iter(self._by_key.items())

    def find(self, kind: str, name: str, namespace: str | None) -> tuple[ToolKey, ClientTool[..., Any]] | None:
        """The tool that a call means. None: there is none, or more than one.

        A call without a namespace means the only tool of its name. A namespace that the app has not declared stands for
        none: the API sends one of the tool's own name for a tool that a search has found.
        """
        keys = [key for key in self._by_key if key.kind == kind and key.name in (name, "")]
        if namespace in self._namespaces:
            keys = [key for key in keys if key.namespace == namespace]
        elif namespace or any(not key.namespace for key in keys):
            keys = [key for key in keys if not key.namespace]
        return (keys[0], self._by_key[keys[0]]) if len(keys) == 1 else None

    def full_names(self, kind: str, name: str = "") -> list[str]:
        """Of the tools for calls of that type, and of that name, if one is passed."""
        return [key.full_name for key in self._by_key if key.kind == kind and name in ("", key.name)]
