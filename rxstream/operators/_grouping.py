"""Which item does it belong to: one Observable for each output item or content part."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Any, Generic, TypeVar

from reactivex import GroupedObservable, Observable, abc
from reactivex.disposable import RefCountDisposable, SingleAssignmentDisposable

from rxstream.events import (
    Event,
    ItemEvent,
    OutputItem,
    PartEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    StreamingEvent,
    UnknownEvent,
)
from rxstream.response._responses import NOTED_EVENTS, BelongsTo, Responses
from rxstream.rx._checks import InputCheck, of_events, require_source
from rxstream.rx._fan_out import Fanout
from rxstream.rx._observable import PushObservable
from rxstream.typing import Operator

_K = TypeVar("_K", bound=Hashable)


class EventGroup(PushObservable[StreamingEvent], GroupedObservable[_K, StreamingEvent], Generic[_K]):
    """The events of one output item or content part: a `GroupedObservable` whose key is the place.

    A late subscriber first gets the earlier events. `item` is the item of the last event that had it, else None.
    `response_id` is the id of the response, empty if no event before had it.
    """

    def __init__(
        self, key: _K, events: Fanout[StreamingEvent], reference: RefCountDisposable, response_id: str
    ) -> None:
        def subscribe(
            observer: abc.ObserverBase[StreamingEvent], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            return events.subscribe(observer)

        super().__init__(key, Observable(subscribe), reference)
        self.item: OutputItem | None = None
        self.response_id = response_id


def group_by_output_index() -> Operator[Event, EventGroup[int]]:
    """Split the stream into one Observable for each output item, keyed by `output_index`.

    Marbles::

        source   -C-M-1F:look-a-1f:{}-b-I-1I-|
        result   ---x-y----------------------|
        x        ---M---------a-------b-(I|)
        y        -----1F:look---1f:{}-----(1I|)

    Each group emits exactly its item's events, from `output_item.added` to `output_item.done`, and completes then (or
    with its response). `group.item` is the item. A late subscriber first gets the earlier events. Events without an
    item (`response.created`, …) and those after the end of their item are in no group.

    Emits: an `EventGroup` at the first event of each item. Completes: with the source, all groups too.
    Errors: the source's, to all groups too. Disposing: the source goes on until the last group is disposed.
    Memory: the events of each group, as long as the group itself is kept.
    """
    return _group("group_by_output_index", _output_index, int, ResponseOutputItemDoneEvent)


def group_by_content_part() -> Operator[Event, EventGroup[tuple[int, int]]]:
    """Split the stream into one Observable for each content part, keyed by `(output_index, content_index)`.

    Marbles::

        source   -M-B-a-0.1B-b-0.1:c-E---0.1E-I-|
        result   ---x---y-----------------------|
        x        ---B-a------b-------(E|)
        y        -------0.1B---0.1:c-----(0.1E|)

    Each group emits exactly its part's events, from `content_part.added` to `content_part.done`, and completes then (or
    with its response). `group.item` is the item of the part so far. Events after the end of their part are in no group.

    Emits: an `EventGroup` at the first event of each part. Completes: with the source, all groups too.
    Errors: the source's, to all groups too. Disposing: the source goes on until the last group is disposed.
    Memory: the events of each group, as long as the group itself is kept.
    """
    return _group("group_by_content_part", _content_part, itemgetter(0), ResponseContentPartDoneEvent)


def _output_index(event: StreamingEvent) -> int | None:
    if isinstance(event, (ItemEvent, ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent)):
        return event.output_index
    if isinstance(event, UnknownEvent):
        index = event.data.get("output_index")
        return index if isinstance(index, int) else None
    return None


def _content_part(event: StreamingEvent) -> tuple[int, int] | None:
    if isinstance(event, PartEvent):
        return event.output_index, event.content_index
    if isinstance(event, UnknownEvent):
        index, part = event.data.get("output_index"), event.data.get("content_index")
        return (index, part) if isinstance(index, int) and isinstance(part, int) else None
    return None


class _Grouping(Generic[_K]):
    """One subscription: the open groups of the response, and the keys of the groups that have ended."""

    def __init__(
        self,
        observer: abc.ObserverBase[EventGroup[_K]],
        reference: RefCountDisposable,
        subscription: SingleAssignmentDisposable,
        key_of: Callable[[StreamingEvent], _K | None],
        index_of: Callable[[_K], int],
        last_event_type: type[StreamingEvent],
        check: InputCheck,
    ) -> None:
        self._observer = observer
        self._reference = reference
        self._subscription = subscription
        self._check = check
        self._key_of = key_of
        self._index_of = index_of
        self._last_event_type = last_event_type
        self._responses = Responses()
        self._open: dict[_K, Fanout[StreamingEvent]] = {}
        self._ended: set[_K] = set()
        self._items: dict[int, OutputItem] = {}
        self._groups: dict[int, list[EventGroup[_K]]] = {}
        """Index of an item that is not done -> its groups. Groups of other items are not kept: a group has its
        events."""

    def on_next(self, event: StreamingEvent) -> None:
        kind = type(event)
        if (self._responses.ended or kind in NOTED_EVENTS) and not self._note(event):
            return
        key = self._key_of(event)
        if key is None:
            self._refuse_other_values(event)
            return
        events = self._open.get(key)
        if events is None:
            events = self._open_group(key, event)
        if events is not None:
            events.on_next(event)
            if kind is self._last_event_type:
                del self._open[key]
                self._ended.add(key)
                events.on_completed()
        if isinstance(event, ResponseOutputItemDoneEvent):
            self._groups.pop(event.output_index, None)

    def _note(self, event: StreamingEvent) -> bool:
        """Note an event of a response or of a whole item. False if it is late."""
        belongs = self._responses.note(event)
        if belongs is BelongsTo.NEXT:
            self._end_all()
            self._ended.clear()
            self._items.clear()
            self._groups.clear()
        if isinstance(event, (ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent)):
            self._items[event.output_index] = event.item
            for group in self._groups.get(event.output_index, ()):
                group.item = event.item
        return belongs is not BelongsTo.LATE

    def _refuse_other_values(self, value: StreamingEvent) -> None:
        try:
            self._check(value)
        except TypeError as error:
            self._subscription.dispose()
            self.on_error(error)

    def on_error(self, error: Exception) -> None:
        for events in self._open.values():
            events.on_error(error)
        self._observer.on_error(error)

    def on_completed(self) -> None:
        self._end_all()
        self._observer.on_completed()

    def _end_all(self) -> None:
        for events in self._open.values():
            events.on_completed()
        self._open.clear()

    def _open_group(self, key: _K, event: StreamingEvent) -> Fanout[StreamingEvent] | None:
        """A new group; None if there was one, which has ended."""
        if key in self._ended and not isinstance(event, _BEGINS):
            return None
        events = self._open[key] = Fanout()
        index = self._index_of(key)
        group = EventGroup(key, events, self._reference, self._responses.response_id)
        group.item = self._items.get(index)
        self._groups.setdefault(index, []).append(group)
        self._observer.on_next(group)
        return events


_BEGINS = (ResponseOutputItemAddedEvent, ResponseContentPartAddedEvent)
"""Events that begin a group. Without `normalize`, a server may give several items one index."""


def _group(
    name: str,
    key_of: Callable[[StreamingEvent], _K | None],
    index_of: Callable[[_K], int],
    last_event_type: type[StreamingEvent],
) -> Operator[Event, EventGroup[_K]]:
    def operator(source: Observable[Any]) -> Observable[EventGroup[_K]]:
        require_source(source, name)

        def subscribe(
            observer: abc.ObserverBase[EventGroup[_K]], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            subscription = SingleAssignmentDisposable()
            reference = RefCountDisposable(subscription)
            grouping = _Grouping(observer, reference, subscription, key_of, index_of, last_event_type, of_events(name))
            subscription.disposable = source.subscribe(
                grouping.on_next, grouping.on_error, grouping.on_completed, scheduler=scheduler
            )
            return reference

        return PushObservable(subscribe)

    return operator
