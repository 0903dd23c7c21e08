"""Virtual time: a clock that moves only when the test says so, in seconds."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from reactivex import abc
from reactivex.scheduler import VirtualTimeScheduler

_State = TypeVar("_State")

_STANDSTILL = 100_000
"""So many actions without the clock moving, and nothing will ever move it."""


class VirtualClock:
    """A clock for timed operators; nothing waits, and the same things happen at the same moments every time.

        clock = VirtualClock()
        source.pipe(rxs.coalesce(0.03)).subscribe(seen.append, scheduler=clock.scheduler)
        clock.advance(0.05)

    What falls due at one moment happens in the order in which it was scheduled. Times are exact to the microsecond.
    """

    def __init__(self) -> None:
        self._scheduler = _Scheduler()

    @property
    def scheduler(self) -> VirtualTimeScheduler:
        """Hand it to `subscribe(…, scheduler=…)` or to an operator's `scheduler=`."""
        return self._scheduler

    @property
    def now(self) -> float:
        """Seconds since the clock was made."""
        return self._scheduler.seconds

    @property
    def waiting(self) -> bool:
        """Whether anything is still to come."""
        return self._scheduler.waiting

    def at(self, seconds: float, action: Callable[[], object]) -> abc.DisposableBase:
        """Call `action` at that moment, counted from when the clock was made; disposing takes it back."""

        def act(scheduler: abc.SchedulerBase, state: object = None) -> None:
            action()

        return self._scheduler.schedule_absolute(seconds, act)

    def advance(self, seconds: float | timedelta) -> None:
        """Do all that falls due in the next `seconds`; 0 does what is due now.

        Raises what an action raises. Raises `AssertionError` where actions go on without end at one moment.
        """
        span = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        if span < 0:
            raise ValueError("time does not go backwards")
        self._scheduler.run_until(self.now + span)

    def run(self, limit: float = 3600.0) -> None:
        """Go on until nothing is left to do.

        Raises `AssertionError` if something is, `limit` seconds from now: a timer that renews itself for ever.
        """
        self._scheduler.run_until(self.now + limit, stay=True)
        if self.waiting:
            raise AssertionError(f"something is still scheduled after {limit:g} s of virtual time")


class _Scheduler(VirtualTimeScheduler):
    """Rx's own jumps a second ahead after 100 actions at one moment, and does not do what is due now."""

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
        """The past is now: a late timer comes after what is due already, not before."""
        return super().schedule_absolute(max(self.to_datetime(duetime), self.now), action, state)

    def run_until(self, seconds: float, *, stay: bool = False) -> None:
        """Do what falls due until then. The clock ends there, or with `stay` at the last thing done."""
        end = self.to_datetime(round(seconds, 6))
        at_once = 0
        while self.waiting and (due := self._queue.peek().duetime) <= end:
            at_once = at_once + 1 if due <= self.now else 0
            if at_once > _STANDSTILL:
                raise AssertionError(f"virtual time stands still at {self.seconds:g} s: actions go on for ever")
            self._clock = max(self.seconds, round(self.to_seconds(due), 6))
            self._queue.dequeue().invoke()
        if not stay:
            self._clock = max(self.seconds, round(seconds, 6))
