"""An Observable with several responses: an operator emits of them what it emits of each."""

import math
from dataclasses import replace
from typing import Any

import pytest
import reactivex as rx
from reactivex import compose
from reactivex import operators as ops

from rxstream import operators as rxs
from rxstream.events import ResponseCompletedEvent, StreamingEvent
from rxstream.results import EventGroup, Metrics
from rxstream.testing import VirtualClock, answers
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
    "a text, then one cut by a limit": (answers.text("One"), answers.incomplete("Two")),
    "JSON": (answers.text("[1, 2]"), answers.text("[3]")),
}


def without_items(metrics: Metrics) -> Metrics:
    return replace(metrics, items=())


def group_events(group: EventGroup[Any]) -> rx.Observable[object]:
    return group.pipe(ops.map(lambda event: (group.key, group.response_id, event.type)))


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
    "reasoning_text": rxs.reasoning_text(),
    "json_items": rxs.json_items("$[*]"),
    "partial_json": rxs.partial_json(),
    "parse_output": rxs.parse_output(list[int]),
    "of_type": rxs.of_type(ResponseCompletedEvent),
    "final_response": rxs.final_response(),
    "require_completed": rxs.require_completed(),
    "well_formed": rxs.well_formed(),
    "normalize": rxs.normalize(),
    "debounce_moderation": rxs.debounce_moderation(lambda window: False, quiet=math.inf, max_delay=math.inf),
    "measure": compose(rxs.measure(every=None, clock=lambda: 0.0), ops.map(without_items)),
    "group_by_output_index": compose(rxs.group_by_output_index(), ops.flat_map(group_events)),
    "heartbeat": rxs.heartbeat(1, scheduler=VirtualClock().scheduler),
    "group_by_content_part": compose(rxs.group_by_content_part(), ops.flat_map(group_events)),
}
PASS_EVENTS = ("of_type", "heartbeat", "require_completed", "well_formed", "normalize", "debounce_moderation")
NOT_OF_RESPONSES = {
    "debounce_moderation_text",  # it takes texts
    *("coalesce", "pace", "timeouts"),  # time: they wait across the end of a response
    "run_tools",  # its source is one response: those of the later turns are not in it
    "gate_until",  # one verdict for all
    *("fallback_to", "probe", "retry_transient", "shared", "tee_to_tape"),  # they pass what comes
    *("for_each_async", "map_async", "lift", "lift_timed"),  # a function of the user decides
    *("decode_events", "decode_sse", "parse_events"),  # they read bytes and frames
}


def test_every_operator_is_here_or_does_not_read_responses():
    assert {name.split("(")[0] for name in OPERATORS} | NOT_OF_RESPONSES == set(rxs.__all__)


def emitted(events: list[StreamingEvent], operator: Operator[StreamingEvent, Any]) -> list[object]:
    """The values, and the error if it ends with one."""
    values: list[object] = []
    rx.from_iterable(events).pipe(operator).subscribe(
        lambda value: values.append(plain(value)), lambda error: values.append(type(error))
    )
    return values


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", OPERATORS)
def test_of_two_responses_it_emits_what_it_emits_of_each(name: str, pair: str):
    first, second = (answers.events_of(answer) for answer in PAIRS[pair])
    second = renamed(second)
    operator = OPERATORS[name]
    expected = emitted(first, operator)
    if not (expected and isinstance(expected[-1], type)):  # else it has ended with an error
        expected += emitted(second, operator)
    assert emitted([*first, *second], operator) == expected


def renamed(events: list[StreamingEvent]) -> list[StreamingEvent]:
    """The events of another response: with another id."""
    other: list[StreamingEvent] = []
    for event in events:
        response = getattr(event, "response", None)
        if response is not None:
            event = event.model_copy(update={"response": response.model_copy(update={"id": "resp_other"})})
        other.append(event)
    return other


@pytest.mark.parametrize("name", [name for name in OPERATORS if name not in PASS_EVENTS])
def test_an_event_after_the_end_of_its_response_adds_nothing(name: str):
    events = answers.events_of(answers.text("[1, 2]"))
    operator = OPERATORS[name]
    assert emitted([*events, *events[2:]], operator) == emitted(events, operator)
