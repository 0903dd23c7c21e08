"""The moderator of one stream: events and verdicts in; events, and orders to the world, out.

A pure machine: it knows no clock (`now` is given, in seconds), starts no check (it gives the order) and never waits.
`feed`, `answer`, `tick`, `completed`, `failed` and `overflow` each return what is to be done, in order. After each of
them `wake` says when `tick` is to be called at the latest.
"""

import math
from collections.abc import Sequence
from itertools import count
from typing import Any, Final, TypeAlias

from rxstream.cores._moderation import (
    FLAG_ACTIONS,
    CancelCheck,
    Complete,
    DropSource,
    Fail,
    Order,
    Pause,
    Place,
    Resume,
    StartCheck,
    Terms,
    Verdict,
)
from rxstream.cores._moderation_copies import Copies
from rxstream.cores._moderation_events import ModerationFlaggedEvent, ModerationRetractedEvent
from rxstream.cores._moderation_gate import Entry, Held, RowKey, Run, Shelf
from rxstream.cores._moderation_lane import Check, Lane, State
from rxstream.cores._moderation_lanes import Lanes
from rxstream.cores._moderation_ledger import Ledger
from rxstream.cores._moderation_slots import ROUTES, Route
from rxstream.errors import ModerationError
from rxstream.events import StreamingEvent, UnknownEvent

_EARLY = 1e-6
"""Clocks are read in microseconds: a timer may fire this much before its time."""

Output: TypeAlias = StreamingEvent | ModerationFlaggedEvent | ModerationRetractedEvent | Order


class _Channel:
    """What the deltas of one lane need at hand."""

    __slots__ = ("lane", "row", "run", "shelf")

    def __init__(self, lane: Lane, shelf: Shelf, row: RowKey) -> None:
        self.lane = lane
        self.shelf = shelf
        self.row = row
        self.run: Run | None = None


