"""Types that are as narrow as the specification to an editor, and accept what servers really send."""

from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, TypeAlias, TypeVar, cast, get_args

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    JsonValue,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import CoreSchema, core_schema, to_json

from rxstream.events._base import Model, NumberCode

__all__ = [
    "Json",
    "JsonObject",
]

M = TypeVar("M", bound=Model)


class _OpenEnum:
    """Accepts any string; the editor offers the values of the specification."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.str_schema()


class _UncheckedJson:
    """Accepts any JSON, and does not validate or change it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.any_schema()


class _UncheckedObject:
    """Accepts any JSON object, and does not validate or change its values."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())


class _AnyCode:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        number = core_schema.no_info_after_validator_function(NumberCode, core_schema.int_schema(strict=True))
        return core_schema.union_schema([core_schema.str_schema(strict=True), number], mode="left_to_right")


class _AnyNumber:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices: list[CoreSchema | tuple[CoreSchema, str]] = [
            core_schema.int_schema(strict=True),
            core_schema.float_schema(),
        ]
        return core_schema.union_schema(choices, mode="left_to_right")


OPEN = _OpenEnum()
"""Marks `Literal[...] | str`: the editor offers the values of the specification, and new ones are accepted."""

Json: TypeAlias = Annotated[JsonValue, _UncheckedJson()]
"""Any JSON, unchanged."""

JsonObject: TypeAlias = Annotated[dict[str, JsonValue], _UncheckedObject()]
"""Any JSON object, unchanged."""

Number: TypeAlias = Annotated[int | float, _AnyNumber()]
"""A number. An integer stays an integer, so that a dump is equal to the JSON of the server."""

Code: TypeAlias = Annotated[str, _AnyCode()]
"""An error code: a `str`, also if the server sends a number."""


@cache
def wire_type(model: type[Model]) -> str:
    """The value of `type` in the JSON of the model."""
    return get_args(model.model_fields["type"].annotation)[0]


def validate_without(validate: Callable[[dict[str, Any]], M], fields: dict[str, Any], names: Container[str]) -> M:
    """The model of `fields` without those in `names`, which get their defaults.

    They are kept among the extra fields of the model, so that a dump has them again.
    """
    left_out = {key: field for key, field in fields.items() if key in names}
    model = validate({key: field for key, field in fields.items() if key not in names})
    cast("dict[str, Any]", model.__pydantic_extra__).update(left_out)
    return model


def invalid_fields(error: ValidationError, fields: dict[str, Any]) -> set[str]:
    """The names of the fields that the error is about."""
    return {str(problem["loc"][0]) for problem in error.errors(include_url=False) if problem["loc"]} & fields.keys()


_PART_TYPES = {
    ("message", "content"): "output_text",
    ("reasoning", "content"): "reasoning_text",
    ("reasoning", "summary"): "summary_text",
}
"""Type and field of an item whose parts are sent as one text -> the type of the part."""


def validate_loosely(validate: Callable[[dict[str, Any]], M], fields: dict[str, Any]) -> M:
    """The model of `fields`, of which some have another JSON type than the specification.

    An object or a number in place of a text is read as its JSON, a text in place of parts as one part, and the fields
    of an object under the name of the type (`"url_citation": {…}`) as if they were beside it. Null fields get their
    defaults. A dump has what the server sent.

    Raises: ValidationError: a field does not fit in this way either.
    """
    kind = fields.get("type")
    nested = fields.get(kind) if isinstance(kind, str) else None
    given = {key: field for key, field in fields.items() if field is not None}
    meant = {**cast("dict[str, Any]", nested), **given} if isinstance(nested, dict) else given
    try:
        validate(meant)
    except ValidationError as error:
        meant = {**meant, **_loose_fields(error, meant)}
    model = validate(meant)
    extra = cast("dict[str, Any]", model.__pydantic_extra__)
    for name, field in type(model).model_fields.items():
        key = field.alias or name
        if key in meant and meant[key] is not fields.get(key):
            model.__pydantic_fields_set__.discard(name)
    extra |= {key: field for key, field in fields.items() if key not in meant or field is not meant[key]}
    for key in meant.keys() - fields.keys():
        extra.pop(key, None)
    return model


def _loose_fields(error: ValidationError, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that the error is about, with the values that were meant."""
    meant: dict[str, Any] = {}
    for problem in error.errors(include_url=False):
        key = str(problem["loc"][0]) if problem["loc"] else ""
        value = fields.get(key)
        part_type = _PART_TYPES.get((str(fields.get("type")), key))
        if isinstance(value, str) and part_type is not None:
            meant[key] = [{"type": part_type, "text": value}]
        elif problem["type"] == "string_type" and len(problem["loc"]) == 1 and key != "delta":
            meant[key] = _text_of(value)  # of a piece of a text, the meaning is not known
    return meant


def _text_of(value: Any) -> str:
    """The text that another JSON value stands for. Some APIs have texts as objects with a `value`."""
    text = cast("dict[str, Any]", value).get("value") if isinstance(value, dict) else None
    return text if isinstance(text, str) else to_json(value, inf_nan_mode="strings").decode()


def _without_invalid_fields(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    if not isinstance(value, dict):
        return validate(value)
    fields = cast("dict[str, Any]", value)
    with suppress(ValidationError):
        return validate_loosely(validate, fields)
    try:
        return validate(fields)
    except ValidationError as error:
        return validate_without(validate, fields, invalid_fields(error, fields))


Lenient: TypeAlias = Annotated[
    M | Annotated[M, WrapValidator(_without_invalid_fields)], Field(union_mode="left_to_right")
]
"""A model that accepts invalid fields: they get their defaults, and are kept among the extra fields.

For objects that one invalid field must not make unreadable, such as the response of a terminal event.
"""


def fallback(models: Iterable[type[Model]]) -> Callable[[Any, ValidatorFunctionWrapHandler], Any]:
    """A validator for values that fit none of `models`: first as they are meant, then as the unknown model."""
    known = {wire_type(model): model for model in models}

    def validate(value: Any, unknown: ValidatorFunctionWrapHandler) -> Any:
        if not isinstance(value, dict):
            return unknown(value)
        fields = cast("dict[str, Any]", value)
        kind = fields.get("type")
        model = known.get(kind) if isinstance(kind, str) else None
        if model is not None:
            with suppress(ValidationError):
                return validate_loosely(model.model_validate, fields)
        try:
            return unknown(fields)
        except ValidationError as error:
            return validate_without(unknown, fields, invalid_fields(error, fields))

    return validate
