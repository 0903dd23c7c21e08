"""One notification after another, whatever threads, timers and tasks the inputs come from.

Rx requires that an operator never calls its observer twice at a time, nor after the end. An operator with one source
and no timers keeps that without effort. One with timers or tasks does not: an input may come while an output is being
delivered, from another thread or from the observer itself. `Serial` is what such operators share:

* **One queue.** An input is a *step*: a function that emits. Who puts a step into the queue while there is no *worker*
  becomes the worker: it runs this step, and all steps that are put meanwhile. `_lock` is not held while a step runs.
* **One `Lifecycle`.** Each method changes it once, under `_lock`, and then acts: it runs the steps, closes, or notifies
  the observer of the end. The idea is from Swift's AsyncAlgorithms.
* **One `dispose`**, which any thread may call.
* **One rule for an observer that raises in `on_next`.** During a step of the source, the error is raised to the source,
  which sends it back by `on_error`. During a step of a timer or a task there is no caller to raise to, and at its end
  the source cannot send anything back: then the source is disposed, and the observer gets the error.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any, Generic, TypeVar

from reactivex import abc
from reactivex.disposable import SingleAssignmentDisposable

from rxstream.rx._context import FLOW, RUNTIME, Flow

_T = TypeVar("_T")


class Lifecycle(IntEnum):
    """The state of a subscription. It only grows."""

    ACTIVE = 0
    """Values come from the source."""
    SOURCE_ENDED = 1
    """The source has completed, but timers or tasks may still emit."""
    DRAINING = 2
    """The end is known. The steps in the queue still run; no new one is accepted."""
    ENDING = 3
    """The end is known, and is the next notification."""
    RAISED = 4
    """The observer raised in `on_next`. The only notification that can follow is the source's own end."""
    ENDED = 5
    """The observer was notified of the end."""
    DISPOSED = 6
    """The subscriber disposed."""


ACTIVE, SOURCE_ENDED, DRAINING, ENDING, RAISED, ENDED, DISPOSED = Lifecycle
"""The same names, because looking up a member of an enum costs 0.2 µs on Python 3.11."""

Step = tuple[Callable[..., object], tuple[Any, ...]]


