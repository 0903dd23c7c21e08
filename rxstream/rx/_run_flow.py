"""The `Flow` of what is emitted by one stream after another, and by tasks between them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rxstream.rx._context import Flow
from rxstream.rx._loops import Signal


class RunFlow:
    """It pauses the stream that emits now, and the tasks that `wait`. A pause outlives the stream."""

    def __init__(self, abort: Callable[[Exception], object]) -> None:
        self._abort = abort
        self._lock = threading.Lock()
        """Guards the attributes below."""
        self._stream: Flow | None = None
        self._pauses = 0
        self._waiting: set[Signal | threading.Event] = set()
        self._closed = False

    def use(self, stream: Flow | None) -> None:
        """The stream that emits now. It is paused as often as the one before was."""
        if stream is self._stream:
            return
        with self._lock:
            before, self._stream, pauses = self._stream, stream, self._pauses
        _repeat(before.resume if before is not None else None, pauses)
        _repeat(stream.pause if stream is not None else None, pauses)

    def pause(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._pauses += 1
            stream = self._stream
        if stream is not None:
            stream.pause()

    def resume(self) -> None:
        with self._lock:
            if self._pauses == 0:
                return
            self._pauses -= 1
            stream, waiting = self._stream, [*self._waiting] if self._pauses == 0 else []
        if stream is not None:
            stream.resume()
        for signal in waiting:
            signal.set()

    def abort(self, error: Exception) -> None:
        self._abort(error)

    @property
    def paused(self) -> bool:
        """Whether there is a pause."""
        return self._pauses > 0 and not self._closed

    async def wait(self) -> None:
        """Return when there is no pause."""
        while self._pauses and not self._closed:
            signal = Signal()
            with self._lock:
                self._waiting.add(signal)
            try:
                if self._pauses and not self._closed:
                    await signal.wait()
            finally:
                with self._lock:
                    self._waiting.discard(signal)

    def block(self, signal: threading.Event) -> None:
        """Wait in a thread until `signal` is set and there is no pause, or until `close`."""
        with self._lock:
            self._waiting.add(signal)
        while not self._closed:
            signal.wait()
            signal.clear()
            if not self._pauses:
                break
        with self._lock:
            self._waiting.discard(signal)

    def close(self) -> None:
        """Take the pauses back. Nothing waits any more."""
        with self._lock:
            self._closed = True
            stream, pauses, self._pauses = self._stream, self._pauses, 0
            waiting = [*self._waiting]
        _repeat(stream.resume if stream is not None else None, pauses)
        for signal in waiting:
            signal.set()


def _repeat(action: Callable[[], object] | None, times: int) -> None:
    if action is not None:
        for _ in range(times):
            action()
