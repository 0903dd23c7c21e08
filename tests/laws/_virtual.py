"""A session in virtual time: coroutines driven by a clock, so that a picture may show them."""

import functools
import os
from collections.abc import Awaitable, Callable, Generator
from contextvars import copy_context
from typing import Any

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable, SerialDisposable

from rxstream.rx._context import FLOW, RUNTIME
from rxstream.testing.laws._moderation_surroundings import ImmediateSession
from rxstream.typing import Operator


class VirtualRuntime(ImmediateSession):
    """What a `Session` is to operators, on any Rx scheduler. Its coroutines may wait."""

    def spawn(self, job: Callable[[], Awaitable[None]]) -> abc.DisposableBase:
        context = copy_context()
        context.run(RUNTIME.set, self)
        context.run(FLOW.set, None)
        coroutine: Any = job()

        def step(*_: object) -> None:
            try:
                seconds = context.run(coroutine.send, None)
            except StopIteration:
                return
            timer.disposable = self.scheduler.schedule_relative(seconds, step)

        timer = SerialDisposable()
        timer.disposable = self.scheduler.schedule(step)
        return CompositeDisposable(timer, Disposable(coroutine.close))


class sleep:
    """Await it in a coroutine that a `VirtualRuntime` runs."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __await__(self) -> Generator[float, None, None]:
        yield self._seconds


async def after_30ms(value: Any) -> Any:
    """What pictures of `map_async` await."""
    await sleep(0.03)
    return value


async def passes_after_50ms() -> bool:
    """The verdict in a picture of `gate_until`."""
    await sleep(0.05)
    return False


async def flags_after_50ms() -> bool:
    """The verdict in the other one."""
    await sleep(0.05)
    return True


def no_turn(items: list[Any]) -> Observable[Any]:
    """What a run in a picture would ask next."""
    raise AssertionError("the model calls no tool")


NAMES: dict[str, object] = {
    "after_30ms": after_30ms,
    "flags_after_50ms": flags_after_50ms,
    "passes_after_50ms": passes_after_50ms,
    "ask": no_turn,
    "path": os.devnull,
}
"""What the pictures of operators name besides what they all may name."""


def in_virtual_session(factory: Callable[..., Operator[Any, Any]]) -> Callable[..., Operator[Any, Any]]:
    """The same operator, subscribed to inside the block of a session in virtual time."""

    @functools.wraps(factory)
    def make(*args: Any, **options: Any) -> Operator[Any, Any]:
        operator = factory(*args, **options)

        def wrapped(source: Observable[Any]) -> Observable[Any]:
            def subscribe(
                observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
            ) -> abc.DisposableBase:
                assert scheduler is not None
                token = RUNTIME.set(VirtualRuntime(scheduler))
                try:
                    return operator(source).subscribe(observer, scheduler=scheduler)
                finally:
                    RUNTIME.reset(token)

            return Observable(subscribe)

        return wrapped

    return make
