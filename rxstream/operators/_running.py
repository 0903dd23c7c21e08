"""A run: the tools that the model asks for, and turn after turn until it answers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict

from reactivex import Observable, abc

from rxstream.events import Event
from rxstream.operators._ledger_calls import LedgerCalls
from rxstream.operators._run_calls import Approve
from rxstream.operators._run_subscription import ReopenResponse, RunSubscription
from rxstream.rx._checks import require_source
from rxstream.rx._observable import PushObservable
from rxstream.rx._timed import choose_scheduler, clock_of
from rxstream.tools._approval import McpApproval
from rxstream.tools._client_tool import ClientTool, is_count, seconds_of
from rxstream.tools._events import RunStreamEvent
from rxstream.tools._ledger import Ledger, as_ledger
from rxstream.tools._ledger_run import LedgerToolRun
from rxstream.tools._namespace import Namespace
from rxstream.tools._run import OnToolError, ToolRun
from rxstream.tools._runnable_tools import RunnableTools
from rxstream.tools._stopping import StopCheck, StopRule, as_rule, turns
from rxstream.typing import Operator

_DEFAULT_RULE = turns(16)


class RunOptions(TypedDict, total=False):
    """The options of `run_tools` that `session.run` has too: it passes on those, and no others."""

    deps: Any
    stop_when: StopRule | StopCheck
    time_limit: float | timedelta | None
    max_in_flight: int
    on_tool_error: OnToolError
    approve: Approve | None
    ledger: Ledger | None


def run_tools(
    tools: Sequence[ClientTool[..., Any] | Namespace | Callable[..., Any] | Mapping[str, Any]],
    ask: Callable[[list[Any]], Observable[Event]],
    *,
    input: str | Sequence[Any] = (),
    deps: Any = None,
    stop_when: StopRule | StopCheck = _DEFAULT_RULE,
    time_limit: float | timedelta | None = None,
    max_in_flight: int = 8,
    on_tool_error: OnToolError = "tell_model",
    approve: Approve | None = None,
    ledger: Ledger | None = None,
    new_items_only: bool = False,
    reopen: ReopenResponse | None = None,
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
        time_limit: seconds from the subscription on, also while a call waits for approval. Then the run ends at once,
            with `stopped_by="time_limit(60)"`: a response without an end is closed, and not in `input`; after a whole
            one, tools that run are cancelled, and each call without an output gets one that says so.
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
        reopen: with a ledger, of responses that go on without their reader (`background=True`): called with the id of
            the response that had begun when the process ended, and with what `ask` would get; returns its events from
            the first one on. By default such a turn is asked for again.
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

    Raises: TypeError, ValueError if an argument is nothing for it, or two tools have one name in one namespace.
    """
    runnable = RunnableTools(each for each in tools if not isinstance(each, Mapping))
    asking = next((key.full_name or tool.name for key, tool in runnable if tool.needs_approval), None)
    if asking is not None and approve is None:
        raise ValueError(f"run_tools expects approve= for the tool {asking}, which needs approval, got none")
    if approve is not None:
        runnable.add(McpApproval())
    if not callable(ask):
        raise TypeError(f"run_tools expects a function that asks the model again, got {ask!r}")
    if approve is not None and not callable(approve):
        raise TypeError(f"approve expects a function of the call, got {approve!r}")
    for name, function in (("on_tool_error", on_tool_error), ("stop_when", stop_when)):
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"{name} expects a plain function, got the async function {function.__name__}")
    if reopen is not None and not callable(reopen):
        raise TypeError(f"reopen expects a function of the id of a response and the items, got {reopen!r}")
    if not is_count(max_in_flight):
        raise ValueError(f"max_in_flight must be 1 or more, got {max_in_flight!r}")
    if on_tool_error not in ("tell_model", "raise") and not callable(on_tool_error):
        raise ValueError(f'on_tool_error must be "tell_model", "raise" or a function, got {on_tool_error!r}')
    if ledger is not None:
        as_ledger(ledger)
    limit = seconds_of(time_limit, "time_limit")
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
            core = make_core(
                runnable, items, rule, max_in_flight, on_tool_error, clock(), new_items_only=new_items_only
            )
            run = RunSubscription(core, ask, approve, deps, timers, clock, observer, limit)
            if ledger is not None and isinstance(core, LedgerToolRun):
                run.reopen, core.reopens = reopen, reopen is not None
                return run.begin(core, LedgerCalls(ledger), source, from_subscribe)
            return run.subscribe(source, from_subscribe)

        return PushObservable(subscribe)

    return operator
