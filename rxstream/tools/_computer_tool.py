"""A computer that the model uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar, ParamSpec

from typing_extensions import TypeVar

from rxstream.events import ComputerCallItem
from rxstream.tools._client_tool import OnRestart, answer_item
from rxstream.tools._output import Image
from rxstream.tools._value_tool import EffectTool

_P = ParamSpec("_P")
_R = TypeVar("_R", default=Any)


class ComputerTool(EffectTool[_P, _R]):
    """A computer that the model uses. Its function gets the `ComputerCallItem`, acts, and returns an `Image`.

    A call with `pending_safety_checks` needs approval; approving it acknowledges them. The API has no answer but a
    screenshot: if the call fails or is refused, the run errors.

    Args:
        definition: the entry of the request, such as `{"type": "computer_use_preview", ...}`.
        timeout, max_in_flight, needs_approval, on_restart: as of `Tool`.

    Raises: TypeError, ValueError: as `Tool`.
    """

    call_type: ClassVar[str] = "computer_call"
    tool_name: ClassVar[str] = "computer"

    def __init__(
        self,
        fn: Callable[_P, _R],
        *,
        definition: Mapping[str, Any] | None = None,
        timeout: float | timedelta | None = None,
        max_in_flight: int | None = None,
        needs_approval: bool = False,
        on_restart: OnRestart | None = None,
    ) -> None:
        super().__init__(
            fn, timeout=timeout, max_in_flight=max_in_flight, needs_approval=needs_approval, on_restart=on_restart
        )
        self._definition = {"type": "computer"} if definition is None else {**definition}

    @property
    def definition(self) -> dict[str, Any]:
        return self._definition

    def asks_first(self, call: Any) -> bool:
        return self.needs_approval or bool(call.item.pending_safety_checks)

    def value_of(self, call: Any) -> ComputerCallItem:
        item: ComputerCallItem = call.item
        return item

    def output_item(self, call: Any, result: Any) -> dict[str, Any]:
        if not isinstance(result, Image):
            raise TypeError(f"expected an Image as the screenshot of a computer, got {type(result).__name__}")
        sources = {name: value for name, value in result.part().items() if name in ("image_url", "file_id")}
        checks = call.item.pending_safety_checks
        acknowledged = {"acknowledged_safety_checks": checks} if checks else {}
        return answer_item(call, output={"type": "computer_screenshot", **sources}, **acknowledged)

    def error_item(self, call: Any, text: str, error: Exception) -> dict[str, Any] | None:
        return None
