"""The base classes of all models."""

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, SerializationInfo, model_serializer
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, SchemaSerializer, core_schema

__all__ = [
    "CommandEvent",
    "Event",
    "ItemEvent",
    "OutputEvent",
    "PartEvent",
    "SummaryEvent",
]


class NumberCode(str):
    """A code that the server sent as a number: a `str` in the model, a number again in a dump.

    Only fields that are named `code` have one.
    """

    __slots__ = ()


class Model(BaseModel, frozen=True):
    """A frozen JSON object of the API. Unknown fields are kept; a dump has only the fields that the server sent."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        defer_build=True,
        protected_namespaces=(),
        serialize_by_alias=True,
        ser_json_inf_nan="constants",
    )

    def model_dump_json(self, **options: Any) -> str:
        """As pydantic's: the fields that the server sent, and no others.

        It is always JSON: an infinity is `1e999`, which reads as an infinity again, and NaN is `null`.
        """
        options.setdefault("context", _KEEP_INFINITY)
        text = super().model_dump_json(**options)
        return _NOT_FINITE.sub(_finite_token, text) if "Infinity" in text or "NaN" in text else text

    @model_serializer(mode="plain")
    def _dump(self, info: SerializationInfo) -> dict[str, Any]:
        # A serializer, because it also works where pydantic does not call `model_dump`: in a field of another model, in
        # a `TypeAdapter`, in FastAPI. A plain one, because it then has the fields of the object's own class.
        fields = self._sent_fields(by_alias=info.by_alias is not False)
        if info.exclude_none:
            fields = {name: value for name, value in fields.items() if value is not None}
        if info.mode == "json" and info.context is not _KEEP_INFINITY:
            fields = finite(fields)
        if info.include is not None or info.exclude is not None:  # pydantic does not apply them to this dict
            return _ANY.to_python(
                fields,
                mode=info.mode,
                include=cast("Any", info.include),
                exclude=cast("Any", info.exclude),
                context=info.context,
            )
        return fields

    def _sent_fields(self, *, by_alias: bool) -> dict[str, Any]:
        """The fields of a dump: those that the server sent, under the names of the wire."""
        sent, aliases = self.__pydantic_fields_set__, _aliases(type(self)) if by_alias else None
        if aliases:
            fields = {aliases.get(name, name): value for name, value in self.__dict__.items() if name in sent}
        else:
            fields = {name: value for name, value in self.__dict__.items() if name in sent}
        code = fields.get("code")
        if type(code) is NumberCode:
            fields["code"] = int(code)
        if self.__pydantic_extra__:
            fields.update(self.__pydantic_extra__)
        return fields

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # Without the serializer, for which pydantic would describe any object.
        return handler(cast("CoreSchema", {key: value for key, value in core_schema.items() if key != "serialization"}))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's. If the sent value of an updated field did not fit, a dump has the new value instead of it."""
        copy = super().model_copy(update=update, deep=deep)
        if update and copy.__pydantic_extra__:
            for name in update.keys() & type(self).model_fields:
                copy.__pydantic_extra__.pop(type(self).model_fields[name].alias or name, None)
        return copy


@cache
def _aliases(model: type[Model]) -> dict[str, str]:
    """Name of a field -> its name on the wire, where the two differ."""
    return {name: field.alias for name, field in model.model_fields.items() if field.alias}


_KEEP_INFINITY = object()
"""The context of `model_dump_json`, which writes infinities itself."""

_ANY = SchemaSerializer(core_schema.any_schema())

# A string, which is left as it is, or what Python and some servers write for numbers that JSON does not have.
_NOT_FINITE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|Infinity|NaN')


def _finite_token(token: re.Match[str]) -> str:
    return {"Infinity": "1e999", "NaN": "null"}.get(token[0], token[0])


def finite(value: Any) -> Any:
    """A JSON value with None for the numbers that JSON does not have. Models in it stay: they dump themselves."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [finite(entry) for entry in cast("list[Any]", value)]
    return value


class Event(Model, frozen=True):
    """The fields of every event of a stream."""

    type: str
    sequence_number: int | None = None
    """The position in the stream, counted from 0; None if the server does not send it."""
    synthetic: bool = False
    """True if rxstream made the event: to repair a dialect, or to close a stream that was cut off."""


class OutputEvent(Event, frozen=True):
    """An event of one output item. Match events by `output_index`, not by id alone."""

    output_index: int = 0


class ItemEvent(OutputEvent, frozen=True):
    """An event inside one output item. Some servers change `item_id` between events, some do not send it."""

    item_id: str = ""


class PartEvent(ItemEvent, frozen=True):
    """An event of one content part of an output item."""

    content_index: int = 0


class SummaryEvent(ItemEvent, frozen=True):
    """An event of one part of a reasoning item's summary."""

    summary_index: int = 0


class CommandEvent(ItemEvent, frozen=True):
    """An event of one command of a shell call. Most servers send no `item_id` here."""

    command_index: int = 0
