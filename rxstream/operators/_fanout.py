"""One source, several observers, none of which may harm another."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

from reactivex import abc
from reactivex.disposable import Disposable

from rxstream._context import RUNTIME

_T = TypeVar("_T")


class Fanout(abc.ObserverBase[_T], Generic[_T]):
    """Replay to each observer what came before it, then go on with it live.

    An observer that raises is dropped and gets its own error; where it has no `on_error`, the session raises it when
    it is left. The others notice nothing.

    Memory: all values, for as long as anybody may still subscribe.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._values: list[_T] = []
        self._observers: tuple[abc.ObserverBase[_T], ...] = ()
        self._stopped = False
        self._error: Exception | None = None

    @property
    def stopped(self) -> bool:
        return self._stopped

    def on_next(self, value: _T) -> None:
        with self._lock:
            if self._stopped:
                return
            self._values.append(value)
            observers = self._observers
        for observer in observers:
            try:
                observer.on_next(value)
            except Exception as error:
                self._drop(observer)
                _tell(observer, error)

    def on_error(self, error: Exception) -> None:
        for observer in self._stop(error):
            _tell(observer, error)

    def on_completed(self) -> None:
        for observer in self._stop(None):
            try:
                observer.on_completed()
            except Exception as error:
                _tell(observer, error)

    def subscribe(self, observer: abc.ObserverBase[_T]) -> abc.DisposableBase:
        with self._lock:  # held while replaying, so that nothing live overtakes what came before
            for value in tuple(self._values):
                observer.on_next(value)
            if not self._stopped:
                self._observers = (*self._observers, observer)
                return Disposable(lambda: self._drop(observer))
        if self._error is not None:
            observer.on_error(self._error)
        else:
            observer.on_completed()
        return Disposable()

    def _stop(self, error: Exception | None) -> tuple[abc.ObserverBase[_T], ...]:
        with self._lock:
            if self._stopped:
                return ()
            self._stopped, self._error = True, error
            observers, self._observers = self._observers, ()
            return observers

    def _drop(self, observer: abc.ObserverBase[_T]) -> None:
        with self._lock:
            self._observers = tuple(other for other in self._observers if other is not observer)


def _tell(observer: abc.ObserverBase[_T], error: Exception) -> None:
    """Give an observer an error; what it does not take is raised from leaving the session, or here without one."""
    try:
        observer.on_error(error)
    except Exception as unhandled:
        runtime = RUNTIME.get()
        if runtime is None:
            raise

        async def report(unhandled: Exception = unhandled) -> None:
            raise unhandled

        runtime.spawn(report)
