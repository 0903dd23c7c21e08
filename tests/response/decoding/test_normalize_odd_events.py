"""What nobody ever specified: null fields, odd indexes, events that are missing, doubled or late."""

from __future__ import annotations

from typing import Any

import pytest

from rxstream import operators as rxs
from rxstream.events import ItemEvent, UnknownEvent
from tests.event_builders import (
    arguments_delta,
    arguments_done,
    completed,
    item_added,
    item_done,
    make_event,
    text_delta,
    text_done,
)
from tests.response.decoding._normal import Json, calls, function, message, normal, piped, reasoning, text

# ---------------------------------------------------------------------- what nobody ever specified


def test_null_fields() -> None:
    events = normal(
        make_event("response.output_item.added", output_index=0, item=None),
        item_added(0, type="message", id=None, content=None, role=None),
        make_event(
            "response.content_part.added",
            output_index=None,
            content_index=None,
            item_id=None,
            part={"type": "output_text", "text": None},
        ),
        make_event("response.output_text.delta", delta="a", output_index=None, content_index=None, item_id=None),
        make_event("response.output_text.delta", delta=None, output_index=0, content_index=0, item_id="m"),  # type: ignore[arg-type]
        make_event("response.output_text.done", output_index=0, content_index=0, item_id=None, text=None),
        make_event(
            "response.output_text.done", output_index=0, content_index=0, item_id=None, text="ab", logprobs=None
        ),
        item_done(0, type="message", id=None, content=None),
        make_event("response.completed", response=None),
        completed({"type": "message", "content": None}, usage=None),
    )
    assert text(events) == "ab"
    assert piped(events, rxs.final_response())[0].status == "completed"


def test_an_event_without_its_item() -> None:
    events = normal(
        make_event("response.output_item.added", output_index=0),
        text_delta("a", output_index=0, content_index=0, item_id="m"),
    )
    assert [event.type for event in events] == [
        "response.output_item.added",
        "response.output_item.added",
        "response.output_text.delta",
    ]
    assert isinstance(events[0], UnknownEvent)
    assert events[1].synthetic


def test_an_item_added_twice_is_one() -> None:
    events = normal(
        item_added(0, **message()),
        item_added(0, **message()),
        text_delta("a", output_index=0, content_index=0, item_id="m"),
    )
    assert {event.output_index for event in events} == {0}
    assert not any(event.synthetic for event in events)


def test_an_item_that_is_added_after_it_ended_is_the_same() -> None:
    events = normal(item_done(0, **function("a", "{}")), item_added(0, **function("a")))
    assert {event.output_index for event in events} == {0}
    assert calls(events) == [("A", "a", "{}")]


@pytest.mark.parametrize("index", [-1, 7, 10**18, "3", 2.0])
def test_odd_indexes(index: Any) -> None:
    events = normal(
        item_added(0, **message()),
        text_delta("a", output_index=index, content_index=index, item_id="other"),
        item_added(index, **function("c")),
        arguments_delta("{}", output_index=index, item_id="fc_c"),
        item_done(index, **function("c", "{}")),
        item_added(None, **message(item_id="late")),
        text_delta("b", item_id="late", output_index=None, content_index=None),
    )
    assert text(events) == "ab"
    assert calls(events) == [("C", "c", "{}")]
    assert not any(isinstance(event, UnknownEvent) for event in events)


def test_unknown_items_and_their_deltas_pass() -> None:
    foreign = {"type": "vendor:thing", "id": "x"}
    came = [
        item_added(0, **foreign),
        make_event("vendor:thing.delta", output_index=0, item_id="x", delta="?"),
        text_delta("a", output_index=0, content_index=0, item_id="x"),
        item_done(0, **foreign),
    ]
    events = normal(*came)
    assert events == came
    assert len(piped(events, rxs.group_by_output_index())) == 1


def test_deltas_without_content() -> None:
    at = {"output_index": 0, "content_index": 0, "item_id": "m"}
    events = normal(
        item_added(0, **message()),
        text_delta("", **at),
        text_delta("a", **at),
        text_delta("", **at),
        text_done("", **at),
    )
    assert text(events) == "a"


def test_a_done_that_contradicts_its_deltas_adds_nothing() -> None:
    at = {"output_index": 0, "content_index": 0, "item_id": "m"}
    events = normal(
        item_added(0, **message()),
        text_delta("abc", **at),
        text_done("xyz", **at),
        item_done(0, **message("xyz!")),
        completed(message("xyz!?")),
    )
    assert text(events) == "abc"


def test_events_after_the_end_are_those_of_its_items() -> None:
    at = {"output_index": 0, "content_index": 0, "item_id": "m"}
    events = normal(
        item_added(0, **message()),
        text_delta("a", **at),
        item_done(0, **message("a")),
        completed(message("a")),
        text_delta("b", **at),
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
        ([message("a, but longer", "another")] * 2, "a, but longer" * 2),
    ],
)
def test_a_text_that_the_response_repeats_is_said_once(seen_at: int, output: list[Json], expected: str) -> None:
    """Items of the response are known by their id, their text, their index, in this order."""
    at = {"output_index": seen_at, "content_index": 0, "item_id": "m"}
    assert text(normal(item_added(seen_at, **message()), text_delta("a", **at), completed(*output))) == expected


def test_a_second_call_at_an_index_is_made_without_normalize_too() -> None:
    came = [item_done(0, **function(name, "{}")) for name in "ab"]
    assert [call_id for _, call_id, _ in calls(came)] == ["a", "b"]


