"""One request for any number of subscribers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import Disposable, SingleAssignmentDisposable

from rxstream.rx._checks import require_source
from rxstream.rx._fan_out import Fanout
from rxstream.rx._observable import PushObservable

_A = TypeVar("_A")


def shared() -> Callable[[Observable[_A]], Observable[_A]]:
    """Share one request among any number of subscribers; a late subscriber first gets all earlier values.

    Marbles::

        source   -C-a-b-|
        result   -C-a-b-|

    The first subscriber starts it. A later one, even after the end, first gets all earlier values at once, and then the
    new ones with the others. A subscriber that raises gets its own error, and the others go on; but a bounded one that
    is full pauses the stream for all. When the last one disposes before the end, the source is disposed and the values
    are dropped: the next subscriber starts a new request.

    Emits, completes, errors: as the source, the end and the error to late subscribers too.
    Memory: all values, as long as the Observable is kept.
    """

    def operator(source: Observable[_A]) -> Observable[_A]:
        require_source(source, "shared")

        return PushObservable(_Shared(source).subscribe)

    return operator


class _SharedSubscription(Generic[_A]):
    """One subscription to the source, and the number of its subscribers."""

    def __init__(self) -> None:
        self.values: Fanout[_A] = Fanout()
        self.source = SingleAssignmentDisposable()
        self.count = 0


class _Shared(Generic[_A]):
    def __init__(self, source: Observable[_A]) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._current: _SharedSubscription[_A] | None = None

    def subscribe(
        self, observer: abc.ObserverBase[_A], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        with self._lock:
            first = self._current is None
            shared = self._current = self._current or _SharedSubscription()
            shared.count += 1
        leave = Disposable(lambda: self._leave(shared))
        try:
            subscription = shared.values.subscribe(observer)
        except BaseException:
            leave.dispose()
            raise
        if first:
            shared.source.disposable = self._source.subscribe(shared.values, scheduler=scheduler)

        def dispose() -> None:
            subscription.dispose()
            leave.dispose()

        return Disposable(dispose)

    def _leave(self, shared: _SharedSubscription[_A]) -> None:
        with self._lock:
            shared.count -= 1
            if shared.count or shared.values.stopped:
                return
            if self._current is shared:
                self._current = None
        shared.source.dispose()
