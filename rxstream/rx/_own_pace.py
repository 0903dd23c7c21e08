"""An observer that reads the values of a `Fanout` at its own pace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

from reactivex import abc

from rxstream.errors import BufferOverflowError
from rxstream.rx._context import FLOW, RUNTIME, Runtime
from rxstream.rx._own_error import raise_all, send_error

_T = TypeVar("_T")


class NextValue(Protocol[_T]):
    """See `rxstream.timing._overflow.Backlog`."""

    def take(self, values: Sequence[_T], position: int) -> tuple[_T, int]: ...


class ValueLog(Protocol[_T]):
    """All values of the source so far, and its end."""

    values: list[_T]

    @property
    def stopped(self) -> bool: ...

    def drop(self, reader: OwnPaceReader[_T], /) -> None:
        """The reader gets nothing more."""
        ...

    def send_end(self, observer: abc.ObserverBase[_T], unhandled: list[Exception], /) -> None:
        """Notify the observer of the end of the source. What it raises is added to `unhandled`."""
        ...


class OwnPaceReader(abc.DisposableBase, Generic[_T]):
    """One observer, its position in the log, and its `Flow`.

    A pause stops the reader, and neither the source nor other readers. When it is resumed, it goes on from its
    position: in a task of the session, or without a session in the call of `resume`. The end comes after all values.

    Until the reader has once got all values so far, it gets each of them; from then on `backlog` says what it gets.
    One thread at a time delivers; a thread that comes meanwhile leaves the work to that one.
    """

    def __init__(self, log: ValueLog[_T], observer: abc.ObserverBase[_T], backlog: NextValue[_T]) -> None:
        self._log = log
        self.observer = observer
        self._backlog = backlog
        self._on_next: Callable[[_T], None] = observer.on_next
        self._runtime: Runtime | None = RUNTIME.get()
        self._lock = threading.Lock()
        """Guards the attributes below. Never held while the observer runs."""
        self._position = 0
        self._up_to_date = False
        """Whether it has once got all values so far."""
        self._pauses = 0
        self._delivering = False
        self._over = False
        """Disposed, or its end is known."""

    # ------------------------------------------------------------------ reading

    def read(self, unhandled: list[Exception]) -> None:
        """Deliver what can be delivered now. What the observer raises is its own error.

        If it does not take that, the error is added to `unhandled`.
        """
        with self._lock:
            if self._delivering or self._pauses or self._over:
                return
            self._delivering = True
        token = FLOW.set(self)
        try:
            end = self._deliver()
        except BaseException as raised:
            with self._lock:
                self._delivering = False
            self.dispose()
            if not isinstance(raised, Exception):
                raise
            end = partial(send_error, self.observer, raised)
        finally:
            FLOW.reset(token)
        if end is not None:
            end(unhandled)

    def _deliver(self) -> Callable[[list[Exception]], None] | None:
        """Returns what notifies the observer of its end, if that has come. Raises: what the observer raises."""
        values = self._log.values
        while True:
            with self._lock:
                stopped = self._log.stopped  # read before the values, so that none is missed
                end = self._position == len(values)
                self._up_to_date = self._up_to_date or end
                if self._over or self._pauses or (end and not stopped):
                    self._delivering = False
                    return None
                if end:
                    self._delivering = False
                    self._over = True
                    return partial(self._log.send_end, self.observer)
                try:
                    if self._up_to_date:
                        value, self._position = self._backlog.take(values, self._position)
                    else:
                        value = values[self._position]
                        self._position += 1
                except BufferOverflowError as overflow:
                    error = overflow
                    self._delivering = False
                    self._over = True
                    break
            self._on_next(value)
        self._log.drop(self)
        return partial(send_error, self.observer, error, own=False)

    # ------------------------------------------------------------------ the Flow of the observer

    def pause(self) -> None:
        with self._lock:
            self._pauses += 1
        self._runtime = self._runtime or RUNTIME.get()

    def resume(self) -> None:
        with self._lock:
            if self._pauses == 0:
                return
            self._pauses -= 1
            if self._pauses or self._delivering or self._over:
                return
        if self._runtime is None:
            self.start()
            return
        # In a task, as a session does: so the observer is not called while it calls `resume`.
        try:
            self._runtime.spawn(self._start_in_task)
        except RuntimeError:  # the session has been left
            self.start()

    def start(self) -> None:
        """As `read`. Raises: what the observer raises and does not take as its error."""
        unhandled: list[Exception] = []
        self.read(unhandled)
        raise_all(unhandled)

    async def _start_in_task(self) -> None:
        self.start()

    def abort(self, error: Exception) -> None:
        self.dispose()
        unhandled: list[Exception] = []
        send_error(self.observer, error, unhandled)
        raise_all(unhandled)

    def dispose(self) -> None:
        with self._lock:
            self._over = True
        self._log.drop(self)
