"""The tasks of a run: its calls, and the questions whether they may run."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context as ContextVariables
from functools import partial
from typing import Any, TypeAlias, cast

import anyio.lowlevel
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import CompositeDisposable, SingleAssignmentDisposable

from rxstream.errors import DisconnectedError, ToolError
from rxstream.response.calls._tool_names import full_name
from rxstream.rx._context import CALL_TRACER, CallSpan, Runtime
from rxstream.rx._loops import as_exception, is_being_cancelled, run_in
from rxstream.rx._progress import Progress
from rxstream.rx._run_flow import RunFlow
from rxstream.rx._serial import DRAINING, Serial
from rxstream.rx._threads import run_in_thread
from rxstream.sinks import iterate
from rxstream.tools._approval import Denial, denial_of
from rxstream.tools._context import Context
from rxstream.tools._pending_call import PendingCall
from rxstream.tools._run import ToolRun
from rxstream.tools._run_actions import RunAction
from rxstream.tools._schema import annotated_function

Approve: TypeAlias = Callable[[Any], bool | Denial | Awaitable[bool | Denial] | Observable[bool | Denial]]

_Outcome: TypeAlias = Callable[[float], Iterable[RunAction]]
"""What the core says to the end of a task, at that time."""
_Job: TypeAlias = Callable[[PendingCall, Runtime], Awaitable[_Outcome]]


class RunCalls:
    """The tasks of one subscription. How each ends is a step of its `Serial`, and `act` carries out what follows."""

    def __init__(
        self,
        core: ToolRun,
        act: Callable[[Iterable[RunAction]], object],
        serial: Serial[Any],
        flow: RunFlow,
        context: ContextVariables,
        *,
        approve: Approve | None,
        deps: Any,
        timers: abc.SchedulerBase,
        clock: Callable[[], float],
    ) -> None:
        self._core = core
        self._act = act
        self._serial = serial
        self._flow = flow
        self._context = context
        """The context variables of the subscriber."""
        self._approve = approve
        self._deps = deps
        self._timers = timers
        self._clock = clock
        self._lock = threading.Lock()
        """Guards `_running`."""
        self._running: dict[PendingCall, CompositeDisposable] = {}
        """The task and the timer of each call."""
        self._tracer = CALL_TRACER.get()
        self._spans: dict[PendingCall, CallSpan] = {}
        """Of the calls that run, where the run is traced."""

    def start(self, call: PendingCall, runtime: Runtime) -> None:
        """Run the tool of the call."""
        self._spawn(call, self._call, runtime, call.tool.timeout)

    def ask(self, call: PendingCall, runtime: Runtime) -> None:
        """Ask whether the call may run."""
        self._spawn(call, self._ask_approval, runtime)

    def close(self) -> None:
        """The end is known: cancel what runs."""
        with self._lock:
            running, self._running = self._running, {}
        for each in running.values():
            each.dispose()

    def _spawn(self, call: PendingCall, job: _Job, runtime: Runtime, timeout: float | None = None) -> None:
        task = SingleAssignmentDisposable()
        running = CompositeDisposable(task)
        with self._lock:
            self._running[call] = running
        if timeout is not None:
            running.add(self._timers.schedule_relative(timeout, partial(self._time_out, call)))

        def start() -> None:
            task.disposable = runtime.spawn(partial(self._run, call, job, runtime))

        try:
            run_in(self._context.copy(), start)
        except Exception as error:  # the session has been left
            self._serial.end(error, drain=True)
        if self._serial.state >= DRAINING:  # it ended in another thread
            self.close()

    async def _run(self, call: PendingCall, job: _Job, runtime: Runtime) -> None:
        try:
            outcome = await job(call, runtime)
        except Exception as error:
            outcome = partial(self._core.failed, call, error)
            self._end_span(call, error)
        except BaseException as raised:
            with self._lock:
                cancelled_here = call not in self._running
            if cancelled_here:
                self._end_span(call, disposed=True)
                raise
            # A task or a future that the function waited for may have been cancelled, and not the function itself.
            error = None if is_being_cancelled() else as_exception(raised)
            if error is None:
                self._end_span(call, disposed=True)
                if self._serial.state < DRAINING:
                    self._serial.end(_interruption(call, raised))
                raise
            outcome = partial(self._core.failed, call, error)
            self._end_span(call, error)
        self._forget(call)
        self._apply(lambda: outcome(self._clock()))

    def _apply(self, actions: Callable[[], Iterable[RunAction]]) -> None:
        """What a task did, as a step."""
        self._serial.feed_from_timer(lambda: self._act(actions()))

    def _end_span(self, call: PendingCall, error: BaseException | None = None, **how: Any) -> None:
        span = self._spans.pop(call, None)
        if span is not None:
            span.end(error, **how)

    def _time_out(self, call: PendingCall, *_: object) -> None:
        self._end_span(call, TimeoutError())
        with self._lock:
            running = self._running.pop(call, None)
        if running is not None:
            running.dispose()
        text = f"{full_name(call.tool.name, call.namespace)}() took longer than {call.tool.timeout:g} s"
        error = ToolError(text, name=call.tool.name, call_id=call.call_id)
        error.__cause__ = TimeoutError()
        self._apply(lambda: self._core.failed(call, error, self._clock()))

    def _forget(self, call: PendingCall) -> None:
        """Its timer must not end it any more. Its task ends by itself."""
        with self._lock:
            running = self._running.pop(call, None)
        for disposable in list(running.disposable)[1:] if running is not None else ():
            disposable.dispose()

    # ------------------------------------------------------------------ the functions of the app

    async def _ask_approval(self, call: PendingCall, runtime: Runtime) -> _Outcome:
        if self._approve is None:  # no tool needs approval, but this call does
            return partial(self._core.denied, call, Denial("the run has no approve="))
        answer = await _awaited(self._approve(call.tool_call))
        if isinstance(answer, Observable):
            first = cast("Observable[Any]", answer).pipe(ops.take(1))
            answer = next(iter([value async for value in iterate(first)]), None)
        denial = denial_of(answer)
        if denial is not None:
            return partial(self._core.denied, call, denial)
        return partial(self._core.approved, call)

    async def _call(self, call: PendingCall, runtime: Runtime) -> _Outcome:
        tool = call.tool
        if self._tracer is not None:
            arguments, description = tool.arguments_of(call.tool_call), getattr(tool, "description", None)
            kind = call.tool_call.kind
            self._spans[call] = self._tracer.start(kind, call.full_name, call.call_id, description, arguments)
        result = await self._result_of(call, runtime)
        self._end_span(call, result=result)
        return partial(self._core.finished, call, result)

    async def _result_of(self, call: PendingCall, runtime: Runtime) -> Any:
        progress = Progress(partial(self._report, call, runtime), runtime, self._flow)
        context = Context(call.call_id, call.turn, self._deps, progress.emit)
        run = call.tool.bind_call(call.tool_call, context)
        try:
            result: Any = run() if _is_async(call.tool.fn) else await _in_thread(progress, run)
            result = await _awaited(result)
            if inspect.isgenerator(result):  # of an async function: it may block, as that of a plain one may
                generator = result
                result = await _in_thread(progress, lambda: generator)
        finally:
            progress.stop()
        if isinstance(result, Observable):
            result = iterate(cast("Observable[Any]", result))
        if hasattr(result, "__aiter__"):
            values, result = result, None
            try:
                async for result in values:
                    progress.emit(result)
                    await self._flow.wait()
                    await anyio.lowlevel.checkpoint()  # a generator that waits for nothing would hold the loop
            finally:
                if hasattr(values, "aclose"):
                    await values.aclose()
        return result

    def _report(self, call: PendingCall, runtime: Runtime, value: Any) -> None:
        """Report progress. What the observer raises, with no other way to hear of it, is not an error of the tool."""
        try:
            self._apply(lambda: self._core.progress(call, value))
        except Exception as error:
            raised = error

            async def leave() -> None:
                raise raised

            runtime.spawn(leave)  # leaving the session raises it


def _interruption(call: PendingCall, raised: BaseException) -> DisconnectedError:
    if isinstance(raised, anyio.get_cancelled_exc_class()):
        return DisconnectedError("cancelled: the session was left")
    return DisconnectedError(f"cancelled: {call.full_name}() raised {type(raised).__name__}, which ends the session")


async def _in_thread(progress: Progress, run: Callable[[], Any]) -> Any:
    return await run_in_thread(progress.run_in_thread, run, abandon_on_cancel=True)


async def _awaited(value: Any) -> Any:
    """Await the value, and what that gives. An Observable stays: awaiting it would give its last value."""
    while inspect.isawaitable(value) and not isinstance(value, Observable):
        value = await value
    return value  # type: ignore[reportUnknownVariableType]  # an awaitable may give anything


def _is_async(fn: Any) -> bool:
    function = annotated_function(fn)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
