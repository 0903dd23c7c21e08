"""One lane: its text, the checks of its windows in order, and how far its text may be released.

A *lane* is one text as the model writes it: a content part, a refusal, the arguments of one call. A *window* is the
piece of a lane that one check judges. A lane is described by offsets in its text, which only grow, in this order:

    0        held_back_from        verified        windows_end        length
    | passed | passed, but held back | in a window   | in no window yet |

All text before `released` is with the subscriber. How far that may be depends on the mode. These rules hold whatever
the checks return, and whenever:

1. `verified` is the end of an unbroken row of windows that passed. It never falls.
2. In mode `hold` no character at or after `safe` is released. `safe` is the smaller of `verified - holdback` and
   `held_back_from`; or the end of the lane, once the lane has ended and all of it passed.
3. In mode `bounded` no character at or after `verified + max_exposure` is released.
4. No window passes unless its check got all text from `held_back_from` on, in `Window.text` or `Window.context`.
5. The end of a window depends on the text alone, not on its deltas, unless a timer or the end of the lane sets it.
"""

from collections import deque
from dataclasses import replace
from enum import Enum

from rxstream.moderation.machine._boundaries import split_before
from rxstream.moderation.machine._edits import Edits
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._text import Arrivals, LaneText
from rxstream.moderation.machine._window import TextPlace, Verdict, Window

EARLY = 1e-6
"""Seconds. Clocks are read in microseconds, so a timer may fire this much too early."""

_WINDOWS_TO_FILL_RESERVE = 16
"""The reserve of context for the last window is full after this many windows of `max_chars`. Until then each of these
has this part less context."""


class State(Enum):
    """The state of a check."""

    RUNNING = 0
    SKIPPED = 1
    """The window is white space and passes unchecked. What the check before it held back stays back."""
    PASSED = 2
    SUSPECT = 3
    """It waits until its window can be joined with the next one, to be checked again."""
    FLAGGED = 4
    FAILED = 5
    """It returned no verdict."""


class ReplaceResult(Enum):
    REPLACED = 0
    REPLACED_BEFORE = 1
    IMPOSSIBLE = 2
    """The verdict has no spans, or one of them is released."""


class Check:
    """The check of one window of a lane, and its state."""

    __slots__ = (
        "attempt",
        "context_size",
        "deadline",
        "end",
        "holdback",
        "id",
        "lane",
        "start",
        "state",
        "suspect",
        "tier",
        "verdict",
        "widened",
        "window",
    )

    def __init__(self, lane: "Lane", start: int, end: int, context_size: int) -> None:
        self.lane = lane
        self.start = start
        self.end = end
        self.context_size = context_size
        """Characters of context, at most."""
        self.id = -1
        """The id of the running call; each call has a new one."""
        self.tier = 0
        """The index of the function that judges the window now: the next one is called if this one does not flag it."""
        self.attempt = 0
        """How often this function was called again after it returned no verdict."""
        self.deadline = 0.0
        """When the running call is cancelled."""
        self.state = State.RUNNING
        self.suspect = False
        """Whether a function found the window suspect."""
        self.widened = False
        """Whether the window was suspect, and is checked again with more text and more context."""
        self.holdback = 0
        """The largest `holdback` of its verdicts."""
        self.verdict: Verdict | None = None
        """The last verdict, once all functions have returned one."""
        self.window: Window | None = None
        """The argument of the functions. Made when it is first needed."""


