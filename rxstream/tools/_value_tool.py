"""Tools whose function gets one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, ParamSpec

from typing_extensions import TypeVar

from rxstream.tools._client_tool import ClientTool, OnRestart
from rxstream.tools._context import Context, is_context
from rxstream.tools._schema import annotated_function, annotations_of
from rxstream.tools._tool import require_function

_P = ParamSpec("_P")
_R = TypeVar("_R", default=Any)

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class ValueTool(ClientTool[_P, _R]):
    """A tool whose function gets one value, and perhaps a parameter of the type `Context`."""

    def __init__(self, fn: Callable[_P, _R], name: str, **options: Any) -> None:
        require_function(fn)
        super().__init__(fn, name, **options)
        annotations = annotations_of(fn, name)
        values: list[inspect.Parameter] = []
        contexts: list[str] = []
        for parameter in inspect.signature(fn).parameters.values():
            if isinstance(fn, partial) and parameter.name in fn.keywords:
                continue  # the app has given it
            annotation = annotations.get(parameter.name)
            if is_context(annotation):
                contexts.append(parameter.name)
            elif parameter.default is parameter.empty and parameter.kind not in _VARIADIC:
                values.append(parameter)
        if len(values) != 1:
            got = ", ".join(parameter.name for parameter in values) or "none"
            raise TypeError(f"{name}: expected a function of one value, and perhaps of a Context, got of {got}")
        self._value = values[0]
        self._contexts = contexts
        self.__name__ = name
        self.__doc__ = annotated_function(fn).__doc__
        self.__wrapped__: Callable[_P, _R] = fn

    def value_of(self, call: Any) -> Any:
        """What the function gets. Raises: ToolError: the call does not hold it."""
        raise NotImplementedError

    def bind_call(self, call: Any, context: Context[Any]) -> Callable[[], Any]:
        fn: Callable[..., Any] = self.fn
        named: dict[str, Any] = dict.fromkeys(self._contexts, context)
        value = self.value_of(call)
        if self._value.kind is self._value.POSITIONAL_ONLY:
            return partial(fn, value, **named)
        return partial(fn, **named, **{self._value.name: value})


class EffectTool(ValueTool[_P, _R]):
    """A tool of a type of its own, that acts on the app's machine. Its options are those of `Tool`."""

    tool_name: ClassVar[str]
    """What errors and events call it."""

    def __init__(
        self,
        fn: Callable[_P, _R],
        *,
        timeout: float | timedelta | None = None,
        max_in_flight: int | None = None,
        needs_approval: bool = False,
        on_restart: OnRestart | None = None,
    ) -> None:
        super().__init__(
            fn,
            self.tool_name,
            timeout=timeout,
            max_in_flight=max_in_flight,
            needs_approval=needs_approval,
            on_restart=on_restart,
        )
