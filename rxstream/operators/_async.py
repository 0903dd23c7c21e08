"""A coroutine for each value, a bounded number of them at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from reactivex import Observable, abc

from rxstream.rx._checks import require_source
from rxstream.rx._concurrent import AsyncCalls
from rxstream.rx._observable import PushObservable
from rxstream.typing import Operator

_A = TypeVar("_A")
_B = TypeVar("_B")


def map_async(fn: Callable[[_A], Awaitable[_B]], max_in_flight: int = 1, ordered: bool = True) -> Operator[_A, _B]:
    """Await `fn(value)` for each value, and emit what it returns.

    Marbles with map_async(after_30ms)::

        values   -1-2-3------------|
        result   ----1--2--3-------|

    Marbles with map_async(after_30ms, max_in_flight=2)::

        values   -1-2-3------------|
        result   ----1-2-3---------|

    `fn` runs in the session, on its loop: asyncio, trio, or the thread of a `with Session()`. The source may be any
    Observable that is subscribed to inside the block of a session. At most `max_in_flight` values are in flight: being
    awaited, or done and not yet emitted. At this limit a session's stream stops reading its socket until there
    is room. A source that cannot be paused is buffered, without limit.

    Emits: the results, in the order of the values; with `ordered=False` each as soon as it is done.
    Completes: when the source has completed and the last result was emitted.
    Errors: at once with what `fn` raises, and with the source's error; either disposes the source and cancels the calls
    in flight. RuntimeError without a session. DisconnectedError if `fn` was cancelled, but not by the subscriber,
    as when the session is left by an exception.
    Disposing: cancels the calls in flight. What `fn` raises then is raised from leaving the session.
    Memory: `max_in_flight` values and results, and the values that a source that cannot be paused has sent meanwhile.

    Raises: TypeError if `fn` cannot be called, ValueError if `max_in_flight` is less than 1.
    """
    if not callable(fn):
        raise TypeError(f"map_async expects an async function, got {fn!r}")
    return _awaiting("map_async", fn, max_in_flight, ordered)


def for_each_async(fn: Callable[[_A], Awaitable[object]], max_in_flight: int = 1) -> Operator[_A, _A]:
    """Await `fn(value)` for each value, then pass the value on.

    Marbles with for_each_async(after_30ms)::

        source   -C-a-b-----------|
        result   ----C--a--b------|

    To save, send or show each value. What `fn` returns is ignored.

    Emits: each value, in order, once `fn` has returned. Completes, errors, disposing, memory, raises: as `map_async`.
    """
    if not callable(fn):
        raise TypeError(f"for_each_async expects an async function, got {fn!r}")

    async def call(value: _A) -> _A:
        await fn(value)
        return value

    return _awaiting("for_each_async", call, max_in_flight, ordered=True)


def _awaiting(name: str, fn: Callable[[_A], Awaitable[_B]], max_in_flight: int, ordered: bool) -> Operator[_A, _B]:
    if max_in_flight < 1:
        raise ValueError(f"max_in_flight must be 1 or more, got {max_in_flight}")

    def operator(source: Observable[_A]) -> Observable[_B]:
        require_source(source, name)

        def subscribe(observer: abc.ObserverBase[_B], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
            return AsyncCalls(fn, max_in_flight, ordered, observer).subscribe(source, scheduler)

        return PushObservable(subscribe)

    return operator
