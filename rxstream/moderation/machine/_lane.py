"""One lane: its windows in order, its two marks, and how far its text may leave.

Everything that decides about a character is here. What follows holds whatever the checks answer, and when:

1. `verified` is the end of an unbroken row of windows that passed. It never falls.
2. In `hold` no character at or beyond `safe` leaves, and `safe` is `verified - holdback`, or `decided` if that is less,
   or the end of the lane once the lane has ended and passed whole.
3. In `bounded` no character leaves at or beyond `verified + max_exposure`.
4. No window passes that was not shown all from `decided` on, as its text or its context.
5. Where a window ends depends on the text alone, not on the pieces it came in, unless a timer or the end forces it.
"""

from collections import deque
from dataclasses import replace
from enum import Enum

from rxstream.moderation.machine._cuts import floor
from rxstream.moderation.machine._edits import Edits
from rxstream.moderation.machine._terms import Place, Terms, Verdict, Window
from rxstream.moderation.machine._text import Arrivals, LaneText

EARLY = 1e-6
"""Clocks are read in microseconds: a timer may fire this much before its time."""


class State(Enum):
    RUNNING = 0
    PASSED = 1
    SUSPECT = 2
    FLAGGED = 3
    FAILED = 4


class Check:
    """One window and what is known of it."""

    __slots__ = (
        "attempt",
        "deadline",
        "end",
        "holdback",
        "id",
        "lane",
        "shown",
        "start",
        "state",
        "suspect",
        "tier",
        "verdict",
        "wide",
        "window",
    )

    def __init__(self, lane: "Lane", start: int, end: int, shown: int) -> None:
        self.lane = lane
        self.start = start
        self.end = end
        self.shown = shown
        """How much context it may show."""
        self.id = -1
        self.tier = 0
        self.attempt = 0
        self.deadline = 0.0
        self.state = State.RUNNING
        self.suspect = False
        self.wide = False
        self.holdback = 0
        """The most that one of its verdicts holds back."""
        self.verdict: Verdict | None = None
        self.window: Window | None = None


