"""The schedulers and clocks of timed operators, and `lift_timed`, which makes operators of timed cores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, Generic, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import SerialDisposable
from reactivex.scheduler import TimeoutScheduler, VirtualTimeScheduler

from rxstream.rx._checks import InputCheck, explained, require_source
from rxstream.rx._context import FLOW, RUNTIME
from rxstream.rx._lift import iterator_of
from rxstream.rx._observable import PushObservable
from rxstream.rx._serial import RAISED, SOURCE_ENDED, Serial
from rxstream.typing import Operator, SupportsDispose, TimedCore

_A = TypeVar("_A")
_B = TypeVar("_B")

_EARLY = 1e-6
"""Schedulers count in microseconds: a timer may fire this much before its time."""


def choose_scheduler(explicit: abc.SchedulerBase | None, from_subscribe: abc.SchedulerBase | None) -> abc.SchedulerBase:
    """The scheduler of a timed operator: its own, else the subscription's, else the session's, else Rx's."""
    if explicit is not None:
        return explicit
    if from_subscribe is not None:
        return from_subscribe
    runtime = RUNTIME.get()
    return runtime.scheduler if runtime is not None else TimeoutScheduler.singleton()


def clock_of(scheduler: abc.SchedulerBase | None) -> Callable[[], float]:
    """A clock in seconds that agrees with the scheduler's timers: virtual, or else monotonic.

    `now` of a real scheduler is the time of day, which may be set back, and its timers do not follow that.
    """
    if isinstance(scheduler, VirtualTimeScheduler):
        return lambda: scheduler.to_seconds(scheduler.now)
    return time.monotonic


def seconds_of(name: str, span: float | timedelta, *, least: float = 0.0) -> float:
    """An option that is a span of time, in seconds.

    Raises: TypeError: it is neither a number nor a timedelta. ValueError: it is less than `least`, or not finite.
    """
    seconds: Any = span.total_seconds() if isinstance(span, timedelta) else span
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{name} must be seconds or a timedelta, got {span!r}")
    if not least <= seconds < float("inf"):
        raise ValueError(f"{name} must be {least:g} seconds or more, got {span!r}")
    return float(seconds)


