"""How a lost stream goes on: which request follows, after how long, and when it ends with an error.

The state is one enum, and `lost` returns what the session has to do next.

| phase  | the connection ends with              | next phase | action                                    |
|--------|---------------------------------------|------------|-------------------------------------------|
| FIRST  | a loss; the response id is known      | STREAM     | reopen the stream at once                 |
| FIRST  | anything else                         |            | give up                                   |
| STREAM | a loss, after new events              | STREAM     | reopen the stream at once                 |
| STREAM | an error that may pass, no new event  | STREAM     | reopen the stream after a wait            |
| STREAM | a polite end, no new event            | POLL       | get the response at once                  |
| STREAM | any other answer, such as 400 or 404  | POLL       | the same; the window has closed for good  |
| POLL   | a response that is not finished       | STREAM     | reopen after a wait; POLL if it has closed |
| POLL   | an error that may pass                | POLL       | get the response after a wait             |
| POLL   | any other answer                      |            | give up                                   |

A limit for the whole stream that is over (first text, total, polling) is given up in each phase.

A loss is a broken, silent or cut connection, and a gap in the numbers. A stream whose numbers do not count its events
cannot be reopened at a number, so POLL takes the place of STREAM. So many tries in a row without a new event as the
back-off allows are made; waits for an unfinished response end by the time limit of polling.

Numbers: a reopened stream has the numbers above the one that was asked for; what it repeats is dropped. An event whose
number leaves some out is not passed on: the stream is lost there, and is reopened behind the last event. If the server
leaves the same numbers out again, it does not have these events, and gaps are accepted from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from rxstream.errors import DisconnectedError, RxStreamError, TransportError, TruncatedError
from rxstream.events import KeepaliveEvent, StreamingEvent
from rxstream.timing._backoff import Backoff
from rxstream.timing._timeouts import OF_WHOLE_STREAM, is_own_limit

_MOST_MISSING = 10_000
"""Numbers that jump further do not count events."""


class ResumePhase(Enum):
    """What the current connection is."""

    FIRST = auto()
    """The one that began the response."""
    STREAM = auto()
    """The stream of the response, opened again."""
    POLL = auto()
    """One request for the response as a whole."""


@dataclass(frozen=True, slots=True)
class Reopen:
    """Open another connection."""

    phase: ResumePhase
    """STREAM or POLL."""
    wait: float
    """Seconds until then."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End the stream with an error."""

    error: RxStreamError


ResumeStep: TypeAlias = Reopen | GiveUp


class Resuming:
    """The state of one response that may be read over several connections."""

    def __init__(
        self,
        backoff: Backoff,
        *,
        response_id: str | None = None,
        after: int | None = None,
        numbers_count: Callable[[], bool] = lambda: True,
        cancels: bool = False,
    ) -> None:
        """
        Args:
            backoff: waits, and how many tries in a row may bring no new event.
            response_id: of a response that exists already; its first connection is a reopened stream.
            after: the number of the last event that the subscriber has.
            numbers_count: whether the numbers count the events, as far as is known.
            cancels: whether a response that a time limit ends is cancelled, so that there is nothing to go on with.
        """
        self._backoff = backoff
        self._numbers_count = numbers_count
        self._cancels = cancels
        self.phase = ResumePhase.FIRST if response_id is None else ResumePhase.STREAM
        self.response_id = response_id
        self.last = after
        """The number of the last event that was passed on; None: no event had one."""
        self.unfinished = False
        """Whether the last connection brought a response that is queued or in progress. Set by the reader."""
        self._after = after
        """The number behind which the current connection was opened."""
        self._unnumbered = 0
        """Events without a number since the last number."""
        self._fresh = True
        """Whether no event of this connection was passed on yet."""
        self._advanced = False
        """Whether this connection brought a new number."""
        self._accepts_gaps = False
        self._window_closed = False
        self._tries = 0
        self._polls = 0
        self._loss: RxStreamError | None = None
        """The error by which the stream was lost, after its last new event."""

    def passes(self, event: StreamingEvent) -> bool:
        """Note an event of the wire; whether it is passed on.

        Raises: DisconnectedError: events before it are missing.
        """
        number = event.sequence_number
        if number is None:
            self._unnumbered += not isinstance(event, KeepaliveEvent)
            return True
        if self._after is not None and number <= self._after and self.phase is not ResumePhase.FIRST:
            return False
        if self.last is not None and number > self.last:
            self._check_gap(number, number - self.last - 1 - self._unnumbered)
        if self.last is None or number > self.last:
            self.last, self._unnumbered = number, 0
            self._advanced = True
        self._fresh = False
        return True

    def _check_gap(self, number: int, missing: int) -> None:
        if missing <= 0 or self._accepts_gaps:
            return
        if missing > _MOST_MISSING:
            self._window_closed = True
        elif self._fresh and self.phase is ResumePhase.STREAM:
            self._accepts_gaps = True
        else:
            raise DisconnectedError(f"expected event {number - missing} of the stream, got {number}: some are lost")

    def lost(self, error: RxStreamError, response_id: str | None = None) -> ResumeStep:
        """The connection has ended without an end of the response. `response_id`: as its events had it."""
        self.response_id = response_id or self.response_id
        if isinstance(error, OF_WHOLE_STREAM):
            self._loss = error
            return self._give_up(error)
        advanced, self._advanced = self._advanced, False
        unfinished, self.unfinished = self.unfinished, False
        is_loss = isinstance(error, (TransportError, TruncatedError))
        if advanced:
            self._tries = 0
        if advanced or self._loss is None:
            self._loss = error
        if self.phase is ResumePhase.FIRST or advanced:
            return self._reopen(0.0) if is_loss and self.response_id else self._give_up(error)
        if unfinished:
            self._tries, self._polls = 0, self._polls + 1
            return self._reopen(self._backoff.wait(self._polls))
        cut = isinstance(error, TruncatedError)
        if self.phase is ResumePhase.STREAM and (cut or not error.retryable):
            self._window_closed |= not cut
            return self._reopen(0.0, poll=True)
        self._tries += 1
        wait = self._backoff.delay(DisconnectedError() if cut else error, self._tries)
        return self._give_up(error) if wait is None else self._reopen(wait, poll=self.phase is ResumePhase.POLL)

    def _reopen(self, wait: float, *, poll: bool = False) -> Reopen:
        if self._unnumbered or not self._numbers_count():
            self._window_closed = True
        self.phase = ResumePhase.POLL if poll or self._window_closed else ResumePhase.STREAM
        self._after, self._fresh = self.last, True
        return Reopen(self.phase, wait)

    def _give_up(self, error: RxStreamError) -> GiveUp:
        """End with the error by which the stream was lost, caused by the one that keeps it from going on."""
        loss = self._loss or error
        if loss is not error:
            loss.__cause__ = error.with_traceback(None)
        loss.response_id = self.response_id or loss.response_id
        loss.sequence_number = self.last if self.last is not None else loss.sequence_number
        is_late = isinstance(loss, OF_WHOLE_STREAM)
        if self._cancels and is_own_limit(loss):
            return GiveUp(loss)
        if loss.response_id and (is_late or self.phase is not ResumePhase.FIRST):
            loss.add_note(f"to go on where it stopped: session.resume({loss.response_id!r}, after={self.last})")
        return GiveUp(loss)
