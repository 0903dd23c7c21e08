"""What a subscriber lacks of a whole response, for every stream that was cut anywhere."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.events._fields import TERMINAL
from rxstream.response.decoding._missing_events import MissingEvents
from rxstream.testing import answers
from tests._given import STREAMS, each_stream, needs
from tests.operators._recorded import WHOLE, recorded, run

WORDS = "Let us see what is there"
ANSWERS = {
    "text": answers.text("Hello there, you", split=3),
    "logprobs": answers.text("Hello there, you", split=3, logprobs=True),
    "calls": answers.function_calls([("f", {"a": 1}), ("g", {"b": [1, 2]})], split=2),
    "reasoning": answers.reasoning_summary(WORDS, then="Hello there", split=4),
    "refusal": answers.refusal("I cannot help with that", split=5),
    "several": answers.together(
        answers.text("One"), answers.function_calls([("f", {})]), answers.text("Two"), interleaved=True
    ),
    "incomplete": answers.incomplete("Hello there", split=3),
}


def rest_of(events: Sequence[StreamingEvent], cut: int, *, from_start: bool = True) -> list[StreamingEvent]:
    """The missing events of a stream that was cut."""
    missing = MissingEvents(from_start=from_start)
    for event in events[:cut]:
        missing.feed(event)
    terminal: Any = events[-1]
    return list(missing.of(terminal.response.model_dump()))


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
def test_with_them_it_is_the_same_answer(answer: answers.Answer) -> None:
    events = list(answers.events_of(answer))
    for cut in range(len(events)):
        rest = rest_of(events, cut)
        both = [*events[:cut], *rest]
        assert all(event.synthetic and event.sequence_number is None for event in rest)
        for operator in (rxs.accumulate_function_args, rxs.annotations):
            assert run(both, operator()) == run(events, operator())
        for operator in (rxs.text_only, rxs.refusals, rxs.reasoning_summary):
            assert "".join(run(both, operator())) == "".join(run(events, operator()))
        assert run(both, rxs.snapshots())[-1].response == run(events, rxs.snapshots())[-1].response
        assert _wholes(both) == _wholes(events)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
def test_none_but_the_end_is_missing_of_a_whole_stream(answer: answers.Answer) -> None:
    events = list(answers.events_of(answer))
    assert [event.type for event in rest_of(events, len(events) - 1)] == [events[-1].type]


def test_of_a_stream_whose_beginning_is_not_known_only_the_end() -> None:
    events = list(answers.events_of(ANSWERS["text"]))
    (end,) = rest_of(events[5:], 3, from_start=False)
    assert end.model_dump()["response"] == events[-1].model_dump()["response"]


def test_log_probabilities_of_the_rest() -> None:
    events: list[Any] = list(answers.events_of(ANSWERS["logprobs"]))
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    cut = events.index(deltas[1])
    rest: Any = rest_of(events, cut)[0]
    assert rest.delta == "".join(event.delta for event in deltas[1:])
    assert rest.logprobs == [entry for event in deltas[1:] for entry in event.logprobs]


def test_a_text_that_the_response_has_otherwise_comes_with_its_done() -> None:
    events: list[Any] = list(answers.events_of(ANSWERS["text"]))
    response = events[-1].response.model_dump()
    response["output"][0]["content"][0]["text"] = "Another text"
    missing = MissingEvents()
    for event in events[:6]:
        missing.feed(event)
    rest: list[Any] = list(missing.of(response))
    assert [event.type.rpartition(".")[2] for event in rest] == ["done", "done", "done", "completed"]
    assert rest[0].text == "Another text"


def test_what_was_never_opened_is_not_opened_late() -> None:
    events = [event for event in answers.events_of(ANSWERS["text"]) if not event.type.endswith(".added")]
    for cut in range(1, len(events)):
        both = [*events[:cut], *rest_of(events, cut)]
        assert run(both, rxs.snapshots())[-1].text == "Hello there, you"
        assert "".join(run(both, rxs.text_only())) == "Hello there, you"


def test_an_item_is_found_by_its_id_or_by_its_type() -> None:
    events: list[Any] = list(answers.events_of(answers.together(answers.text("One"), answers.text("Two"))))
    half = next(place for place, event in enumerate(events) if event.type == "response.output_item.done") + 3
    for changed in ({}, {"id": "msg_other"}):
        response = events[-1].response.model_dump()
        response["output"] = [{**item, **changed} for item in response["output"]]
        missing = MissingEvents()
        for event in events[:half]:
            missing.feed(event)
        assert {event.output_index for event in missing.of(response) if hasattr(event, "output_index")} == {1}


@pytest.mark.parametrize("output", [None, "text", [5], [None, {}], [{"type": 5}]], ids=str)
def test_an_output_of_no_items_ends_all_the_same(output: Any) -> None:
    rest = list(MissingEvents().of({"id": "r", "object": "response", "status": "completed", "output": output}))
    assert rest[-1].type == "response.completed"


@pytest.mark.parametrize("status", [None, 5, [], {}], ids=str)
def test_a_status_that_is_none_is_that_of_a_whole_response(status: Any) -> None:
    rest = list(MissingEvents().of({"id": "r", "object": "response", "status": status, "output": []}))
    assert rest[-1].type == "response.completed"


@needs(STREAMS)
@each_stream(WHOLE)
def test_recorded_streams(name: str) -> None:
    """Where the final response repeats what was streamed, nothing is said twice and nothing is left out."""
    events = recorded(name)
    whole = [*rest_of(events, 0)]
    if not isinstance(events[-1], TERMINAL) or _texts(whole) != _texts(events):
        return
    for cut in sorted(random.Random(name).sample(range(1, len(events)), min(3, len(events) - 1))):
        both = [*events[:cut], *rest_of(events, cut)]
        assert _texts(both) == _texts(events), cut
        assert _wholes(both).keys() >= _wholes(whole).keys() & _wholes(events).keys(), cut
        assert run(both, rxs.snapshots())[-1].text == run(events, rxs.snapshots())[-1].text
        assert max(_wholes(both).values(), default=1) <= max(_wholes(events).values(), default=1), cut
        assert run(both, rxs.accumulate_function_args()) == run(events, rxs.accumulate_function_args())


def _wholes(events: Sequence[Any]) -> dict[tuple[Any, ...], int]:
    """How often each event came that is not a delta."""
    names = ("output_index", "content_index", "summary_index", "annotation_index")
    places = [
        (event.type, *(getattr(event, name, None) for name in names))
        for event in events
        if "delta" not in event.model_fields_set and event.type != "response.in_progress"
    ]
    return {place: places.count(place) for place in places}


def _texts(events: Sequence[Any]) -> dict[tuple[str, int], str]:
    texts: dict[tuple[str, int], str] = {}
    for event in events:
        if "delta" in event.model_fields_set and isinstance(event.delta, str) and event.delta:
            place = event.type, event.output_index
            texts[place] = texts.get(place, "") + event.delta
    return texts
