"""A stream whose first event is awaited before it is decided how the request is answered."""

from __future__ import annotations

from typing import Any

from reactivex import Observable, abc
from reactivex.disposable import Disposable, SingleAssignmentDisposable

from rxstream.rx._context import FLOW, Flow
from rxstream.rx._loops import Signal
from rxstream.rx._observable import PushObservable
from rxstream.session import Session


class Opening(abc.ObserverBase[Any], abc.DisposableBase):
    """Subscribes to a stream, pauses it at its first event, and gives all of it to the one subscriber of `events`.

    The status of an answer is sent before its first byte, and the id in the log is made of that of the response: both
    need the first event, or the error in place of it. All of it runs on the session's loop.
    Memory: the events that came before the pause had its effect.

    Args:
        running: the set that it is in until it has ended.
    """

    def __init__(self, session: Session, source: Observable[Any], running: set[Opening]) -> None:
        self._session = session
        self._source = source
        self._running = running
        self._held: list[Any] = []
        self._paused: list[Flow] = []
        self._begun = False
        self._over = False
        self._disposed = False
        self._error: Exception | None = None
        self._observer: abc.ObserverBase[Any] | None = None
        self._subscription = SingleAssignmentDisposable()
        self._signal = Signal()
        """Set when something has come."""
        self.taken = Signal()
        """Set when `events` was subscribed to."""
        self.events: Observable[Any] = PushObservable(self._take)
        running.add(self)

    @property
    def is_taken(self) -> bool:
        return self._observer is not None

    async def first(self) -> Any:
        """Begin, and return the first event; None: the stream has completed without one. Cancelled, it disposes.

        Raises: the error of a stream that failed before it.
        """
        self._begin()
        try:
            await self._signal.wait()
        except BaseException:
            self.dispose()
            raise
        if self._held:
            return self._held[0]
        if self._error is not None:
            raise self._error
        return None

    def detach(self) -> None:
        """It goes on without its request, so it does not count as running any more."""
        self._running.discard(self)

    def fail(self, error: Exception) -> None:
        """End it here, with an error for its subscriber."""
        if not self._over and not self._disposed:
            self._subscription.dispose()
            self.on_error(error)
            self._resume()

    def dispose(self) -> None:
        """Emit nothing more, and close the connection to the server."""
        self._disposed = True
        self._running.discard(self)
        self._subscription.dispose()
        self._resume()

    # ------------------------------------------------------------------ the observer of the source

    def on_next(self, value: Any) -> None:
        if self._observer is not None:
            self._observer.on_next(value)
            return
        self._held.append(value)
        flow = FLOW.get()
        if flow is not None and flow not in self._paused:
            self._paused.append(flow)
            flow.pause()
        self._signal.set()

    def on_error(self, error: Exception) -> None:
        self._end(error)

    def on_completed(self) -> None:
        self._end(None)

    def _end(self, error: Exception | None) -> None:
        if self._over:
            return
        self._over, self._error = True, error
        self._running.discard(self)
        self._signal.set()
        if self._observer is not None:
            self._send_end(self._observer)

    # ------------------------------------------------------------------ inside

    def _begin(self) -> None:
        self._begun = True
        self._session.spawn(self._subscribe)  # in a task of the session, where operators find its loop

    async def _subscribe(self) -> None:
        if not self._disposed and not self._over:
            self._subscription.disposable = self._source.subscribe(self, scheduler=self._session.scheduler)

    def _take(self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        if self._observer is not None:
            raise RuntimeError("the events of a request can be subscribed to once")
        self._observer = observer
        self.taken.set()
        if not self._begun:
            self._begin()
        held, self._held = self._held, []
        for value in held:
            if not self._disposed:
                observer.on_next(value)
        if self._over:
            self._send_end(observer)
        self._resume()
        return Disposable(self.dispose)

    def _send_end(self, observer: abc.ObserverBase[Any]) -> None:
        if self._disposed:
            return
        if self._error is not None:
            observer.on_error(self._error)
        else:
            observer.on_completed()

    def _resume(self) -> None:
        paused, self._paused = self._paused, []
        for flow in paused:
            flow.resume()