def lift_timed(
    make: Callable[[float], TimedCore[_A, _B]],
    scheduler: abc.SchedulerBase | None = None,
    check: InputCheck | None = None,
) -> Operator[_A, _B]:
    """Make an operator of a `TimedCore`. `make` is called once for each subscription, with the time of subscribing.

    Emits: what the core returns, one value at a time, on whatever thread a value or a timer comes.
    Completes: after the source, as soon as `due` is None. Errors: the source's, after what `fail` returns; what the
    core or the scheduler raises. What an observer raises goes to the source. From a timer, and at the end of the
    source, it could not come back from there: then the source is disposed, and the observer gets its own error. No
    timer stays armed after the end or a dispose. `check` is called with the first value, and with a value that `feed`
    cannot take.

    Raises: TypeError if `make` cannot be called; the operator, if its source is not an Observable.
    """
    if not callable(make):
        raise TypeError(f"lift_timed expects a class or function that makes a core, got {make!r}")
    name = "a timed operator" if check is None else check.operator

    def operator(source: Observable[_A]) -> Observable[_B]:
        require_source(source, name)

        def subscribe(
            observer: abc.ObserverBase[_B], from_subscribe: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            timers = choose_scheduler(scheduler, from_subscribe)
            return _Timed(make, observer, timers, check).subscribe(source, from_subscribe)

        return PushObservable(subscribe)

    return operator


class _Timed(abc.ObserverBase[_A], abc.DisposableBase, Generic[_A, _B]):
    """One subscription: upstream an observer, downstream the Disposable."""

    def __init__(
        self,
        make: Callable[[float], TimedCore[_A, _B]],
        observer: abc.ObserverBase[_B],
        scheduler: abc.SchedulerBase,
        check: InputCheck | None,
    ) -> None:
        self._scheduler = scheduler
        self._check = check
        self._checked = check is None
        """Whether the first value was checked."""
        self._clock = clock_of(scheduler)
        self._now = self._clock()
        """The last time that was passed to the core; the next is not less."""
        self._core = make(self._now)
        self._timer = SerialDisposable()
        self._armed: float | None = None
        """When the timer fires. None if no timer is armed."""
        self._serial = Serial(observer, self._timer.dispose)

    def subscribe(self, source: Observable[_A], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        due = self._core.due
        if due is not None:
            self._arm(due)
        self._serial.source.disposable = source.subscribe(self, scheduler=scheduler)
        return self

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: _A) -> None:
        self._serial.flow = FLOW.get()
        self._serial.feed(self._step, self._core.feed if self._checked else self._feed_first, value)

    def _feed_first(self, value: _A, now: float) -> Iterable[_B]:
        self._checked = True
        if self._check is not None:
            self._check(value)
        return self._core.feed(value, now)

    def on_completed(self) -> None:
        if self._serial.state is RAISED:
            self._serial.end()
        else:
            self._serial.feed_last(self._finish)

    def on_error(self, error: Exception) -> None:
        if self._serial.state is RAISED:
            self._serial.end(error)
        else:
            self._serial.feed_last(self._fail, error)

    def dispose(self) -> None:
        if self._serial.dispose() and isinstance(self._core, SupportsDispose):
            self._core.dispose(self._read_clock())

    # ------------------------------------------------------------------ steps

    def _step(self, method: Callable[..., Iterable[_B]], *args: Any) -> None:
        """Emit what a method of the core returns; then complete, or arm the timer. An error of the core is the end."""
        try:
            outputs = method(*args, self._read_clock())
        except Exception as error:
            self._serial.end(explained(error, args[0], self._check) if method == self._core.feed else error)
            return
        kind = type(outputs)
        values = outputs if kind is tuple or kind is list else self._iterated(outputs)
        if values and not self._serial.emit(values):
            return
        try:
            due = self._core.due
            is_over = due is None and self._serial.state is SOURCE_ENDED
            if due is not None:
                self._arm(due)
        except Exception as error:  # of the core's `due`, or of the scheduler
            self._serial.end(error)
            return
        if is_over:
            self._serial.end()

    def _iterated(self, outputs: Iterable[_B]) -> Iterator[_B]:
        """The outputs of a generator, say. What it raises is the core's, not the observer's."""
        try:
            yield from iterator_of(outputs)
        except Exception as error:
            self._serial.end(error)

    def _finish(self) -> None:
        self._serial.source_ended()
        self._serial.flow = None
        self._step(self._core.finish)

    def _fail(self, error: Exception) -> None:
        self._step(self._core.fail)
        self._serial.end(error)

    # ------------------------------------------------------------------ time

    def _read_clock(self) -> float:
        now = self._clock()
        if now > self._now:
            self._now = now
        return self._now

    def _arm(self, due: float) -> None:
        """Arm a timer. One that fires too early arms the next, which is cheaper than moving it."""
        if self._armed is not None and self._armed <= due:
            return
        self._armed = due

        def fire(_scheduler: abc.SchedulerBase, _state: object = None) -> None:
            self._serial.feed_from_timer(self._tick, due)

        self._timer.disposable = self._scheduler.schedule_relative(max(0.0, due - self._read_clock()), fire)

    def _tick(self, time: float) -> None:
        if self._armed != time:  # the timer was replaced by another one just as it fired
            return
        self._armed = None
        self._now = max(self._now, time)
        try:
            due = self._core.due
            is_due = due is not None and due <= self._read_clock() + _EARLY
            if due is not None and not is_due:
                self._arm(due)
        except Exception as error:  # of the core's `due`, or of the scheduler
            self._serial.end(error)
            return
        if is_due:
            self._step(self._core.tick)
