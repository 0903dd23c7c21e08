"""Counts and times of a stream."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple, cast

from rxstream.events import (
    Event,
    ResponseCompletedEvent,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    StreamingEvent,
)
from rxstream.events._fields import OUTPUT_TEXT, REFUSAL, by_delta, by_done
from rxstream.response._ending import Ending
from rxstream.response._responses import NOTED_EVENTS, BelongsTo, Responses
from rxstream.timing._heartbeat import HeartbeatEvent
from rxstream.timing._metrics import Gaps, ItemMetrics, Metrics, Outcome

_DIGITS = 6
"""Times are rounded to microseconds."""


class _ItemCounts:
    """The counts and times of one item."""

    __slots__ = ("characters", "ended", "events", "first_text", "gaps", "last_text", "started", "type")

    def __init__(self, now: float) -> None:
        self.type = ""
        self.started = now
        self.first_text: float | None = None
        self.last_text = now
        self.ended: float | None = None
        self.events = 0
        self.characters = 0
        self.gaps = array("d")


class Meter:
    """Counts events and their times. `read` returns the metrics at any time.

    Memory: two numbers a text delta, for exact percentiles. `read` sorts them.
    """

    def __init__(self, stall: float, start: float) -> None:
        self._stall = stall
        self._start = start
        self._ending = Ending()
        self._events = 0
        self._first_event: float | None = None
        self.last_event = start
        self._first_text: float | None = None
        self._first_delta: float | None = None
        self._last_delta = start
        self._first_size = 0
        self._characters = 0
        self._gaps = array("d")
        self._stalls = 0
        self._flags = 0
        self._stalled = 0.0
        self._items: dict[int, _ItemCounts] = {}

    def feed(self, event: Any, now: float) -> None:
        """Count an event that arrived now."""
        silence = now - self.last_event
        if self._first_event is None:
            self._first_event = now
        elif silence >= self._stall:
            self._stalls += 1
            self._stalled += silence
        self.last_event = now
        self._events += 1
        kind = _kind(event.__class__)
        if kind.text is not None:
            self._ending.last = event
        else:
            self._ending.feed(event)
            self._flags += event.type == "rxstream.moderation.flagged"
        if not kind.indexed:
            return
        index: int = event.output_index
        item = self._items.get(index)
        if item is None:
            item = self._items[index] = _ItemCounts(now)
        item.events += 1
        if kind.text is not None:
            self._count_text(item, len(kind.text(event)), now, kind)
        elif isinstance(event, ResponseOutputItemAddedEvent | ResponseOutputItemDoneEvent):
            item.type = event.item.type
            if isinstance(event, ResponseOutputItemDoneEvent):
                item.ended = now

    def _count_text(self, item: _ItemCounts, size: int, now: float, kind: _CountedText) -> None:
        if not size or (kind.repeats_deltas and item.characters):
            return
        if self._first_delta is None:
            self._first_delta, self._first_size = now, size
        else:
            self._gaps.append(now - self._last_delta)
        if item.first_text is None:
            item.first_text = now
        else:
            item.gaps.append(now - item.last_text)
        if kind.is_answer and self._first_text is None:
            self._first_text = now
        self._last_delta = item.last_text = now
        self._characters += size
        item.characters += size

    def read(self, now: float, ended: Outcome | None = None) -> Metrics:
        """The metrics now. `ended` is how the stream ended; None while it runs."""
        stalls, stalled = self._stalls, self._stalled
        if self._first_event is not None and now - self.last_event >= self._stall:
            stalls, stalled = stalls + 1, stalled + now - self.last_event
        terminal = self._ending.terminal
        usage = terminal.response.usage if terminal is not None else None
        return Metrics(
            outcome=self._outcome(ended),
            elapsed=round(now - self._start, _DIGITS),
            response_id=self._ending.response_id,
            events=self._events,
            characters=self._characters,
            first_event=self._since_start(self._first_event),
            first_text=self._since_start(self._first_text),
            events_per_second=_rate(self._events - 1, self._first_event, self.last_event),
            characters_per_second=_rate(self._characters - self._first_size, self._first_delta, self._last_delta),
            gaps=_gaps(self._gaps),
            flags=self._flags,
            stalls=stalls,
            stalled=round(stalled, _DIGITS),
            usage=usage if usage is not None and not usage.is_empty else None,
            items=tuple(self._item_metrics(index) for index in sorted(self._items)),
        )

    def _outcome(self, ended: Outcome | None) -> Outcome:
        if ended is None:
            return "running"
        match self._ending.terminal:
            case ResponseCompletedEvent():
                return "completed"
            case ResponseIncompleteEvent():
                return "incomplete"
            case ResponseFailedEvent():
                return "failed"
            case None:
                return "failed" if self._ending.error is not None else ended

    def _item_metrics(self, index: int) -> ItemMetrics:
        item = self._items[index]
        return ItemMetrics(
            output_index=index,
            type=item.type,
            started=round(item.started - self._start, _DIGITS),
            first_text=self._since_start(item.first_text),
            ended=self._since_start(item.ended),
            events=item.events,
            characters=item.characters,
            gaps=_gaps(item.gaps),
        )

    def _since_start(self, moment: float | None) -> float | None:
        return None if moment is None else round(moment - self._start, _DIGITS)


class _CountedText(NamedTuple):
    """The text that is counted in the events of one class."""

    indexed: bool
    text: Callable[[Any], str] | None = None
    repeats_deltas: bool = False
    """Whether the event has the whole text, which its deltas had before."""
    is_answer: bool = False


_DELTAS = by_delta()
_DONES = by_done()
_ANSWER = (OUTPUT_TEXT, REFUSAL)


@cache
def _kind(kind: type[Event]) -> _CountedText:
    if "output_index" not in kind.model_fields:
        return _CountedText(False)
    text = _DELTAS.get(kind)
    if text is not None:
        return _CountedText(True, attrgetter("delta"), False, text in _ANSWER)
    text = _DONES.get(kind)
    if text is not None:
        return _CountedText(True, attrgetter(text.field), True, text in _ANSWER)
    return _CountedText(True)


_OF_RUN = ("rxstream.turn.", "rxstream.tool.", "rxstream.run.")


@cache
def _is_of_run(kind: type[Event]) -> bool:
    """Whether the events of a class are those of a run: of a turn, a tool or the run itself."""
    return str(kind.model_fields["type"].default).startswith(_OF_RUN)


def _rate(count: int, since: float | None, until: float) -> float:
    return round(count / (until - since), 3) if since is not None and until > since else 0.0


def _gaps(gaps: Sequence[float]) -> Gaps:
    if not gaps:
        return Gaps(0, 0.0, 0.0, 0.0, 0.0)
    ordered = sorted(gaps)
    p50, p95, p99 = (_percentile(ordered, part) for part in (0.50, 0.95, 0.99))
    return Gaps(len(ordered), p50, p95, p99, round(ordered[-1], _DIGITS))


def _percentile(ordered: Sequence[float], part: float) -> float:
    """Linear interpolation between the two nearest values."""
    place = part * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), _DIGITS)


class Measure:
    """Emit the metrics every `every` seconds, and at the end of each response.

    The times of a further response begin with the last event before it: of the response before, or of the run.
    """

    def __init__(self, every: float | None, stall: float, clock: Callable[[], float] | None, now: float) -> None:
        self._every = every
        self._stall = stall
        self._clock = clock
        self._meter = Meter(stall, self._time(now))
        self._responses = Responses()
        self._asked: float | None = None
        """When the last event of a run came that stands behind the end of a response."""
        self.due = None if every is None else now + every

    def feed(self, event: StreamingEvent, now: float) -> Iterable[Any]:
        return self._count(event, now)

    def _count(self, event: Any, now: float) -> Iterable[Any]:
        reports: Iterable[Any] = ()
        kind = cast("type[Event]", type(event))
        if kind is HeartbeatEvent:  # it says that nothing has come
            return ()
        if _is_of_run(kind):  # no server sent it
            if self._responses.ended:
                self._asked = self._time(now)
            return ()
        if self._responses.ended or kind in NOTED_EVENTS:
            belongs = self._responses.note(event)
            if belongs is BelongsTo.LATE:
                return ()
            if belongs is BelongsTo.NEXT:
                end = self._meter.last_event
                reports = self._report(end, "cut")
                self._meter = Meter(self._stall, end if self._asked is None else self._asked)
                self._asked = None
        self._meter.feed(event, now if self._clock is None else self._clock())
        return reports

    def tick(self, now: float) -> Iterable[Any]:
        self.due = None if self._every is None else now + self._every
        return self._report(self._time(now))

    def finish(self, now: float) -> Iterable[Any]:
        return self._report_last(now, "cut")

    def fail(self, now: float) -> Iterable[Any]:
        return self._report_last(now, "broken")

    def _report_last(self, now: float, ended: Outcome) -> Iterable[Any]:
        self.due = None
        return self._report(self._time(now), ended)

    def _report(self, time: float, ended: Outcome | None = None) -> Iterable[Any]:
        return (self._meter.read(time, ended),)

    def _time(self, now: float) -> float:
        return now if self._clock is None else self._clock()


class MeasureAndPass(Measure):
    """Pass the events; call `on_metrics` with the metrics, also when the subscriber disposes."""

    def __init__(
        self,
        on_metrics: Callable[[Metrics], object],
        every: float | None,
        stall: float,
        clock: Callable[[], float] | None,
        now: float,
    ) -> None:
        super().__init__(every, stall, clock, now)
        self._on_metrics = on_metrics

    def feed(self, event: StreamingEvent, now: float) -> Iterable[Any]:
        self._count(event, now)  # which emits nothing: `_report` calls `on_metrics`
        return (event,)

    def dispose(self, now: float) -> None:
        self._report_last(now, "disposed")

    def _report(self, time: float, ended: Outcome | None = None) -> Iterable[Any]:
        self._on_metrics(self._meter.read(time, ended))
        return ()
