"""Where one response ends and the next begins, in an Observable that carries several.

The turns of a run, a `concat` of streams and a WebSocket carry responses one after the other. A response begins with a
`created`, `queued` or `in_progress` whose id is new, or with the first event after a terminal one that tells of another
response. What comes behind a terminal event and tells of the items of that response is a stray: it adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Any, Generic, TypeVar

from rxstream.events import (
    OutputEvent,
    ResponseCreatedEvent,
    ResponseInProgressEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseQueuedEvent,
)
from rxstream.events._fields import TERMINAL
from rxstream.response._output_matching import names_of
from rxstream.typing import Core, SupportsFail

_T = TypeVar("_T")

_OPENING = (ResponseCreatedEvent, ResponseQueuedEvent, ResponseInProgressEvent)
_ITEMS = (ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent)
_NOTED = frozenset[type]((*_OPENING, *_ITEMS, *TERMINAL))


class Belongs(Enum):
    """Which response an event belongs to."""

    SAME = auto()
    NEXT = auto()
    STRAY = auto()
    """None: it comes behind the end of its response."""


class Responses:
    """Say of each event which response it belongs to.

    Memory: the id of the response and those of its items.
    """

    def __init__(self) -> None:
        self.ended = False
        self._id = ""
        self._names: set[str] = set()

    def note(self, event: Any) -> Belongs:
        """Note an event."""
        belongs = self._belongs(event)
        if belongs is Belongs.STRAY:
            return belongs
        if belongs is Belongs.NEXT:
            self.ended, self._id, self._names = False, "", set()
        if isinstance(event, _ITEMS):
            self._names |= names_of(event.item)
        elif isinstance(event, _OPENING):
            self._id = event.response.id or self._id
        elif isinstance(event, TERMINAL):
            self.ended = True
            self._id = event.response.id or self._id
            for item in event.response.output:
                self._names |= names_of(item)
        return belongs

    def _belongs(self, event: Any) -> Belongs:
        if isinstance(event, _OPENING):
            other = bool(event.response.id) and event.response.id != self._id
            if self.ended:
                return Belongs.NEXT if other or not self._id else Belongs.STRAY
            begun = bool(self._names) or isinstance(event, ResponseCreatedEvent)  # some servers change the id at once
            return Belongs.NEXT if other and self._id and begun else Belongs.SAME
        if not self.ended:
            return Belongs.SAME
        if isinstance(event, TERMINAL):
            return Belongs.NEXT if event.response.id and event.response.id != self._id else Belongs.STRAY
        if isinstance(event, OutputEvent):
            names = names_of(event.item) if isinstance(event, _ITEMS) else {getattr(event, "item_id", "")} - {""}
            return Belongs.NEXT if names and names.isdisjoint(self._names) else Belongs.STRAY
        return Belongs.SAME


class PerResponse(Generic[_T]):
    """A core that starts anew with each response: what it emits of two is what it emits of each."""

    def __init__(self, make: Callable[[], Core[Any, _T]]) -> None:
        self._make = make
        self._core = make()
        self._responses = Responses()

    def feed(self, event: Any) -> Iterable[_T]:
        if not self._responses.ended and type(event) not in _NOTED:
            return self._core.feed(event)
        belongs = self._responses.note(event)
        if belongs is Belongs.STRAY:
            return ()
        if belongs is Belongs.SAME:
            return self._core.feed(event)
        last = list(self._core.finish())
        self._core = self._make()
        return [*last, *self._core.feed(event)]

    def finish(self) -> Iterable[_T]:
        return self._core.finish()

    def fail(self, error: Exception) -> Iterable[_T]:
        return self._core.fail(error) if isinstance(self._core, SupportsFail) else ()


def per_response(make: Callable[[], Core[Any, _T]]) -> Callable[[], PerResponse[_T]]:
    """What makes such a core, for `lift`."""
    return lambda: PerResponse(make)
