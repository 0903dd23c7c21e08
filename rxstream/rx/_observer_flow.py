"""The `Flow` of a stream for one of its several observers."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rxstream.rx._context import Flow


class ObserverFlow:
    """A `Flow` for one of several observers: it pauses the stream for all of them, and aborts only this observer.

    When the observer leaves, `close` takes its pauses back.
    """

    def __init__(self, flow: Flow, abort: Callable[[Exception], object]) -> None:
        self._flow = flow
        self._abort = abort
        self._lock = threading.Lock()
        self._pauses = 0
        self._closed = False

    def pause(self) -> None:
        with self._lock:
            if not self._closed:
                self._pauses += 1
                self._flow.pause()

    def resume(self) -> None:
        with self._lock:
            if self._pauses == 0:
                return
            self._pauses -= 1
        self._flow.resume()

    def abort(self, error: Exception) -> None:
        self._abort(error)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            pauses, self._pauses = self._pauses, 0
        for _ in range(pauses):
            self._flow.resume()
