"""A function as a tool of the model."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, Literal, ParamSpec, overload

from typing_extensions import TypeVar

from rxstream.tools._context import Context
from rxstream.tools._docstring import read_docstring
from rxstream.tools._schema import Parameters, annotated_function
from rxstream.tools._strict import strict_schema

_P = ParamSpec("_P")
_R = TypeVar("_R", default=Any)

Start = Literal["item", "turn"]
OnRestart = Literal["raise", "rerun", "tell_model"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NO_CONTEXT: Context[Any] = Context()


class Tool(Generic[_P, _R]):
    """A function that the model may call. It can be called as before: `get_weather("Paris")`.

    `definition` is what a request has in `tools`; `bind` makes a call of what the model wrote.

    Args:
        fn: a function or coroutine function with annotated parameters. A parameter of the type `tools.Context` gets the
            context of the call. The descriptions are those of its docstring (the text before its sections, and `Args:`
            in Google's style) and of `Annotated[..., Field(description="...")]`.
        name: the name for the model; that of the function.
        description: what the model reads; the text of the docstring.
        strict: the model can only write arguments that fit. All parameters are required then, and one with a default
            may be null. False: the schema is as pydantic makes it.
        timeout: seconds that a call may take; None: no limit.
        max_in_flight: how many calls may run at a time; None: no limit of its own.
        needs_approval: a call runs only after it was approved.
        pure: it has no effects, so that a call which was not needed does no harm.
        start: "item": as soon as its own arguments are whole, while the response goes on; "turn": after the response
            has ended well. Pure tools start at "item" and others at "turn". Only pure ones may start at "item".
        on_restart: what a run with a ledger does, when it goes on after a crash, with a call that was started and did
            not finish: "rerun": run it again; "tell_model": answer that it may have taken effect or not; "raise": end
            with a `ToolError`. Pure tools rerun, others raise.

    Raises:
        TypeError: a parameter cannot be validated, or its type cannot be strict; the message says which.
        ValueError: an option has no such value.
    """

    def __init__(
        self,
        fn: Callable[_P, _R],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool = True,
        timeout: float | timedelta | None = None,
        max_in_flight: int | None = None,
        needs_approval: bool = False,
        pure: bool = False,
        start: Start | None = None,
        on_restart: OnRestart | None = None,
    ) -> None:
        if isinstance(fn, Tool | type) or not callable(fn):
            raise TypeError(f"expected a function to make a tool of, got {fn!r}")
        self.fn = fn
        self.name = _name(name, fn)
        docstring = read_docstring(annotated_function(fn).__doc__)
        self.description = docstring.text if description is None else description
        self.strict = strict
        self.timeout = _seconds(timeout, self.name)
        if max_in_flight is not None and (isinstance(max_in_flight, bool) or max_in_flight < 1):
            raise ValueError(f"{self.name}: expected max_in_flight of 1 or more, got {max_in_flight!r}")
        self.max_in_flight = max_in_flight
        self.needs_approval = needs_approval
        self.pure = pure
        self.start: Start = start or ("item" if pure else "turn")
        if self.start not in ("item", "turn"):
            raise ValueError(f'{self.name}: expected start="item" or start="turn", got {start!r}')
        if self.start == "item" and not pure:
            raise ValueError(
                f'{self.name}: start="item" runs it before the response has ended well, so expected pure=True with it'
            )
        self.on_restart: OnRestart = on_restart or ("rerun" if pure else "raise")
        if self.on_restart not in ("raise", "rerun", "tell_model"):
            raise ValueError(f'{self.name}: expected on_restart="raise", "rerun" or "tell_model", got {on_restart!r}')
        self._parameters = Parameters(fn, self.name, docstring.parameters)
        self.parameters: dict[str, Any] = self._parameters.schema
        """The JSON Schema of the arguments."""
        if strict:
            try:
                self.parameters = strict_schema(self.parameters, what=f"{self.name}()")
            except TypeError as error:
                raise TypeError(f"{error}; or use strict=False") from None
        self.__name__ = self.name
        self.__doc__ = annotated_function(fn).__doc__
        self.__wrapped__ = fn

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return self.fn(*args, **kwargs)

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as a request has it in `tools`."""
        definition = {"type": "function", "name": self.name, "parameters": self.parameters, "strict": self.strict}
        return definition | ({"description": self.description} if self.description else {})

    def bind(self, arguments: str, context: Context[Any] = _NO_CONTEXT) -> Callable[[], _R]:
        """The call of the function with the arguments that the model wrote. Nothing of the function runs yet.

        Args:
            arguments: the JSON of a function call. Empty text is no arguments.
            context: what a parameter of the type `Context` gets.

        Raises: ToolError: they do not fit. Its message is short, and meant for the model.
        """
        return self._parameters.bind(arguments, context, null_is_default=self.strict)

    def __repr__(self) -> str:
        return f"<Tool {self.name}>"


@overload
def tool(fn: Callable[_P, _R], /) -> Tool[_P, _R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool = True,
    timeout: float | timedelta | None = None,
    max_in_flight: int | None = None,
    needs_approval: bool = False,
    pure: bool = False,
    start: Start | None = None,
    on_restart: OnRestart | None = None,
) -> Callable[[Callable[_P, _R]], Tool[_P, _R]]: ...
def tool(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a tool of a function: `@tool`, or with the options of `Tool`: `@tool(pure=True, timeout=10)`.

    Raises: TypeError, ValueError: as `Tool`.
    """
    if fn is not None:
        return Tool(fn, **options)
    return lambda function: Tool(function, **options)  # type: ignore[reportUnknownLambdaType]


def as_tool(value: Any) -> Tool[..., Any]:
    """The tool of a `Tool` or a function.

    Raises: TypeError: it is neither, or `Tool` cannot take it.
    """
    return value if isinstance(value, Tool) else Tool(value)  # type: ignore[reportUnknownVariableType]


def _name(name: str | None, fn: Any) -> str:
    found = getattr(fn, "__name__", "") if name is None else name
    if not isinstance(found, str) or not _NAME.fullmatch(found):
        raise ValueError(
            f"expected 1 to 64 letters, digits, _ and - as the name of a tool, got {found!r}: give one with name="
        )
    return found


def _seconds(timeout: float | timedelta | None, name: str) -> float | None:
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not 0 < seconds < math.inf:
        raise ValueError(f"{name}: expected a timeout of more than 0 seconds, got {timeout!r}")
    return float(seconds)
