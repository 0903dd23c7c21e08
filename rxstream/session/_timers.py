"""Timers: a heap of them, which one task serves."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, Protocol

import anyio
from reactivex import abc

from rxstream.rx._context import FLOW, RUNTIME, Runtime
from rxstream.rx._loops import as_exception, run_in

_DISPOSED_KEPT = 64
"""So many disposed timers may stay in the heap, or half of its length if that is more."""


class TimerLoop(Runtime, Protocol):
    """What a timer needs of its loop."""

    unhandled: list[Exception]

    def leave(self, kind: str, *, in_heap: bool = False) -> None: ...


class Timers:
    """The heap. On the loop only, but for `disposed`."""

    def __init__(self, background: Callable[[Callable[[], Coroutine[Any, Any, None]]], None]) -> None:
        self._background = background
        self._heap: list[Timer] = []
        self._wake: anyio.Event | None = None
        self.disposed = 0
        """How many of the heap are disposed. The lock of the loop guards it."""

    def arm(self, timer: Timer, seconds: float) -> None:
        timer.due = anyio.current_time() + max(0.0, seconds)
        if self.disposed > max(_DISPOSED_KEPT, len(self._heap) // 2):
            self.disposed = 0
            self._heap[:] = [armed for armed in self._heap if armed.armed]
            heapq.heapify(self._heap)
        heapq.heappush(self._heap, timer)
        if self._wake is None:
            self._wake = anyio.Event()
            self._background(self._tick)
        elif self._heap[0] is timer:
            self._wake.set()

    def clear(self) -> None:
        self._heap.clear()

    async def _tick(self) -> None:
        """Sleep until the first is due, or an earlier one is armed."""
        while True:
            now = anyio.current_time()
            due: list[Timer] = []  # without the timers that these arm, so that other tasks run in between
            while self._heap and self._heap[0].due <= now:
                due.append(heapq.heappop(self._heap))
            for timer in due:
                timer.fire()
            self._wake = anyio.Event()
            wait = self._heap[0].due - anyio.current_time() if self._heap else None
            with anyio.move_on_after(wait):
                await self._wake.wait()


class Timer(abc.DisposableBase):
    """One entry of the timer heap. A disposed one stays there for some time, and does nothing."""

    def __init__(self, loop: TimerLoop, action: Callable[[], object]) -> None:
        self._loop = loop
        self._actions = [action]  # a list, because only one of two threads that `pop` at a time gets the action
        self._context = copy_context()
        self.due = 0.0

    def __lt__(self, other: Timer) -> bool:
        return self.due < other.due

    @property
    def armed(self) -> bool:
        return bool(self._actions)

    def fire(self) -> None:
        action = self._take()
        if action is None:
            return
        try:
            run_in(self._context, self._call, action)
        except BaseException as raised:
            error = as_exception(raised)
            if error is None:
                raise
            self._loop.unhandled.append(error)
        finally:
            self._loop.leave("timer")

    def _call(self, action: Callable[[], object]) -> None:
        RUNTIME.set(self._loop)
        FLOW.set(None)
        action()

    def dispose(self) -> None:
        if self._take() is not None:
            self._loop.leave("timer", in_heap=True)

    def _take(self) -> Callable[[], object] | None:
        try:
            return self._actions.pop()
        except IndexError:
            return None
