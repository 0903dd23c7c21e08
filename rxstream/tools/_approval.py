"""Whether a call may run: the answers of `approve=`, and the calls of MCP servers that ask for one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from rxstream.errors import ToolError
from rxstream.tools._client_tool import ClientTool
from rxstream.tools._context import Context


@dataclass(frozen=True, slots=True)
class Denial:
    """An answer of `approve=`: the call does not run, and the model gets the reason. `False` is one without."""

    reason: str = ""

    def __bool__(self) -> bool:
        return False


def denial_of(answer: Any) -> Denial | None:
    """What `approve=` has answered: None if the call may run. Only True approves.

    Raises: TypeError: it is not an answer. So a function that has forgotten to compare approves nothing.
    """
    if answer is True:
        return None
    if answer is False or answer is None:
        return Denial()
    if isinstance(answer, Denial):
        return answer
    raise TypeError(f"expected True, False or a Denial as the answer of approve, got {type(answer).__name__}")


def denial_error(call: Any, name: str, denial: Denial) -> ToolError:
    """What the model is told."""
    reason = f": {denial.reason}" if denial.reason else ""
    return ToolError(f"the call of {name}() was not approved{reason}", name=name, call_id=id_of(call))


class McpApproval(ClientTool[..., Any]):
    """What answers a call of an MCP server that waits for approval. The server runs it."""

    call_type: ClassVar[str] = "mcp_approval_request"

    def __init__(self) -> None:
        super().__init__(_nothing, "mcp_approval", needs_approval=True)

    def bind_call(self, call: Any, context: Context[Any]) -> Callable[[], Any]:
        return _nothing

    def output_item(self, call: Any, result: Any) -> dict[str, Any]:
        return {"type": "mcp_approval_response", "approval_request_id": call.item_id, "approve": True}

    def error_item(self, call: Any, text: str, error: Exception) -> dict[str, Any] | None:
        return {"type": "mcp_approval_response", "approval_request_id": call.item_id, "approve": False, "reason": text}


def id_of(call: Any) -> str:
    """The id that the answer of a call repeats."""
    call_id: str = getattr(call, "call_id", call.item_id)
    return call_id


def _nothing() -> None:
    """The server runs the call."""
