"""The base class of the events that rxstream adds to those of the API."""

from typing import Any

from rxstream.events._base import Event

__all__ = [
    "OwnEvent",
]


class OwnEvent(Event, frozen=True):
    """An event that no server sends: of a run of tools, of moderation, a heartbeat. `synthetic` is True.

    Its `type` begins with `rxstream.`, which no type of the API does.
    """

    synthetic: bool = True

    def _sent_fields(self, *, by_alias: bool) -> dict[str, Any]:
        return {**self.__dict__, **(self.__pydantic_extra__ or {})}  # all fields: no server sent it
