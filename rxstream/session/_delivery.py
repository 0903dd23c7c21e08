"""What a subscriber is told: one notification at a time, pauses, what it raises, and that it disposes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import anyio
from reactivex import abc

from rxstream.events import StreamingEvent
from rxstream.response._ending import Ending
from rxstream.rx._loops import as_exception
from rxstream.session._tasks import TaskLoop
from rxstream.session._time_limits import StreamTimer


class StreamFlow:
    """The `Flow` of one stream."""

    def __init__(self, loop: TaskLoop, stop: Callable[[], object]) -> None:
        self._loop = loop
        self._stop = stop
        self.observer_error: Exception | None = None
        """What the observer raised, or a sink passed to `abort`."""
        self._lock = threading.Lock()
        self._resumed: anyio.Event | None = None
        self.pauses = 0

    def pause(self) -> None:
        with self._lock:
            self.pauses += 1

    def resume(self) -> None:
        with self._lock:
            if self.pauses == 0:
                return  # more calls than pauses
            self.pauses -= 1
        self._loop.run(self._wake)

    def abort(self, error: Exception) -> None:
        if self.observer_error is None:
            self.observer_error = error
            self._loop.run(self._stop)

    def _wake(self) -> None:
        if self.pauses == 0 and self._resumed is not None:
            self._resumed.set()

    async def wait(self) -> None:
        """Return when there is no pause. On the loop only."""
        while self.pauses:
            if self._resumed is None or self._resumed.is_set():
                self._resumed = anyio.Event()  # of all that wait
            if self.pauses:
                await self._resumed.wait()


class Stopped(Exception):
    """The subscriber has disposed or raised: close the wire."""


class Delivery:
    """The notifications of one subscription, on the session's loop."""

    def __init__(self, loop: TaskLoop, observer: abc.ObserverBase[StreamingEvent], flow: StreamFlow) -> None:
        self._loop = loop
        self._observer = observer
        self._flow = flow
        self._notifying = threading.Lock()
        self.disposed = False

    @property
    def stopped(self) -> bool:
        """Whether the subscriber has disposed or raised."""
        return self.disposed or self._flow.observer_error is not None

    def wait_for_notification(self) -> None:
        """From another thread: return when no `on_next` runs."""
        if not self._loop.on_loop_thread() and self._notifying.acquire(timeout=1.0):
            self._notifying.release()

    def feed(self, events: Iterator[StreamingEvent], ending: Ending) -> bool:
        """Notify the observer of each event; False where it has to be called again after a pause.

        Raises: Stopped.
        """
        on_next = self._observer.on_next
        flow = self._flow
        with self._notifying:
            for event in events:
                if self.disposed:
                    raise Stopped
                ending.feed(event)
                try:
                    on_next(event)
                except BaseException as raised:
                    error = as_exception(raised)
                    if error is None:
                        raise
                    if self.disposed:  # Rx disposes before `on_error`, so there is no observer to notify any more
                        self._loop.unhandled.append(error)
                    else:
                        flow.observer_error = flow.observer_error or error
                    raise Stopped from error
                if flow.pauses:
                    return False
        if self.stopped:
            raise Stopped
        return True

    async def feed_all(self, events: Iterator[StreamingEvent], ending: Ending, timer: StreamTimer) -> None:
        """As `feed`, and wait for the end of each pause."""
        while not self.feed(events, ending):
            await self.wait_paused(timer)

    async def wait_paused(self, timer: StreamTimer) -> None:
        """Wait for the end of the pause, in which no time limit counts."""
        timer.pause()
        try:
            await self._flow.wait()
        finally:
            timer.resume()
        if self.stopped:  # the cancellation may come after `wait` has returned
            raise Stopped

    def end(self, error: Exception | None) -> None:
        """Notify the observer of the end, unless it has disposed."""
        with self._notifying:
            if self.disposed:
                return
            try:
                if error is None:
                    self._observer.on_completed()
                else:
                    self._observer.on_error(error)
            except BaseException as raised:
                unhandled = as_exception(raised)
                if unhandled is None:
                    raise
                self._loop.unhandled.append(unhandled)
