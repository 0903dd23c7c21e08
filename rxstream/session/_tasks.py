"""Tasks. This is the only file that makes them.

Leaving a session waits until nothing runs any more. So everything is counted here from the call that requests it, on
any thread: streams, coroutines of operators and sinks, timers. `idle()` waits for that count to reach zero and closes
the loop under the same lock, so that nothing can begin after it. What was requested before that is begun in any case,
even if only to be cancelled, because others may wait for its end.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakSet

import anyio
from reactivex import abc
from reactivex.scheduler import CurrentThreadScheduler

from rxstream.errors import DisconnectedError
from rxstream.rx._blocking import forbid_after_fork
from rxstream.rx._context import FLOW, RUNTIME, Pull
from rxstream.rx._loops import Caller, Signal, as_exception, is_being_cancelled, run_in
from rxstream.session._scheduler import AnyIOScheduler
from rxstream.session._timers import Timer, Timers
from rxstream.session._wait_log import WaitLog

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_CHECK_EVERY = 0.25
"""Seconds between two checks, while a session is left, for `for` loops whose task or thread has ended."""

_LOG_AFTER = 5.0
"""Seconds of leaving after which the log says what still runs."""

Job = Callable[[], Awaitable[object]]

_T = TypeVar("_T")


class PausableStream(Protocol):
    """A running stream."""

    pauses: int
    """How many pauses there are; it is read while there are none."""


class TaskLoop:
    """A session's tasks and timers on one event loop: the `Runtime` that operators and sinks see."""

    def __init__(self) -> None:
        self.unhandled: list[Exception] = []
        self.scheduler = AnyIOScheduler(self)
        self.streams: WeakSet[PausableStream] = WeakSet()
        """The running streams."""
        self._under_way = {"stream": 0, "timer": 0, "job": 0}
        self._lock = threading.Lock()
        self._closed = True
        self._idle: anyio.Event | None = None
        self._timers = Timers(self.background)
        self._pulls: WeakSet[Pull] = WeakSet()
        self._actions: deque[Callable[[], object]] = deque()

    # ------------------------------------------------------------------ open_wire and closing

    async def open(self) -> None:
        self._group: TaskGroup = anyio.create_task_group()
        await self._group.__aenter__()
        self._signal = Signal()
        self._process = os.getpid()
        self._closed = False
        self._group.start_soon(self._serve)

    async def idle(self, leaver: Caller) -> None:
        """Wait until nothing is under way; from then on nothing can begin."""
        wait_log = WaitLog(_LOG_AFTER)
        while True:
            with self._lock:
                if not any(self._under_way.values()):
                    self._closed = True
                    return
                self._idle = anyio.Event()
            for pull in tuple(self._pulls):
                if pull.reader == leaver or pull.reader.has_ended():
                    pull.session_left()
            with anyio.move_on_after(_CHECK_EVERY):
                await self._idle.wait()
            paused = sum(stream.pauses > 0 for stream in tuple(self.streams))
            wait_log.check(anyio.current_time(), self._under_way, paused)

    async def close(self) -> None:
        """Cancel what still runs, and wait for its end. Raises: a `BaseException` of a task."""
        with self._lock:
            self._closed = True
        self._act()
        self._group.cancel_scope.cancel()
        self._timers.clear()
        try:
            await self._group.__aexit__(None, None, None)
        except BaseExceptionGroup as errors:
            first = errors.exceptions[0]
            raise first if len(errors.exceptions) == 1 else errors from None

    # ------------------------------------------------------------------ the Runtime

    def watch(self, pull: Pull) -> None:
        self._pulls.add(pull)

    def on_loop_thread(self) -> bool:
        return self._signal.on_loop_thread()

    def was_forked(self) -> bool:
        return os.getpid() != self._process

    def spawn(self, job: Job) -> abc.DisposableBase:
        """Run `job` in a task of its own; disposing cancels it. Callable from any thread.

        From another thread it begins when all subscribe calls of that thread have finished: Rx queues inner
        subscriptions (those of `merge`, for instance), and a stream must not emit before them.
        """
        return self.task(job, "job")

    def task(self, job: Job, kind: str, on_refused: Callable[[], object] = lambda: None) -> Task:
        """As `spawn`; `on_refused` is called where the session was left before the job could begin."""
        task = Task(self, job, kind, on_refused)
        self.enter(kind)

        def start(_: abc.SchedulerBase, __: object = None) -> None:
            if not self.run(task.start):
                task.refuse()

        CurrentThreadScheduler.singleton().schedule(start)
        return task

    async def call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        """Await `function()` on this loop, from any loop.

        Raises: what it raises; DisconnectedError where the session is left first.
        """
        ended = Signal()
        results: list[_T] = []
        error: Exception = DisconnectedError("the session was left before this request had its answer")

        async def job() -> None:
            nonlocal error
            try:
                results.append(await function())
            except Exception as raised:
                error = raised
            finally:
                ended.set()

        task = self.task(job, "job", ended.set)
        try:
            await ended.wait()
        finally:
            task.dispose()
        if not results:
            raise error
        return results[0]

    def after(self, seconds: float, action: Callable[[], object]) -> abc.DisposableBase:
        """Call `action` on the loop `seconds` from now; disposing cancels that. Callable from any thread."""
        timer = Timer(self, action)
        self.enter("timer")
        self.run(lambda: self._timers.arm(timer, seconds))
        return timer

    # ------------------------------------------------------------------ the count

    def enter(self, kind: str) -> None:
        forbid_after_fork(self)  # before the lock, which another thread may have held
        with self._lock:
            if self._closed:
                raise RuntimeError("this Session is not open: subscribe inside its `with` or `async with` block")
            self._under_way[kind] += 1

    def leave(self, kind: str, *, in_heap: bool = False) -> None:
        with self._lock:
            self._under_way[kind] -= 1
            self._timers.disposed += in_heap
            idle = None if any(self._under_way.values()) else self._idle
        if idle is not None:
            self.run(idle.set)

    def run(self, action: Callable[[], object]) -> bool:
        """Call `action` in a task of the loop: now if this is one, else soon. False where the session has been left."""
        if self.was_forked():
            return False
        in_task = self._signal.in_task()
        with self._lock:
            if self._closed:
                return False
            if not in_task:
                self._actions.append(action)
        if in_task:
            action()
        else:
            self._signal.set()
        return True

    async def _serve(self) -> None:
        """Run the actions of other threads and of plain callbacks of the loop, because anyio works in tasks only."""
        while True:
            self._signal.clear()
            self._act()
            await self._signal.wait()

    def _act(self) -> None:
        while self._actions:
            self._actions.popleft()()

    def background(self, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A task that leaving the session does not wait for."""
        self._group.start_soon(job)


class Task(abc.DisposableBase):
    """One job on the loop; disposing cancels it."""

    def __init__(self, loop: TaskLoop, job: Job, kind: str, on_refused: Callable[[], object]) -> None:
        self._loop = loop
        self._job = job
        self._kind = kind
        self._on_refused = on_refused
        self._context = copy_context()  # of the subscriber, whose variables its callbacks see
        self._scope: anyio.CancelScope | None = None
        self.disposed = False

    def start(self) -> None:
        run_in(self._context, self._loop.background, self._run)

    async def _run(self) -> None:
        RUNTIME.set(self._loop)
        FLOW.set(None)
        try:
            with anyio.CancelScope() as self._scope:
                if not self.disposed:
                    await self._job()
        except BaseException as raised:
            error = as_exception(raised)
            if error is None or (error is not raised and is_being_cancelled()):
                raise
            self._loop.unhandled.append(error)
        finally:
            self.disposed = True
            self._loop.leave(self._kind)

    def dispose(self) -> None:
        """Cancel the job. Without effect once it has ended, also after the session."""
        if not self.disposed:
            self.disposed = True
            self._loop.run(self._cancel)

    def refuse(self) -> None:
        """The session was left before the job could begin."""
        was_disposed, self.disposed = self.disposed, True
        self._loop.leave(self._kind)
        if not was_disposed:
            self._on_refused()

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()
