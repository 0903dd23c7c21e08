"""Every dialect becomes the API's own: what is repaired, what is left alone, and what nobody ever specified."""

from __future__ import annotations

import gc
import itertools
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.errors import ApiError, ResponseFailedError, RxStreamError
from rxstream.events import (
    ErrorEvent,
    FunctionCallItem,
    ItemEvent,
    ResponseCompletedEvent,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextDeltaEvent,
    StreamingEvent,
    UnknownEvent,
    parse_event,
)
from rxstream.events._fields import OUTPUT_TEXT, TERMINAL
from rxstream.response._ending import Ending
from rxstream.response._part_texts import PartTexts
from rxstream.response.decoding._normalize import Normalize
from rxstream.results import EventGroup, Snapshot

Json = dict[str, Any]

PART = {"type": "output_text", "text": "", "annotations": []}


def wire(kind: str, **fields: Any) -> Json:
    return {"type": f"response.{kind}", **fields}


def message(text: str | None = None, item_id: str = "m") -> Json:
    parts = [] if text is None else [{"type": "output_text", "text": text}]
    return {"type": "message", "id": item_id, "role": "assistant", "content": parts}


def function(call_id: str, arguments: str = "", **more: Any) -> Json:
    known = {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": call_id.upper()}
    return {**known, "arguments": arguments, **more}


def reasoning(text: str | None = None) -> Json:
    summary = [] if text is None else [{"type": "summary_text", "text": text}]
    return {"type": "reasoning", "id": "rs", "summary": summary}


def completed(*output: Json, **more: Any) -> Json:
    return wire("completed", response={"id": "r", "status": "completed", "output": list(output), **more})


def added(index: int | None, item: Any) -> Json:
    return wire("output_item.added", item=item) | ({} if index is None else {"output_index": index})


def done(index: int | None, item: Any) -> Json:
    return wire("output_item.done", item=item) | ({} if index is None else {"output_index": index})


def delta(text: str, **place: Any) -> Json:
    return wire("output_text.delta", delta=text, **place)


def arguments(piece: str, **place: Any) -> Json:
    return wire("function_call_arguments.delta", delta=piece, **place)


def normal(*events: Json) -> list[Any]:
    core = Normalize()
    return [made for event in events for made in core.feed(parse_event(json.dumps(event)))]


def piped(events: Iterable[StreamingEvent], operator: Any) -> list[Any]:
    values: list[Any] = []
    errors: list[Exception] = []
    reactivex.from_iterable(list(events)).pipe(operator).subscribe(values.append, errors.append)
    assert not errors, errors
    return values


def text(events: Iterable[StreamingEvent]) -> str:
    return "".join(piped(events, rxs.text_only()))


def calls(events: Iterable[StreamingEvent]) -> list[tuple[str, str, str]]:
    return [(call.name, call.call_id, call.arguments) for call in piped(events, rxs.accumulate_function_args())]


def places(events: Iterable[Any]) -> list[tuple[str, int]]:
    return [(event.type.removeprefix("response."), event.output_index) for event in events]


# ---------------------------------------------------------------------- left alone


def test_what_came_right_is_the_very_same_object() -> None:
    came = [
        added(0, reasoning()),
        wire(
            "reasoning_summary_part.added", output_index=0, summary_index=0, item_id="rs", part={"type": "summary_text"}
        ),
        wire("reasoning_summary_text.delta", output_index=0, summary_index=0, item_id="rs", delta="hm"),
        done(0, reasoning("hm")),
        added(1, message()),
        wire("content_part.added", output_index=1, content_index=0, item_id="m", part={"type": "output_text"}),
        delta("a", output_index=1, content_index=0, item_id="m"),
        wire("output_text.done", output_index=1, content_index=0, item_id="m", text="a"),
        wire(
            "content_part.done", output_index=1, content_index=0, item_id="m", part={"type": "output_text", "text": "a"}
        ),
        done(1, message("a")),
        added(2, {"type": "shell_call", "id": "sh", "call_id": "c"}),
        wire("shell_call_command.added", output_index=2, command_index=0, command=""),
        done(2, {"type": "shell_call", "id": "sh", "call_id": "c"}),
        completed(reasoning("hm"), message("a")),
    ]
    core = Normalize()
    for event in came:
        parsed = parse_event(json.dumps(event))
        (passed,) = core.feed(parsed)
        assert passed is parsed


def test_ids_that_are_all_the_same_decide_nothing() -> None:
    same = "__fake_id__"
    events = normal(
        added(0, message(item_id=same)),
        delta("a", output_index=0, content_index=0, item_id=same),
        added(1, {**function("c"), "id": same}),
        arguments("{}", output_index=1, item_id=same),
        wire(
            "content_part.done",
            output_index=0,
            content_index=0,
            item_id=same,
            part={"type": "output_text", "text": "a"},
        ),
        done(0, message("a", same)),
        done(1, {**function("c", "{}"), "id": same}),
    )
    assert [index for _, index in places(events)] == [0, 0, 1, 1, 0, 0, 1, 1]
    assert calls(events) == [("C", "c", "{}")]


def test_ids_that_change_in_every_event_decide_nothing() -> None:
    events = normal(
        added(0, message(item_id="1")),
        wire("content_part.added", output_index=0, content_index=0, item_id="2", part={"type": "output_text"}),
        delta("a", output_index=0, content_index=0, item_id="3"),
        done(0, message("a", "4")),
        wire("output_text.annotation.added", output_index=0, content_index=0, item_id="5", annotation={"type": "x"}),
        added(1, message(item_id="6")),
        delta("b", output_index=1, content_index=0, item_id="7"),
        done(1, message("b", "8")),
    )
    assert [index for _, index in places(events)] == [0, 0, 0, 0, 0, 1, 1, 1]
    assert not any(event.synthetic for event in events)


# ---------------------------------------------------------------------- whose is it


def test_an_item_that_ends_without_having_been_added_takes_no_other_items_place() -> None:
    """Two parallel calls of which one was added: both are made, each with its own arguments."""
    events = normal(
        added(0, function("a")),
        done(1, function("b", '{"b":1}')),
        done(0, function("a", '{"a":1}')),
    )
    assert calls(events) == [("B", "b", '{"b":1}'), ("A", "a", '{"a":1}')]
    assert places(events) == [
        ("output_item.added", 0),
        ("output_item.added", 1),
        ("function_call_arguments.done", 1),
        ("output_item.done", 1),
        ("function_call_arguments.done", 0),
        ("output_item.done", 0),
    ]


def test_calls_that_all_end_at_one_index() -> None:
    events = normal(*(done(0, function(name, f'{{"{name}":1}}')) for name in "abc"))
    assert calls(events) == [(name.upper(), name, f'{{"{name}":1}}') for name in "abc"]
    assert {event.output_index for event in events} == {0, 1, 2}


def test_calls_that_end_at_each_others_index_keep_their_own_arguments() -> None:
    events = normal(
        added(0, function("a")),
        added(1, function("b")),
        done(1, function("a", '{"a":1}')),
        done(0, function("b", '{"b":1}')),
    )
    assert sorted(calls(events)) == [("A", "a", '{"a":1}'), ("B", "b", '{"b":1}')]


def test_an_index_that_never_rises() -> None:
    def at(name: str) -> Json:
        return {"output_index": 0, "content_index": 0, "item_id": name}

    events = normal(
        *(added(0, message(item_id="m1")), delta("a", **at("m1")), done(0, message("a", "m1"))),
        *(added(0, message(item_id="m2")), delta("b", **at("m2")), done(0, message("b", "m2"))),
        *(added(0, function("c")), arguments("{}", output_index=0, item_id="fc_c"), done(0, function("c", "{}"))),
    )
    assert text(events) == "ab"
    assert calls(events) == [("C", "c", "{}")]
    assert [index for _, index in places(events)] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]


