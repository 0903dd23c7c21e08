"""The base classes of all models."""

import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

__all__ = [
    "CommandEvent",
    "Event",
    "ItemEvent",
    "OutputEvent",
    "PartEvent",
    "SummaryEvent",
]


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

    def model_dump(self, *, exclude_unset: bool = True, **options: Any) -> dict[str, Any]:
        """As pydantic's, but without the fields that the server did not send, unless `exclude_unset=False`."""
        return super().model_dump(exclude_unset=exclude_unset, **options)

    def model_dump_json(self, *, exclude_unset: bool = True, **options: Any) -> str:
        """As pydantic's, but without the fields that the server did not send, unless `exclude_unset=False`.

        It is always JSON: an infinity is `1e999`, which reads as an infinity again, and NaN is `null`.
        """
        text = super().model_dump_json(exclude_unset=exclude_unset, **options)
        return _NOT_FINITE.sub(_finite, text) if "Infinity" in text or "NaN" in text else text

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's. If the sent value of an updated field did not fit, a dump has the new value instead of it."""
        copy = super().model_copy(update=update, deep=deep)
        if update and copy.__pydantic_extra__:
            for name in update.keys() & type(self).model_fields:
                copy.__pydantic_extra__.pop(type(self).model_fields[name].alias or name, None)
        return copy


# A string, which is left as it is, or what Python and some servers write for numbers that JSON does not have.
_NOT_FINITE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|Infinity|NaN')


def _finite(token: re.Match[str]) -> str:
    return {"Infinity": "1e999", "NaN": "null"}.get(token[0], token[0])


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
