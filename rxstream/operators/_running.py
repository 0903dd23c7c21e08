"""A run: the tools that the model asks for, and turn after turn until it answers."""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias, TypedDict, TypeVar, cast

import anyio.to_thread
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import CompositeDisposable, SerialDisposable, SingleAssignmentDisposable

from rxstream.errors import DisconnectedError, ToolError
from rxstream.events import Event
from rxstream.operators._ledger_calls import LedgerCalls
from rxstream.rx._checks import of_events, require_source
from rxstream.rx._context import FLOW, RUNTIME, Runtime
from rxstream.rx._loops import run_in
from rxstream.rx._observable import PushObservable
from rxstream.rx._progress import Progress
from rxstream.rx._run_flow import RunFlow
from rxstream.rx._serial import DRAINING, Serial
from rxstream.rx._timed import choose_scheduler, clock_of
from rxstream.sinks import iterate
from rxstream.tools._approval import Denial, McpApproval, denial_of
from rxstream.tools._builtin_tools import CustomTool
from rxstream.tools._client_tool import ClientTool
from rxstream.tools._context import Context
from rxstream.tools._events import RunStreamEvent
from rxstream.tools._ledger import Ledger, LedgerRecord, as_ledger
from rxstream.tools._ledger_run import LedgerToolRun
from rxstream.tools._run import (
    AskApproval,
    AskModel,
    EmitEvent,
    EndRun,
    OnToolError,
    PendingCall,
    RecordStep,
    RunAction,
    StartCall,
    SubscribeSource,
    ToolRun,
)
from rxstream.tools._schema import annotated_function
from rxstream.tools._stopping import StopCheck, StopRule, as_rule, turns
from rxstream.tools._tool import Tool, as_tool
from rxstream.typing import Operator

Approve: TypeAlias = Callable[[Any], bool | Denial | Awaitable[bool | Denial] | Observable[bool | Denial]]

_Outcome: TypeAlias = Callable[[float], Iterable[RunAction]]
"""What the core says to the end of a job, at that time."""
_Job: TypeAlias = Callable[[PendingCall], Awaitable[_Outcome]]

_T = TypeVar("_T")

_DEFAULT_RULE = turns(16)
_check = of_events("run_tools")


class RunOptions(TypedDict, total=False):
    """The options of `run_tools` that `session.run` has too: it passes on those, and no others."""

    deps: Any
    stop_when: StopRule | StopCheck
    max_in_flight: int
    on_tool_error: OnToolError
    approve: Approve | None
    ledger: Ledger | None


