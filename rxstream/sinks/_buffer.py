"""The bounded buffer between a stream that pushes and a loop that pulls."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

from rxstream._context import FLOW, Flow
from rxstream.cores._merge import merge, mergeable
from rxstream.errors import RxStreamError

_T = TypeVar("_T")

Overflow = Literal["pause", "error", "drop_oldest", "conflate"]


class Buffer(Generic[_T]):
    """An observer on one side, `take` on the other. Thread-safe; `wake` is called after each change.

    Slots hold runs of values that `conflate` has put together; with the other policies a run is one value.
    """

    def __init__(self, size: int, overflow: Overflow) -> None:
        self._size = size
        self._overflow = overflow
        self._lock = threading.Lock()
        self._slots: deque[list[_T]] = deque()
        self._ended = False
        self._error: Exception | None = None
        self._paused: Flow | None = None
        self.wake: Callable[[], object] = lambda: None

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: _T) -> None:
        with self._lock:
            if self._ended:
                return
            full = len(self._slots) >= self._size
            if full and self._overflow == "error":
                self._ended = True
                self._error = RxStreamError(
                    f"the loop fell {self._size} values behind the stream; "
                    "read faster, give a larger buffer=, or choose another overflow="
                )
            elif full and self._overflow == "conflate" and mergeable(self._slots[-1][-1], value):
                self._slots[-1].append(value)
            else:
                if full and self._overflow == "drop_oldest":
                    self._slots.popleft()
                self._slots.append([value])
                if self._overflow == "pause" and self._paused is None and len(self._slots) >= self._size:
                    self._paused = FLOW.get()
                    if self._paused is not None:
                        self._paused.pause()
        self.wake()

    def on_error(self, error: Exception) -> None:
        with self._lock:
            if not self._ended:
                self._ended, self._error = True, error
        self.wake()

    def on_completed(self) -> None:
        with self._lock:
            self._ended = True
        self.wake()

    # ------------------------------------------------------------------ the loop

    def take(self) -> _T | None:
        """The next value, or None where there is none yet (a stream never carries None).

        Raises: what the stream ended with, once the buffer is empty; StopIteration where it completed.
        """
        with self._lock:
            if self._slots:
                run = self._slots.popleft()
                resumed = self._paused if len(self._slots) <= self._size // 2 else None
                if resumed is not None:
                    self._paused = None
            elif not self._ended:
                return None
            elif self._error is not None:
                raise self._error
            else:
                raise StopIteration
        if resumed is not None:
            resumed.resume()
        return run[0] if len(run) == 1 else merge(run)

    def close(self) -> None:
        """Forget what is held, and let a paused source go on."""
        with self._lock:
            self._ended = True
            self._slots.clear()
            resumed, self._paused = self._paused, None
        if resumed is not None:
            resumed.resume()
