"""Responses that are interleaved in one Observable: one warning says that what is made of them is wrong."""

import json
import logging
from itertools import chain, zip_longest
from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.errors import TruncatedError
from rxstream.events import StreamingEvent, parse_event
from rxstream.testing import answers


def response(name: str, answer: answers.Answer) -> list[StreamingEvent]:
    """The events of a response, with ids of its own."""
    texts = (event.model_dump_json().replace("_0000", f"_{name}") for event in answers.events_of(answer))
    return [parse_event(json.dumps(json.loads(text))) for text in texts]


FIRST = response("first", answers.text("One. Two.", split=2))
SECOND = response("second", answers.text("Three. Four.", split=2))


def interleaved(*responses: list[StreamingEvent]) -> list[StreamingEvent]:
    return [event for event in chain.from_iterable(zip_longest(*responses)) if event is not None]


def warnings(events: list[StreamingEvent], operator: Any, caplog: pytest.LogCaptureFixture) -> list[str]:
    with caplog.at_level(logging.WARNING, "rxstream"):
        reactivex.from_iterable(events).pipe(operator).subscribe(lambda value: None, lambda error: None)
    return [record.getMessage() for record in caplog.records if "interleaved" in record.getMessage()]


OPERATORS: dict[str, Any] = {
    "normalize": rxs.normalize(),
    "text_only": rxs.text_only(),
    "words": rxs.words(),
    "accumulate_function_args": rxs.accumulate_function_args(),
    "tool_calls": rxs.tool_calls(),
    "snapshots": rxs.snapshots(),
    "usage": rxs.usage(),
    "group_by_output_index": rxs.group_by_output_index(),
    "measure": rxs.measure(every=None),
}
each = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)


@each
def test_one_warning_names_what_to_do(operator: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert [text.count("before merge") for text in warnings(interleaved(FIRST, SECOND), operator, caplog)] == [1]


@pytest.mark.parametrize("operator", [rxs.final_response(), rxs.partial_json(), rxs.require_completed()])
def test_who_owes_a_whole_answer_raises(operator: Any) -> None:
    errors: list[Exception] = []
    reactivex.from_iterable(interleaved(FIRST, SECOND)).pipe(operator).subscribe(lambda value: None, errors.append)
    assert [type(error) for error in errors] == [TruncatedError]


@pytest.mark.parametrize("at", range(2, len(FIRST)))
def test_a_whole_response_inside_another_is_seen_too(at: int, caplog: pytest.LogCaptureFixture) -> None:
    assert len(warnings([*FIRST[:at], *SECOND, *FIRST[at:]], rxs.normalize(), caplog)) == 1


@each
@pytest.mark.parametrize(
    "events",
    [FIRST + SECOND, FIRST[:5] + SECOND, FIRST[:5] + SECOND[:4] + response("third", answers.text("Five."))],
    ids=["whole", "the first cut", "two cut"],
)
def test_responses_that_follow_each_other_are_no_reason_to_warn(
    events: list[StreamingEvent], operator: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert warnings(events, operator, caplog) == []