def run_tools(
    tools: Sequence[ClientTool[..., Any] | Callable[..., Any] | Mapping[str, Any]],
    ask: Callable[[list[Any]], Observable[Event]],
    *,
    input: str | Sequence[Any] = (),
    deps: Any = None,
    stop_when: StopRule | StopCheck = _DEFAULT_RULE,
    max_in_flight: int = 8,
    on_tool_error: OnToolError = "tell_model",
    approve: Approve | None = None,
    ledger: Ledger | None = None,
    new_items_only: bool = False,
    scheduler: abc.SchedulerBase | None = None,
) -> Operator[Event, RunStreamEvent]:
    """Run the tools that a response calls, ask the model again with their outputs, and so on until it answers.

    Marbles with run_tools([], ask)::

        source   -C-----a-K-|
        result   -(t,C)-a-K-(f|)
        where t = TurnStartedEvent(turn=1), f = RunFinishedEvent(turn=1, stopped_by="answer")

    The source is the first turn. Pure tools start as soon as their own arguments are whole, others after the response
    has ended well. Async functions run on the loop of the session, others in threads; all have the context variables
    of the subscriber. A generator's or an Observable's values are progress, and the last one is the result.

    Args:
        tools: tools, also of other kinds such as `tools.ShellTool`, and functions. Dicts, such as
            `{"type": "web_search"}`, are the server's, and left alone.
        ask: called with the conversation so far, as input items; returns the events of the next turn. Write
            `lambda items: session.response(model=..., input=items, tools=tools)`.
        input: what the first turn was asked: the begin of the conversation.
        deps: what tools get as `context.deps`.
        stop_when: a rule of `rxstream.tools`, such as `turns(16) | tokens(50_000)`, or a function of a `RunProgress`.
            It is asked after each turn, once its calls are answered.
        max_in_flight: how many calls may run at a time. One that waits for approval does not count.
        on_tool_error: what the model gets if a call fails: `"tell_model"`: the type and the message; a function of the
            error: what it returns. With `"raise"` the run errors with it.
        approve: asked before a tool with `needs_approval` runs, and for an MCP server that asks: a function of the
            call (`FunctionCall`, `ShellToolCall`, `McpApprovalRequest`, ...) that returns True, False, a
            `tools.Denial`, or an awaitable or Observable of one; the first value counts, and no value refuses. It must
            not block. Needed if there is such a tool.
        ledger: where the run keeps what it has done, such as `FileLedger(path)`: each step waits until it is recorded.
            A run that was interrupted, subscribed to again with the same ledger, input and tools, goes on: the source
            is not subscribed to if the first turn had ended, no call that has finished runs again, and `on_restart` of
            its tool decides about one that had not. A run that had finished emits its `RunFinishedEvent` only.
        new_items_only: the server keeps the conversation (`previous_response_id`, `conversation`): `ask`, and `input`
            of the last event, get only the items that it does not have, which are the outputs of the last calls.
        scheduler: of the time limits of tools.

    Emits: every event of every turn, and between them those of `rxstream.tools`: `TurnStartedEvent` before the first
    event of a turn, `ToolApprovalEvent`, `ToolStartedEvent`, `ToolProgressEvent`, `ToolFinishedEvent`, and
    `RunFinishedEvent` as the last one; a run that goes on begins with `RunResumedEvent`. Wrong arguments, unknown
    tools, exceptions, time-outs and refused calls are told to the model. Every call has one output, and the outputs are
    in the order of the calls. Calls that the server answers are left to it.
    A subscriber that asks for a pause pauses the turn, generators, and plain functions in `context.emit`.
    Completes: after `RunFinishedEvent`. An incomplete response ends the run too, and its calls are not answered.
    Errors: those of a turn, `TruncatedError` if it has no end, what `ask` raises; tools that run are cancelled.
    RuntimeError if a tool is to run, or there is a ledger, and there is no session. What the ledger raises; LedgerError
    if another run holds it, or it is that of another run.
    Disposing: closes the turn and cancels the tools. A thread cannot be cancelled: its result is dropped.
    Memory: the conversation.

    Raises: TypeError, ValueError if an argument is nothing for it, or two tools have one name.
    """
    by_name: dict[tuple[str, str], ClientTool[..., Any]] = {}
    for each in tools:
        if isinstance(each, Mapping):
            continue
        tool = as_tool(each)
        key = tool.call_type, tool.name if isinstance(tool, Tool | CustomTool) else ""
        if key in by_name:
            raise ValueError(f"run_tools expects tools of different names, got two of the name {tool.name}")
        if tool.needs_approval and approve is None:
            raise ValueError(f"run_tools expects approve= for the tool {tool.name}, which needs approval, got none")
        by_name[key] = tool
    if approve is not None:
        by_name[McpApproval.call_type, ""] = McpApproval()
    if not callable(ask):
        raise TypeError(f"run_tools expects a function that asks the model again, got {ask!r}")
    if isinstance(max_in_flight, bool) or max_in_flight < 1:
        raise ValueError(f"max_in_flight must be 1 or more, got {max_in_flight!r}")
    if on_tool_error not in ("tell_model", "raise") and not callable(on_tool_error):
        raise ValueError(f'on_tool_error must be "tell_model", "raise" or a function, got {on_tool_error!r}')
    if ledger is not None:
        as_ledger(ledger)
    items = [{"role": "user", "content": input}] if isinstance(input, str) else [*input]
    rule = as_rule(stop_when)

    def operator(source: Observable[Event]) -> Observable[RunStreamEvent]:
        require_source(source, "run_tools")

        def subscribe(
            observer: abc.ObserverBase[RunStreamEvent], from_subscribe: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            timers = choose_scheduler(scheduler, from_subscribe)
            clock = clock_of(timers)
            make_core = ToolRun if ledger is None else LedgerToolRun
            core = make_core(by_name, items, rule, max_in_flight, on_tool_error, clock(), new_items_only=new_items_only)
            run = _RunSubscription(core, ask, approve, deps, timers, clock, observer)
            if ledger is not None and isinstance(core, LedgerToolRun):
                return run.begin(core, LedgerCalls(ledger), source, from_subscribe)
            return run.subscribe(source, from_subscribe)

        return PushObservable(subscribe)

    return operator


class _RunSubscription(abc.ObserverBase[Any], abc.DisposableBase):
    """One subscription. What happens, in a turn or in a tool, is a step of a `Serial`; the core says what to do."""

    def __init__(
        self,
        core: ToolRun,
        ask: Callable[[list[Any]], Observable[Event]],
        approve: Approve | None,
        deps: Any,
        timers: abc.SchedulerBase,
        clock: Callable[[], float],
        observer: abc.ObserverBase[RunStreamEvent],
    ) -> None:
        self._core = core
        self._ask = ask
        self._approve = approve
        self._deps = deps
        self._timers = timers
        self._clock = clock
        self._serial = Serial(observer, self._close)
        self._flow = self._serial.flow = RunFlow(self._abort)
        """That of all events. The next turn and the tools wait as the turn before does."""
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
        self._ledger: LedgerCalls | None = None
        self._source: Observable[Any] | None = None
        """The first turn, of a run with a ledger."""
        self._waiting: deque[Iterator[RunAction]] | None = None
        """The actions that wait until a record is written; None while none is. Only used within steps."""

    def subscribe(self, source: Observable[Any], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        self._scheduler = scheduler
        self._serial.source.disposable = self._turns
        self._turns.disposable = source.subscribe(self, scheduler=scheduler)
        return self

    def begin(
        self, core: LedgerToolRun, ledger: LedgerCalls, source: Observable[Any], scheduler: abc.SchedulerBase | None
    ) -> abc.DisposableBase:
        """Subscribe with a ledger: its records say how the run begins."""
        self._scheduler = scheduler
        self._source = source
        self._ledger = ledger
        self._serial.source.disposable = self._turns

        self._spawn_ledger_job(ledger.open, lambda records: self._act(core.begin(records, self._clock())))
        return self

    # ------------------------------------------------------------------ the observer of the turns

    def on_next(self, value: Event) -> None:
        self._runtime = self._runtime or RUNTIME.get()
        self._flow.use(FLOW.get())
        token = FLOW.set(self._flow)
        try:
            self._serial.feed(self._feed, value)
        finally:
            FLOW.reset(token)

    def _feed(self, event: Any) -> None:
        if self._waiting is None and self._core.quick(event):
            self._serial.emit((event,))
            return
        try:
            _check(event)
        except TypeError as error:
            self._serial.end(error)
            return
        self._act(self._core.feed(event, self._clock()))

    def on_error(self, error: Exception) -> None:
        if self._waiting is None:
            self._serial.end(error, drain=True)
        else:  # events that came before it wait
            self._serial.feed_last(self._act, (EndRun(error),))

    def on_completed(self) -> None:
        self._serial.feed_last(self._complete_turn)

    def _complete_turn(self) -> None:
        self._act(self._core.turn_completed(self._clock()))

    def dispose(self) -> None:
        self._serial.dispose()

    # ------------------------------------------------------------------ the actions

    def _act(self, actions: Iterable[RunAction]) -> None:
        """Carry out actions, or have them wait for a record. Only called from within a step."""
        steps = self._guarded(actions)
        if self._waiting is not None:
            self._waiting.append(steps)
        else:
            self._carry_out(steps)

    def _carry_out(self, steps: Iterator[RunAction]) -> None:
        for action in steps:
            match action:
                case EmitEvent(event):
                    if not self._serial.emit((cast("RunStreamEvent", event),)):
                        return
                case AskApproval(call):
                    self._spawn(call, self._ask_approval)
                case StartCall(call):
                    self._spawn(call, self._call)
                case AskModel(items):
                    self._subscribe_turn(partial(self._ask, items))
                case SubscribeSource():
                    self._subscribe_turn(lambda: self._source)
                case RecordStep(record):
                    self._waiting = deque([steps])
                    self._record(record)
                    return
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

    def _record(self, record: LedgerRecord) -> None:
        assert self._ledger is not None
        self._spawn_ledger_job(partial(self._ledger.append, record), self._go_on)

    def _go_on(self, _: None) -> None:
        """The record is written: carry out what waited for it."""
        waiting, self._waiting = self._waiting, None
        while waiting and self._waiting is None:
            self._carry_out(waiting.popleft())
        if waiting and self._waiting is not None:
            self._waiting.extend(waiting)

    def _spawn_ledger_job(self, job: Callable[[], Awaitable[_T]], then: Callable[[_T], object]) -> None:
        """Run a job, and then a step with its result. It is not cancelled with the run: a record is written or not."""
        runtime = self._runtime
        if runtime is None:
            self._serial.end(_no_session("write its ledger"))
            return

        async def run() -> None:
            try:
                result = await job()
            except Exception as error:
                self._serial.end(error)
                return
            except BaseException:
                self._serial.end(DisconnectedError("cancelled: the session was left"))
                raise
            self._serial.feed_from_timer(then, result)

        try:
            run_in(self._context.copy(), runtime.spawn, run)
        except Exception as error:  # the session has been left
            self._serial.end(error, drain=True)

    def _subscribe_turn(self, make: Callable[[], Any]) -> None:
        def subscribe() -> None:
            turn = make()
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
            self._serial.end(_no_session("run tools in"))
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
        error = ToolError(text, name=call.tool.name, call_id=call.call_id)
        error.__cause__ = TimeoutError()
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
        if self._approve is None:  # no tool needs approval, but this call does
            return partial(self._core.denied, call, Denial("the run has no approve="))
        answer: Any = self._approve(call.tool_call)
        if isinstance(answer, Observable):  # it is awaitable too, but that is its last value
            first = cast("Observable[Any]", answer).pipe(ops.take(1))
            answer = next(iter([value async for value in iterate(first)]), None)
        elif inspect.isawaitable(answer):
            answer = await answer
        denial = denial_of(answer)
        if denial is not None:
            return partial(self._core.denied, call, denial)
        return partial(self._core.approved, call)

    async def _call(self, call: PendingCall) -> _Outcome:
        assert self._runtime is not None
        progress = Progress(
            lambda value: self._apply(lambda: self._core.progress(call, value)), self._runtime, self._flow
        )
        context = Context(call.call_id, call.turn, self._deps, progress.emit)
        run = call.tool.bind_call(call.tool_call, context)
        if _is_async(call.tool.fn):
            result: Any = run()
        else:
            try:
                result = await anyio.to_thread.run_sync(progress.run_in_thread, run, abandon_on_cancel=True)
            finally:
                progress.stop()
        if not isinstance(result, Observable) and inspect.isawaitable(result):
            result = await result
        if isinstance(result, Observable):
            result = iterate(cast("Observable[Any]", result))
        if hasattr(result, "__aiter__"):
            values, result = result, None
            try:
                async for result in values:
                    progress.emit(result)
                    await self._flow.wait()
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

    def _abort(self, error: Exception) -> None:
        """An async function behind this has raised, and the `Flow` is told. The end is notified on the loop."""

        async def end() -> None:
            if not self._serial.end(error) and self._serial.error is None:
                raise error  # leaving the session raises it

        runtime = self._runtime or RUNTIME.get()
        if runtime is None:
            self._serial.end(error)
        else:
            runtime.spawn(end)

    def _close(self) -> None:
        """The end is known: cancel what runs."""
        self._flow.close()
        with self._lock:
            running, self._running = self._running, {}
        for each in running.values():
            each.dispose()
        if self._ledger is not None:
            self._ledger.close()


def _no_session(what_for: str) -> RuntimeError:
    return RuntimeError(
        f"run_tools needs a session to {what_for}: subscribe inside `with rxstream.Session():` "
        "or `async with rxstream.Session():` (no key is needed for it)"
    )


def _is_async(fn: Any) -> bool:
    function = annotated_function(fn)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
