"""One request for any number of subscribers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import Disposable, SingleAssignmentDisposable

from rxstream.rx._fan_out import Fanout
from rxstream.rx._observable import PushObservable

_A = TypeVar("_A")


def shared() -> Callable[[Observable[_A]], Observable[_A]]:
    """Share one subscription among any number of subscribers: one request, and each late one gets what it missed.

    Marbles::

        source   -C-a-b-|
        result   -C-a-b-|

    The first subscriber starts it. One that comes later, even after the end, first gets all that came before, at once,
    and then goes on with the others. None harms another: one that raises gets its own error, and the others go on;
    but a bounded one that is full pauses the stream for all. When the last leaves before the end, the source is
    disposed and what was kept is forgotten: who subscribes after that starts a new request.

    Emits, completes, errors: as the source, the end and the error to late subscribers too.
    Memory: all values, as long as the Observable is kept.
    """

    def operator(source: Observable[_A]) -> Observable[_A]:
        return PushObservable(_Shared(source).subscribe)

    return operator


class _Request(Generic[_A]):
    """One subscription to the source, and how many share it."""

    def __init__(self) -> None:
        self.values: Fanout[_A] = Fanout()
        self.source = SingleAssignmentDisposable()
        self.count = 0


class _Shared(Generic[_A]):
    def __init__(self, source: Observable[_A]) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._request: _Request[_A] | None = None

    def subscribe(
        self, observer: abc.ObserverBase[_A], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        with self._lock:
            first = self._request is None
            request = self._request = self._request or _Request()
            request.count += 1
        leave = Disposable(lambda: self._leave(request))
        try:
            subscription = request.values.subscribe(observer)
        except BaseException:
            leave.dispose()
            raise
        if first:
            request.source.disposable = self._source.subscribe(request.values, scheduler=scheduler)

        def dispose() -> None:
            subscription.dispose()
            leave.dispose()

        return Disposable(dispose)

    def _leave(self, request: _Request[_A]) -> None:
        with self._lock:
            request.count -= 1
            if request.count or request.values.stopped:
                return
            if self._request is request:
                self._request = None
        request.source.dispose()
