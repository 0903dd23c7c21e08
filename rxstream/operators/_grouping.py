"""Which item does it belong to: one Observable for each output item or content part."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Generic, TypeVar

from reactivex import GroupedObservable, Observable, abc
from reactivex.disposable import RefCountDisposable, SingleAssignmentDisposable

from rxstream.events import (
    ItemEvent,
    OutputItem,
    PartEvent,
    ResponseContentPartDoneEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    StreamingEvent,
    UnknownEvent,
)
from rxstream.rx._fan_out import Fanout
from rxstream.rx._lift import of_events
from rxstream.rx._observable import PushObservable
from rxstream.typing import Operator

_K = TypeVar("_K", bound=Hashable)


class EventGroup(GroupedObservable[_K, StreamingEvent], Generic[_K]):
    """The events of one output item or content part: a `GroupedObservable` whose key is the place.

    A late subscriber first gets the earlier events. `item` is the item of the last event that had it, else None.
    """

    __iter__ = None  # as in PushObservable

    def __init__(self, key: _K, events: Fanout[StreamingEvent], reference: RefCountDisposable) -> None:
        def subscribe(
            observer: abc.ObserverBase[StreamingEvent], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            return events.subscribe(observer)

        super().__init__(key, Observable(subscribe), reference)
        self.item: OutputItem | None = None


def group_by_output_index() -> Operator[StreamingEvent, EventGroup[int]]:
    """Split the stream into one Observable for each output item, keyed by `output_index`.

    Marbles::

        source   -C-M-1F:look-a-1f:{}-b-I-1I-|
        result   ---x-y----------------------|
        x        ---M---------a-------b-(I|)
        y        -----1F:look---1f:{}-----(1I|)

    Each group emits exactly its item's events, from `output_item.added` to `output_item.done`, and completes then (or
    with the source). `group.item` is the item. A late subscriber first gets the earlier events. Events without an item
    (`response.created`, …) are in no group.

    Emits: an `EventGroup` at the first event of each item. Completes: with the source, all groups too.
    Errors: the source's, to all groups too. Disposing: the source goes on until the last group is disposed.
    Memory: the events of each group, as long as the group itself is kept.
    """
    return _group("group_by_output_index", _output_index, int, ResponseOutputItemDoneEvent)


def group_by_content_part() -> Operator[StreamingEvent, EventGroup[tuple[int, int]]]:
    """Split the stream into one Observable for each content part, keyed by `(output_index, content_index)`.

    Marbles::

        source   -M-B-a-0.1B-b-0.1:c-E---0.1E-I-|
        result   ---x---y-----------------------|
        x        ---B-a------b-------(E|)
        y        -------0.1B---0.1:c-----(0.1E|)

    Each group emits exactly its part's events, from `content_part.added` to `content_part.done`, and completes then (or
    with the source). `group.item` is the item of the part, as far as it has come.

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


def _group(
    name: str, place: Callable[[StreamingEvent], _K | None], item: Callable[[_K], int], last: type[StreamingEvent]
) -> Operator[StreamingEvent, EventGroup[_K]]:
    check = of_events(name)

    def operator(source: Observable[StreamingEvent]) -> Observable[EventGroup[_K]]:
        def subscribe(
            observer: abc.ObserverBase[EventGroup[_K]], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            open_groups: dict[_K, Fanout[StreamingEvent]] = {}
            items: dict[int, OutputItem] = {}
            handles: dict[int, list[EventGroup[_K]]] = {}
            subscription = SingleAssignmentDisposable()
            reference = RefCountDisposable(subscription)

            def on_next(event: StreamingEvent) -> None:
                key = place(event)
                if isinstance(event, (ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent)):
                    items[event.output_index] = event.item
                    for handle in handles.get(event.output_index, ()):
                        handle.item = event.item
                if key is None:
                    try:
                        check(event)
                    except TypeError as error:
                        subscription.dispose()
                        on_error(error)
                        return
                else:
                    events = open_groups.get(key)
                    if events is None:
                        events = open_groups[key] = Fanout()
                        handle = EventGroup(key, events, reference)
                        handle.item = items.get(item(key))
                        handles.setdefault(item(key), []).append(handle)
                        observer.on_next(handle)
                    events.on_next(event)
                    if isinstance(event, last):
                        del open_groups[key]
                        events.on_completed()
                if isinstance(event, ResponseOutputItemDoneEvent):
                    handles.pop(event.output_index, None)  # each holds all its events in memory

            def on_error(error: Exception) -> None:
                for events in open_groups.values():
                    events.on_error(error)
                observer.on_error(error)

            def on_completed() -> None:
                for events in open_groups.values():
                    events.on_completed()
                observer.on_completed()

            subscription.disposable = source.subscribe(on_next, on_error, on_completed, scheduler=scheduler)
            return reference

        return PushObservable(subscribe)

    return operator
