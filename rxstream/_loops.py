"""Which event loop runs on this thread, and how another thread hands it work. Knows asyncio and trio."""

import sys
import threading
from collections.abc import Callable

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


class Signal:
    """An event that one task waits for again and again, and that any thread may set. Make it on the task's loop."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._post = poster()
        self._event = anyio.Event()

    def clear(self) -> None:
        self._event = anyio.Event()

    def set(self) -> None:
        if threading.get_ident() == self._thread:
            self._event.set()
        else:
            self._post(lambda: self._event.set())

    async def wait(self) -> None:
        await self._event.wait()
