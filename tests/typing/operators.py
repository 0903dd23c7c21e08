"""The type of what each operator emits. This file is checked by pyright and mypy, and never run."""

import asyncio
from typing import Any, Literal, assert_type

from pydantic import BaseModel, TypeAdapter
from reactivex import Observable, abc, just
from reactivex import operators as ops
from typing_extensions import TypedDict

import rxstream
from rxstream import operators as rxs
from rxstream.events import (
    ErrorEvent,
    Response,
    ResponseCompletedEvent,
    ResponseFailedEvent,
    ResponseOutputTextDeltaEvent,
    StreamingEvent,
    Usage,
)
from rxstream.moderation import Blocklist
from rxstream.results import (
    EventGroup,
    FunctionCall,
    FunctionCallProgress,
    HeartbeatEvent,
    ImageGenerationToolCall,
    JsonSoFar,
    JsonValue,
    Metrics,
    Partial,
    ShellToolCall,
    Snapshot,
    TextAnnotation,
    TextSoFar,
    ToolCall,
)
from rxstream.sse import Frame
from rxstream.tools import RunStreamEvent


class Recipe(BaseModel):
    title: str


class RecipeSoFar(BaseModel):
    title: str = ""


class OpenRecipe(TypedDict, total=False):
    title: str


class Step(BaseModel):
    text: str


session = rxstream.Session()
answer = session.response(model="gpt-4o", input="Hello.")
assert_type(answer, Observable[StreamingEvent])


def bytes_to_events(source: Observable[bytes], frames: Observable[Frame]) -> None:
    assert_type(source.pipe(rxs.decode_sse()), Observable[Frame])
    assert_type(source.pipe(rxs.decode_events()), Observable[StreamingEvent])
    assert_type(frames.pipe(rxs.parse_events()), Observable[StreamingEvent])
    assert_type(answer.pipe(rxs.normalize()), Observable[StreamingEvent])
    assert_type(source.pipe(rxs.decode_sse(), rxs.parse_events(), rxs.normalize(), rxs.text_only()), Observable[str])


def which() -> None:
    assert_type(answer.pipe(rxs.of_type(ResponseCompletedEvent)), Observable[ResponseCompletedEvent])
    assert_type(
        answer.pipe(rxs.of_type(ResponseOutputTextDeltaEvent, ErrorEvent)),
        Observable[ResponseOutputTextDeltaEvent | ErrorEvent],
    )
    assert_type(
        answer.pipe(rxs.of_type(ResponseCompletedEvent, ResponseFailedEvent, ErrorEvent)),
        Observable[ResponseCompletedEvent | ResponseFailedEvent | ErrorEvent],
    )
    assert_type(
        answer.pipe(rxs.of_type(ResponseCompletedEvent, ResponseFailedEvent, ErrorEvent, ResponseOutputTextDeltaEvent)),
        Observable[ResponseCompletedEvent | ResponseFailedEvent | ErrorEvent | ResponseOutputTextDeltaEvent],
    )


def what_does_it_say() -> None:
    assert_type(answer.pipe(rxs.text_only()), Observable[str])
    assert_type(answer.pipe(rxs.accumulate_text()), Observable[TextSoFar])
    assert_type(answer.pipe(rxs.words()), Observable[str])
    assert_type(answer.pipe(rxs.sentences(keep_space=True)), Observable[str])
    assert_type(answer.pipe(rxs.lines(keep_ends=True)), Observable[str])
    assert_type(answer.pipe(rxs.refusals()), Observable[str])
    assert_type(answer.pipe(rxs.reasoning_summary()), Observable[str])
    assert_type(answer.pipe(rxs.reasoning_text()), Observable[str])
    assert_type(answer.pipe(rxs.annotations()), Observable[TextAnnotation])


