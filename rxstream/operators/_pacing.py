"""How fast: fewer deltas, deltas at an even rate, a sign of life while nothing comes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Generic, Literal, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import SingleAssignmentDisposable

from rxstream.rx._checks import of_anything, require_source
from rxstream.rx._context import FLOW
from rxstream.rx._merged_flow import MergedFlow
from rxstream.rx._observable import PushObservable
from rxstream.rx._own_error import send_own_error
from rxstream.rx._timed import choose_scheduler, clock_of, lift_timed, seconds_of
from rxstream.segmentation._units import splitter_of
from rxstream.timing._coalesce import Coalesce
from rxstream.timing._heartbeat import Heartbeat, HeartbeatEvent
from rxstream.timing._pace import Pace

_T = TypeVar("_T")

_RATES: Final[dict[Any, float]] = {"char": 150.0, "word": 30.0, "line": 5.0}
"""The default rates, in units a second."""


def coalesce(
    seconds: float | timedelta, max_chars: int | None = None, *, scheduler: abc.SchedulerBase | None = None
) -> Callable[[Observable[_T]], Observable[_T]]:
    """Merge adjacent text deltas of one part. No text is lost.

    Marbles with coalesce(0.03)::

        source   -C-a-b_-----c-D----|
        result   -C----ab_-----(c,D)|

    For events and for plain `str`. A merged delta has the place and the sequence number of its last delta, and the log
    probabilities of all. Only adjacent deltas are merged, so the order stays, also where parts interleave.

    Emits: a run of deltas as one, `seconds` after its first, or earlier: at `max_chars` characters, when any other
    value comes, at the end. A merged delta is not longer than `max_chars`; a single longer one is passed as it is.
    Any other value is passed at once. Completes: with the source. Errors: the source's, after what is held.
    Memory: the deltas of `seconds`.

    Args:
        seconds: how long a delta may wait; 0.05 gives at most twenty updates a second.
        max_chars: so many characters do not wait.
        scheduler: for the timers. By default the subscription's, else the session's.

    Raises: ValueError: a negative time, or `max_chars` less than 1.
    """
    span = seconds_of("seconds", seconds)
    if max_chars is not None and max_chars < 1:
        raise ValueError(f"max_chars must be 1 or more, got {max_chars!r}")
    return lift_timed(lambda _: Coalesce[_T](span, max_chars), scheduler, of_anything("coalesce"))


def pace(
    unit: Literal["word", "char", "line"] | str | re.Pattern[str] | Callable[[str], int | None] = "word",
    *,
    rate: float | None = None,
    max_lag: float | timedelta = 1.0,
    at_end: Literal["drain", "keep"] = "drain",
    scheduler: abc.SchedulerBase | None = None,
) -> Callable[[Observable[_T]], Observable[_T]]:
    """Emit text in bursts at an even rate, unit by unit.

    Marbles with pace("word", rate=50)::

        texts    -x---y-------------|
        result   -a-b-c-d-----------(e,|)
        where x = "one two three"
        where y = " four five"
        where a = "one", b = " two", c = " three", d = " four", e = " five"

    Marbles with pace("word", rate=50, at_end="keep")::

        texts    -x---|
        result   -a-b-c-d-(e,|)
        where x = "one two three four five"
        where a = "one", b = " two", c = " three", d = " four", e = " five"

    For plain `str` and for the text deltas of events, each part separately; joined, the units are the text. Any other
    value waits for the text before it, so that the order stays.

    Emits: units, `rate` a second; a `str` each, or a delta event each. If text would wait for more than `max_lag` at
    that rate, the units are emitted faster, evenly, and no faster than needed. A unit that may still grow waits until
    it is whole, but not longer than `max_lag`. A delta event that ends within one of the source's has no sequence
    number; it has the log probabilities of the source's deltas that end in it.
    Completes: after the source, and after what waits then: within a quarter of a second, or with `at_end="keep"` as if
    the source went on, so within `max_lag`. Errors: the source's, after
    all that waits; what a `unit` function raises. Memory: what arrived within `max_lag`.

    Args:
        unit: `"word"` (with the space before it), `"char"` (a grapheme, never a part of one), `"line"`; a regular
            expression, each match of which ends a unit; or a function from a text to the length of its first unit,
            None while that may still grow.
        rate: units a second; by default 30 words, 150 characters, 5 lines, and 30 of any other unit.
        max_lag: the longest time, in seconds, that text may wait.
        at_end: `"drain"`: after the end of the source what waits is emitted within a quarter of a second, because a
            program goes on when the stream completes: it enables the input, or speaks the answer. `"keep"`: the rate
            stays, also when the source is faster than the rate, as for an animation.
        scheduler: for the timers. By default the subscription's, else the session's.

    Raises: ValueError, TypeError: a rate that is not above 0, a negative lag, an unknown unit, another `at_end`.
    """
    lag = seconds_of("max_lag", max_lag)
    if rate is None:
        rate = _RATES.get(unit, 30.0) if isinstance(unit, str) else 30.0
    if not 0 < rate < float("inf"):
        raise ValueError(f"rate must be more than 0 units a second, got {rate!r}")
    if at_end not in ("drain", "keep"):
        raise ValueError(f"at_end must be 'drain' or 'keep', got {at_end!r}")
    split, units, keep = splitter_of(unit), rate, at_end == "keep"
    return lift_timed(lambda _: Pace[_T](split, units, lag, keep_rate_at_end=keep), scheduler, of_anything("pace"))


def heartbeat(
    seconds: float | timedelta, *, scheduler: abc.SchedulerBase | None = None
) -> Callable[[Observable[_T]], Observable[_T | HeartbeatEvent]]:
    """Emit a `HeartbeatEvent` when nothing has come for `seconds`, which shows that the stream is alive.

    Marbles with heartbeat(0.03)::

        source   -----C-a-------b-|
        result   ---x-C-a--x--y-b-|
        where x = HeartbeatEvent(seconds=0.03)
        where y = HeartbeatEvent(seconds=0.06)

    For a user interface, and for proxies that close a connection on which nothing is sent. Put it last in the chain:
    operators that read events let it pass or leave it out, as other events of rxstream's own. It is not a value of the
    source: `timeouts` and `retry_transient` behind it wait as without it, and `measure` does not count it.

    Emits: every value; a `HeartbeatEvent` after each `seconds` without one, also before the first and between
    responses. None while the subscriber blocks or pauses the stream. Completes: with the source. Errors: the source's.
    Memory: none.

    Args:
        seconds: the time without a value; 15 is usual.
        scheduler: for the timers. By default the subscription's, else the session's.

    Raises: TypeError, ValueError if `seconds` is not a span of time above 0.
    """
    span = seconds_of("seconds", seconds)
    if span == 0:
        raise ValueError(f"seconds must be more than 0, got {seconds!r}")

    def operator(source: Observable[_T]) -> Observable[_T | HeartbeatEvent]:
        require_source(source, "heartbeat")

        def subscribe(
            observer: abc.ObserverBase[_T | HeartbeatEvent], from_subscribe: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            clock = clock_of(choose_scheduler(scheduler, from_subscribe))
            core: Heartbeat[_T] = Heartbeat(span, clock())
            timed = lift_timed(lambda _: core, scheduler)(source)
            pausing = _PausingObserver(observer, core, clock)
            pausing.subscription.disposable = timed.subscribe(pausing, scheduler=from_subscribe)
            return pausing.subscription

        return PushObservable(subscribe)

    return operator


class _PausingObserver(abc.ObserverBase[_T], Generic[_T]):
    """Tells the core about the time in which downstream blocks the stream in `on_next`, or pauses it."""

    def __init__(self, observer: abc.ObserverBase[_T], core: Heartbeat[Any], clock: Callable[[], float]) -> None:
        self._observer = observer
        self._core = core
        self._clock = clock
        self._flow = MergedFlow(core.pause, lambda: core.resume(clock()), self._abort)
        self.subscription = SingleAssignmentDisposable()

    def on_next(self, value: _T) -> None:
        self._flow.use(FLOW.get())
        token = FLOW.set(self._flow)
        try:
            self._observer.on_next(value)
        finally:
            FLOW.reset(token)
        if type(value) is not HeartbeatEvent:
            self._core.restart(self._clock())

    def on_error(self, error: Exception) -> None:
        self._observer.on_error(error)

    def on_completed(self) -> None:
        self._observer.on_completed()

    def _abort(self, error: Exception) -> None:
        self.subscription.dispose()
        send_own_error(self._observer, error)
