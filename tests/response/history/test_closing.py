"""The events that close a stream that was cut."""

import random
from typing import Any

import pytest

from rxstream import operators as rxs
from rxstream.events import (
    Response,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseOutputItemDoneEvent,
    StreamingEvent,
    parse_event,
)
from rxstream.response.history._closing import Closing
from tests._given import STREAMS, needs
from tests.event_builders import completed, item_added, make_event, message, say, text_delta
from tests.operators._recorded import NAMES, WHOLE, recorded, run


def closed(events: list[StreamingEvent], reason: str = "cut") -> list[StreamingEvent]:
    closing = Closing()
    for one in events:
        closing.feed(one)
    return closing.end(reason)


def short(events: list[StreamingEvent]) -> list[str]:
    return [one.type.removeprefix("response.") for one in events]


def response_of(one: StreamingEvent) -> Response:
    assert isinstance(one, ResponseIncompleteEvent | ResponseFailedEvent)
    return one.response


def test_text_part_item_and_response_are_closed_in_that_order():
    ending = closed(say("C M B a b_"), "content_filter")
    assert short(ending) == ["output_text.done", "content_part.done", "output_item.done", "incomplete"]
    text, part, item, end = [one.model_dump() for one in ending]
    place = {"item_id": "msg_0", "output_index": 0, "content_index": 0}
    assert text == {"type": "response.output_text.done", **place, "text": "ab ", "logprobs": [], "synthetic": True}
    assert part["part"] == {"type": "output_text", "text": "ab ", "annotations": [], "logprobs": []}
    assert item["item"]["status"] == "incomplete"
    assert item["item"]["content"] == [part["part"]]
    assert end["response"]["status"] == "incomplete"
    assert end["response"]["incomplete_details"] == {"reason": "content_filter"}
    assert end["response"]["output"] == [item["item"]]
    assert end["response"]["id"] == say("C")[0].response.id  # type: ignore[union-attr]


def test_everything_made_is_synthetic_and_has_no_number():
    for one in closed(say("C M B a 1R 1s:x 2F:look 2f:{")):
        assert one.synthetic
        assert one.sequence_number is None
        assert parse_event(one.model_dump_json(), strict=True) == one


def test_an_empty_part_gets_an_empty_text():
    assert short(closed(say("C M B"))) == ["output_text.done", "content_part.done", "output_item.done", "incomplete"]


def test_what_was_done_is_not_done_again():
    assert short(closed(say("C M B a D"))) == ["content_part.done", "output_item.done", "incomplete"]
    assert short(closed(say("C M B a D E"))) == ["output_item.done", "incomplete"]
    assert short(closed(say("C M B a D E I"))) == ["incomplete"]


def test_text_whose_part_was_never_opened_gets_no_part_done():
    assert short(closed(say("C M a"))) == ["output_text.done", "output_item.done", "incomplete"]


def test_a_stream_that_ended_or_never_began_is_left_alone():
    assert closed(say("C M a K")) == []
    assert closed([]) == []
    assert closed(say("H U:acme:new")) == []


def test_it_closes_only_once():
    closing = Closing()
    for one in say("C M a"):
        closing.feed(one)
    assert closing.open
    assert closing.end("cut")
    assert not closing.open
    assert closing.end("cut") == []


def test_several_parts_and_items_are_closed_each_in_its_place():
    ending = closed(say("C M 0.0B 0.0:a 0.1:b 1R 1.0B 1s:x 1.1s:y 2r:no"))
    assert short(ending) == [
        "output_text.done",
        "content_part.done",
        "output_text.done",
        "output_item.done",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "reasoning_summary_text.done",
        "output_item.done",
        "refusal.done",
        "output_item.done",
        "incomplete",
    ]
    places = [
        (one.output_index, getattr(one, "content_index", getattr(one, "summary_index", 0))) for one in ending[:-1]
    ]  # type: ignore[union-attr]
    assert places == [(0, 0), (0, 0), (0, 1), (0, 0), (1, 0), (1, 0), (1, 1), (1, 0), (2, 0), (2, 0)]


def test_parts_whose_numbers_have_gaps_are_closed_with_their_own_text():
    texts = [one.model_dump() for one in closed(say("C M 0.1:b 0.4:e")) if one.type == "response.output_text.done"]
    assert [(text["content_index"], text["text"]) for text in texts] == [(1, "b"), (4, "e")]