def test_a_second_message_in_the_place_of_one_that_has_ended() -> None:
    """Neither was ever added; only their ids tell them apart."""
    events = normal(
        delta("a", output_index=0, content_index=0, item_id="m1"),
        done(0, message("a", "m1")),
        delta("b", output_index=0, content_index=0, item_id="m2"),
        wire("output_text.done", output_index=0, content_index=0, item_id="m2", text="bc"),
        done(0, message("bc", "m2")),
    )
    assert text(events) == "abc"
    assert [index for _, index in places(events)] == [0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("item_id", ["m", None])
def test_a_message_in_the_place_of_the_reasoning_before_it(item_id: str | None) -> None:
    at = {"output_index": 0, "content_index": 0} | ({"item_id": item_id} if item_id else {})
    events = normal(
        added(0, reasoning()),
        wire("reasoning_summary_text.delta", output_index=0, item_id="rs", delta="hm"),
        done(0, reasoning("hm")),
        delta("a", **at),
        delta("b", **at),
        wire("content_part.done", **at, part={"type": "reasoning_text", "reasoning": "hm"}),
        done(0, message("ab", item_id or "")),
    )
    assert text(events) == "ab"
    kinds = places(events)
    assert kinds[:3] == [("output_item.added", 0), ("reasoning_summary_text.delta", 0), ("output_item.done", 0)]
    assert [kind for kind, _ in kinds[3:]] == [
        "output_item.added",
        "output_text.delta",
        "output_text.delta",
        "content_part.done",
        "output_item.done",
    ]
    assert {index for _, index in kinds[3:]} == {1}


def test_reasoning_that_a_server_counts_as_a_part_of_the_message_stays_there() -> None:
    at = {"output_index": 0, "item_id": "m"}
    events = normal(
        added(0, message()),
        wire("reasoning_text.delta", **at, content_index=0, delta="hm"),
        delta("a", **at, content_index=1),
    )
    assert places(events) == [("output_item.added", 0), ("reasoning_text.delta", 0), ("output_text.delta", 0)]


def test_what_a_snapshot_foretells_opens_the_item() -> None:
    """The name of a call may be told by `response.in_progress` alone."""
    so_far = {"id": "r", "output": [message("Hi"), function("a", status="ready")]}
    events = normal(
        delta("Hi", output_index=0, content_index=0, item_id="m"),
        wire("in_progress", response=so_far),
        arguments("{}", output_index=0, item_id="tool_0"),
        wire("function_call_arguments.done", output_index=0, id="tool_0", arguments="{}"),
    )
    assert calls(events) == [("A", "a", "{}")]
    opened = [event for event in events if isinstance(event, ResponseOutputItemAddedEvent)]
    assert [(event.output_index, event.item.type, event.synthetic) for event in opened] == [
        (0, "message", True),
        (1, "function_call", True),
    ]


def test_indexes_are_given_where_none_came() -> None:
    events = normal(
        added(None, reasoning()),
        added(None, message()),
        wire("content_part.added", item_id="m", part={"type": "output_text"}),
        wire("reasoning_text.delta", item_id="rs", delta="hm"),
        delta("a", item_id="m"),
        wire("content_part.added", item_id="m", part={"type": "output_text"}),
        delta("b", item_id="m"),
        added(None, function("c")),
        done(None, function("c", "{}")),
        done(None, reasoning()),
    )
    assert [index for _, index in places(events)] == [0, 1, 1, 0, 1, 1, 1, 2, 2, 2, 0]
    assert [event.content_index for event in events if isinstance(event, ResponseOutputTextDeltaEvent)] == [0, 1]


def test_the_number_of_a_part_follows_the_parts_that_were_added() -> None:
    part = {"type": "summary_text"}
    events = normal(
        added(0, message()),
        wire("content_part.added", output_index=0, content_index=0, part={"type": "output_text"}),
        wire("content_part.added", output_index=0, content_index=1, part={"type": "output_text"}),
        delta("b", output_index=0),
        added(1, reasoning()),
        wire("reasoning_summary_part.added", output_index=1, part=part),
        wire("reasoning_summary_text.delta", output_index=1, delta="x"),
        wire("reasoning_summary_part.added", output_index=1, part=part),
        wire("reasoning_summary_text.delta", output_index=1, delta="y"),
    )
    assert events[3].content_index == 1
    assert [event.summary_index for event in events[5:]] == [0, 0, 1, 1]


def test_two_responses_in_one_stream_lose_nothing() -> None:
    def one(name: str) -> list[Json]:
        at = {"output_index": 0, "content_index": 0, "item_id": f"m{name}"}
        return [
            wire("created", response={"id": f"r{name}", "status": "in_progress"}),
            added(0, message(item_id=f"m{name}")),
            delta(f"a{name}", **at),
            done(0, message(f"a{name}b{name}", f"m{name}")),
            added(1, function(name)),
            done(1, function(name, "{}")),
            completed(message(f"a{name}b{name}", f"m{name}"), function(name, "{}")),
        ]

    events = normal(*one("1"), *one("2"))
    assert text(events) == "a1b1a2b2"
    assert [call_id for _, call_id, _ in calls(events)] == ["1", "2"]


# ---------------------------------------------------------------------- errors that look like something else


@pytest.mark.parametrize(
    ("said", "message", "code"),
    [
        ({"error": {"message": "Oh.", "code": 500}}, "Oh.", "500"),
        ({"error": "Oh."}, "Oh.", None),
        ({"error": ["Oh."]}, '["Oh."]', None),
        ({"error": {"message": None, "code": "x"}}, "", "x"),
        ({"detail": "Oh."}, "Oh.", None),
        ({"detail": [{"loc": ["body"], "msg": "Oh."}]}, '[{"loc": ["body"], "msg": "Oh."}]', None),
        ({"message": "Oh.", "code": "x"}, "Oh.", "x"),
        ({"object": "error", "type": "BadRequestError", "message": "Oh.", "code": 400}, "Oh.", "400"),
        ({"type": "response.error", "error": {"message": "Oh."}}, "Oh.", None),
        ({"type": "response.error", "message": "Oh."}, "Oh.", None),
        ({"type": "error", "error": ["Oh."]}, '["Oh."]', None),
        ({"type": "error", "error": {"message": {"text": "Oh."}}}, "", None),
        ({"type": "error", "message": ["Oh."]}, '["Oh."]', None),
        ({"type": "error", "detail": "Oh."}, "Oh.", None),
        ({"type": "error"}, "", None),
        ({"type": None, "error": {"message": "Oh."}}, "Oh.", None),
    ],
    ids=str,
)
def test_an_error_in_any_clothes(said: Json, message: str, code: str | None) -> None:
    (event,) = normal(said)
    assert isinstance(event, ErrorEvent)
    assert (event.message, event.code) == (message, code)
    ending = Ending()
    ending.feed(event)
    assert isinstance(ending.verdict(), ApiError)


@pytest.mark.parametrize(
    "said",
    [
        {"error": None},
        {"error": ""},
        {"error": {}},
        {},
        {"message": ""},
        {"detail": None},
        {"message": {"role": "assistant"}},
        {"type": "x", "message": "Hi"},
        {"type": "x", "error": "Oh."},
        {"type": "", "ping": 1},
    ],
    ids=str,
)
def test_what_is_no_error(said: Json) -> None:
    (event,) = normal(said)
    assert isinstance(event, UnknownEvent)
    assert event.data == said


@pytest.mark.parametrize("error", [{"message": "Oh."}, {"code": "x"}, "Oh."])
def test_a_completed_with_an_error_inside_has_failed(error: Any) -> None:
    half = function("a", '{"half', status="in_progress")
    (event,) = normal(completed(half, error=error))
    assert isinstance(event, ResponseFailedEvent)
    assert event.synthetic
    assert event.response.status == "failed"
    assert calls([event]) == []
    ending = Ending()
    ending.feed(event)
    assert isinstance(ending.verdict(), ResponseFailedError)


@pytest.mark.parametrize("error", [None, "", {}])
def test_a_completed_without_a_real_error_has_not(error: Any) -> None:
    came = parse_event(json.dumps(completed(error=error)))
    (event,) = Normalize().feed(came)
    assert event is came
    ending = Ending()
    ending.feed(came)
    assert ending.verdict() is None


def test_an_error_that_is_a_text_fails_the_response_without_normalize_too() -> None:
    ending = Ending()
    ending.feed(parse_event(json.dumps(completed(error="Oh."))))
    error = ending.verdict()
    assert isinstance(error, ResponseFailedError)
    assert error.message == "Oh."


@pytest.mark.parametrize(("status", "kind"), [("incomplete", ResponseIncompleteEvent), ("failed", ResponseFailedEvent)])
def test_a_completed_that_says_otherwise(status: str, kind: type) -> None:
    (event,) = normal(completed(status=status))
    assert type(event) is kind


def test_without_normalize_no_call_is_made_of_a_response_that_did_not_complete() -> None:
    half = function("a", '{"half')
    for more in ({"status": "incomplete"}, {"status": "failed"}, {"error": {"message": "Oh."}}, {"error": "Oh."}):
        assert calls([parse_event(json.dumps(completed(half, **more)))]) == []


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
@pytest.mark.parametrize("fields", [{}, {"response": None}])
def test_an_end_without_its_response_is_an_end(kind: str, fields: Json) -> None:
    events = normal(
        wire("created", response={"id": "r"}),
        added(0, message()),
        delta("a", output_index=0, content_index=0),
        wire(kind, **fields),
    )
    assert events[-1].synthetic
    assert events[-1].response.status == kind
    ending = Ending()
    for event in events:
        ending.feed(event)
    assert ending.over
    assert isinstance(ending.verdict(), ResponseFailedError) is (kind == "failed")
    if kind == "completed":
        assert piped(events, rxs.final_response())[0].output_text == "a"


# ---------------------------------------------------------------------- what nobody ever specified


def test_null_fields() -> None:
    events = normal(
        added(0, None),
        added(0, {"type": "message", "id": None, "content": None, "role": None}),
        wire(
            "content_part.added",
            output_index=None,
            content_index=None,
            item_id=None,
            part={"type": "output_text", "text": None},
        ),
        delta("a", output_index=None, content_index=None, item_id=None),
        delta(None, output_index=0, content_index=0, item_id="m"),  # type: ignore[arg-type]
        wire("output_text.done", output_index=0, content_index=0, item_id=None, text=None),
        wire("output_text.done", output_index=0, content_index=0, item_id=None, text="ab", logprobs=None),
        done(0, {"type": "message", "id": None, "content": None}),
        wire("completed", response=None),
        completed({"type": "message", "content": None}, usage=None),
    )
    assert text(events) == "ab"
    assert piped(events, rxs.final_response())[0].status == "completed"


def test_an_event_without_its_item() -> None:
    events = normal(wire("output_item.added", output_index=0), delta("a", output_index=0, content_index=0, item_id="m"))
    assert [event.type for event in events] == [
        "response.output_item.added",
        "response.output_item.added",
        "response.output_text.delta",
    ]
    assert isinstance(events[0], UnknownEvent)
    assert events[1].synthetic


def test_an_item_added_twice_is_one() -> None:
    events = normal(added(0, message()), added(0, message()), delta("a", output_index=0, content_index=0, item_id="m"))
    assert {event.output_index for event in events} == {0}
    assert not any(event.synthetic for event in events)


def test_an_item_that_is_added_after_it_ended_is_the_same() -> None:
    events = normal(done(0, function("a", "{}")), added(0, function("a")))
    assert {event.output_index for event in events} == {0}
    assert calls(events) == [("A", "a", "{}")]


@pytest.mark.parametrize("index", [-1, 7, 10**18, "3", 2.0])
def test_odd_indexes(index: Any) -> None:
    events = normal(
        added(0, message()),
        delta("a", output_index=index, content_index=index, item_id="other"),
        added(index, function("c")),
        arguments("{}", output_index=index, item_id="fc_c"),
        done(index, function("c", "{}")),
        added(None, message(item_id="late")),
        delta("b", item_id="late"),
    )
    assert text(events) == "ab"
    assert calls(events) == [("C", "c", "{}")]
    assert not any(isinstance(event, UnknownEvent) for event in events)


def test_unknown_items_and_their_deltas_pass() -> None:
    foreign = {"type": "vendor:thing", "id": "x"}
    came = [
        added(0, foreign),
        {"type": "vendor:thing.delta", "output_index": 0, "item_id": "x", "delta": "?"},
        delta("a", output_index=0, content_index=0, item_id="x"),
        done(0, foreign),
    ]
    events = normal(*came)
    assert [event.model_dump() for event in events] == came
    assert len(piped(events, rxs.group_by_output_index())) == 1


def test_deltas_without_content() -> None:
    at = {"output_index": 0, "content_index": 0, "item_id": "m"}
    events = normal(
        added(0, message()), delta("", **at), delta("a", **at), delta("", **at), wire("output_text.done", **at, text="")
    )
    assert text(events) == "a"


def test_a_done_that_contradicts_its_deltas_adds_nothing() -> None:
    at = {"output_index": 0, "content_index": 0, "item_id": "m"}
    events = normal(
        added(0, message()),
        delta("abc", **at),
        wire("output_text.done", **at, text="xyz"),
        done(0, message("xyz!")),
        completed(message("xyz!?")),
    )
    assert text(events) == "abc"


def test_events_after_the_end_are_those_of_its_items() -> None:
    at = {"output_index": 0, "content_index": 0, "item_id": "m"}
    events = normal(
        added(0, message()),
        delta("a", **at),
        done(0, message("a")),
        completed(message("a")),
        delta("b", **at),
        completed(),
    )
    assert text(events) == "a", "the response has ended: nothing is added to its answer"
    assert [event.output_index for event in events if isinstance(event, ItemEvent)] == [0, 0]


# ---------------------------------------------------------------------- texts and calls of odd streams


@pytest.mark.parametrize("seen_at", [0, 1])
@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ([message("a", "another")], "a"),
        ([message("b", "new"), message("a", "another")], "ab"),
        ([reasoning("hm"), message("a", "another")], "a"),
        ([message("a", "another"), message("a", "new")], "aa"),
        ([message("b", "new"), message("a", "m")], "ab"),
        ([message("a, but longer", "another")] * 2, "aa, but longer"),
    ],
)
def test_a_text_that_the_response_repeats_is_said_once(seen_at: int, output: list[Json], expected: str) -> None:
    """Items of the response are known by their id, their text, their index, in this order."""
    at = {"output_index": seen_at, "content_index": 0, "item_id": "m"}
    assert text(normal(added(seen_at, message()), delta("a", **at), completed(*output))) == expected


