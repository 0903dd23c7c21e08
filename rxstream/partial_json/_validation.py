"""JSON that has to fit a model, and the error where it does not: with the place in the JSON, as a path."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from rxstream.errors import SchemaError
from rxstream.partial_json._lexer import mend_surrogates
from rxstream.partial_json._paths import JsonPath, JsonValue, child, format_path

T = TypeVar("T")


def adapter(model: type[T] | TypeAdapter[T]) -> TypeAdapter[T]:
    """What validates `model`: a pydantic model, or any other type that pydantic knows.

    Raises: TypeError where it knows none of it.
    """
    if isinstance(model, TypeAdapter):
        return model
    if isinstance(model, (str, bytes, int, float, BaseModel)):  # an instance, which pydantic takes for a schema
        raise TypeError(f"a class to validate with was expected, such as a pydantic model, not {model!r}")
    try:
        return TypeAdapter(model)
    except Exception as error:
        raise TypeError(f"pydantic cannot validate with {model!r}: {error}") from error


def name_of(model: Any) -> str:
    """How an error calls it."""
    return getattr(model, "__name__", None) or repr(model)


def fit(text: str, validator: TypeAdapter[T], *, what: str, into: str, base: JsonPath = ()) -> T:
    """The value that `text` is the JSON of.

    Args:
        what: what the text is, for the error: "the answer", "the arguments of look()".
        into: the name of what it has to fit.
        base: where the text stands in a larger document.

    Raises: `SchemaError` with the path of the first place that does not fit, and with the text.
    """
    try:
        return validator.validate_json(mend_surrogates(text)[0])
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if details["type"] == "json_invalid":
        raise SchemaError(f"cannot read {what} as JSON: {details['msg']}", path=format_path(base), text=text)
    path = format_path((*base, *_place(details, text)))
    raise SchemaError(f"cannot read {what} as {into}: {details['msg']} (path {path})", path=path, text=text)


def json_of(value: JsonValue, what: str) -> str:
    """The JSON of a value. Raises: `SchemaError` where it is nested deeper than pydantic writes."""
    try:
        return to_json(value).decode()
    except ValueError:
        raise too_deep(what) from None


def too_deep(what: str) -> SchemaError:
    """The error for JSON that pydantic does not validate because of its depth."""
    return SchemaError(f"{what} is nested too deep to validate: expected at most 200 levels", path="$")


def _place(details: ErrorDetails, text: str) -> JsonPath:
    """The place in the JSON. pydantic's own location also names members of unions, validators and the like."""
    place: list[str | int] = []
    value: JsonValue = from_json(text)
    for step in details["loc"]:
        with suppress(LookupError):
            value = child(value, step)
            place.append(step)
    if details["type"] == "missing":
        place.append(details["loc"][-1])
    return tuple(place)
