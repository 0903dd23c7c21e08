"""The calls of checks that run, their time-outs, and the records of their verdicts."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, takewhile
from typing import Any, Final

from rxstream.moderation.machine._commands import CancelCheck, RecordVerdict, StartCheck
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._lane_windows import EARLY
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._release import Outbox
from rxstream.moderation.machine._response import ModeratedResponse
from rxstream.moderation.machine._stage import BAD, PASSED, SUSPECT, Check, Stage
from rxstream.moderation.machine._window import Verdict, VerdictRecord

CANCELLED: Final = "cancelled"


class CheckCalls:
    """See the module."""

    def __init__(self, options: Options, outbox: Outbox) -> None:
        self._options = options
        self._outbox = outbox
        self._ids = count()
        self._running: dict[int, Check] = {}
        """In the order in which they started, which is that of their deadlines."""
        self._flagged: dict[int, VerdictRecord] = {}
        """The records of calls that flagged or failed, and that were not acted on yet. Emptied by any thread."""
        self._places: dict[Stage, tuple[ModeratedResponse, Lane]] = {}

    def add_lane(self, response: ModeratedResponse, lane: Lane) -> None:
        """Checks of the stages of this lane may start."""
        for stage in lane.stages:
            self._places[stage] = response, lane

    def drop_response(self, response: ModeratedResponse) -> None:
        """No check of this response runs or will start."""
        for lane in response.lanes.all:
            for stage in lane.stages:
                self._places.pop(stage, None)

    @property
    def running(self) -> int:
        """The number of calls that run."""
        return len(self._running)

    def place(self, check: Check) -> tuple[ModeratedResponse, Lane]:
        """The response and the lane of a check."""
        return self._places[check.stage]

    def start(self, check: Check, now: float) -> None:
        """Start a call."""
        self.record_action(check, "")
        check.id = next(self._ids)
        check.started = now
        check.deadline = now + self._options.timeout
        self._running[check.id] = check
        self._outbox.outputs.append(StartCheck(check.id, check.stage.number, check.stage.window(check)))

    def pop(self, id: int) -> Check | None:
        """The check of a call that has ended. None if it was cancelled."""
        return self._running.pop(id, None)

    def cancel(self, check: Check, now: float) -> None:
        """Cancel a call because its verdict is not needed."""
        if self._running.pop(check.id, None) is not None:
            self._outbox.outputs.append(CancelCheck(check.id))
            self.record(check, check.attempt, None, CANCELLED, "", now)

    def cancel_all(self, now: float) -> None:
        for check in list(self._running.values()):
            self.cancel(check, now)
        self._outbox.outputs += map(RecordVerdict, self.take_flagged())

    def cancel_expired(self, now: float) -> list[Check]:
        """Cancel the calls that exceeded `timeout`. Returns their checks."""
        expired = list(takewhile(lambda check: check.deadline <= now + EARLY, self._running.values()))
        for check in expired:
            del self._running[check.id]
            self._outbox.outputs.append(CancelCheck(check.id))
        return expired

    def deadlines(self) -> Iterator[float]:
        """When the first call is cancelled: calls are in the order in which they started. Nothing if none runs."""
        for check in self._running.values():
            yield check.deadline
            return

    def record(
        self, check: Check, attempt: int, verdict: Verdict | None, failure: str, action: str, ended: float
    ) -> None:
        """Make a `VerdictRecord` of a call that has ended, if records are wanted.

        A call that flagged or failed, and is not called again, gets its `action` by `record_action`.
        """
        if not self._options.records:
            return
        record = self._record(check, attempt, verdict, failure, action, ended)
        if check.state in BAD and not action:
            self._flagged[check.id] = record
        else:
            self._outbox.outputs.append(RecordVerdict(record))

    def record_action(self, check: Check, action: str) -> None:
        """Complete the record of a call that flagged or failed."""
        record = self._flagged.pop(check.id, None)
        if record is not None:
            self._outbox.outputs.append(RecordVerdict(replace(record, action=action)))

    def take_flagged(self) -> Iterator[VerdictRecord]:
        """The records of calls that flagged or failed, and that were not acted on."""
        for id in list(self._flagged):
            record = self._flagged.pop(id, None)
            if record is not None:
                yield record

    def cancelled_record(self, id: int, now: float) -> VerdictRecord | None:
        """The record of a call that runs, for a dispose. Changes nothing, so another thread may use the machine."""
        check = self._running.get(id)
        if check is None or not self._options.records:
            return None
        return self._record(check, check.attempt, None, CANCELLED, "", now)

    def _record(
        self, check: Check, attempt: int, verdict: Verdict | None, failure: str, action: str, ended: float
    ) -> VerdictRecord:
        response, lane = self.place(check)
        number = check.stage.number
        outcome: Any = (
            "failed" if verdict is None else {PASSED: "passed", SUSPECT: "suspect"}.get(check.state, "flagged")
        )
        return VerdictRecord(
            self._options.checks[number].name,
            number,
            *lane.place,
            check.start,
            check.end,
            attempt,
            ended - check.started,
            outcome,
            action,
            verdict.categories if verdict is not None else (),
            verdict.scores if verdict is not None else {},
            failure,
            response.release.emitted.response_id,
            check.stage.window(check).text if self._options.record_text else None,
        )
