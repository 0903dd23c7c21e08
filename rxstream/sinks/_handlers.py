"""An observer made of functions: one for each kind of event."""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any, TypeVar, cast, overload

from reactivex import abc

from rxstream.events import Event, StreamingEvent
from rxstream.rx._context import FLOW, RUNTIME, Flow

_E = TypeVar("_E", bound=Event)
_R = TypeVar("_R")

Function = Callable[[Any], object]
Call = Callable[[], object]


class Handlers(abc.ObserverBase[StreamingEvent]):
    """An observer to hang functions on, plain or `async`::

        handlers = rxstream.Handlers()

        @handlers.on(ResponseOutputTextDeltaEvent)
        def show(event):
            print(event.delta, end="")

        @handlers.on("response.completed")
        async def save(event):
            await database.store(event.response)

        session.response(model="…", input="…").subscribe(handlers)

    The functions for one event are called in the order in which they were added, and the next event waits until all
    have returned, the async ones too: the session stops reading meanwhile. An async function needs a session.

    A function that raises ends the stream, and its error goes to the functions of `on_error`. Where there is none,
    and where one of `on_error` or `on_completed` raises, the error is raised from leaving the session. An Observable
    that is no session's can be neither paused nor ended by an async function: what it emits meanwhile waits in memory.

    One `Handlers` may observe any number of streams at a time.
    """

    def __init__(self) -> None:
        self._rules: list[tuple[str | type[Event], Function]] = []
        self._plans: dict[tuple[type, str], tuple[Function, ...]] = {}
        self._errors: list[Function] = []
        self._completions: list[Call] = []
        self._lock = threading.Lock()
        self._lanes: dict[Flow | None, _Lane] = {}

    # ------------------------------------------------------------------ hanging functions on

    @overload
    def on(self, kind: type[_E], /) -> Callable[[Callable[[_E], _R]], Callable[[_E], _R]]: ...
    @overload
    def on(self, kind: str, /) -> Callable[[Callable[[Any], _R]], Callable[[Any], _R]]: ...
    def on(self, kind: object, /) -> Callable[[Callable[[_E], _R]], Callable[[_E], _R]]:
        """Decorate a function of one event: `on(EventClass)`, `on("response.completed")`, or `on("*")` for all.

        Raises: TypeError where `kind` is neither a class of events nor a `str`.
        """
        if not isinstance(kind, str) and not (inspect.isclass(kind) and issubclass(kind, Event)):
            raise TypeError(f"on() takes a class of events or the type of one as a str, not {kind!r}")

        def add(function: Callable[[_E], _R]) -> Callable[[_E], _R]:
            self._rules.append((kind, function))
            self._plans.clear()
            return function

        return add

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: StreamingEvent) -> None:
        """Rx calls this for each event."""
        self._call(self._plan(value))

    @overload
    def on_error(self, error: Exception) -> None: ...
    @overload
    def on_error(self, error: Callable[[Exception], _R]) -> Callable[[Exception], _R]: ...
    def on_error(self, error: Exception | Callable[[Exception], _R]) -> Callable[[Exception], _R] | None:
        """Decorate a function of the error that a stream ends with. Rx calls this with the error itself."""
        if isinstance(error, BaseException):
            self._call(_failures(self._errors, cast("Exception", error)), last=True)
            return None
        self._errors.append(error)
        return error

    @overload
    def on_completed(self) -> None: ...
    @overload
    def on_completed(self, function: Callable[[], _R]) -> Callable[[], _R]: ...
    def on_completed(self, function: Callable[[], _R] | None = None) -> Callable[[], _R] | None:
        """Decorate a function that is called when a stream completes. Rx calls this without one."""
        if function is None:
            self._call(iter(tuple(self._completions)), last=True)
            return None
        self._completions.append(function)
        return function

    def _plan(self, event: StreamingEvent) -> Iterator[Call]:
        key = type(event), event.type
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = tuple(
                function
                for kind, function in self._rules
                if (kind in ("*", event.type) if isinstance(kind, str) else isinstance(event, kind))
            )
        return (partial(function, event) for function in plan)

    def _call(self, calls: Iterator[Call], *, last: bool = False) -> None:
        """Call one after the other; from the first that is async on, a task of the session does."""
        flow = FLOW.get()
        if self._lanes and self._queue(flow, calls, last):
            return
        for call in calls:
            returned = call()
            if inspect.isawaitable(returned):
                self._await(flow, chain([partial(_same, returned)], calls), returned, last)
                return

    def _queue(self, flow: Flow | None, calls: Iterator[Call], last: bool) -> bool:
        """Leave it to the task that is at work for this stream; False where there is none."""
        with self._lock:
            lane = self._lanes.get(flow)
            if lane is not None:
                lane.queue.append((calls, last))
            return lane is not None

    def _await(self, flow: Flow | None, calls: Iterator[Call], first: Awaitable[object], last: bool) -> None:
        """Hand the calls to a task, and pause the stream until it has made them."""
        runtime = RUNTIME.get()
        if runtime is None:
            if inspect.iscoroutine(first):
                first.close()
            raise RuntimeError("an async handler needs a session to run in: subscribe inside `with Session()`")
        lane = _Lane(self._lanes, self._lock, flow, self._errors)
        lane.queue.append((calls, last))
        with self._lock:
            busy = self._lanes.setdefault(flow, lane)
            if busy is not lane:  # another thread was quicker
                busy.queue.append((calls, last))
                return
        if flow is not None:
            flow.pause()
        try:
            runtime.spawn(lane.run)
        except BaseException:
            lane.close()
            if inspect.iscoroutine(first):
                first.close()
            raise


class _Lane:
    """What is still to be called for one stream, and the task that does it, as long as an async function runs."""

    def __init__(
        self, lanes: dict[Flow | None, _Lane], lock: threading.Lock, flow: Flow | None, failures: list[Function]
    ) -> None:
        self._lanes = lanes
        self._lock = lock
        self._flow = flow
        self._failures = failures
        self.queue: deque[tuple[Iterator[Call], bool]] = deque()

    async def run(self) -> None:
        unhandled: list[Exception] = []
        try:
            while (job := self._next()) is not None:
                calls, last = job
                try:
                    for call in calls:
                        returned = call()
                        if inspect.isawaitable(returned):
                            await returned
                except Exception as error:
                    if last:
                        unhandled.append(error)
                    else:
                        self._fail(error)
        finally:
            self.close()
        if len(unhandled) > 1:
            raise ExceptionGroup("several handlers failed", unhandled)
        if unhandled:
            raise unhandled[0]

    def _next(self) -> tuple[Iterator[Call], bool] | None:
        with self._lock:
            if self.queue:
                return self.queue.popleft()
            del self._lanes[self._flow]  # in one breath, so that nothing is left to a lane that has ended
            return None

    def close(self) -> None:
        with self._lock:
            if self._lanes.get(self._flow) is self:
                del self._lanes[self._flow]
        if self._flow is not None:
            self._flow.resume()

    def _fail(self, error: Exception) -> None:
        with self._lock:
            if self._flow is not None:
                self.queue = deque((calls, last) for calls, last in self.queue if last)
            else:
                self.queue.appendleft((_failures(self._failures, error), True))
        if self._flow is not None:
            self._flow.abort(error)


def _failures(functions: list[Function], error: Exception) -> Iterator[Call]:
    return iter([partial(function, error) for function in functions or (_raise,)])


def _same(awaitable: Awaitable[object]) -> Awaitable[object]:
    return awaitable


def _raise(error: Exception) -> None:
    raise error
