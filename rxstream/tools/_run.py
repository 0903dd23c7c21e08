"""What a run of turns does with each event: which tools to start, what to tell the model, when to stop.

The state is one `RunPhase`. Each method takes what has happened and returns the actions to carry out, in order. It
knows no Rx, no clock and no task: it is told the time, and `rxstream.operators.run_tools` carries the actions out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum, auto
from typing import Any, Literal, TypeAlias

from rxstream.errors import ResponseIncompleteError, RxStreamError, ToolError
from rxstream.errors._redaction import one_line
from rxstream.events import (
    OutputItem,
    Response,
    ResponseCreatedEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseOutputTextDeltaEvent,
    StreamingEvent,
    Usage,
)
from rxstream.events._fields import TERMINAL
from rxstream.response._final import FinalResponse
from rxstream.response.calls._client_calls import ClientCall, ClientCalls, answered_ids, needs_answer
from rxstream.response.calls._tool_call_kinds import CustomToolCall, FunctionCall
from rxstream.tools._approval import Denial, McpApproval, denial_error
from rxstream.tools._context import Context
from rxstream.tools._events import (
    RunFinishedEvent,
    ToolApprovalEvent,
    ToolFinishedEvent,
    ToolProgressEvent,
    ToolStartedEvent,
    TurnStartedEvent,
)
from rxstream.tools._output import whole_characters
from rxstream.tools._pending_call import UNKNOWN_CUSTOM_TOOL, UNKNOWN_TOOL, PendingCall, ToolCallState
from rxstream.tools._run_actions import (
    AskApproval,
    AskModel,
    EmitEvent,
    EndRun,
    RunAction,
    StartCall,
    SubscribeSource,
)
from rxstream.tools._runnable_tools import RunnableTools
from rxstream.tools._stopping import RunProgress, StopRule

OnToolError: TypeAlias = Literal["tell_model", "raise"] | Callable[[Exception], str]

_LONGEST_ERROR = 2048


class RunPhase(Enum):
    """Where a run is."""

    TURN = auto()
    """The events of a turn come, or it was asked for."""
    TOOLS = auto()
    """The turn has ended well, and not all of its calls are answered."""
    ENDED = auto()


class ToolRun:
    """One run."""

    def __init__(
        self,
        tools: RunnableTools,
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
        self._turn: int = 1
        self._items = [*items]
        """The conversation before the turn; with `new_items_only` what of it the server does not have."""
        self._new_items_only = new_items_only
        self._response_id: str | None = None
        """That of the last turn that has ended well."""
        self._tool_calls = 0
        """The calls of the turns that are over."""
        self._usage: Usage | None = None
        self._time_is_over = ""
        """The limit whose time is over."""
        self._new_turn()

    def _new_turn(self) -> None:
        self._opened = False
        """Whether an event of the turn has come."""
        self._calls: list[PendingCall] = []
        """Those of the turn, in the order in which their arguments were whole."""
        self._next_number = 0
        """That of the next call."""
        self._client_calls = ClientCalls()
        self._final = FinalResponse()
        self._response: Response | None = None
        """The response of the turn, once it has ended well."""
        self._shortfall: RxStreamError | None = None
        """Why it has not ended well."""
        self._answered_by_server: set[str] = set()
        """The ids of the calls whose outputs are in the response."""

    def _record(self, step: str, now: float, **fields: Any) -> Iterable[RunAction]:
        """The record of a step, if the run has a ledger."""
        return ()

    def _record_call(self, step: str, call: PendingCall, now: float, **fields: Any) -> Iterable[RunAction]:
        return self._record(step, now, call=call.number, **call.names, **fields)

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
            self._client_calls.quick(event)
        return True

    def feed(self, event: StreamingEvent, now: float) -> Iterator[RunAction]:
        """An event of the turn."""
        if self.phase is RunPhase.ENDED:
            return
        yield from self._open()
        if self._new_items_only and self._is_steered() and isinstance(event, ResponseCreatedEvent):
            self._client_calls, self._final, self._shortfall = ClientCalls(), FinalResponse(), None
        if self._response is not None or self._shortfall is not None:  # it comes after the end of the response
            yield EmitEvent(event)
            return
        response: Response | None = None
        calls = [call for tool_call in self._client_calls.feed(event) if (call := self._add(tool_call)) is not None]
        try:
            response = next(iter(self._final.feed(event)), None)
            if response is None and isinstance(event, TERMINAL):
                self._final.finish()  # it raises: the response was steered
        except RxStreamError as error:
            self._shortfall = error
            if isinstance(error, ResponseIncompleteError) and isinstance(event, TERMINAL):
                self._usage = _sum(self._usage, event.response.usage)
        if response is not None:
            self._note_answers_of_server(response)
            numbers = [call.number for call in self._calls_in_order()]
            yield from self._record("turn.ended", now, turn=self._turn, response=response, calls=numbers)
        yield EmitEvent(event)
        for call in calls:
            if call.is_unknown:
                yield from self.failed(call, self._unknown_tool(call), now)
        if self._shortfall is None:
            self._response = response
            yield from self._start_ready(now)

    def turn_completed(self, now: float) -> Iterator[RunAction]:
        """The turn has no more events."""
        if self.phase is RunPhase.ENDED:
            return
        yield from self._open()
        if self._response is None:
            yield from self._fall_short(now)
            return
        self.phase = RunPhase.TOOLS
        yield from self._close_turn(now)

    def _is_steered(self) -> bool:
        """Whether the response of the turn was ended for new input, and a successor may follow.

        Only the server knows that input. So the run goes on with the successor where the server keeps the conversation.
        """
        return isinstance(self._shortfall, ResponseIncompleteError) and self._shortfall.reason == "steered"

    def _open(self) -> Iterator[RunAction]:
        if not self._opened:
            self._opened = True
            yield EmitEvent(TurnStartedEvent(turn=self._turn))

    def _fall_short(self, now: float) -> Iterator[RunAction]:
        try:
            self._final.finish()
        except RxStreamError as error:
            self._shortfall = self._shortfall or error
        if isinstance(self._shortfall, ResponseIncompleteError):
            yield from self._finish("incomplete", now)
        else:
            self.phase = RunPhase.ENDED
            yield EndRun(self._shortfall)

    def _add(self, tool_call: ClientCall) -> PendingCall | None:
        """Add a call of the turn. None if the app answers calls of this kind after the run."""
        kind, namespace = tool_call.kind, getattr(tool_call, "namespace", None)
        found = self._tools.find(kind, getattr(tool_call, "name", ""), namespace)
        if found is not None:
            tool, namespace = found[1], found[0].namespace or None
        elif self._tools.full_names(kind) or isinstance(tool_call, FunctionCall):
            tool = UNKNOWN_CUSTOM_TOOL if isinstance(tool_call, CustomToolCall) else UNKNOWN_TOOL
        else:
            return None
        call = PendingCall(tool_call, tool, namespace, self._turn, self._next_number)
        self._next_number += 1
        self._calls.append(call)
        return call

    def _unknown_tool(self, call: PendingCall) -> ToolError:
        kind = call.tool_call.kind
        same_name = self._tools.full_names(kind, call.name)
        if len(same_name) > 1 and not call.namespace:
            text = f"expected the namespace of one of the tools {', '.join(same_name)}, got {call.name} without one"
        else:
            names = ", ".join(self._tools.full_names(kind)) or "none"
            text = f"there is no tool {call.full_name}; there are: {names}"
        return ToolError(text, name=call.name, call_id=call.call_id)

    def _note_answers_of_server(self, response: Response) -> None:
        self._answered_by_server = {*answered_ids(response.output or ())}
        self._calls = [call for call in self._calls if not self._is_server_call(call)]

    # ------------------------------------------------------------------ the calls

    def _start_ready(self, now: float) -> Iterator[RunAction]:
        """Start the calls that may run, in their order. None starts once the response has ended badly."""
        if self._shortfall is not None or self._time_is_over:
            return
        running = [call for call in self._calls if call.state is ToolCallState.RUNNING]
        for call in self._calls:
            if call.state is not ToolCallState.WAITING or (call.tool.start == "turn" and self._response is None):
                continue
            if not call.approved:  # one that waits for approval does not count as running
                try:  # approval is not asked for arguments that do not fit
                    call.tool.bind_call(call.tool_call, Context())
                except Exception as error:
                    yield from self.failed(call, error, now)
                    return  # an answer starts the others
                call.state = ToolCallState.ASKED
                arguments = call.tool.arguments_of(call.tool_call)
                yield from self._record_call("call.approval_asked", call, now)
                yield EmitEvent(ToolApprovalEvent(**call.names, arguments=arguments))
                yield AskApproval(call)
                continue
            most = call.tool.max_in_flight
            if len(running) >= self._max_in_flight or (
                most is not None and sum(other.tool is call.tool for other in running) >= most
            ):
                continue
            running.append(call)
            call.state = ToolCallState.RUNNING
            call.began = now
            arguments = call.tool.arguments_of(call.tool_call)
            yield from self._record_call("call.started", call, now)
            yield EmitEvent(ToolStartedEvent(**call.names, arguments=arguments))
            yield StartCall(call)

    def approved(self, call: PendingCall, now: float) -> Iterator[RunAction]:
        """The call may run."""
        if self.phase is RunPhase.ENDED or call.state is not ToolCallState.ASKED:
            return
        call.approved = True
        yield from self._record_call("call.approved", call, now)
        if isinstance(call.tool, McpApproval):  # the server runs it
            yield from self._answer(call, call.tool.output_item(call.tool_call, None), None, now)
        else:
            call.state = ToolCallState.WAITING
            yield from self._start_ready(now)

    def denied(self, call: PendingCall, denial: Denial, now: float) -> Iterator[RunAction]:
        """The call may not run."""
        call.denial = denial
        yield from self.failed(call, denial_error(call.tool_call, call.full_name, denial), now)

    def progress(self, call: PendingCall, progress: Any) -> Iterator[RunAction]:
        """Its tool reports progress. After its answer that has no effect."""
        if self._is_running(call):
            yield EmitEvent(ToolProgressEvent(**call.names, progress=progress))

    def finished(self, call: PendingCall, result: Any, now: float) -> Iterator[RunAction]:
        """Its tool has returned."""
        if not self._is_running(call):
            return
        try:
            output = call.tool.output_item(call.tool_call, result)
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
        yield from self._answer_error(call, error, now)

    def _answer_error(self, call: PendingCall, error: Exception, now: float) -> Iterator[RunAction]:
        text = one_line(_text_of(error), _LONGEST_ERROR)
        if callable(self._on_tool_error):
            told = _text_for_model(self._on_tool_error(error), error)
        elif call.denial is not None and isinstance(call.tool, McpApproval):
            told = call.denial.reason
        else:
            told = f"Error: {text}"
        output = call.tool.error_item(call.tool_call, told, error)
        if output is None:
            self.phase = RunPhase.ENDED
            yield EndRun(error)
            return
        yield from self._answer(call, output, text, now)

    def _is_server_call(self, call: PendingCall) -> bool:
        """Whether the server has answered a call that has not begun."""
        return call.state is ToolCallState.WAITING and call.call_id in self._answered_by_server

    def _is_running(self, call: PendingCall) -> bool:
        return self.phase is not RunPhase.ENDED and call.state is ToolCallState.RUNNING

    def _answer(self, call: PendingCall, output: dict[str, Any], error: str | None, now: float) -> Iterator[RunAction]:
        call.state = ToolCallState.ANSWERED
        call.output = output
        seconds = 0.0 if call.began is None else now - call.began
        yield from self._record_call("call.finished", call, now, output=output, error=error)
        yield EmitEvent(
            ToolFinishedEvent(
                **call.names, output=output.get("output", output.get("tools", "")), error=error, seconds=seconds
            )
        )
        yield from self._start_ready(now)
        if self.phase is RunPhase.TOOLS:
            yield from self._close_turn(now)

    # ------------------------------------------------------------------ the end of a turn

    def time_left(self, limit: float, now: float) -> float:
        """Of so many seconds from the begin of the run on."""
        return max(0.0, self._began + limit - now)

    def end_by_time(self, limit: float, now: float) -> Iterator[RunAction]:
        """The time of the run is over. A response without an end is left out; calls without an output get one."""
        if self.phase is RunPhase.ENDED:
            return
        self._time_is_over = f"time_limit({limit:g})"
        yield from self._open()
        if self._shortfall is not None:
            yield from self._fall_short(now)
        elif self._response is None:
            yield from self._finish(self._time_is_over, now)
        else:
            self.phase = RunPhase.TOOLS
            yield from self._answer_by_time(now)

    def _answer_by_time(self, now: float) -> Iterator[RunAction]:
        for call in self._calls:
            what, effect = "did not run", ""
            if call.state is ToolCallState.RUNNING:
                what, effect = "was stopped", ": it may have taken effect or not"
            text = f"{call.full_name}() {what}, because the time of the run was over{effect}"
            if call.state is not ToolCallState.ANSWERED and self.phase is RunPhase.TOOLS:
                yield from self._answer_error(call, ToolError(text, name=call.name, call_id=call.call_id), now)
        if self.phase is RunPhase.TOOLS:
            yield from self._close_turn(now)

    def _close_turn(self, now: float) -> Iterator[RunAction]:
        """Go on if all calls are answered."""
        if any(call.state is not ToolCallState.ANSWERED for call in self._calls):
            return
        output, calls, names = self._add_to_conversation()
        answered = self._answered_by_server.union(call.call_id for call in calls)
        if any(needs_answer(item) and _id_of_item(item) not in answered for item in output):
            yield from self._finish("unanswered", now)
            return
        if not calls:
            yield from self._finish("answer", now)
            return
        progress = RunProgress(self._turn, self._tool_calls, now - self._began, self._usage, names)
        rule = self._time_is_over or self._stop_when.stopped_by(progress)
        if rule is not None:
            yield from self._finish(rule, now)
            return
        self._turn += 1
        self._new_turn()
        yield from self._ask_turn(now)

    def _ask_turn(self, now: float) -> Iterator[RunAction]:
        self.phase = RunPhase.TURN
        yield from self._record("turn.asked", now, turn=self._turn)
        if self._turn == 1:
            yield SubscribeSource()
        else:
            yield from self._open()
            yield AskModel([*self._items])

    def _add_to_conversation(self) -> tuple[Sequence[OutputItem], list[PendingCall], tuple[str, ...]]:
        """Add the turn to what is known of all turns. Returns its output, its calls, and the names of their tools."""
        assert self._response is not None
        output = self._response.output or []
        calls = self._calls_in_order()
        self._response_id = self._response.id or None
        if self._new_items_only:  # the server has those that were sent, and those of the response
            self._items = []
        else:
            self._items += [item.model_dump(mode="json") for item in output]
        self._items += [call.output for call in calls]
        self._usage = _sum(self._usage, self._response.usage)
        names = tuple(call.full_name for call in calls if not isinstance(call.tool, McpApproval))
        self._tool_calls += len(names)
        return output, calls, names

    def _calls_in_order(self) -> list[PendingCall]:
        """The calls that the run answers."""
        calls = [call for call in self._calls if call.call_id not in self._answered_by_server]
        return sorted(calls, key=lambda call: call.tool_call.output_index)  # stable

    def _finish(self, stopped_by: str, now: float) -> Iterator[RunAction]:
        self.phase = RunPhase.ENDED
        event = RunFinishedEvent(
            turn=self._turn,
            usage=self._usage,
            stopped_by=stopped_by,
            input=[*self._items],
            response_id=self._response_id,
        )
        yield from self._record("run.finished", now, event=event)
        yield EmitEvent(event)
        yield EndRun()


def _text_of(error: Exception) -> str:
    if isinstance(error, ToolError):
        return str(error)
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # its own `__str__` raises
        return type(error).__name__


def _text_for_model(answer: Any, error: Exception) -> str:
    if not isinstance(answer, str):
        raise TypeError(f"on_tool_error: expected a text for the model, got {type(answer).__name__}") from error
    return whole_characters(answer)


def _id_of_item(item: OutputItem) -> str:
    """The id that the answer of a call repeats."""
    return getattr(item, "call_id", None) or item.id


def _sum(total: Usage | None, usage: Usage | None) -> Usage | None:
    return usage if total is None else total + usage
