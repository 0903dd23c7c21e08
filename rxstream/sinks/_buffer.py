"""The bounded buffer between a stream and a `for` loop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Generic, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import SingleAssignmentDisposable

from rxstream.errors import BufferOverflowError, DisconnectedError
from rxstream.rx._context import FLOW, RUNTIME, Flow
from rxstream.rx._loops import caller
from rxstream.timing._merge import LONGEST_RUN, merge, mergeable
from rxstream.timing._overflow import Overflow

_T = TypeVar("_T")


class NoValue(Enum):
    """What `take` returns if there is no value, because None may be a value."""

    PENDING = "the buffer is empty"
    ENDED = "the stream has completed"


class Buffer(abc.ObserverBase[_T], Generic[_T]):
    """An observer that keeps values for `take`. Thread-safe; `wake` is called after each change.

    A slot holds the values that `conflate` has joined; with the other policies one value.
    """

    def __init__(self, size: int, overflow: Overflow) -> None:
        self._size = size
        self._overflow = overflow
        self._lock = threading.Lock()
        self._slots: deque[list[_T]] = deque()
        self._ended = False
        self._error: Exception | None = None
        self._paused: list[Flow] = []
        self._subscription = SingleAssignmentDisposable()
        self.reader = caller()
        """The task or thread of the last step."""
        self.wake: Callable[[], object] = lambda: None

    def subscribe(self, source: Observable[_T]) -> None:
        """Fill from `source`, once, until it ends or `close` is called."""
        runtime = RUNTIME.get()
        if runtime is not None:
            runtime.watch(self)
        # without a scheduler, Rx's own timed operators would call from timer threads
        scheduler = runtime.scheduler if runtime is not None else None
        self._subscription.disposable = source.subscribe(self, scheduler=scheduler)

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: _T) -> None:
        with self._lock:
            if self._ended:
                return
            full = len(self._slots) >= self._size
            overflown = full and self._overflow == "error"
            if overflown:
                self._ended = True
                self._error = BufferOverflowError(
                    f"the loop is {self._size} values behind the stream: "
                    "read faster, or pass a larger buffer= or another overflow="
                )
            elif full and self._overflow == "conflate":
                last = self._slots[-1]
                merges = len(last) < LONGEST_RUN and mergeable(last[-1], value)
                if merges:
                    last.append(value)
                else:
                    self._slots.append([value])
                if not merges or len(last) >= LONGEST_RUN:
                    self._pause()
            else:
                if full and self._overflow == "drop_oldest":
                    self._slots.popleft()
                self._slots.append([value])
                if self._overflow == "pause" and len(self._slots) >= self._size:
                    self._pause()
        self.wake()
        if overflown:
            self._subscription.dispose()

    def on_error(self, error: Exception) -> None:
        with self._lock:
            if not self._ended:
                self._ended, self._error = True, error
        self.wake()

    def on_completed(self) -> None:
        with self._lock:
            self._ended = True
        self.wake()

    def _pause(self) -> None:
        """Pause the stream that calls. Of several merged streams, the others go on."""
        flow = FLOW.get()
        if flow is not None and flow not in self._paused:
            self._paused.append(flow)
            flow.pause()

    # ------------------------------------------------------------------ the loop

    def take(self) -> _T | NoValue:
        """The next value. Without one `NoValue.PENDING`, or `NoValue.ENDED` if the stream has completed.

        Raises: what the stream ended with, once, when the buffer is empty.
        """
        to_resume: list[Flow] = []
        with self._lock:
            run = self._slots.popleft() if self._slots else None
            if run is None and not self._ended:
                return NoValue.PENDING
            if self._paused and len(self._slots) <= self._size // 2:
                to_resume, self._paused = self._paused, []
            error = self._error
        for flow in to_resume:
            flow.resume()
        if run is not None:
            return run[0] if len(run) == 1 else merge(run)
        self.close()
        if error is not None:
            raise error
        return NoValue.ENDED

    def close(self, error: Exception | None = None) -> None:
        """Dispose the subscription, drop the values, and resume the streams. `error` becomes the end."""
        with self._lock:
            self._ended, self._error = True, error
            self._slots.clear()
            to_resume, self._paused = self._paused, []
        self._subscription.dispose()
        for flow in to_resume:
            flow.resume()

    def session_left(self) -> None:
        """The session closes it, because no step is expected any more. One that comes all the same raises."""
        self.close(DisconnectedError("the session was left before this loop came to its end"))
        self.wake()
