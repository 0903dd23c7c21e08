"""The event of an unknown type."""

from typing import Any

from rxstream.events._base import Event
from rxstream.events._lenient import JsonObject

__all__ = [
    "UnknownEvent",
]


class UnknownEvent(Event, frozen=True):
    """An event of an unknown type, or one that does not fit its type.

    `data` is the whole JSON object, and a dump is equal to it. `error` is None for an unknown type; for a known type it
    names the fields that do not fit.
    """

    type: str
    data: JsonObject
    error: str | None = None

    def _sent_fields(self, *, by_alias: bool) -> dict[str, Any]:
        return self.data
