"""Several responses in one Observable: where one ends and the next begins.

The turns of a run, a `concat` of streams and a WebSocket have responses one after the other. A response begins with a
`created`, `queued` or `in_progress` event with a new id, or with the first event after a terminal one that belongs to
another response. An event after the terminal one that belongs to the ended response is late: it adds nothing.

The events of interleaved responses cannot be told apart, because most have no response id. One warning says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Any, Generic, TypeVar, cast

from rxstream.events import (
    OutputEvent,
    ResponseCreatedEvent,
    ResponseInProgressEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseQueuedEvent,
)
from rxstream.events._fields import TERMINAL
from rxstream.response._output_matching import ids_of
from rxstream.typing import Core, SupportsFail

_T = TypeVar("_T")
_log = logging.getLogger("rxstream")

_OPENING = (ResponseCreatedEvent, ResponseQueuedEvent, ResponseInProgressEvent)
_UNENDED_KEPT = 64
_ITEMS = (ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent)
NOTED_EVENTS = frozenset[type]((*_OPENING, *_ITEMS, *TERMINAL))
"""The classes of events that `Responses` reads while a response goes on. Others belong to it."""


class BelongsTo(Enum):
    """Which response an event belongs to."""

    SAME = auto()
    NEXT = auto()
    LATE = auto()
    """The response that has ended."""


class Responses:
    """Says which response an event belongs to.

    Memory: the id of the response and those of its items.
    """

    def __init__(self) -> None:
        self.ended = False
        """Whether the response has ended."""
        self.response_id = ""
        """The id of the response; empty if no event had it."""
        self.response_ids: set[str] = set()
        self._unended: dict[str, None] = {}
        """The ids of responses behind which another began before they ended."""
        self._reported = False

    def note(self, event: Any) -> BelongsTo:
        """Note an event. Most cost one lookup."""
        if not self.ended and type(event) not in NOTED_EVENTS:
            return BelongsTo.SAME
        belongs = self._belongs(event)
        if belongs is BelongsTo.LATE:
            return belongs
        if not self._reported and isinstance(event, (*_OPENING, *TERMINAL)):
            self._report_interleaved(event.response.id)
        if belongs is BelongsTo.NEXT:
            if not self.ended and self.response_id:
                self._unended[self.response_id] = None
                if len(self._unended) > _UNENDED_KEPT:
                    del self._unended[next(iter(self._unended))]
            self.ended, self.response_id, self.response_ids = False, "", set()
        if isinstance(event, _ITEMS):
            self.response_ids |= ids_of(event.item)
        elif isinstance(event, _OPENING):
            self.response_id = event.response.id or self.response_id
        elif isinstance(event, TERMINAL):
            self.ended = True
            self.response_id = event.response.id or self.response_id
            for item in event.response.output:
                self.response_ids |= ids_of(item)
        return belongs

    def _report_interleaved(self, response_id: str) -> None:
        """One warning, if an event belongs to a response behind which another one has begun."""
        if response_id != self.response_id and response_id in self._unended:
            self._reported = True
            _log.warning(
                "the events of several responses are interleaved, and cannot be told apart: what is made of them is "
                "wrong. Put the operators before merge: merge(one.pipe(…), other.pipe(…))"
            )

    def _belongs(self, event: Any) -> BelongsTo:
        if isinstance(event, _OPENING):
            other = bool(event.response.id) and event.response.id != self.response_id
            if self.ended:
                return BelongsTo.NEXT if other or not self.response_id else BelongsTo.LATE
            has_output = bool(self.response_ids) or isinstance(
                event, ResponseCreatedEvent
            )  # some servers change the id with the second event
            return BelongsTo.NEXT if other and self.response_id and has_output else BelongsTo.SAME
        if not self.ended:
            return BelongsTo.SAME
        if isinstance(event, TERMINAL):
            return BelongsTo.NEXT if event.response.id and event.response.id != self.response_id else BelongsTo.LATE
        if isinstance(event, OutputEvent):
            ids = ids_of(event.item) if isinstance(event, _ITEMS) else {getattr(event, "item_id", "")} - {""}
            return BelongsTo.NEXT if ids and ids.isdisjoint(self.response_ids) else BelongsTo.LATE
        return BelongsTo.SAME


class PerResponse(Generic[_T]):
    """A core that starts anew with each response. Of two it emits what it emits of each.

    `quick` of the core that it holds must return None for `NOTED_EVENTS`: with these a response may begin or end.
    `followed` of a core, where it has one, is called instead of `finish` where another response begins.
    """

    def __init__(self, make: Callable[[], Core[Any, _T]], *, pass_late: bool = False) -> None:
        self._make = make
        self._pass_late = pass_late
        self._core = make()
        if hasattr(self._core, "fail"):
            self.fail = self._fail
            """Only then: `lift` is slower for a core that has it."""
        self._responses = Responses()
        self.quick = self._quick()

    def feed(self, event: Any) -> Iterable[_T]:
        belongs = self._responses.note(event)
        outputs: list[_T] = []
        if belongs is BelongsTo.NEXT:
            outputs += getattr(self._core, "followed", self._core.finish)()
            self._core = self._make()
        self.quick = self._quick()
        if belongs is BelongsTo.LATE:
            return (event,) if self._pass_late else ()
        own = self._core.feed(event)
        return [*outputs, *own] if outputs else own

    def _quick(self) -> Callable[[Any], Iterable[_T] | None]:
        if self._responses.ended:
            return _nothing  # the next response may begin with any event
        return getattr(self._core, "quick", self._unless_noted)

    def _unless_noted(self, event: Any) -> Iterable[_T] | None:
        return None if type(event) in NOTED_EVENTS else self._core.feed(event)

    def finish(self) -> Iterable[_T]:
        return self._core.finish()

    def _fail(self, error: Exception) -> Iterable[_T]:
        return cast("SupportsFail[Any, _T]", self._core).fail(error)


def _nothing(event: object) -> None:
    """`quick` of a core that has none."""


def per_response(make: Callable[[], Core[Any, _T]], *, pass_late: bool = False) -> Callable[[], PerResponse[_T]]:
    """A factory of such a core, for `lift`. With `pass_late` late events are emitted as they are."""
    return lambda: PerResponse(make, pass_late=pass_late)
