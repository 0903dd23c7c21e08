"""Every operator takes what a run emits. This file is checked by pyright and mypy, and never run."""

from typing import Any, assert_type

from pydantic import BaseModel
from reactivex import Observable, just

import rxstream
from rxstream import operators as rxs
from rxstream.events import Response, StreamingEvent, Usage
from rxstream.moderation import Blocklist
from rxstream.results import (
    EventGroup,
    FunctionCall,
    JsonSoFar,
    JsonValue,
    Metrics,
    Snapshot,
    TextAnnotation,
    TextSoFar,
    ToolCall,
)
from rxstream.tools import RunEvent, RunFinishedEvent, RunStreamEvent, ToolFinishedEvent

session = rxstream.Session()


class Recipe(BaseModel):
    title: str


def ask(items: list[Any]) -> Observable[StreamingEvent]:
    return session.response(model="m", input=items)


run = session.response(model="m", input="Hi").pipe(rxs.run_tools([], ask))
assert_type(run, Observable[StreamingEvent | RunEvent])
assert_type(run, Observable[RunStreamEvent])


def reading() -> None:
    assert_type(run.pipe(rxs.text_only()), Observable[str])
    assert_type(run.pipe(rxs.accumulate_text()), Observable[TextSoFar])
    assert_type(run.pipe(rxs.words()), Observable[str])
    assert_type(run.pipe(rxs.sentences()), Observable[str])
    assert_type(run.pipe(rxs.lines()), Observable[str])
    assert_type(run.pipe(rxs.annotations()), Observable[TextAnnotation])
    assert_type(run.pipe(rxs.refusals()), Observable[str])
    assert_type(run.pipe(rxs.reasoning_summary()), Observable[str])
    assert_type(run.pipe(rxs.reasoning_text()), Observable[str])
    assert_type(run.pipe(rxs.accumulate_function_args()), Observable[FunctionCall])
    assert_type(run.pipe(rxs.tool_calls()), Observable[ToolCall])
    assert_type(run.pipe(rxs.json_items("$[*]")), Observable[JsonValue])
    assert_type(run.pipe(rxs.partial_json()), Observable[JsonSoFar])
    assert_type(run.pipe(rxs.parse_output(Recipe, partial=False)), Observable[Recipe])
    assert_type(run.pipe(rxs.of_type(ToolFinishedEvent)), Observable[ToolFinishedEvent])
    assert_type(run.pipe(rxs.group_by_output_index()), Observable[EventGroup[int]])
    assert_type(run.pipe(rxs.group_by_content_part()), Observable[EventGroup[tuple[int, int]]])
    assert_type(run.pipe(rxs.final_response()), Observable[Response])
    assert_type(run.pipe(rxs.snapshots()), Observable[Snapshot])
    assert_type(run.pipe(rxs.usage()), Observable[Usage])
    assert_type(run.pipe(rxs.measure()), Observable[Metrics])


def passing() -> None:
    assert_type(run.pipe(rxs.measure(print)), Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.require_completed()), Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.well_formed()), Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.normalize()), Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.debounce_moderation(Blocklist(["bad"]))), Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.gate_until(just(False))), Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.coalesce(0.1)), Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.pace()), Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.timeouts()), Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.retry_transient()), Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.fallback_to(run)), Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.shared()), Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.tee_to_tape("a.tape")), Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.require_completed(), rxs.shared(), rxs.text_only(), rxs.words()), Observable[str])


async def sinks(handlers: rxstream.Handlers) -> None:
    run.subscribe(handlers)
    async for event in rxstream.iterate(run):
        if isinstance(event, RunFinishedEvent):
            assert_type(event.stopped_by, str)
