"""No tool gets, and no subscriber keeps, text without its verdict: in every mode, however async checks answer."""

import json
import math
import random
from collections.abc import Iterable
from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.moderation import ModerationRetractedEvent, Verdict, Window
from rxstream.results import FunctionCall
from rxstream.testing import ModerationTrial
from rxstream.testing.laws._moderation_script import ScriptPlace, place_of
from rxstream.testing.laws._moderation_seen import Seen
from rxstream.testing.laws._moderation_trial import HANGS
from tests.event_builders import (
    arguments_delta,
    arguments_done,
    completed,
    created,
    function_call,
    incomplete,
    item_added,
    item_done,
    make_event,
    message,
    text_deltas,
    text_part,
)
from tests.moderation._moderated import moderated, of_type, split_in

MODES = ["hold", "bounded", "optimistic"]
ARGUMENTS = '{"q": "some words for a tool"}'
TOOLS = [{"type": "function", "name": "look"}]


def call_events(index: int, arguments: str, rng: random.Random) -> list[StreamingEvent]:
    """A call; some of the events that repeat its arguments are missing, and some of it may come again."""
    call = function_call("look", arguments, index, status="completed")
    events = [
        make_event("response.output_item.added", output_index=index, item={**call, "arguments": ""}),
        *(arguments_delta(piece, index) for piece in split_in(arguments, rng.randint(1, 6))),
    ]
    if rng.random() < 0.7:
        events.append(arguments_done(arguments, index))
    if rng.random() < 0.7:
        events.append(make_event("response.output_item.done", output_index=index, item=call))
    if rng.random() < 0.2:  # the item is opened again
        events += events[rng.randint(0, 1) :]
    return events


def response_events(number: int, rng: random.Random, *, ends: bool) -> list[StreamingEvent]:
    """A response with text and calls, whose events are interleaved."""
    words = f"Text {number} of the model, which goes on. "
    rows: list[list[StreamingEvent]] = [
        [item_added(), *text_deltas(*split_in(words, 4)), item_done(0, text_part(words))]
    ]
    output: list[Any] = [message(text_part(words))]
    for index in range(1, rng.randint(2, 4)):
        arguments = json.dumps({"q": f"call {index} of response {number} " + "x" * rng.randint(0, 30)})
        rows.append(call_events(index, arguments, rng))
        output.append(function_call("look", arguments, index, status="completed"))
    events = [created(id=f"resp_{number}", tools=TOOLS if rng.random() < 0.7 else [])]
    while any(rows):
        row = rng.choice([row for row in rows if row])
        events.append(row.pop(0))
    if ends or rng.random() < 0.8:
        events.append(completed(*(output if rng.random() < 0.6 else ()), id=f"resp_{number}"))
    return events


def wild_check(rng: random.Random) -> Any:
    """Answers by the window: mostly it passes it; it flags, fails, never answers, asks for more."""
    salt, passes = rng.random(), rng.choice([0.6, 0.9, 1.0])

    def check(window: Window) -> Any:
        own = random.Random(f"{salt} {window.text} {window.start} {window.kind}")
        if own.random() < passes:
            return False
        return own.choice([True, True, HANGS, None, Verdict(False, suspect=True), Verdict(False, holdback=5)])

    return check


def wild_trial(rng: random.Random) -> ModerationTrial:
    last = rng.randint(0, 1)
    events = [event for number in range(last + 1) for event in response_events(number, rng, ends=number < last)]
    gap = rng.choice([0.001, 0.05, 0.3])
    delays = [rng.choice([0.0, 0.01, 0.4, 1.5, 5.0]) * rng.random() for _ in range(64)]
    options = {
        "mode": rng.choice(["bounded", "optimistic", "optimistic", "hold"]),
        "max_exposure": rng.choice([0, 10, 300]),
        "first_chars": rng.choice([5, 60]),
        "max_chars": 60,
        "in_flight": rng.choice([1, 3]),
        "on_flag": rng.choice(["cut", "error", "refuse", "replace"]),
        "on_check_error": rng.choice(["cut", "error"]),
        "holdback": rng.choice(["word", 0]),
        "retries": rng.choice([0, 1]),
        "timeout": 1.0,
        "quiet": rng.choice([0.0, 0.2, 2.0]),
        "include": "all",
    }
    timed = [(gap * number, event) for number, event in enumerate(events)]
    judges = [wild_check(rng) for _ in range(rng.choice([1, 1, 2]))]
    return ModerationTrial(timed, judges, delay=lambda number: delays[number % 64], options=options)


def whole_calls(emitted: Iterable[tuple[int, float, Any]], operator: Any) -> list[tuple[int, FunctionCall]]:
    """The calls that a tool may run for, and the order of the event that made each whole."""
    source, calls = reactivex.Subject[Any](), list[FunctionCall]()
    source.pipe(operator).subscribe(
        lambda call: (
            calls.append(call)
            if (call.done or call.input_done) and not call.delta and call.status != "incomplete"
            else None
        ),
        lambda error: None,
    )
    found: list[tuple[int, FunctionCall]] = []
    for order, _, event in emitted:
        source.on_next(event)
        found += [(order, call) for call in calls]
        calls.clear()
    source.on_completed()
    return found + [(1_000_000, call) for call in calls]


