"""The law of several responses where the events of a run stand before, between, inside and after them."""

import functools
import operator
import os
from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.events import OwnEvent, StreamingEvent
from rxstream.results import HeartbeatEvent, Metrics
from rxstream.testing import VirtualClock, answers
from rxstream.tools import (
    RunEvent,
    RunFinishedEvent,
    ToolApprovalEvent,
    ToolFinishedEvent,
    ToolProgressEvent,
    ToolStartedEvent,
    TurnStartedEvent,
)
from tests.laws.test_several_responses import OPERATORS, PAIRS, PASS_EVENTS, emitted, renamed

BETWEEN: list[OwnEvent] = [
    HeartbeatEvent(seconds=15),
    ToolApprovalEvent(call_id="c", name="look", arguments="{}"),
    ToolStartedEvent(call_id="c", name="look", arguments="{}"),
    ToolProgressEvent(call_id="c", name="look", progress=["half"]),
    ToolFinishedEvent(call_id="c", name="look", output="warm"),
]


def as_a_run(first: list[StreamingEvent], second: list[StreamingEvent]) -> list[Any]:
    """Two turns. A pure tool of the first starts before its response has ended, and another after it."""
    return [
        HeartbeatEvent(seconds=15),
        TurnStartedEvent(turn=1),
        HeartbeatEvent(seconds=15),
        *first[:3],
        HeartbeatEvent(seconds=15),
        *first[3:-1],
        ToolStartedEvent(call_id="p", name="pure", arguments="{}"),
        first[-1],
        *BETWEEN,
        ToolFinishedEvent(call_id="p", name="pure", output="1"),
        TurnStartedEvent(turn=2),
        *second,
        RunFinishedEvent(turn=2),
    ]


def turns(pair: str) -> tuple[list[StreamingEvent], list[StreamingEvent]]:
    first, second = (answers.events_of(answer) for answer in PAIRS[pair])
    return first, renamed(second)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", [name for name in OPERATORS if name not in PASS_EVENTS])
def test_what_reads_responses_emits_of_a_run_what_it_emits_of_its_turns(name: str, pair: str):
    first, second = turns(pair)
    expected = emitted([*first, *second], OPERATORS[name])
    assert emitted(as_a_run(first, second), OPERATORS[name]) == expected


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", [name for name in PASS_EVENTS if name != "of_type"])
def test_what_passes_events_passes_those_of_a_run_at_their_places(name: str, pair: str):
    first, second = turns(pair)
    run = as_a_run(first, second)
    passed = emitted(run, OPERATORS[name])
    if isinstance(passed[-1], type):  # it ended with an error: what came before has passed
        assert name == "require_completed"
        passed.pop()
        run = run[: len(passed)]
    expected = emitted(run, lambda source: source)
    if name != "debounce_moderation":  # it joins deltas
        assert passed == expected
    assert [kind_of(value) for value in passed if not is_delta(value)] == [
        kind_of(value) for value in expected if not is_delta(value)
    ]
    assert [value for value in passed if is_ours(value)] == [value for value in expected if is_ours(value)]


def kind_of(value: Any) -> str:
    return str(value["type"])


def is_ours(value: Any) -> bool:
    return kind_of(value).startswith("rxstream.")


def is_delta(value: Any) -> bool:
    return kind_of(value).endswith(".delta")


PASSERS: dict[str, Callable[[Any], Any]] = {
    "coalesce": rxs.coalesce(0.05),
    "pace": rxs.pace(),
    "heartbeat": rxs.heartbeat(1000),
    "timeouts": rxs.timeouts(),
    "fallback_to": rxs.fallback_to(reactivex.empty()),
    "retry_transient": rxs.retry_transient(),
    "shared": rxs.shared(),
    "shared(conflate)": rxs.shared(overflow="conflate", linger=1),
    "tee_to_tape": rxs.tee_to_tape(os.devnull),
    "gate_until": rxs.gate_until(lambda: False),
    "measure": rxs.measure(lambda metrics: None),
    "probe": rxs.probe("run"),
    "probe(pace)": rxs.probe("pace", rxs.pace()),
}


@pytest.mark.parametrize("name", PASSERS)
def test_what_waits_or_repeats_passes_the_events_of_a_run_in_order(name: str):
    run = as_a_run(*turns("a call, then its answer"))
    clock = VirtualClock()
    passed: list[Any] = []
    source = reactivex.from_iterable(run)
    with rxstream.Session(api_key="k"):
        source.pipe(PASSERS[name]).subscribe(passed.append, scheduler=clock.scheduler)
        clock.advance(100)
    ours = [event for event in run if event.type.startswith("rxstream.")]
    assert [event for event in passed if event.type.startswith("rxstream.")] == ours
    assert passed[-1] == run[-1]


def test_metrics_and_usage_of_the_turns_can_be_added():
    clock = VirtualClock()
    first, second = turns("a call, then its answer")
    metrics: list[Metrics] = []
    at = {"rxstream.tool.finished": 5.0, "rxstream.turn.started": 1.0, "rxstream.heartbeat": 0.0}
    source = reactivex.from_iterable(as_a_run(first, second))
    now = [0.0]

    def tick(event: Any) -> None:
        now[0] += at.get(event.type, 0.1)

    source.pipe(ops.do_action(tick), rxs.measure(every=None, clock=lambda: now[0])).subscribe(
        metrics.append, scheduler=clock.scheduler
    )
    clock.advance(1)
    one, two = metrics
    assert (one.first_event, two.first_event) == (1.1, 0.1)  # the tools ran between them
    whole = one + two
    assert whole.events == one.events + two.events == len(first) + len(second)
    assert whole.elapsed == pytest.approx(one.elapsed + two.elapsed)
    assert (whole.outcome, whole.response_id) == ("completed", "resp_other")
    assert [item.started for item in whole.items] == pytest.approx(
        [*(item.started for item in one.items), *(item.started + one.elapsed for item in two.items)]
    )
    assert whole.gaps.count == one.gaps.count + two.gaps.count
    assert whole.first_event == one.first_event
    usages: list[Any] = []
    reactivex.from_iterable(as_a_run(first, second)).pipe(rxs.usage()).subscribe(usages.append)
    assert whole.usage == functools.reduce(operator.add, usages)
    assert whole.usage is not None
    assert whole.usage.total_tokens == sum(usage.total_tokens for usage in usages)


@pytest.mark.parametrize(
    "kind", ["rxstream.tool.finished", ToolFinishedEvent, RunEvent, "rxstream.heartbeat", HeartbeatEvent, OwnEvent]
)
def test_handlers_take_the_events_of_a_run(kind: Any, recwarn: pytest.WarningsRecorder):
    handlers, heard = rxstream.Handlers(), list[Any]()
    handlers.on(kind)(heard.append)
    run = as_a_run(*turns("texts"))
    reactivex.from_iterable(run).subscribe(handlers)
    assert not recwarn.list
    assert heard
    assert heard == [
        event for event in run if event.type == kind or (isinstance(kind, type) and isinstance(event, kind))
    ]


def test_handlers_know_the_types_of_a_run():
    with pytest.warns(UserWarning, match=r"did you mean 'rxstream.tool.finished'"):
        rxstream.Handlers().on("rxstream.tool.finishd")