class Lane:
    """The text of one place, and its checks. See the module."""

    __slots__ = (
        "_ahead_limit",
        "_arrivals",
        "_context_budget",
        "_context_reserve",
        "_last_append",
        "_options",
        "_sent_end",
        "_window_size",
        "check_at_once",
        "checks",
        "closed_at",
        "drop_flagged",
        "edits",
        "held_back_from",
        "passed_end",
        "place",
        "released",
        "running",
        "text",
        "verified",
        "windows_end",
    )

    def __init__(self, place: TextPlace, options: Options) -> None:
        self.place = place
        self.text = LaneText()
        self.windows_end = 0
        """The end of the last window."""
        self.verified = 0
        self.held_back_from = 0
        """The last verdict holds the text from here to `verified` back."""
        self.released = 0
        self.closed_at = -1
        """The length of the text when the lane last ended; -1 before. A later delta opens the lane again."""
        self.passed_end = 0
        """The last `closed_at` up to which all text passed."""
        self.check_at_once = False
        """Whether new text goes to a check at once, because too much is held."""
        self.drop_flagged = False
        """Whether flagged text of this lane is left out, whatever `on_flag` says."""
        self.running = 0
        """The number of checks that run."""
        self.checks: deque[Check] = deque()
        self.edits = Edits()
        self._options = options
        self._arrivals = Arrivals()
        self._last_append = 0.0
        """When the last text arrived."""
        self._window_size = float(options.first_chars)
        """The size of the next window, if it is full."""
        self._sent_end = 0
        """The end of the last window that was sent to a check."""
        self._context_budget = 0.0
        """How many characters of context the next windows may use. See `_context_size`."""
        self._context_reserve = 0.0
        """How many characters of context are reserved for the last window."""
        self._ahead_limit: int | None = None
        """The start of the first window that did not pass: unverified text is released only up to here."""

    # ------------------------------------------------------------------ text in

    def append(self, piece: str, now: float) -> None:
        self.text.append(piece)
        self._last_append = now
        self._arrivals.note(self.text.length, now)

    def close(self) -> None:
        """The lane has ended, unless another delta follows."""
        self.text.close()
        self.closed_at = self.text.length
        self._update_passed_end()

    # ------------------------------------------------------------------ windows out

    @property
    def full(self) -> bool:
        """Whether the next window has all its text."""
        return self.text.length - self.windows_end >= self._window_size

    @property
    def idle(self) -> bool:
        """Whether there is no check to start or to wait for."""
        return not self.checks and self.windows_end == self.text.length

    def start_checks(self, now: float) -> tuple[list[Check], list[Check]]:
        """The checks to start now, and those to cancel because their window became part of another."""
        started: list[Check] = []
        cancelled: list[Check] = []
        if self.checks and self._lacks_context(self.checks[0]):
            self._add_context(self.checks[0], started, cancelled)
        elif self.checks and self.checks[0].state is State.SUSPECT:
            if not self._widen(self.checks[0], now, cancelled):
                return started, cancelled
            started.append(self.checks[0])
        while self.running < self._options.in_flight:
            check = self._next_check(now)
            if check is None:
                break
            self.checks.append(check)
            if self.text.slice(check.start, check.end).isspace():
                check.state = State.SKIPPED
            else:
                self._sent_end = check.end
                self.running += 1
                started.append(check)
        return started, cancelled

    def due(self, now: float) -> float | None:
        """When `start_checks` or `limit` will return more because time has passed. None if time changes nothing."""
        if self.text.length > self.windows_end:
            if self.running >= self._options.in_flight:
                return None
            return min(
                self._last_append + self._options.quiet,
                self._arrivals.oldest(self.windows_end) + self._options.max_delay,
            )
        if (
            self.released < self.safe == self.text.length != self.passed_end
            and now + EARLY < self._last_append + self._options.quiet
        ):
            return self._last_append + self._options.quiet
        return None

    def window(self, check: Check) -> Window:
        """The window of a check."""
        if check.window is None:
            length = self.text.length
            check.window = Window(
                self.text.slice(check.start, check.end),
                self.text.slice(max(check.start - check.context_size, 0), check.start),
                *self.place,
                self.closed_at == length == check.end,
                check.start,
            )
        return check.window

    def _next_check(self, now: float) -> Check | None:
        """A check of the next window. None if its end is not known before more text or time."""
        start, length, options = self.windows_end, self.text.length, self._options
        if start == length:
            return None
        size = int(self._window_size)
        full = length - start >= size
        if full:
            self._window_size = min(self._window_size * options.growth, options.max_chars)
            end = self._window_end(start, size)
        elif self.closed_at == length or self.check_at_once or now + EARLY >= self._last_append + options.quiet:
            end = length
        elif now + EARLY >= self._arrivals.oldest(start) + options.max_delay:
            end = self._window_end(start, length - start)
        else:
            return None
        self.windows_end = end
        context_size = self._context_size(end - start) if full else options.max_context
        needed = start - (self._sent_end if self.checks else self.held_back_from)
        return Check(self, start, end, max(context_size, needed))

    def _window_end(self, start: int, size: int) -> int:
        boundary = self._options.boundary
        if boundary is None:
            return start + size
        try:
            position = boundary(self.text.slice(start, start + size))
        except Exception:  # the boundary is only a hint
            return start + size
        return start + (position if isinstance(position, int) and size // 2 < position <= size else size)

    def _widen(self, check: Check, now: float, cancelled: list[Check]) -> bool:
        """Check a suspect window again, joined with the next one.

        Returns False if there is no next one yet, and the lane has not ended.
        """
        if len(self.checks) > 1:
            following = self.checks[1]
            del self.checks[1]
            if following.state is State.RUNNING:
                self.running -= 1
                cancelled.append(following)
            check.end = following.end
        elif self.text.length > self.windows_end:
            following = self._next_check(now)
            if following is None:
                return False
            check.end = following.end
        elif self.closed_at != self.text.length and not self.check_at_once:
            return False
        self._sent_end = max(self._sent_end, check.end)
        check.widened = True
        check.context_size = max(2 * self._options.max_context, check.context_size)
        self._restart(check)
        return True

    def _lacks_context(self, check: Check) -> bool:
        """Whether the context of the first check lacks some of the text that the verdict before it held back."""
        return check.state is not State.SKIPPED and check.start - check.context_size > self.held_back_from

    def _add_context(self, check: Check, started: list[Check], cancelled: list[Check]) -> None:
        """Check a window again whose check started before the context it needs was known."""
        check.context_size = check.start - self.held_back_from
        if check.state is State.RUNNING:
            self.running -= 1
            cancelled.append(check)
        self._restart(check)
        self._update_ahead_limit()
        started.append(check)

    def _restart(self, check: Check) -> None:
        check.suspect, check.window, check.holdback = False, None, 0
        check.tier = check.attempt = 0
        check.state = State.RUNNING
        self.running += 1

    def _context_size(self, new: int) -> int:
        """How much context a full window with `new` characters gets: at least `holdback`.

        On average it is `max_context / max_chars` of the text. The last window, which is not full, gets `max_context`:
        the windows before it reserve a part of theirs for that. Counted once for each window, even if it is checked
        again, so that it depends on the text alone.
        """
        share = new * self._options.max_context / self._options.max_chars
        reserve = min(share / _WINDOWS_TO_FILL_RESERVE, self._options.max_context - self._context_reserve)
        self._context_reserve += reserve
        self._context_budget += share - reserve
        size = min(self._options.max_context, int(self._context_budget), self.windows_end - new)
        self._context_budget -= size
        return max(size, self._options.holdback)

    # ------------------------------------------------------------------ verdicts

    def note_verdict(self, check: Check, verdict: Verdict) -> bool:
        """Note the verdict of one tier. Returns whether the next tier is to be called."""
        check.suspect |= verdict.suspect
        check.holdback = max(check.holdback, verdict.holdback)
        if not verdict.flagged and check.tier + 1 < self._options.tiers:
            check.tier += 1
            check.attempt = 0
            return True
        if verdict.flagged or (check.suspect and check.widened):
            self._end_check(check, State.FLAGGED, replace(verdict, flagged=True))
        else:
            self._end_check(check, State.SUSPECT if check.suspect else State.PASSED, verdict)
        return False

    def note_failure(self, check: Check) -> bool:
        """Note that one tier returned no verdict. Returns whether it is to be called again."""
        if check.attempt < self._options.retries:
            check.attempt += 1
            return True
        self._end_check(check, State.FAILED, None)
        return False

    def advance(self) -> Check | None:
        """Move `verified` past the windows that passed. Returns the next check if it flagged or failed."""
        checks = self.checks
        while checks:
            head = checks[0]
            if self._lacks_context(head):
                break
            if head.state in (State.FLAGGED, State.FAILED):
                return head
            if head.state is State.PASSED:
                self.held_back_from = max(self.held_back_from, head.end - head.holdback)
            elif head.state is not State.SKIPPED:
                break
            self.verified = head.end
            checks.popleft()
        self._update_passed_end()
        self.text.forget(min(self.held_back_from, self.released) - 2 * self._options.max_context)
        return None

    def accept(self, check: Check) -> None:
        """Let a window pass despite its verdict: it was annotated or edited, or `on_check_error` is `pass`."""
        check.state = State.PASSED
        self._update_ahead_limit()

    def _update_ahead_limit(self) -> None:
        starts = (check.start for check in self.checks if check.state in (State.FLAGGED, State.FAILED))
        self._ahead_limit = min(starts, default=None)

    def drop(self, check: Check) -> None:
        """Leave out all text of a window."""
        self.edits.add(check.start, check.end, "")
        self.accept(check)

    def pass_all(self) -> list[Check]:
        """Let all text so far pass unchecked. Returns the checks to cancel."""
        running = [check for check in self.checks if check.state is State.RUNNING]
        self.checks.clear()
        self.running = 0
        self._ahead_limit = None
        self.windows_end = self.verified = self.held_back_from = self._sent_end = self.text.length
        self._update_passed_end()
        return running

    def _end_check(self, check: Check, state: State, verdict: Verdict | None) -> None:
        self.running -= 1
        check.state = state
        check.verdict = verdict
        if state in (State.FLAGGED, State.FAILED):
            self._ahead_limit = check.start if self._ahead_limit is None else min(self._ahead_limit, check.start)

    # ------------------------------------------------------------------ release

    @property
    def safe(self) -> int:
        """The end of the text that has passed and that no later text can change."""
        return max(min(self.verified - self._options.holdback, self.held_back_from), self.passed_end)

    @property
    def passed(self) -> bool:
        """Whether the lane has ended and all of it passed."""
        return self.closed_at == self.text.length == self.passed_end

    def _update_passed_end(self) -> None:
        if self.verified >= self.closed_at > self.passed_end:
            self.passed_end = self.closed_at

    def limit(self, now: float) -> int:
        """The offset up to which deltas may be released. Never less than `released`."""
        length = self.text.length
        limit = self.safe
        if self._options.mode != "hold":
            ahead = (
                length
                if self._options.mode == "optimistic"
                else min(length, self.verified + self._options.max_exposure)
            )
            limit = max(limit, ahead if self._ahead_limit is None else min(ahead, self._ahead_limit))
        if limit <= self.released:
            return self.released
        limit = self.edits.last_outside(limit)
        if limit != self.passed_end and limit > self.released:
            text = self.text.slice(self.released, min(limit + 1, length))
            ended = self._options.mode != "hold" or now + EARLY >= self._last_append + self._options.quiet
            limit = self.released + split_before(text, limit - self.released, ended=ended)
        return max(limit, self.released)

    def replace(self, check: Check) -> ReplaceResult:
        """Replace the spans of the verdict."""
        spans = check.verdict.spans if check.verdict is not None else ()
        spans = [(check.start + start, min(check.start + end, check.end)) for start, end in spans if start < end]
        spans = [(start, end) for start, end in spans if start < end]
        new_spans = [span for span in spans if not self.edits.cover(*span)]
        if not spans or any(start < self.released for start, _ in new_spans):
            return ReplaceResult.IMPOSSIBLE
        for start, end in sorted(new_spans):
            self.edits.add(start, end, self._options.replacement)
        return ReplaceResult.REPLACED if new_spans else ReplaceResult.REPLACED_BEFORE

    def edited_slice(self, start: int, end: int) -> str:
        """The text from `start` to `end`, edited."""
        return self.edits.apply(self.text.slice(start, end), start)

    def edited_prefix(self, end: int) -> str:
        """The text up to `end`, edited."""
        return self.edits.apply(self.text.full_text()[:end])

    def edited_offset(self, offset: int) -> int:
        """Where the character at `offset` is in the edited text."""
        return len(self.edited_prefix(offset)) if self.edits.any_before(offset) else offset

    def kept_end(self) -> int:
        """The end of the text that stays if the lane ends now: it is released and safe."""
        return self.edits.last_outside(min(self.safe, self.released))
