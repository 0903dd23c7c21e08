"""One notification after another, whatever threads, timers and tasks the inputs come from.

Rx asks an operator never to call its observer twice at a time, nor after the end. An operator whose inputs come from
one source gets that for nothing. One with timers or tasks does not: an input may come while an output is being
delivered, from another thread or out of the observer itself. `Serial` is what such operators share:

* **One queue.** An input is a step: a function that emits. Whoever puts a step into an idle queue works it off, with
  all the steps that come meanwhile. No lock of the state is held while a step runs.
* **One lifecycle**, `State`. Each method moves it under the lock, in one go, and then carries out what follows: work
  the queue off, let go of what is held, tell the end. The idea is from Swift's AsyncAlgorithms.
* **One dispose**, from any thread.
* **One rule for an observer that raises.** Out of a value it raises to the source, which brings the error back. Out of
  a timer or a task there is no caller to raise to: the source is left, and the observer gets the error.
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


class State(IntEnum):
    """Where a subscription stands. It only ever moves down this list."""

    ACTIVE = 0
    """Values come from the source."""
    SOURCE_ENDED = 1
    """No more values come, but timers or tasks still have something to emit."""
    DRAINING = 2
    """The end is known. Steps in the queue come before it; no new one is taken."""
    ENDING = 3
    """The end is known, and is the next that the observer is told."""
    RAISED = 4
    """The observer raised out of a value. All that still passes is the source's own end."""
    ENDED = 5
    """The observer was told the end."""
    DISPOSED = 6
    """The subscriber left."""


ACTIVE, SOURCE_ENDED, DRAINING, ENDING, RAISED, ENDED, DISPOSED = State
"""The same names, because looking up a member of an enum costs 0.2 µs on Python 3.11."""

Step = tuple[Callable[..., object], tuple[Any, ...]]


class Serial(Generic[_T]):
    """What stands between the inputs of one subscription and its observer.

    `close` lets go of timers, tasks and pauses. It is called as soon as the end is known, whatever end it is, and
    perhaps again, from any thread.
    """

    def __init__(self, observer: abc.ObserverBase[_T], close: Callable[[], object]) -> None:
        self.state: State = ACTIVE
        """The lifecycle. Written under `_lock`, read without."""
        self.error: Exception | None = None
        """What it ends with; None where it completes."""
        self.source = SingleAssignmentDisposable()
        """The subscription to the source. Left before `close` is called, unless the observer raised to the source."""
        self.flow: Flow | None = None
        """The `FLOW` of the last value, which is set around late steps: who pauses there pauses the source."""
        self.aborts = False
        """Whether the error of an observer that raised in a late step goes by way of `flow`, while the source lives."""
        self._observer = observer
        self._on_next = observer.on_next
        """Looked up once, because it is called for each value."""
        self._close = close
        self._runtime = RUNTIME.get()
        """The session of the subscription, which knows whether a dispose comes on its loop's thread."""
        self._lock = threading.Lock()
        """Guards `state`, `error`, `_steps` and `_busy`. Never held while code of others runs."""
        self._delivering = threading.RLock()
        """Held while a value is delivered, so that a dispose from another thread can wait for that."""
        self._steps: deque[Step] = deque()
        """Steps not yet begun. Empty where nobody is at work."""
        self._busy = False
        """Whether somebody is at work: a thread in `feed`, or a task between `put` and the `take` that gives None."""

    # ------------------------------------------------------------------ steps

    def feed(self, step: Callable[..., object], *args: Any) -> None:
        """Take a step of the source, and those that come meanwhile; or leave it to who is at work.

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

    def feed_late(self, step: Callable[..., object], *args: Any) -> None:
        """Take a step that no value of the source has caused: a timer's, or a task's.

        Raises: what the observer raises at the end, or has raised after it left.
        """
        token = FLOW.set(self.flow)
        try:
            self.feed(step, *args)
        except Exception as error:
            if self.state is not RAISED:
                raise
            if self.aborts and self.flow is not None:
                self.flow.abort(error)
            else:
                self.end(error)
        finally:
            FLOW.reset(token)

    def feed_next(self, step: Callable[..., object], *args: Any) -> None:
        """From within a step: have another one taken before those that wait."""
        with self._lock:
            if self.state < DRAINING:
                self._steps.appendleft((step, args))

    def put(self, step: Callable[..., object], *args: Any) -> bool:
        """Queue a step. True where nobody is at work: the caller then is, and must `take` until it gets None."""
        with self._lock:
            if self.state >= DRAINING:
                return False
            self._steps.append((step, args))
            idle, self._busy = not self._busy, True
            return idle

    def take(self) -> Step | None:
        """For who is at work: the next step. None where there is no more, after telling the end if that is known."""
        with self._lock:
            if self._steps:
                return self._steps.popleft()
            self._busy = False
            if self.state < DRAINING or self.state > ENDING:
                return None
            self.state = ENDED
        self._tell()
        return None

    def release(self) -> None:
        """For who is at work and was cancelled. An `end` has to follow: it is told by its caller then."""
        self._busy = False

    def emit(self, values: Iterable[_T]) -> bool:
        """From within a step: deliver values. False where nothing may be delivered any more."""
        with self._delivering:
            for value in values:
                if self.state >= ENDING:
                    return False
                self._on_next(value)
        return self.state < ENDING

    # ------------------------------------------------------------------ the end

    def source_ended(self) -> None:
        """No more comes from the source. It may not be the end yet."""
        self.aborts = False
        with self._lock:
            self.state = max(self.state, SOURCE_ENDED)

    def end(self, error: Exception | None = None, *, drain: bool = False) -> bool:
        """Complete, or fail with `error`: next, or with `drain` after the steps in the queue. False where that is late.

        Who is at work tells it; where nobody is, the caller does. One that comes while the queue drains cuts that
        short, and leaves the error that is known.
        """
        with self._lock:
            if not drain:
                self._steps.clear()
            first = self.state < DRAINING or self.state is RAISED
            if first:
                self.error = error
            elif drain or self.state is not DRAINING:
                return False
            tell = not self._busy
            self.state = ENDED if tell else DRAINING if drain else ENDING
        self.source.dispose()
        self._close()
        if tell:
            self._tell()
        return first

    def dispose(self) -> bool:
        """Deliver nothing more. From another thread it returns when no `on_next` runs. False where it was over."""
        with self._lock:
            first = self.state < RAISED
            if self.state is not ENDED:
                self.state = DISPOSED
            self._steps.clear()
        self.source.dispose()
        self._close()
        # The loop's thread must not block. And the `on_next` that runs may itself wait for this thread.
        here = self._runtime is not None and self._runtime.on_loop_thread()
        if not here and self._delivering.acquire(timeout=1.0):
            self._delivering.release()
        return first

    def _tell(self) -> None:
        if self.error is None:
            self._observer.on_completed()
        else:
            self._observer.on_error(self.error)
