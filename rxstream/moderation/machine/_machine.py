"""The moderator of one stream: events and verdicts in; events and commands out.

A pure machine: it reads no clock (`now` is an argument, in seconds), runs no check and never waits. `feed`,
`check_ended`, `tick`, `source_completed`, `source_failed` and `overflow` each return what to emit and to do, in order.
After each of them, call `tick` at the time `wake` or before.
"""

from collections.abc import Sequence
from typing import Any

from rxstream.events import StreamingEvent, UnknownEvent
from rxstream.moderation.machine._commands import Complete, Fail, Pause, Resume
from rxstream.moderation.machine._lane import EARLY, Lane
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._queues import Entry, HeldDeltas, HeldEvent, ItemQueue, RowKey
from rxstream.moderation.machine._slots import ROUTES, Route
from rxstream.moderation.machine._verdict_handling import Output, VerdictHandling
from rxstream.moderation.machine._window import TextPlace, Verdict

_NO_QUEUES: frozenset[int | None] = frozenset()


class _DeltaLane:
    """The lane of a delta and its place in the queues. Kept, because deltas are the most frequent events."""

    __slots__ = ("held", "lane", "row")

    def __init__(self, lane: Lane, row: RowKey) -> None:
        self.lane = lane
        self.row = row
        self.held: HeldDeltas | None = None


