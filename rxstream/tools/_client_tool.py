"""What all tools that the app runs have in common: their options, and what a call of each kind becomes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Generic, Literal, ParamSpec

from typing_extensions import TypeVar

from rxstream.tools._context import Context

_P = ParamSpec("_P")
_R = TypeVar("_R", default=Any)

Start = Literal["item", "turn"]
OnRestart = Literal["raise", "rerun", "tell_model"]


class ClientTool(Generic[_P, _R]):
    """A tool whose calls the app answers. It can be called as its function."""

    call_type: ClassVar[str]
    """The type of the items that call it."""
    tools: Sequence[Any] = ()
    """Those that a run with it can run too: what a search can find."""

    def __init__(
        self,
        fn: Callable[_P, _R],
        name: str,
        *,
        timeout: float | timedelta | None = None,
        max_in_flight: int | None = None,
        needs_approval: bool = False,
        pure: bool = False,
        start: Start | None = None,
        on_restart: OnRestart | None = None,
    ) -> None:
        self.fn = fn
        self.name = name
        """The name for the model; of tools that have none, their type."""
        self.timeout = seconds_of(timeout, name)
        if max_in_flight is not None and not is_count(max_in_flight):
            raise ValueError(f"{name}: expected max_in_flight of 1 or more, got {max_in_flight!r}")
        self.max_in_flight = max_in_flight
        self.needs_approval = needs_approval
        self.pure = pure
        self.start: Start = start or ("item" if pure else "turn")
        if self.start not in ("item", "turn"):
            raise ValueError(f'{name}: expected start="item" or start="turn", got {start!r}')
        if self.start == "item" and not pure:
            raise ValueError(
                f'{name}: start="item" runs it before the response has ended well, so expected pure=True with it'
            )
        self.on_restart: OnRestart = on_restart or ("rerun" if pure else "raise")
        if self.on_restart not in ("raise", "rerun", "tell_model"):
            raise ValueError(f'{name}: expected on_restart="raise", "rerun" or "tell_model", got {on_restart!r}')

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return self.fn(*args, **kwargs)

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as a request has it in `tools`."""
        raise NotImplementedError

    def asks_first(self, call: Any) -> bool:
        """Whether that call needs approval."""
        return self.needs_approval

    def arguments_of(self, call: Any) -> str:
        """What the events of a call show."""
        text: str = call.input
        return text

    def bind_call(self, call: Any, context: Context[Any]) -> Callable[[], Any]:
        """What runs the call. Nothing of the function runs yet.

        Raises: ToolError: its input does not fit.
        """
        raise NotImplementedError

    def output_item(self, call: Any, result: Any) -> dict[str, Any]:
        """The input item that answers the call with the result of the function.

        Raises: TypeError: the API cannot take the result.
        """
        raise NotImplementedError

    def error_item(self, call: Any, text: str, error: Exception) -> dict[str, Any] | None:
        """The item that tells the model what went wrong; None if the API has no way to say it."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


def answer_item(call: Any, **fields: Any) -> dict[str, Any]:
    """An item that answers a call. A call of a program of the model is answered to that program."""
    caller = getattr(call.item, "caller", None)
    item = {"type": f"{call.item.type}_output", "call_id": call.call_id, **fields}
    return item | ({"caller": caller} if caller else {})


def is_count(value: Any) -> bool:
    """Whether it is a number of calls, 1 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def seconds_of(timeout: Any, name: str) -> float | None:
    """A time-out in seconds. Raises: ValueError: it is none."""
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise ValueError(f"{name}: expected a timeout of more than 0 seconds, got {timeout!r}")
    return float(seconds)
