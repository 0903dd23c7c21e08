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


def fit(text: str, validator: TypeAdapter[T], *, what: str, into: str, base: JsonPath = ()) -> T:
    """The value of the JSON `text`, validated.

    Args:
        what: the name of the text in an error: "the answer", "the arguments of look()".
        into: the name of the model in an error.
        base: the path of the text in a larger document.

    Raises: `SchemaError` with the path of the first value that does not fit, and with the text.
    """
    try:
        return validator.validate_json(join_surrogates(text)[0])
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if details["type"] == "json_invalid":
        raise SchemaError(f"cannot read {what} as JSON: {details['msg']}", path=format_path(base), text=text)
    path = format_path((*base, *_path_of(details, text)))
    raise SchemaError(f"cannot read {what} as {into}: {details['msg']} (path {path})", path=path, text=text)


def json_of(value: JsonValue, what: str) -> str:
    """The JSON of a value. Raises: `SchemaError` if it is nested deeper than pydantic writes."""
    try:
        return to_json(value).decode()
    except ValueError:
        raise too_deep(what) from None


def too_deep(what: str) -> SchemaError:
    """The error for JSON that pydantic does not validate because of its depth."""
    return SchemaError(f"{what} is nested too deep to validate: expected at most 200 levels", path="$")


def _path_of(details: ErrorDetails, text: str) -> JsonPath:
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
