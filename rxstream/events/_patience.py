"""Types that say to an editor what the specification says, and take from the wire what really comes."""

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
    """The values an editor should offer; any other string passes as well."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.str_schema()


class _AsCame:
    """JSON that is kept as it came, without looking into it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.any_schema()


class _AsCameObject:
    """A JSON object that is kept as it came, without looking into it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())


class _NumberCode(str):
    """A code that came as a number: a `str` to whoever reads it, a number again when it is dumped."""

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
"""Marks `Literal[...] | str`: the values of the specification are known, new ones pass."""

Json: TypeAlias = Annotated[JsonValue, _AsCame()]
"""Any JSON, kept as it came."""

JsonObject: TypeAlias = Annotated[dict[str, JsonValue], _AsCameObject()]
"""Any JSON object, kept as it came."""

Number: TypeAlias = Annotated[int | float, _AnyNumber()]
"""An integer stays an integer, so that what is dumped is what came."""

Code: TypeAlias = Annotated[str, _AnyCode()]
"""An error code: always a `str` to read, though some servers send a number."""


def wire_type(model: type[Model]) -> str:
    """The value of `type` on the wire that the model stands for."""
    return get_args(model.model_fields["type"].annotation)[0]


def without(validate: Callable[[dict[str, Any]], M], fields: dict[str, Any], names: Container[str]) -> M:
    """The model of `fields`, those in `names` taken for fields that never came.

    They stay among the model's extra fields, so that they are dumped again as they came.
    """
    aside = {key: field for key, field in fields.items() if key in names}
    model = validate({key: field for key, field in fields.items() if key not in names})
    cast("dict[str, Any]", model.__pydantic_extra__).update(aside)
    return model


def nulls(fields: dict[str, Any]) -> set[str]:
    """The names of the fields that are null."""
    return {key for key, field in fields.items() if field is None}


def misfits(error: ValidationError, fields: dict[str, Any]) -> set[str]:
    """The names of the fields that made the error."""
    return {str(problem["loc"][0]) for problem in error.errors(include_url=False) if problem["loc"]} & fields.keys()


def _set_misfits_aside(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    if not isinstance(value, dict):
        return validate(value)
    fields = cast("dict[str, Any]", value)
    try:
        return validate(fields)
    except ValidationError as error:
        return without(validate, fields, misfits(error, fields))


Patient: TypeAlias = Annotated[M | Annotated[M, WrapValidator(_set_misfits_aside)], Field(union_mode="left_to_right")]
"""A model that reads what can be read: fields that do not fit stay at their defaults, and among its extra fields.

For what must not be lost for one odd field, such as the response of a terminal event.
"""


def fallback(models: Iterable[type[Model]]) -> Callable[[Any, ValidatorFunctionWrapHandler], Any]:
    """What to try with a value that fits none of `models` before it is called unknown: its nulls may be harmless."""
    known = {wire_type(model): model for model in models}

    def validate(value: Any, unknown: ValidatorFunctionWrapHandler) -> Any:
        if not isinstance(value, dict):
            return unknown(value)
        fields = cast("dict[str, Any]", value)
        kind = fields.get("type")
        model = known.get(kind) if isinstance(kind, str) else None
        if model is not None and (names := nulls(fields)):
            with suppress(ValidationError):
                return without(model.model_validate, fields, names)
        try:
            return unknown(fields)
        except ValidationError as error:
            return without(unknown, fields, misfits(error, fields))

    return validate
