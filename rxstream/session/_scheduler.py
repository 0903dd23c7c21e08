"""An Rx scheduler on the session's loop, for asyncio and trio alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from reactivex import abc
from reactivex.disposable import CompositeDisposable, SingleAssignmentDisposable
from reactivex.scheduler.periodicscheduler import PeriodicScheduler

_State = TypeVar("_State")


class _Timers(Protocol):
    def after(self, seconds: float, action: Callable[[], object]) -> abc.DisposableBase: ...


class AnyIOScheduler(PeriodicScheduler):
    """Timers fire on the session's loop thread, one at a time, in order of their time.

    Our operators take it from the session. Pass it to Rx's own timed operators as `session.scheduler`. Leaving the
    session waits for a timer that is still armed, so dispose what you do not need. What an action raises is raised
    from leaving the session.
    """

    def __init__(self, timers: _Timers) -> None:
        super().__init__()
        self._timers = timers

    def schedule(self, action: abc.ScheduledAction[_State], state: _State | None = None) -> abc.DisposableBase:
        return self.schedule_relative(0.0, action, state)

    def schedule_relative(
        self, duetime: timedelta | float, action: abc.ScheduledAction[_State], state: _State | None = None
    ) -> abc.DisposableBase:
        inner = SingleAssignmentDisposable()

        def fire() -> None:
            inner.disposable = self.invoke_action(action, state=state)

        return CompositeDisposable(self._timers.after(self.to_seconds(duetime), fire), inner)

    def schedule_absolute(
        self, duetime: datetime | float, action: abc.ScheduledAction[_State], state: _State | None = None
    ) -> abc.DisposableBase:
        return self.schedule_relative(self.to_datetime(duetime) - self.now, action, state)
