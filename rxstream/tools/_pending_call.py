"""A call of a run until its turn is over, and what stands for a tool that the run does not have."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from rxstream.response.calls._client_calls import ClientCall
from rxstream.response.calls._tool_names import full_name
from rxstream.tools._approval import Denial, id_of
from rxstream.tools._client_tool import ClientTool
from rxstream.tools._custom_tool import CustomTool
from rxstream.tools._tool import Tool


class ToolCallState(Enum):
    """Where a call is."""

    WAITING = auto()
    """It may not start yet, or as many run as may."""
    ASKED = auto()
    """It waits for approval."""
    RUNNING = auto()
    ANSWERED = auto()


class PendingCall:
    """One call of a turn, until the turn is over."""

    __slots__ = ("approved", "began", "denial", "namespace", "number", "output", "state", "tool", "tool_call", "turn")

    def __init__(
        self, tool_call: ClientCall, tool: ClientTool[..., Any], namespace: str | None, turn: int, number: int
    ) -> None:
        self.tool_call = tool_call
        self.tool = tool
        self.namespace = namespace
        """That of the tool, None if it is in none; of an unknown tool what the call says."""
        self.turn = turn
        self.number = number
        """Of the calls of the turn, in the order in which their arguments were whole. For its records."""
        self.state = ToolCallState.WAITING
        self.approved = not tool.asks_first(tool_call)
        self.denial: Denial | None = None
        self.began: float | None = None
        """When its tool was started; None before, and while it waits for approval."""
        self.output: dict[str, Any] = {}
        """The item that answers it."""

    @property
    def call_id(self) -> str:
        """The id that its answer repeats."""
        return id_of(self.tool_call)

    @property
    def name(self) -> str:
        return getattr(self.tool_call, "name", self.tool.name)

    @property
    def full_name(self) -> str:
        return full_name(self.name, self.namespace)

    @property
    def names(self) -> dict[str, Any]:
        """The fields that all events of a call have."""
        names = {"turn": self.turn, "call_id": self.call_id, "name": self.name, "kind": self.tool_call.kind}
        return {**names, "namespace": self.namespace} if self.namespace else names

    @property
    def is_unknown(self) -> bool:
        """Whether the run has no tool for it."""
        return self.tool is UNKNOWN_TOOL or self.tool is UNKNOWN_CUSTOM_TOOL


def _no_tool() -> None:
    """Stands for a tool that the run does not have."""


def _no_custom_tool(text: str) -> None:
    """The same, for a custom tool."""


UNKNOWN_TOOL: ClientTool[..., Any] = Tool(_no_tool)
UNKNOWN_CUSTOM_TOOL: ClientTool[..., Any] = CustomTool(_no_custom_tool)
