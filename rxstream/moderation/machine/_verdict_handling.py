"""What each verdict leads to, and how a flagged stream ends."""

import math
from itertools import count
from typing import Any, Final, TypeAlias

from rxstream.errors import ModerationError
from rxstream.events import StreamingEvent
from rxstream.moderation.machine._commands import CancelCheck, Command, Complete, DropSource, Fail, StartCheck
from rxstream.moderation.machine._emitted_state import EmittedState
from rxstream.moderation.machine._events import ModerationFlaggedEvent, ModerationRetractedEvent
from rxstream.moderation.machine._lane import EARLY, Check, Lane, ReplaceResult, State
from rxstream.moderation.machine._lanes import Lanes
from rxstream.moderation.machine._options import FLAG_ACTIONS, Options
from rxstream.moderation.machine._repeats import Repeats
from rxstream.moderation.machine._window import Verdict

Output: TypeAlias = StreamingEvent | ModerationFlaggedEvent | ModerationRetractedEvent | Command

_NO_VERDICT: Final = Verdict(flagged=True, categories=("rxstream/check_error",))
_OVERFLOW: Final = Verdict(flagged=True, categories=("rxstream/overflow",))
_ERROR_TEXT: Final = {
    "flag": "a moderation check flagged the text",
    "check_error": "no moderation check returned a verdict, and unchecked text is not shown",
    "overflow": "more text was held than max_buffer allows, and unchecked text is not shown",
}


