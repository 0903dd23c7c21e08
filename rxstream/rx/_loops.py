"""Which event loop runs on this thread, and how another thread calls something on it. For asyncio and trio."""

import inspect
import math
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, ContextVar
from typing import Any, NamedTuple, TypeVarTuple, Unpack

import anyio

CallSoon = Callable[[Callable[[], object]], object]

_Args = TypeVarTuple("_Args")


def current_call_soon() -> CallSoon:
    """The thread-safe `call_soon` of the loop that runs on this thread.

    Raises: RuntimeError: no loop runs on this thread.
    """
    trio_token = _answer("trio.lowlevel", "current_trio_token")
    if trio_token is not None:
        return trio_token.run_sync_soon
    import asyncio

    return asyncio.get_running_loop().call_soon_threadsafe


def loop_clock() -> Callable[[], float]:
    """The clock of the loop that runs on this thread. `anyio.current_time` looks for the loop at each call.

    Raises: RuntimeError: no loop runs on this thread.
    """
    if _answer("trio.lowlevel", "current_trio_token") is not None:
        return sys.modules["trio"].current_time
    import asyncio

    return asyncio.get_running_loop().time


def _answer(module: str, question: str) -> Any:
    """What a function of a module returns; None where no loop of it runs here.

    That is so where it is not imported, and where another thread is importing it, so that its functions may be missing.
    """
    function = getattr(sys.modules.get(module), question, None)
    try:
        return None if function is None else function()
    except RuntimeError:
        return None


def loop_runs_here() -> bool:
    """Whether an event loop runs on this thread."""
    try:
        current_call_soon()
    except RuntimeError:
        return False
    return True


class Caller(NamedTuple):
    """A task of asyncio or trio, or a thread without a loop."""

    thread: threading.Thread  # not its number, which a later thread may get
    task: object | None

    def has_ended(self) -> bool:
        """Whether the task or thread has ended."""
        if self.task is None:
            return not self.thread.is_alive()
        done = getattr(self.task, "done", None)  # asyncio's tasks have it, trio's only their coroutine
        if done is not None:
            return bool(done())
        return inspect.getcoroutinestate(self.task.coro) == inspect.CORO_CLOSED  # type: ignore[attr-defined]  # of trio's task


def caller() -> Caller:
    """The task or thread that calls this."""
    task = _answer("trio.lowlevel", "current_task")
    return Caller(threading.current_thread(), _answer("asyncio", "current_task") if task is None else task)


def is_being_cancelled() -> bool:
    """Whether the current task is being cancelled. A cancellation error alone may come from another task."""
    if anyio.current_effective_deadline() == -math.inf:
        return True
    task = _answer("asyncio", "current_task")
    return task is not None and task.cancelling() > 0


def as_exception(raised: BaseException) -> Exception | None:
    """What a synchronous function raised, as an exception to report. None if it must be raised again.

    A synchronous function cannot have been cancelled. So its `CancelledError` (of the result of a future, for
    instance) is an error like any other, and must not end the task that called it.
    """
    if isinstance(raised, Exception):
        return raised
    if not isinstance(raised, anyio.get_cancelled_exc_class()):
        return None
    mistake = RuntimeError(f"{type(raised).__name__} was raised, but nothing here was cancelled")
    mistake.__cause__ = raised
    return mistake


def run_in(context: Context, function: Callable[[Unpack[_Args]], object], *args: *_Args) -> None:
    """Call `function` in a context that was copied on any thread, for the loop of this one.

    The variable by which anyio knows asyncio from trio belongs to the thread, and does not come from there.
    """
    library: ContextVar[Any] | None = getattr(sys.modules.get("sniffio"), "current_async_library_cvar", None)
    if library is not None:
        context.run(library.set, library.get())
    context.run(function, *args)


class Signal:
    """An event that can be cleared, and that any thread may set. Make it on the loop of the task that waits for it."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._call_soon = current_call_soon()
        self._event = anyio.Event()

    def on_loop_thread(self) -> bool:
        """Whether the caller runs on the thread of the loop that this was made on."""
        return threading.get_ident() == self._thread

    def in_task(self) -> bool:
        """Whether the caller runs in a task of the loop that this was made on, not in a function that it calls."""
        if threading.get_ident() != self._thread:
            return False
        return _answer("asyncio", "get_running_loop") is None or _answer("asyncio", "current_task") is not None

    def clear(self) -> None:
        if self._event.is_set():  # a new one costs as much as the rest of a step
            self._event = anyio.Event()

    def set(self) -> None:
        if self.on_loop_thread():
            self._event.set()
        else:
            with suppress(RuntimeError):  # the loop has ended, and its tasks too
                self._call_soon(lambda: self._event.set())

    async def wait(self) -> None:
        await self._event.wait()
