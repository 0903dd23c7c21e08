"""An observer made of functions, for one kind of event each."""

from __future__ import annotations

import difflib
import inspect
import threading
import warnings
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from functools import cache, partial
from itertools import chain
from typing import Any, TypeVar, cast, get_args, overload

from reactivex import abc

from rxstream.events import Event, StreamingEvent
from rxstream.events._lenient import wire_type
from rxstream.rx._context import FLOW, RUNTIME, Flow

_E = TypeVar("_E", bound=Event)
_R = TypeVar("_R")

_NEARLY = 0.95
"""How alike two types are where one is a slip of the other: two letters changed places, or one is missing."""

Function = Callable[[Any], object]
Action = Callable[[], object]


@cache
def _api_types() -> frozenset[str]:
    return frozenset(wire_type(model) for model in get_args(StreamingEvent)[:-1])  # the last is `UnknownEvent`


def _own_types(base: type[Event] = Event) -> Iterator[str]:
    """The types of rxstream's own events: of runs, of moderation. Their modules may be imported at any time."""
    for model in base.__subclasses__():
        kind = model.model_fields["type"].default
        if isinstance(kind, str) and kind.startswith("rxstream."):
            yield kind
        yield from _own_types(model)


class Handlers(abc.ObserverBase[Event]):
    """An observer that calls your functions, plain or `async`::

        handlers = rxstream.Handlers()

        @handlers.on(ResponseOutputTextDeltaEvent)
        def show(event):
            print(event.delta, end="")

        @handlers.on("response.completed")
        async def save(event):
            await database.store(event.response)

        session.response(model="…", input="…").subscribe(handlers)

    The functions for one event are called in the order in which they were added. The next event waits until all have
    returned, the async ones too: the session stops reading meanwhile. An async function needs a session.

    A function that raises ends the stream, and its error goes to the functions of `on_error`. If there is none, or
    if a function of `on_error` or `on_completed` raises, leaving the session raises the error. An async function can
    neither pause nor end an Observable that is not a session's: its events are kept in memory meanwhile.

    One `Handlers` may observe any number of streams at a time.
    """

    def __init__(self) -> None:
        self._rules: list[tuple[str | type[Event], Function]] = []
        """The functions and their events, in the order in which they were added."""
        self._functions: dict[tuple[type, str], tuple[Function, ...]] = {}
        """Class and type of an event -> its functions. Cached."""
        self._errors: list[Function] = []
        self._completions: list[Action] = []
        self._lock = threading.Lock()
        self._queues: dict[Flow | None, _CallQueue] = {}

    # ------------------------------------------------------------------ adding functions

    @overload
    def on(self, kind: type[_E], /) -> Callable[[Callable[[_E], _R]], Callable[[_E], _R]]: ...
    @overload
    def on(self, kind: str, /) -> Callable[[Callable[[Any], _R]], Callable[[Any], _R]]: ...
    def on(self, kind: object, /) -> Callable[[Callable[[_E], _R]], Callable[[_E], _R]]:
        """Decorate a function of one event: `on(EventClass)`, `on("response.completed")`, or `on("*")` for all.

        A type that no known event has may be a new one. It warns if it is nearly that of a known event.

        Raises: TypeError if `kind` is neither a class of events nor a `str`.
        """
        if not isinstance(kind, str) and not (inspect.isclass(kind) and issubclass(kind, Event)):
            raise TypeError(f"on() expects a class of events or the type of one as a str, got {kind!r}")
        known = {*_api_types(), *_own_types()}
        if isinstance(kind, str) and kind not in ("*", *known):
            close = difflib.get_close_matches(kind, known, n=1, cutoff=_NEARLY)
            if close:
                warnings.warn(f"no known event has the type {kind!r}: did you mean {close[0]!r}?", stacklevel=2)

        def add_rule(function: Callable[[_E], _R]) -> Callable[[_E], _R]:
            self._rules.append((kind, function))
            self._functions.clear()
            return function

        return add_rule

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: Event) -> None:
        """Rx calls this for each event."""
        self._call(self._calls_for(value))

    @overload
    def on_error(self, error: Exception) -> None: ...
    @overload
    def on_error(self, error: Callable[[Exception], _R]) -> Callable[[Exception], _R]: ...
    def on_error(self, error: Exception | Callable[[Exception], _R]) -> Callable[[Exception], _R] | None:
        """Decorate a function of the error that a stream ends with. Rx calls this with the error itself."""
        if isinstance(error, BaseException):
            self._call(_error_calls(self._errors, cast("Exception", error)), last=True)
            return None
        self._errors.append(error)
        return error

    @overload
    def on_completed(self) -> None: ...
    @overload
    def on_completed(self, function: Callable[[], _R]) -> Callable[[], _R]: ...
    def on_completed(self, function: Callable[[], _R] | None = None) -> Callable[[], _R] | None:
        """Decorate a function that is called when a stream completes. Rx calls this without a function."""
        if function is None:
            self._call(iter(tuple(self._completions)), last=True)
            return None
        self._completions.append(function)
        return function

    def _calls_for(self, event: Event) -> Iterator[Action]:
        if not isinstance(event, Event):  # pyright: ignore[reportUnnecessaryIsInstance]  # Rx does not check
            raise TypeError(
                f"Handlers expect the events of a response, got {type(event).__name__}: subscribe them without "
                "operators that emit something else, such as text_only()"
            )
        key = type(event), event.type
        functions = self._functions.get(key)
        if functions is None:
            functions = self._functions[key] = tuple(
                function
                for kind, function in self._rules
                if (kind in ("*", event.type) if isinstance(kind, str) else isinstance(event, kind))
            )
        return (partial(function, event) for function in functions)

    def _call(self, calls: Iterator[Action], *, last: bool = False) -> None:
        """Make the calls, one after the other. From the first async function on, in a task of the session."""
        flow = FLOW.get()
        if self._queues and self._enqueue(flow, calls, last):
            return
        for call in calls:
            returned = call()
            if inspect.isawaitable(returned):
                self._await(flow, chain([partial(_identity, returned)], calls), returned, last)
                return

    def _enqueue(self, flow: Flow | None, calls: Iterator[Action], last: bool) -> bool:
        """Add the calls to the queue of this stream. Returns False if no task runs, and so there is no queue."""
        with self._lock:
            queue = self._queues.get(flow)
            if queue is not None:
                queue.calls.append((calls, last))
            return queue is not None

    def _await(self, flow: Flow | None, calls: Iterator[Action], first: Awaitable[object], last: bool) -> None:
        """Make the calls in a task, and pause the stream until they are made."""
        runtime = RUNTIME.get()
        if runtime is None:
            if inspect.iscoroutine(first):
                first.close()
            raise RuntimeError("an async handler needs a session to run in: subscribe inside `with Session()`")
        queue = _CallQueue(self._queues, self._lock, flow, self._errors)
        queue.calls.append((calls, last))
        with self._lock:
            running = self._queues.setdefault(flow, queue)
            if running is not queue:  # another thread was faster
                running.calls.append((calls, last))
                return
        if flow is not None:
            flow.pause()
        try:
            runtime.spawn(queue.run)
        except BaseException:
            queue.close()
            if inspect.iscoroutine(first):
                first.close()
            raise


