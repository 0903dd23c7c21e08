"""Validate JSON with a model. The error has the path of the value that does not fit."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from rxstream.errors import SchemaError
from rxstream.partial_json._lexer import join_surrogates
from rxstream.partial_json._paths import JsonPath, JsonValue, child, format_path

T = TypeVar("T")


def adapter(model: type[T] | TypeAdapter[T]) -> TypeAdapter[T]:
    """The validator of `model`: a pydantic model, or any other type that pydantic can validate.

    Raises: TypeError if pydantic cannot.
    """
    if isinstance(model, TypeAdapter):
        return model
    if isinstance(model, (str, bytes, int, float, BaseModel)):  # an instance: pydantic would use it as a schema
        raise TypeError(f"expected a class to validate with, such as a pydantic model, got {model!r}")
    try:
        return TypeAdapter(model)
    except Exception as error:
        raise TypeError(f"pydantic cannot validate with {model!r}: {error}") from error


def name_of(model: Any) -> str:
    """The name of `model` in an error."""
    return getattr(model, "__name__", None) or repr(model)


def is_json(text: str) -> bool:
    """Whether a text is one JSON value and nothing else."""
    try:
        from_json(text)
    except ValueError:
        return False
    return True


def fit(text: str, validator: TypeAdapter[T], *, what: str, into: str, base: JsonPath = (), context: Any = None) -> T:
    """The value of the JSON `text`, validated.

    Args:
        what: the name of the text in an error: "the answer", "the arguments of look()".
        into: the name of the model in an error.
        base: the path of the text in a larger document.
        context: pydantic's validation context.

    Raises: `SchemaError` with the path of the first value that does not fit, and with the text.
    """
    try:
        return validator.validate_json(join_surrogates(text)[0], context=context)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if details["type"] == "json_invalid":
        raise SchemaError(f"cannot read {what} as JSON: {details['msg']}", path=format_path(base), text=text)
    path = format_path((*base, *path_of(details, text)))
    raise SchemaError(f"cannot read {what} as {into}: {details['msg']} (path {path})", path=path, text=text)


def fit_so_far(
    value: JsonValue,
    open_path: JsonPath | None,
    validator: TypeAdapter[T],
    *,
    what: str,
    into: str,
    context: Any = None,
) -> T:
    """The value of an incomplete document, validated. What is being written is left out if it does not fit yet.

    First the innermost open value is left out, then the one around it, and so on.

    Args:
        open_path: the path of the innermost open value; None if none is open.
        what, into, context: as for `fit`.

    Raises: `SchemaError` if it does not fit even so.
    """
    first: SchemaError | None = None
    for depth in range(len(open_path or ()), -1, -1):
        try:
            return fit(json_of(value, what), validator, what=what, into=into, context=context)
        except SchemaError as error:
            first = first or error
        if depth:
            value = _without(value, (open_path or ())[:depth])
    assert first is not None
    raise first


def _without(value: JsonValue, path: JsonPath) -> JsonValue:
    """A copy of `value` without the value at `path`, which is the last of its container."""
    step, *rest = path
    if isinstance(value, dict):
        members = {name: member for name, member in value.items() if rest or name != step}
        if rest and step in members:
            members[str(step)] = _without(members[str(step)], tuple(rest))
        return members
    if isinstance(value, list):
        elements = value[:step] if isinstance(step, int) else value
        return [*elements, _without(value[step], tuple(rest))] if rest and isinstance(step, int) else elements
    return value


def json_of(value: JsonValue, what: str) -> str:
    """The JSON of a value. Raises: `SchemaError` if it is nested deeper than pydantic writes."""
    try:
        return to_json(value).decode()
    except ValueError:
        raise too_deep(what) from None


def too_deep(what: str) -> SchemaError:
    """The error for JSON that pydantic does not validate because of its depth."""
    return SchemaError(f"{what} is nested too deep to validate: expected at most 200 levels", path="$")


def path_of(details: ErrorDetails, text: str) -> JsonPath:
    """The path in the JSON. pydantic's own location also contains members of unions and validators."""
    path: list[str | int] = []
    value: JsonValue = from_json(text)
    for step in details["loc"]:
        with suppress(LookupError):
            value = child(value, step)
            path.append(step)
    if details["type"] == "missing":
        path.append(details["loc"][-1])
    return tuple(path)
