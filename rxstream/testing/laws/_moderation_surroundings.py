"""What a run in virtual time takes place in: a clock that counts timers, a session, a log."""

import logging
from collections.abc import Callable
from typing import Any

from reactivex import abc
from reactivex.disposable import CompositeDisposable, Disposable

from rxstream.testing._clock import ExactScheduler, VirtualClock


class CountingClock(VirtualClock):
    """Counts the timers of an operator that are armed: set, not fired and not disposed."""

    def __init__(self) -> None:
        self.counting = _CountingScheduler()
        self._scheduler = self.counting


class _CountingScheduler(ExactScheduler):
    def __init__(self) -> None:
        super().__init__()
        self._armed = 0
        self.most = 0

    def schedule_relative(self, duetime: Any, action: abc.ScheduledAction[Any], state: Any = None) -> Any:
        def disarm() -> None:
            self._armed -= 1

        def fire(scheduler: abc.SchedulerBase, state: Any = None) -> Any:
            armed.dispose()
            return action(scheduler, state)

        armed = Disposable(disarm)
        self._armed += 1
        self.most = max(self.most, self._armed)
        return CompositeDisposable([super().schedule_relative(duetime, fire, state), armed])


class ImmediateSession:
    """A session for checks that are written `async` and wait for nothing."""

    def __init__(self, scheduler: abc.SchedulerBase) -> None:
        self.scheduler = scheduler

    def on_loop_thread(self) -> bool:
        return True

    def was_forked(self) -> bool:
        return False

    def watch(self, pull: object) -> None:
        """This session is never left."""

    def spawn(self, job: Callable[[], Any]) -> abc.DisposableBase:
        coroutine = job()
        try:
            coroutine.send(None)
        except StopIteration:
            return Disposable()
        coroutine.close()
        raise AssertionError("a check that really waits cannot be tried in virtual time: give one that answers at once")


class LogLines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
        if record.exc_info:
            self._lines.append(repr(record.exc_info))
