"""The bounded buffer between a stream and a `for` loop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Generic, Literal, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import SingleAssignmentDisposable

from rxstream.errors import RxStreamError
from rxstream.rx._context import FLOW, RUNTIME, Flow
from rxstream.rx._loops import caller
from rxstream.timing._merge import merge, mergeable

_T = TypeVar("_T")

Overflow = Literal["pause", "error", "drop_oldest", "conflate"]


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
                self._error = RxStreamError(
                    f"the loop is {self._size} values behind the stream: "
                    "read faster, or pass a larger buffer= or another overflow="
                )
            elif full and self._overflow == "conflate" and mergeable(self._slots[-1][-1], value):
                self._slots[-1].append(value)
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

        Raises: what the stream ended with, once the buffer is empty.
        """
        self.reader = caller()
        to_resume: list[Flow] = []
        with self._lock:
            if self._slots:
                run = self._slots.popleft()
                if self._paused and len(self._slots) <= self._size // 2:
                    to_resume, self._paused = self._paused, []
            elif not self._ended:
                return NoValue.PENDING
            elif self._error is not None:
                raise self._error
            else:
                return NoValue.ENDED
        for flow in to_resume:
            flow.resume()
        return run[0] if len(run) == 1 else merge(run)

    def close(self) -> None:
        """Dispose the subscription, drop the values and the error, and resume the streams."""
        with self._lock:
            self._ended, self._error = True, None
            self._slots.clear()
            to_resume, self._paused = self._paused, []
        self._subscription.dispose()
        for flow in to_resume:
            flow.resume()