class VerdictHandling:
    """The lanes and their checks. What to emit and to do is collected in `_outputs`."""

    def __init__(self, options: Options) -> None:
        self.ended = False
        """Whether the stream has ended: no more outputs."""
        self.wake: float | None = None
        """When `tick` is to be called at the latest."""
        self._options = options
        self._optimistic = options.mode == "optimistic"
        self._lanes = Lanes(options)
        self._repeats = Repeats(options, self._lanes)
        self._emitted = EmittedState()
        self._ids = count()
        self._running_checks: dict[int, Check] = {}
        self._outputs: list[Any] = []

    def _emit(self, event: Any) -> None:
        self._emitted.note(event)
        self._outputs.append(event)

    # ------------------------------------------------------------------ checks

    def _run_checks(self, lane: Lane, now: float) -> None:
        """Act on the verdicts of a lane, and start the checks that are due."""
        while True:
            while (check := lane.advance()) is not None:
                self._act_on(lane, check)
                if self.ended:
                    return
            started, cancelled = lane.start_checks(now)
            for check in cancelled:
                self._cancel(check)
            for check in started:
                self._start_check(check, now)
            if not lane.checks or lane.checks[0].state in (State.RUNNING, State.SUSPECT):
                return

    def _start_check(self, check: Check, now: float) -> None:
        check.id = next(self._ids)
        check.deadline = now + self._options.timeout
        self._running_checks[check.id] = check
        self._wake_at(check.deadline)
        self._outputs.append(StartCheck(check.id, check.tier, check.lane.window(check)))

    def _cancel(self, check: Check) -> None:
        if self._running_checks.pop(check.id, None) is not None:
            self._outputs.append(CancelCheck(check.id))

    def _expire(self, now: float) -> None:
        """Cancel the checks that exceeded `timeout`."""
        for check in [check for check in self._running_checks.values() if check.deadline <= now + EARLY]:
            self._cancel(check)
            if check.lane.note_failure(check):
                self._start_check(check, now)

    def _wake_at(self, time: float | None) -> None:
        """Have `tick` called at `time`, or before."""
        if time is not None and time < (math.inf if self.wake is None else self.wake):
            self.wake = time

    def _set_wake(self, now: float) -> None:
        """Compute `wake` again. Between two ticks it is only ever set earlier, which costs nothing."""
        self.wake = None
        for check in self._running_checks.values():
            self._wake_at(check.deadline)
        for lane in tuple(self._lanes.busy):
            due = lane.due(now)
            if due is None and lane.idle:
                del self._lanes.busy[lane]
            self._wake_at(due)

    # ------------------------------------------------------------------ verdicts

    def _act_on(self, lane: Lane, check: Check) -> None:
        """Act on the first check of a lane, which flagged or failed."""
        options = self._options
        if check.state is State.FAILED:
            if options.on_check_error == "pass":
                lane.accept(check)
                return
            verdict, cause, action = _NO_VERDICT, "check_error", str(options.on_check_error)
        else:
            assert check.verdict is not None
            verdict, cause, action = check.verdict, "flag", self._action(check.verdict)
        if lane.place.kind == "aside" and action != "annotate":
            action = self._side_text_action(lane, action)
        if action == "replace":
            result = lane.replace(check)
            if result is ReplaceResult.REPLACED_BEFORE:
                lane.accept(check)
                return
            if result is ReplaceResult.IMPOSSIBLE:
                action = "cut"
        if action in ("cut", "error"):
            self._cut(lane, verdict, action, cause)
            return
        self._flag(lane, verdict, action, cause, lane.released)
        if action == "drop":
            lane.drop(check)
        else:
            lane.accept(check)

    def _action(self, verdict: Verdict) -> str:
        """The action that `on_flag` chooses. A function that raises, or returns no such action, chooses `cut`."""
        chosen = self._options.on_flag
        if callable(chosen):
            try:
                chosen = chosen(verdict)
            except Exception:
                return "cut"
        return chosen if chosen in FLAG_ACTIONS else "cut"

    def _side_text_action(self, lane: Lane, action: str) -> str:
        """The action for a side text: it is left out instead of replaced, unless it was emitted already."""
        if lane.drop_flagged:
            return "annotate" if self._optimistic else "drop"
        if action == "replace":
            return "cut" if self._optimistic else "drop"
        return action

    def _flag(self, lane: Lane, verdict: Verdict, action: str, cause: str, released: int) -> None:
        place = lane.place
        fields: dict[str, Any] = {"verdict": verdict, "action": action, "cause": cause}
        fields |= {"output_index": place.output_index, "content_index": place.content_index, "kind": place.kind}
        main = self._lanes.find(place)
        if main is not None:
            fields["released"] = main.edited_offset(released if main is lane else main.released)
        self._emit(ModerationFlaggedEvent.model_validate(fields))

    # ------------------------------------------------------------------ the end

    def _cut(self, flagged: Lane, verdict: Verdict, action: str, cause: str) -> None:
        """End the stream: drop the source, retract unverified text, close what is open."""
        self._outputs.append(DropSource())
        retracted = self._retract(flagged)
        self._flag(flagged, verdict, action, cause, flagged.kept_end())
        self._outputs += [
            self._repeats.without_retracted(event, retracted, self._emitted) for event in self._emitted.closing_events()
        ]
        self._end(Fail(self._error(verdict, cause)) if action == "error" else Complete())

    def _retract(self, first: Lane | None = None) -> list[Lane]:
        """Retract the text that was released and is not verified. Returns the lanes of that text."""
        retracted: list[Lane] = []
        for place, lane in sorted(self._lanes, key=lambda pair: pair[1] is not first):
            kept = lane.kept_end()
            if kept < lane.released:
                retracted.append(lane)
                self._emit(
                    ModerationRetractedEvent(
                        output_index=place.output_index,
                        content_index=place.content_index,
                        kind=place.kind,
                        start=lane.edited_offset(kept),
                        end=lane.edited_offset(lane.released),
                    )
                )
        return retracted

    def _on_overflow(self) -> None:
        """Too much is held: let it pass unchecked, or cut, as `on_check_error` says."""
        if self._options.on_check_error == "pass":
            for lane in self._lanes.all:
                for check in lane.pass_all():
                    self._cancel(check)
        else:
            fullest = max(self._lanes.all, key=lambda lane: lane.text.length - lane.released)
            self._cut(fullest, _OVERFLOW, str(self._options.on_check_error), "overflow")

    def _error(self, verdict: Verdict, cause: str) -> ModerationError:
        categories = f" ({', '.join(verdict.categories)})" if cause == "flag" and verdict.categories else ""
        known = {"response_id": self._emitted.response_id, "sequence_number": self._emitted.last_number}
        return ModerationError(_ERROR_TEXT[cause] + categories, verdict=verdict, **known)

    def _end(self, ending: Complete | Fail) -> None:
        self.ended = True
        self.wake = None
        self._outputs.extend(map(CancelCheck, self._running_checks))
        self._running_checks.clear()
        self._outputs.append(ending)
