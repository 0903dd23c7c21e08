"""The calls that an app may have to answer, each as soon as its input is whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from rxstream.events import OutputItem, ShellCallItem, ToolSearchCallItem
from rxstream.response.calls._function_calls import FunctionCalls
from rxstream.response.calls._tool_call_kinds import (
    ApplyPatchToolCall,
    ComputerToolCall,
    CustomToolCall,
    FunctionCall,
    LocalShellToolCall,
    McpApprovalRequest,
    ShellToolCall,
    ToolSearchToolCall,
)

ClientCall: TypeAlias = (
    FunctionCall
    | CustomToolCall
    | ShellToolCall
    | LocalShellToolCall
    | ApplyPatchToolCall
    | ComputerToolCall
    | McpApprovalRequest
    | ToolSearchToolCall
)

CLIENT_CALLS: tuple[type[Any], ...] = (
    CustomToolCall,
    ShellToolCall,
    LocalShellToolCall,
    ApplyPatchToolCall,
    ComputerToolCall,
    McpApprovalRequest,
    ToolSearchToolCall,
)
"""Calls that the app answers, besides those of functions."""
_CLIENT_TYPES = {"function_call", *(each.kind for each in CLIENT_CALLS)}


class ClientCalls:
    """Emit each call when its input is whole: of functions as `FunctionCalls` does, others at the end of their item.

    A shell call in a container is the server's, and so is a search that it runs.
    """

    def __init__(self) -> None:
        self._functions = FunctionCalls(self._other_calls)
        self._others: list[ClientCall] = []

    def quick(self, event: Any) -> bool:
        """Take an event that is only a part of the arguments of a function. False: it was not taken."""
        return self._functions.quick(event) is not None

    def feed(self, event: Any) -> list[ClientCall]:
        functions = self._functions.feed(event)
        others, self._others = self._others, []
        return [*functions, *others]

    def _other_calls(self, call: Any) -> None:
        if isinstance(call, CLIENT_CALLS) and call.done and not is_of_server(call.item):
            self._others.append(call)


def is_of_server(item: OutputItem) -> bool:
    """Whether the server answers the call itself: a shell that is not the app's own, a search that it runs."""
    if isinstance(item, ToolSearchCallItem):
        return item.execution != "client"
    if not isinstance(item, ShellCallItem) or item.environment is None:
        return False
    return item.environment.get("type", "local") != "local"


def answered_ids(output: Iterable[OutputItem]) -> Iterator[str]:
    """The ids of the calls that have their output in the same response: the server has answered them."""
    for item in output:
        call_id = getattr(item, "call_id", None)
        if call_id and item.type.endswith("_output"):
            yield call_id


def needs_answer(item: OutputItem) -> bool:
    """Whether an item of a response waits for an item of the app, unless the response holds its output."""
    return item.type in _CLIENT_TYPES and not is_of_server(item)
