"""One `Flow` for all that a subscription emits: the values of one stream or of several merged ones, and of timers."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rxstream.rx._context import Flow


class MergedFlow:
    """The observer sees one `Flow`, also before the first value, and from a source that has none.

    While it is paused, each stream that emits is paused too. Without a stream, `abort` calls the function that was
    passed. `on_pause` and `on_resume` are called for each pause, one call at a time.
    """

    def __init__(
        self,
        on_pause: Callable[[], object],
        on_resume: Callable[[], object],
        abort: Callable[[Exception], object],
    ) -> None:
        self._on_pause = on_pause
        self._on_resume = on_resume
        self._abort = abort
        self._lock = threading.Lock()
        """Guards the attributes below. A stream is paused under it, so that its `resume` cannot come before."""
        self._stream: Flow | None = None
        self._pauses = 0
        self._paused: list[Flow] = []

    def use(self, stream: Flow | None) -> None:
        """The stream of the next notification. None for a timer before the first value."""
        if stream is self._stream and not self._pauses:
            return
        with self._lock:
            self._stream = stream
            if self._pauses:
                self._pause_stream()

    def pause(self) -> None:
        with self._lock:
            self._pauses += 1
            self._pause_stream()
            self._on_pause()

    def resume(self) -> None:
        with self._lock:
            if self._pauses == 0:
                return
            self._pauses -= 1
            self._on_resume()
            to_resume: list[Flow] = []
            if self._pauses == 0:
                to_resume, self._paused = self._paused, []
        for stream in to_resume:
            stream.resume()

    def abort(self, error: Exception) -> None:
        (self._abort if self._stream is None else self._stream.abort)(error)

    def _pause_stream(self) -> None:
        if self._stream is not None and self._stream not in self._paused:
            self._paused.append(self._stream)
            self._stream.pause()
