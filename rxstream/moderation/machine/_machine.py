"""The moderator of one stream: events and verdicts in; events, and orders to the world, out.

A pure machine: it knows no clock (`now` is given, in seconds), starts no check (it gives the order) and never waits.
`feed`, `answer`, `tick`, `completed`, `failed` and `overflow` each return what is to be done, in order. After each of
them `wake` says when `tick` is to be called at the latest.
"""

from collections.abc import Sequence
from typing import Any

from rxstream.events import StreamingEvent, UnknownEvent
from rxstream.moderation.machine._gate import Entry, Held, RowKey, Run, Shelf
from rxstream.moderation.machine._judging import Judging, Output
from rxstream.moderation.machine._lane import EARLY, Lane
from rxstream.moderation.machine._slots import ROUTES, Route
from rxstream.moderation.machine._terms import Complete, Fail, Pause, Place, Resume, Terms, Verdict

_NOWHERE: frozenset[int | None] = frozenset()


class _Channel:
    """What the deltas of one lane need at hand."""

    __slots__ = ("index", "lane", "row", "run")

    def __init__(self, lane: Lane, index: int | None, row: RowKey) -> None:
        self.lane = lane
        self.index = index
        self.row = row
        self.run: Run | None = None


class Moderator(Judging):
    """See the module. One instance lives as long as one subscription."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        self._patience = min(terms.quiet, terms.max_delay)
        self._eager = self._patience <= EARLY
        self._shelves: dict[int | None, Shelf] = {}
        """Output index -> what waits for that item; None: what belongs to no item. Only those that are not empty."""
        self._waiting: dict[Lane, set[int | None]] = {}
        """The shelves where something waits for a lane."""
        self._ready: set[int | None] = set()
        """The shelves from which something may be shown now."""
        self._channels: dict[tuple[int | None, int, str], _Channel] = {}
        self._begun = False
        """Whether the model has said anything."""
        self._last: Held | None = None
        """The event that ends the response, while it waits for all the rest."""
        self._after: list[StreamingEvent] = []
        """What came behind it."""
        self._source_done = False
        self._held = 0
        self._paused = False

    # ------------------------------------------------------------------ what happens

    def feed(self, event: StreamingEvent, now: float) -> Sequence[Output]:
        """The source emitted."""
        out = self._out = []
        if self._last is not None:
            self._after.append(event)
        elif not self.over and not self._take(event, now):
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
            self._lanes.touch(check.lane)
        self._progress(now)
        return out

    def tick(self, now: float) -> Sequence[Output]:
        """Time has passed."""
        out = self._out = []
        if not self.over:
            self._expire(now)
            self._lanes.touched.extend(self._lanes.busy)
            self._progress(now)
        if not self.over:
            self._set_wake(now)
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
            self._retract()
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
            self._give_up(now)
            self._progress(now)
        return out

    # ------------------------------------------------------------------ events in

    def _take(self, event: Any, now: float) -> bool:
        """Take an event; return whether all was done that follows from it."""
        route = ROUTES.get(event.type)
        if type(event) is UnknownEvent:
            self._unknown(event, now)
        elif route is None or not self._copies.concerns(event, route):
            return self._plain(event, now)
        elif route.role == "delta" and isinstance(event.delta, str):
            self._delta(event, route, now)
            return True
        elif route.role == "header":
            begun = self._begun or event.response.output
            self._emit(self._copies.so_far(event, route, self._ledger) if begun and not self._ahead else event)
        elif route.role in ("terminal", "error"):
            self._lanes.close_all()
            self._last = self._copies.last(event, route, self._ledger, now)
        elif route.role == "audio":
            if event.type == "response.audio.transcript.done":
                self._lanes.close(self._lanes.at(Place(0, 0, "audio_transcript")))
            self._wait(None, ("audio", 0), self._copies.audio(event, route))
        else:
            row = (route.at, getattr(event, route.at, 0)) if route.role != "item" else None
            self._wait(event.output_index, row, self._copies.structural(event, route, now))
        return False

    def _delta(self, event: Any, route: Route, now: float) -> None:
        index: int | None = getattr(event, "output_index", None)
        key = (index, getattr(event, route.at) if route.at else 0, route.kind)
        channel = self._channels.get(key)
        if channel is None:
            lane = self._lanes.at(Place(index or 0, key[1], route.kind))
            channel = self._channels[key] = _Channel(lane, index, (route.at, key[1]))
        lane = channel.lane
        self._begun = True
        start = lane.text.length
        lane.append(event.delta, now)
        self._lanes.busy[lane] = None
        if self._ahead:
            lane.released = lane.text.length
            self._emit(event)
        else:
            run, shelf = channel.run, self._shelf(index)
            if run is None or shelf.last(channel.row) is not run:
                run = channel.run = Run(lane, start)
                shelf.put(channel.row, run)
                self._waiting.setdefault(lane, set()).add(index)
            run.add(event)
            self._held += len(event.delta)
            if event.__dict__.get("logprobs"):
                self._copies.note_logprobs(lane.place, event.logprobs)
        if self._eager or lane.full or (self.wake is not None and now >= self.wake):
            self._lanes.touched.append(lane)
            self._progress(now)
        else:
            if not self._ahead and (self._terms.mode == "bounded" or lane.released < lane.safe):
                self._ready.add(index)
                self._release(now)
            self._wake_at(now + self._patience)
        if self._held > self._terms.max_buffer and not self.over:
            self._too_much(now)

    def _unknown(self, event: UnknownEvent, now: float) -> None:
        given = event.data.get("output_index")
        index = given if isinstance(given, int) else None
        self._wait(index, (event.type, 0), self._copies.unknown(event, index, now))

    def _plain(self, event: Any, now: float) -> bool:
        """An event of no moderated lane: it keeps its place in its item, and follows what was said of none."""
        index: int | None = getattr(event, "output_index", None)
        held = self._copies.plain(event, index, now)
        if held.ready() and (index is None or self._ahead or index not in self._shelves):
            self._begun |= index is not None
            self._emit(event)
            return True
        self._wait(index, None if index is not None else ("stream", 0), held)
        return False

    def _wait(self, index: int | None, row: RowKey | None, held: Held) -> None:
        """Show an event when its turn has come, which may be now."""
        self._begun = True
        if self._ahead:
            self._show(held)
            return
        self._shelf(index).put(row, held)
        self._ready.add(index)
        for lane in held.lanes():
            self._waiting.setdefault(lane, set()).add(index)

    def _shelf(self, index: int | None) -> Shelf:
        shelf = self._shelves.get(index)
        if shelf is None:
            shelf = self._shelves[index] = Shelf()
        return shelf

    # ------------------------------------------------------------------ what can be done now

    def _progress(self, now: float) -> None:
        """Start checks, act on verdicts, show what may be shown, end."""
        touched = self._lanes.touched
        while not self.over:
            worked: list[Lane] = []
            while touched:
                lane = touched.pop()
                self._work(lane, now)
                if self.over:
                    return
                self._ready |= self._waiting.get(lane, _NOWHERE)
                worked.append(lane)
            self._release(now)
            for lane in worked:
                self._wake_at(lane.due(now))
            if self._last is not None and (self._ahead or (not self._shelves and self._last.ready())):
                self._show_last(now)
            elif not touched:
                break
        if self._paused and not self.over:
            self._relieve(now)
        if not self.over and self._source_done and self._last is None and not self._shelves and self._settled():
            self._end(Complete())

    def _settled(self) -> bool:
        """Whether no lane has anything left to ask."""
        busy = self._lanes.busy
        while busy and next(iter(busy)).settled:
            del busy[next(iter(busy))]
        return not busy

    def _release(self, now: float) -> None:
        while self._ready:
            index = self._ready.pop()
            shelf = self._shelves.get(index)
            if shelf is None:
                continue
            shelf.drain(lambda entry: self._step(entry, now))
            if not shelf:
                del self._shelves[index]

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
            self._take(event, now)
            if self.over:
                return
            if self._last is not None:
                self._after = waiting[at + 1 :]
                break
        if self._source_done:
            self._lanes.close_all()

    # ------------------------------------------------------------------ too much

    def _too_much(self, now: float) -> None:
        if not self._paused:
            self._paused = True
            self._out.append(Pause())
            for lane in self._lanes.busy:
                lane.forced = True
            self._lanes.touched.extend(self._lanes.busy)
            self._progress(now)
        elif self._held > 2 * self._terms.max_buffer:
            self._give_up(now)

    def _relieve(self, now: float) -> None:
        """Let the source go on once half of the buffer is free; give up where no check is left that could free it."""
        if self._held <= self._terms.max_buffer // 2:
            self._go_on()
        elif not self._asked and self._held > self._terms.max_buffer:
            self._give_up(now)

    def _give_up(self, now: float) -> None:
        self._too_full()
        if not self.over:
            self._ready.update(self._shelves)
            self._release(now)
            self._go_on()

    def _go_on(self) -> None:
        self._paused = False
        self._out.append(Resume())
        for lane in self._lanes.all:
            lane.forced = False
