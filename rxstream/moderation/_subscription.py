"""One moderated subscription: gives events and verdicts to the machine, and executes its commands."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from reactivex import Observable, abc
from reactivex.disposable import Disposable, SerialDisposable, SingleAssignmentDisposable

from rxstream.errors import ModerationError
from rxstream.events import Event, StreamingEvent
from rxstream.moderation.checks._calling import ModerationCheck, call_check
from rxstream.moderation.machine._commands import (
    COMMANDS,
    CancelCheck,
    Complete,
    DropSource,
    Fail,
    Pause,
    RecordVerdict,
    Resume,
    StartCheck,
)
from rxstream.moderation.machine._machine import Moderator, Output, Phase
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._window import Verdict, VerdictRecord
from rxstream.rx._context import FLOW, RUNTIME, Flow
from rxstream.rx._serial import ENDING, RAISED, Serial
from rxstream.rx._timed import clock_of

_log = logging.getLogger("rxstream.moderation")

_LONGEST_TIMER = 3600.0
"""Seconds. Schedulers have a greatest delay. A timer that fires before `wake` is set again."""


class ModeratedSubscription(abc.ObserverBase[StreamingEvent], abc.DisposableBase):
    """The observer of the source, and the Disposable of the subscriber. Each input is a step of a `Serial`."""

    def __init__(
        self,
        options: Options,
        checks: tuple[ModerationCheck, ...],
        observer: abc.ObserverBase[Any],
        scheduler: abc.SchedulerBase,
        on_verdict: Callable[[VerdictRecord], object] | None,
    ) -> None:
        self._machine = Moderator(options)
        self._checks = checks
        self._on_verdict = on_verdict
        self._runtime = RUNTIME.get()
        """The session that async checks run in."""
        self._scheduler = scheduler
        self._now = clock_of(scheduler)
        self._serial = Serial(observer, self._close)
        self._serial.aborts = True
        self._timer = SerialDisposable()
        self._timer_at: float | None = None
        """When the timer fires. None if no timer is armed, and none that has fired waits for its step."""
        self._running: dict[int, abc.DisposableBase] = {}
        """The subscriptions of the calls whose verdict the machine does not have yet, by id."""
        self._verdicts: deque[tuple[int, Verdict | None, str]] = deque()
        """What the machine does not have yet: arguments of `_check_ended`."""
        self._paused: Flow | None = None
        """The flow that is paused."""

    def subscribe(self, source: Observable[Any], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        self._serial.source.disposable = source.subscribe(self, scheduler=scheduler)
        return self

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: StreamingEvent) -> None:
        if not isinstance(value, Event):  # pyright: ignore[reportUnnecessaryIsInstance]  # Rx does not check
            self._serial.end(
                TypeError(
                    f"debounce_moderation expects events, got {type(value).__name__}: "
                    "for a stream of text use debounce_moderation_text()"
                )
            )
            return
        self._serial.flow = FLOW.get()
        self._serial.feed(self._step, self._feed, value)

    def _feed(self, event: StreamingEvent, now: float) -> Iterable[Output]:
        return self._machine.feed(event, now, pausable=self._serial.flow is not None)

    def on_error(self, error: Exception) -> None:
        if self._serial.state is RAISED:
            self._serial.end(error)
        else:
            self._serial.source_ended()
            self._serial.feed_last(self._step, self._machine.source_failed, error)

    def on_completed(self) -> None:
        self._serial.source_ended()
        self._serial.feed_last(self._step, self._machine.source_completed)

    def dispose(self) -> None:
        self._serial.dispose()

    # ------------------------------------------------------------------ steps

    def _step(self, method: Callable[..., Iterable[Output]], *args: Any) -> None:
        """Call a method of the machine, and before and after it handle the verdicts that have come.

        These do not wait for the steps in the queue: while they wait, text would be held that has passed.
        """
        self._take_verdicts()
        if self._serial.state < ENDING:
            self._run(method, *args)
            self._take_verdicts()

    def _take_verdicts(self) -> None:
        while self._verdicts and self._serial.state < ENDING:
            self._run(self._check_ended, *self._verdicts.popleft())

    def _run(self, method: Callable[..., Iterable[Output]], *args: Any) -> None:
        """Call a method of the machine; emit the events that it returns, and execute the commands."""
        try:
            outputs = method(*args, self._now())
        except Exception as error:
            source_error = args[0] if method == self._machine.source_failed else None
            outputs = self._step_failed(error, source_error)
        serial = self._serial
        waiting = iter(outputs)
        try:
            for output in waiting:
                if not isinstance(output, COMMANDS):
                    serial.emit((output,))
                elif isinstance(output, RecordVerdict):
                    self._record(output.record)
                elif serial.state < ENDING:
                    self._execute(output)
        finally:
            for output in waiting:  # the observer has raised: the records are complete nevertheless
                if isinstance(output, RecordVerdict):
                    self._record(output.record)
        if serial.state < ENDING:
            try:
                self._set_timer()
            except Exception as error:  # of the scheduler
                serial.end(error)

    def _step_failed(self, error: Exception, source_error: Exception | None) -> Iterable[Output]:
        """End after a bug in the machine. Held text is dropped. Of `error` only the class is named, not its text."""
        _log.error("moderation failed: %s", type(error).__name__)
        self._machine.phase = Phase.ENDED
        bug = ModerationError(f"moderation failed ({type(error).__name__}): please report this bug")
        return DropSource(), Fail(source_error or bug)

    # ------------------------------------------------------------------ commands

    def _execute(self, command: Any) -> None:
        match command:
            case StartCheck():
                self._start(command)
            case CancelCheck(id):
                subscription = self._running.pop(id, None)
                if subscription is not None:
                    subscription.dispose()
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
                raise AssertionError(command)

    def _start(self, command: StartCheck) -> None:
        call = self._running[command.id] = SingleAssignmentDisposable()
        reported = False
        calling: int | None = threading.get_ident()

        def report(verdict: Verdict | None, failure: str) -> None:
            nonlocal reported
            reported = True
            if command.id in self._running:
                self._running[command.id] = Disposable()  # its task may be the one that runs: it is not cancelled
            self._verdicts.append((command.id, verdict, failure))
            if calling != threading.get_ident():  # else the step that called the check takes it
                self._serial.feed_from_timer(self._take_verdicts)

        subscription = call_check(self._checks[command.tier], command.window, self._runtime, self._scheduler, report)
        calling = None
        if subscription is not None and not reported:
            call.disposable = subscription
        if self._serial.state >= ENDING:
            self._close()

    def _check_ended(self, id: int, verdict: Verdict | None, failure: str, now: float) -> Iterable[Output]:
        self._running.pop(id, None)
        return self._machine.check_ended(id, verdict, now, failure)

    def _record(self, record: VerdictRecord) -> None:
        """Give a record to the application. If that raises, moderation goes on."""
        assert self._on_verdict is not None
        try:
            self._on_verdict(record)
        except Exception as error:
            _log.error("on_verdict raised %s", type(error).__name__)

    def _pause(self) -> None:
        self._paused = self._serial.flow
        if self._paused is not None:
            self._paused.pause()

    def _resume(self) -> None:
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.resume()

    def _set_timer(self) -> None:
        wake = self._machine.wake
        if wake is None:
            if self._timer_at is not None:
                self._timer_at = None
                self._timer.disposable = Disposable()
        elif self._timer_at is None or wake < self._timer_at:
            self._timer_at = wake
            delay = min(max(0.0, wake - self._now()), _LONGEST_TIMER)
            self._timer.disposable = self._scheduler.schedule_relative(delay, self._timer_fired)

    def _timer_fired(self, scheduler: abc.SchedulerBase, state: object = None) -> None:
        self._serial.feed_from_timer(self._step, self._tick)

    def _tick(self, now: float) -> Iterable[Output]:
        self._timer_at = None  # not before: a timer whose step waits in the queue must not be set again
        return self._machine.tick(now)

    def _close(self) -> None:
        self._timer.dispose()
        for id in list(self._running):
            subscription = self._running.pop(id, None)
            if subscription is not None:
                subscription.dispose()
                record = self._machine.calls.cancelled_record(id, self._now())
                if record is not None:
                    self._record(record)
        for record in self._machine.calls.take_flagged():
            self._record(record)
        self._resume()
