"""Patches of files."""

from __future__ import annotations

from typing import Any, ClassVar, ParamSpec

from typing_extensions import TypeVar

from rxstream.errors import ToolError
from rxstream.events import PatchOperation
from rxstream.tools._client_tool import answer_item
from rxstream.tools._value_tool import EffectTool

_P = ParamSpec("_P")
_R = TypeVar("_R", default=Any)

_OPERATIONS = ("create_file", "update_file", "delete_file")


class ApplyPatchTool(EffectTool[_P, _R]):
    """Create, update and delete files by patches. Its function gets a `PatchOperation`: `type`, `path` and `diff`.

    What it returns, a `str` or None, is the output of a patch that was applied. If it raises, the patch has failed.

    Args: timeout, max_in_flight, needs_approval, on_restart: as of `Tool`.
    Raises: TypeError, ValueError: as `Tool`.
    """

    call_type: ClassVar[str] = "apply_patch_call"
    tool_name: ClassVar[str] = "apply_patch"

    @property
    def definition(self) -> dict[str, Any]:
        return {"type": "apply_patch"}

    def value_of(self, call: Any) -> PatchOperation:
        operation = self._operation_of(call)
        if operation.type not in _OPERATIONS or not operation.path:
            raise ToolError(f"expected one of {', '.join(_OPERATIONS)} and a path, got {operation.model_dump_json()}")
        return operation

    def arguments_of(self, call: Any) -> str:
        return self._operation_of(call).model_dump_json()

    def _operation_of(self, call: Any) -> PatchOperation:
        operation: PatchOperation = call.item.operation or PatchOperation()
        if operation.diff or not call.input:
            return operation
        return operation.model_copy(update={"diff": call.input})  # some servers leave it out at the end

    def output_item(self, call: Any, result: Any) -> dict[str, Any]:
        if not isinstance(result, str | None):
            raise TypeError(f"expected a text or None as the output of apply_patch, got {type(result).__name__}")
        output = {} if result is None else {"output": result}
        return answer_item(call, status="completed", **output)

    def error_item(self, call: Any, text: str, error: Exception) -> dict[str, Any] | None:
        return answer_item(call, status="failed", output=text)
