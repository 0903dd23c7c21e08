"""A function as a tool of the model."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, ParamSpec, overload

from typing_extensions import TypeVar

from rxstream.tools._client_tool import ClientTool, OnRestart, Start, answer_item
from rxstream.tools._context import Context
from rxstream.tools._docstring import read_docstring
from rxstream.tools._output import output_of
from rxstream.tools._schema import Parameters, annotated_function
from rxstream.tools._strict import strict_schema

_P = ParamSpec("_P")
_R = TypeVar("_R", default=Any)

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NO_CONTEXT: Context[Any] = Context()


class Tool(ClientTool[_P, _R]):
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
        defer_loading: the model does not read its parameters until a tool search has found it.
        on_restart: what a run with a ledger does, when it goes on after a crash, with a call that was started and did
            not finish: "rerun": run it again; "tell_model": answer that it may have taken effect or not; "raise": end
            with a `ToolError`. Pure tools rerun, others raise.

    Raises:
        TypeError: a parameter cannot be validated, or its type cannot be strict; the message says which.
        ValueError: an option has no such value.
    """

    call_type: ClassVar[str] = "function_call"

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
        defer_loading: bool = False,
    ) -> None:
        require_function(fn)
        super().__init__(
            fn,
            tool_name(name, fn),
            timeout=timeout,
            max_in_flight=max_in_flight,
            needs_approval=needs_approval,
            pure=pure,
            start=start,
            on_restart=on_restart,
        )
        docstring = read_docstring(annotated_function(fn).__doc__)
        self.description = docstring.text if description is None else description
        self.strict = strict
        self.defer_loading = defer_loading
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

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as a request has it in `tools`."""
        definition = {"type": "function", "name": self.name, "parameters": self.parameters, "strict": self.strict}
        if self.defer_loading:
            definition["defer_loading"] = True
        return definition | ({"description": self.description} if self.description else {})

    def bind(self, arguments: str, context: Context[Any] = _NO_CONTEXT) -> Callable[[], _R]:
        """The call of the function with the arguments that the model wrote. Nothing of the function runs yet.

        Args:
            arguments: the JSON of a function call. Empty text: no arguments.
            context: what a parameter of the type `Context` gets.

        Raises: ToolError: they do not fit. Its message is short, and meant for the model.
        """
        return self._parameters.bind(arguments, context, null_is_default=self.strict)

    def bind_call(self, call: Any, context: Context[Any]) -> Callable[[], _R]:
        return self.bind(call.arguments, context)

    def output_item(self, call: Any, result: Any) -> dict[str, Any]:
        return answer_item(call, output=output_of(result))

    def error_item(self, call: Any, text: str, error: Exception) -> dict[str, Any] | None:
        return answer_item(call, output=text)


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
    defer_loading: bool = False,
) -> Callable[[Callable[_P, _R]], Tool[_P, _R]]: ...
def tool(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a tool of a function: `@tool`, or with the options of `Tool`: `@tool(pure=True, timeout=10)`.

    Raises: TypeError, ValueError: as `Tool`.
    """
    if fn is not None:
        return Tool(fn, **options)
    return lambda function: Tool(function, **options)  # type: ignore[reportUnknownLambdaType]


def as_tool(value: Any) -> ClientTool[..., Any]:
    """The tool of a tool or a function.

    Raises: TypeError: it is neither, or `Tool` cannot take it.
    """
    return value if isinstance(value, ClientTool) else Tool(value)  # type: ignore[reportUnknownVariableType]


def require_function(fn: Any) -> None:
    """Raises: TypeError: it is not a function to make a tool of."""
    if isinstance(fn, ClientTool | type) or not callable(fn):
        raise TypeError(f"expected a function to make a tool of, got {fn!r}")


def tool_name(name: str | None, fn: Any) -> str:
    """The name for the model. Raises: ValueError: the API takes no such name."""
    found = getattr(fn, "__name__", "") if name is None else name
    if not isinstance(found, str) or not _NAME.fullmatch(found):
        raise ValueError(
            f"expected 1 to 64 letters, digits, _ and - as the name of a tool, got {found!r}: give one with name="
        )
    return found
