"""Acting on verdicts: what follows from each, and how a stream that is flagged ends."""

import math
from itertools import count
from typing import Any, Final, TypeAlias

from rxstream.errors import ModerationError
from rxstream.events import StreamingEvent
from rxstream.moderation.machine._copies import Copies
from rxstream.moderation.machine._events import ModerationFlaggedEvent, ModerationRetractedEvent
from rxstream.moderation.machine._lane import EARLY, Check, Lane, State
from rxstream.moderation.machine._lanes import Lanes
from rxstream.moderation.machine._ledger import Ledger
from rxstream.moderation.machine._terms import (
    FLAG_ACTIONS,
    CancelCheck,
    Complete,
    DropSource,
    Fail,
    Order,
    StartCheck,
    Terms,
    Verdict,
)

Output: TypeAlias = StreamingEvent | ModerationFlaggedEvent | ModerationRetractedEvent | Order

_NO_VERDICT: Final = Verdict(flagged=True, categories=("rxstream/check_error",))
_TOO_MUCH: Final = Verdict(flagged=True, categories=("rxstream/overflow",))
_WHY: Final = {
    "flag": "a moderation check flagged the text",
    "check_error": "no moderation check gave a verdict, and unjudged text is not shown",
    "overflow": "more text was held than max_buffer allows, and unjudged text is not shown",
}


