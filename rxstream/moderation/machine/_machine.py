"""The moderator of one stream: events and verdicts in; events and commands out.

A pure machine: it reads no clock (`now` is an argument, in seconds), runs no check and never waits. `feed`,
`check_ended`, `tick`, `source_completed` and `source_failed` each return what to emit and to do, in order. After each
of them, call `tick` at the time `wake` or before.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final, NamedTuple, TypeAlias

from rxstream.events import StreamingEvent
from rxstream.moderation.machine._check_calls import Call, CheckCalls
from rxstream.moderation.machine._commands import (
    EARLY,
    Command,
    Complete,
    DropSource,
    Fail,
    Pause,
    Resume,
    Step,
)
from rxstream.moderation.machine._errors import error_text, without_text
from rxstream.moderation.machine._events import (
    NO_VERDICT,
    OVERFLOW,
    ModerationFlaggedEvent,
    ModerationRetractedEvent,
    moderation_error,
)
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._options import Options, chosen_action
from rxstream.moderation.machine._queue import Fragment, HeldEvent
from rxstream.moderation.machine._response import ModeratedResponse
from rxstream.moderation.machine._stage import FAILED, PASSED, SKIPPED, Check
from rxstream.moderation.machine._structure import Leaf
from rxstream.moderation.machine._window import Verdict

Output: TypeAlias = StreamingEvent | ModerationFlaggedEvent | ModerationRetractedEvent | Command

_ERROR_TEXT: Final = {
    "flag": "a moderation check flagged the text",
    "check_error": "no moderation check returned a verdict, and unchecked text is not shown",
    "overflow": "more text was held than max_buffer allows, and unchecked text is not shown",
}
_ENDINGS: Final = ("cut", "error", "refuse")
"""The actions that end the stream."""


class Phase(IntEnum):
    """The state of the stream. It only grows."""

    OPEN = 0
    """The source may emit."""
    DRAINING = 1
    """The source has completed. What is held is emitted as verdicts allow."""
    FAILING = 2
    """The source has failed. Its error waits for the verdict on its message."""
    ENDED = 3
    """Nothing more is emitted."""


class Finding(NamedTuple):
    """A reason to act on the text of a lane."""

    lane: Lane
    cause: str
    """`flag`, `check_error` or `overflow`."""
    verdict: Verdict
    check: str = ""
    """The name of the check."""


class Moderator:
    """See the module. One instance for one subscription."""

    def __init__(self, options: Options) -> None:
        self.phase = Phase.OPEN
        self._options = options
        self._step = Step()
        self._responses = [ModeratedResponse(options, self._step, active=True)]
        """The responses with something held or a check to wait for, in order, and the last one."""
        self.calls = CheckCalls(options, self._step)
        self._shortest_wait = min(options.quiet, options.max_delay)
        self._immediate = self._shortest_wait <= EARLY
        self._timers: list[tuple[float, int, ModeratedResponse, Lane]] = []
        """A heap: when a lane has to be looked at again because time has passed."""
        self._timer_numbers = count()
        self._paused = False
        self._error: tuple[Exception, Fragment | None] | None = None
        """In `FAILING`: the error of the source, and where its message is checked, if it must be."""

    @property
    def ended(self) -> bool:
        return self.phase is Phase.ENDED

    @property
    def wake(self) -> float | None:
        """When `tick` is to be called at the latest."""
        if self.ended:
            return None
        times = [self._timers[0][0] if self._timers else None, self.calls.deadline]
        return min((time for time in times if time is not None), default=None)

    # ------------------------------------------------------------------ inputs

    def _begin(self, now: float) -> list[Any]:
        self._step.now, self._step.outputs = now, []
        return self._step.outputs

    def feed(self, event: StreamingEvent, now: float, *, pausable: bool = False) -> Sequence[Output]:
        """The source emitted an event. `pausable` says whether `Pause` has an effect on it."""
        outputs = self._begin(now)
        if self.phase is not Phase.OPEN:
            return outputs
        if self._step.held > self._options.max_buffer and not (
            (pausable and not self._paused) or (self._paused and self._step.held <= 2 * self._options.max_buffer)
        ):
            self._overflow()
            if self.phase is not Phase.OPEN:
                return outputs
        response = self._responses[-1]
        if response.ended:
            response = ModeratedResponse(self._options, self._step, active=response.release.drained)
            self._responses.append(response)
        lane = response.feed(event)
        if lane is None:
            self._progress()
        elif self._immediate or lane.full or (lane.wake is not None and now >= lane.wake):
            response.lanes.changed.append(lane)
            self._progress()
        else:
            response.release.run()
            self._set_timer(response, lane, now + self._shortest_wait)
        if self._step.held > self._options.max_buffer and self.phase is Phase.OPEN:
            self._check_at_once(pausable)
        return outputs

    def check_ended(
        self, id: int, verdict: Verdict | None, now: float, failure: str = "no verdict"
    ) -> Sequence[Output]:
        """A check returned a verdict, or None if it failed. The verdict of a check that is not running is ignored."""
        outputs = self._begin(now)
        call = self.calls.pop(id)
        if self.ended or call is None:
            return outputs
        self._note(call, verdict, failure)
        self._progress()
        return outputs

    def tick(self, now: float) -> Sequence[Output]:
        """The time `wake` has come."""
        outputs = self._begin(now)
        if not self.ended:
            for call in self.calls.cancel_expired():
                self._note(call, None, "timeout")
            while self._timers and self._step.has_come(self._timers[0][0]):
                time, _, response, lane = heappop(self._timers)
                if time == lane.wake:
                    lane.wake = None
                    response.lanes.changed.append(lane)
            self._progress()
        return outputs

    def source_completed(self, now: float) -> Sequence[Output]:
        """The source completed."""
        outputs = self._begin(now)
        if self.phase is Phase.OPEN:
            self.phase = Phase.DRAINING
            for response in self._responses:
                response.lanes.close_all()
            self._progress()
        return outputs

    def source_failed(self, error: Exception, now: float) -> Sequence[Output]:
        """The source failed. Unverified text is dropped, and with it a held `response.completed`.

        Held `error` events, `response.failed` and `response.incomplete` are emitted without that text.

        The message of the error may repeat text of the model: the error waits for a verdict on it.
        """
        outputs = self._begin(now)
        if self.phase is not Phase.OPEN:
            return outputs
        self.calls.cancel_all()
        # A response of its own: nothing else is held or checked any more.
        last = ModeratedResponse(self._options, self._step, active=True)
        for response in self._responses:
            self._retract(response)
            for event in response.release.drop_all():
                if event.type == "error":
                    last.feed(event)
                else:
                    last.release.put_last(HeldEvent(event))
        self._responses = [last]
        fragment: Fragment | None = None
        try:
            text = error_text(error)
        except Exception:  # what cannot be read cannot be judged
            text, error = None, without_text(error)
        if text is not None:
            leaf = Leaf({}, "", text, "other", "error", drops=True)
            (fragment,) = last.lanes.add_side_texts(0, [leaf])
        self._error = error, fragment
        self.phase = Phase.FAILING
        self._progress()
        return outputs

    # ------------------------------------------------------------------ progress

    def _progress(self) -> None:
        """Act on verdicts, start checks, emit what may be emitted; end if nothing is left to do."""
        for response in tuple(self._responses):
            self._progress_of(response)
            if self.ended:
                return
            if response.ended and response.release.drained:
                following = self._responses[self._responses.index(response) + 1 :]
                if following and not following[0].release.active:
                    following[0].release.activate()
        while len(self._responses) > 1 and self._responses[0].ended and self._is_done(self._responses[0]):
            del self._responses[0]
        if self._paused:
            self._keep_going()
            if self.ended:
                return
        if self.phase is Phase.DRAINING and all(map(self._is_done, self._responses)):
            self._end(Complete())
        elif self.phase is Phase.FAILING and self._error is not None and self._is_done(self._responses[0]):
            error, fragment = self._error
            passed = fragment is None or fragment.passed
            self._end(Fail(error if passed else without_text(error)))

    def _progress_of(self, response: ModeratedResponse) -> None:
        changed = response.lanes.changed
        while not self.ended:
            lanes: list[Lane] = []
            while changed:
                lane = changed.pop()
                self._run_checks(response, lane)
                if self.ended:
                    return
                response.release.note_lane(lane)
                lanes.append(lane)
            response.release.run()
            for lane in lanes:
                self._set_timer(response, lane, lane.due())
            if not changed:
                break

    def _is_done(self, response: ModeratedResponse) -> bool:
        return response.release.drained and self._is_idle(response)

    def _is_idle(self, response: ModeratedResponse) -> bool:
        """Whether no lane has a check to start or to wait for."""
        busy = response.lanes.busy
        while busy and (lane := next(iter(busy))).idle:
            del busy[lane]
        return not busy

    # ------------------------------------------------------------------ checks

    def _run_checks(self, response: ModeratedResponse, lane: Lane) -> None:
        """Act on the verdicts of a lane, and start the checks that are due."""
        acted = True
        while acted:
            acted = False
            for check in lane.advance():
                if response.release.active and self._act_on(response, lane, check):
                    if self.ended:
                        return
                    acted = True
            for stage in lane.stages:
                started, cancelled = stage.start_checks()
                for check in cancelled:
                    self.calls.cancel(check)
                for check in started:
                    self.calls.start(check, response, lane)
                if stage.checks and stage.checks[0].state in (SKIPPED, PASSED):
                    acted = True

    def _note(self, call: Call, verdict: Verdict | None, failure: str) -> None:
        """Note the answer of a check, and call it again if it failed and may be tried again."""
        check, response, lane = call.check, call.response, call.lane
        again = False
        if verdict is not None:
            failure = ""
            check.stage.note_verdict(check, verdict)
        else:
            again = check.stage.note_failure(check)
        self.calls.record(call, verdict, failure, "retry" if again else "")
        if again:
            self.calls.start(check, response, lane)
        else:
            response.lanes.note_change(lane)

    def _set_timer(self, response: ModeratedResponse, lane: Lane, time: float | None) -> None:
        """Look at a lane again at `time`, or before."""
        if time is not None and time < math.inf and (lane.wake is None or time < lane.wake):
            lane.wake = time
            heappush(self._timers, (time, next(self._timer_numbers), response, lane))

    # ------------------------------------------------------------------ verdicts

    def _act_on(self, response: ModeratedResponse, lane: Lane, check: Check) -> bool:
        """Act on a window that is flagged or failed. Returns whether that is done: a cut waits for later checks."""
        name = self._options.checks[check.stage.number].name
        if check.verdict is None:
            finding = Finding(lane, "check_error", NO_VERDICT, name)
        else:
            # `replacements` are not for the subscriber.
            finding = Finding(lane, "flag", replace(check.verdict, replacements=()), name)
        action = check.action = check.action or self._choose_action(lane, check, finding.verdict)
        if action == "replace":
            replaced = lane.replace(check)
            if replaced is None:
                action = check.action = "cut"
            elif not replaced:
                action = ""
        if action in _ENDINGS and lane.is_pending_after(check.stage):
            return False
        self.calls.record_action(check, action)
        if action in _ENDINGS:
            response.release.note_lane(lane)
            response.release.run()  # what the last verdict let through
            self._cut(response, finding, action)
            return True
        if action not in ("", "pass"):
            self._flag(response, finding, action, lane.shown)
        if action == "drop":
            lane.drop(check)
        else:
            check.stage.accept(check)
        return True

    def _choose_action(self, lane: Lane, check: Check, verdict: Verdict) -> str:
        options = self._options
        own = options.checks[check.stage.number].on_flag
        if check.state is FAILED:
            action = str(options.on_check_error)
        else:
            action = chosen_action(options.on_flag if own is None else own, verdict)
        # In mode `optimistic` side texts are emitted already, but the error of the source waits for its verdict.
        emitted = options.mode == "optimistic" and self.phase is not Phase.FAILING
        if lane.drops and action != "pass":
            return "annotate" if emitted else "drop"
        if lane.side and action == "replace":
            return "cut" if emitted else "drop"
        return action

    def _flag(self, response: ModeratedResponse, finding: Finding, action: str, released: int) -> None:
        lane, cause, verdict, check = finding
        fields: dict[str, Any] = {"verdict": verdict, "action": action, "cause": cause, "check": check}
        main = response.lanes.find(lane.place)
        if main is not None:
            fields["released"] = main.output_offset(released if main is lane else main.shown)
        fields |= {"response_id": response.release.emitted.response_id, **lane.place._asdict()}
        response.release.emit(ModerationFlaggedEvent.model_validate(fields))

    # ------------------------------------------------------------------ the end

    def _cut(self, response: ModeratedResponse, finding: Finding, action: str) -> None:
        """End the stream: drop the source, retract unverified text, close what is open."""
        outputs, release = self._step.outputs, response.release
        outputs.append(DropSource())
        retracted = [self._retract(each, finding.lane) for each in self._responses]
        self._flag(response, finding, action, finding.lane.kept_end())
        for each, lanes in zip(self._responses, retracted, strict=True):
            if each is response or each.release.emitted.open:
                outputs += each.release.closing_events(lanes, self._options.refusal if action == "refuse" else None)
        if action != "error":
            self._end(Complete())
            return
        _, cause, verdict, _ = finding
        known = {"response_id": release.emitted.response_id, "sequence_number": release.emitted.last_number}
        self._end(Fail(moderation_error(_ERROR_TEXT[cause], cause, verdict, **known)))

    def _retract(self, response: ModeratedResponse, first: Lane | None = None) -> list[Lane]:
        """Retract the text that was released and is not verified. Returns the lanes of that text."""
        retracted: list[Lane] = []
        for lane in sorted(response.lanes, key=lambda lane: lane is not first):
            lane.end_text()
            kept = lane.kept_end()
            for version in lane.versions.values():
                if version.kept_end() < version.shown:
                    kept = min(kept, version.kept_end())
            if kept < lane.shown:
                retracted.append(lane)
                response.release.emit(
                    ModerationRetractedEvent(
                        **lane.place._asdict(),
                        response_id=response.release.emitted.response_id,
                        start=lane.output_offset(kept),
                        end=lane.output_offset(lane.shown),
                    ),
                )
        return retracted

    def _check_at_once(self, pausable: bool) -> None:
        """More than `max_buffer` is held: pause the source, and have all text checked now."""
        if pausable and not self._paused:
            self._paused = True
            self._step.outputs.append(Pause())
        for response in self._responses:
            for lane in response.lanes.busy:
                lane.check_at_once = True
            response.lanes.changed.extend(response.lanes.busy)
        self._progress()

    def _keep_going(self) -> None:
        """Resume a paused source if little is held, or if only the source can change what is held."""
        nothing_runs = not self.calls.running and not self._timers
        if nothing_runs and self._step.held > self._options.max_buffer and self.phase is Phase.OPEN:
            self._overflow()
        elif nothing_runs or self._step.held <= self._options.max_buffer // 2:
            self._resume()

    def _resume(self) -> None:
        self._paused = False
        self._step.outputs.append(Resume())
        for response in self._responses:
            for lane in response.lanes.all:
                lane.check_at_once = False

    def _overflow(self) -> None:
        """The source goes on although too much is held: let it pass unchecked, or cut, as `on_check_error` says."""
        if self._options.on_check_error != "pass":
            response = next(response for response in self._responses if response.release.active)
            lanes = response.lanes.all
            fullest = max(lanes, key=lambda lane: lane.text.length - lane.emitted)
            self._cut(response, Finding(fullest, "overflow", OVERFLOW), str(self._options.on_check_error))
            return
        if self._paused:
            self._resume()
        for response in self._responses:
            for lane in response.lanes.all:
                for stage in lane.stages:
                    for check in stage.pass_all():
                        self.calls.cancel(check)
            response.release.run_all()
        self._progress()

    def _end(self, ending: Complete | Fail) -> None:
        self.phase = Phase.ENDED
        outputs = self._step.outputs
        self.calls.cancel_all()
        if self._paused:
            outputs.append(Resume())
        outputs.append(ending)
