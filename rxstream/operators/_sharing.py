"""One request for any number of subscribers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Generic, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import Disposable, SerialDisposable, SingleAssignmentDisposable

from rxstream.rx._checks import require_source
from rxstream.rx._fan_out import Fanout
from rxstream.rx._observable import PushObservable
from rxstream.rx._timed import choose_scheduler, seconds_of
from rxstream.timing._overflow import Backlog, Overflow, backlog_of, check_overflow

_A = TypeVar("_A")


def shared(
    *,
    linger: float | timedelta = 0.0,
    buffer: int = 64,
    overflow: Overflow = "pause",
    scheduler: abc.SchedulerBase | None = None,
) -> Callable[[Observable[_A]], Observable[_A]]:
    """Share one request among any number of subscribers; a late subscriber first gets all earlier values.

    Marbles::

        source   -C-a-b-|
        result   -C-a-b-|

    The first subscriber starts it. A later one, even after the end, first gets all earlier values at once, and then the
    new ones with the others. A subscriber that raises gets its own error, and the others go on. When the last one has
    left before the end, the source goes on for `linger` seconds: who subscribes then joins it again. After that the
    source is disposed and the values are dropped: the next subscriber starts a new request.

    A subscriber is slow if it pauses the stream, as `iterate`, `map_async` and async handlers do when they are full.
    With `overflow="pause"` all wait for it. With the others the source and the other subscribers go on, and more than
    `buffer` values that wait for it are too many. What a late subscriber missed does not count: it gets all of that, at
    its own pace. A subscriber that blocks its thread in `on_next` holds up the source with every policy, because it is
    called on the thread of the source: make it async, or put `iterate` in a thread of its own.

    Emits, completes, errors: as the source, the end and the error to late subscribers too. A slow subscriber gets the
    end after all values that wait for it. With `overflow="error"` one that is too slow gets `BufferOverflowError`.
    Memory: all values, as long as the Observable is kept. A slow subscriber adds nothing to it.

    Args:
        linger: seconds for which the source goes on without a subscriber. Leaving the session waits for that long.
        buffer: how many values may wait for a slow subscriber. Not used with `"pause"`.
        overflow: what happens to a subscriber for which more values wait. `"pause"`: the source is paused, for all,
            until it goes on. `"error"`: it gets the `buffer` values that wait, and then the error. `"drop_oldest"`: it
            gets the newest `buffer` values. `"conflate"`: adjacent text deltas of one part become one; it
            gets all text.
        scheduler: for the timer of `linger`. By default the subscription's, else the session's.

    Raises: TypeError, ValueError: `linger` is not a span of time, `buffer` not a number from 1, `overflow` not one of
    the four.
    """
    span = seconds_of("linger", linger)
    check_overflow(buffer, overflow)
    make_backlog = None if overflow == "pause" else backlog_of(overflow, buffer)

    def operator(source: Observable[_A]) -> Observable[_A]:
        require_source(source, "shared")

        return PushObservable(_Shared(source, span, make_backlog, scheduler).subscribe)

    return operator


class _SharedSubscription(Generic[_A]):
    """One subscription to the source, and the number of its subscribers."""

    def __init__(self, values: Fanout[_A], timers: abc.SchedulerBase) -> None:
        self.values = values
        self.timers = timers
        self.source = SingleAssignmentDisposable()
        self.lingering = SerialDisposable()
        """The timer that runs while there is no subscriber."""
        self.count = 0


class _Shared(Generic[_A]):
    def __init__(
        self,
        source: Observable[_A],
        linger: float,
        make_backlog: Callable[[], Backlog[_A]] | None,
        scheduler: abc.SchedulerBase | None,
    ) -> None:
        self._source = source
        self._linger = linger
        self._make_backlog = make_backlog
        self._scheduler = scheduler
        self._lock = threading.Lock()
        self._current: _SharedSubscription[_A] | None = None

    def subscribe(
        self, observer: abc.ObserverBase[_A], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        with self._lock:
            first = self._current is None
            if self._current is None:
                timers = choose_scheduler(self._scheduler, scheduler)
                self._current = _SharedSubscription(Fanout(self._make_backlog), timers)
            shared = self._current
            shared.count += 1
        shared.lingering.disposable = Disposable()
        leave = Disposable(lambda: self._leave(shared))
        try:
            subscription = shared.values.subscribe(observer)
        except BaseException:
            leave.dispose()
            raise
        if first:
            values = shared.values

            def on_error(error: Exception) -> None:
                shared.lingering.dispose()  # leaving the session would wait for the timer
                values.on_error(error)

            def on_completed() -> None:
                shared.lingering.dispose()
                values.on_completed()

            shared.source.disposable = self._source.subscribe(
                values.on_next, on_error, on_completed, scheduler=scheduler
            )

        def dispose() -> None:
            subscription.dispose()
            leave.dispose()

        return Disposable(dispose)

    def _leave(self, shared: _SharedSubscription[_A]) -> None:
        with self._lock:
            shared.count -= 1
            if shared.count or shared.values.stopped:
                return
        if not self._linger:
            self._drop(shared)
            return

        def end(_scheduler: abc.SchedulerBase, _state: object = None) -> None:
            self._drop(shared)

        try:
            shared.lingering.disposable = shared.timers.schedule_relative(self._linger, end)
        except RuntimeError:  # the session has been left
            self._drop(shared)

    def _drop(self, shared: _SharedSubscription[_A]) -> None:
        with self._lock:
            if shared.count or shared.values.stopped:
                return
            if self._current is shared:
                self._current = None
        shared.source.dispose()
