"""One source, several observers, none of which may harm another."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

from reactivex import abc

from rxstream.rx._branch import Branch
from rxstream.rx._context import FLOW, RUNTIME, Flow

_T = TypeVar("_T")


class Fanout(abc.ObserverBase[_T], Generic[_T]):
    """Replay to each observer what came before it, then go on with it live.

    An observer that raises is dropped and gets its own error; where it has no `on_error`, the session raises it when
    it is left. The others notice nothing. A sink that is full pauses the source, for all of them.

    A late observer is caught up on the thread that subscribes it, while the others go on; nothing overtakes.

    Memory: all values, for as long as anybody may still subscribe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: list[_T] = []
        self._live: tuple[_Member[_T], ...] = ()
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
        for member in live:
            try:
                if flow is None:
                    member.on_next(value)
                else:
                    member.give(value, flow)
            except Exception as error:
                member.dispose()
                unhandled = unhandled or []
                _tell(member.observer, error, unhandled)
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
        for member in live:
            self._end(member, unhandled)
        _raise(unhandled)

    def _end(self, member: _Member[_T], unhandled: list[Exception]) -> None:
        if self._error is not None:
            _tell(member.observer, self._error, unhandled)
            return
        try:
            member.observer.on_completed()
        except Exception as error:
            _tell(member.observer, error, unhandled)

    # ------------------------------------------------------------------ the observers

    def subscribe(self, observer: abc.ObserverBase[_T]) -> abc.DisposableBase:
        member = _Member(self, observer)
        seen = 0
        while True:
            with self._lock:
                missed = self._values[seen:]
                ended = self._stopped
                if not missed and not ended:
                    self._live = (*self._live, member)
            if not missed:
                break
            member.catch_up(missed)
            seen += len(missed)
        if ended:
            unhandled: list[Exception] = []
            self._end(member, unhandled)
            _raise(unhandled)
        return member

    def drop(self, member: _Member[_T]) -> None:
        with self._lock:
            self._live = tuple(other for other in self._live if other is not member)


class _Member(abc.DisposableBase, Generic[_T]):
    """One observer, and what lets go of it."""

    def __init__(self, fanout: Fanout[_T], observer: abc.ObserverBase[_T]) -> None:
        self._fanout = fanout
        self.observer = observer
        self.on_next = observer.on_next
        self._branches: dict[Flow, Branch] = {}

    def give(self, value: _T, flow: Flow) -> None:
        """Notify the observer, with a tap of its own."""
        branch = self._branches.get(flow)
        if branch is None:
            branch = self._branches[flow] = Branch(flow, self._abort)
        token = FLOW.set(branch)
        try:
            self.on_next(value)
        finally:
            FLOW.reset(token)

    def catch_up(self, values: list[_T]) -> None:
        token = FLOW.set(None)  # who subscribes in the notification of another stream does not pause that one
        try:
            for value in values:
                self.on_next(value)
        finally:
            FLOW.reset(token)

    def _abort(self, error: Exception) -> None:
        self.dispose()
        unhandled: list[Exception] = []
        _tell(self.observer, error, unhandled)
        _raise(unhandled)

    def dispose(self) -> None:
        self._fanout.drop(self)
        for branch in tuple(self._branches.values()):
            branch.close()


def _tell(observer: abc.ObserverBase[_T], error: Exception, unhandled: list[Exception]) -> None:
    """Give an observer an error. What it does not take is raised from leaving the session; without one it is returned
    in `unhandled`, to be raised once all have been told."""
    try:
        observer.on_error(error)
    except Exception as raised:
        lost = raised
    else:
        return
    runtime = RUNTIME.get()
    if runtime is None:
        unhandled.append(lost)
        return

    async def report() -> None:
        raise lost

    runtime.spawn(report)


def _raise(unhandled: list[Exception]) -> None:
    if len(unhandled) > 1:
        raise ExceptionGroup("several observers failed", unhandled)
    if unhandled:
        raise unhandled[0]
