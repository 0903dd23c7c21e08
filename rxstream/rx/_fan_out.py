"""One source for several observers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from reactivex import abc

from rxstream.rx._context import FLOW, Flow
from rxstream.rx._observer_flow import ObserverFlow
from rxstream.rx._own_error import raise_all, send_error
from rxstream.rx._own_pace import NextValue, OwnPaceReader

_T = TypeVar("_T")


class Fanout(abc.ObserverBase[_T], Generic[_T]):
    """Send every value to all observers. A late observer first gets all earlier values.

    An observer that raises is removed and gets its own error. If it has no `on_error`, leaving the session raises
    the error. The other observers go on. A sink that is full pauses the source, for all observers.

    A late observer gets the earlier values on the thread that subscribes it, while the others go on. The order of the
    values is the same for all.

    With `make_backlog`, each observer reads at its own pace, and pauses neither the source nor others: `OwnPaceReader`.

    Memory: all values, as long as the object lives.
    """

    def __init__(self, make_backlog: Callable[[], NextValue[_T]] | None = None) -> None:
        self._make_backlog = make_backlog
        self._lock = threading.Lock()
        self.values: list[_T] = []
        """All values so far."""
        self._live: tuple[_Subscriber[_T], ...] = ()
        """The observers that have got all values so far."""
        self._readers: tuple[OwnPaceReader[_T], ...] = ()
        """The observers that read at their own pace."""
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
            self.values.append(value)
            live, readers = self._live, self._readers
        if self._make_backlog is not None:
            self._read(readers)
            return
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
                send_error(subscriber.observer, error, unhandled)
        if unhandled:
            raise_all(unhandled)

    def on_error(self, error: Exception) -> None:
        self._stop(error)

    def on_completed(self) -> None:
        self._stop(None)

    def _stop(self, error: Exception | None) -> None:
        with self._lock:
            if self._stopped:
                return
            self._error, self._stopped = error, True  # in this order: readers look at `stopped` without the lock
            live, self._live = self._live, ()
            readers, self._readers = self._readers, ()
        if self._make_backlog is not None:
            self._read(readers)
            return
        unhandled: list[Exception] = []
        for subscriber in live:
            self.send_end(subscriber.observer, unhandled)
        raise_all(unhandled)

    def send_end(self, observer: abc.ObserverBase[_T], unhandled: list[Exception]) -> None:
        """Notify an observer of the end of the source. What it raises is added to `unhandled`."""
        if self._error is not None:
            send_error(observer, self._error, unhandled, own=False)
            return
        try:
            observer.on_completed()
        except Exception as error:
            send_error(observer, error, unhandled)

    def _read(self, readers: tuple[OwnPaceReader[_T], ...]) -> None:
        unhandled: list[Exception] = []
        for reader in readers:
            reader.read(unhandled)
        raise_all(unhandled)

    # ------------------------------------------------------------------ the observers

    def subscribe(self, observer: abc.ObserverBase[_T]) -> abc.DisposableBase:
        if self._make_backlog is not None:
            reader = OwnPaceReader(self, observer, self._make_backlog())
            with self._lock:
                if not self._stopped:
                    self._readers = (*self._readers, reader)
            reader.start()
            return reader
        subscriber = _Subscriber(self, observer)
        seen = 0
        while True:
            with self._lock:
                missed = self.values[seen:]
                ended = self._stopped
                if not missed and not ended:
                    self._live = (*self._live, subscriber)
            if not missed:
                break
            subscriber.catch_up(missed)
            seen += len(missed)
        if ended:
            unhandled: list[Exception] = []
            self.send_end(subscriber.observer, unhandled)
            raise_all(unhandled)
        return subscriber

    def drop(self, subscriber: _Subscriber[_T] | OwnPaceReader[_T]) -> None:
        """The subscriber gets nothing more."""
        with self._lock:
            self._live = tuple(other for other in self._live if other is not subscriber)
            self._readers = tuple(other for other in self._readers if other is not subscriber)


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
        send_error(self.observer, error, unhandled)
        raise_all(unhandled)

    def dispose(self) -> None:
        self._fanout.drop(self)
        for own_flow in tuple(self._flows.values()):
            own_flow.close()
