"""Every dialect becomes the API's own: what came right is left alone, and every event finds its item."""

from __future__ import annotations

import pytest

from rxstream.events import (
    ResponseCompletedEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputTextDeltaEvent,
    StreamingEvent,
)
from rxstream.response.decoding._normalize import Normalize
from tests.event_builders import (
    arguments_delta,
    completed,
    item_added,
    item_done,
    make_event,
    part_added,
    part_done,
    text_delta,
    text_done,
)
from tests.response.decoding._normal import Json, calls, function, message, normal, places, reasoning, text

# ---------------------------------------------------------------------- left alone


def test_what_came_right_is_the_very_same_object() -> None:
    came = [
        item_added(0, **reasoning()),
        make_event(
            "response.reasoning_summary_part.added",
            output_index=0,
            summary_index=0,
            item_id="rs",
            part={"type": "summary_text"},
        ),
        make_event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, item_id="rs", delta="hm"),
        item_done(0, **reasoning("hm")),
        item_added(1, **message()),
        part_added(output_index=1, content_index=0, item_id="m"),
        text_delta("a", output_index=1, content_index=0, item_id="m"),
        text_done("a", output_index=1, content_index=0, item_id="m"),
        part_done("a", output_index=1, content_index=0, item_id="m"),
        item_done(1, **message("a")),
        item_added(2, type="shell_call", id="sh", call_id="c"),
        make_event("response.shell_call_command.added", output_index=2, command_index=0, command=""),
        item_done(2, type="shell_call", id="sh", call_id="c"),
        completed(reasoning("hm"), message("a")),
    ]
    core = Normalize()
    for event in came:
        (passed,) = core.feed(event)
        assert passed is event


def test_ids_that_are_all_the_same_decide_nothing() -> None:
    same = "__fake_id__"
    events = normal(
        item_added(0, **message(item_id=same)),
        text_delta("a", output_index=0, content_index=0, item_id=same),
        item_added(1, **{**function("c"), "id": same}),
        arguments_delta("{}", output_index=1, item_id=same),
        part_done("a", output_index=0, content_index=0, item_id=same),
        item_done(0, **message("a", same)),
        item_done(1, **{**function("c", "{}"), "id": same}),
    )
    assert [index for _, index in places(events)] == [0, 0, 1, 1, 0, 0, 1, 1]
    assert calls(events) == [("C", "c", "{}")]


def test_ids_that_change_in_every_event_decide_nothing() -> None:
    events = normal(
        item_added(0, **message(item_id="1")),
        part_added(output_index=0, content_index=0, item_id="2"),
        text_delta("a", output_index=0, content_index=0, item_id="3"),
        item_done(0, **message("a", "4")),
        make_event(
            "response.output_text.annotation.added",
            output_index=0,
            content_index=0,
            item_id="5",
            annotation={"type": "x"},
        ),
        item_added(1, **message(item_id="6")),
        text_delta("b", output_index=1, content_index=0, item_id="7"),
        item_done(1, **message("b", "8")),
    )
    assert [index for _, index in places(events)] == [0, 0, 0, 0, 0, 1, 1, 1]
    assert not any(event.synthetic for event in events)


def test_a_response_completed_is_left_alone() -> None:
    came = completed(message("a"))
    assert isinstance(came, ResponseCompletedEvent)
    assert tuple(Normalize().feed(came)) == (came,)


# ---------------------------------------------------------------------- whose is it


def test_an_item_that_ends_without_having_been_added_takes_no_other_items_place() -> None:
    """Two parallel calls of which one was added: both are made, each with its own arguments."""
    events = normal(
        item_added(0, **function("a")),
        item_done(1, **function("b", '{"b":1}')),
        item_done(0, **function("a", '{"a":1}')),
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
    events = normal(*(item_done(0, **function(name, f'{{"{name}":1}}')) for name in "abc"))
    assert calls(events) == [(name.upper(), name, f'{{"{name}":1}}') for name in "abc"]
    assert {event.output_index for event in events} == {0, 1, 2}


def test_calls_that_end_at_each_others_index_keep_their_own_arguments() -> None:
    events = normal(
        item_added(0, **function("a")),
        item_added(1, **function("b")),
        item_done(1, **function("a", '{"a":1}')),
        item_done(0, **function("b", '{"b":1}')),
    )
    assert sorted(calls(events)) == [("A", "a", '{"a":1}'), ("B", "b", '{"b":1}')]


def test_an_index_that_never_rises() -> None:
    def at(name: str) -> Json:
        return {"output_index": 0, "content_index": 0, "item_id": name}

    events = normal(
        *(item_added(0, **message(item_id="m1")), text_delta("a", **at("m1")), item_done(0, **message("a", "m1"))),
        *(item_added(0, **message(item_id="m2")), text_delta("b", **at("m2")), item_done(0, **message("b", "m2"))),
        *(
            item_added(0, **function("c")),
            arguments_delta("{}", output_index=0, item_id="fc_c"),
            item_done(0, **function("c", "{}")),
        ),
    )
    assert text(events) == "ab"
    assert calls(events) == [("C", "c", "{}")]
    assert [index for _, index in places(events)] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]


