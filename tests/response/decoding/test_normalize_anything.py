"""A stream changed at random: nothing raises, nothing is lost, nothing is said twice."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.errors import RxStreamError
from rxstream.events import (
    FunctionCallItem,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextDeltaEvent,
    StreamingEvent,
    parse_event,
)
from rxstream.events._fields import TERMINAL
from rxstream.response.decoding._normalize import Normalize
from rxstream.results import Snapshot
from tests.event_builders import (
    arguments_delta,
    arguments_done,
    completed,
    created,
    item_added,
    item_done,
    make_event,
    part_added,
    part_done,
    text_delta,
    text_done,
)
from tests.response.decoding._normal import Json, calls, function, message, reasoning, text


def _base() -> list[StreamingEvent]:
    summary = {"output_index": 0, "summary_index": 0, "item_id": "rs"}
    of_calls = [{"output_index": 2, "item_id": "fc_c"}, {"output_index": 3, "item_id": "fc_d"}]
    at = {"output_index": 1, "content_index": 0, "item_id": "m"}
    return [
        created(),
        item_added(0, **reasoning()),
        make_event("response.reasoning_summary_part.added", **summary, part={"type": "summary_text", "text": ""}),
        make_event("response.reasoning_summary_text.delta", **summary, delta="hm"),
        make_event("response.reasoning_summary_text.done", **summary, text="hm"),
        item_done(0, **reasoning("hm")),
        item_added(1, **message()),
        part_added(**at),
        *(text_delta(letter, **at) for letter in "abc"),
        text_done("abc", **at),
        part_done("abc", **at),
        item_done(1, **message("abc")),
        item_added(2, **function("c")),
        item_added(3, **function("d")),
        *(arguments_delta("{}", **place) for place in of_calls),
        *(arguments_done("{}", **place) for place in of_calls),
        item_done(2, **function("c", "{}")),
        item_done(3, **function("d", "{}")),
        completed(reasoning("hm"), message("abc"), function("c", "{}"), function("d", "{}")),
    ]


_ODD: list[Any] = [None, -1, 0, 1, 2, 10**12, "0", "x", "", [], {}, 1.5, True, {"type": "message"}, "m", "fc_c"]


def _mangled(rng: random.Random) -> list[Json]:
    events = [event.model_dump() for event in _base()]
    for _ in range(rng.randint(1, 6)):
        position = rng.randrange(len(events))
        event = json.loads(json.dumps(events[position]))
        match rng.randrange(6):
            case 0:
                del events[position]
            case 1:
                events.insert(rng.randrange(len(events)), event)
            case 2:
                events.insert(rng.randrange(len(events)), events.pop(position))
            case 3:
                event.pop(rng.choice(list(event)), None)
                events[position] = event
            case 4:
                holder = rng.choice([event, *(value for value in event.values() if isinstance(value, dict))])
                holder[rng.choice([*holder, "output_index", "item_id"])] = rng.choice(_ODD)
                events[position] = event
            case _:
                name = rng.choice(["output_index", "content_index", "item_id", "summary_index"])
                events = [{key: value for key, value in event.items() if key != name} for event in events]
        if not events:
            return [event.model_dump() for event in _base()]
    return events


OPERATORS: list[Callable[[], Any]] = [
    rxs.accumulate_text,
    rxs.accumulate_function_args,
    lambda: rxs.accumulate_function_args(partial=True),
    rxs.tool_calls,
    rxs.snapshots,
    rxs.usage,
    rxs.reasoning_summary,
    rxs.annotations,
    rxs.well_formed,
    rxs.group_by_output_index,
    rxs.group_by_content_part,
    rxs.final_response,
]


@pytest.mark.parametrize("seed", range(200))
def test_whatever_comes_nothing_raises_and_nothing_is_lost(seed: int) -> None:
    rng = random.Random(seed)
    came = [parse_event(json.dumps(event)) for event in _mangled(rng)]
    core = Normalize()
    events = [made for event in came for made in core.feed(event)]

    put_in = ("response.output_item.added", "response.function_call_arguments.done")
    passed = [event for event in events if not (event.synthetic and event.type in put_in)]
    assert len(passed) == len(came), "each event that came passes once"

    before_the_end = itertools.takewhile(lambda event: not isinstance(event, TERMINAL), events)
    said = "".join(event.delta for event in before_the_end if isinstance(event, ResponseOutputTextDeltaEvent))
    heard = text(events)
    rest = iter(heard)
    assert all(letter in rest for letter in said), "no delta is lost"
    assert len(heard) <= len(said) + 6, "no text is said again and again"

    wanted = {
        event.item.call_id
        for event in came
        if isinstance(event, ResponseOutputItemDoneEvent)
        and isinstance(event.item, FunctionCallItem)
        and event.item.call_id
        and event.item.status != "incomplete"
    }
    made = [call_id for _, call_id, _ in calls(events)]
    assert wanted <= set(made), "no call is lost"
    assert len(set(filter(None, made))) == len(list(filter(None, made))), "no call is made twice"

    opened: dict[int, str] = {}
    for event in events:
        if isinstance(event, ResponseOutputItemAddedEvent):
            opened[event.output_index] = event.item.type
        elif isinstance(event, ResponseOutputTextDeltaEvent):
            assert event.output_index in opened, "no text outside an item"

    for operator in OPERATORS:
        failures: list[Exception] = []
        shown: list[object] = []
        reactivex.from_iterable(events).pipe(operator()).subscribe(
            lambda value, shown=shown: shown.append(value.response if isinstance(value, Snapshot) else repr(value)),
            failures.append,
        )
        assert all(isinstance(failure, RxStreamError) for failure in failures), (operator, failures)
