"""The last value of an Observable, by `await` or by `wait()`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar, cast

from reactivex import Observable, abc

from rxstream.errors import OutputError, ResponseIncompleteError
from rxstream.events import ResponseIncompleteEvent
from rxstream.rx._blocking import forbid_on_any_loop, forbid_on_session_loop
from rxstream.rx._context import RUNTIME
from rxstream.rx._loops import Signal

_T = TypeVar("_T")


def result(source: Observable[_T]) -> Result[_T]:
    """The last value of an Observable: `await result(…)` on asyncio or trio, `result(…).wait()` in a plain thread.

    Each `await` and each `wait` is a subscription of its own. A cancellation, and the time-out of `wait`, dispose it,
    which closes the stream's socket.

    Raises, when awaited: the source's error; `ResponseIncompleteError` if the last value is the
    `response.incomplete` event, because a result has to be whole; `OutputError` if there was no value.
    """
    if not hasattr(source, "subscribe"):
        raise TypeError(f"result expects an Observable, got {type(source).__name__}")
    return Result(source)


class Result(Generic[_T]):
    """What `result` returns."""

    def __init__(self, source: Observable[_T]) -> None:
        self._source = source

    def __await__(self) -> Generator[object, None, _T]:
        return self._wait().__await__()

    async def _wait(self) -> _T:
        signal = Signal()
        last = _LastValue[_T](signal.set)
        subscription = last.subscribe(self._source)
        try:
            await signal.wait()
        finally:
            subscription.dispose()
        return last.take()

    def wait(self, timeout: float | None = None) -> _T:
        """Block this thread until the source has ended, at most `timeout` seconds.

        Raises, beside what `await` raises: TimeoutError; RuntimeError on the thread of the session's own event loop,
        and without a session on the thread of any event loop.
        """
        forbid_on_session_loop("`await result(…)`")
        ended = threading.Event()
        last = _LastValue[_T](ended.set)
        subscription = last.subscribe(self._source)
        try:
            if not ended.is_set():
                forbid_on_any_loop("`await result(…)`")
            if not ended.wait(timeout):
                raise TimeoutError(f"the stream has not ended after {timeout} seconds")
        finally:
            subscription.dispose()
        return last.take()


class _LastValue(Generic[_T]):
    """Keeps the last value, and calls `on_end` at the end."""

    _NONE = object()

    def __init__(self, on_end: Callable[[], object]) -> None:
        self._on_end = on_end
        self._value: object = self._NONE
        self._error: Exception | None = None

    def subscribe(self, source: Observable[_T]) -> abc.DisposableBase:
        runtime = RUNTIME.get()
        scheduler = runtime.scheduler if runtime is not None else None  # for Rx's own timed operators
        return source.subscribe(self._on_next, self._on_error, self._on_completed, scheduler=scheduler)

    def _on_next(self, value: _T) -> None:
        self._value = value

    def _on_error(self, error: Exception) -> None:
        self._error = error
        self._on_end()

    def _on_completed(self) -> None:
        self._on_end()

    def take(self) -> _T:
        if self._error is not None:
            raise self._error
        value = self._value
        if value is self._NONE:
            raise OutputError("expected a value, but the stream completed without one")
        if isinstance(value, ResponseIncompleteEvent):
            details = value.response.incomplete_details
            reason = details.reason if details is not None else None
            raise ResponseIncompleteError(
                f"expected a whole response, but it was cut short ({reason or 'without a reason'})",
                reason=reason,
                response_id=value.response.id,
                sequence_number=value.sequence_number,
            )
        return cast(_T, value)
