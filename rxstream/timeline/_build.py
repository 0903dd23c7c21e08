"""Events and their times to timelines, one for each response.

A response of its own begins where `Responses` says so, and in a run with each `rxstream.turn.started`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

from rxstream.errors import DisconnectedError, RxStreamError, TruncatedError
from rxstream.errors._redaction import one_line
from rxstream.events import Event, UnknownEvent
from rxstream.response._ending import Ending
from rxstream.response._responses import BelongsTo, Responses
from rxstream.timeline._lanes import LaneBuilder
from rxstream.timeline._model import Silence, TimedEvent, Timeline
from rxstream.timing._meter import Meter
from rxstream.timing._metrics import Outcome

STALL_SECONDS = 2.0
"""As in the operator `measure`."""
_SHORTEST_SILENCE = 0.1
_TIMES_MEDIAN = 10
_LONGEST_REASON = 400
_TURN = "rxstream.turn.started"


def timelines_of(
    entries: Iterable[TimedEvent],
    *,
    end: float | None = None,
    error: RxStreamError | None = None,
    left: bool = False,
    stall: float = STALL_SECONDS,
) -> list[Timeline]:
    """The timeline of each response.

    Args:
        entries: normalized events, and the seconds since the request.
        end: when the stream ended; None: with its last event.
        error: the error of the transport or the decoder that ended the stream, if one did.
        left: whether the reader stopped before the end.
        stall: this many seconds without an event are a stall.
    """
    responses, result = Responses(), list[Timeline]()
    current = _Builder(0.0, stall)
    for entry in entries:
        starts_turn = entry.event.type == _TURN
        belongs = BelongsTo.SAME if _is_own(entry.event) else responses.note(entry.event)
        if current.has_response and (starts_turn or belongs is BelongsTo.NEXT):
            result.append(current.finish(None, None, False))
            current = _Builder(entry.at if starts_turn else current.last, stall)
        current.feed(entry)
    result.append(current.finish(end, error, left))
    return result


def _is_own(event: Event) -> bool:
    """Whether it is an event of rxstream: of a run, a moderator, a heartbeat. No server sent it: a silence goes on."""
    return event.type.startswith("rxstream.")


class _Builder:
    """One timeline in the making."""

    def __init__(self, start: float, stall: float) -> None:
        self.has_response = False
        self.last = start
        self._start = start
        self._stall = stall
        self._entries: list[TimedEvent] = []
        self._lanes = LaneBuilder(start)
        self._meter = Meter(stall, start)
        self._ending = Ending()
        self._model = ""
        self._turn: int | None = None
        self._times: list[float] = []

    def feed(self, entry: TimedEvent) -> None:
        at, event = entry
        self.last = max(self.last, at)
        self._lanes.feed(len(self._entries), at, event)
        self._entries.append(entry)
        if event.type == _TURN:
            turn = event.data.get("turn") if isinstance(event, UnknownEvent) else getattr(event, "turn", None)
            self._turn = turn if isinstance(turn, int) else None
        if _is_own(event):
            return
        self.has_response = True
        self._times.append(at)
        self._ending.feed(event)  # type: ignore[arg-type]  # other events change nothing
        self._meter.feed(event, at)
        model = getattr(getattr(event, "response", None), "model", None)
        if isinstance(model, str):
            self._model = one_line(model, 100)

    def finish(self, end: float | None, error: RxStreamError | None, left: bool) -> Timeline:
        """The timeline. The arguments are those of the whole stream, for its last response."""
        last = max(self.last, end or 0.0)
        own = self._ending.verdict()
        cause = error if self._ending.open and error is not None else own
        stopped = left and self._ending.open
        reason = ""
        if stopped:
            reason, cause = "the reader stopped here", None
        elif cause is not None:
            reason = one_line(str(cause), _LONGEST_REASON)
        elif self._ending.terminal is not None:
            details = self._ending.terminal.response.incomplete_details
            reason = one_line(details.reason or "", _LONGEST_REASON) if details is not None else ""
        times = [*self._times, last] if self._ending.open else self._times
        name = type(cause).__name__ if cause is not None else ""
        self._lanes.close(last, failed=cause is not None)
        return Timeline(
            start=self._start,
            end=last,
            entries=self._entries,
            lanes=self._lanes.ordered(),
            silences=silences(times, self._stall),
            metrics=self._meter.read(
                self._times[-1] if self._times and not self._ending.open else last, _ended(cause, left=stopped)
            ),
            model=self._model,
            turn=self._turn,
            reason=reason,
            error=name,
        )


def _ended(cause: RxStreamError | None, *, left: bool) -> Outcome:
    """What `Metrics.outcome` says of a stream without a terminal event."""
    if left:
        return "disposed"
    return "cut" if isinstance(cause, TruncatedError | DisconnectedError) or cause is None else "broken"


def silences(times: Sequence[float], stall: float) -> list[Silence]:
    """The times without events that are ten times as long as usual, and at least 0.1 s; or as long as `stall`."""
    between = [after - before for before, after in pairwise(times)]
    if not between:
        return []
    least = min(stall, max(_SHORTEST_SILENCE, _TIMES_MEDIAN * median(between)))
    return [
        Silence(before, before + length, length >= stall)
        for before, length in zip(times, between, strict=False)
        if length >= least
    ]