def test_a_second_call_at_an_index_is_made_without_normalize_too() -> None:
    came = [done(0, function(name, "{}")) for name in "ab"]
    assert [call_id for _, call_id, _ in calls(parse_event(json.dumps(event)) for event in came)] == ["a", "b"]


def test_no_call_is_made_twice() -> None:
    """The response has it already, at another index than the events that come after it."""
    call = function("a", "{}")
    assert calls(normal(completed(message("Hi"), call), added(0, call), done(0, call))) == [("A", "a", "{}")]


def test_a_call_of_the_response_keeps_its_own_arguments() -> None:
    """Events that name no call, and a response that counts otherwise."""
    came = [
        wire("function_call_arguments.done", output_index=0, arguments='{"a":1}'),
        wire("function_call_arguments.done", output_index=1, arguments='{"b":1}'),
        completed(message("Hi"), function("a", '{"a":1}'), function("b", '{"b":1}')),
    ]
    expected = [("A", "a", '{"a":1}'), ("B", "b", '{"b":1}')]
    assert calls(parse_event(json.dumps(event)) for event in came) == expected


# ---------------------------------------------------------------------- anything at all


def _base() -> list[Json]:
    summary = {"output_index": 0, "summary_index": 0, "item_id": "rs"}
    of_calls = [{"output_index": 2, "item_id": "fc_c"}, {"output_index": 3, "item_id": "fc_d"}]
    at = {"output_index": 1, "content_index": 0, "item_id": "m"}
    part = {"type": "output_text", "text": "", "annotations": []}
    return [
        wire("created", response={"id": "r", "status": "in_progress", "output": []}),
        added(0, reasoning()),
        wire("reasoning_summary_part.added", **summary, part={"type": "summary_text", "text": ""}),
        wire("reasoning_summary_text.delta", **summary, delta="hm"),
        wire("reasoning_summary_text.done", **summary, text="hm"),
        done(0, reasoning("hm")),
        added(1, message()),
        wire("content_part.added", **at, part=part),
        *(delta(letter, **at) for letter in "abc"),
        wire("output_text.done", **at, text="abc"),
        wire("content_part.done", **at, part={**part, "text": "abc"}),
        done(1, message("abc")),
        added(2, function("c")),
        added(3, function("d")),
        *(arguments("{}", **place) for place in of_calls),
        *(wire("function_call_arguments.done", **place, arguments="{}") for place in of_calls),
        done(2, function("c", "{}")),
        done(3, function("d", "{}")),
        completed(reasoning("hm"), message("abc"), function("c", "{}"), function("d", "{}")),
    ]


