"""Tasks and timers: the only file that makes one.

A session is left when nothing runs any more. So everything that is under way is counted here, from the moment it is
asked for, on whatever thread: streams, coroutines spawned by operators and sinks, timers. `idle()` waits for that count
to reach zero and shuts the door in the same breath, so that nothing can slip in behind it. What was let in before the
door shut is begun in any case, even if only to be cancelled: whoever waits for it is told.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

import anyio
from reactivex import abc
from reactivex.scheduler import CurrentThreadScheduler

from rxstream.rx._context import FLOW, RUNTIME, Pull
from rxstream.rx._loops import Caller, Signal, as_exception, is_being_cancelled
from rxstream.session._scheduler import AnyIOScheduler
from rxstream.session._waiting import Waiting

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_LOOK_AGAIN = 0.25
"""Seconds between two looks, while a session is left, at the loops that may have lost their reader meanwhile."""

_PATIENCE = 5.0
"""Seconds of leaving after which the log tells what is waited for."""

_DISPOSED_KEPT = 64
"""So many timers that were disposed may stay in the heap, and as many as are armed."""

Job = Callable[[], Awaitable[None]]


class Pausable(Protocol):
    """A stream that runs, as leaving the session looks at it."""

    pauses: int
    """How many pauses are asked for; it is read while there are none."""


class Loop:
    """A session's tasks and timers on one event loop: the `Runtime` that operators and sinks see."""

    def __init__(self) -> None:
        self.unhandled: list[Exception] = []
        self.scheduler = AnyIOScheduler(self)
        self.streams: WeakSet[Pausable] = WeakSet()
        """The streams that run."""
        self._under_way = {"stream": 0, "timer": 0, "job": 0}
        self._lock = threading.Lock()
        self._closed = True
        self._idle: anyio.Event | None = None
        self._timers: list[_Timer] = []
        self._disposed_timers = 0
        self._wake: anyio.Event | None = None
        self._pulls: WeakSet[Pull] = WeakSet()
        self._actions: deque[Callable[[], object]] = deque()

    # ------------------------------------------------------------------ opening and closing

    async def open(self) -> None:
        self._group: TaskGroup = anyio.create_task_group()
        await self._group.__aenter__()
        self._signal = Signal()
        self._closed = False
        self._group.start_soon(self._serve)

    async def idle(self, leaver: Caller) -> None:
        """Wait until nothing is under way, and let nothing new begin from then on."""
        waiting = Waiting(_PATIENCE)
        while True:
            with self._lock:
                if not any(self._under_way.values()):
                    self._closed = True
                    return
                self._idle = anyio.Event()
            for pull in tuple(self._pulls):
                if pull.reader == leaver or pull.reader.has_ended():
                    pull.close()
            with anyio.move_on_after(_LOOK_AGAIN):
                await self._idle.wait()
            paused = sum(stream.pauses > 0 for stream in tuple(self.streams))
            waiting.look(anyio.current_time(), self._under_way, paused)

    async def close(self) -> None:
        """Cancel what is left, and wait until it has gone. A `BaseException` out of a task is raised from here."""
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

    # ------------------------------------------------------------------ what operators and sinks ask for

    def watch(self, pull: Pull) -> None:
        self._pulls.add(pull)

    def on_loop_thread(self) -> bool:
        return self._signal.on_loop_thread()

    def spawn(self, job: Job) -> abc.DisposableBase:
        """Run `job` in a task of its own; disposing cancels it. Callable from any thread.

        From another thread it begins only after what that thread is subscribing to at the moment is all subscribed:
        Rx queues inner subscriptions (those of `merge`, say), and a stream must not run ahead of them.
        """
        return self.task(job, "job")

    def task(self, job: Job, kind: str, never: Callable[[], object] = lambda: None) -> Task:
        """As `spawn`; `never` is called where the session was left before the job could begin."""
        task = Task(self, job, kind, never)
        self.enter(kind)

        def start(_: abc.SchedulerBase, __: object = None) -> None:
            if not self.run(task.start):
                task.forget()

        CurrentThreadScheduler.singleton().schedule(start)
        return task

    def after(self, seconds: float, action: Callable[[], object]) -> abc.DisposableBase:
        """Call `action` on the loop `seconds` from now; disposing forgets it. Callable from any thread."""
        timer = _Timer(self, action)
        self.enter("timer")
        self.run(lambda: self._arm(timer, seconds))
        return timer

    # ------------------------------------------------------------------ the count

    def enter(self, kind: str) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError(
                    "this Session is not open: subscribe inside its `with` or `async with` block, "
                    "and let the block end only when you are done"
                )
            self._under_way[kind] += 1

    def leave(self, kind: str, *, in_heap: bool = False) -> None:
        with self._lock:
            self._under_way[kind] -= 1
            self._disposed_timers += in_heap
            waiting = None if any(self._under_way.values()) else self._idle
        if waiting is not None:
            self.run(waiting.set)

    def run(self, action: Callable[[], object]) -> bool:
        """Call `action` in a task of the loop: now if this is one, else soon. False where the session has been left."""
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
        """Run what other threads, and functions of the loop that are no tasks, hand over: anyio works in tasks only."""
        while True:
            self._signal.clear()
            self._act()
            await self._signal.wait()

    def _act(self) -> None:
        while self._actions:
            self._actions.popleft()()

    def background(self, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A task that nobody waits for, and that no context variable of ours is set in."""
        self._group.start_soon(job)

    # ------------------------------------------------------------------ timers

    def _arm(self, timer: _Timer, seconds: float) -> None:
        timer.due = anyio.current_time() + max(0.0, seconds)
        if self._disposed_timers > max(_DISPOSED_KEPT, len(self._timers) // 2):
            self._disposed_timers = 0
            self._timers[:] = [armed for armed in self._timers if armed.armed]
            heapq.heapify(self._timers)
        heapq.heappush(self._timers, timer)
        if self._wake is None:
            self._wake = anyio.Event()
            self.background(self._tick)
        elif self._timers[0] is timer:
            self._wake.set()

    async def _tick(self) -> None:
        """One task serves all timers: it sleeps until the first is due, or an earlier one is armed."""
        RUNTIME.set(self)
        FLOW.set(None)
        while True:
            now = anyio.current_time()
            due: list[_Timer] = []  # and not those that they arm: others have their turn before
            while self._timers and self._timers[0].due <= now:
                due.append(heapq.heappop(self._timers))
            for timer in due:
                timer.fire()
            self._wake = anyio.Event()
            wait = self._timers[0].due - anyio.current_time() if self._timers else None
            with anyio.move_on_after(wait):
                await self._wake.wait()


class Task(abc.DisposableBase):
    """One job on the loop, and the handle that cancels it."""

    def __init__(self, loop: Loop, job: Job, kind: str, never: Callable[[], object]) -> None:
        self._loop = loop
        self._job = job
        self._kind = kind
        self._never = never
        self._scope: anyio.CancelScope | None = None
        self.disposed = False

    def start(self) -> None:
        self._loop.background(self._run)

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
        """Cancel the job; of no effect once it has ended, also long after the session."""
        if not self.disposed:
            self.disposed = True
            self._loop.run(self._cancel)

    def forget(self) -> None:
        """It will not begin."""
        told, self.disposed = self.disposed, True
        self._loop.leave(self._kind)
        if not told:
            self._never()

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()


class _Timer(abc.DisposableBase):
    """One entry of the timer heap. A disposed one stays there for a while, and does nothing."""

    def __init__(self, loop: Loop, action: Callable[[], object]) -> None:
        self._loop = loop
        self._actions = [action]  # taken by a `pop`, which only one thread can win
        self.due = 0.0

    def __lt__(self, other: _Timer) -> bool:
        return self.due < other.due

    @property
    def armed(self) -> bool:
        return bool(self._actions)

    def fire(self) -> None:
        action = self._take()
        if action is None:
            return
        try:
            action()
        except BaseException as raised:
            error = as_exception(raised)
            if error is None:
                raise
            self._loop.unhandled.append(error)
        finally:
            self._loop.leave("timer")

    def dispose(self) -> None:
        if self._take() is not None:
            self._loop.leave("timer", in_heap=True)

    def _take(self) -> Callable[[], object] | None:
        try:
            return self._actions.pop()
        except IndexError:
            return None