class Lane:
    """The text of one place, and what has been found about it."""

    __slots__ = (
        "_arrivals",
        "_asked",
        "_context_left",
        "_context_saved",
        "_frozen",
        "_last",
        "_size",
        "_terms",
        "checks",
        "closed",
        "decided",
        "droppable",
        "edits",
        "forced",
        "place",
        "released",
        "running",
        "sealed",
        "taken",
        "text",
        "verified",
    )

    def __init__(self, place: Place, terms: Terms) -> None:
        self.place = place
        self.text = LaneText()
        self.taken = 0
        """Up to here the text is in windows."""
        self.verified = 0
        self.decided = 0
        """From here to `verified` is what the last verdict held back."""
        self.released = 0
        self.closed = -1
        """The length at the last end of the lane; -1 while none has come. A later delta opens the lane again."""
        self.sealed = 0
        """The last end up to which everything had passed."""
        self.forced = False
        """Whether every character is to be sent to a check at once."""
        self.droppable = False
        """Whether what is flagged here is merely not shown, whatever `on_flag` says."""
        self.running = 0
        self.checks: deque[Check] = deque()
        self.edits = Edits()
        self._terms = terms
        self._arrivals = Arrivals()
        self._last = 0.0
        self._size = float(terms.first_chars)
        self._asked = 0
        """The end of the last window that a check was asked about."""
        self._context_left = 0.0
        self._context_saved = 0.0
        self._frozen: int | None = None

    # ------------------------------------------------------------------ text in

    def append(self, piece: str, now: float) -> None:
        self.text.append(piece)
        self._last = now
        self._arrivals.note(self.text.length, now)

    def close(self) -> None:
        """The lane has ended, as far as anybody knows."""
        self.text.close()
        self.closed = self.text.length
        self._seal()

    # ------------------------------------------------------------------ windows out

    @property
    def pending(self) -> int:
        """Characters that no window holds yet."""
        return self.text.length - self.taken

    @property
    def full(self) -> bool:
        """Whether the next window has all its text."""
        return self.text.length - self.taken >= self._size

    @property
    def settled(self) -> bool:
        """Whether nothing is left to ask or to wait for."""
        return not self.checks and self.taken == self.text.length

    def launch(self, now: float) -> tuple[list[Check], list[Check]]:
        """The checks to start now, and those to cancel because their window became part of another."""
        started: list[Check] = []
        cancelled: list[Check] = []
        if self.checks and self._unseen(self.checks[0]):
            self._show_more(self.checks[0], started, cancelled)
        elif self.checks and self.checks[0].state is State.SUSPECT:
            if not self._widen(self.checks[0], now, cancelled):
                return started, cancelled
            started.append(self.checks[0])
        while self.running < self._terms.in_flight:
            check = self._next_window(now)
            if check is None:
                break
            self.checks.append(check)
            if self.text.slice(check.start, check.end).isspace():
                check.state = State.PASSED
                check.shown = check.holdback = check.end  # not judged: what is held back stays so
            else:
                self._asked = check.end
                self.running += 1
                started.append(check)
        return started, cancelled

    def due(self, now: float) -> float | None:
        """When time alone will have `launch` or `limit` say something new; None: never."""
        if self.pending:
            if self.running >= self._terms.in_flight:
                return None
            return min(self._last + self._terms.quiet, self._arrivals.oldest(self.taken) + self._terms.max_delay)
        if (
            self.released < self.safe == self.text.length != self.sealed
            and now + EARLY < self._last + self._terms.quiet
        ):
            return self._last + self._terms.quiet
        return None

    def window(self, check: Check) -> Window:
        """What the check is shown."""
        if check.window is None:
            length = self.text.length
            check.window = Window(
                self.text.slice(check.start, check.end),
                self.text.slice(max(check.start - check.shown, 0), check.start),
                *self.place,
                self.closed == length == check.end,
                check.start,
            )
        return check.window

    def _next_window(self, now: float) -> Check | None:
        start, length, terms = self.taken, self.text.length, self._terms
        if start == length:
            return None
        size = int(self._size)
        full = length - start >= size
        if full:
            self._size = min(self._size * terms.growth, terms.max_chars)
            end = self._cut(start, size)
        elif self.closed == length or self.forced or now + EARLY >= self._last + terms.quiet:
            end = length
        elif now + EARLY >= self._arrivals.oldest(start) + terms.max_delay:
            end = self._cut(start, length - start)
        else:
            return None
        self.taken = end
        shown = self._afford(end - start) if full else terms.shown
        return Check(self, start, end, max(shown, start - (self._asked if self.checks else self.decided)))

    def _cut(self, start: int, size: int) -> int:
        boundary = self._terms.boundary
        if boundary is None:
            return start + size
        try:
            at = boundary(self.text.slice(start, start + size))
        except Exception:  # a hint, and somebody else's function: without it the window is cut where it is full
            at = None
        return start + (at if isinstance(at, int) and size // 2 < at <= size else size)

    def _widen(self, check: Check, now: float, cancelled: list[Check]) -> bool:
        """Ask about a suspect again, with the window after it, if there is one or none will ever be."""
        if len(self.checks) > 1:
            following = self.checks[1]
            del self.checks[1]
            if following.state is State.RUNNING:
                self.running -= 1
                cancelled.append(following)
            check.end = following.end
        elif self.pending:
            following = self._next_window(now)
            if following is None:
                return False
            check.end = following.end
        elif self.closed != self.text.length and not self.forced:
            return False
        self._asked = max(self._asked, check.end)
        check.wide, check.shown = True, max(2 * self._terms.shown, check.shown)
        self._ask_anew(check)
        return True

    def _unseen(self, check: Check) -> bool:
        """Whether the first check cannot see all that the verdict before it held back."""
        return check.start - check.shown > self.decided

    def _show_more(self, check: Check, started: list[Check], cancelled: list[Check]) -> None:
        """Ask again about a window that was sent off before it was known how much context it needs."""
        check.shown = check.start - self.decided
        if check.state is State.RUNNING:
            self.running -= 1
            cancelled.append(check)
        self._ask_anew(check)
        self._find_frozen()
        started.append(check)

    def _ask_anew(self, check: Check) -> None:
        check.suspect, check.window, check.holdback = False, None, 0
        check.tier = check.attempt = 0
        check.state = State.RUNNING
        self.running += 1

    def _afford(self, new: int) -> int:
        """How much context a full window may show, so that all of them cost `context / max_chars` of their text.

        Never less than what is held back. A sixteenth is laid by until there is enough for the last window of the lane,
        which is shorter and gets all it wants. Counted once for each window, whatever becomes of it, so that it depends
        on the text alone.
        """
        earned = new * self._terms.shown / self._terms.max_chars
        saved = min(earned / 16, self._terms.shown - self._context_saved)
        self._context_saved += saved
        self._context_left += earned - saved
        size = min(self._terms.shown, int(self._context_left), self.taken - new)
        self._context_left -= size
        return max(size, self._terms.holdback)

    # ------------------------------------------------------------------ answers

    def answer(self, check: Check, verdict: Verdict) -> bool:
        """Take one tier's verdict; return whether the next tier is to be asked."""
        check.suspect |= verdict.suspect
        check.holdback = max(check.holdback, verdict.holdback)
        if not verdict.flagged and check.tier + 1 < self._terms.tiers:
            check.tier += 1
            check.attempt = 0
            return True
        if verdict.flagged or (check.suspect and check.wide):
            self._end_check(check, State.FLAGGED, replace(verdict, flagged=True))
        else:
            self._end_check(check, State.SUSPECT if check.suspect else State.PASSED, verdict)
        return False

    def fail(self, check: Check) -> bool:
        """One tier gave no verdict; return whether it is to be asked again."""
        if check.attempt < self._terms.retries:
            check.attempt += 1
            return True
        self._end_check(check, State.FAILED, None)
        return False

    def settle(self) -> Check | None:
        """Move `verified` over the windows that have passed; return the one in front of it if that did not pass."""
        checks = self.checks
        while checks:
            head = checks[0]
            if self._unseen(head):
                break
            if head.state in (State.FLAGGED, State.FAILED):
                return head
            if head.state is not State.PASSED:
                break
            self.verified = head.end
            self.decided = max(self.decided, head.end - head.holdback)
            checks.popleft()
        self._seal()
        self.text.forget(min(self.decided, self.released) - 2 * self._terms.shown)
        return None

    def accept(self, check: Check) -> None:
        """Let a window pass in spite of its verdict: it was annotated or edited, or its failure is tolerated."""
        check.state = State.PASSED
        self._find_frozen()

    def _find_frozen(self) -> None:
        bad = (other.start for other in self.checks if other.state in (State.FLAGGED, State.FAILED))
        self._frozen = min(bad, default=None)

    def drop(self, check: Check) -> None:
        """Show nothing of a window."""
        self.edits.add(check.start, check.end, "")
        self.accept(check)

    def waive(self) -> list[Check]:
        """Let everything pass unjudged. Returns the checks that are not needed any more."""
        running = [check for check in self.checks if check.state is State.RUNNING]
        self.checks.clear()
        self.running = 0
        self._frozen = None
        self.taken = self.verified = self.decided = self._asked = self.text.length
        self._seal()
        return running

    def _end_check(self, check: Check, state: State, verdict: Verdict | None) -> None:
        self.running -= 1
        check.state = state
        check.verdict = verdict
        if state in (State.FLAGGED, State.FAILED):
            self._frozen = check.start if self._frozen is None else min(self._frozen, check.start)

    # ------------------------------------------------------------------ text out

    @property
    def safe(self) -> int:
        """Up to here the text may be shown in any form: it passed, and nothing that follows can change that."""
        return max(min(self.verified - self._terms.holdback, self.decided), self.sealed)

    @property
    def passed(self) -> bool:
        """Whether the lane has ended, and all of it may be shown."""
        return self.closed == self.text.length == self.sealed

    def _seal(self) -> None:
        if self.verified >= self.closed > self.sealed:
            self.sealed = self.closed

    def limit(self, now: float) -> int:
        """Up to here deltas may leave; never less than what has left."""
        length = self.text.length
        limit = self.safe
        if self._terms.mode != "hold":
            ahead = (
                length if self._terms.mode == "optimistic" else min(length, self.verified + self._terms.max_exposure)
            )
            limit = max(limit, ahead if self._frozen is None else min(ahead, self._frozen))
        if limit <= self.released:
            return self.released
        limit = self.edits.before(limit)
        if limit != self.sealed and limit > self.released:
            rest = self.text.slice(self.released, min(limit + 1, length))
            ended = self._terms.mode != "hold" or now + EARLY >= self._last + self._terms.quiet
            limit = self.released + floor(rest, limit - self.released, ended=ended)
        return max(limit, self.released)

    def replace(self, check: Check) -> bool | None:
        """Edit what the verdict's spans name. None: there was nothing new to edit. False: it is too late, or unknown.

        Only characters that have not been released change. Spans that were edited before count as done.
        """
        spans = check.verdict.spans if check.verdict is not None else ()
        found = [(check.start + start, min(check.start + end, check.end)) for start, end in spans if start < end]
        found = [(start, end) for start, end in found if start < end]
        new = [span for span in found if not self.edits.cover(*span)]
        if not found or any(start < self.released for start, _ in new):
            return False
        for start, end in sorted(new):
            self.edits.add(start, end, self._terms.replacement)
        return True if new else None

    def out(self, start: int, end: int) -> str:
        """The text from `start` to `end` as it is shown."""
        return self.edits.apply(self.text.slice(start, end), start)

    def shown(self, end: int) -> str:
        """The whole text up to `end` as it is shown."""
        return self.edits.apply(self.text.whole()[:end])

    def offset(self, at: int) -> int:
        """Where the character at `at` stands in the text as it is shown."""
        return len(self.shown(at)) if self.edits.any_before(at) else at

    def kept(self) -> int:
        """Up to here the text stands if the lane ends now: what was released and is safe."""
        return self.edits.before(min(self.safe, self.released))