class Serial(Generic[_T]):
    """Delivers the outputs of one subscription to its observer, one at a time.

    `close` ends timers, tasks and pauses. It is called as soon as the end is known, for any end, and perhaps again,
    from any thread.
    """

    def __init__(self, observer: abc.ObserverBase[_T], close: Callable[[], object]) -> None:
        self.state: Lifecycle = ACTIVE
        """Written under `_lock`, read without it."""
        self.error: Exception | None = None
        """What `on_error` gets. None if the end is `on_completed`."""
        self.source = SingleAssignmentDisposable()
        """The subscription to the source. Disposed before `close` is called, unless the state is `RAISED`."""
        self.flow: Flow | None = None
        """The `FLOW` of the last value. Steps of timers and tasks run with it, so that they can pause the source."""
        self.aborts = False
        """Whether `flow` is aborted if the observer raises in a step of a timer or a task while the source may emit."""
        self._observer = observer
        self._on_next = observer.on_next
        """Kept, because it is called for each value, and looking it up each time costs more."""
        self._close = close
        self._runtime = RUNTIME.get()
        """The session of the subscription; it tells `dispose` whether the caller is the thread of its loop."""
        self._lock = threading.Lock()
        """Guards `state`, `error`, `_steps` and `_busy`. Never held while a step or the observer runs."""
        self._delivering = threading.RLock()
        """Held while a value is delivered, so that `dispose` in another thread can wait until it is delivered."""
        self._steps: deque[Step] = deque()
        """Steps that have not begun. Empty while there is no worker."""
        self._busy = False
        """Whether there is a worker: a thread in `feed`, or a task from its `put` until `take` returns None."""

    # ------------------------------------------------------------------ steps

    def feed(self, step: Callable[..., object], *args: Any) -> None:
        """Run a step of the source, and those that are put meanwhile; or queue it, if there is a worker.

        Raises: what the observer raises.
        """
        with self._lock:
            if self.state >= DRAINING:
                return
            if self._busy:
                self._steps.append((step, args))
                return
            self._busy = True
        try:
            step(*args)
            while (next_step := self.take()) is not None:
                step, args = next_step
                step(*args)
        except BaseException:
            with self._lock:
                self.state = max(self.state, RAISED)
                self._busy = False
                self._steps.clear()
            self._close()
            raise

    def feed_from_timer(self, step: Callable[..., object], *args: Any) -> None:
        """Feed a step of a timer or a task, which has no caller that an error could be raised to.

        Raises: what the observer raises in the notification of the end, or after it has disposed.
        """
        token = FLOW.set(self.flow)
        try:
            self.feed_last(step, *args)
        finally:
            FLOW.reset(token)

    def feed_last(self, step: Callable[..., object], *args: Any) -> None:
        """Feed a step for the end of the source, which could not send an error back any more. Raises: as above."""
        try:
            self.feed(step, *args)
        except Exception as error:
            if self.state is not RAISED:
                raise
            if self.aborts and self.flow is not None:
                self.flow.abort(error)
            else:
                self.end(error)

    def put(self, step: Callable[..., object], *args: Any) -> bool:
        """Queue a step. Returns whether the caller becomes the worker, which must call `take` until it gets None."""
        with self._lock:
            if self.state >= DRAINING:
                return False
            self._steps.append((step, args))
            idle, self._busy = not self._busy, True
            return idle

    def take(self) -> Step | None:
        """Return the next step to the worker. If there is none, notify the observer of a known end, and return None."""
        with self._lock:
            if self._steps:
                return self._steps.popleft()
            self._busy = False
            if self.state < DRAINING or self.state > ENDING:
                return None
            self.state = ENDED
        self._notify_end()
        return None

    def stop_working(self) -> None:
        """Called by a worker that was cancelled. It must call `end` next, which then notifies the observer."""
        with self._lock:
            self._busy = False

    def emit(self, values: Iterable[_T]) -> bool:
        """Deliver values. Only called from within a step. Returns whether more may be delivered."""
        with self._delivering:
            for value in values:
                if self.state >= ENDING:
                    return False
                self._on_next(value)
        return self.state < ENDING

    # ------------------------------------------------------------------ the end

    def source_ended(self) -> None:
        """The source has completed. Timers and tasks may still emit."""
        self.aborts = False
        with self._lock:
            self.state = max(self.state, SOURCE_ENDED)

    def end(self, error: Exception | None = None, *, drain: bool = False) -> bool:
        """Complete, or fail with `error`. Returns whether this is the first end.

        With `drain`, the steps in the queue run first; else they are dropped. The worker notifies the observer;
        without a worker the caller does. A second `end` without `drain` drops the steps that the first `end` left, and
        the first error stays.
        """
        with self._lock:
            if not drain:
                self._steps.clear()
            first = self.state < DRAINING or self.state is RAISED
            if first:
                self.error = error
            elif drain or self.state is not DRAINING:
                return False
            notify_now = not self._busy
            self.state = ENDED if notify_now else DRAINING if drain else ENDING
        self.source.dispose()
        self._close()
        if notify_now:
            self._notify_end()
        return first

    def dispose(self) -> bool:
        """Deliver nothing more. Returns False after the end, after a dispose, or if the observer raised.

        While another thread is in `on_next`, it waits for that, at most a second, and never on the thread of the loop.
        """
        with self._lock:
            first = self.state < RAISED
            if self.state is not ENDED:
                self.state = DISPOSED
            self._steps.clear()
        self.source.dispose()
        self._close()
        # The loop must not block. The wait is limited, because the running `on_next` may wait for this thread.
        on_loop_thread = self._runtime is not None and self._runtime.on_loop_thread()
        if not on_loop_thread and self._delivering.acquire(timeout=1.0):
            self._delivering.release()
        return first

    def _notify_end(self) -> None:
        if self.error is None:
            self._observer.on_completed()
        else:
            self._observer.on_error(self.error)
