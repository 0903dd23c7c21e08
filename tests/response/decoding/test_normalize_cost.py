"""What an odd stream costs: the price of an event does not rise with their number."""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.events._fields import OUTPUT_TEXT
from rxstream.response._part_texts import PartTexts
from rxstream.response.decoding._normalize import Normalize
from rxstream.results import EventGroup
from tests.event_builders import (
    arguments_delta,
    completed,
    item_added,
    item_done,
    part_added,
    part_done,
    text_delta,
    text_done,
    text_part,
)
from tests.response.decoding._normal import function, message


@cache
def _without_indexes(count: int) -> list[StreamingEvent]:
    events = [item_added(None, **message(item_id=f"m{number}")) for number in range(count)]
    for number in range(count):
        events.append(part_added(item_id=f"m{number}", output_index=None, content_index=None))
        events.append(text_delta("a", item_id=f"m{number}", output_index=None, content_index=None))
        events.append(item_done(None, **message("a", f"m{number}")))
    return events


@cache
def _at_one_index(count: int) -> list[StreamingEvent]:
    events = [item_added(0, **function(f"c{number}")) for number in range(count)]
    events += [arguments_delta("{}", output_index=0, item_id=f"fc_c{number}") for number in range(count)]
    events += [item_done(0, **function(f"c{number}", "{}")) for number in range(count)]
    return events


@cache
def _never_ended(count: int) -> list[StreamingEvent]:
    events: list[StreamingEvent] = []
    for number in range(count):
        events += [
            item_added(number, **message(item_id=f"m{number}")),
            text_delta("a", output_index=number, content_index=0, item_id=None),
        ]
    return events


@cache
def _whole(count: int) -> list[StreamingEvent]:
    events: list[StreamingEvent] = []
    for number in range(count):
        at = {"output_index": number, "content_index": 0, "item_id": f"m{number}"}
        events += [
            item_added(number, **message(item_id=f"m{number}")),
            text_delta("a", **at),
            text_done("a", **at),
        ]
    events += [item_done(number, **message("a", f"m{number}")) for number in range(count)]
    events.append(completed(*(message("a", f"m{number}") for number in range(count))))
    return events


@cache
def _parts(count: int) -> list[StreamingEvent]:
    events = [item_added()]
    for number in range(count):
        events += [part_added(0, number, text="a"), text_delta("a", 0, number), part_done("a", 0, number)]
    events.append(item_done(0, *[text_part("a")] * count))
    return events


def _normalized(events: list[StreamingEvent]) -> None:
    core = Normalize()
    for event in events:
        core.feed(event)


def _texts(events: list[StreamingEvent]) -> None:
    core = PartTexts(OUTPUT_TEXT)
    for event in events:
        core.feed(event)
    core.finish()


def _grouped(events: list[StreamingEvent]) -> None:
    groups: defaultdict[int, list[object]] = defaultdict(list)

    def take(group: EventGroup[Any]) -> None:
        group.subscribe(groups[id(group)].append)

    reactivex.from_iterable(events).pipe(rxs.group_by_output_index()).subscribe(take)
    reactivex.from_iterable(events).pipe(rxs.group_by_content_part()).subscribe(take)


def _called(events: list[StreamingEvent]) -> None:
    reactivex.from_iterable(events).pipe(rxs.accumulate_function_args()).subscribe(lambda _: None)


@pytest.mark.parametrize("work", [_normalized, _texts, _grouped, _called], ids=lambda work: work.__name__.strip("_"))
@pytest.mark.parametrize(
    "make", [_without_indexes, _at_one_index, _never_ended, _whole, _parts], ids=lambda make: make.__name__.strip("_")
)
def test_the_price_of_an_event_does_not_rise(
    make: Callable[[int], list[StreamingEvent]], work: Callable[[list[StreamingEvent]], None]
) -> None:
    """Linear is 8, quadratic is 64; the CPU time of this process alone is looked at."""

    def price(count: int) -> float:
        events = make(count)
        best = float("inf")
        for _ in range(3):
            gc.disable()  # its own price does rise with what is alive
            began = time.process_time()
            work(events)
            best = min(best, time.process_time() - began)
            gc.enable()
        return best

    assert price(1000) < 24 * price(125) + 0.005
