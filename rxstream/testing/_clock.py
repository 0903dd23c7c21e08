"""Virtual time: a clock in seconds that moves only when a test moves it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from reactivex import abc
from reactivex.scheduler import VirtualTimeScheduler

_State = TypeVar("_State")

_MOST_AT_ONCE = 100_000
"""After so many actions at one time the clock raises, because they would go on without end."""


class VirtualClock:
    """A clock for timed operators. Nothing really waits, and every run is the same.

        clock = VirtualClock()
        source.pipe(rxs.coalesce(0.03)).subscribe(seen.append, scheduler=clock.scheduler)
        clock.advance(0.05)

    Actions that are due at the same time run in the order in which they were scheduled. Times are exact to the
    microsecond.
    """

    def __init__(self) -> None:
        self._scheduler = ExactScheduler()

    @property
    def scheduler(self) -> VirtualTimeScheduler:
        """For `subscribe(…, scheduler=…)` or an operator's `scheduler=`."""
        return self._scheduler

    @property
    def now(self) -> float:
        """Seconds since the clock was made."""
        return self._scheduler.seconds

    @property
    def waiting(self) -> bool:
        """Whether any action is still scheduled."""
        return self._scheduler.waiting

    def at(self, seconds: float, action: Callable[[], object]) -> abc.DisposableBase:
        """Call `action` `seconds` after the clock was made. Disposing cancels it."""

        def act(scheduler: abc.SchedulerBase, state: object = None) -> None:
            action()

        return self._scheduler.schedule_absolute(seconds, act)

    def advance(self, seconds: float | timedelta) -> None:
        """Run all actions that are due in the next `seconds`; 0 runs those that are due now.

        Raises what an action raises. Raises `AssertionError` if actions at one time go on without end.
        """
        span = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        if span < 0:
            raise ValueError(f"seconds must be 0 or more, got {seconds!r}")
        self._scheduler.run_until(self.now + span)

    def run(self, limit: float = 3600.0) -> None:
        """Run all actions, and the actions that they schedule.

        Raises `AssertionError` if an action is still scheduled after `limit` seconds, such as an interval.
        """
        self._scheduler.run_until(self.now + limit, stay=True)
        if self.waiting:
            raise AssertionError(
                f"expected an end within {limit:g} s of virtual time, but an action is still scheduled"
            )


class ExactScheduler(VirtualTimeScheduler):
    """Rx's own scheduler moves the clock by a second after 100 actions at one time, and skips actions due now."""

    def __init__(self) -> None:
        super().__init__(0.0)

    @property
    def seconds(self) -> float:
        return round(self.to_seconds(self._clock), 6)

    @property
    def waiting(self) -> bool:
        while self._queue and self._queue.peek().is_cancelled():
            self._queue.dequeue()
        return bool(self._queue)

    def schedule_absolute(
        self, duetime: Any, action: abc.ScheduledAction[_State], state: Any = None
    ) -> abc.DisposableBase:
        """A time in the past counts as now, so that the action runs after those that are already due."""
        return super().schedule_absolute(max(self.to_datetime(duetime), self.now), action, state)

    def run_until(self, seconds: float, *, stay: bool = False) -> None:
        """Run what is due until `seconds`. The clock stops at this time, or with `stay` at the last action."""
        end = self.to_datetime(round(seconds, 6))
        at_once = 0
        while self.waiting and (due := self._queue.peek().duetime) <= end:
            at_once = at_once + 1 if due <= self.now else 0
            if at_once > _MOST_AT_ONCE:
                raise AssertionError(f"virtual time does not get past {self.seconds:g} s: actions go on without end")
            self._clock = max(self.seconds, round(self.to_seconds(due), 6))
            self._queue.dequeue().invoke()
        if not stay:
            self._clock = max(self.seconds, round(seconds, 6))
