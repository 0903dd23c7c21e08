"""Which event loop runs on this thread, and how another thread hands it work. Knows asyncio and trio."""

import inspect
import math
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import NamedTuple

import anyio

Poster = Callable[[Callable[[], object]], object]


def poster() -> Poster:
    """A function by which any thread has an action called, soon, on the loop that runs on this one.

    Raises: RuntimeError where no loop runs on this thread.
    """
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return trio.lowlevel.current_trio_token().run_sync_soon
    import asyncio

    return asyncio.get_running_loop().call_soon_threadsafe


def _runs(asyncio: ModuleType) -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def runs_here() -> bool:
    """Whether an event loop runs on this thread."""
    try:
        poster()
    except RuntimeError:
        return False
    return True


class Caller(NamedTuple):
    """Who is calling: a task of asyncio or trio, or a thread without a loop."""

    thread: int
    task: object | None

    def has_ended(self) -> bool:
        """Whether it will never call again."""
        if self.task is None:
            return all(thread.ident != self.thread for thread in threading.enumerate())
        done = getattr(self.task, "done", None)  # asyncio's tasks have it, trio's only their coroutine
        if done is not None:
            return bool(done())
        return inspect.getcoroutinestate(self.task.coro) == inspect.CORO_CLOSED  # type: ignore[attr-defined]


def caller() -> Caller:
    """Who is calling this."""
    trio, asyncio = sys.modules.get("trio"), sys.modules.get("asyncio")
    task: object | None = None
    if trio is not None and trio.lowlevel.in_trio_task():
        task = trio.lowlevel.current_task()
    elif asyncio is not None and _runs(asyncio):
        task = asyncio.current_task()
    return Caller(threading.get_ident(), task)


def being_cancelled() -> bool:
    """Whether the task that runs this is being cancelled, as opposed to one that has met a cancellation elsewhere."""
    if anyio.current_effective_deadline() == -math.inf:
        return True
    asyncio = sys.modules.get("asyncio")
    task = asyncio.current_task() if asyncio is not None and _runs(asyncio) else None
    return task is not None and task.cancelling() > 0


def blamed(raised: BaseException) -> Exception | None:
    """What a function that awaits nothing raised, as an exception to tell of; None where it must not be held up.

    It cannot have been cancelled. So `CancelledError` (of a future that it asked for its result, say) is a mistake like
    any other, and must not look as if the task that called it were to end.
    """
    if isinstance(raised, Exception):
        return raised
    if not isinstance(raised, anyio.get_cancelled_exc_class()):
        return None
    mistake = RuntimeError(f"{type(raised).__name__} was raised, but nothing here was cancelled")
    mistake.__cause__ = raised
    return mistake


class Signal:
    """An event that one task waits for again and again, and that any thread may set. Make it on the task's loop."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._post = poster()
        self._event = anyio.Event()

    def on_loop_thread(self) -> bool:
        """Whether the caller runs on the thread of the loop that this was made on."""
        return threading.get_ident() == self._thread

    def in_task(self) -> bool:
        """Whether the caller runs in a task of that loop, and not in a plain function that the loop calls."""
        if threading.get_ident() != self._thread:
            return False
        asyncio = sys.modules.get("asyncio")
        return asyncio is None or not _runs(asyncio) or asyncio.current_task() is not None

    def clear(self) -> None:
        self._event = anyio.Event()

    def set(self) -> None:
        if self.on_loop_thread():
            self._event.set()
        else:
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                self._post(lambda: self._event.set())

    async def wait(self) -> None:
        await self._event.wait()