class Judging:
    """The lanes and their checks. What it says is gathered in `_out`; `over` when there is nothing more to say."""

    def __init__(self, terms: Terms) -> None:
        self.over = False
        """Nothing more will come out."""
        self.wake: float | None = None
        """When `tick` is to be called at the latest."""
        self._terms = terms
        self._ahead = terms.mode == "optimistic"
        self._lanes = Lanes(terms)
        self._copies = Copies(terms, self._lanes)
        self._ledger = Ledger()
        self._ids = count()
        self._asked: dict[int, Check] = {}
        self._out: list[Any] = []

    def _emit(self, event: Any) -> None:
        self._ledger.note(event)
        self._out.append(event)

    # ------------------------------------------------------------------ checks

    def _work(self, lane: Lane, now: float) -> None:
        """Act on what has been answered about a lane, and start the checks that are due."""
        while True:
            while (check := lane.settle()) is not None:
                self._judge(lane, check)
                if self.over:
                    return
            started, cancelled = lane.launch(now)
            for check in cancelled:
                self._cancel(check)
            for check in started:
                self._ask(check, now)
            if not lane.checks or lane.checks[0].state in (State.RUNNING, State.SUSPECT):
                return

    def _ask(self, check: Check, now: float) -> None:
        check.id = next(self._ids)
        check.deadline = now + self._terms.timeout
        self._asked[check.id] = check
        self._wake_at(check.deadline)
        self._out.append(StartCheck(check.id, check.tier, check.lane.window(check)))

    def _cancel(self, check: Check) -> None:
        if self._asked.pop(check.id, None) is not None:
            self._out.append(CancelCheck(check.id))

    def _expire(self, now: float) -> None:
        """Give up the checks that took too long."""
        for check in [check for check in self._asked.values() if check.deadline <= now + EARLY]:
            self._cancel(check)
            if check.lane.fail(check):
                self._ask(check, now)

    def _wake_at(self, time: float | None) -> None:
        """Have `tick` called at `time`, or before."""
        if time is not None and time < (math.inf if self.wake is None else self.wake):
            self.wake = time

    def _set_wake(self, now: float) -> None:
        """Find anew when `tick` is to be called. Until the next tick `wake` is only ever set earlier, at no cost."""
        self.wake = None
        for check in self._asked.values():
            self._wake_at(check.deadline)
        for lane in tuple(self._lanes.busy):
            due = lane.due(now)
            if due is None and lane.settled:
                del self._lanes.busy[lane]
            self._wake_at(due)

    # ------------------------------------------------------------------ verdicts

    def _judge(self, lane: Lane, check: Check) -> None:
        """Act on the first window of a lane that did not pass."""
        terms = self._terms
        if check.state is State.FAILED:
            if terms.on_check_error == "pass":
                lane.accept(check)
                return
            verdict, cause, action = _NO_VERDICT, "check_error", str(terms.on_check_error)
        else:
            assert check.verdict is not None
            verdict, cause, action = check.verdict, "flag", self._action(check.verdict)
        if lane.place.kind == "aside" and action != "annotate":
            action = self._action_beside(lane, action)
        if action == "replace":
            edited = lane.replace(check)
            if edited is None:
                lane.accept(check)
                return
            action = "replace" if edited else "cut"
        if action in ("cut", "error"):
            self._cut(lane, verdict, action, cause)
            return
        self._flag(lane, verdict, action, cause, lane.released)
        if action == "drop":
            lane.drop(check)
        else:
            lane.accept(check)

    def _action(self, verdict: Verdict) -> str:
        """What `on_flag` says; whatever else a function of the user's says or raises is a cut."""
        chosen = self._terms.on_flag
        if callable(chosen):
            try:
                chosen = chosen(verdict)
            except Exception:
                return "cut"
        return chosen if chosen in FLAG_ACTIONS else "cut"

    def _action_beside(self, lane: Lane, action: str) -> str:
        """What stands beside the lanes is not replaced but left out, if it is not out already."""
        if lane.droppable:
            return "annotate" if self._ahead else "drop"
        if action == "replace":
            return "cut" if self._ahead else "drop"
        return action

    def _flag(self, lane: Lane, verdict: Verdict, action: str, cause: str, released: int) -> None:
        place = lane.place
        said: dict[str, Any] = {"verdict": verdict, "action": action, "cause": cause}
        said |= {"output_index": place.output_index, "content_index": place.content_index, "kind": place.kind}
        main = self._lanes.find(place)
        if main is not None:
            said["released"] = main.offset(released if main is lane else main.released)
        self._emit(ModerationFlaggedEvent.model_validate(said))

    # ------------------------------------------------------------------ the end

    def _cut(self, flagged: Lane, verdict: Verdict, action: str, cause: str) -> None:
        """Stop everything at what is safe, and end the stream as a stream ends."""
        self._out.append(DropSource())
        taken = self._retract(flagged)
        self._flag(flagged, verdict, action, cause, flagged.kept())
        self._out += [self._copies.less(event, taken, self._ledger) for event in self._ledger.ending()]
        self._end(Fail(self._error(verdict, cause)) if action == "error" else Complete())

    def _retract(self, first: Lane | None = None) -> list[Lane]:
        """Take back what was shown and will never be judged. Returns the lanes that it was taken from."""
        taken: list[Lane] = []
        for place, lane in sorted(self._lanes, key=lambda pair: pair[1] is not first):
            stays = lane.kept()
            if stays < lane.released:
                taken.append(lane)
                self._emit(
                    ModerationRetractedEvent(
                        output_index=place.output_index,
                        content_index=place.content_index,
                        kind=place.kind,
                        start=lane.offset(stays),
                        end=lane.offset(lane.released),
                    )
                )
        return taken

    def _too_full(self) -> None:
        """More is held than may be held, and no verdict will come in time."""
        if self._terms.on_check_error == "pass":
            for lane in self._lanes.all:
                for check in lane.waive():
                    self._cancel(check)
        else:
            fullest = max(self._lanes.all, key=lambda lane: lane.text.length - lane.released)
            self._cut(fullest, _TOO_MUCH, str(self._terms.on_check_error), "overflow")

    def _error(self, verdict: Verdict, cause: str) -> ModerationError:
        named = f" ({', '.join(verdict.categories)})" if cause == "flag" and verdict.categories else ""
        known = {"response_id": self._ledger.response_id, "sequence_number": self._ledger.last}
        return ModerationError(_WHY[cause] + named, verdict=verdict, **known)

    def _end(self, order: Complete | Fail) -> None:
        self.over = True
        self.wake = None
        self._out.extend(map(CancelCheck, self._asked))
        self._asked.clear()
        self._out.append(order)
