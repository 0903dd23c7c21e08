"""A bound on each read that does not trust the HTTP client to keep it, and costs next to nothing.

Clients have a read time-out of their own, but not all of them keep it in every case: aiohttp 3.14 drops its timer and
then waits for ever after a malformed chunk. A cancel scope around each read would cost more than decoding what was
read. So on asyncio one timer looks now and then whether a read has lasted too long; on trio it is a cancel scope.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

import anyio


class Overdue(Exception):
    """A read lasted longer than allowed."""


class Idle:
    """Make the watch for the reads of one wire; close it when no read will follow."""

    def __init__(self, seconds: float | None) -> None:
        """To be made on the loop. `seconds`: how long a read may last; None: for ever."""
        self._timer: _Timer | None = None
        self.read: AbstractContextManager[object]
        """Put it around each read. Raises: Overdue."""
        if seconds is None:
            self.read = nullcontext()
        elif _on_trio():
            self.read = _Scope(seconds)
        else:
            self.read = self._timer = _Timer(seconds)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.close()


def _on_trio() -> bool:
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())


class _Scope:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._scope = anyio.CancelScope()

    def __enter__(self) -> None:
        self._scope = anyio.CancelScope(deadline=anyio.current_time() + self._seconds)
        self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        taken = bool(self._scope.__exit__(kind, error, trace))
        if self._scope.cancelled_caught:
            raise Overdue from None
        return taken


class _Timer:
    """As `asyncio.timeout`, but with one timer for all reads, set anew only when it has fired."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None  # when the read under way began
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._expired = False
        self._handle = self._loop.call_later(seconds, self._look)

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._since = self._loop.time()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._since = None
        if self._expired and self._task is not None:
            self._expired = False
            # who else has cancelled the task meanwhile is to see it cancelled
            if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise Overdue from None

    def close(self) -> None:
        self._handle.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        due = (now if self._since is None else self._since) + self._seconds
        if self._task is not None and due <= now:
            self._expired = True
            self._cancelling = self._task.cancelling()
            self._task.cancel()
            due = now + self._seconds
        self._handle = self._loop.call_at(due, self._look)
