"""The calls of a run to its ledger."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from rxstream.rx._threads import run_in_thread
from rxstream.tools._ledger import Ledger, LedgerRecord

_log = logging.getLogger("rxstream")


class LedgerCalls:
    """Calls the methods of a ledger for one subscription: one at a time, and `close` once, after all others.

    Plain functions run in worker threads. A thread cannot be cancelled, so a cancelled call ends with its thread.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        """Guards what follows."""
        self._busy = False
        """A call runs."""
        self._open = False
        """The subscription holds the ledger."""
        self._closed = False

    async def open(self) -> Sequence[LedgerRecord]:
        """Open the ledger. Returns its records; none after `close`. Raises: what it raises."""
        records = await self._call(self._ledger.open)
        return [] if records is None else records

    async def append(self, record: LedgerRecord) -> None:
        """Append a record; nothing after `close`. Raises: what the ledger raises."""
        await self._call(self._ledger.append, record)

    def close(self) -> None:
        """Close the ledger, after the call that runs. Any thread may call it, also several times."""
        with self._lock:
            self._closed = True
        self._close_if_idle()

    async def _call(self, method: Callable[..., Any], *args: Any) -> Any:
        with self._lock:
            if self._closed:
                return None
            self._busy = True
        try:
            result: Any
            if inspect.iscoroutinefunction(method):
                result = method(*args)
            else:
                result = await run_in_thread(method, *args)
            if inspect.isawaitable(result):
                result = await result
            self._open = True  # the first call is that of `open`
            return result
        finally:
            with self._lock:
                self._busy = False
            self._close_if_idle()

    def _close_if_idle(self) -> None:
        with self._lock:
            if self._busy or not (self._open and self._closed):
                return
            self._open = False
        try:
            self._ledger.close()
        except Exception:
            _log.warning("the ledger of a run could not be closed", exc_info=True)