def unjudged(seen: Seen, text: str, tier: int, *, kind: str = "function_args", order: float = math.inf) -> str:
    """What of a text one check had not passed by then."""
    left = list(text)
    for call in seen.calls:
        start = call.window.start
        judged = call.window.text[: max(len(text) - start, 0)]  # more deltas may follow the text
        passed = call.tier == tier and call.passed and call.answered is not None and call.answered <= order
        if passed and call.window.kind == kind and text[start : start + len(judged)] == judged:
            left[start : start + len(judged)] = " " * len(judged)
    return "".join(left).strip()


def kept_texts(seen: Seen) -> dict[tuple[str, ScriptPlace], str]:
    """The texts that the subscriber has at the end, without what was retracted."""
    texts: dict[tuple[str, ScriptPlace], str] = {}
    response = ""
    for _, _, event in seen.emitted:
        place = place_of(event)
        if event.type == "response.created":
            response = event.response.id  # type: ignore[attr-defined]
        elif isinstance(event, ModerationRetractedEvent):
            key = event.response_id or "", (event.output_index, event.content_index, event.kind)
            assert event.start < event.end == len(texts[key])
            texts[key] = texts[key][: event.start]
        elif place is not None and not event.synthetic:
            texts[response, place] = texts.get((response, place), "") + event.delta  # type: ignore[attr-defined]
    return texts


def assert_verified(trial: ModerationTrial, seen: Seen) -> None:
    for operator in (rxs.accumulate_function_args, rxs.tool_calls):
        for order, call in whole_calls(seen.emitted, operator()):
            if "[removed]" not in call.arguments:
                for tier in range(len(trial.judges)):
                    missing = unjudged(seen, call.arguments, tier, order=order)
                    assert not missing, f"a call is whole, and check {tier} has not passed {missing!r} of it"


@pytest.mark.parametrize("seed", range(150))
def test_no_tool_gets_and_no_subscriber_keeps_what_was_not_verified(seed: int):
    trial = wild_trial(random.Random(seed))
    seen = trial.run()
    assert seen.ended
    assert not seen.left_open
    assert not any("moderation failed" in line for line in seen.log)
    assert_verified(trial, seen)
    for (response, place), text in kept_texts(seen).items():
        if "[removed]" not in text:
            for tier in range(len(trial.judges)):
                missing = unjudged(seen, text, tier, kind=place[2])
                assert not missing, f"check {tier} has not passed {missing!r} of {place} in {response}, and it stays"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("repeats", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("output", [True, False])
def test_a_call_waits_for_the_verdict_on_its_arguments(mode: str, repeats: tuple[bool, bool], output: bool):
    """Whatever the server sends at its end: both `.done` events, one, or only the end of the response."""
    call = function_call("look", ARGUMENTS, 0, status="completed")
    events = [
        created(tools=TOOLS),
        make_event("response.output_item.added", output_index=0, item={**call, "arguments": ""}),
    ]
    events += [arguments_delta(piece) for piece in split_in(ARGUMENTS, 5)]
    events += [arguments_done(ARGUMENTS)] * repeats[0]
    events += [make_event("response.output_item.done", output_index=0, item=call)] * repeats[1]
    events.append(completed(*[call] * output))
    seen = moderated(events, lambda window: False, delay=2.0, mode=mode, include="all")
    for operator in (rxs.accumulate_function_args, rxs.tool_calls):
        moments = {order: at for order, at, _ in seen.emitted}
        calls = whole_calls(seen.emitted, operator())
        assert calls or not any((*repeats, output))
        assert all(moments[order] >= 2.0 for order, _ in calls if order in moments)
    flags = moderated(events, lambda window: True, delay=2.0, mode=mode, include="all")
    for operator in (rxs.accumulate_function_args, rxs.tool_calls):
        assert whole_calls(flags.emitted, operator()) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_source_that_fails_ends_no_call_whose_arguments_have_no_verdict(mode: str):
    """The connection may break after the end of the response, while that waits for verdicts."""
    call = function_call("look", ARGUMENTS, 0, status="completed")
    events = [created(tools=TOOLS), make_event("response.output_item.added", output_index=0, item=call)]
    events += [arguments_delta(piece) for piece in split_in(ARGUMENTS, 5)]
    events += [arguments_done(ARGUMENTS), completed(call)]
    seen = moderated(events, lambda window: False, delay=2.0, mode=mode, include="all", error=ConnectionError())
    assert seen.ended == "#"
    for operator in (rxs.accumulate_function_args, rxs.tool_calls):
        assert whole_calls(seen.emitted, operator()) == []


@pytest.mark.parametrize("end", [completed, incomplete])
def test_a_source_that_fails_after_two_responses_completes_neither(end: Any):
    """Their ends are held for the verdicts. One that says that it is not whole is emitted with the released text."""
    first, second = (
        [created(id=name), *text_deltas("some words"), end(message(text_part("some words")), id=name)]
        for name in ("resp_1", "resp_2")
    )
    seen = moderated([*first, *second], lambda window: False, delay=2.0, error=ConnectionError())
    assert seen.ended == "#"
    ends = [(event.response.id, event.response.output_text) for event in of_type(seen, first[-1].type)]
    assert ends == ([] if end is completed else [("resp_1", ""), ("resp_2", "")])
