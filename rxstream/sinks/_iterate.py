"""An Observable as a loop: `for` and `async for`."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Generic, TypeVar

from reactivex import Observable, abc

from rxstream._context import RUNTIME
from rxstream._loops import Signal
from rxstream.sinks._buffer import Buffer, Overflow

_T = TypeVar("_T")


def iterate(source: Observable[_T], *, buffer: int = 64, overflow: Overflow = "pause") -> Iteration[_T]:
    """Make a loop of an Observable: `for value in iterate(…)`, or `async for` on asyncio and trio.

    Each loop is a subscription of its own; leaving it early (`break`, an exception, cancellation) disposes it, which
    closes the stream's socket. The loop ends when the source completes and raises what the source errors with, after
    every value that came before.

    Args:
        source: Any Observable, of a Session or your own.
        buffer: How many values may wait for the loop.
        overflow: What happens to a stream that is faster than the loop. `"pause"`: the session stops reading the
            socket until the loop has caught up (a source that is no session's cannot be paused: it is buffered
            whole). `"error"`: the loop raises `RxStreamError`. `"drop_oldest"`: the oldest value is lost.
            `"conflate"`: adjacent text deltas of one part become one; nothing is lost.

    Raises:
        ValueError: `buffer` is not positive, or `overflow` is no policy.
        RuntimeError: a `for` loop on the thread of the session's own event loop, which it would block for ever.
    """
    if buffer < 1:
        raise ValueError(f"buffer must be 1 or more, not {buffer}")
    if overflow not in ("pause", "error", "drop_oldest", "conflate"):
        raise ValueError(f'overflow must be "pause", "error", "drop_oldest" or "conflate", not {overflow!r}')
    return Iteration(source, buffer, overflow)


class Iteration(Generic[_T]):
    """What `iterate` returns: good for any number of loops."""

    def __init__(self, source: Observable[_T], buffer: int, overflow: Overflow) -> None:
        self._source = source
        self._buffer = buffer
        self._overflow: Overflow = overflow

    def __iter__(self) -> Iterator[_T]:
        runtime = RUNTIME.get()
        if runtime is not None and runtime.on_loop_thread():
            raise RuntimeError("a `for` loop here would block the session's event loop: write `async for`")
        return _Loop(self._source, Buffer(self._buffer, self._overflow))

    def __aiter__(self) -> AsyncIterator[_T]:
        return _AsyncLoop(self._source, Buffer(self._buffer, self._overflow))


class _Subscribed(Generic[_T]):
    """Subscribe at the first step; dispose when the loop lets go of it, however that comes about."""

    def __init__(self, source: Observable[_T], buffer: Buffer[_T]) -> None:
        self._source = source
        self._buffer = buffer
        self._subscription: abc.DisposableBase | None = None

    def _subscribe(self) -> None:
        if self._subscription is None:
            # The buffer must not refer to this object: the end of the loop is seen by its last reference going.
            self._subscription = self._source.subscribe(
                self._buffer.on_next, self._buffer.on_error, self._buffer.on_completed
            )

    def close(self) -> None:
        """Dispose the subscription; further steps end the loop."""
        if self._subscription is not None:
            self._subscription.dispose()
        self._buffer.close()

    def __del__(self) -> None:
        self.close()


class _Loop(_Subscribed[_T], Iterator[_T]):
    def __init__(self, source: Observable[_T], buffer: Buffer[_T]) -> None:
        super().__init__(source, buffer)
        self._changed = threading.Event()
        buffer.wake = self._changed.set

    def __next__(self) -> _T:
        self._subscribe()
        while True:
            self._changed.clear()
            value = self._buffer.take()
            if value is not None:
                return value
            self._changed.wait()


class _AsyncLoop(_Subscribed[_T], AsyncIterator[_T]):
    async def __anext__(self) -> _T:
        if self._subscription is None:
            self._signal = Signal()
            self._buffer.wake = self._signal.set
            self._subscribe()
        try:
            while True:
                value = self._buffer.take()
                if value is not None:
                    return value
                self._signal.clear()
                value = self._buffer.take()  # what came before the signal was cleared
                if value is not None:
                    return value
                await self._signal.wait()
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Dispose the subscription; further steps end the loop."""
        self.close()
