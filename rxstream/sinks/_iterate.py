"""An Observable as a loop: `for` and `async for`."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, Generic, TypeVar

import anyio.lowlevel
from reactivex import Observable

from rxstream.rx._blocking import forbid_on_any_loop, forbid_on_session_loop
from rxstream.rx._loops import Signal, caller
from rxstream.sinks._buffer import Buffer, NoValue
from rxstream.timing._overflow import Overflow, check_overflow

_T = TypeVar("_T")

_CHECKPOINT_EVERY = 64
"""After so many values without waiting, other tasks of the loop may run."""


def iterate(source: Observable[_T], *, buffer: int = 64, overflow: Overflow = "pause") -> Iteration[_T]:
    """Make a loop of an Observable: `for value in iterate(…)`, or `async for` on asyncio and trio.

    Each loop is a subscription of its own; leaving it early (`break`, an exception, cancellation) disposes it, which
    closes the stream's socket. The loop ends when the source completes. It raises the source's error, after all values
    before it. A step by itself that is cancelled (`asyncio.wait_for(anext(loop), 1)`) loses nothing: the next one gives
    the next value.

    Args:
        source: Any Observable, of a Session or your own.
        buffer: How many values may wait for the loop.
        overflow: What happens to a stream that is faster than the loop. `"pause"`: the session stops reading the
            socket until there is room (a source that is not a session's cannot be paused: all its values are
            buffered). `"error"`: the loop raises `BufferOverflowError`. `"drop_oldest"`: the oldest value is lost.
            `"conflate"`: adjacent text deltas of one part become one; nothing is lost. Where a thousand have become
            one, and for what cannot be merged, the stream is paused.

    Raises:
        ValueError: `buffer` is less than 1, or `overflow` is not one of the four. TypeError: `source` is not an
            Observable.
        RuntimeError: a `for` loop on the thread of the session's own event loop, which it would block; without a
            session, on the thread of any event loop, when it has to wait.
    """
    if not hasattr(source, "subscribe"):
        raise TypeError(f"iterate expects an Observable, got {type(source).__name__}")
    check_overflow(buffer, overflow)
    return Iteration(source, buffer, overflow)


class Iteration(Generic[_T]):
    """What `iterate` returns. It can be looped over any number of times."""

    def __init__(self, source: Observable[_T], buffer: int, overflow: Overflow) -> None:
        self._source = source
        self._buffer = buffer
        self._overflow: Overflow = overflow

    def __iter__(self) -> Iterator[_T]:
        forbid_on_session_loop("`async for`")
        return _SyncLoop(self._source, Buffer(self._buffer, self._overflow))

    def __aiter__(self) -> AsyncIterator[_T]:
        return _AsyncLoop(self._source, Buffer(self._buffer, self._overflow))


class _LoopBase(Generic[_T]):
    """Subscribes at the first step; disposes when the iterator is closed or deleted."""

    def __init__(self, source: Observable[_T], buffer: Buffer[_T]) -> None:
        self._source = source
        # The buffer must not refer to this object, because a `break` is noticed by `__del__`.
        self._buffer = buffer
        self._subscribed = False

    def close(self) -> None:
        """Dispose the subscription; further steps end the loop. May be called from any thread."""
        self._subscribed = True
        self._buffer.close()
        self._buffer.wake()

    def _subscribe(self) -> None:
        if not self._subscribed:
            self._subscribed = True
            try:
                self._buffer.subscribe(self._source)
            except BaseException:
                self._buffer.close()
                raise

    def __del__(self) -> None:
        self._buffer.close()


class _SyncLoop(_LoopBase[_T], Iterator[_T]):
    def __init__(self, source: Observable[_T], buffer: Buffer[_T]) -> None:
        super().__init__(source, buffer)
        self._changed = threading.Event()
        buffer.wake = self._changed.set

    def __next__(self) -> _T:
        buffer = self._buffer
        buffer.reader = caller()
        self._subscribe()
        while (value := buffer.take()) is NoValue.PENDING:
            self._changed.clear()
            if (value := buffer.take()) is not NoValue.PENDING:  # a value that came before `clear`
                break
            forbid_on_any_loop("`async for`")
            self._changed.wait()
        if value is NoValue.ENDED:
            raise StopIteration
        return value


class _AsyncLoop(_LoopBase[_T], AsyncIterator[_T]):
    _without_waiting = 0

    def __anext__(self) -> Coroutine[Any, Any, _T]:
        self._buffer.reader = caller()  # here, because `asyncio.wait_for` takes the step in a task of its own
        return self._step()

    async def _step(self) -> _T:
        buffer = self._buffer
        try:
            if not self._subscribed:
                self._signal = Signal()
                buffer.wake = self._signal.set
            self._subscribe()
            self._without_waiting += 1
            if self._without_waiting % _CHECKPOINT_EVERY == 0:
                await anyio.lowlevel.checkpoint()
            while (value := buffer.take()) is NoValue.PENDING:
                self._signal.clear()
                if (value := buffer.take()) is not NoValue.PENDING:  # a value that came before `clear`
                    break
                self._without_waiting = 0
                await self._signal.wait()
        except BaseException:
            # A step that was cancelled is not the end: the next one gives the next value. But where this was the last
            # reference, the loop ends, and the traceback must not be another one.
            del self
            raise
        if value is NoValue.ENDED:
            raise StopAsyncIteration
        return value

    async def aclose(self) -> None:
        """Dispose the subscription; further steps end the loop."""
        self.close()
