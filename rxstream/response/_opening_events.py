"""The events that open a response, held back while the request may still be sent again.

A server at its limit often answers 200, sends `response.created`, and then an error. A request that is sent again after
that begins another response, with another id. A subscriber should see one beginning, so the first must not be delivered
before it is known that no second one follows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from rxstream.errors import RxStreamError
from rxstream.events import (
    KeepaliveEvent,
    ResponseCreatedEvent,
    ResponseInProgressEvent,
    ResponseQueuedEvent,
    StreamingEvent,
)
from rxstream.response._ending import Ending

_LIFECYCLE = (ResponseCreatedEvent, ResponseQueuedEvent, ResponseInProgressEvent)
_OPENING = (*_LIFECYCLE, KeepaliveEvent)


class OpeningEvents:
    """Holds back the first events of one stream, until another event follows or `release` is called.

    `wait_of(error)`: seconds after which the request is sent again because of such an error; None: it is not.
    """

    def __init__(self, wait_of: Callable[[RxStreamError], float | None]) -> None:
        self._wait_of = wait_of
        self._ending = Ending()
        self._events: deque[StreamingEvent] = deque()
        self.holding = True
        """Whether the next event may be held back too."""
        self.retry: tuple[RxStreamError, float] | None = None
        """The error after which the request is sent again, and the wait. Then none of the events is delivered."""

    @property
    def idle(self) -> bool:
        """Whether all events pass from here on, and none is left."""
        return not self.holding and not self._events and self.retry is None

    @property
    def response_id(self) -> str | None:
        """The id of the response, as the events have it that are held back."""
        ids = [event.response.id for event in self._events if isinstance(event, _LIFECYCLE)]
        return ids[-1] or None if ids else None

    def feed(self, events: Iterable[StreamingEvent]) -> Iterator[StreamingEvent]:
        """The events that may be delivered now."""
        for event in events:
            self._events.append(event)
            if self.holding and not self._is_opening(event):
                if self.retry is not None:
                    return
                self.holding = False
            if not self.holding:
                yield from self._take()

    def release(self) -> Iterator[StreamingEvent]:
        """The events that are held back. From here on all pass."""
        self.holding = False
        if self.retry is None:
            yield from self._take()

    def _is_opening(self, event: StreamingEvent) -> bool:
        """Whether an error may still follow. An error after which the request is sent again is noted."""
        if isinstance(event, _OPENING):
            return True
        self._ending.feed(event)
        error = None if self._ending.open else self._ending.verdict()
        wait = self._wait_of(error) if error is not None else None
        if error is not None and wait is not None:
            self.retry = error, wait
        return False

    def _take(self) -> Iterator[StreamingEvent]:
        while self._events:
            yield self._events.popleft()