class Moderator(VerdictHandling):
    """See the module. One instance for one subscription."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._shortest_wait = min(options.quiet, options.max_delay)
        self._immediate = self._shortest_wait <= EARLY
        self._queues: dict[int | None, ItemQueue] = {}
        """Output index -> the events held for this item; the key of events of no item is None. No queue is empty."""
        self._queues_of_lane: dict[Lane, set[int | None]] = {}
        """The queues with an event that waits for the lane."""
        self._ready_queues: set[int | None] = set()
        """The queues that may have something to emit now."""
        self._delta_lanes: dict[tuple[int | None, int, str], _DeltaLane] = {}
        self._has_output = False
        """Whether any output of the model has arrived."""
        self._final_event: HeldEvent | None = None
        """The held terminal event or `error` event: it is emitted after all other held events."""
        self._late_events: list[StreamingEvent] = []
        """The events that arrived after the final event."""
        self._source_done = False
        self._held_chars = 0
        self._paused = False

    # ------------------------------------------------------------------ inputs

    def feed(self, event: StreamingEvent, now: float) -> Sequence[Output]:
        """The source emitted an event."""
        outputs = self._outputs = []
        if self._final_event is not None:
            self._late_events.append(event)
        elif not self.ended and not self._handle(event, now):
            self._progress(now)
        return outputs

    def check_ended(self, id: int, verdict: Verdict | None, now: float) -> Sequence[Output]:
        """A check returned a verdict, or None if it failed. The verdict of a check that is not running is ignored."""
        outputs = self._outputs = []
        check = self._running_checks.pop(id, None)
        if self.ended or check is None:
            return outputs
        lane = check.lane
        call_next = lane.note_failure(check) if verdict is None else lane.note_verdict(check, verdict)
        if call_next:
            self._start_check(check, now)
        else:
            self._lanes.note_change(lane)
        self._progress(now)
        return outputs

    def tick(self, now: float) -> Sequence[Output]:
        """The time `wake` has come."""
        outputs = self._outputs = []
        if not self.ended:
            self._expire(now)
            self._lanes.changed.extend(self._lanes.busy)
            self._progress(now)
        if not self.ended:
            self._set_wake(now)
        return outputs

    def source_completed(self, now: float) -> Sequence[Output]:
        """The source completed."""
        outputs = self._outputs = []
        if not self.ended:
            self._source_done = True
            self._lanes.close_all()
            self._progress(now)
        return outputs

    def source_failed(self, error: Exception, now: float) -> Sequence[Output]:
        """The source failed. Unverified text is dropped; a held terminal event or `error` event is emitted."""
        outputs = self._outputs = []
        if not self.ended:
            self._retract()
            terminal: list[Any] = [self._final_event.event] if self._final_event is not None else []
            for event in (*terminal, *self._late_events):
                route = ROUTES.get(event.type)
                if type(event) is not UnknownEvent and route is not None and route.role in ("terminal", "error"):
                    self._emit(self._repeats.only_released(event, route, self._emitted))
            self._end(Fail(error))
        return outputs

    def overflow(self, now: float) -> Sequence[Output]:
        """More than `max_buffer` is held, and the source cannot be paused."""
        outputs = self._outputs = []
        if not self.ended:
            self._give_up(now)
            self._progress(now)
        return outputs

    # ------------------------------------------------------------------ events

    def _handle(self, event: Any, now: float) -> bool:
        """Handle an event of the source. Returns whether `_progress` is done."""
        route = ROUTES.get(event.type)
        if type(event) is UnknownEvent:
            self._handle_unknown(event, now)
        elif route is None or not self._repeats.concerns(event, route):
            return self._handle_unmoderated(event, now)
        elif route.role == "delta" and isinstance(event.delta, str):
            self._handle_delta(event, route, now)
            return True
        elif route.role == "header":
            has_output = self._has_output or event.response.output
            self._emit(
                self._repeats.only_released(event, route, self._emitted)
                if has_output and not self._optimistic
                else event
            )
        elif route.role in ("terminal", "error"):
            self._lanes.close_all()
            self._final_event = self._repeats.hold_terminal(event, route, self._emitted, now)
        elif route.role == "audio":
            if event.type == "response.audio.transcript.done":
                self._lanes.close(self._lanes.find_or_add(TextPlace(0, 0, "audio_transcript")))
            self._enqueue(None, ("audio", 0), self._repeats.hold_audio(event, route))
        else:
            row = (route.index_field, getattr(event, route.index_field, 0)) if route.role != "item" else None
            self._enqueue(event.output_index, row, self._repeats.hold_structural(event, route, now))
        return False

    def _handle_delta(self, event: Any, route: Route, now: float) -> None:
        index: int | None = getattr(event, "output_index", None)
        key = (index, getattr(event, route.index_field) if route.index_field else 0, route.kind)
        delta_lane = self._delta_lanes.get(key)
        if delta_lane is None:
            lane = self._lanes.find_or_add(TextPlace(index or 0, key[1], route.kind))
            delta_lane = self._delta_lanes[key] = _DeltaLane(lane, (route.index_field, key[1]))
        lane = delta_lane.lane
        self._has_output = True
        start = lane.text.length
        lane.append(event.delta, now)
        self._lanes.busy[lane] = None
        if self._optimistic:
            lane.released = lane.text.length
            self._emit(event)
        else:
            held, queue = delta_lane.held, self._queue(index)
            if held is None or queue.last(delta_lane.row) is not held:
                held = delta_lane.held = HeldDeltas(lane, start)
                queue.put(delta_lane.row, held)
                self._queues_of_lane.setdefault(lane, set()).add(index)
            held.add(event)
            self._held_chars += len(event.delta)
            if event.__dict__.get("logprobs"):
                self._repeats.note_logprobs(lane.place, event.logprobs)
        if self._immediate or lane.full or (self.wake is not None and now >= self.wake):
            self._lanes.changed.append(lane)
            self._progress(now)
        else:
            if not self._optimistic and (self._options.mode == "bounded" or lane.released < lane.safe):
                self._ready_queues.add(index)
                self._release(now)
            self._wake_at(now + self._shortest_wait)
        if self._held_chars > self._options.max_buffer and not self.ended:
            self._over_limit(now)

    def _handle_unknown(self, event: UnknownEvent, now: float) -> None:
        value = event.data.get("output_index")
        index = value if isinstance(value, int) else None
        self._enqueue(index, (event.type, 0), self._repeats.hold_unknown(event, index, now))

    def _handle_unmoderated(self, event: Any, now: float) -> bool:
        """An event of no moderated lane. It keeps its place among the events of its item."""
        index: int | None = getattr(event, "output_index", None)
        held = self._repeats.hold_unmoderated(event, index, now)
        if held.ready() and (index is None or self._optimistic or index not in self._queues):
            self._has_output |= index is not None
            self._emit(event)
            return True
        self._enqueue(index, None if index is not None else ("stream", 0), held)
        return False

    def _enqueue(self, index: int | None, row: RowKey | None, held_event: HeldEvent) -> None:
        """Hold an event until it may be emitted, which may be now."""
        self._has_output = True
        if self._optimistic:
            self._emit_event(held_event)
            return
        self._queue(index).put(row, held_event)
        self._ready_queues.add(index)
        for lane in held_event.lanes():
            self._queues_of_lane.setdefault(lane, set()).add(index)

    def _queue(self, index: int | None) -> ItemQueue:
        queue = self._queues.get(index)
        if queue is None:
            queue = self._queues[index] = ItemQueue()
        return queue

    # ------------------------------------------------------------------ progress

    def _progress(self, now: float) -> None:
        """Act on verdicts, start checks, emit what may be emitted; end if nothing is left to do."""
        changed = self._lanes.changed
        while not self.ended:
            lanes: list[Lane] = []
            while changed:
                lane = changed.pop()
                self._run_checks(lane, now)
                if self.ended:
                    return
                self._ready_queues |= self._queues_of_lane.get(lane, _NO_QUEUES)
                lanes.append(lane)
            self._release(now)
            for lane in lanes:
                self._wake_at(lane.due(now))
            if self._final_event is not None and (self._optimistic or (not self._queues and self._final_event.ready())):
                self._emit_final(now)
            elif not changed:
                break
        if self._paused and not self.ended:
            self._check_buffer(now)
        if not self.ended and self._source_done and self._final_event is None and not self._queues and self._all_idle():
            self._end(Complete())

    def _all_idle(self) -> bool:
        """Whether no lane has a check to start or to wait for."""
        busy = self._lanes.busy
        while busy and next(iter(busy)).idle:
            del busy[next(iter(busy))]
        return not busy

    def _release(self, now: float) -> None:
        """Emit what may leave the queues in `_ready_queues`."""
        while self._ready_queues:
            index = self._ready_queues.pop()
            queue = self._queues.get(index)
            if queue is None:
                continue
            queue.drain(lambda entry: self._emit_entry(entry, now))
            if not queue:
                del self._queues[index]

    def _emit_entry(self, entry: Entry, now: float) -> bool:
        """Emit as much of an entry as may be emitted. Returns whether that was all of it."""
        if isinstance(entry, HeldEvent):
            if not entry.ready():
                return False
            self._emit_event(entry)
            return True
        lane = entry.lane
        limit = min(lane.limit(now), entry.end)
        if limit > lane.released:
            delta = self._repeats.take_delta(entry, limit)
            if delta is not None:
                self._emit(delta)
            self._held_chars -= limit - lane.released
            lane.released = limit
        return lane.released >= entry.end

    def _emit_event(self, held_event: HeldEvent) -> None:
        event = held_event.event if self._optimistic else self._repeats.render(held_event)
        for lane, end in held_event.repeats:
            lane.released = max(lane.released, lane.text.length if end is None else end)
        if event is not None:
            self._emit(event)

    def _emit_final(self, now: float) -> None:
        """Emit the event that ends the response, and handle the events that arrived after it."""
        assert self._final_event is not None
        self._emit_event(self._final_event)
        self._final_event = None
        events, self._late_events = self._late_events, []
        for position, event in enumerate(events):
            self._handle(event, now)
            if self.ended:
                return
            if self._final_event is not None:
                self._late_events = events[position + 1 :]
                break
        if self._source_done:
            self._lanes.close_all()

    # ------------------------------------------------------------------ more than max_buffer

    def _over_limit(self, now: float) -> None:
        if not self._paused:
            self._paused = True
            self._outputs.append(Pause())
            for lane in self._lanes.busy:
                lane.check_at_once = True
            self._lanes.changed.extend(self._lanes.busy)
            self._progress(now)
        elif self._held_chars > 2 * self._options.max_buffer:
            self._give_up(now)

    def _check_buffer(self, now: float) -> None:
        """Resume the source once half of the buffer is free; give up if no running check can free it."""
        if self._held_chars <= self._options.max_buffer // 2:
            self._resume()
        elif not self._running_checks and self._held_chars > self._options.max_buffer:
            self._give_up(now)

    def _give_up(self, now: float) -> None:
        """Do what `on_check_error` says with the text that is held."""
        self._on_overflow()
        if not self.ended:
            self._ready_queues.update(self._queues)
            self._release(now)
            self._resume()

    def _resume(self) -> None:
        self._paused = False
        self._outputs.append(Resume())
        for lane in self._lanes.all:
            lane.check_at_once = False
