"""A time-out for each read.

HTTP clients have a read time-out, but not all keep it in every case: aiohttp 3.14 drops its timer after a malformed
chunk, and then waits for ever. A cancel scope around each read costs more than decoding what was read. So on asyncio
one timer checks from time to time whether a read has lasted too long; on trio it is a cancel scope.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

import anyio


class ReadTimeoutError(Exception):
    """A read lasted longer than allowed."""


class ReadTimeout:
    """The time-out for the reads of one wire; close it when no read will follow."""

    def __init__(self, seconds: float | None) -> None:
        """Must be called on the loop. `seconds`: how long a read may last; None: without limit."""
        self._timer: _ReadTimer | None = None
        self.read: AbstractContextManager[object]
        """Put it around each read. Raises: ReadTimeoutError."""
        if seconds is None:
            self.read = nullcontext()
        elif on_trio():
            self.read = _ReadScope(seconds)
        else:
            self.read = self._timer = _ReadTimer(seconds)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.close()


def on_trio() -> bool:
    """Whether the loop that runs here is trio's."""
    # where another thread is importing trio, the module may not have this yet, and no loop of it runs here
    token = getattr(sys.modules.get("trio.lowlevel"), "current_trio_token", None)
    try:
        return token is not None and token() is not None
    except RuntimeError:
        return False


class _ReadScope:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._scope = anyio.CancelScope()

    def __enter__(self) -> None:
        self._scope = anyio.CancelScope(deadline=anyio.current_time() + self._seconds)
        self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        swallowed = bool(self._scope.__exit__(kind, error, trace))
        if self._scope.cancelled_caught:
            raise ReadTimeoutError from None
        return swallowed


class _ReadTimer:
    """As `asyncio.timeout`, but with one timer for all reads, which is scheduled again only when it has fired."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None  # when the read under way began
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._expired = False
        self._handle = self._loop.call_later(seconds, self._check)

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._since = self._loop.time()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._since = None
        if self._expired and self._task is not None:
            self._expired = False
            # a task that was also cancelled by others stays cancelled
            if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise ReadTimeoutError from None

    def close(self) -> None:
        self._handle.cancel()

    def _check(self) -> None:
        now = self._loop.time()
        due = (now if self._since is None else self._since) + self._seconds
        if self._task is not None and due <= now:
            self._expired = True
            self._cancelling = self._task.cancelling()
            self._task.cancel()
            due = now + self._seconds
        self._handle = self._loop.call_at(due, self._check)
