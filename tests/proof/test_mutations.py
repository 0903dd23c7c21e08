"""Recorded streams with one field changed: from every operator come values and errors of rxstream, and nothing else."""

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import reactivex
from reactivex.scheduler import ImmediateScheduler

from rxstream import operators as rxs
from rxstream.errors import RxStreamError
from rxstream.events import StreamingEvent, parse_event
from rxstream.response.decoding._normalize import Normalize
from rxstream.sse import Decoder
from tests._given import manifest, recordings, stream_bytes
from tests.thinned import tries

VALUES: list[Any] = [
    *(None, True, 0, 7, -1, 1.5, "", "x"),
    *([], ["x"], [["x"]], [None], {}, {"a": 1}, {"type": "x"}, {"text": "y"}),
]
OPERATORS: dict[str, Any] = {
    "text_only": rxs.text_only(),
    "accumulate_text": rxs.accumulate_text(),
    "sentences": rxs.sentences(),
    "annotations": rxs.annotations(),
    "refusals": rxs.refusals(),
    "reasoning_summary": rxs.reasoning_summary(),
    "reasoning_text": rxs.reasoning_text(),
    "accumulate_function_args": rxs.accumulate_function_args(),
    "accumulate_function_args(partial=True)": rxs.accumulate_function_args(partial=True),
    "tool_calls": rxs.tool_calls(),
    "partial_json": rxs.partial_json(),
    "parse_output": rxs.parse_output(dict),
    "json_items": rxs.json_items("$[*]"),
    "group_by_output_index": rxs.group_by_output_index(),
    "group_by_content_part": rxs.group_by_content_part(),
    "final_response": rxs.final_response(),
    "require_completed": rxs.require_completed(),
    "snapshots": rxs.snapshots(),
    "usage": rxs.usage(),
    "well_formed": rxs.well_formed(),
    "measure": rxs.measure(every=None),
}
Path = tuple[str | int, ...]


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """The paths to all values in a JSON value, but for itself."""
    entries: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for key, entry in entries:
        yield (*at, key)
        yield from paths(entry, (*at, key))


def changed(value: Any, path: Path, rng: random.Random) -> Any:
    """The value without the field at the path, or with another value there."""
    copy = json.loads(json.dumps(value))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    if rng.random() < 0.2:
        del holder[path[-1]]
    else:
        holder[path[-1]] = rng.choice(VALUES)
    return copy


def mutant(events: list[dict[str, Any]], rng: random.Random) -> list[dict[str, Any]]:
    """The events with one changed, repeated or moved."""
    events = list(events)
    index = rng.randrange(len(events))
    match rng.randrange(8):
        case 0:
            events.insert(rng.randrange(len(events)), events[index])
        case 1:
            events.insert(rng.randrange(len(events)), events.pop(index))
        case _:
            path = rng.choice(list(paths(events[index])))
            events[index] = changed(events[index], path, rng)
    return events


def read(value: Any) -> None:
    """Read what a value makes only when it is read."""
    for name in ("response", "text", "value", "input"):
        if hasattr(type(value), name):
            getattr(value, name)
    repr(value)
    if hasattr(value, "model_dump_json"):
        value.model_dump_json()


def failures(events: list[StreamingEvent]) -> Iterator[str]:
    """The operators that ended with another error than those of rxstream."""
    for name, operator in OPERATORS.items():
        errors: list[Exception] = []
        reactivex.from_iterable(events, scheduler=ImmediateScheduler()).pipe(operator).subscribe(read, errors.append)
        yield from (f"{name}: {error!r}" for error in errors if not isinstance(error, RxStreamError))


@pytest.mark.parametrize("seed", range(4))
def test_a_changed_field_never_raises_another_error(seed: int) -> None:
    rng = random.Random(seed)
    streams = [*map(stream_bytes, sorted(manifest())), *(path.read_bytes() for path in recordings())]
    short = [stream for stream in streams if len(stream) < 20_000]
    for _ in range(tries(20, 60)):
        decoder = Decoder()
        frames = [*decoder.feed(rng.choice(short)), *decoder.close()]
        sent = [json.loads(frame.data) for frame in frames if frame.data.startswith("{")]
        if not sent:
            continue
        events = mutant(sent, rng)
        core = Normalize()
        raw = [parse_event(json.dumps(event)) for event in events]
        normal = [event for each in raw for event in core.feed(each)]
        assert [*failures(normal), *failures(raw)] == []