def what_does_it_want_done(flag: bool) -> None:
    assert_type(answer.pipe(rxs.run_tools([], lambda items: answer)), Observable[RunStreamEvent])
    assert_type(answer.pipe(rxs.accumulate_function_args()), Observable[FunctionCall])
    assert_type(answer.pipe(rxs.accumulate_function_args(partial=False)), Observable[FunctionCall])
    assert_type(
        answer.pipe(rxs.accumulate_function_args(partial=True)), Observable[FunctionCall | FunctionCallProgress]
    )
    assert_type(
        answer.pipe(rxs.accumulate_function_args(partial=flag)), Observable[FunctionCall | FunctionCallProgress]
    )
    assert_type(answer.pipe(rxs.tool_calls()), Observable[ToolCall])


def a_tool_call_is_told_by_its_kind_or_its_class(call: ToolCall, function: FunctionCall) -> None:
    if call.kind == "shell_call":
        assert_type(call, ShellToolCall)
        assert_type(call.commands, list[str])
    match call:
        case FunctionCall(name=name, done=True):
            assert_type(name, str)
            assert_type(call.parse(), dict[str, Any])
            assert_type(call.parse(Recipe), Recipe)
        case ImageGenerationToolCall():
            assert_type(call.kind, Literal["image_generation_call"])
            assert_type(call.preview, str | None)
        case _:
            assert_type(call.input, str)
    assert_type(function.parse(), dict[str, Any])
    assert_type(function.parse(Recipe), Recipe)


def what_shape(flag: bool, shape: TypeAdapter[Recipe | Step]) -> None:
    assert_type(answer.pipe(rxs.partial_json()), Observable[JsonSoFar])
    assert_type(answer.pipe(rxs.parse_output(Recipe)), Observable[Partial[Recipe] | Recipe])
    assert_type(answer.pipe(rxs.parse_output(Recipe, partial=True)), Observable[Partial[Recipe] | Recipe])
    assert_type(answer.pipe(rxs.parse_output(Recipe, partial=flag)), Observable[Partial[Recipe] | Recipe])
    assert_type(answer.pipe(rxs.parse_output(Recipe, partial=False)), Observable[Recipe])
    assert_type(answer.pipe(rxs.parse_output(list[Step], partial=False)), Observable[list[Step]])
    assert_type(answer.pipe(rxs.parse_output(shape, partial=False)), Observable[Recipe | Step])
    assert_type(
        answer.pipe(rxs.parse_output(Recipe, partial=RecipeSoFar)), Observable[Partial[Recipe, RecipeSoFar] | Recipe]
    )
    assert_type(
        answer.pipe(rxs.parse_output(Recipe, partial=OpenRecipe)), Observable[Partial[Recipe, OpenRecipe] | Recipe]
    )
    assert_type(
        answer.pipe(rxs.parse_output(Recipe, partial=shape)), Observable[Partial[Recipe, Recipe | Step] | Recipe]
    )
    assert_type(answer.pipe(rxs.parse_output(Recipe, partial=False, context={"unit": "g"})), Observable[Recipe])
    assert_type(answer.pipe(rxs.json_items("steps[*]")), Observable[JsonValue])
    assert_type(answer.pipe(rxs.json_items("steps[*]", Step)), Observable[Step])
    assert_type(answer.pipe(rxs.json_items("steps[*]", shape)), Observable[Recipe | Step])


def a_partial_is_told_from_the_model(one: Partial[Recipe] | Recipe) -> None:
    if isinstance(one, Partial):
        assert_type(one.value, JsonValue)
        assert_type(one.as_model(), Recipe | None)
        assert_type(one.finished_paths, list[str])
    else:
        assert_type(one, Recipe)


def a_partial_has_the_value_of_its_shape(
    one: Partial[Recipe, RecipeSoFar] | Recipe, other: Partial[Recipe, OpenRecipe] | Recipe
) -> None:
    if isinstance(one, Partial):
        assert_type(one.value, RecipeSoFar)
        assert_type(one.value.title, str)
        assert_type(one.as_model(), Recipe | None)
    else:
        assert_type(one, Recipe)
    match other:
        case Partial():
            assert_type(other.value, OpenRecipe)
            assert_type(other.value.get("title"), str | None)
        case Recipe():
            assert_type(other, Recipe)


def each_partial_in_a_loop() -> None:
    for one in rxstream.iterate(answer.pipe(rxs.parse_output(Recipe, partial=RecipeSoFar))):
        title = one.value.title if isinstance(one, Partial) else one.title
        assert_type(title, str)


