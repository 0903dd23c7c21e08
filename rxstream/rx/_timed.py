"""How time reaches an operator: which scheduler, which clock, and what carries a core that waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Generic, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import SerialDisposable, SingleAssignmentDisposable
from reactivex.scheduler import TimeoutScheduler, VirtualTimeScheduler

from rxstream.rx._context import FLOW, RUNTIME, Flow
from rxstream.rx._observable import PushObservable
from rxstream.typing import Leaving, Operator, TimedCore

_A = TypeVar("_A")
_B = TypeVar("_B")

_EARLY = 1e-6
"""Schedulers count in microseconds: a timer may fire this much before its time."""


def choose_scheduler(explicit: abc.SchedulerBase | None, given: abc.SchedulerBase | None) -> abc.SchedulerBase:
    """The scheduler of a timed operator: its own, else that of the subscription, else the session's, else Rx's."""
    if explicit is not None:
        return explicit
    if given is not None:
        return given
    runtime = RUNTIME.get()
    return runtime.scheduler if runtime is not None else TimeoutScheduler.singleton()


def clock_of(scheduler: abc.SchedulerBase | None) -> Callable[[], float]:
    """A clock in seconds that agrees with the scheduler's timers: virtual, or else monotonic.

    The `now` of a real scheduler is the time of day, which may be set back; its timers do not follow that.
    """
    if isinstance(scheduler, VirtualTimeScheduler):
        return lambda: scheduler.to_seconds(scheduler.now)
    return time.monotonic


def seconds_of(name: str, span: float | timedelta, *, least: float = 0.0) -> float:
    """An option that is a span of time, in seconds.

    Raises: TypeError: it is no number and no timedelta. ValueError: it is less than `least`, or no real number.
    """
    seconds: Any = span.total_seconds() if isinstance(span, timedelta) else span
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{name} must be seconds or a timedelta, not {span!r}")
    if not least <= seconds < float("inf"):
        raise ValueError(f"{name} must be {least:g} seconds or more, not {span!r}")
    return float(seconds)


def lift_timed(
    make: Callable[[float], TimedCore[_A, _B]], scheduler: abc.SchedulerBase | None = None
) -> Operator[_A, _B]:
    """Make an operator of a core that time can make speak. `make` is called once for each subscription, with its time.

    Emits: what the core returns, one value after another, whatever thread a value or a timer comes on.
    Completes: after the source, as soon as nothing is due any more. Errors: the source's, after the core's last words;
    whatever the core raises. What an observer raises goes up to the source; out of a timer, where there is nobody to go
    up to, the source is left and the observer gets it as its error. No timer is armed after the end, or a dispose.
    """

    def operator(source: Observable[_A]) -> Observable[_B]:
        def subscribe(observer: abc.ObserverBase[_B], given: abc.SchedulerBase | None = None) -> abc.DisposableBase:
            return _Timed(make, observer, choose_scheduler(scheduler, given)).subscribe(source, given)

        return PushObservable(subscribe)

    return operator


class _Timed(abc.ObserverBase[_A], abc.DisposableBase, Generic[_A, _B]):
    """One subscription: upstream an observer, downstream the Disposable.

    Values and timers are steps in one queue, and whoever finds nobody at work takes the steps one after another. So
    notifications never overlap, and none begins inside another.
    """

    def __init__(
        self,
        make: Callable[[float], TimedCore[_A, _B]],
        observer: abc.ObserverBase[_B],
        scheduler: abc.SchedulerBase,
    ) -> None:
        self._observer = observer
        self._scheduler = scheduler
        self._clock = clock_of(scheduler)
        self._now = self._clock()
        self._core = make(self._now)
        self._source = SingleAssignmentDisposable()
        self._timer = SerialDisposable()
        self._armed: float | None = None
        self._lock = threading.Lock()
        self._steps: deque[Callable[[], Iterable[_B]]] = deque()
        self._busy = False
        self._completed = False
        self._error: Exception | None = None
        self._over = False
        self._raised = False
        """The observer raised: what still comes from the source is for it alone."""
        self._flow: Flow | None = None

    def subscribe(self, source: Observable[_A], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        self._arm()
        self._source.disposable = source.subscribe(self, scheduler=scheduler)
        return self

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: _A) -> None:
        self._flow = FLOW.get()
        self._do(lambda: self._core.feed(value, self._read()))

    def on_completed(self) -> None:
        if self._raised:
            self._observer.on_completed()
        else:
            self._do(self._finish)

    def on_error(self, error: Exception) -> None:
        if self._raised:
            self._observer.on_error(error)
        else:
            self._do(lambda: self._fail(error))

    def dispose(self) -> None:
        with self._lock:
            left, self._over = not self._over, True
        self._let_go()
        if left and isinstance(self._core, Leaving):
            self._core.leave(self._read())

    # ------------------------------------------------------------------ steps

    def _do(self, step: Callable[[], Iterable[_B]]) -> None:
        """Take a step and those that come up meanwhile; or leave it to whoever is at work."""
        with self._lock:
            if self._over:
                return
            self._steps.append(step)
            if self._busy:
                return
            self._busy = True
        try:
            while (next_step := self._next()) is not None:
                self._take(next_step)
        except BaseException:
            self._raised = self._over = True
            self._timer.dispose()
            raise

    def _next(self) -> Callable[[], Iterable[_B]] | None:
        with self._lock:
            if self._steps and not self._over:
                return self._steps.popleft()
            self._steps.clear()
            self._busy = False
            return None

    def _take(self, step: Callable[[], Iterable[_B]]) -> None:
        try:
            outputs = step()
        except Exception as error:  # the core's own
            self._error, outputs = error, ()
        for output in outputs:
            if self._over:
                return
            self._observer.on_next(output)
        if self._over:
            return
        if self._error is not None:
            self._end()
            self._observer.on_error(self._error)
        elif self._completed and self._core.due is None:
            self._end()
            self._observer.on_completed()
        else:
            self._arm()

    def _finish(self) -> Iterable[_B]:
        self._completed, self._flow = True, None
        return self._core.finish(self._read())

    def _fail(self, error: Exception) -> Iterable[_B]:
        self._error = error
        return self._core.fail(self._read())

    def _end(self) -> None:
        self._over = True
        self._let_go()

    def _let_go(self) -> None:
        self._source.dispose()
        self._timer.dispose()

    # ------------------------------------------------------------------ time

    def _read(self, at_least: float = 0.0) -> float:
        self._now = max(self._now, self._clock(), at_least)
        return self._now

    def _arm(self) -> None:
        """Have a timer for what is due. One that fires too early arms another then, which is cheaper than moving it."""
        due = self._core.due
        if due is None or (self._armed is not None and self._armed <= due):
            return
        self._armed = due

        def fire(_scheduler: abc.SchedulerBase, _state: object = None) -> None:
            self._fire(due)

        self._timer.disposable = self._scheduler.schedule_relative(max(0.0, due - self._read()), fire)

    def _fire(self, at: float) -> None:
        token = FLOW.set(self._flow)  # who pauses downstream, pauses the source
        try:
            self._do(lambda: self._tick(at))
        except Exception as error:
            self._source.dispose()
            self._observer.on_error(error)
        finally:
            FLOW.reset(token)

    def _tick(self, at: float) -> Iterable[_B]:
        if self._armed != at:  # another timer took its place just as it fired
            return ()
        self._armed = None
        now = self._read(at)
        due = self._core.due
        return self._core.tick(now) if due is not None and due <= now + _EARLY else ()