def test_a_second_message_in_the_place_of_one_that_has_ended() -> None:
    """Neither was ever added; only their ids tell them apart."""
    events = normal(
        text_delta("a", output_index=0, content_index=0, item_id="m1"),
        item_done(0, **message("a", "m1")),
        text_delta("b", output_index=0, content_index=0, item_id="m2"),
        text_done("bc", output_index=0, content_index=0, item_id="m2"),
        item_done(0, **message("bc", "m2")),
    )
    assert text(events) == "abc"
    assert [index for _, index in places(events)] == [0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("item_id", ["m", None])
def test_a_message_in_the_place_of_the_reasoning_before_it(item_id: str | None) -> None:
    at: Json = {"output_index": 0, "content_index": 0, "item_id": item_id}
    events = normal(
        item_added(0, **reasoning()),
        make_event("response.reasoning_summary_text.delta", output_index=0, item_id="rs", delta="hm"),
        item_done(0, **reasoning("hm")),
        text_delta("a", **at),
        text_delta("b", **at),
        make_event("response.content_part.done", **at, part={"type": "reasoning_text", "reasoning": "hm"}),
        item_done(0, **message("ab", item_id or "")),
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
        item_added(0, **message()),
        make_event("response.reasoning_text.delta", **at, content_index=0, delta="hm"),
        text_delta("a", **at, content_index=1),
    )
    assert places(events) == [("output_item.added", 0), ("reasoning_text.delta", 0), ("output_text.delta", 0)]


def test_what_a_snapshot_foretells_opens_the_item() -> None:
    """The name of a call may be told by `response.in_progress` alone."""
    so_far = {"id": "r", "output": [message("Hi"), function("a", status="ready")]}
    events = normal(
        text_delta("Hi", output_index=0, content_index=0, item_id="m"),
        make_event("response.in_progress", response=so_far),
        arguments_delta("{}", output_index=0, item_id="tool_0"),
        make_event("response.function_call_arguments.done", output_index=0, id="tool_0", arguments="{}"),
    )
    assert calls(events) == [("A", "a", "{}")]
    opened = [event for event in events if isinstance(event, ResponseOutputItemAddedEvent)]
    assert [(event.output_index, event.item.type, event.synthetic) for event in opened] == [
        (0, "message", True),
        (1, "function_call", True),
    ]


def test_indexes_are_given_where_none_came() -> None:
    events = normal(
        item_added(None, **reasoning()),
        item_added(None, **message()),
        part_added(item_id="m", output_index=None, content_index=None),
        make_event("response.reasoning_text.delta", item_id="rs", delta="hm"),
        text_delta("a", item_id="m", output_index=None, content_index=None),
        part_added(item_id="m", output_index=None, content_index=None),
        text_delta("b", item_id="m", output_index=None, content_index=None),
        item_added(None, **function("c")),
        item_done(None, **function("c", "{}")),
        item_done(None, **reasoning()),
    )
    assert [index for _, index in places(events)] == [0, 1, 1, 0, 1, 1, 1, 2, 2, 2, 0]
    assert [event.content_index for event in events if isinstance(event, ResponseOutputTextDeltaEvent)] == [0, 1]


def test_the_number_of_a_part_follows_the_parts_that_were_added() -> None:
    part = {"type": "summary_text"}
    events = normal(
        item_added(0, **message()),
        part_added(output_index=0, content_index=0, item_id=None),
        part_added(output_index=0, content_index=1, item_id=None),
        text_delta("b", output_index=0, content_index=None, item_id=None),
        item_added(1, **reasoning()),
        make_event("response.reasoning_summary_part.added", output_index=1, part=part),
        make_event("response.reasoning_summary_text.delta", output_index=1, delta="x"),
        make_event("response.reasoning_summary_part.added", output_index=1, part=part),
        make_event("response.reasoning_summary_text.delta", output_index=1, delta="y"),
    )
    assert events[3].content_index == 1
    assert [event.summary_index for event in events[5:]] == [0, 0, 1, 1]


def test_two_responses_in_one_stream_lose_nothing() -> None:
    def one(name: str) -> list[StreamingEvent]:
        at = {"output_index": 0, "content_index": 0, "item_id": f"m{name}"}
        return [
            make_event("response.created", response={"id": f"r{name}", "status": "in_progress"}),
            item_added(0, **message(item_id=f"m{name}")),
            text_delta(f"a{name}", **at),
            item_done(0, **message(f"a{name}b{name}", f"m{name}")),
            item_added(1, **function(name)),
            item_done(1, **function(name, "{}")),
            completed(message(f"a{name}b{name}", f"m{name}"), function(name, "{}")),
        ]

    events = normal(*one("1"), *one("2"))
    assert text(events) == "a1b1a2b2"
    assert [call_id for _, call_id, _ in calls(events)] == ["1", "2"]
