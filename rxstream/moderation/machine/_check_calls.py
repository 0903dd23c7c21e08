"""The calls of checks that run, their time-outs, and the records of their verdicts."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any, Final, NamedTuple

from rxstream.moderation.machine._commands import CancelCheck, RecordVerdict, StartCheck, Step
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._response import ModeratedResponse
from rxstream.moderation.machine._stage import BAD, PASSED, SUSPECT, Check
from rxstream.moderation.machine._window import Verdict, VerdictRecord

CANCELLED: Final = "cancelled"


class Call(NamedTuple):
    """One call of the check of a window."""

    check: Check
    response: ModeratedResponse
    lane: Lane
    attempt: int
    """0 for the first call with this window."""
    started: float


class CheckCalls:
    """See the module."""

    def __init__(self, options: Options, step: Step) -> None:
        self._options = options
        self._step = step
        self._ids = count()
        self._running: dict[int, Call] = {}
        """In the order in which they started, which is that of their deadlines."""
        self._flagged: dict[int, VerdictRecord] = {}
        """The records of calls that flagged or failed, and that were not acted on yet. Emptied by any thread."""

    @property
    def running(self) -> int:
        """The number of calls that run."""
        return len(self._running)

    @property
    def deadline(self) -> float | None:
        """When the first call is cancelled. None if none runs."""
        first = next(iter(self._running.values()), None)
        return None if first is None else first.started + self._options.timeout

    def start(self, check: Check, response: ModeratedResponse, lane: Lane) -> None:
        """Start a call."""
        self.record_action(check, "")
        check.id = next(self._ids)
        self._running[check.id] = Call(check, response, lane, check.attempt, self._step.now)
        self._step.outputs.append(StartCheck(check.id, check.stage.number, check.stage.window(check)))

    def pop(self, id: int) -> Call | None:
        """A call that has ended. None if it was cancelled."""
        return self._running.pop(id, None)

    def cancel(self, check: Check) -> None:
        """Cancel a call because its verdict is not needed."""
        call = self._running.pop(check.id, None)
        if call is not None:
            self._step.outputs.append(CancelCheck(check.id))
            self.record(call, None, CANCELLED, "")

    def cancel_all(self) -> None:
        for call in list(self._running.values()):
            self.cancel(call.check)
        self._step.outputs += map(RecordVerdict, self.take_flagged())

    def cancel_expired(self) -> list[Call]:
        """Cancel the calls that exceeded `timeout`."""
        expired: list[Call] = []
        while (deadline := self.deadline) is not None and self._step.has_come(deadline):
            id = next(iter(self._running))
            expired.append(self._running.pop(id))
            self._step.outputs.append(CancelCheck(id))
        return expired

    def record(self, call: Call, verdict: Verdict | None, failure: str, action: str) -> None:
        """Make a `VerdictRecord` of a call that has ended, if records are wanted.

        A call that flagged or failed, and is not called again, gets its `action` by `record_action`.
        """
        if not self._options.records:
            return
        record = self._record(call, verdict, failure, action, self._step.now)
        if call.check.state in BAD and not action:
            self._flagged[call.check.id] = record
        else:
            self._step.outputs.append(RecordVerdict(record))

    def record_action(self, check: Check, action: str) -> None:
        """Complete the record of a call that flagged or failed."""
        record = self._flagged.pop(check.id, None)
        if record is not None:
            self._step.outputs.append(RecordVerdict(replace(record, action=action)))

    def take_flagged(self) -> Iterator[VerdictRecord]:
        """The records of calls that flagged or failed, and that were not acted on."""
        for id in list(self._flagged):
            record = self._flagged.pop(id, None)
            if record is not None:
                yield record

    def cancelled_record(self, id: int, now: float) -> VerdictRecord | None:
        """The record of a call that runs, for a dispose. Changes nothing, so another thread may use the machine."""
        call = self._running.get(id)
        if call is None or not self._options.records:
            return None
        return self._record(call, None, CANCELLED, "", now)

    def _record(self, call: Call, verdict: Verdict | None, failure: str, action: str, ended: float) -> VerdictRecord:
        check, number = call.check, call.check.stage.number
        outcome: Any = (
            "failed" if verdict is None else {PASSED: "passed", SUSPECT: "suspect"}.get(check.state, "flagged")
        )
        return VerdictRecord(
            self._options.checks[number].name,
            number,
            *call.lane.place,
            check.start,
            check.end,
            call.attempt,
            ended - call.started,
            outcome,
            action,
            verdict.categories if verdict is not None else (),
            verdict.scores if verdict is not None else {},
            failure,
            call.response.release.emitted.response_id,
            check.stage.window(check).text if self._options.record_text else None,
        )
