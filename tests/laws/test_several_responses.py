"""An Observable with several responses: an operator emits of them what it emits of each."""

from typing import Any

import pytest
import reactivex as rx

from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.testing import answers
from rxstream.testing.marbles._trial import plain
from rxstream.typing import Operator

CALL = ("look", {"city": "Oslo"}, "call_1")
PAIRS = {
    "texts": (answers.text("One. Two"), answers.text("Three\nfour.")),
    "the same text": (answers.text("Again."), answers.text("Again.")),
    "calls with one id": (answers.function_calls([CALL]), answers.function_calls([CALL])),
    "a call, then its answer": (answers.function_calls([CALL]), answers.text("It rains.")),
    "refusals": (answers.refusal("No."), answers.refusal("No.")),
    "cut by a limit": (answers.incomplete("One"), answers.text("Two")),
}
OPERATORS: dict[str, Operator[StreamingEvent, Any]] = {
    "text_only": rxs.text_only(),
    "accumulate_text": rxs.accumulate_text(),
    "words": rxs.words(),
    "sentences": rxs.sentences(),
    "lines": rxs.lines(),
    "annotations": rxs.annotations(),
    "refusals": rxs.refusals(),
    "reasoning_summary": rxs.reasoning_summary(),
    "accumulate_function_args": rxs.accumulate_function_args(),
    "accumulate_function_args(partial=True)": rxs.accumulate_function_args(partial=True),
    "tool_calls": rxs.tool_calls(),
    "usage": rxs.usage(),
    "snapshots": rxs.snapshots(),
}


def emitted(events: list[StreamingEvent], operator: Operator[StreamingEvent, Any]) -> list[object]:
    values: list[object] = []
    errors: list[Exception] = []
    rx.from_iterable(events).pipe(operator).subscribe(lambda value: values.append(plain(value)), errors.append)
    assert errors == []
    return values


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", OPERATORS)
def test_of_two_responses_it_emits_what_it_emits_of_each(name: str, pair: str):
    first, second = (answers.events_of(answer) for answer in PAIRS[pair])
    second = renamed(second)
    operator = OPERATORS[name]
    assert emitted([*first, *second], operator) == [*emitted(first, operator), *emitted(second, operator)]


def renamed(events: list[StreamingEvent]) -> list[StreamingEvent]:
    """The events of another response: with another id."""
    other: list[StreamingEvent] = []
    for event in events:
        response = getattr(event, "response", None)
        if response is not None:
            event = event.model_copy(update={"response": response.model_copy(update={"id": "resp_other"})})
        other.append(event)
    return other


@pytest.mark.parametrize("name", OPERATORS)
def test_what_comes_behind_the_end_of_a_response_adds_nothing(name: str):
    events = answers.events_of(answers.text("One. Two"))
    operator = OPERATORS[name]
    assert emitted([*events, *events[2:]], operator) == emitted(events, operator)
