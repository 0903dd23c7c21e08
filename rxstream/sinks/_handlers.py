"""An observer made of functions: one for each kind of event."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, TypeVar, overload

from reactivex import abc

from rxstream._context import FLOW, RUNTIME, Flow
from rxstream.events import Event, StreamingEvent

_E = TypeVar("_E", bound=Event)
_R = TypeVar("_R")

Function = Callable[[Any], object]
Calls = Iterator[Callable[[], object]]


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

    A function that raises ends the stream, and its error goes to the functions of `on_failure`. Where there is none,
    it is raised from leaving the session. One `Handlers` may observe any number of streams at a time.
    """

    def __init__(self) -> None:
        self._rules: list[tuple[str | type[Event], Function]] = []
        self._plans: dict[tuple[type, str], tuple[Function, ...]] = {}
        self._errors: list[Function] = []
        self._completions: list[Callable[[], object]] = []
        self._busy: dict[Flow | None, _Lane] = {}

    # ------------------------------------------------------------------ hanging functions on

    @overload
    def on(self, kind: type[_E], /) -> Callable[[Callable[[_E], _R]], Callable[[_E], _R]]: ...
    @overload
    def on(self, kind: str, /) -> Callable[[Callable[[Any], _R]], Callable[[Any], _R]]: ...
    def on(self, kind: str | type[Event], /) -> Callable[[Function], Function]:
        """Decorate a function of one event: `on(EventClass)`, `on("response.completed")`, or `on("*")` for all.

        Raises: TypeError where `kind` is neither a class of events nor a `str`.
        """
        if not isinstance(kind, str) and not (inspect.isclass(kind) and issubclass(kind, Event)):
            raise TypeError(f"on() takes a class of events or the type of one as a str, not {kind!r}")

        def add(function: Function) -> Function:
            self._rules.append((kind, function))
            self._plans.clear()
            return function

        return add

    def on_failure(self, function: Callable[[Exception], _R], /) -> Callable[[Exception], _R]:
        """Decorate a function of the error that a stream ends with."""
        self._errors.append(function)
        return function

    def on_success(self, function: Callable[[], _R], /) -> Callable[[], _R]:
        """Decorate a function that is called when a stream completes."""
        self._completions.append(function)
        return function

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: StreamingEvent) -> None:
        """Rx calls this for each event."""
        lane = self._busy.get(FLOW.get())
        if lane is not None:
            lane.queue.append(lambda: self._calls(value))
            return
        self._run(self._calls(value))

    def on_error(self, error: Exception) -> None:
        """Rx calls this with what the stream ended with."""
        lane = self._busy.get(FLOW.get())
        if lane is not None:
            lane.queue.append(lambda: self._failure(error))
            return
        self._run(self._failure(error))

    def on_completed(self) -> None:
        """Rx calls this at the end."""
        lane = self._busy.get(FLOW.get())
        if lane is not None:
            lane.queue.append(lambda: iter(tuple(self._completions)))
            return
        self._run(iter(tuple(self._completions)))

    def _calls(self, event: StreamingEvent) -> Calls:
        key = type(event), event.type
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = tuple(
                function
                for kind, function in self._rules
                if (kind in ("*", event.type) if isinstance(kind, str) else isinstance(event, kind))
            )
        return (partial(function, event) for function in plan)

    def _failure(self, error: Exception) -> Calls:
        if not self._errors:
            raise error
        return (partial(function, error) for function in self._errors)

    def _run(self, calls: Calls) -> None:
        """Call one after the other; at the first that is async, pause the stream and go on in a task."""
        for call in calls:
            returned = call()
            if inspect.isawaitable(returned):
                runtime, flow = RUNTIME.get(), FLOW.get()
                if runtime is None:
                    if inspect.iscoroutine(returned):
                        returned.close()
                    raise RuntimeError("an async handler needs a session to run in: subscribe inside `with Session()`")
                self._busy[flow] = lane = _Lane(self._busy, flow, returned, calls)
                if flow is not None:
                    flow.pause()
                runtime.spawn(lane.run)
                return


class _Lane:
    """What one stream has still to do while an async function of its handlers runs."""

    def __init__(self, busy: dict[Flow | None, _Lane], flow: Flow | None, first: Awaitable[object], calls: Calls) -> None:
        self._busy = busy
        self._flow = flow
        self._first = first
        self._calls = calls
        self.queue: deque[Callable[[], Calls]] = deque()

    async def run(self) -> None:
        try:
            await self._first
            await _all(self._calls)
            while self.queue:
                await _all(self.queue.popleft()())
        except Exception as error:
            if self._flow is None:
                raise
            self._flow.abort(error)
        finally:
            del self._busy[self._flow]
            if self._flow is not None:
                self._flow.resume()


async def _all(calls: Calls) -> None:
    for call in calls:
        returned = call()
        if inspect.isawaitable(returned):
            await returned
