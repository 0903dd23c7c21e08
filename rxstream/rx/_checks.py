"""Wrong use of operators: errors that name the operator, and say what it expects and what to write instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from reactivex import Observable

from rxstream.errors import RxStreamError
from rxstream.events import Event
from rxstream.sse import Frame

_F = TypeVar("_F", bound=Callable[..., Any])


class InputCheck(NamedTuple):
    """What an operator takes. It is called with a value of the stream.

    Raises: TypeError for another value.
    """

    operator: str
    """Its name."""
    kinds: tuple[type, ...]
    expected: str
    """In words."""
    hints: tuple[tuple[type, str], ...]
    """For values of a type: what to do. The last type is `object`."""

    def __call__(self, value: object) -> None:
        if isinstance(value, self.kinds):
            return
        if Event in self.kinds and issubclass(type(value), Observable):
            raise TypeError(
                f"{self.operator} expects events, got a group of them: write "
                f"flat_map(lambda group: group.pipe({self.operator}(…))), with flat_map of reactivex.operators"
            )
        hint = next(hint for kind, hint in self.hints if isinstance(value, kind))
        raise TypeError(f"{self.operator} expects {self.expected}, got {type(value).__name__}: {hint}")


def of_events(operator: str, *, or_text: bool = False) -> InputCheck:
    """The check of an operator that takes events, or with `or_text` also text."""
    kinds, expected = ((Event, str), "the events of a response or text") if or_text else ((Event,), _EVENTS)
    return InputCheck(operator, kinds, expected, _FOR_EVENTS)


def of_bytes(operator: str) -> InputCheck:
    """The check of an operator that takes bytes."""
    return InputCheck(operator, (bytes, bytearray, memoryview), "the bytes of an event stream", _FOR_BYTES)


def of_frames(operator: str) -> InputCheck:
    """The check of an operator that takes Frames."""
    return InputCheck(operator, (Frame,), "Frames", _FOR_FRAMES)


def of_anything(operator: str) -> InputCheck:
    """The check of an operator that takes any value."""
    return InputCheck(operator, (object,), "any value", ())


_EVENTS = "the events of a response"
_FOR_EVENTS = (
    (bytes, "put decode_events() before it"),
    (Frame, "put parse_events() and normalize() before it"),
    (dict, "make events of JSON with rxstream.parse_event()"),
    (object, "put it before operators that emit something else, such as text_only()"),
)
_DECODED = "leave it out, the stream is decoded already"
_FOR_BYTES = (
    (str, "read the answer as bytes, or encode the text"),
    (Frame, "leave it out, and write parse_events()"),
    (Event, _DECODED),
    (object, "put it directly after a source of bytes"),
)
_FOR_FRAMES = (
    (bytes, "put decode_sse() before it, or write decode_events() alone"),
    (str, "put decode_sse() before it, for bytes, or make events of JSON with rxstream.parse_event()"),
    (dict, "make events of JSON with rxstream.parse_event()"),
    (Event, _DECODED),
    (object, "put it directly after decode_sse()"),
)


def explained(error: Exception, value: object, check: InputCheck | None) -> Exception:
    """The error of the check, if an operator failed because `value` is nothing for it; else `error`."""
    if check is not None and not isinstance(error, RxStreamError):
        try:
            check(value)
        except TypeError as wrong:
            return wrong
    return error


def require_source(source: object, operator: str = "an operator") -> None:
    """Raises: TypeError if the source of an operator is not an Observable."""
    if isinstance(source, Observable):
        return
    if callable(source):
        raise TypeError(
            f"{operator} expects an Observable, got a function: the operator before it lacks its (), as in "
            "pipe(text_only(), words())"
        )
    raise TypeError(
        f"{operator} expects an Observable, got {type(source).__name__}: make one with rxstream.from_iterable(), "
        "from_async_iterable() or from_openai()"
    )


def refuse_async(*functions: object, where: str, instead: str) -> None:
    """Raises: TypeError for an async function, or for an observer that has one, where nothing awaits it."""
    for function in functions:
        if function is None:
            continue
        methods = (getattr(function, name, None) for name in ("__call__", "on_next", "on_error", "on_completed"))
        if any(inspect.iscoroutinefunction(each) for each in (function, *methods)):
            raise TypeError(f"{where} calls plain functions, and awaits nothing, but got an async one: {instead}")


def refuse_missing_parentheses(function: _F) -> _F:
    """A function that makes an operator, and that Rx must not take for an operator.

    `pipe(text_only)` calls `text_only` with the source. Our Observables see that in `pipe`; those of others do not.
    """

    @wraps(function)
    def make(*args: Any, **options: Any) -> Any:
        if len(args) == 1 and not options and isinstance(args[0], Observable):
            name = function.__name__
            raise TypeError(f"{name} makes an operator, but got an Observable: write .pipe({name}()), with its ()")
        return function(*args, **options)

    return make  # type: ignore[return-value]  # its signature is that of `function`