class Moderator:
    """See the module. One instance lives as long as one subscription."""

    def __init__(self, terms: Terms) -> None:
        self.over = False
        """Nothing more will come out."""
        self.wake: float | None = None
        self._terms = terms
        self._ahead = terms.mode == "optimistic"
        self._hold = terms.mode == "hold"
        self._eager = min(terms.quiet, terms.max_delay) <= _EARLY
        self._lanes = Lanes(terms)
        self._copies = Copies(terms, self._lanes)
        self._ledger = Ledger()
        self._shelves: dict[int | None, Shelf] = {}
        self._channels: dict[tuple[int | None, int, str], _Channel] = {}
        self._ids = count()
        self._asked: dict[int, Check] = {}
        self._last: Held | None = None
        """The event that ends the response, while it waits for all the rest."""
        self._after: list[StreamingEvent] = []
        """What came behind it."""
        self._source_done = False
        self._held = 0
        self._paused = False
        self._out: list[Any] = []

    # ------------------------------------------------------------------ what happens

    def feed(self, event: StreamingEvent, now: float) -> Sequence[Output]:
        """The source emitted."""
        out = self._out = []
        if self.over:
            return out
        if self._last is not None:
            self._after.append(event)
            return out
        if not self._take_any(event, now):
            self._progress(now)
        return out

    def answer(self, id: int, verdict: Verdict | None, now: float) -> Sequence[Output]:
        """A check answered; None: it failed. An answer that nobody waits for is passed over."""
        out = self._out = []
        check = self._asked.pop(id, None)
        if self.over or check is None:
            return out
        again = check.lane.fail(check) if verdict is None else check.lane.answer(check, verdict)
        if again:
            self._ask(check, now)
        else:
            self._lanes.touched.append(check.lane)
            self._progress(now)
        return out

    def tick(self, now: float) -> Sequence[Output]:
        """Time has passed."""
        out = self._out = []
        if self.over:
            return out
        for check in [check for check in self._asked.values() if check.deadline <= now + _EARLY]:
            del self._asked[check.id]
            out.append(CancelCheck(check.id))
            if check.lane.fail(check):
                self._ask(check, now)
        self._lanes.touched.extend(self._lanes.all)
        self._progress(now)
        return out

    def completed(self, now: float) -> Sequence[Output]:
        """The source completed."""
        out = self._out = []
        if not self.over:
            self._source_done = True
            self._lanes.close_all()
            self._progress(now)
        return out

    def failed(self, error: Exception, now: float) -> Sequence[Output]:
        """The source failed. What was not verified is dropped; the event that announced the failure is not."""
        out = self._out = []
        if not self.over:
            announced: list[Any] = [self._last.event] if self._last is not None else []
            for event in (*announced, *self._after):
                route = ROUTES.get(event.type)
                if type(event) is not UnknownEvent and route is not None and route.role in ("terminal", "error"):
                    self._emit(self._copies.so_far(event, route, self._ledger))
            self._end(Fail(error))
        return out

    def overflow(self, now: float) -> Sequence[Output]:
        """More than `max_buffer` is held, and the source cannot be paused."""
        out = self._out = []
        if not self.over:
            self._overflow(now)
            self._progress(now)
        return out

    # ------------------------------------------------------------------ events

    def _take_any(self, event: Any, now: float) -> bool:
        """Take an event; return whether all was done that follows from it."""
        route = ROUTES.get(event.type)
        if route is None or route.role != "delta" or route.kind not in self._terms.include:
            self._take(event, route, now)
            return False
        if type(event) is UnknownEvent or not isinstance(event.delta, str):
            self._take(event, None, now)
            return False
        self._delta(event, route, now)
        return True

    def _delta(self, event: Any, route: Route, now: float) -> None:
        key = (
            getattr(event, "output_index", None),
            getattr(event, route.at) if route.at else 0,
            route.kind,
        )
        channel = self._channels.get(key) or self._open(key, route)
        lane, shelf = channel.lane, channel.shelf
        start = lane.text.length
        lane.append(event.delta, now)
        if self._ahead:
            lane.released = lane.text.length
            self._emit(event)
        else:
            run = channel.run
            if run is None or shelf.last(channel.row) is not run:
                run = channel.run = Run(lane, start)
                shelf.put(channel.row, run)
            run.add(event)
            self._held += len(event.delta)
            if event.__dict__.get("logprobs"):
                self._copies.note_logprobs(lane.place, event.logprobs)
        if self._eager or lane.full or (self.wake is not None and now >= self.wake):
            self._lanes.touched.append(lane)
            self._progress(now)
        else:
            if not self._ahead and (not self._hold or lane.released < lane.safe):
                shelf.drain(lambda entry: self._step(entry, now))
            wake = now + min(self._terms.quiet, self._terms.max_delay)
            if wake < (math.inf if self.wake is None else self.wake):
                self.wake = wake
        if self._held > self._terms.max_buffer:
            self._too_much(now)

    def _open(self, key: tuple[int | None, int, Any], route: Route) -> _Channel:
        output_index, index, kind = key
        lane = self._lanes.at(Place(output_index or 0, index, kind))
        channel = _Channel(lane, self._shelf(output_index), (route.at, index))
        self._channels[key] = channel
        return channel

    def _take(self, event: Any, route: Route | None, now: float) -> None:
        """Everything but the deltas of moderated lanes."""
        index: int | None = getattr(event, "output_index", None)
        if type(event) is UnknownEvent:
            given = event.data.get("output_index")
            index = given if isinstance(given, int) else None
            self._wait(index, (event.type, 0), self._copies.unknown(event, index, now))
        elif route is None or route.role == "delta" or not self._copies.concerns(event, route):
            self._wait(index, None, self._copies.plain(event, index, now))
        elif route.role == "header":
            begun = any(known is not None for known in self._shelves) or event.response.output
            self._emit(self._copies.so_far(event, route, self._ledger) if begun and not self._ahead else event)
        elif route.role in ("terminal", "error"):
            self._lanes.close_all()
            self._last = self._copies.last(event, route, self._ledger, now)
            if self._ahead:
                self._show(self._last)
                self._last = None
        elif route.role == "audio":
            if event.type == "response.audio.transcript.done":
                self._lanes.close(self._lanes.at(Place(0, 0, "audio_transcript")))
            self._wait(None, ("audio", 0), self._copies.audio(event, route))
        else:
            row = (route.at, getattr(event, route.at, 0)) if route.role != "item" else None
            self._wait(index, row, self._copies.structural(event, route, now))

    def _wait(self, index: int | None, row: RowKey | None, held: Held) -> None:
        """Show an event when its turn has come, which may be now."""
        if self._ahead:
            self._show(held)
        elif index is None and row is None:
            if held.ready():
                self._show(held)
            else:
                self._shelf(None).put(("stream", 0), held)
        else:
            shelf = self._shelf(index)
            if not shelf and held.ready():
                self._show(held)
            else:
                shelf.put(row, held)

    def _shelf(self, index: int | None) -> Shelf:
        shelf = self._shelves.get(index)
        if shelf is None:
            shelf = self._shelves[index] = Shelf()
        return shelf

    # ------------------------------------------------------------------ checks

    def _progress(self, now: float) -> None:
        """Do all that can be done now: start checks, act on verdicts, show what may be shown, end."""
        touched = self._lanes.touched
        while True:
            while touched:
                self._work(touched.pop(), now)
                if self.over:
                    return
            for shelf in self._shelves.values() if not self._ahead else ():
                if shelf:
                    shelf.drain(lambda entry: self._step(entry, now))
            if self._last is None or any(self._shelves.values()) or not self._last.ready():
                break
            self._show_last(now)
        if self._paused:
            self._relieve(now)
        if self._source_done and self._last is None and self._idle():
            self._end(Complete())
        else:
            self._set_wake(now)

    def _work(self, lane: Lane, now: float) -> None:
        """Act on what has been answered about a lane, and start the checks that are due."""
        while True:
            while (check := lane.settle()) is not None:
                self._judge(lane, check, now)
                if self.over:
                    return
            started, cancelled = lane.launch(now)
            for check in cancelled:
                if self._asked.pop(check.id, None) is not None:
                    self._out.append(CancelCheck(check.id))
            for check in started:
                self._ask(check, now)
            if not lane.checks or lane.checks[0].state in (State.RUNNING, State.SUSPECT):
                return

    def _ask(self, check: Check, now: float) -> None:
        check.id = next(self._ids)
        check.deadline = now + self._terms.timeout
        self._asked[check.id] = check
        self._out.append(StartCheck(check.id, check.tier, check.lane.window(check)))

    def _judge(self, lane: Lane, check: Check, now: float) -> None:
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
        aside = lane.place.kind == "aside"
        if aside and action != "annotate" and (lane.droppable or action == "replace"):
            lane.drop(check)
            self._flag(lane, verdict, "drop", cause)
            return
        if action == "replace":
            edited = lane.replace(check)
            if edited is None:
                lane.accept(check)
                return
            action = "replace" if edited else "cut"
        if action in ("cut", "error"):
            self._cut(lane, verdict, action, cause)
        else:
            self._flag(lane, verdict, action, cause)
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

    # ------------------------------------------------------------------ events out

    def _emit(self, event: Any) -> None:
        self._ledger.note(event)
        self._out.append(event)

    def _step(self, entry: Entry, now: float) -> bool:
        """Show as much of an entry as may be shown; return whether that was all of it."""
        if isinstance(entry, Held):
            if not entry.ready():
                return False
            self._show(entry)
            return True
        lane = entry.lane
        limit = min(lane.limit(now), entry.end)
        if limit > lane.released:
            for event in self._copies.deltas(entry, limit):
                self._emit(event)
            self._held -= limit - lane.released
            lane.released = limit
        return lane.released >= entry.end

    def _show(self, held: Held) -> None:
        event = held.event if self._ahead else self._copies.render(held)
        for lane, end in held.copies:
            lane.released = max(lane.released, lane.text.length if end is None else end)
        if event is not None:
            self._emit(event)

    def _show_last(self, now: float) -> None:
        """The response has ended; what came after its end is taken up again."""
        assert self._last is not None
        self._show(self._last)
        self._last = None
        waiting, self._after = self._after, []
        for at, event in enumerate(waiting):
            self._take_any(event, now)
            if self._last is not None:
                self._after = waiting[at + 1 :]
                break
        if self._source_done:
            self._lanes.close_all()

    def _flag(self, lane: Lane, verdict: Verdict, action: str, cause: str, released: int | None = None) -> None:
        place = lane.place
        known = self._lanes.find(place) is lane
        self._emit(
            ModerationFlaggedEvent.model_validate(
                {
                    "output_index": place.output_index,
                    "content_index": place.content_index,
                    "kind": place.kind,
                    "verdict": verdict,
                    "released": lane.offset(lane.released if released is None else released) if known else 0,
                    "action": action,
                    "cause": cause,
                }
            )
        )

    def _cut(self, flagged: Lane, verdict: Verdict, action: str, cause: str) -> None:
        """Stop everything at what is safe, and end the stream as a stream ends."""
        self._out.append(DropSource())
        taken: list[Lane] = []
        for place, lane in sorted(self._lanes, key=lambda pair: pair[1] is not flagged):
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
        self._flag(flagged, verdict, action, cause, flagged.kept())
        self._out += [self._copies.less(event, taken, self._ledger) for event in self._ledger.ending()]
        self._end(Fail(self._error(verdict, cause)) if action == "error" else Complete())

    def _error(self, verdict: Verdict, cause: str) -> ModerationError:
        why = {
            "flag": "a moderation check flagged the text",
            "check_error": "no moderation check gave a verdict, and unjudged text is not shown",
            "overflow": "more text was held than max_buffer allows, and unjudged text is not shown",
        }[cause]
        named = f" ({', '.join(verdict.categories)})" if cause == "flag" and verdict.categories else ""
        known = {"response_id": self._ledger.response_id, "sequence_number": self._ledger.last}
        return ModerationError(why + named, verdict=verdict, **known)

    def _end(self, order: Complete | Fail) -> None:
        self.over = True
        self.wake = None
        self._out.extend(map(CancelCheck, self._asked))
        self._asked.clear()
        self._out.append(order)

    # ------------------------------------------------------------------ too much, nothing more, and when next

    def _too_much(self, now: float) -> None:
        if not self._paused:
            self._paused = True
            self._out.append(Pause())
            for lane in self._lanes.all:
                lane.forced = True
            self._lanes.touched.extend(self._lanes.all)
            self._progress(now)
        elif self._held > 2 * self._terms.max_buffer:
            self._overflow(now)

    def _relieve(self, now: float) -> None:
        """Let the source go on once half of the buffer is free; give up where no check is left that could free it."""
        if self._held <= self._terms.max_buffer // 2:
            self._paused = False
            self._out.append(Resume())
            for lane in self._lanes.all:
                lane.forced = False
        elif not self._asked and self._held > self._terms.max_buffer:
            self._overflow(now)

    def _overflow(self, now: float) -> None:
        if self._terms.on_check_error == "pass":
            for lane in self._lanes.all:
                for check in lane.waive():
                    if self._asked.pop(check.id, None) is not None:
                        self._out.append(CancelCheck(check.id))
            for shelf in self._shelves.values():
                shelf.drain(lambda entry: self._step(entry, now))
            self._paused = False
            self._out.append(Resume())
        else:
            fullest = max(self._lanes.all, key=lambda lane: lane.text.length - lane.released)
            self._cut(fullest, _TOO_MUCH, str(self._terms.on_check_error), "overflow")

    def _idle(self) -> bool:
        return not any(self._shelves.values()) and all(lane.settled for lane in self._lanes.all)

    def _set_wake(self, now: float) -> None:
        times = [check.deadline for check in self._asked.values()]
        times += [due for lane in self._lanes.all if (due := lane.due(now)) is not None]
        wake = min(times, default=math.inf)
        self.wake = wake if wake < math.inf else None


_NO_VERDICT: Final = Verdict(flagged=True, categories=("rxstream/check_error",))
_TOO_MUCH: Final = Verdict(flagged=True, categories=("rxstream/overflow",))