class _CallQueue:
    """The calls of one stream that wait while an async function runs, and the task that makes them."""

    def __init__(
        self, queues: dict[Flow | None, _CallQueue], lock: threading.Lock, flow: Flow | None, on_error: list[Function]
    ) -> None:
        self._queues = queues
        self._lock = lock
        self._flow = flow
        self._on_error = on_error
        self.calls: deque[tuple[Iterator[Action], bool]] = deque()

    async def run(self) -> None:
        unhandled: list[Exception] = []
        try:
            while (job := self._take_job()) is not None:
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

    def _take_job(self) -> tuple[Iterator[Action], bool] | None:
        with self._lock:
            if self.calls:
                return self.calls.popleft()
            del self._queues[self._flow]  # under the same lock, so that no call is added to a queue that has ended
            return None

    def close(self) -> None:
        with self._lock:
            if self._queues.get(self._flow) is self:
                del self._queues[self._flow]
        if self._flow is not None:
            self._flow.resume()

    def _fail(self, error: Exception) -> None:
        with self._lock:
            if self._flow is not None:
                self.calls = deque((calls, last) for calls, last in self.calls if last)
            else:
                self.calls.appendleft((_error_calls(self._on_error, error), True))
        if self._flow is not None:
            self._flow.abort(error)


def _error_calls(functions: list[Function], error: Exception) -> Iterator[Action]:
    return iter([partial(function, error) for function in functions or (_raise,)])


def _identity(awaitable: Awaitable[object]) -> Awaitable[object]:
    return awaitable


def _raise(error: Exception) -> None:
    raise error
