"""One subscription to a run: its turns, and the actions that its core asks for."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast

from reactivex import Observable, abc
from reactivex.disposable import SerialDisposable, SingleAssignmentDisposable

from rxstream.errors import DisconnectedError
from rxstream.events import Event
from rxstream.operators._ledger_calls import LedgerCalls
from rxstream.operators._run_calls import Approve, RunCalls
from rxstream.rx._checks import of_events, require_source
from rxstream.rx._context import FLOW, RUNTIME, Runtime
from rxstream.rx._loops import run_in
from rxstream.rx._run_flow import RunFlow
from rxstream.rx._serial import Serial
from rxstream.tools._events import RunStreamEvent
from rxstream.tools._ledger import LedgerRecord
from rxstream.tools._ledger_run import LedgerToolRun
from rxstream.tools._pending_call import PendingCall
from rxstream.tools._run import ToolRun
from rxstream.tools._run_actions import (
    AskApproval,
    AskModel,
    EmitEvent,
    EndRun,
    RecordStep,
    ReopenTurn,
    RunAction,
    StartCall,
    SubscribeSource,
)

ReopenResponse: TypeAlias = Callable[[str, list[Any]], Observable[Event]]

_T = TypeVar("_T")

_check = of_events("run_tools")


class RunSubscription(abc.ObserverBase[Any], abc.DisposableBase):
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
        time_limit: float | None,
    ) -> None:
        self._core = core
        self._timers = timers
        self._time_limit = time_limit
        self._timer = SingleAssignmentDisposable()
        """That of the time limit."""
        self._ask = ask
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
        self._calls = RunCalls(
            core,
            self._act,
            self._serial,
            self._flow,
            self._context,
            approve=approve,
            deps=deps,
            timers=timers,
            clock=clock,
        )
        self._ledger: LedgerCalls | None = None
        self.reopen: ReopenResponse | None = None
        """What reads a response again that has begun in an earlier process."""
        self._source: Observable[Any] | None = None
        """The first turn, of a run with a ledger."""
        self._waiting: deque[Iterator[RunAction]] | None = None
        """The actions that wait until a record is written; None while none is. Only used within steps."""

    def subscribe(self, source: Observable[Any], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        self._scheduler = scheduler
        self._serial.source.disposable = self._turns
        self._set_timer()
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

        def go_on(records: Sequence[LedgerRecord]) -> None:
            self._act(core.begin(records, self._clock()))
            self._set_timer()  # the records say how much of the time is left

        self._spawn_ledger_job(ledger.open, go_on)
        return self

    def _set_timer(self) -> None:
        limit = self._time_limit
        if limit is None:
            return

        def end(*_: object) -> None:
            self._serial.feed_from_timer(lambda: self._act(self._core.end_by_time(limit, self._clock())))

        self._timer.disposable = self._timers.schedule_relative(self._core.time_left(limit, self._clock()), end)

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
                    self._with_session(self._calls.ask, call)
                case StartCall(call):
                    self._with_session(self._calls.start, call)
                case AskModel(items):
                    self._subscribe_turn(partial(self._ask, items))
                case ReopenTurn(response_id, items):
                    assert self.reopen is not None
                    self._subscribe_turn(partial(self.reopen, response_id, items))
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

    def _with_session(self, job: Callable[[PendingCall, Runtime], None], call: PendingCall) -> None:
        if self._runtime is None:
            self._serial.end(_no_session("run tools in"))
        else:
            job(call, self._runtime)

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
        self._timer.dispose()
        self._flow.close()
        self._calls.close()
        if self._ledger is not None:
            self._ledger.close()


def _no_session(what_for: str) -> RuntimeError:
    return RuntimeError(
        f"run_tools needs a session to {what_for}: subscribe inside `with rxstream.Session():` "
        "or `async with rxstream.Session():` (no key is needed for it)"
    )
