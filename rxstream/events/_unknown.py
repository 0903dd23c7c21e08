"""The event that nobody knows yet."""

from typing import Any

from pydantic import model_serializer

from rxstream.events._base import Event
from rxstream.events._patience import JsonObject

__all__ = [
    "UnknownEvent",
]


class UnknownEvent(Event, frozen=True):
    """An event of a type nobody knows yet, or one that does not fit its type.

    `data` is all that came, and dumping gives it back. `error` is None for an unknown type; where the type is known
    it says what did not fit.
    """

    type: str
    data: JsonObject
    error: str | None = None

    @model_serializer(mode="plain")
    def _dump_data(self) -> dict[str, Any]:
        return self.data
