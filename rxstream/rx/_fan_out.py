"""One source for several observers."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

from reactivex import abc

from rxstream.rx._context import FLOW, RUNTIME, Flow
from rxstream.rx._observer_flow import ObserverFlow
from rxstream.rx._own_error import send_own_error

_T = TypeVar("_T")


class Fanout(abc.ObserverBase[_T], Generic[_T]):
    """Send every value to all observers. A late observer first gets all earlier values.

    An observer that raises is removed and gets its own error. If it has no `on_error`, leaving the session raises
    the error. The other observers go on. A sink that is full pauses the source, for all observers.

    A late observer gets the earlier values on the thread that subscribes it, while the others go on. The order of the
    values is the same for all.

    Memory: all values, as long as the object lives.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: list[_T] = []
        self._live: tuple[_Subscriber[_T], ...] = ()
        """The observers that have got all values so far."""
        self._stopped = False
        self._error: Exception | None = None

    @property
    def stopped(self) -> bool:
        return self._stopped

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: _T) -> None:
        with self._lock:
            if self._stopped:
                return
            self._values.append(value)
            live = self._live
        flow = FLOW.get()
        unhandled: list[Exception] | None = None
        for subscriber in live:
            try:
                if flow is None:
                    subscriber.on_next(value)
                else:
                    subscriber.notify(value, flow)
            except Exception as error:
                subscriber.dispose()
                unhandled = unhandled or []
                _send_error(subscriber.observer, error, unhandled)
        if unhandled:
            _raise(unhandled)

    def on_error(self, error: Exception) -> None:
        self._stop(error)

    def on_completed(self) -> None:
        self._stop(None)

    def _stop(self, error: Exception | None) -> None:
        with self._lock:
            if self._stopped:
                return
            self._stopped, self._error = True, error
            live, self._live = self._live, ()
        unhandled: list[Exception] = []
        for subscriber in live:
            self._end(subscriber, unhandled)
        _raise(unhandled)

    def _end(self, subscriber: _Subscriber[_T], unhandled: list[Exception]) -> None:
        if self._error is not None:
            _send_error(subscriber.observer, self._error, unhandled, own=False)
            return
        try:
            subscriber.observer.on_completed()
        except Exception as error:
            _send_error(subscriber.observer, error, unhandled)

    # ------------------------------------------------------------------ the observers

    def subscribe(self, observer: abc.ObserverBase[_T]) -> abc.DisposableBase:
        subscriber = _Subscriber(self, observer)
        seen = 0
        while True:
            with self._lock:
                missed = self._values[seen:]
                ended = self._stopped
                if not missed and not ended:
                    self._live = (*self._live, subscriber)
            if not missed:
                break
            subscriber.catch_up(missed)
            seen += len(missed)
        if ended:
            unhandled: list[Exception] = []
            self._end(subscriber, unhandled)
            _raise(unhandled)
        return subscriber

    def drop(self, subscriber: _Subscriber[_T]) -> None:
        with self._lock:
            self._live = tuple(other for other in self._live if other is not subscriber)


class _Subscriber(abc.DisposableBase, Generic[_T]):
    """One observer and its subscription."""

    def __init__(self, fanout: Fanout[_T], observer: abc.ObserverBase[_T]) -> None:
        self._fanout = fanout
        self.observer = observer
        self.on_next = observer.on_next
        self._flows: dict[Flow, ObserverFlow] = {}

    def notify(self, value: _T, flow: Flow) -> None:
        """Notify the observer, with a `Flow` of its own."""
        own_flow = self._flows.get(flow)
        if own_flow is None:
            own_flow = self._flows[flow] = ObserverFlow(flow, self._abort)
        token = FLOW.set(own_flow)
        try:
            self.on_next(value)
        finally:
            FLOW.reset(token)

    def catch_up(self, values: list[_T]) -> None:
        token = FLOW.set(None)  # a subscribe inside a notification of another stream must not pause that stream
        try:
            for value in values:
                self.on_next(value)
        finally:
            FLOW.reset(token)

    def _abort(self, error: Exception) -> None:
        self.dispose()
        unhandled: list[Exception] = []
        _send_error(self.observer, error, unhandled)
        _raise(unhandled)

    def dispose(self) -> None:
        self._fanout.drop(self)
        for own_flow in tuple(self._flows.values()):
            own_flow.close()


def _send_error(
    observer: abc.ObserverBase[_T], error: Exception, unhandled: list[Exception], *, own: bool = True
) -> None:
    """Notify an observer of an error, its own or the source's. If it raises, leaving the session raises that; without
    a session it is added to `unhandled`, which the caller raises when all observers were notified."""
    try:
        if own:
            send_own_error(observer, error)
        else:
            observer.on_error(error)
    except Exception as raised:
        unhandled_error = raised
    else:
        return
    runtime = RUNTIME.get()
    if runtime is None:
        unhandled.append(unhandled_error)
        return

    async def report() -> None:
        raise unhandled_error

    runtime.spawn(report)


def _raise(unhandled: list[Exception]) -> None:
    if len(unhandled) > 1:
        raise ExceptionGroup("several observers failed", unhandled)
    if unhandled:
        raise unhandled[0]