_ODD: list[Any] = [None, -1, 0, 1, 2, 10**12, "0", "x", "", [], {}, 1.5, True, {"type": "message"}, "m", "fc_c"]


def _mangled(rng: random.Random) -> list[Json]:
    events = _base()
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
            return _base()
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


# ---------------------------------------------------------------------- what it costs


def _without_indexes(count: int) -> list[StreamingEvent]:
    events: list[Json] = [added(None, message(item_id=f"m{number}")) for number in range(count)]
    for number in range(count):
        events.append(wire("content_part.added", item_id=f"m{number}", part={"type": "output_text"}))
        events.append(delta("a", item_id=f"m{number}"))
        events.append(done(None, message("a", f"m{number}")))
    return [parse_event(json.dumps(event)) for event in events]


def _at_one_index(count: int) -> list[StreamingEvent]:
    events: list[Json] = [added(0, function(f"c{number}")) for number in range(count)]
    events += [arguments("{}", output_index=0, item_id=f"fc_c{number}") for number in range(count)]
    events += [done(0, function(f"c{number}", "{}")) for number in range(count)]
    return [parse_event(json.dumps(event)) for event in events]


def _never_ended(count: int) -> list[StreamingEvent]:
    events: list[Json] = []
    for number in range(count):
        events += [added(number, message(item_id=f"m{number}")), delta("a", output_index=number, content_index=0)]
    return [parse_event(json.dumps(event)) for event in events]