def test_no_call_is_made_twice() -> None:
    """The response has it already, at another index than the events that come after it."""
    call = function("a", "{}")
    assert calls(normal(completed(message("Hi"), call), item_added(0, **call), item_done(0, **call))) == [
        ("A", "a", "{}")
    ]


def test_a_call_of_the_response_keeps_its_own_arguments() -> None:
    """Events that name no call, and a response that counts otherwise."""
    came = [
        arguments_done('{"a":1}', output_index=0, item_id=None),
        arguments_done('{"b":1}', output_index=1, item_id=None),
        completed(message("Hi"), function("a", '{"a":1}'), function("b", '{"b":1}')),
    ]
    expected = [("A", "a", '{"a":1}'), ("B", "b", '{"b":1}')]
    assert calls(came) == expected


def test_the_id_of_the_response_in_an_event_is_not_that_of_its_item() -> None:
    at = {"output_index": 0, "content_index": 0, "id": "resp_1"}
    sent = [
        make_event("response.created", response={"id": "resp_1"}, id="resp_1"),
        item_added(0, **message()),
        make_event("response.content_part.added", part={"type": "output_text", "text": ""}, **at),
        make_event("response.output_text.delta", delta="a", **at),
        make_event("response.content_part.done", part={"type": "output_text", "text": "a"}, **at),
    ]
    assert [event.item_id for event in normal(*sent)[2:]] == ["", "", ""]


def test_a_text_part_of_a_message_is_its_text() -> None:
    """Some servers send `text` parts in messages, where the API sends `output_text`."""
    part = {"type": "text", "text": "Hi"}
    at = {"output_index": 0, "content_index": 0, "item_id": "m"}
    whole = {**message(), "content": [part]}
    for ending in ([item_done(0, **whole)], [make_event("response.content_part.done", part=part, **at)], []):
        events = normal(item_added(0, **message()), *ending, completed(whole))
        assert text(events) == "Hi"
        (final,) = piped(events, rxs.final_response())
        assert final is events[-1].response
        assert final.output_text == final.output[0].text == "Hi"
    streamed = normal(item_added(0, **message()), text_delta("H", **at), text_delta("i", **at), completed(whole))
    assert text(streamed) == "Hi"
    assert piped(streamed, rxs.final_response())[0] is streamed[-1].response


def test_a_call_that_a_server_cuts_into_two_items_loses_neither() -> None:
    """Two calls whose deltas interleave, from a server that ends a call when the next one begins."""
    whole = [
        {**function(call_id, arguments), "id": f"fc_{number}"}
        for number, (call_id, arguments) in enumerate(
            [("a", '{"city":'), ("b", '{"tz":'), ("a", '"Oslo"}'), ("b", '"UTC"}')]
        )
    ]
    events = normal(
        *(
            event
            for index, call in enumerate(whole)
            for event in (item_added(index, **{**call, "arguments": ""}), item_done(index, **call))
        ),
        completed(*whole),
    )
    assert [call[2] for call in calls(events)] == [call["arguments"] for call in whole]
    (final,) = piped(events, rxs.final_response())
    assert final is events[-1].response


@pytest.mark.parametrize("arguments", ["{}", ""])
def test_a_whole_call_that_is_added_again_under_another_id_is_the_same(arguments: str) -> None:
    call = function("a", arguments)
    again = {**call, "id": "fc_again"}
    events = normal(item_added(0, **call), item_done(0, **call), item_added(1, **again), item_done(1, **again))
    assert calls(events) == [("A", "a", arguments)]


def test_a_call_that_begins_whole_with_the_call_id_of_one_that_has_ended_keeps_its_index() -> None:
    whole = [{**function("a", f'{{"n":{number}}}'), "id": f"fc_{number}"} for number in range(3)]
    pairs = [
        event for index, call in enumerate(whole) for event in (item_added(index, **call), item_done(index, **call))
    ]
    events = normal(*pairs, completed(*whole))
    assert calls(events) == [("A", "a", call["arguments"]) for call in whole]
    assert [event.output_index for event in events if event.type == "response.output_item.added"] == [0, 1, 2]
    (final,) = piped(events, rxs.final_response())
    assert [item.arguments for item in final.output] == [call["arguments"] for call in whole]


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("open_at_once", [True, False])
def test_calls_of_other_functions_with_one_call_id_are_calls_of_their_own(numbered: bool, open_at_once: bool) -> None:
    """As of a server that gives each call the same id."""
    whole = [{**function("a", '{"n":1}'), "id": f"fc_{name}", "name": name} for name in ("one", "two", "three")]
    places = [0, 1, 2] if numbered else [None, None, None]
    begins = [item_added(place, **{**call, "arguments": ""}) for place, call in zip(places, whole, strict=True)]
    ends = [item_done(place, **call) for place, call in zip(places, whole, strict=True)]
    events = [*begins, *ends] if open_at_once else [event for pair in zip(begins, ends, strict=True) for event in pair]
    assert calls(normal(*events)) == [(name, "a", '{"n":1}') for name in ("one", "two", "three")]


def test_calls_of_one_function_with_one_call_id_and_other_arguments_are_calls_of_their_own() -> None:
    whole = [{**function("a", arguments), "id": f"fc_{arguments}"} for arguments in ('{"n":1}', '{"n":2}')]
    events = [
        event
        for index, call in enumerate(whole)
        for event in (item_added(index, **{**call, "arguments": ""}), item_done(index, **call))
    ]
    repaired = normal(*events)
    assert calls(repaired) == [("A", "a", '{"n":1}'), ("A", "a", '{"n":2}')]
    assert [event.output_index for event in repaired if event.type == "response.output_item.done"] == [0, 1]
