"""One check of the list on one lane: its windows in order, and how far the text has passed it.

Stages form a row. The first takes its windows from the text that arrives. Each other one takes what the stage before it
let through, as that stage edited it. Offsets count in the text of the lane, and only grow, in this order:

    0           safe           verified        windows_end        length
    | let through | held back   | in a window   | in no window yet |
"""

from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum

from rxstream.moderation.machine._edits import Edits, apply
from rxstream.moderation.machine._lane_windows import LaneWindows
from rxstream.moderation.machine._window import Verdict, Window


class CheckState(Enum):
    """The state of the check of one window."""

    RUNNING = 0
    SKIPPED = 1
    """The window is white space and passes unchecked. It stays back if the check before it held text back."""
    PASSED = 2
    SUSPECT = 3
    """It waits until its window can be joined with the next one, to be checked again."""
    FLAGGED = 4
    FAILED = 5
    """It returned no verdict."""


RUNNING, SKIPPED, PASSED, SUSPECT, FLAGGED, FAILED = CheckState
BAD = (FLAGGED, FAILED)
"""The states that someone must act on."""


@dataclass(eq=False, slots=True)
class Check:
    """The check of one window."""

    stage: "Stage"
    start: int
    end: int
    context_size: int
    """Characters of context, at most."""
    id: int = -1
    """The id of the running call; each call has a new one."""
    attempt: int = 0
    """How often it was called again after it returned no verdict."""
    state: CheckState = RUNNING
    widened: bool = False
    """Whether the window was suspect, and is checked again with more text and more context."""
    complete: bool = False
    """Whether no more text can be joined to the window."""
    holdback: int = 0
    """The `holdback` of its verdict."""
    verdict: Verdict | None = None
    action: str = ""
    """What is done with a window that is flagged or failed, once that was chosen."""
    window: Window | None = None
    """The argument of the check. Made when it is first needed."""
    seen: Edits = field(default_factory=Edits)
    """The edits that the window was made with."""

    @property
    def seen_start(self) -> int:
        """Where the context of the window begins."""
        return self.seen.last_outside(max(self.start - self.context_size, 0))