def whose_is_it() -> None:
    groups = answer.pipe(rxs.group_by_output_index())
    assert_type(groups, Observable[EventGroup[int]])
    assert_type(answer.pipe(rxs.group_by_content_part()), Observable[EventGroup[tuple[int, int]]])
    assert_type(groups.pipe(ops.flat_map(texts_of)), Observable[str])


def texts_of(group: EventGroup[int]) -> Observable[str]:
    assert_type(group.key, int)
    return group.pipe(rxs.text_only())


def how_far_is_it() -> None:
    assert_type(answer.pipe(rxs.snapshots()), Observable[Snapshot])
    assert_type(answer.pipe(rxs.final_response()), Observable[Response])
    assert_type(answer.pipe(rxs.usage()), Observable[Usage])
    assert_type(answer.pipe(rxs.require_completed()), Observable[StreamingEvent])
    assert_type(answer.pipe(rxs.well_formed()), Observable[StreamingEvent])


def may_it_be_shown(texts: Observable[str]) -> None:
    check = Blocklist(["dynamite"])
    assert_type(texts.pipe(rxs.debounce_moderation_text(check)), Observable[str])
    answer.pipe(rxs.debounce_moderation(check), rxs.text_only())
    assert_type(answer.pipe(rxs.gate_until(just(False))), Observable[StreamingEvent])


def how_fast(texts: Observable[str], scheduler: abc.SchedulerBase) -> None:
    assert_type(answer.pipe(rxs.coalesce(0.05, scheduler=scheduler)), Observable[StreamingEvent])
    assert_type(texts.pipe(rxs.coalesce(0.05, 80)), Observable[str])
    assert_type(answer.pipe(rxs.pace("word", rate=20)), Observable[StreamingEvent])
    assert_type(answer.pipe(rxs.heartbeat(15, scheduler=scheduler)), Observable[StreamingEvent | HeartbeatEvent])
    assert_type(texts.pipe(rxs.pace("char", rate=200)), Observable[str])


def what_if_it_breaks() -> None:
    assert_type(answer.pipe(rxs.timeouts(first_event=10, between=5)), Observable[StreamingEvent])
    assert_type(answer.pipe(rxs.retry_transient(3)), Observable[StreamingEvent])
    assert_type(answer.pipe(rxs.fallback_to(session.response(model="gpt-4o-mini"))), Observable[StreamingEvent])
    assert_type(answer.pipe(rxs.shared()), Observable[StreamingEvent])


def how_did_it_go() -> None:
    assert_type(answer.pipe(rxs.measure()), Observable[Metrics])
    assert_type(answer.pipe(rxs.measure(print)), Observable[StreamingEvent])
    assert_type(answer.pipe(rxs.tee_to_tape("answer.tape")), Observable[StreamingEvent])
    assert_type(answer.pipe(rxs.probe("server")), Observable[StreamingEvent])
    assert_type(answer.pipe(rxs.probe("text", rxs.text_only())), Observable[str])


async def length(text: str) -> int:
    await asyncio.sleep(0)
    return len(text)


def await_in_the_chain() -> None:
    texts = answer.pipe(rxs.text_only())
    assert_type(texts.pipe(rxs.map_async(length, max_in_flight=4)), Observable[int])
    assert_type(texts.pipe(rxs.for_each_async(length)), Observable[str])


class Loud:
    def feed(self, value: str) -> tuple[bytes, ...]:
        return (value.upper().encode(),)

    def finish(self) -> tuple[bytes, ...]:
        return ()


def one_of_your_own() -> None:
    assert_type(answer.pipe(rxs.text_only(), rxs.lift(Loud)), Observable[bytes])


async def sinks() -> None:
    assert_type(await rxstream.result(answer.pipe(rxs.final_response())), Response)
    assert_type(await rxstream.result(answer.pipe(rxs.parse_output(Recipe, partial=False))), Recipe)
    for text in rxstream.iterate(answer.pipe(rxs.text_only())):
        assert_type(text, str)
    async for call in rxstream.iterate(answer.pipe(rxs.tool_calls())):
        assert_type(call, ToolCall)
