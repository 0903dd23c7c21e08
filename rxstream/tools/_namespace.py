"""Tools that belong together under one name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rxstream.tools._custom_tool import CustomTool
from rxstream.tools._tool import Tool, as_tool, tool_name


class Namespace:
    """Tools that belong together. A search loads them as one; before it the model reads name and description only.

    Args:
        name, description: for the model.
        tools: functions, `Tool`s and `CustomTool`s. Those with `defer_loading=True` are not loaded before a search.

    Raises: TypeError: another tool, or none. ValueError: the API takes no such name.
    """

    def __init__(self, name: str, description: str, tools: Sequence[Callable[..., Any]]) -> None:
        self.name = tool_name(name, None)
        self.description = description
        self.tools = tuple(as_tool(each) for each in tools)
        other = next((each for each in self.tools if not isinstance(each, Tool | CustomTool)), None)
        if other is not None or not self.tools:
            raise TypeError(f"{name}: expected functions, Tools and CustomTools in a namespace, got {other or 'none'}")

    @property
    def definition(self) -> dict[str, Any]:
        """The namespace as a request has it in `tools`."""
        tools = [each.definition for each in self.tools]
        return {"type": "namespace", "name": self.name, "description": self.description, "tools": tools}

    def __repr__(self) -> str:
        return f"<Namespace {self.name}>"