class Stage:
    """The windows of one check. See the module."""

    def __init__(self, lane: LaneWindows, number: int) -> None:
        self.lane = lane
        self.options = lane.options
        self.number = number
        """The position of its check in the list."""
        self.checks: deque[Check] = deque()
        self.running = 0
        """The number of checks that run."""
        self.windows_end = 0
        """The end of the last window."""
        self.verified = 0
        """The end of an unbroken row of windows that passed."""
        self.held_back_from = 0
        """The last verdict holds the text from here to `verified` back: the next window has all of it as context."""
        self.safe = 0
        """The end of the text that was let through."""
        self.passed_end = 0
        """The last end of the lane up to which all text passed."""
        self.unsafe_from: int | None = None
        """The start of the first window that did not pass."""
        self.cuts: deque[int] = deque()
        """The ends of the next windows, as the stage before this one let text through."""
        self.edits = Edits()
        """What earlier stages edited: this check sees the text with these edits."""
        self.following: Stage | None = None

    # ------------------------------------------------------------------ windows

    @property
    def idle(self) -> bool:
        """Whether it has no check to start or to wait for."""
        return not self.checks and not self.cuts

    @property
    def needs_text(self) -> bool:
        """Whether it only has a suspect window that waits for more text."""
        return len(self.checks) == 1 and self.checks[0].state is SUSPECT and not self.cuts

    def start_checks(self) -> tuple[list[Check], list[Check]]:
        """The checks to start now, and those to cancel because their window became part of another."""
        started: list[Check] = []
        cancelled: list[Check] = []
        if self.checks and self._lacks_context(self.checks[0]):
            started.append(self._add_context(self.checks[0], cancelled))
        elif self.checks and self.checks[0].state is SUSPECT:
            if not self._widen(self.checks[0], cancelled):
                return started, cancelled
            started.append(self.checks[0])
        while self.running < self.options.in_flight:
            check = self._next_check()
            if check is None:
                break
            self.checks.append(check)
            if self.lane.text.slice(check.start, check.end).isspace():
                check.state = SKIPPED
            else:
                self.running += 1
                started.append(check)
        return started, cancelled

    def window(self, check: Check) -> Window:
        """The window of a check."""
        if check.window is None:
            source = self.lane
            check.seen = Edits()
            for edit in self.edits.between(max(check.start - check.context_size, 0), check.end):
                check.seen.add(*edit)
            first = check.seen_start
            check.window = Window(
                self._read(check.start, check.end, check.seen),
                self._read(first, check.start, check.seen),
                *source.place,
                source.closed_at == source.text.length == check.end,
                check.start,
            )
        return check.window

    def _read(self, start: int, end: int, edits: Edits) -> str:
        return apply(self.lane.text.slice(start, end), start, edits.between(start, end))

    def _next_check(self) -> Check | None:
        """A check of the next window. None if its end is not known before more text or time."""
        start = self.windows_end
        end = self.lane.take_window(start) if self.number == 0 else self.cuts.popleft() if self.cuts else None
        if end is None:
            return None
        self.windows_end = end
        # If a check runs, what it will hold back is not known yet: `_add_context` follows.
        held_back = 0 if self.checks else start - self.held_back_from
        return Check(self, start, end, max(self.options.context_of(self.number), held_back))

    def add_cut(self, offset: int) -> None:
        """The stage before let text through up to this offset: a window ends there, but not inside of an edit."""
        cut = self.edits.last_outside(offset)
        if cut > (self.cuts[-1] if self.cuts else self.windows_end):
            self.cuts.append(cut)

    def _widen(self, check: Check, cancelled: list[Check]) -> bool:
        """Check a suspect window again, joined with the next one.

        Returns False if there is no next one yet, and the lane has not ended.
        """
        following: Check | None
        if len(self.checks) > 1:
            following = self.checks[1]
            del self.checks[1]
            if following.state is RUNNING:
                self.running -= 1
                cancelled.append(following)
        else:
            following = self._next_check()
        check.complete = following is None
        if following is not None:
            check.end = following.end
        elif not (self.windows_end == self.lane.text.length and self.lane.complete):
            return False
        check.widened = True
        check.context_size = max(2 * self.options.context_of(self.number), check.context_size)
        self._restart(check)
        return True

    def _lacks_context(self, check: Check) -> bool:
        """Whether the context of the first check lacks some of the text that the verdict before it held back."""
        return check.state is not SKIPPED and check.start - check.context_size > self.held_back_from

    def _add_context(self, check: Check, cancelled: list[Check]) -> Check:
        """Check a window again whose check started before the context it needs was known."""
        check.context_size = check.start - self.held_back_from
        if check.state is RUNNING:
            self.running -= 1
            cancelled.append(check)
        self._restart(check)
        self._update_unsafe()
        return check

    def _restart(self, check: Check) -> None:
        check.window, check.verdict, check.action = None, None, ""
        check.attempt = check.holdback = 0
        check.state = RUNNING
        self.running += 1

    # ------------------------------------------------------------------ verdicts

    def note_verdict(self, check: Check, verdict: Verdict) -> None:
        check.holdback = verdict.holdback
        decided = check.widened and (check.complete or not verdict.holdback)
        if verdict.flagged or (verdict.suspect and decided):
            self._end_check(check, FLAGGED, replace(verdict, flagged=True))
        else:
            self._end_check(check, SUSPECT if verdict.suspect else PASSED, verdict)

    def note_failure(self, check: Check) -> bool:
        """Note that a check returned no verdict. Returns whether it is to be called again."""
        if check.attempt < self.options.retries:
            check.attempt += 1
            return True
        self._end_check(check, FAILED, None)
        return False

    def advance(self) -> Check | None:
        """Move `verified` past the windows that passed. Returns the next check if it flagged or failed."""
        checks = self.checks
        while checks:
            head = checks[0]
            if self._lacks_context(head):
                break
            if head.state in BAD:
                return head
            if head.state is PASSED:
                self.held_back_from = max(self.held_back_from, head.end - head.holdback)
            elif head.state is not SKIPPED:
                break
            elif self.held_back_from == head.start:
                self.held_back_from = head.end
            self.verified = head.end
            checks.popleft()
            self.let_through()
        return None

    def accept(self, check: Check) -> None:
        """Let a window pass despite its verdict: it was annotated or edited, or `on_check_error` is `pass`."""
        check.state = PASSED
        self._update_unsafe()

    def pass_all(self) -> list[Check]:
        """Let all text so far pass unchecked. Returns the checks to cancel."""
        running = [check for check in self.checks if check.state is RUNNING]
        self.checks.clear()
        self.cuts.clear()
        self.running = 0
        self.unsafe_from = None
        self.windows_end = self.verified = self.held_back_from = self.safe = self.lane.text.length
        self.let_through()
        return running

    def let_through(self) -> None:
        """Let the text through that is safe now, to the next stage."""
        options = self.options
        safe = min(self.verified - options.holdback_of(self.number), self.held_back_from)
        if options.holds_word(self.number):
            least = max(self.verified - options.context, self.safe)
            safe = min(safe, self.lane.word_start(self.verified, least))
        if self.verified >= self.lane.closed_at > self.passed_end:
            self.passed_end = self.lane.closed_at
        safe = max(safe, self.passed_end)
        if safe > self.safe:
            self.safe = safe
            if self.following is not None:
                self.following.add_cut(safe)
        elif self.following is not None and self.passed_end == safe == self.following.verified:
            self.following.let_through()

    def _end_check(self, check: Check, state: CheckState, verdict: Verdict | None) -> None:
        self.running -= 1
        check.state = state
        check.verdict = verdict
        if state in BAD:
            self._update_unsafe()

    def _update_unsafe(self) -> None:
        starts = (check.start for check in self.checks if check.state in BAD)
        self.unsafe_from = min(starts, default=None)
