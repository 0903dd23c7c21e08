"""One moderated subscription: carries events and verdicts to the machine, and its orders to the world."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from reactivex import Observable, abc
from reactivex.disposable import Disposable, SerialDisposable

from rxstream.errors import ModerationError
from rxstream.events import Event, StreamingEvent
from rxstream.moderation.checks._calling import ModerationCheck, ask
from rxstream.moderation.machine._commands import (
    COMMANDS,
    CancelCheck,
    Complete,
    DropSource,
    Fail,
    Pause,
    Resume,
    StartCheck,
)
from rxstream.moderation.machine._machine import Moderator
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._verdict_handling import Output
from rxstream.moderation.machine._window import Verdict
from rxstream.rx._context import FLOW, RUNTIME, Flow
from rxstream.rx._serial import ENDING, RAISED, Serial
from rxstream.rx._timed import clock_of

_log = logging.getLogger("rxstream.moderation")

_LONGEST = 3600.0
"""Timers cannot be set as far ahead as one likes. One that rings too early is set again."""


class ModeratedSubscription(abc.ObserverBase[StreamingEvent], abc.DisposableBase):
    """An observer upstream, and downstream the Disposable. Events, verdicts and timers are steps of a `Serial`."""

    def __init__(
        self,
        options: Options,
        checks: tuple[ModerationCheck, ...],
        observer: abc.ObserverBase[Any],
        scheduler: abc.SchedulerBase,
    ) -> None:
        self._machine = Moderator(options)
        self._checks = checks
        self._runtime = RUNTIME.get()
        """The session that async checks run in."""
        self._scheduler = scheduler
        self._now = clock_of(scheduler)
        self._serial = Serial(observer, self._close)
        self._serial.aborts = True
        self._timer = SerialDisposable()
        self._armed: float | None = None
        """When the timer fires; None where none is armed."""
        self._running: dict[int, abc.DisposableBase] = {}
        """The checks that run, by the machine's number."""
        self._paused: Flow | None = None
        """The stream that was asked to pause, and has to be let go on."""

    def subscribe(self, source: Observable[StreamingEvent], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        self._serial.source.disposable = source.subscribe(self, scheduler=scheduler)
        return self

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: StreamingEvent) -> None:
        if not isinstance(value, Event):  # pyright: ignore[reportUnnecessaryIsInstance]  # Rx does not check
            self._serial.end(
                TypeError(
                    f"debounce_moderation() holds back events and was given {type(value).__name__}: "
                    "for a stream of text use debounce_moderation_text()"
                )
            )
            return
        self._serial.flow = FLOW.get()
        self._serial.feed(self._step, self._machine.feed, value)

    def on_error(self, error: Exception) -> None:
        if self._serial.state is RAISED:
            self._serial.end(error)
        else:
            self._serial.source_ended()
            self._serial.feed(self._step, self._machine.source_failed, error)

    def on_completed(self) -> None:
        self._serial.source_ended()
        self._serial.feed(self._step, self._machine.source_completed)

    def dispose(self) -> None:
        self._serial.dispose()

    # ------------------------------------------------------------------ steps

    def _step(self, ask: Callable[..., Iterable[Output]], *args: Any) -> None:
        """Carry out what a method of the machine returns."""
        try:
            outputs = ask(*args, self._now())
        except Exception as error:
            failed = ask == self._machine.source_failed
            outputs = self._broken(error, args[0] if failed else None)
        serial = self._serial
        for output in outputs:
            if not isinstance(output, COMMANDS):
                serial.emit((output,))
            elif serial.state < ENDING:
                self._obey(output)
        if serial.state < ENDING:
            self._arm()

    def _broken(self, error: Exception, cause: Exception | None) -> Iterable[Output]:
        """A step that breaks down is the end: what was held is never shown, not even in its error."""
        _log.error("moderation broke down: %s", type(error).__name__)
        self._machine.ended = True
        report = ModerationError(f"moderation broke down ({type(error).__name__}); please report it")
        return DropSource(), Fail(cause or report)

    # ------------------------------------------------------------------ orders

    def _obey(self, order: Any) -> None:
        match order:
            case StartCheck():
                self._start(order)
            case CancelCheck(id):
                asked = self._running.pop(id, None)
                if asked is not None:
                    asked.dispose()
            case Pause():
                self._pause()
            case Resume():
                self._resume()
            case DropSource():
                self._serial.source_ended()
                self._serial.source.dispose()
            case Complete():
                self._serial.end()
            case Fail(error):
                self._serial.end(error)
            case _:
                raise AssertionError(order)

    def _start(self, order: StartCheck) -> None:
        answered = False

        def report(verdict: Verdict | None) -> None:
            nonlocal answered
            answered = True
            self._running.pop(order.id, None)
            self._serial.feed_late(self._step, self._machine.answer, order.id, verdict)

        asked = ask(self._checks[order.tier], order.window, self._runtime, self._scheduler, report)
        if asked is not None:
            self._running[order.id] = asked
            if answered:
                self._running.pop(order.id, None)
            elif self._serial.state >= ENDING:
                asked.dispose()

    def _pause(self) -> None:
        self._paused = self._serial.flow
        if self._paused is not None:
            self._paused.pause()
        else:
            self._serial.feed_next(self._step, self._machine.overflow)

    def _resume(self) -> None:
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.resume()

    def _arm(self) -> None:
        wake = self._machine.wake
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
        self._serial.feed_late(self._step, self._machine.tick)

    def _close(self) -> None:
        self._timer.dispose()
        while self._running:
            _, asked = self._running.popitem()
            asked.dispose()
        self._resume()
