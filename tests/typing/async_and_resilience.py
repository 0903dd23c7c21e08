"""What the operators that await, limit, share and record make of a type."""

from typing import assert_type

from reactivex import Observable

import rxstream
from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.sse import Frame


async def length(text: str) -> int:
    return len(text)


def awaiting(events: Observable[StreamingEvent]) -> None:
    assert_type(events.pipe(rxs.text_only(), rxs.map_async(length)), Observable[int])
    assert_type(events.pipe(rxs.text_only(), rxs.map_async(length, 4, ordered=False)), Observable[int])
    assert_type(events.pipe(rxs.text_only(), rxs.for_each_async(length)), Observable[str])


def resilience(events: Observable[StreamingEvent], frames: Observable[Frame]) -> None:
    assert_type(events.pipe(rxs.shared()), Observable[StreamingEvent])
    assert_type(events.pipe(rxs.shared(linger=30, buffer=8, overflow="conflate")), Observable[StreamingEvent])
    assert_type(events.pipe(rxs.timeouts(first_event=1), rxs.retry_transient(), rxs.text_only()), Observable[str])
    assert_type(events.pipe(rxs.fallback_to(events), rxs.text_only()), Observable[str])
    assert_type(events.pipe(rxs.tee_to_tape("tape.jsonl"), rxs.text_only()), Observable[str])
    assert_type(events.pipe(rxs.text_only(), rxs.shared()), Observable[str])
    assert_type(events.pipe(rxs.text_only(), rxs.timeouts(between=1), rxs.retry_transient()), Observable[str])
    assert_type(
        frames.pipe(rxs.tee_to_tape("tape.jsonl"), rxs.parse_events(), rxs.shared()), Observable[StreamingEvent]
    )


async def sinks(events: Observable[StreamingEvent]) -> None:
    texts = events.pipe(rxs.text_only())
    assert_type(list(rxstream.iterate(texts)), list[str])
    assert_type([text async for text in rxstream.iterate(texts)], list[str])
    assert_type(rxstream.result(texts).wait(), str)
    assert_type(await rxstream.result(texts), str)
