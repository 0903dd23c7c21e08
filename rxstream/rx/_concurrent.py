"""Coroutines in flight, between an Observable and its observer."""

from __future__ import annotations

import inspect
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import SingleAssignmentDisposable

from rxstream.errors import DisconnectedError
from rxstream.rx._context import FLOW, RUNTIME, Flow, Runtime
from rxstream.rx._loops import Signal

_A = TypeVar("_A")
_B = TypeVar("_B")

_log = logging.getLogger("rxstream")


class _Call(Generic[_A, _B]):
    """One value in flight."""

    __slots__ = ("done", "result", "task", "value")

    def __init__(self, value: _A) -> None:
        self.value = value
        self.task = SingleAssignmentDisposable()
        self.done = False
        self.result: _B


class Calls(abc.ObserverBase[_A], abc.DisposableBase, Generic[_A, _B]):
    """One subscription: an observer upstream, and downstream the `Flow` by which it may be paused itself.

    Results are emitted by one task at a time, the deliverer: the first that has something to emit. As long as it is
    at work, or waits because downstream asked for a pause, others only leave their result. `_lock` guards the state
    and is never held while somebody else's code runs.
    """

    def __init__(
        self, fn: Callable[[_A], Awaitable[_B]], most: int, ordered: bool, observer: abc.ObserverBase[_B]
    ) -> None:
        self._fn = fn
        self._most = most
        self._ordered = ordered
        self._observer = observer
        self._runtime: Runtime | None = RUNTIME.get()
        self._source = SingleAssignmentDisposable()
        self._lock = threading.Lock()
        self._emitting = threading.RLock()
        self._waiting: deque[_A] = deque()
        self._in_flight = 0
        self._running: dict[_Call[_A, _B], None] = {}
        self._line: deque[_Call[_A, _B]] = deque()
        self._ready: deque[_B] = deque()
        self._deliverer: _Call[_A, _B] | None = None
        self._paused: list[Flow] = []
        self._pauses = 0
        self._gate: Signal | None = None
        self._completed = False
        self._error: Exception | None = None
        self._urgent = False
        self._over = False

    def subscribe(self, source: Observable[_A], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        self._source.disposable = source.subscribe(self, scheduler=scheduler)
        return self

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: _A) -> None:
        runtime = self._runtime = self._runtime or RUNTIME.get()
        if runtime is None:
            self._fail(
                RuntimeError(
                    "this needs a session to run in: subscribe inside `with rxstream.Session():` "
                    "or `async with rxstream.Session():` (no key is needed for it)"
                )
            )
            self._end()
            return
        with self._lock:
            if self._over or self._error is not None:
                return
            self._waiting.append(value)
        self._start()
        flow = FLOW.get()
        with self._lock:
            full = self._in_flight >= self._most and not self._over and self._error is None
            if full and flow is not None and flow is not self and flow not in self._paused:
                self._paused.append(flow)
                flow.pause()

    def on_error(self, error: Exception) -> None:
        self._fail(error)
        self._end()

    def on_completed(self) -> None:
        self._completed = True
        self._end()

    # ------------------------------------------------------------------ the calls

    def _start(self) -> None:
        """Begin as many calls as may run; with room left after that, let the source go on."""
        while True:
            with self._lock:
                if self._over or self._error is not None:
                    return
                if self._in_flight >= self._most:
                    return
                if not self._waiting:
                    flows, self._paused = self._paused, []
                    break
                call = _Call[_A, _B](self._waiting.popleft())
                self._in_flight += 1
                self._running[call] = None
                if self._ordered:
                    self._line.append(call)
            assert self._runtime is not None
            try:
                call.task.disposable = self._runtime.spawn(partial(self._run, call))
            except Exception as error:  # the session has been left
                self._fail(error)
                self._end()
                return
        for flow in flows:
            flow.resume()

    async def _run(self, call: _Call[_A, _B]) -> None:
        try:
            try:
                promised = self._fn(call.value)
                if not inspect.isawaitable(promised):  # Rx code is often not type-checked
                    raise TypeError(
                        "the function of map_async or for_each_async has to be async, and it returned "
                        f"{type(promised).__name__}: for a plain one use reactivex.operators.map or do_action"
                    )
                call.result = await promised
            except Exception as error:
                with self._lock:
                    self._running.pop(call, None)
                self._tell(error)
                return
            self._done(call)
            await self._deliver(call)
        except BaseException as cancelled:
            if not isinstance(cancelled, Exception):
                self._cancelled(call)
            raise

    def _done(self, call: _Call[_A, _B]) -> None:
        with self._lock:
            if self._over or self._error is not None:
                return
            call.done = True
            if not self._ordered:
                self._ready.append(call.result)
            while self._line and self._line[0].done:
                self._ready.append(self._line.popleft().result)

    def _cancelled(self, call: _Call[_A, _B]) -> None:
        with self._lock:
            self._running.pop(call, None)
            if self._deliverer is call:
                self._deliverer = None
        text = "cancelled: the session was left, or what the coroutine awaited was cancelled"
        self._fail(DisconnectedError(text), at_once=True)
        self._end()

    # ------------------------------------------------------------------ emitting

    async def _deliver(self, call: _Call[_A, _B]) -> None:
        with self._lock:
            if self._deliverer is not None:
                self._running.pop(call, None)
                return
            self._deliverer = call
        FLOW.set(self)
        while True:
            await self._opened()
            with self._lock:
                if self._over or not self._ready:
                    self._deliverer = None
                    self._running.pop(call, None)
                    break
                result = self._ready.popleft()
            with self._emitting:
                try:
                    if not self._over:
                        self._observer.on_next(result)
                except Exception as error:  # its own error is the next thing that the observer hears
                    self._tell(error, at_once=True)
            with self._lock:
                self._in_flight -= 1
            self._start()
        self._end()

    async def _opened(self) -> None:
        """Return once downstream wants to be told more, be it the end."""
        while self._pauses and not self._urgent:
            if self._gate is None:
                self._gate = Signal()
            self._gate.clear()
            if self._pauses and not self._urgent:
                await self._gate.wait()

    def _end(self) -> None:
        """Say how it ended, where nothing is left to be said before."""
        with self._lock:
            if self._over or self._deliverer is not None:
                return
            if self._error is None and (not self._completed or self._in_flight or self._waiting):
                return
            self._over = True
        if self._error is not None:
            self._observer.on_error(self._error)
        else:
            self._observer.on_completed()

    def _fail(self, error: Exception, *, at_once: bool = False) -> bool:
        """Let it end with an error, after the results that are ready, or at once. False where it was to end already."""
        with self._lock:
            first = not self._over and self._error is None
            if first:
                self._error = error
            self._urgent = self._urgent or at_once
        self._let_go(at_once)
        return first

    def _tell(self, error: Exception, *, at_once: bool = False) -> None:
        """End with an error, in one of the session's tasks. A second one is told to those who can still hear it."""
        first = self._fail(error, at_once=at_once)
        self._end()
        if not first:
            self._add(error)

    def _add(self, error: Exception) -> None:
        if self._error is None:  # completed or disposed: leaving the session raises it
            raise error
        _log.warning("map_async failed a second time: %s", type(error).__name__)
        self._error.add_note(f"and then: {type(error).__name__}: {error}")

    def _let_go(self, at_once: bool) -> None:
        """Leave the source, cancel what runs, forget what waits."""
        with self._lock:
            self._waiting.clear()
            self._line.clear()
            if at_once:
                self._ready.clear()
            calls = [call for call in self._running if call is not self._deliverer or self._over]
            flows, self._paused = self._paused, []
            gate = self._gate
        self._source.dispose()
        for call in calls:
            call.task.dispose()
        for flow in flows:
            flow.resume()
        if gate is not None:
            gate.set()

    def dispose(self) -> None:
        with self._lock:
            self._over = self._urgent = True
        self._let_go(at_once=True)
        runtime = self._runtime
        # from another thread it returns when no `on_next` runs; but there may be one that waits for this very thread
        if runtime is not None and not runtime.on_loop_thread() and self._emitting.acquire(timeout=1.0):
            self._emitting.release()

    # ------------------------------------------------------------------ the Flow of those downstream

    def pause(self) -> None:
        with self._lock:
            self._pauses += 1

    def resume(self) -> None:
        with self._lock:
            self._pauses -= 1
            gate = self._gate if self._pauses == 0 else None
        if gate is not None:
            gate.set()

    def abort(self, error: Exception) -> None:
        first = self._fail(error, at_once=True)

        async def end() -> None:
            self._end()
            if not first:
                self._add(error)

        assert self._runtime is not None
        self._runtime.spawn(end)
