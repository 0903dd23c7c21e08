"""Counts and times of a stream."""

import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstream.timing._meter import Meter
from rxstream.timing._metrics import Gaps, Metrics, Outcome
from tests.event_builders import item_added, make_event, say


def metrics(
    timed: list[tuple[float, str]],
    *,
    start: float = 100.0,
    end: float | None = None,
    stall: float = 2.0,
    ended: Outcome | None = None,
) -> Metrics:
    """What a meter reads when the tokens come at their times."""
    meter = Meter(stall, start)
    for (at, _), one in zip(timed, say(" ".join(token for _, token in timed)), strict=True):
        meter.feed(one, start + at)
    return meter.read(start + (end if end is not None else timed[-1][0] if timed else 0.0), ended)


def test_before_anything_came_there_is_nothing_to_tell():
    read = metrics([], end=3.0)
    assert read == Metrics(
        outcome="running",
        elapsed=3.0,
        response_id=None,
        events=0,
        characters=0,
        first_event=None,
        first_text=None,
        events_per_second=0.0,
        characters_per_second=0.0,
        gaps=Gaps(0, 0.0, 0.0, 0.0, 0.0),
        flags=0,
        stalls=0,
        stalled=0.0,
        usage=None,
        items=(),
    )
    assert read.tokens_per_second is None


def test_times_count_from_the_subscription():
    read = metrics([(0.5, "C"), (0.8, "R"), (0.9, "s:hm"), (1.2, "1:Hello"), (2.0, "K")], end=2.5)
    assert (read.first_event, read.first_text, read.elapsed) == (0.5, 1.2, 2.5)


def test_a_refusal_is_an_answer_but_reasoning_and_arguments_are_none():
    assert metrics([(1.0, "s:a"), (2.0, "f:b"), (3.0, "r:no")]).first_text == 3.0


def test_rates_leave_out_what_came_first():
    read = metrics([(1.0, "C"), (2.0, "abcd"), (3.0, "ef"), (4.0, "gh"), (5.0, "H")])
    assert read.events_per_second == 1.0
    assert read.characters_per_second == 2.0
    assert read.characters == 8


def test_one_delta_has_no_rate():
    assert metrics([(1.0, "abc")]).characters_per_second == 0.0


def test_gaps_are_those_between_deltas_whatever_comes_between():
    read = metrics([(0.0, "C"), (1.0, "a"), (1.1, "H"), (1.4, "1f:{"), (1.5, "D"), (2.4, "b"), (9.0, "K")])
    assert read.gaps == Gaps(count=2, p50=0.7, p95=0.97, p99=0.994, longest=1.0)


@given(st.lists(st.floats(0.001, 5), min_size=2, max_size=60))
def test_percentiles_are_those_of_the_standard_library(gaps: list[float]):
    now, timed = 0.0, [(0.0, "a")]
    for gap in gaps:
        now += gap
        timed.append((now, "a"))
    read = metrics(timed, start=0.0).gaps
    cuts = statistics.quantiles(gaps, n=100, method="inclusive")
    assert (read.p50, read.p95, read.p99) == pytest.approx((cuts[49], cuts[94], cuts[98]), abs=2e-6)
    assert read.longest == pytest.approx(max(gaps), abs=2e-6)


def test_stalls_are_silences_after_the_first_event():
    timed = [(5.0, "C"), (6.9, "a"), (8.9, "b"), (9.0, "H"), (12.0, "c")]
    read = metrics(timed, end=13.0)
    assert (read.stalls, read.stalled) == (2, 5.0)
    going_on = metrics(timed, end=14.5)
    assert (going_on.stalls, going_on.stalled) == (3, 7.5)
    assert metrics([], end=60.0).stalls == 0


def test_tokens_are_those_that_the_api_billed():
    read = metrics([(1.0, "C"), (2.0, "a"), (3.0, "b"), (5.0, "K")], ended="cut")
    assert read.usage is not None
    assert (read.usage.output_tokens, read.tokens_per_second) == (2, 0.5)


def test_each_item_is_measured_for_itself():
    read = metrics(
        [
            (1.0, "C"),
            (1.0, "R"),
            (1.5, "s:hm"),
            (2.0, "I"),
            (2.0, "1F:look"),
            (2.5, "1f:{"),
            (2.7, "2:ab"),
            (3.5, "1f:}"),
        ]
    )
    reasoning, call, message = read.items
    assert (reasoning.type, reasoning.started, reasoning.first_text, reasoning.ended) == ("reasoning", 1.0, 1.5, 2.0)
    assert (reasoning.events, reasoning.characters) == (3, 2)
    assert (call.output_index, call.type, call.ended) == (1, "function_call", None)
    assert call.gaps == Gaps(1, 1.0, 1.0, 1.0, 1.0)
    assert (message.type, message.characters, message.gaps.count) == ("", 2, 0)


def test_text_that_came_without_deltas_counts_when_it_is_done():
    meter = Meter(2.0, 0.0)
    meter.feed(item_added(type="function_call", name="f", call_id="c", arguments=""), 1.0)
    done = make_event("response.function_call_arguments.done", output_index=0, item_id="i", arguments="{}")
    meter.feed(done, 2.0)
    meter.feed(make_event("response.output_text.done", output_index=1, item_id="m", text="abc"), 3.0)
    read = meter.read(3.0)
    assert (read.characters, read.first_text) == (5, 3.0)
    assert [item.first_text for item in read.items] == [2.0, 3.0]


def test_text_that_is_said_again_when_it_is_done_counts_once():
    assert metrics([(1.0, "a"), (2.0, "bc"), (3.0, "D")]).characters == 3


def test_what_is_no_text_has_no_characters():
    meter = Meter(2.0, 0.0)
    meter.feed(make_event("response.audio.delta", delta="QUJD"), 1.0)
    meter.feed(
        make_event("response.shell_call_output_content.delta", output_index=0, command_index=0, delta={"stdout": "a"}),
        1.0,
    )
    meter.feed(make_event("acme:text", output_index=0, delta="abc"), 1.0)
    read = meter.read(1.0)
    assert (read.events, read.characters, len(read.items)) == (3, 0, 1)


@pytest.mark.parametrize(
    ("tokens", "ended", "outcome"),
    [
        ("C a", None, "running"),
        ("C K", None, "running"),
        ("C K", "cut", "completed"),
        ("C N", "cut", "incomplete"),
        ("C X", "broken", "failed"),
        ("C W", "broken", "failed"),
        ("C a", "cut", "cut"),
        ("C a", "broken", "broken"),
        ("C a", "disposed", "disposed"),
        ("C K", "disposed", "completed"),
    ],
)
def test_the_outcome_says_how_it_ended(tokens: str, ended: Any, outcome: str):
    timed = [(float(at), token) for at, token in enumerate(tokens.split())]
    assert metrics(timed, ended=ended).outcome == outcome
