"""What a run of turns does with each event: which tools to start, what to tell the model, when to stop.

The state is one `RunPhase`. Each method takes what has happened and returns the actions to carry out, in order. It
knows no Rx, no clock and no task: it is told the time, and `rxstream.operators.run_tools` carries the actions out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Literal, TypeAlias, cast

from rxstream.errors import ResponseIncompleteError, RxStreamError, ToolError
from rxstream.errors._redaction import one_line
from rxstream.events import (
    Event,
    FunctionCallItem,
    OutputItem,
    Response,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseOutputTextDeltaEvent,
    StreamingEvent,
    Usage,
)
from rxstream.response._final import FinalResponse
from rxstream.response.calls._function_calls import FunctionCalls
from rxstream.response.calls._tool_call_kinds import FunctionCall
from rxstream.tools._events import (
    RunFinishedEvent,
    ToolApprovalEvent,
    ToolFinishedEvent,
    ToolProgressEvent,
    ToolStartedEvent,
    TurnStartedEvent,
)
from rxstream.tools._output import call_output
from rxstream.tools._stopping import RunProgress, StopRule
from rxstream.tools._tool import Tool

OnToolError: TypeAlias = Literal["tell_model", "raise"] | Callable[[Exception], str]

_CLIENT_CALLS = ("custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call", "computer_call")
"""Calls that the app answers. Those of other types are answered by the server, and so are some shell calls."""
_LONGEST_ERROR = 2048


class RunPhase(Enum):
    """Where a run is."""

    TURN = auto()
    """The events of a turn come, or it was asked for."""
    TOOLS = auto()
    """The turn has ended well, and not all of its calls are answered."""
    ENDED = auto()


class ToolCallState(Enum):
    """Where a call is."""

    WAITING = auto()
    RUNNING = auto()
    ANSWERED = auto()


class PendingCall:
    """One call of a turn, until the turn is over."""

    __slots__ = ("began", "function_call", "output", "state", "tool", "turn")

    def __init__(self, function_call: FunctionCall, tool: Tool[..., Any], turn: int) -> None:
        self.function_call = function_call
        self.tool = tool
        self.turn = turn
        self.state = ToolCallState.WAITING
        self.began: float | None = None
        """When its tool was started; None before, and while it waits for approval."""
        self.output: dict[str, Any] = {}
        """The item that answers it."""

    @property
    def names(self) -> dict[str, Any]:
        """The fields that all events of a call have."""
        return {"turn": self.turn, "call_id": self.function_call.call_id, "name": self.function_call.name}


@dataclass(frozen=True, slots=True)
class EmitEvent:
    event: Event


@dataclass(frozen=True, slots=True)
class AskApproval:
    """Ask whether the call may run; then call `approved` or `failed`."""

    call: PendingCall


@dataclass(frozen=True, slots=True)
class StartCall:
    """Run the tool of the call; then call `finished` or `failed`."""

    call: PendingCall


@dataclass(frozen=True, slots=True)
class AskModel:
    """Subscribe to the next turn, for this conversation, or for what of it is new."""

    items: list[Any]


@dataclass(frozen=True, slots=True)
class EndRun:
    """Complete, or fail with the error. What still runs is cancelled."""

    error: Exception | None = None


RunAction: TypeAlias = EmitEvent | AskApproval | StartCall | AskModel | EndRun


class ToolRun:
    """One run."""

    def __init__(
        self,
        tools: Mapping[str, Tool[..., Any]],
        items: Sequence[Any],
        stop_when: StopRule,
        max_in_flight: int,
        on_tool_error: OnToolError,
        now: float,
        *,
        new_items_only: bool = False,
    ) -> None:
        self._tools = tools
        self._stop_when = stop_when
        self._max_in_flight = max_in_flight
        self._on_tool_error = on_tool_error
        self._began = now
        self.phase = RunPhase.TURN
        self._turn = 1
        self._items = [*items]
        """The conversation before the turn; with `new_items_only` what of it the server does not have."""
        self._new_items_only = new_items_only
        self._response_id: str | None = None
        """That of the last turn that has ended well."""
        self._tool_calls = 0
        """The calls of the turns that are over."""
        self._usage: Usage | None = None
        self._new_turn()

    def _new_turn(self) -> None:
        self._opened = False
        """Whether an event of the turn has come."""
        self._calls: list[PendingCall] = []
        """Those of the turn, in the order in which their arguments were whole."""
        self._function_calls = FunctionCalls()
        self._final = FinalResponse()
        self._response: Response | None = None
        """The response of the turn, once it has ended well."""
        self._shortfall: RxStreamError | None = None
        """Why it has not ended well."""

    # ------------------------------------------------------------------ the turn

    def quick(self, event: StreamingEvent) -> bool:
        """Take an event that has only to be emitted, at less cost than `feed`. False: it was not taken."""
        kind = type(event)
        if kind is not ResponseOutputTextDeltaEvent and kind is not ResponseFunctionCallArgumentsDeltaEvent:
            return False
        if not self._opened or self._response is not None or self._shortfall is not None:
            return False
        if self._final.quick(event) is None:
            return False
        if kind is ResponseFunctionCallArgumentsDeltaEvent:
            self._function_calls.quick(event)
        return True

    def feed(self, event: StreamingEvent, now: float) -> Iterator[RunAction]:
        """An event of the turn."""
        if self.phase is RunPhase.ENDED:
            return
        yield from self._open()
        yield EmitEvent(event)
        if self._response is not None or self._shortfall is not None:  # it comes after the end of the response
            return
        for call in self._function_calls.feed(event):
            yield from self._add(call, now)
        try:
            self._response = next(iter(self._final.feed(event)), None)
        except RxStreamError as error:
            self._shortfall = error
        else:
            yield from self._start_ready(now)

    def turn_completed(self, now: float) -> Iterator[RunAction]:
        """The turn has no more events."""
        if self.phase is RunPhase.ENDED:
            return
        yield from self._open()
        if self._response is None:
            yield from self._fall_short()
            return
        self.phase = RunPhase.TOOLS
        yield from self._close_turn(now)

    def _open(self) -> Iterator[RunAction]:
        if not self._opened:
            self._opened = True
            yield EmitEvent(TurnStartedEvent(turn=self._turn))

    def _fall_short(self) -> Iterator[RunAction]:
        try:
            self._final.finish()
        except RxStreamError as error:
            self._shortfall = self._shortfall or error
        if isinstance(self._shortfall, ResponseIncompleteError):
            yield from self._finish("incomplete")
        else:
            self.phase = RunPhase.ENDED
            yield EndRun(self._shortfall)

    def _add(self, function_call: FunctionCall, now: float) -> Iterator[RunAction]:
        tool = self._tools.get(function_call.name)
        if tool is not None:
            self._calls.append(PendingCall(function_call, tool, self._turn))
            return
        names = ", ".join(self._tools) or "none"
        error = ToolError(f"there is no tool {function_call.name}; there are: {names}", name=function_call.name)
        call = PendingCall(function_call, _UNKNOWN_TOOL, self._turn)
        self._calls.append(call)
        yield from self.failed(call, error, now)

    # ------------------------------------------------------------------ the calls

    def _start_ready(self, now: float) -> Iterator[RunAction]:
        """Start the calls that may run, in their order."""
        running = [call for call in self._calls if call.state is ToolCallState.RUNNING]
        for call in self._calls:
            if call.state is not ToolCallState.WAITING or (call.tool.start == "turn" and self._response is None):
                continue
            if len(running) >= self._max_in_flight:
                return
            most = call.tool.max_in_flight
            if most is not None and sum(other.tool is call.tool for other in running) >= most:
                continue
            running.append(call)
            call.state = ToolCallState.RUNNING
            if call.tool.needs_approval:
                yield EmitEvent(ToolApprovalEvent(**call.names, arguments=call.function_call.arguments))
                yield AskApproval(call)
            else:
                yield from self._start(call, now)

    def _start(self, call: PendingCall, now: float) -> Iterator[RunAction]:
        call.began = now
        yield EmitEvent(ToolStartedEvent(**call.names, arguments=call.function_call.arguments))
        yield StartCall(call)

    def approved(self, call: PendingCall, now: float) -> Iterator[RunAction]:
        """The call may run."""
        if self._is_running(call):
            yield from self._start(call, now)

    def progress(self, call: PendingCall, progress: Any) -> Iterator[RunAction]:
        """Its tool reports progress. After its answer that has no effect."""
        if self._is_running(call):
            yield EmitEvent(ToolProgressEvent(**call.names, progress=progress))

    def finished(self, call: PendingCall, result: Any, now: float) -> Iterator[RunAction]:
        """Its tool has returned."""
        if not self._is_running(call):
            return
        try:
            output = call_output(call.function_call.call_id, result)
        except Exception as error:  # what the result's own serializers raise too
            yield from self.failed(call, error, now)
            return
        yield from self._answer(call, output, None, now)

    def failed(self, call: PendingCall, error: Exception, now: float) -> Iterator[RunAction]:
        """Its arguments do not fit, it was not approved, or its tool has raised or took too long."""
        if self.phase is RunPhase.ENDED or call.state is ToolCallState.ANSWERED:
            return
        if self._on_tool_error == "raise":
            self.phase = RunPhase.ENDED
            yield EndRun(error)
            return
        text = str(error) if isinstance(error, ToolError) else f"{type(error).__name__}: {error}"
        text = one_line(text, _LONGEST_ERROR)
        output = self._on_tool_error(error) if callable(self._on_tool_error) else f"Error: {text}"
        yield from self._answer(call, call_output(call.function_call.call_id, output), text, now)

    def _is_running(self, call: PendingCall) -> bool:
        return self.phase is not RunPhase.ENDED and call.state is ToolCallState.RUNNING

    def _answer(self, call: PendingCall, output: dict[str, Any], error: str | None, now: float) -> Iterator[RunAction]:
        call.state = ToolCallState.ANSWERED
        call.output = output
        seconds = 0.0 if call.began is None else now - call.began
        yield EmitEvent(ToolFinishedEvent(**call.names, output=output["output"], error=error, seconds=seconds))
        yield from self._start_ready(now)
        if self.phase is RunPhase.TOOLS:
            yield from self._close_turn(now)

    # ------------------------------------------------------------------ the end of a turn

    def _close_turn(self, now: float) -> Iterator[RunAction]:
        """Go on if all calls are answered."""
        assert self._response is not None
        if any(call.state is not ToolCallState.ANSWERED for call in self._calls):
            return
        output = self._response.output or []
        calls = sorted(self._calls, key=lambda call: call.function_call.output_index)  # stable
        self._response_id = self._response.id or None
        if self._new_items_only:  # the server has those that were sent, and those of the response
            self._items = []
        else:
            self._items += [item.model_dump(mode="json") for item in output]
        self._items += [call.output for call in calls]
        self._usage = _sum(self._usage, self._response.usage)
        self._tool_calls += len(calls)
        if any(_is_unanswered(item, output, calls) for item in output):
            yield from self._finish("unanswered")
            return
        if not calls:
            yield from self._finish("answer")
            return
        names = tuple(call.function_call.name for call in calls)
        progress = RunProgress(self._turn, self._tool_calls, now - self._began, self._usage, names)
        rule = self._stop_when.stopped_by(progress)
        if rule is not None:
            yield from self._finish(rule)
            return
        self.phase = RunPhase.TURN
        self._turn += 1
        self._new_turn()
        yield AskModel([*self._items])

    def _finish(self, stopped_by: str) -> Iterator[RunAction]:
        self.phase = RunPhase.ENDED
        yield EmitEvent(
            RunFinishedEvent(
                turn=self._turn,
                usage=self._usage,
                stopped_by=stopped_by,
                input=[*self._items],
                response_id=self._response_id,
            )
        )
        yield EndRun()


def _no_tool() -> None:
    """Stands for a tool that the run does not have."""


_UNKNOWN_TOOL: Tool[..., Any] = Tool(_no_tool)


def _is_unanswered(item: OutputItem, output: Iterable[OutputItem], calls: Sequence[PendingCall]) -> bool:
    """Whether an item waits for an answer of the app, and has none."""
    call_id = getattr(item, "call_id", None)
    if isinstance(item, FunctionCallItem):
        return all(call.function_call.call_id != call_id for call in calls)
    if item.type == "mcp_approval_request":
        return True
    if item.type not in _CLIENT_CALLS:
        return False
    return not any(other is not item and getattr(other, "call_id", None) == call_id for other in output)


def _sum(total: Usage | None, usage: Usage | None) -> Usage | None:
    if total is None or usage is None:
        return total or usage
    return Usage.model_validate(_sum_counts(total.model_dump(), usage.model_dump()))


def _sum_counts(total: Any, counts: Any) -> Any:
    """The sum of two objects of numbers, also nested ones. Other values are those of the later."""
    if isinstance(total, Mapping) and isinstance(counts, Mapping):
        one, other = cast("Mapping[str, Any]", total), cast("Mapping[str, Any]", counts)
        return {name: _sum_counts(one.get(name), other.get(name)) for name in {**one, **other}}
    if isinstance(total, int | float) and isinstance(counts, int | float):
        return total + counts
    return cast("Any", total if counts is None else counts)
