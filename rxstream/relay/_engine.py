"""The connection to an engine: its client on a thread and an asyncio loop of its own.

The clients of the engines are written for asyncio, and belong to one loop. A log is used from any loop, asyncio's or
trio's, and from several at once. So each log has one thread for its client, one set of connections for the whole
process, and every call goes there. That costs about 0.1 ms a call.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from rxstream.errors import LogUnavailableError
from rxstream.rx._loops import Signal
from rxstream.timing._backoff import Backoff

_Client = TypeVar("_Client")
_T = TypeVar("_T")

_CLOSE_SECONDS = 5.0
_FINISH_SECONDS = 1.0
"""For calls that are under way when the log is closed."""


class Engine(Generic[_Client]):
    """One client, opened at the first call.

    Args:
        name: Of the engine, for errors.
        connect: Makes the client, on the thread.
        disconnect: Closes it.
        failures: What the client raises where a connection fails, and another try may help.
        refusals: What it raises where none helps. They come first: they may be kinds of `failures`.
        retry_seconds: For how long a call is tried again.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Awaitable[_Client]],
        disconnect: Callable[[_Client], Awaitable[object]],
        failures: tuple[type[BaseException], ...],
        refusals: tuple[type[BaseException], ...],
        retry_seconds: float,
    ) -> None:
        self._name = name
        self._connect = connect
        self._disconnect = disconnect
        self.failures = failures
        self._refusals = refusals
        self._retry_seconds = retry_seconds
        self._backoff = Backoff(0, random.random, first=0.05, longest=1.0)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = 0
        self.generation = 0
        """How many loops there were. What belongs to an earlier one has ended with it."""
        self._state: _LoopState[_Client] = _LoopState()
        """Of the loop that runs now."""

    async def call(self, function: Callable[[_Client], Coroutine[Any, Any, _T]]) -> _T:
        """Await `function(client)` on the thread, from any loop. Where the connection fails, try again.

        Raises: what it raises; LogUnavailableError: no try has succeeded, or the log was closed.
        """
        signal = Signal()
        future = self.start(self.with_retries(function), brief=True)
        future.add_done_callback(lambda _: signal.set())
        try:
            await signal.wait()
        finally:
            future.cancel()
        try:
            return future.result()
        except CancelledError:
            pass
        raise LogUnavailableError(f"the log was closed before {self._name} had answered: close it after its streams")

    def start(self, coroutine: Coroutine[Any, Any, _T], *, brief: bool = False) -> Future[_T]:
        """Run a coroutine on the thread, from any thread. `brief`: `close` waits for a moment before it cancels it."""
        with self._lock:  # so that it is on the loop before `close` stops it, and comes to an end there
            loop = self._running_loop()
            return asyncio.run_coroutine_threadsafe(self._tracked(coroutine, self._state, brief), loop)

    @property
    def is_open(self) -> bool:
        """Whether it was used, and not closed since."""
        return self._loop is not None and self._process == os.getpid()

    def close(self) -> None:
        """Close the client, and end the thread."""
        with self._lock:
            loop, thread, state = self._loop, self._thread, self._state
            self._loop = self._thread = None
        if loop is None or thread is None or self._process != os.getpid():
            return
        with suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._close(state), loop).result(_CLOSE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_CLOSE_SECONDS)

    # ------------------------------------------------------------------ inside

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """Under the lock."""
        if self._loop is None or self._process != os.getpid():  # a fork takes the loop along, not its thread
            self._process = os.getpid()
            self.generation += 1
            self._state = _LoopState()
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_serve, args=(self._loop,), name=f"rxstream-{self._name}", daemon=True
            )
            self._thread.start()
        return self._loop

    async def with_retries(self, function: Callable[[_Client], Coroutine[Any, Any, _T]]) -> _T:
        """What `call` does, on the thread."""
        last: BaseException | None = None
        tries = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(self._retry_seconds):
                while True:
                    tries += 1
                    try:
                        return await function(await self.client())
                    except (*self.failures, *self._refusals) as error:
                        last = error
                        if not self._may_pass(error):
                            raise LogUnavailableError(
                                f"{self._name} refused ({type(error).__name__}: {error}): check its settings and the "
                                "password"
                            ) from None
                    await asyncio.sleep(self._backoff.wait(tries))
        reason = f"{type(last).__name__}: {last}" if last is not None else "no answer"
        raise LogUnavailableError(
            f"{self._name} could not be reached in {self._retry_seconds:g} s ({reason}): check that it runs, and its "
            "address"
        )

    def _may_pass(self, error: BaseException) -> bool:
        """Whether another try may help. The most special class decides."""
        for kind in type(error).__mro__:
            if kind in self._refusals:
                return False
            if kind in self.failures:
                return True
        return False

    async def client(self) -> _Client:
        """The client. On the thread only."""
        state = _STATE.get()
        if state.client is None:
            async with state.connecting:
                if state.client is None:
                    state.client = await self._connect()
        return state.client

    async def _tracked(self, coroutine: Coroutine[Any, Any, _T], state: _LoopState[_Client], brief: bool) -> _T:
        task = asyncio.current_task()
        assert task is not None
        state.calls.add(task)
        if brief:
            state.brief.add(task)
        _STATE.set(state)
        try:
            return await coroutine
        finally:
            state.calls.discard(task)
            state.brief.discard(task)

    async def _close(self, state: _LoopState[_Client]) -> None:
        """End the calls, and then the client, whose tasks they need."""
        await asyncio.sleep(0)  # the calls that were started last get their tasks
        if state.brief:  # a client that is cancelled in the middle of a connection may leave it open
            await asyncio.wait(tuple(state.brief), timeout=_FINISH_SECONDS)
        calls = tuple(state.calls - {asyncio.current_task()})
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        if state.client is not None:
            await self._disconnect(state.client)


class _LoopState(Generic[_Client]):
    """What belongs to one loop."""

    def __init__(self) -> None:
        self.client: _Client | None = None
        self.connecting = asyncio.Lock()
        self.calls: set[asyncio.Task[Any]] = set()
        self.brief: set[asyncio.Task[Any]] = set()


_STATE: ContextVar[_LoopState[Any]] = ContextVar("rxstream_relay_loop")
"""Of the loop of the current call. A log that is closed and used again has another one."""


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        with suppress(Exception):
            loop.run_until_complete(_end_tasks())
            loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _end_tasks() -> None:
    """Cancel what still runs, so that each call gets its end."""
    await asyncio.sleep(0)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
