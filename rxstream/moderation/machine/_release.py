"""The events of one response that are held, and their way out: in order, edited, once their texts are safe."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from rxstream.events import StreamingEvent
from rxstream.moderation.machine._commands import Step
from rxstream.moderation.machine._emitted_state import EmittedState
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._lanes import Lanes
from rxstream.moderation.machine._queue import Entry, HeldDeltas, HeldEvent, ItemQueue, RowKey
from rxstream.moderation.machine._rendering import render, take_delta
from rxstream.moderation.machine._response_texts import ResponseTexts, text_place
from rxstream.moderation.machine._routes import Route
from rxstream.moderation.machine._structure import is_structure

_QueuePlace: TypeAlias = tuple[int | None, RowKey | None]
"""The output index of a queue, and a row of it; None for an event of the whole item."""

HEADER: Final = Route("header")
"""The route of snapshots of the response after its output began. They wait for nothing."""


class Release:
    """See the module. Nothing is emitted before the response is `active`: those before it have ended."""

    def __init__(self, lanes: Lanes, texts: ResponseTexts, step: Step, *, active: bool, optimistic: bool) -> None:
        self.active = active
        self.emitted = EmittedState()
        self._first: deque[HeldEvent] = deque()
        """Snapshots from before the output. All others wait for them."""
        self._last: deque[HeldEvent] = deque()
        """The `error` events, and after them the terminal event. They wait for all others."""
        self._lanes = lanes
        self._texts = texts
        self._step = step
        self._optimistic = optimistic
        self._queues: dict[int | None, ItemQueue] = {}
        """Output index -> the events held for this item; the key of events of no item is None. No queue is empty."""
        self._waiting: dict[Lane, dict[_QueuePlace, None]] = {}
        """Where the first event waits for the lane."""
        self._changed: dict[_QueuePlace, None] = {}
        """Where something may be emitted now."""

    # ------------------------------------------------------------------ events in

    def put_delta(self, index: int | None, row: RowKey, lane: Lane, event: Any, start: int) -> None:
        """Hold a delta, together with those of its lane directly before it."""
        queue = self._queue(index)
        held_deltas = queue.last(row)
        if not isinstance(held_deltas, HeldDeltas) or held_deltas.lane is not lane:
            held_deltas = HeldDeltas(lane, start)
            queue.put(row, held_deltas)
            self._waiting.setdefault(lane, {})[index, row] = None
        held_deltas.add(event)
        self._step.held += held_deltas.count()

    def put(self, index: int | None, held_event: HeldEvent, row: RowKey | None = ("stream", 0)) -> None:
        """Hold an event until it may be emitted, which may be now."""
        if self._optimistic and not held_event.ends_call and self.flows(index):
            self._emit_event(held_event)
            return
        self._queue(index).put(row, held_event)
        self._step.held += held_event.size
        self._changed[index, row] = None

    def flows(self, index: int | None) -> bool:
        """Whether no event is held that the next one of this item has to wait for."""
        return self.active and not self._first and index not in self._queues

    def put_in_order(self, index: int | None, held_event: HeldEvent) -> None:
        """Hold an event that keeps its place among the events of its item."""
        if not held_event.fragments and self.flows(index):
            self.emit(held_event.event)
        else:
            self.put(index, held_event, ("stream", 0) if index is None else None)

    def put_first(self, held_event: HeldEvent) -> None:
        """Hold an event from before the output."""
        self._put_in(self._first, held_event)

    def put_last(self, held_event: HeldEvent) -> None:
        """Hold an `error` event or the terminal event."""
        self._put_in(self._last, held_event)

    def _put_in(self, row: deque[HeldEvent], held_event: HeldEvent) -> None:
        row.append(held_event)
        self._step.held += held_event.size

    def _queue(self, index: int | None) -> ItemQueue:
        queue = self._queues.get(index)
        if queue is None:
            queue = self._queues[index] = ItemQueue()
        return queue

    # ------------------------------------------------------------------ events out

    def note_lane(self, lane: Lane) -> None:
        """More of a lane may be released."""
        if lane in self._waiting:
            self._changed |= self._waiting.pop(lane)

    def activate(self) -> None:
        """The responses before this one have ended."""
        self.active = True
        self._note_all()
        self._lanes.changed.extend(self._lanes.all)

    @property
    def drained(self) -> bool:
        """Whether no event is held."""
        return not (self._queues or self._first or self._last)

    def run(self) -> None:
        """Emit what may leave the queues in which something changed, between the first events and the last."""
        if not self.active:
            return
        self._release_row(self._first)
        while self._changed and not self._first:
            changed, self._changed = self._changed, {}
            for index, row in changed:
                queue = self._queues.get(index)
                if queue is None:
                    continue
                for blocked_row, lane in queue.drain(row, self._emit_entry):
                    self._waiting.setdefault(lane, {})[index, blocked_row] = None
                if not queue:
                    del self._queues[index]
        if not self._queues and not self._first:
            self._release_row(self._last)

    def _release_row(self, row: deque[HeldEvent]) -> None:
        while row and self._awaited(row[0]) is None:
            self._release_event(row.popleft())

    def _awaited(self, held_event: HeldEvent) -> Lane | None:
        return None if self._optimistic and not held_event.ends_call else held_event.awaited()

    def run_all(self) -> None:
        self._note_all()
        self.run()

    def _note_all(self) -> None:
        for index, queue in self._queues.items():
            self._changed |= dict.fromkeys((index, row) for row in queue.first_rows)

    def drop_all(self) -> Sequence[Any]:
        """Drop what is held. Returns the `error` events, and the terminal event without unverified text.

        A `response.completed` is dropped too: without that text it would say that a part of the response is all of it.
        """
        self._queues.clear()
        self._first.clear()
        last = [held.event for held in self._last if held.event.type != "response.completed"]
        self._last.clear()
        return [event if event.type == "error" else self._texts.only_released(event) for event in last]

    def _emit_entry(self, entry: Entry) -> Lane | None:
        """Emit as much of an entry as may be emitted. Returns the lane that its rest waits for, if there is any."""
        if isinstance(entry, HeldEvent):
            lane = self._awaited(entry)
            if lane is None:
                self._release_event(entry)
            return lane
        lane = entry.lane
        limit = min(lane.limit(), entry.end)
        if limit > entry.next:
            delta = take_delta(entry, limit, self._texts.names)
            if delta is not None:
                self.emit(self._with_judged_id(delta))
            lane.note_emitted(limit)
        if lane.text.reaches(entry.next, entry.end):
            self._step.held -= entry.size
            return None
        self._step.held += entry.count()
        return lane

    def _with_judged_id(self, delta: Any) -> Any:
        """A delta, without an `item_id` that neither is structure nor has passed."""
        id: str = delta.__dict__.get("item_id") or ""
        if not id or id in self._texts.names or is_structure("item_id", id) or self._lanes.side_text_passed(id):
            return delta
        return delta.model_copy(update={"item_id": ""})

    def emit(self, event: Any) -> None:
        self.emitted.note(event)
        self._step.outputs.append(event)

    def _release_event(self, held_event: HeldEvent) -> None:
        self._step.held -= held_event.size
        self._emit_event(held_event)

    def _emit_event(self, held_event: HeldEvent) -> None:
        event, route = held_event.event, held_event.route
        if route is HEADER:
            event = self._texts.only_released(event)
        elif (held_event.ends_call or not self._optimistic) and (
            held_event.fragments or (route is not None and route.role == "annotation")
        ):
            event = self._rendered(held_event)
        for fragment in held_event.fragments:
            end = fragment.lane.text.length if fragment.end is None else fragment.end
            fragment.lane.shown = max(fragment.lane.shown, end)
        if event is not None:
            self.emit(event)

    def _rendered(self, held_event: HeldEvent) -> Any | None:
        event, route = held_event.event, held_event.route
        if route is None or route.role not in ("annotation", "done"):
            return render(held_event, None, [])
        lane = self._lanes.find(text_place(event))
        if lane is None or route.role != "done" or route.kind != "text" or getattr(event, "logprobs", None):
            return render(held_event, lane, [])
        return render(held_event, lane, lane.logprobs)

    def closing_events(self, retracted: Iterable[Lane], refusal: str | None) -> Iterator[StreamingEvent]:
        """The events that close the response after a cut, without the text that was retracted."""
        lanes = list(retracted)
        for event in self.emitted.closing_events(refusal):
            yield self._texts.without_retracted(event, lanes) if lanes else event
