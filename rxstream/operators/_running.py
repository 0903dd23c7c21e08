"""A run: the tools that the model asks for, and turn after turn until it answers."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias, TypedDict, cast

import anyio.to_thread
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import CompositeDisposable, SerialDisposable, SingleAssignmentDisposable

from rxstream.errors import DisconnectedError, ToolError
from rxstream.events import StreamingEvent
from rxstream.response.calls._tool_call_kinds import FunctionCall
from rxstream.rx._checks import of_events, require_source
from rxstream.rx._context import FLOW, RUNTIME, Runtime
from rxstream.rx._loops import current_call_soon, run_in
from rxstream.rx._observable import PushObservable
from rxstream.rx._serial import DRAINING, Serial
from rxstream.rx._timed import choose_scheduler, clock_of
from rxstream.sinks import iterate
from rxstream.tools._context import Context
from rxstream.tools._run import (
    AskApproval,
    AskModel,
    EmitEvent,
    EndRun,
    OnToolError,
    PendingCall,
    RunAction,
    StartCall,
    ToolRun,
)
from rxstream.tools._schema import annotated_function
from rxstream.tools._stopping import StopCheck, StopRule, as_rule, turns
from rxstream.tools._tool import Tool, as_tool
from rxstream.typing import Operator

Approve: TypeAlias = Callable[[FunctionCall], bool | Awaitable[bool] | Observable[bool]]

_Outcome: TypeAlias = Callable[[float], Iterable[RunAction]]
"""What the core says to the end of a job, at that time."""
_Job: TypeAlias = Callable[[PendingCall], Awaitable[_Outcome]]

_DEFAULT_RULE = turns(16)
_check = of_events("run_tools")


class RunOptions(TypedDict, total=False):
    """The options of `run_tools` that `session.run` has too: it passes on those, and no others."""

    deps: Any
    stop_when: StopRule | StopCheck
    max_in_flight: int
    on_tool_error: OnToolError
    approve: Approve | None


def run_tools(
    tools: Sequence[Tool[..., Any] | Callable[..., Any] | Mapping[str, Any]],
    ask: Callable[[list[Any]], Observable[StreamingEvent]],
    *,
    input: str | Sequence[Any] = (),
    deps: Any = None,
    stop_when: StopRule | StopCheck = _DEFAULT_RULE,
    max_in_flight: int = 8,
    on_tool_error: OnToolError = "tell_model",
    approve: Approve | None = None,
    new_items_only: bool = False,
    scheduler: abc.SchedulerBase | None = None,
) -> Operator[StreamingEvent, StreamingEvent]:
    """Run the tools that a response calls, ask the model again with their outputs, and so on until it answers.

    Marbles with run_tools([], ask)::

        source   -C-----a-K-|
        result   -(t,C)-a-K-(f|)
        where t = TurnStartedEvent(turn=1), f = RunFinishedEvent(turn=1, stopped_by="answer")

    The source is the first turn. Pure tools start as soon as their own arguments are whole, others after the response
    has ended well. Async functions run on the loop of the session, others in threads; all have the context variables
    of the subscriber. A generator's or an Observable's values are progress, and the last one is the result.

    Args:
        tools: tools and functions. Dicts, such as `{"type": "web_search"}`, are the server's, and left alone.
        ask: called with the conversation so far, as input items; returns the events of the next turn. Write
            `lambda items: session.response(model=..., input=items, tools=tools)`.
        input: what the first turn was asked: the begin of the conversation.
        deps: what tools get as `context.deps`.
        stop_when: a rule of `rxstream.tools`, such as `turns(16) | tokens(50_000)`, or a function of a `RunProgress`.
            It is asked after each turn, once its calls are answered.
        max_in_flight: how many calls may run at a time. One that waits for approval counts.
        on_tool_error: what the model gets if a call fails: `"tell_model"`: the type and the message; a function of the
            error: what it returns. With `"raise"` the run errors with it.
        approve: asked before a tool with `needs_approval` runs: a function of the call that returns a `bool`, an
            awaitable or an Observable, whose first value counts. Needed if there is such a tool.
        new_items_only: the server keeps the conversation (`previous_response_id`, `conversation`): `ask`, and `input`
            of the last event, get only the items that it does not have, which are the outputs of the last calls.
        scheduler: of the time limits of tools.

    Emits: every event of every turn, and between them those of `rxstream.tools`: `TurnStartedEvent` before the first
    event of a turn, `ToolApprovalEvent`, `ToolStartedEvent`, `ToolProgressEvent`, `ToolFinishedEvent`, and
    `RunFinishedEvent` as the last one. Wrong arguments, unknown tools, exceptions, time-outs and refused calls are told
    to the model. Every call has one output, and the outputs are in the order of the calls.
    Completes: after `RunFinishedEvent`. An incomplete response ends the run too, and its calls are not answered.
    Errors: those of a turn, `TruncatedError` if it has no end, what `ask` raises; tools that run are cancelled.
    RuntimeError if a tool is to run and there is no session.
    Disposing: closes the turn and cancels the tools. A thread cannot be cancelled: its result is dropped.
    Memory: the conversation.

    Raises: TypeError, ValueError if an argument is nothing for it, or two tools have one name.
    """
    by_name: dict[str, Tool[..., Any]] = {}
    for each in tools:
        if isinstance(each, Mapping):
            continue
        tool = as_tool(each)
        if tool.name in by_name:
            raise ValueError(f"run_tools expects tools of different names, got two of the name {tool.name}")
        if tool.needs_approval and approve is None:
            raise ValueError(f"run_tools expects approve= for the tool {tool.name}, which needs approval, got none")
        by_name[tool.name] = tool
    if not callable(ask):
        raise TypeError(f"run_tools expects a function that asks the model again, got {ask!r}")
    if isinstance(max_in_flight, bool) or max_in_flight < 1:
        raise ValueError(f"max_in_flight must be 1 or more, got {max_in_flight!r}")
    if on_tool_error not in ("tell_model", "raise") and not callable(on_tool_error):
        raise ValueError(f'on_tool_error must be "tell_model", "raise" or a function, got {on_tool_error!r}')
    items = [{"role": "user", "content": input}] if isinstance(input, str) else [*input]
    rule = as_rule(stop_when)

    def operator(source: Observable[StreamingEvent]) -> Observable[StreamingEvent]:
        require_source(source, "run_tools")

        def subscribe(
            observer: abc.ObserverBase[StreamingEvent], from_subscribe: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            timers = choose_scheduler(scheduler, from_subscribe)
            clock = clock_of(timers)
            core = ToolRun(by_name, items, rule, max_in_flight, on_tool_error, clock(), new_items_only=new_items_only)
            run = _RunSubscription(core, ask, approve, deps, timers, clock, observer)
            return run.subscribe(source, from_subscribe)

        return PushObservable(subscribe)

    return operator


class _RunSubscription(abc.ObserverBase[StreamingEvent], abc.DisposableBase):
    """One subscription. What happens, in a turn or in a tool, is a step of a `Serial`; the core says what to do."""

    def __init__(
        self,
        core: ToolRun,
        ask: Callable[[list[Any]], Observable[StreamingEvent]],
        approve: Approve | None,
        deps: Any,
        timers: abc.SchedulerBase,
        clock: Callable[[], float],
        observer: abc.ObserverBase[StreamingEvent],
    ) -> None:
        self._core = core
        self._ask = ask
        self._approve = approve
        self._deps = deps
        self._timers = timers
        self._clock = clock
        self._serial = Serial(observer, self._close)
        self._context = copy_context()
        """The context variables of the subscriber."""
        self._runtime: Runtime | None = RUNTIME.get()
        self._scheduler: abc.SchedulerBase | None = None
        self._turns = SerialDisposable()
        """The subscription to the turn."""
        self._lock = threading.Lock()
        """Guards `_running`."""
        self._running: dict[PendingCall, CompositeDisposable] = {}
        """The task and the timer of each call."""

    def subscribe(self, source: Observable[Any], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        self._scheduler = scheduler
        self._serial.source.disposable = self._turns
        self._turns.disposable = source.subscribe(self, scheduler=scheduler)
        return self

    # ------------------------------------------------------------------ the observer of the turns

    def on_next(self, value: StreamingEvent) -> None:
        self._serial.flow = FLOW.get()
        self._runtime = self._runtime or RUNTIME.get()
        self._serial.feed(self._feed, value)

    def _feed(self, event: StreamingEvent) -> None:
        if self._core.quick(event):
            self._serial.emit((event,))
            return
        try:
            _check(event)
        except TypeError as error:
            self._serial.end(error)
            return
        self._act(self._core.feed(event, self._clock()))

    def on_error(self, error: Exception) -> None:
        self._serial.end(error, drain=True)

    def on_completed(self) -> None:
        self._serial.feed_last(self._complete_turn)

    def _complete_turn(self) -> None:
        self._act(self._core.turn_completed(self._clock()))

    def dispose(self) -> None:
        self._serial.dispose()

    # ------------------------------------------------------------------ the actions

    def _act(self, actions: Iterable[RunAction]) -> None:
        """Carry out actions. Only called from within a step."""
        for action in self._guarded(actions):
            match action:
                case EmitEvent(event):
                    if not self._serial.emit((cast("StreamingEvent", event),)):
                        return
                case AskApproval(call):
                    self._spawn(call, self._ask_approval)
                case StartCall(call):
                    self._spawn(call, self._call)
                case AskModel(items):
                    self._ask_model(items)
                case EndRun(error):
                    self._serial.end(error)
                    return

    def _guarded(self, actions: Iterable[RunAction]) -> Iterator[RunAction]:
        """The actions. What functions of the user raise in the core, such as a rule, is the end."""
        steps = iter(actions)
        while True:
            try:
                action = next(steps)
            except StopIteration:
                return
            except Exception as error:
                self._serial.end(error)
                return
            yield action

    def _ask_model(self, items: list[Any]) -> None:
        def subscribe() -> None:
            turn = self._ask(items)
            require_source(turn, "run_tools: what ask returns")
            self._turns.disposable = turn.subscribe(self, scheduler=self._scheduler)

        try:
            run_in(self._context.copy(), subscribe)
        except Exception as error:
            self._serial.end(error)

    def _apply(self, actions: Callable[[], Iterable[RunAction]]) -> None:
        """What a tool did, as a step."""
        self._serial.feed_from_timer(lambda: self._act(actions()))

    # ------------------------------------------------------------------ the calls

    def _spawn(self, call: PendingCall, job: _Job) -> None:
        runtime = self._runtime
        if runtime is None:
            self._serial.end(
                RuntimeError(
                    "run_tools needs a session to run tools in: subscribe inside `with rxstream.Session():` "
                    "or `async with rxstream.Session():` (no key is needed for it)"
                )
            )
            return
        task = SingleAssignmentDisposable()
        running = CompositeDisposable(task)
        with self._lock:
            self._running[call] = running

        def start() -> None:
            task.disposable = runtime.spawn(partial(self._run, call, job))

        try:
            run_in(self._context.copy(), start)
        except Exception as error:  # the session has been left
            self._serial.end(error, drain=True)
        if call.began is not None and call.tool.timeout is not None:
            running.add(self._timers.schedule_relative(call.tool.timeout, partial(self._time_out, call)))
        if self._serial.state >= DRAINING:  # it ended in another thread
            running.dispose()

    def _time_out(self, call: PendingCall, *_: object) -> None:
        self._dispose_call(call)
        text = f"{call.tool.name}() took longer than {call.tool.timeout:g} s"
        error = ToolError(text, name=call.tool.name, call_id=call.function_call.call_id)
        self._apply(lambda: self._core.failed(call, error, self._clock()))

    def _dispose_call(self, call: PendingCall) -> None:
        with self._lock:
            running = self._running.pop(call, None)
        if running is not None:
            running.dispose()

    async def _run(self, call: PendingCall, job: _Job) -> None:
        try:
            outcome = await job(call)
        except Exception as error:
            outcome = partial(self._core.failed, call, error)
        except BaseException:
            with self._lock:
                cancelled_here = call not in self._running
            if not cancelled_here and self._serial.state < DRAINING:
                self._serial.end(DisconnectedError("cancelled: the session was left, or a tool was cancelled"))
            raise
        self._dispose_timer(call)
        self._apply(lambda: outcome(self._clock()))

    async def _ask_approval(self, call: PendingCall) -> _Outcome:
        assert self._approve is not None
        answer: Any = self._approve(call.function_call)
        if isinstance(answer, Observable):  # it is awaitable too, but that is its last value
            first = cast("Observable[Any]", answer).pipe(ops.take(1))
            answer = any([value async for value in iterate(first)])  # none: it is refused
        elif inspect.isawaitable(answer):
            answer = await answer
        if not answer:
            text = f"the call of {call.tool.name}() was not approved"
            raise ToolError(text, name=call.tool.name, call_id=call.function_call.call_id)
        return partial(self._core.approved, call)

    async def _call(self, call: PendingCall) -> _Outcome:
        emit = self._emitter(call)
        context = Context(call.function_call.call_id, call.turn, self._deps, emit)
        run = call.tool.bind(call.function_call.arguments, context)
        if _is_async(call.tool.fn):
            result: Any = run()
        else:
            result = await anyio.to_thread.run_sync(partial(_in_thread, run, emit), abandon_on_cancel=True)
        if not isinstance(result, Observable) and inspect.isawaitable(result):
            result = await result
        if isinstance(result, Observable):
            result = iterate(cast("Observable[Any]", result))
        if hasattr(result, "__aiter__"):
            values, result = result, None
            try:
                async for result in values:
                    emit(result)
            finally:
                if hasattr(values, "aclose"):
                    await values.aclose()
        return partial(self._core.finished, call, result)

    def _dispose_timer(self, call: PendingCall) -> None:
        """Its timer must not end it any more. Its task ends by itself."""
        with self._lock:
            running = self._running.pop(call, None)
        for disposable in list(running.disposable)[1:] if running is not None else ():
            disposable.dispose()

    def _emitter(self, call: PendingCall) -> Callable[[Any], None]:
        """The `emit` of a call. From another thread the event is emitted on the loop, like all others."""
        assert self._runtime is not None
        runtime = self._runtime
        try:
            call_soon = current_call_soon()
        except RuntimeError:  # a loop of the app's own
            call_soon = None

        def emit(progress: Any) -> None:
            report = partial(self._apply, lambda: self._core.progress(call, progress))
            if call_soon is None or runtime.on_loop_thread():
                report()
            else:
                call_soon(report)

        return emit

    def _close(self) -> None:
        """The end is known: cancel what runs."""
        with self._lock:
            running, self._running = self._running, {}
        for each in running.values():
            each.dispose()


def _is_async(fn: Any) -> bool:
    function = annotated_function(fn)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _in_thread(run: Callable[[], Any], emit: Callable[[Any], None]) -> Any:
    """Call a plain function, and exhaust a generator, in a worker thread."""
    result = run()
    if not inspect.isgenerator(result):
        return result
    last: Any = None
    for last in result:
        emit(last)
    return last
