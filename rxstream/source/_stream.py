"""One subscription: open the wire, turn its Frames into events, notify the observer, and end as the table says.

The observer is notified on the session's loop, one event at a time. Three things may end a stream from outside the
wire, and each is looked for after every single notification: the subscriber disposed, the subscriber raised, or a
sink downstream asked for a pause.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import AsyncIterable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import anyio
from reactivex import abc

from rxstream._context import FLOW
from rxstream.cores._backoff import Backoff
from rxstream.cores._base import Core
from rxstream.cores._ending import Ending
from rxstream.errors import DisconnectedError, RxStreamError
from rxstream.events import StreamingEvent
from rxstream.source._bridge import Loop

_log = logging.getLogger("rxstream")

_GRACE = 2.0
"""Seconds to wait, after an `error` event, for the `response.failed` that should follow it (spec: DIFF.md §3)."""

_LINGER = 0.05
"""Seconds to wait, after the terminal event, for the end of the body: what is in the buffer behind it is delivered, and
a connection that was read to its end can serve the next request."""

Opening = Callable[[], AbstractAsyncContextManager[AsyncIterable[Sequence[Any]]]]
"""Opens a wire: what it gives in one step arrived together. Called anew for each try."""

Reader = Callable[[], Core[Any, StreamingEvent]]
"""Makes what turns what the wire gives into events: anew for each connection, for it holds state."""


class Tap:
    """The `Flow` of one stream: counts pauses, wakes the reader, takes what failed downstream after `on_next`."""

    def __init__(self, loop: Loop, stop: Callable[[], object]) -> None:
        self._loop = loop
        self._stop = stop
        self.fault: Exception | None = None
        self._lock = threading.Lock()
        self._open: anyio.Event | None = None
        self.pauses = 0

    def pause(self) -> None:
        with self._lock:
            self.pauses += 1

    def resume(self) -> None:
        with self._lock:
            self.pauses -= 1
        self._loop.run(self._wake)

    def abort(self, error: Exception) -> None:
        if self.fault is None:
            self.fault = error
            self._loop.run(self._stop)

    def _wake(self) -> None:
        if self.pauses == 0 and self._open is not None:
            self._open.set()

    async def wait(self) -> None:
        """Return once nobody asks for a pause. On the loop only."""
        while self.pauses:
            self._open = anyio.Event()
            if self.pauses:
                await self._open.wait()


class _Disposed(Exception):
    """The subscriber has gone: leave the wire, say nothing."""


class _Raised(Exception):
    """The subscriber raised: leave the wire, then tell it."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class Stream(abc.DisposableBase):
    """The task of one subscription, and its Disposable."""

    def __init__(
        self,
        loop: Loop,
        opening: Opening,
        reader: Reader,
        observer: abc.ObserverBase[StreamingEvent],
        backoff: Backoff,
    ) -> None:
        self._loop = loop
        self._opening = opening
        self._reader = reader
        self._observer = observer
        self._backoff = backoff
        self._tap = Tap(loop, self._stop)
        self._delivering = threading.Lock()
        self._disposed = False
        self._scope: anyio.CancelScope | None = None
        self._task = loop.spawn(self._run)

    def dispose(self) -> None:
        """Emit nothing more, and close the wire at once. From another thread it returns when no `on_next` runs."""
        if self._disposed:
            return
        self._disposed = True
        self._task.dispose()
        if not self._loop.on_loop_thread() and self._delivering.acquire(timeout=1.0):
            self._delivering.release()

    def _stop(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    async def _run(self) -> None:
        FLOW.set(self._tap)
        error: Exception | None = None
        try:
            with anyio.CancelScope() as self._scope:
                try:
                    error = await self._attempts()
                except _Disposed:
                    return
                except _Raised as raised:
                    error = raised.error
                except Exception as unforeseen:
                    error = unforeseen
        except anyio.get_cancelled_exc_class():
            if not self._disposed:
                with suppress(Exception):
                    self._observer.on_error(DisconnectedError("the session was left while this stream was running"))
            raise
        if self._disposed:
            return
        error = self._tap.fault or error
        try:
            if error is None:
                self._observer.on_completed()
            else:
                self._observer.on_error(error)
        except Exception as unhandled:
            self._loop.unhandled.append(unhandled)

    async def _attempts(self) -> Exception | None:
        """Read the wire to its end, with new tries as long as no event has come; return what it ended with."""
        tries = 0
        while True:
            ending = Ending()
            try:
                await self._read(ending)
                return ending.verdict()
            except RxStreamError as error:
                if ending.over or ending.error is not None:
                    return ending.verdict()
                tries += 1
                delay = self._backoff.delay(error, tries) if ending.last is None else None
                if delay is None:
                    if ending.last is not None:
                        error.response_id = error.response_id or ending.response_id
                        if error.sequence_number is None:
                            error.sequence_number = ending.last.sequence_number
                    return error
                _log.info("request failed (%s); try %d follows in %.1f s", type(error).__name__, tries + 1, delay)
            await anyio.sleep(delay)

    async def _read(self, ending: Ending) -> None:
        """Deliver what one connection brings, up to its terminal event or its end."""
        reader = self._reader()
        async with self._opening() as wire:
            batches = aiter(wire)
            deadline = math.inf
            while True:
                frames: Sequence[Any] | None = None
                if ending.open:
                    frames = await anext(batches, None)
                else:
                    patience = _LINGER if ending.over else _GRACE
                    deadline = min(deadline, anyio.current_time() + patience)
                    with anyio.CancelScope(deadline=deadline):
                        frames = await anext(batches, None)
                events = _events(reader, frames) if frames is not None else iter(reader.finish())
                while not self._deliver(events, ending):
                    await self._tap.wait()
                    if self._tap.fault is not None:  # a cancellation may come too late to stop what was woken
                        raise _Raised(self._tap.fault)
                if frames is None:
                    return

    def _deliver(self, events: Iterator[StreamingEvent], ending: Ending) -> bool:
        """Notify the observer of each event; False where it has to be called again after a pause."""
        on_next = self._observer.on_next
        tap = self._tap
        with self._delivering:
            for event in events:
                if self._disposed:
                    raise _Disposed
                ending.feed(event)
                try:
                    on_next(event)
                except Exception as error:
                    if self._disposed:  # Rx disposes before it tells an error, and here it found nobody to take it
                        self._loop.unhandled.append(error)
                        raise _Disposed from None
                    raise _Raised(error) from error
                if tap.pauses:
                    return False
        if self._disposed:
            raise _Disposed
        return True


def _events(reader: Core[Any, StreamingEvent], frames: Sequence[Any]) -> Iterator[StreamingEvent]:
    for frame in frames:
        yield from reader.feed(frame)
