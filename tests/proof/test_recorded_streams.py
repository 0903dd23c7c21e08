"""The first operators on 424 streams that nobody here wrote, and on ten servers' dialects."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from reactivex import Observable

from rxstream import operators as rxs
from rxstream.events import FunctionCallItem, ResponseOutputItemDoneEvent, StreamingEvent, UnknownEvent
from rxstream.sse import Decoder
from tests._given import STREAMS, each_stream, manifest, needs, stream_bytes
from tests.operators._recorded import NAMES, WHOLE, recorded, run

pytestmark = needs(STREAMS)


def raw_events(pieces: Observable[bytes]) -> Observable[StreamingEvent]:
    return pieces.pipe(rxs.decode_sse(), rxs.parse_events())


def test_the_manifest_names_streams_that_are_whole() -> None:
    assert len(NAMES) == 424
    assert len(WHOLE) > 300


@each_stream(NAMES)
def test_every_stream_decodes_as_the_manifest_says(name: str) -> None:
    known = manifest()[name]
    frames = Decoder().feed(stream_bytes(name))
    came = run(frames, rxs.parse_events())
    counts: dict[str, int] = defaultdict(int)
    for event in came:
        counts[event.type] += 1
    assert dict(counts) == known["event_counts"]
    assert len(came) == known["events"]


@each_stream(NAMES)
def test_a_last_frame_that_only_lacks_its_blank_line_is_not_lost(name: str) -> None:
    known = manifest()[name]
    came = run([stream_bytes(name)], raw_events)
    assert len(came) == known["events"] + (not known["sse"]["final_blank_line"])


@each_stream(NAMES)
def test_one_step_gives_what_three_give(name: str) -> None:
    data = stream_bytes(name)
    for step in (1, 4096) if len(data) < 4_000 else (997,):
        pieces = [data[start : start + step] for start in range(0, len(data), step)]
        raw = run(pieces, raw_events)
        assert run(pieces, rxs.decode_events(normalize=False)) == raw
        assert run(pieces, rxs.decode_events()) == run(raw, rxs.normalize())


@each_stream(NAMES)
def test_normalize_leaves_what_came_right_alone(name: str) -> None:
    """The very same objects, unless the manifest says that the stream is broken."""
    raw = run([stream_bytes(name)], raw_events)
    repaired = run(raw, rxs.normalize())
    if not manifest()[name]["stream_invariants_broken"]:
        assert [id(event) for event in repaired] == [id(event) for event in raw]
    else:
        kept = [event for event in repaired if not event.synthetic]
        assert len(kept) == len(raw)


@each_stream(WHOLE)
def test_text_joins_to_the_final_text(name: str) -> None:
    came = recorded(name)
    response = came[-1].response  # type: ignore[union-attr]
    joined = "".join(run(came, rxs.text_only()))
    assert joined == "".join(
        part.text
        for item in response.output
        if item.type == "message"
        for part in item.content
        if part.type == "output_text"
    )
    so_far = run(came, rxs.accumulate_text())
    assert (so_far[-1].text if so_far else "") == joined


@each_stream(WHOLE)
def test_function_calls_equal_those_of_the_final_response(name: str) -> None:
    came = recorded(name)
    response = came[-1].response  # type: ignore[union-attr]
    calls = run(came, rxs.accumulate_function_args())
    assert sorted((call.output_index, call.call_id, call.name, call.arguments) for call in calls) == [
        (index, item.call_id, item.name, item.arguments)
        for index, item in enumerate(response.output)
        if isinstance(item, FunctionCallItem)
    ]
    for call in calls:
        assert isinstance(call.parse(), dict)


def index_of(event: StreamingEvent) -> int | None:
    data: Any = event.data if isinstance(event, UnknownEvent) else event.model_dump()
    return data.get("output_index")


@each_stream(WHOLE)
def test_each_group_holds_exactly_its_items_events(name: str) -> None:
    came = recorded(name)
    groups = run(came, rxs.group_by_output_index())
    expected: dict[int, list[StreamingEvent]] = defaultdict(list)
    for event in came:
        index = index_of(event)
        if index is not None:
            expected[index].append(event)
    held: dict[int, list[StreamingEvent]] = defaultdict(list)
    for group in groups:
        group.subscribe(held[group.key].append)
        done = [event for event in expected[group.key] if isinstance(event, ResponseOutputItemDoneEvent)]
        assert group.item == done[-1].item
    assert held == expected


@each_stream(WHOLE)
def test_the_final_response_is_the_terminal_events(name: str) -> None:
    came = recorded(name)
    assert run(came, rxs.final_response()) == [came[-1].response]  # type: ignore[union-attr]
