"""A run with a ledger: each step is recorded, and a run that was interrupted goes on after its last record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from rxstream.errors import LedgerError, ToolError
from rxstream.events import (
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseInProgressEvent,
    ResponseQueuedEvent,
    StreamingEvent,
)
from rxstream.tools._events import RunResumedEvent
from rxstream.tools._ledger_records import RecordedTurn, began_record, check_same_run, read_records
from rxstream.tools._pending_call import PendingCall, ToolCallState
from rxstream.tools._run import RunPhase, ToolRun
from rxstream.tools._run_actions import EmitEvent, EndRun, RecordStep, ReopenTurn, RunAction

_BEGINS = ResponseCreatedEvent | ResponseQueuedEvent | ResponseInProgressEvent


class LedgerToolRun(ToolRun):
    """One run with a ledger. It begins with `begin`."""

    reopens: bool = False
    """Whether a response that has begun can be read again: its id is recorded then."""
    _recorded_id: str | None = None
    """The id of the response of the turn, once it is recorded."""

    def feed(self, event: StreamingEvent, now: float) -> Iterator[RunAction]:
        if self.reopens and self._recorded_id is None and isinstance(event, _BEGINS) and event.response.id:
            self._recorded_id = event.response.id
            yield from self._record("turn.began", now, turn=self._turn, response_id=self._recorded_id)
        yield from super().feed(event, now)
        if self._recorded_id is not None and self._shortfall is not None:
            self._recorded_id = None  # to read it again would only bring the same end
            yield from self._record("turn.failed", now, turn=self._turn)

    def _ask_turn(self, now: float) -> Iterator[RunAction]:
        self._recorded_id = None
        yield from super()._ask_turn(now)

    def _reopen_turn(self, response_id: str, now: float) -> Iterator[RunAction]:
        self.phase = RunPhase.TURN
        self._recorded_id = response_id
        yield from self._record("turn.asked", now, turn=self._turn, response_id=response_id)
        yield from self._open()
        yield ReopenTurn(response_id, [*self._items])

    def begin(self, records: Iterable[Mapping[str, Any]], now: float) -> Iterator[RunAction]:
        """The ledger has these records. Without any the run is new.

        Raises: LedgerError: they are not those of this run. TypeError: JSON cannot hold the input.
        """
        run = read_records(records)
        if not run.began:
            yield RecordStep(began_record(self._items, self._tools))
            yield from self._ask_turn(now)
            return
        check_same_run(run, self._items, self._tools)
        self._began = now - run.seconds
        if run.finished is not None:
            self.phase = RunPhase.ENDED
            yield EmitEvent(run.finished)
            yield EndRun()
            return
        for turn in run.turns:
            if self._response is not None:
                self._add_to_conversation()
                self._turn += 1
                self._new_turn()
            self._restore(turn)
        ids = [turn.response.id or None for turn in run.turns if turn.response is not None]
        response_id = ids[-1] if ids else None
        yield EmitEvent(RunResumedEvent(turn=self._turn, input=[*self._items], response_id=response_id))
        begun_id = run.turns[-1].response_id if run.turns else None
        if self._response is None and begun_id is not None and self.reopens:
            yield from self._reopen_turn(begun_id, now)
        elif self._response is None:
            yield from self._ask_turn(now)
        else:
            self.phase = RunPhase.TOOLS
            yield from self._restart(now)

    def _restore(self, turn: RecordedTurn) -> None:
        """Bring the state to where the records of a turn end."""
        if turn.response is None:  # its calls are asked for again with it
            return
        event = ResponseCompletedEvent(type="response.completed", response=turn.response)
        for tool_call in self._client_calls.feed(event):
            self._add(tool_call)
        self._note_answers_of_server(turn.response)
        self._response = turn.response
        calls = self._calls_in_order()
        if len(calls) != len(turn.numbers):
            raise LedgerError(
                f"expected {len(turn.numbers)} calls in turn {self._turn}, as its record says, got {len(calls)} in the "
                "response: finish this run with the version of rxstream that began it"
            )
        for call, number in zip(calls, turn.numbers, strict=True):
            call.number = number
            recorded = turn.calls.get(number)
            if recorded is None:
                continue
            call.approved |= recorded.approved
            if recorded.output is not None:
                call.state, call.output = ToolCallState.ANSWERED, recorded.output
            elif recorded.started and call.tool.on_restart != "rerun":
                call.state = ToolCallState.RUNNING

    def _restart(self, now: float) -> Iterator[RunAction]:
        """Go on with the calls of a turn. Those that had been started, and must not run again, are `RUNNING`."""
        interrupted = [call for call in self._calls if call.state is ToolCallState.RUNNING]
        for call in interrupted:
            if call.tool.on_restart == "raise":
                self.phase = RunPhase.ENDED
                advice = 'Find that out; then set on_restart="rerun" or "tell_model" of the tool, and run again.'
                yield EndRun(_interruption(call, advice))
                return
        for call in self._calls:
            if call.is_unknown:
                yield from self.failed(call, self._unknown_tool(call), now)
        for call in interrupted:
            if self.phase is RunPhase.TOOLS:
                yield from self._answer_error(call, _interruption(call), now)
        if self.phase is RunPhase.TOOLS:
            yield from self._start_ready(now)
        if self.phase is RunPhase.TOOLS:  # a call that could not start has not closed the turn yet
            yield from self._close_turn(now)

    def _record(self, step: str, now: float, **fields: Any) -> Iterable[RunAction]:
        values = {
            name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
            for name, value in fields.items()
        }
        return (RecordStep({"type": step, "at": round(now - self._began, 6), **values}),)


def _interruption(call: PendingCall, advice: str = "") -> ToolError:
    what = f"{call.full_name}() was started, and the process ended before it had finished"
    text = f"{what}: it may have taken effect or not. {advice}"
    return ToolError(text.rstrip(), name=call.name, call_id=call.call_id)
