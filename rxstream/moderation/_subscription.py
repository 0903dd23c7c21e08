"""One moderated subscription: carries events and verdicts to the machine, and its orders to the world."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from reactivex import Observable, abc
from reactivex.disposable import Disposable, SerialDisposable, SingleAssignmentDisposable

from rxstream.errors import ModerationError
from rxstream.events import Event, StreamingEvent
from rxstream.moderation.checks._calling import ModerationCheck, ask
from rxstream.moderation.machine._judging import Output
from rxstream.moderation.machine._machine import Moderator
from rxstream.moderation.machine._terms import (
    ORDERS,
    CancelCheck,
    Complete,
    DropSource,
    Fail,
    Pause,
    Resume,
    StartCheck,
    Terms,
    Verdict,
)
from rxstream.rx._context import FLOW, RUNTIME, Flow
from rxstream.rx._timed import clock_of

_log = logging.getLogger("rxstream.moderation")

_LONGEST = 3600.0
"""Timers cannot be set as far ahead as one likes. One that rings too early is set again."""


class Moderation(abc.ObserverBase[StreamingEvent], abc.DisposableBase):
    """An observer upstream, and downstream the Disposable.

    Events, verdicts and timers may come on different threads. Each is a step in one queue, and whoever finds nobody at
    work takes the steps one after another: so notifications never overlap, and none begins inside another.
    """

    def __init__(
        self,
        terms: Terms,
        checks: tuple[ModerationCheck, ...],
        observer: abc.ObserverBase[Any],
        scheduler: abc.SchedulerBase,
    ) -> None:
        self._machine = Moderator(terms)
        self._checks = checks
        self._observer = observer
        self._runtime = RUNTIME.get()
        self._scheduler = scheduler
        self._now = clock_of(scheduler)
        self._source = SingleAssignmentDisposable()
        self._timer = SerialDisposable()
        self._armed: float | None = None
        self._asked: dict[int, abc.DisposableBase] = {}
        self._lock = threading.Lock()
        self._steps: deque[tuple[Callable[..., Iterable[Output]], tuple[Any, ...]]] = deque()
        self._busy = False
        self._over = False
        self._raised = False
        """The observer raised: all that follows is the source's, which will tell it so."""
        self._told = False
        """The observer was told the end."""
        self._left = False
        """The source has ended, or was left: it can take no error to the observer any more."""
        self._emitting = threading.RLock()
        self._flow: Flow | None = None
        self._paused: Flow | None = None

    def subscribe(self, source: Observable[StreamingEvent], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        self._source.disposable = source.subscribe(self, scheduler=scheduler)
        return self

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: StreamingEvent) -> None:
        if not isinstance(value, Event):  # pyright: ignore[reportUnnecessaryIsInstance]  # Rx does not check
            self.dispose()
            self._observer.on_error(
                TypeError(
                    f"debounce_moderation() holds back events and was given {type(value).__name__}: "
                    "for a stream of text use debounce_moderation_text()"
                )
            )
            return
        self._flow = FLOW.get()
        self._do(self._machine.feed, value)

    def on_error(self, error: Exception) -> None:
        self._left = True
        if self._raised:
            self._observer.on_error(error)
        else:
            self._do(self._machine.failed, error)

    def on_completed(self) -> None:
        self._left = True
        self._do(self._machine.completed)

    def dispose(self) -> None:
        self._over = True
        self._let_go()
        # From another thread it returns when no `on_next` runs; but there may be one that waits for this very thread.
        here = self._runtime is not None and self._runtime.on_loop_thread()
        if not here and self._emitting.acquire(timeout=1.0):
            self._emitting.release()

    # ------------------------------------------------------------------ steps

    def _do(self, step: Callable[..., Iterable[Output]], *args: Any) -> None:
        """Take a step, and those that come up meanwhile; or leave it to whoever is at work."""
        with self._lock:
            if self._over:
                return
            if self._busy:
                self._steps.append((step, args))
                return
            self._busy = True
        try:
            while True:
                for output in self._take(step, args):
                    if self._over:
                        break
                    if isinstance(output, ORDERS):
                        self._obey(output)
                    else:
                        self._emit(output)
                self._arm()
                with self._lock:
                    if self._over or not self._steps:
                        self._steps.clear()
                        self._busy = False
                        return
                    step, args = self._steps.popleft()
        except BaseException:
            self._raised = self._over = True
            self._busy = False
            self._let_go(source=False)
            raise

    def _emit(self, event: Any) -> None:
        with self._emitting:
            if not self._over:
                self._observer.on_next(event)

    def _take(self, step: Callable[..., Iterable[Output]], args: tuple[Any, ...]) -> Iterable[Output]:
        """What a step says. One that breaks down is the end: what was held is never shown, not even in its error."""
        try:
            return step(*args, self._now())
        except Exception as error:
            _log.error("moderation broke down: %s", type(error).__name__)
            self._machine.over = True
            fault: Exception = ModerationError(f"moderation broke down ({type(error).__name__}); please report it")
            if step == self._machine.failed:
                fault = args[0]
            return DropSource(), Fail(fault)

    def _later(self, step: Callable[..., Iterable[Output]], *args: Any) -> None:
        """Take a step that did not come from the source; what the observer raises has nobody to go up to."""
        token = FLOW.set(self._flow)  # who pauses downstream, pauses the source
        try:
            self._do(step, *args)
        except Exception as error:
            if self._told:
                raise  # it took no error, or raised at the end: that is for whoever waits for this session or thread
            if self._flow is not None and not self._left:
                self._flow.abort(error)
            else:
                self._source.dispose()
                self._observer.on_error(error)
        finally:
            FLOW.reset(token)

    # ------------------------------------------------------------------ orders

    def _obey(self, order: Any) -> None:
        match order:
            case StartCheck():
                self._start(order)
            case CancelCheck(id):
                asked = self._asked.pop(id, None)
                if asked is not None:
                    asked.dispose()
            case Pause():
                self._pause()
            case Resume():
                self._resume()
            case DropSource():
                self._left = True
                self._source.dispose()
            case Complete():
                self._end()
                self._observer.on_completed()
            case Fail(error):
                self._end()
                self._observer.on_error(error)
            case _:
                raise AssertionError(order)

    def _start(self, order: StartCheck) -> None:
        answered = False

        def report(verdict: Verdict | None) -> None:
            nonlocal answered
            answered = True
            self._asked.pop(order.id, None)
            self._later(self._machine.answer, order.id, verdict)

        asked = ask(self._checks[order.tier], order.window, self._runtime, self._scheduler, report)
        if asked is not None:
            self._asked[order.id] = asked
            if answered:
                self._asked.pop(order.id, None)
            elif self._over:
                asked.dispose()

    def _pause(self) -> None:
        if self._flow is None:
            self._steps.appendleft((self._machine.overflow, ()))
        else:
            self._paused = self._flow
            self._paused.pause()

    def _resume(self) -> None:
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.resume()

    def _arm(self) -> None:
        wake = self._machine.wake
        if self._over:
            return
        if wake is None:
            if self._armed is not None:
                self._armed = None
                self._timer.disposable = Disposable()
        elif self._armed is None or wake < self._armed:
            self._armed = wake
            delay = min(max(0.0, wake - self._now()), _LONGEST)
            self._timer.disposable = self._scheduler.schedule_relative(delay, self._ring)

    def _ring(self, scheduler: abc.SchedulerBase, state: object = None) -> None:
        self._armed = None
        self._later(self._machine.tick)

    # ------------------------------------------------------------------ the end

    def _end(self) -> None:
        self._over = self._told = True
        self._let_go()

    def _let_go(self, *, source: bool = True) -> None:
        if source:
            self._source.dispose()
        self._timer.dispose()
        while self._asked:
            _, asked = self._asked.popitem()
            asked.dispose()
        self._resume()
