"""Coroutines between an Observable and its observer: what `map_async` runs."""

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
from rxstream.rx._serial import DRAINING, SOURCE_ENDED, Serial

_A = TypeVar("_A")
_B = TypeVar("_B")

_log = logging.getLogger("rxstream")


class _AsyncCall(Generic[_A, _B]):
    """One call of the async function."""

    __slots__ = ("done", "result", "task", "value")

    def __init__(self, value: _A) -> None:
        self.value = value
        self.task = SingleAssignmentDisposable()
        self.done = False
        self.result: _B


class AsyncCalls(abc.ObserverBase[_A], abc.DisposableBase, Generic[_A, _B]):
    """One subscription. It is the observer of the source, and the `Flow` of what is downstream.

    Results that are ready are steps of a `Serial`. The task that puts a result into an idle `Serial` runs its steps,
    and waits there while downstream asks for a pause. Other tasks only add their result.
    """

    def __init__(
        self, fn: Callable[[_A], Awaitable[_B]], most: int, ordered: bool, observer: abc.ObserverBase[_B]
    ) -> None:
        self._fn = fn
        self._most = most
        self._ordered = ordered
        self._runtime: Runtime | None = RUNTIME.get()
        """The session that the calls run in: the subscription's, or else the first value's."""
        self._serial = Serial(observer, self._close)
        self._lock = threading.Lock()
        """Guards the attributes below. Never held while `fn` or the observer runs."""
        self._waiting: deque[_A] = deque()
        """Values whose call has not begun."""
        self._in_flight = 0
        """Calls that have begun and whose result is not yet emitted."""
        self._running: dict[_AsyncCall[_A, _B], None] = {}
        """Calls that are being awaited."""
        self._in_order: deque[_AsyncCall[_A, _B]] = deque()
        """With `ordered`, the calls in flight in the order of the values, until their result is a step of `_serial`."""
        self._paused: list[Flow] = []
        """The streams that were asked to pause until there is room."""
        self._pauses = 0
        """How many pauses downstream asks for."""
        self._resumed: Signal | None = None
        """Wakes the task that waits for downstream. Made when it first waits, because it belongs to the loop."""

    def subscribe(self, source: Observable[_A], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        self._serial.source.disposable = source.subscribe(self, scheduler=scheduler)
        return self

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: _A) -> None:
        runtime = self._runtime = self._runtime or RUNTIME.get()
        if runtime is None:
            self._serial.end(
                RuntimeError(
                    "this needs a session to run in: subscribe inside `with rxstream.Session():` "
                    "or `async with rxstream.Session():` (no key is needed for it)"
                )
            )
            return
        with self._lock:
            if self._serial.state >= DRAINING:
                return
            self._waiting.append(value)
        self._start()
        flow = FLOW.get()
        with self._lock:
            full = self._in_flight >= self._most and self._serial.state < DRAINING
            if full and flow is not None and flow is not self and flow not in self._paused:
                self._paused.append(flow)
                flow.pause()

    def on_error(self, error: Exception) -> None:
        self._serial.end(error, drain=True)

    def on_completed(self) -> None:
        self._serial.source_ended()
        self._start()

    def dispose(self) -> None:
        self._serial.dispose()

    # ------------------------------------------------------------------ the calls

    def _start(self) -> None:
        """Begin as many calls as may run. If there is room for more, resume the source, or end if it has ended."""
        while True:
            with self._lock:
                if self._serial.state >= DRAINING or self._in_flight >= self._most:
                    return
                if not self._waiting:
                    flows, self._paused = self._paused, []
                    ended = self._serial.state is SOURCE_ENDED and self._in_flight == 0
                    break
                call = _AsyncCall[_A, _B](self._waiting.popleft())
                self._in_flight += 1
                self._running[call] = None
                if self._ordered:
                    self._in_order.append(call)
            assert self._runtime is not None
            try:
                call.task.disposable = self._runtime.spawn(partial(self._run, call))
            except Exception as error:  # the session has been left
                self._serial.end(error, drain=True)
                return
        for flow in flows:
            flow.resume()
        if ended:
            self._serial.end()

    async def _run(self, call: _AsyncCall[_A, _B]) -> None:
        try:
            await self._await(call)
        except Exception as error:
            self._fail(error, drain=True)
        except BaseException:
            if self._serial.state < DRAINING:  # else it was cancelled from here
                self._end_as_cancelled()
            raise
        else:
            if self._put(call):
                await self._deliver()

    async def _await(self, call: _AsyncCall[_A, _B]) -> None:
        try:
            awaitable = self._fn(call.value)
            if not inspect.isawaitable(awaitable):  # Rx code is often not type-checked
                raise TypeError(
                    "map_async and for_each_async expect an async function, and this one returned "
                    f"{type(awaitable).__name__}: for a plain one use reactivex.operators.map or do_action"
                )
            call.result = await awaitable
            call.done = True
        finally:
            with self._lock:
                self._running.pop(call, None)

    # ------------------------------------------------------------------ emitting

    def _put(self, call: _AsyncCall[_A, _B]) -> bool:
        """Queue the results that can be emitted now. Returns whether the caller has to deliver them."""
        idle = False
        with self._lock:
            if not self._ordered:
                self._in_order.append(call)
            while self._in_order and self._in_order[0].done:
                idle = self._serial.put(self._emit, self._in_order.popleft().result) or idle
        return idle

    async def _deliver(self) -> None:
        FLOW.set(self)
        try:
            while True:
                await self._wait_until_resumed()
                next_step = self._serial.take()
                if next_step is None:
                    return
                step, args = next_step
                step(*args)
        except BaseException:
            self._serial.stop_working()
            self._end_as_cancelled()
            raise

    async def _wait_until_resumed(self) -> None:
        while self._pauses and self._serial.state <= DRAINING:
            if self._resumed is None:
                self._resumed = Signal()
            self._resumed.clear()
            if self._pauses and self._serial.state <= DRAINING:
                await self._resumed.wait()

    def _emit(self, result: _B) -> None:
        try:
            self._serial.emit((result,))
        except Exception as error:  # the observer gets its own error
            self._fail(error)
        with self._lock:
            self._in_flight -= 1
        self._start()

    # ------------------------------------------------------------------ the end

    def _fail(self, error: Exception, *, drain: bool = False) -> None:
        """End with an error, in one of the session's tasks. If there was an earlier error, add a note to it."""
        if not self._serial.end(error, drain=drain):
            self._add_to_first_error(error)

    def _add_to_first_error(self, error: Exception) -> None:
        first = self._serial.error
        if first is None:  # completed or disposed: leaving the session raises it
            raise error
        _log.warning("map_async failed a second time: %s", type(error).__name__)
        first.add_note(f"and then: {type(error).__name__}: {error}")

    def _end_as_cancelled(self) -> None:
        text = "cancelled: the session was left, or what the coroutine awaited was cancelled"
        self._serial.end(DisconnectedError(text))

    def _close(self) -> None:
        """Cancel the calls, drop the values that wait, resume the sources, and wake the task that waits."""
        with self._lock:
            self._waiting.clear()
            self._in_order.clear()
            calls = list(self._running)
            flows, self._paused = self._paused, []
        for call in calls:
            call.task.dispose()
        for flow in flows:
            flow.resume()
        if self._resumed is not None:
            self._resumed.set()

    # ------------------------------------------------------------------ the Flow of downstream

    def pause(self) -> None:
        with self._lock:
            self._pauses += 1

    def resume(self) -> None:
        with self._lock:
            self._pauses -= 1
            resumed = self._resumed if self._pauses == 0 else None
        if resumed is not None:
            resumed.set()

    def abort(self, error: Exception) -> None:
        # The step makes the serial busy, so that `end` does not notify the observer here, but a task on the loop does.
        idle = self._serial.put(self._start)
        first = self._serial.end(error)

        async def notify() -> None:
            if idle:
                self._serial.take()
            if not first:
                self._add_to_first_error(error)

        assert self._runtime is not None
        self._runtime.spawn(notify)
