"""Types that are as narrow as the specification to an editor, and accept what servers really send."""

from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from typing import Annotated, Any, TypeAlias, TypeVar, cast, get_args

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    JsonValue,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import CoreSchema, core_schema

from rxstream.events._base import Model

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


class _NumberCode(str):
    """A code that the server sent as a number: a `str` in the model, a number again in a dump."""

    __slots__ = ()

    @classmethod
    def read(cls, number: int) -> "_NumberCode":
        return cls(number)

    @staticmethod
    def dump(code: str) -> str | int:
        return int(code) if isinstance(code, _NumberCode) else code


class _AnyCode:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        number = core_schema.no_info_after_validator_function(_NumberCode.read, core_schema.int_schema(strict=True))
        dumped = core_schema.plain_serializer_function_ser_schema(_NumberCode.dump)
        return core_schema.union_schema(
            [core_schema.str_schema(strict=True), number], mode="left_to_right", serialization=dumped
        )


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


def null_fields(fields: dict[str, Any]) -> set[str]:
    """The names of the fields that are null."""
    return {key for key, field in fields.items() if field is None}


def invalid_fields(error: ValidationError, fields: dict[str, Any]) -> set[str]:
    """The names of the fields that the error is about."""
    return {str(problem["loc"][0]) for problem in error.errors(include_url=False) if problem["loc"]} & fields.keys()


def _without_invalid_fields(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    if not isinstance(value, dict):
        return validate(value)
    fields = cast("dict[str, Any]", value)
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
    """A validator for values that fit none of `models`: first without null fields, then as the unknown model."""
    known = {wire_type(model): model for model in models}

    def validate(value: Any, unknown: ValidatorFunctionWrapHandler) -> Any:
        if not isinstance(value, dict):
            return unknown(value)
        fields = cast("dict[str, Any]", value)
        kind = fields.get("type")
        model = known.get(kind) if isinstance(kind, str) else None
        if model is not None and (names := null_fields(fields)):
            with suppress(ValidationError):
                return validate_without(model.model_validate, fields, names)
        try:
            return unknown(fields)
        except ValidationError as error:
            return validate_without(unknown, fields, invalid_fields(error, fields))

    return validate
