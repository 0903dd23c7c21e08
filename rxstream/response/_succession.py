"""The end of a stream whose response may be steered: then a successor follows in the same stream.

Specification: DIFF.md §10, and the docstrings of `BetaResponseSteerEvent` in openai-python 3.57. An input that the
server has accepted leads to one of three things: the `response.created` of a successor; `response.steer.failed`; or,
where the response has ended with calls that the client answers, `response.steer.pending`: then it waits for the next
request.
"""

from rxstream.errors import RxStreamError, TruncatedError
from rxstream.events import (
    ResponseCreatedEvent,
    ResponseFailedEvent,
    ResponseSteerAcceptedEvent,
    ResponseSteerFailedEvent,
    ResponseSteerPendingEvent,
    StreamingEvent,
)
from rxstream.response._ending import Ending

_STEERING = (ResponseSteerAcceptedEvent, ResponseSteerFailedEvent, ResponseSteerPendingEvent)


class SteerableEnding(Ending):
    """An `Ending` that stays open behind a response for which steering input was accepted, until its successor ends."""

    def __init__(self) -> None:
        super().__init__()
        self._accepted: set[str] = set()
        """The ids of inputs that wait for a successor."""

    def feed(self, event: StreamingEvent) -> None:
        if isinstance(event, _STEERING):
            steer_id = event.steer.id if event.steer is not None else ""
            if isinstance(event, ResponseSteerAcceptedEvent):
                self._accepted.add(steer_id)
            else:
                self._accepted.discard(steer_id)
        elif isinstance(event, ResponseCreatedEvent) and self.terminal is not None and self._accepted:
            self._accepted.clear()
            self.terminal, self.items_done = None, False
            self._open_items.clear()
        super().feed(event)
        if isinstance(event, ResponseFailedEvent):
            self._accepted.clear()  # a response that failed has no successor, and its error is the end
        if self.terminal is not None and self._accepted:
            self.items_done = True  # the successor, too, has only so long to come

    @property
    def open(self) -> bool:
        return self.error is None and (self.terminal is None or bool(self._accepted))

    @property
    def over(self) -> bool:
        return self.terminal is not None and not self._accepted

    def _verdict(self) -> RxStreamError | None:
        if self._accepted and self.terminal is not None and self.error is None:
            return TruncatedError(
                "the connection closed behind a response for which input was accepted, before its successor began: ask "
                "again with that input"
            )
        return super()._verdict()
