"""What the operators cost a delta, and that the price does not rise with the length of the answer.

    python tests/bench/operators.py [--rounds 5]

Prints µs of CPU a delta, the smallest of the rounds, and the ratios. Exits 1 where a bar is not met: at 32,000 deltas
at most 1.3 times what it is at 2,000; incremental JSON at most 6 µs a delta of four characters, and on 50 KB at least
15 times cheaper than `pydantic_core.from_json(text_so_far, allow_partial="trailing-strings")` after each delta; `lift`
at most 1.6 times a bare `map`; `group_by_output_index` no dearer than `group_by`; `traced` at most 0.9 µs a delta
without an SDK.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import Disposable

sys.path.insert(0, str(Path(__file__).resolve().parent))

from json_core import catalogue, deltas, live, price, reparsed

from rxstream import operators as rxs
from rxstream.events import StreamingEvent, parse_event
from rxstream.telemetry import Telemetry
from rxstream.typing import Operator

FEW, MANY = 2_000, 32_000
_COMPLETED = {"type": "response.completed", "response": {"id": "resp_1", "status": "completed"}}


# ---------------------------------------------------------------------- streams


def wire(kind: str, **fields: Any) -> StreamingEvent:
    return parse_event(json.dumps({"type": f"response.{kind}", "output_index": 0, "item_id": "it_1", **fields}))


@cache
def document(count: int) -> tuple[str, ...]:
    """So many deltas of four characters, of one document that is whole."""
    said = catalogue(count * 4 - 400)
    return tuple(deltas(said + " " * (count * 4 - len(said))))


@cache
def message(count: int) -> list[StreamingEvent]:
    """A message of so many deltas, JSON."""
    said = "".join(document(count))
    item = {"type": "message", "id": "it_1", "role": "assistant"}
    return [
        wire("created", response={"id": "resp_1", "status": "in_progress", "output": []}),
        wire("output_item.added", item={**item, "content": []}),
        wire("content_part.added", content_index=0, part={"type": "output_text", "text": ""}),
        *(wire("output_text.delta", content_index=0, delta=piece) for piece in document(count)),
        wire("output_text.done", content_index=0, text=said),
        wire("output_item.done", item={**item, "content": [{"type": "output_text", "text": said}]}),
        parse_event(json.dumps(_COMPLETED)),
    ]


@cache
def call(count: int) -> list[StreamingEvent]:
    """A function call with so many deltas of arguments."""
    said = "".join(document(count))
    item = {"type": "function_call", "id": "it_1", "call_id": "call_1", "name": "look"}
    return [
        wire("output_item.added", item=item),
        *(wire("function_call_arguments.delta", delta=piece) for piece in document(count)),
        wire("function_call_arguments.done", arguments=said),
        wire("output_item.done", item={**item, "arguments": said}),
    ]


@cache
def interleaved(count: int, items: int = 4) -> list[StreamingEvent]:
    """Deltas of several messages in turn."""
    return [
        *(wire("output_item.added", output_index=index, item={"type": "message"}) for index in range(items)),
        *(wire("output_text.delta", output_index=number % items, delta="word") for number in range(count)),
        *(wire("output_item.done", output_index=index, item={"type": "message"}) for index in range(items)),
    ]


def source_of(values: Iterable[Any]) -> Observable[Any]:
    """The barest source there is."""

    def subscribe(observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        on_next = observer.on_next
        for value in values:
            on_next(value)
        observer.on_completed()
        return Disposable()

    return Observable(subscribe)


# ---------------------------------------------------------------------- measuring


def nothing(value: object) -> None:
    pass


def failed(error: Exception) -> None:
    raise error


def cost(
    events: Sequence[Any],
    operator: Operator[Any, Any],
    rounds: int,
    *,
    times: int = 1,
    on_next: Callable[[Any], object] = nothing,
) -> float:
    """µs an event: the cheapest of the rounds."""
    best = float("inf")
    gc.collect()
    gc.freeze()  # what is measured is the operator, not a walk over the events that were made before
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(times):
            source_of(events).pipe(operator).subscribe(on_next, failed)
        best = min(best, time.process_time() - began)
    gc.unfreeze()
    return best / times / len(events) * 1e6


class _Same:
    def feed(self, value: Any) -> Iterable[Any]:
        return (value,)

    def finish(self) -> Iterable[Any]:
        return ()


def listened(groups: Callable[[Observable[Any]], Observable[Any]]) -> Operator[Any, Any]:
    """Groups, each with a subscriber."""

    def operator(source: Observable[Any]) -> Observable[Any]:
        return groups(source).pipe(ops.do_action(lambda group: group.subscribe(nothing, failed)))

    return operator


def value_of(one: Any) -> object:
    return getattr(one, "value", None)


LINEAR: dict[str, tuple[Callable[[int], list[StreamingEvent]], Operator[Any, Any], Callable[[Any], object]]] = {
    "accumulate_text": (message, rxs.accumulate_text(), nothing),
    "accumulate_function_args": (call, rxs.accumulate_function_args(), nothing),
    "accumulate_function_args(partial=True)": (call, rxs.accumulate_function_args(partial=True), nothing),
    "tool_calls": (call, rxs.tool_calls(), nothing),
    "snapshots": (message, rxs.snapshots(), nothing),
    "partial_json": (message, rxs.partial_json(), nothing),
    "partial_json, .value of each": (message, rxs.partial_json(), value_of),
    "parse_output": (message, rxs.parse_output(dict[str, Any]), nothing),
    "parse_output(partial=False)": (message, rxs.parse_output(dict[str, Any], partial=False), nothing),
    "json_items": (message, rxs.json_items("items[*]"), nothing),
    "words": (message, rxs.words(), nothing),
    "sentences": (message, rxs.sentences(), nothing),
    "lines": (message, rxs.lines(), nothing),
}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    rounds = arguments.parse_args().rounds
    missed = 0

    def row(name: str, figure: float, bar: float, unit: str, *, at_least: bool = False) -> None:
        nonlocal missed
        good = figure >= bar if at_least else figure <= bar
        missed += not good
        sign = "≥" if at_least else "≤"
        print(f"{'ok  ' if good else 'MISS'} {name:<58} {figure:8.2f} {unit:<5} (bar {sign} {bar:g})", flush=True)

    print(f"µs a delta of four characters: at {MANY:,} deltas over at {FEW:,}")
    for name, (make, operator, on_next) in LINEAR.items():
        few = cost(make(FEW), operator, rounds, times=8, on_next=on_next)
        many = cost(make(MANY), operator, rounds, on_next=on_next)
        row(f"{name}: {few:.2f} -> {many:.2f} µs", many / few, 1.3, "times")

    print("\nincremental JSON, 50 KB, the value looked at after each delta")
    pieces = deltas(catalogue(50_000))
    ours, theirs = price(live, pieces, rounds), price(reparsed, pieces, 1)
    row("a delta", ours, 6, "µs")
    row(f"against from_json of the text so far ({theirs:.0f} µs)", theirs / ours, 15, "times", at_least=True)

    print("\nagainst reactivex")
    values = list(range(20_000))
    bare, lifted = cost(values, ops.map(lambda value: value), rounds), cost(values, rxs.lift(_Same), rounds)
    row(f"lift / map: {lifted:.2f} / {bare:.2f} µs", lifted / bare, 1.6, "times")
    events = interleaved(8_000)
    theirs = cost(events, listened(ops.group_by(lambda event: event.output_index)), rounds)
    ours = cost(events, listened(rxs.group_by_output_index()), rounds)
    row(f"group_by_output_index / group_by: {ours:.2f} / {theirs:.2f} µs", ours / theirs, 1.0, "times")

    print("\nOpenTelemetry, µs a delta more than without")
    events = message(MANY)
    bare = cost(events, lambda source: source, rounds)
    row("traced, the API without an SDK", cost(events, Telemetry().traced(model="m"), rounds) - bare, 0.9, "µs")
    spans, points = TracerProvider(), MeterProvider([InMemoryMetricReader()])
    for gaps in (False, True):
        recorded = Telemetry(tracer_provider=spans, meter_provider=points, chunk_gaps=gaps).traced(model="m")
        print(f"     traced with the SDK, chunk_gaps={gaps}: {cost(events, recorded, rounds) - bare:.2f} µs")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
