"""Tools whose input is free text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Literal, ParamSpec

from typing_extensions import TypeVar

from rxstream.tools._client_tool import OnRestart, Start, answer_item
from rxstream.tools._docstring import read_docstring
from rxstream.tools._output import output_of
from rxstream.tools._schema import annotated_function
from rxstream.tools._tool import tool_name
from rxstream.tools._value_tool import ValueTool

_P = ParamSpec("_P")
_R = TypeVar("_R", default=Any)


class CustomTool(ValueTool[_P, _R]):
    """A function of free text: code, SQL, a language of your own. It gets the text that the model wrote.

    Args:
        fn: a function or coroutine function of one `str`. A parameter of the type `tools.Context` gets the context.
        name, description: for the model; those of the function.
        format: what the text must be, such as `lark_grammar(...)` or `regex_grammar(...)`; any text by default.
        timeout, max_in_flight, needs_approval, pure, start, on_restart, defer_loading: as of `Tool`.

    Raises: TypeError, ValueError: as `Tool`.
    """

    call_type: ClassVar[str] = "custom_tool_call"

    def __init__(
        self,
        fn: Callable[_P, _R],
        *,
        name: str | None = None,
        description: str | None = None,
        format: Mapping[str, Any] | None = None,
        timeout: float | timedelta | None = None,
        max_in_flight: int | None = None,
        needs_approval: bool = False,
        pure: bool = False,
        start: Start | None = None,
        on_restart: OnRestart | None = None,
        defer_loading: bool = False,
    ) -> None:
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
        text = read_docstring(annotated_function(fn).__doc__).text
        self.description = text if description is None else description
        self.format = None if format is None else {**format}
        self.defer_loading = defer_loading

    @property
    def definition(self) -> dict[str, Any]:
        fields = {"description": self.description, "format": self.format, "defer_loading": self.defer_loading}
        return {"type": "custom", "name": self.name} | {name: value for name, value in fields.items() if value}

    def value_of(self, call: Any) -> str:
        return str(call.input)

    def output_item(self, call: Any, result: Any) -> dict[str, Any]:
        return answer_item(call, output=output_of(result))

    def error_item(self, call: Any, text: str, error: Exception) -> dict[str, Any] | None:
        return answer_item(call, output=text)


def lark_grammar(definition: str) -> dict[str, Any]:
    """The `format` of a `CustomTool` whose text follows a grammar of Lark."""
    return _grammar("lark", definition)


def regex_grammar(pattern: str) -> dict[str, Any]:
    """The `format` of a `CustomTool` whose text matches a pattern of Rust's `regex`."""
    return _grammar("regex", pattern)


def _grammar(syntax: Literal["lark", "regex"], definition: str) -> dict[str, Any]:
    return {"type": "grammar", "syntax": syntax, "definition": definition}