@pytest.mark.parametrize("opened", ["reasoning_part", "content_part"])
def test_reasoning_is_closed_as_it_was_opened(opened: str):
    place = {"output_index": 0, "content_index": 0, "item_id": "r"}
    start = [
        *say("C"),
        item_added(type="reasoning", summary=[]),
        make_event(f"response.{opened}.added", **place, part={"type": "reasoning_text", "text": ""}),
        make_event("response.reasoning_text.delta", **place, delta="hm"),
    ]
    ending = closed(start)
    assert short(ending) == ["reasoning_text.done", f"{opened}.done", "output_item.done", "incomplete"]
    assert ending[1].part.text == "hm"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "stem", "field"),
    [
        ("function_call", "response.function_call_arguments", "arguments"),
        ("mcp_call", "response.mcp_call_arguments", "arguments"),
        ("custom_tool_call", "response.custom_tool_call_input", "input"),
        ("code_interpreter_call", "response.code_interpreter_call_code", "code"),
    ],
)
def test_a_call_that_was_cut_is_never_said_to_be_whole(kind: str, stem: str, field: str):
    start = [
        *say("C"),
        item_added(type=kind, **{field: ""}),
        make_event(f"{stem}.delta", output_index=0, item_id="i", delta='{"city": "Par'),
    ]
    ending = closed(start)
    assert short(ending) == ["output_item.done", "incomplete"]
    item = response_of(ending[-1]).output[0]
    assert (item.status, getattr(item, field)) == ("incomplete", '{"city": "Par')


def test_annotations_and_logprobs_of_an_open_part_are_in_its_end():
    logprob = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    note = {"type": "file_citation", "file_id": "f", "filename": "a.txt", "index": 0}
    annotation = make_event("response.output_text.annotation.added", annotation_index=0, annotation=note)
    text, part, *_ = closed([*say("C M B"), text_delta("a", logprobs=[logprob]), annotation])
    assert text.model_dump()["logprobs"] == [logprob]
    assert part.model_dump()["part"] == {
        "type": "output_text",
        "text": "a",
        "annotations": [note],
        "logprobs": [logprob],
    }


def test_after_an_error_event_the_response_has_failed():
    ending = closed(say("C M B a W:rate_limit_exceeded"))
    assert short(ending)[-1] == "failed"
    response = response_of(ending[-1])
    assert response.status == "failed"
    assert response.error is not None
    assert response.error.code == "rate limit exceeded"


def test_an_error_before_anything_else_is_an_end_too():
    (end,) = closed(say("W:server"))
    assert response_of(end).status == "failed"


# ---------------------------------------------------------------------- items that the server leaves open


def before(events: list[StreamingEvent], terminal: StreamingEvent) -> list[StreamingEvent]:
    closing = Closing()
    for one in events:
        closing.feed(one)
    return closing.close_items(terminal)  # type: ignore[arg-type]


def test_an_item_left_open_is_closed_as_the_response_has_it():
    *events, end = say("C M B a 1F:look 1f:{} K")
    made = before(events, end)
    assert short(made) == ["output_text.done", "content_part.done", "output_item.done", "output_item.done"]
    items = [one.item for one in made if isinstance(one, ResponseOutputItemDoneEvent)]
    assert items == end.response.output  # type: ignore[union-attr]


def test_an_item_left_open_is_found_by_its_place_where_ids_rotate():
    (done,) = before(say("C M"), completed(message(id="other")))
    assert isinstance(done, ResponseOutputItemDoneEvent)
    assert done.item.id == "other"


@pytest.mark.parametrize(("kind", "status"), [("completed", "completed"), ("incomplete", "incomplete")])
def test_an_item_that_the_response_does_not_have_ends_like_it(kind: str, status: str):
    end = make_event(f"response.{kind}", response={"id": "r", "status": kind, "output": []})
    (done,) = before([*say("C"), item_added(type="mcp_list_tools", server_label="s")], end)
    assert isinstance(done, ResponseOutputItemDoneEvent)
    assert done.item.status == status


# ---------------------------------------------------------------------- real streams, cut anywhere


def grammar_holds(events: list[StreamingEvent]) -> None:
    """Whatever opens is closed once, parts before their item, items before the response, which ends last."""
    items: set[int] = set()
    parts: set[Any] = set()
    for one in events[:-1]:
        assert one.type not in ("response.completed", "response.incomplete", "response.failed")
        kind, _, step = one.type.rpartition(".")
        index = getattr(one, "output_index", None) if kind.startswith("response.") else None
        if kind == "response.output_item":
            (items.add if step == "added" else items.remove)(index)
            assert step == "added" or not {part for part in parts if part[0] == index}
        elif kind in ("response.content_part", "response.reasoning_part", "response.reasoning_summary_part"):
            place = (index, kind, getattr(one, "content_index", None), getattr(one, "summary_index", None))
            (parts.add if step == "added" else parts.remove)(place)
    assert not items
    assert not parts
    assert events[-1].type in ("response.completed", "response.incomplete", "response.failed")


@needs(STREAMS)
@pytest.mark.parametrize("name", NAMES[::6])
def test_a_recorded_stream_that_is_cut_anywhere_ends_well(name: str):
    events = [one for one in recorded(name) if one.type != "error"]
    chance = random.Random(name)
    for cut in {1, len(events) - 1, *(chance.randrange(1, len(events)) for _ in range(3))} if len(events) > 1 else ():
        start = events[:cut]
        ending = closed(start)
        if any(one.type in ("response.completed", "response.incomplete", "response.failed") for one in start):
            assert ending == []
            continue
        if not any(one.type == "response.output_item.added" and one.synthetic for one in start):
            grammar_holds([*start, *ending])
        if name in WHOLE:
            assert response_of(ending[-1]).output_text == "".join(run(start, rxs.text_only()))