def _whole(count: int) -> list[StreamingEvent]:
    events: list[Json] = []
    for number in range(count):
        at = {"output_index": number, "content_index": 0, "item_id": f"m{number}"}
        events += [
            added(number, message(item_id=f"m{number}")),
            delta("a", **at),
            wire("output_text.done", **at, text="a"),
        ]
    events += [done(number, message("a", f"m{number}")) for number in range(count)]
    events.append(completed(*(message("a", f"m{number}") for number in range(count))))
    return [parse_event(json.dumps(event)) for event in events]


def _parts(count: int) -> list[StreamingEvent]:
    part = {"type": "output_text", "text": "a"}
    events: list[Json] = [added(0, message())]
    for number in range(count):
        at = {"output_index": 0, "content_index": number, "item_id": "m"}
        events += [
            wire("content_part.added", **at, part=part),
            delta("a", **at),
            wire("content_part.done", **at, part=part),
        ]
    events.append(done(0, {**message(), "content": [part] * count}))
    return [parse_event(json.dumps(event)) for event in events]


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
            gc.collect()
            gc.disable()  # its own price does rise with what is alive
            began = time.process_time()
            work(events)
            best = min(best, time.process_time() - began)
            gc.enable()
        return best

    assert price(2000) < 24 * price(250) + 0.005


def test_a_response_completed_is_left_alone() -> None:
    came = parse_event(json.dumps(completed(message("a"))))
    assert isinstance(came, ResponseCompletedEvent)
    assert tuple(Normalize().feed(came)) == (came,)
