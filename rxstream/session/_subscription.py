"""One subscription: open the wire, turn its Frames into events, notify the observer, and end as the table says.

The observer is notified on the session's loop, one event at a time. Three things may end a stream from outside the
wire, and each is looked for after every single notification: the subscriber disposed, the subscriber raised, or a
sink downstream asked for a pause.

A wire is left through the block that a transport opened, and that may be anybody's. So nothing that matters is trusted
to what comes out of it: how the stream ended, what the subscriber raised, that it disposed, is all noted before.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, cast

import anyio
import anyio.lowlevel
from reactivex import abc

from rxstream.errors import DisconnectedError, RxStreamError
from rxstream.events import StreamingEvent
from rxstream.response._ending import Ending
from rxstream.rx._context import FLOW
from rxstream.rx._loops import as_exception, is_being_cancelled
from rxstream.session._tasks import Loop
from rxstream.timing._backoff import Backoff
from rxstream.typing import Core

_log = logging.getLogger("rxstream")

_GRACE = 2.0
"""Seconds to wait, after an `error` event, for the `response.failed` that should follow it (spec: DIFF.md §3)."""

_LINGER = 0.05
"""Seconds to wait, after the terminal event, for the end of the body: what is in the buffer behind it is delivered, and
a connection that was read to its end can serve the next request."""

_CLOSING = 5.0
"""Seconds that a transport has for closing its wire."""

_TURN = 64
"""After so many batches other tasks of the loop have their turn, should the transport never wait."""

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
            if self.pauses == 0:
                return  # one too many
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


class _Left(Exception):
    """The subscriber has gone, or has raised: leave the wire."""


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
        self.over = False
        """Whether nothing will be read any more: it has ended, or was disposed."""
        self._task = loop.task(self._run, "stream", self._lost)

    def dispose(self) -> None:
        """Emit nothing more, and close the wire at once. From another thread it returns when no `on_next` runs."""
        if self._disposed:
            return
        self._disposed = self.over = True
        self._task.dispose()
        if not self._loop.on_loop_thread() and self._delivering.acquire(timeout=1.0):
            self._delivering.release()

    def _stop(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    @property
    def _gone(self) -> bool:
        return self._disposed or self._tap.fault is not None

    async def _run(self) -> None:
        FLOW.set(self._tap)
        self._loop.streams.add(self._tap)
        error: Exception | None = None
        try:
            with anyio.CancelScope() as self._scope:
                error = await self._attempts()
        except anyio.get_cancelled_exc_class() as cancelled:
            if is_being_cancelled():
                self._lost()
                raise
            error = DisconnectedError("the transport was cancelled from within")
            error.__cause__ = cancelled
        finally:
            self.over = True
            self._loop.streams.discard(self._tap)
        self._end(self._tap.fault or error)

    def _lost(self) -> None:
        with suppress(Exception):
            self._end(DisconnectedError("the session was left while this stream was running"))

    def _end(self, error: Exception | None) -> None:
        """Tell the observer how it ended, unless it has gone."""
        with self._delivering:
            if self._disposed:
                return
            try:
                if error is None:
                    self._observer.on_completed()
                else:
                    self._observer.on_error(error)
            except BaseException as raised:
                unhandled = as_exception(raised)
                if unhandled is None:
                    raise
                self._loop.unhandled.append(unhandled)

    async def _attempts(self) -> Exception | None:
        """Read the wire to its end, with new tries as long as no event has come; return what it ended with."""
        tries = 0
        while True:
            ending = Ending()
            error: Exception | None = None
            try:
                await self._read(ending)
            except Exception as raised:
                error = _alone(raised)
            if self._gone:
                return None
            if error is None or not ending.open:
                if error is not None and not isinstance(error, RxStreamError):
                    _log.warning("the transport raised %s after the end of the stream", type(error).__name__)
                return ending.verdict()
            if not isinstance(error, RxStreamError):
                return error
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
        failure: Exception | None = None
        with anyio.CancelScope() as closing:
            async with self._opening() as wire:
                try:
                    await self._deliver_all(aiter(wire), ending)
                except Exception as raised:
                    failure = raised
                    raise
                finally:
                    closing.deadline = anyio.current_time() + _CLOSING
        if failure is not None and closing.cancelled_caught:
            raise failure

    async def _deliver_all(self, batches: AsyncIterator[Sequence[Any]], ending: Ending) -> None:
        reader = self._reader()
        deadline = math.inf
        turns = 0
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
                if self._gone:  # a cancellation may come too late to stop what was woken
                    raise _Left
            if frames is None or anyio.current_time() > deadline:
                return
            turns += 1
            if not frames or turns % _TURN == 0:
                await anyio.lowlevel.checkpoint()

    def _deliver(self, events: Iterator[StreamingEvent], ending: Ending) -> bool:
        """Notify the observer of each event; False where it has to be called again after a pause."""
        on_next = self._observer.on_next
        tap = self._tap
        with self._delivering:
            for event in events:
                if self._disposed:
                    raise _Left
                ending.feed(event)
                try:
                    on_next(event)
                except BaseException as raised:
                    error = as_exception(raised)
                    if error is None:
                        raise
                    if self._disposed:  # Rx disposes before it tells an error, and here it found nobody to take it
                        self._loop.unhandled.append(error)
                    else:
                        tap.fault = tap.fault or error
                    raise _Left from error
                if tap.pauses:
                    return False
        if self._gone:
            raise _Left
        return True


def _events(reader: Core[Any, StreamingEvent], frames: Sequence[Any]) -> Iterator[StreamingEvent]:
    for frame in frames:
        yield from reader.feed(frame)


def _alone(error: Exception) -> Exception:
    """What a transport with tasks of its own raises comes in a group, and is mostly alone there."""
    if not issubclass(type(error), ExceptionGroup):
        return error
    inner = cast("ExceptionGroup[Exception]", error).exceptions
    return _alone(inner[0]) if len(inner) == 1 else error
