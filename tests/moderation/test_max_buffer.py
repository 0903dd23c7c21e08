"""What counts for `max_buffer`, and a source that is paused because of it."""

import json
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex.subject import Subject

from rxstream.moderation import Verdict, Window
from rxstream.operators import debounce_moderation
from rxstream.rx._context import FLOW
from rxstream.testing import VirtualClock
from tests.event_builders import completed, created, make_event, message, text_delta, text_deltas, text_part
from tests.moderation._moderated import flagged, moderated, passes
from tests.operators._wires import FakeFlow


def never(window: Window) -> Any:
    return reactivex.never()


HELD: dict[str, tuple[Any, dict[str, Any]]] = {
    "an event without text": (make_event("response.web_search_call.searching", output_index=0, item_id="ws"), {}),
    "an empty delta": (text_delta(""), {}),
    "a delta of a kind that is not moderated": (
        make_event("response.reasoning_text.delta", output_index=0, item_id="rs", content_index=0, delta="x"),
        {"include": ("text",)},
    ),
    "a later snapshot of the response": (make_event("response.in_progress", response={"id": "resp_1"}), {}),
}


@pytest.mark.parametrize("name", HELD)
def test_each_held_event_counts(name: str):
    event, options = HELD[name]
    first = make_event("response.output_item.added", output_index=0, item={"type": "message", "content": ["x"]})
    blocked = make_event("acme:note", text="held")
    events = [created(), first, text_delta("x" * 100), blocked, *[event] * 1000, text_delta("y")]
    seen = moderated(events, never, gap=0.0001, max_buffer=1000, timeout=60, **options)
    if name == "a later snapshot of the response":
        assert seen.ended  # it waits for nothing, so that it is not held
    else:
        assert flagged(seen).cause == "overflow"


def test_what_was_released_does_not_count_any_more():
    """One escape of JSON is six characters of the delta and one of the text."""
    text = json.dumps({"a": "é" * 4000})
    pieces = [text[start : start + 60] for start in range(0, len(text), 60)]
    deltas = [
        make_event("response.function_call_arguments.delta", output_index=0, item_id="fc", delta=piece)
        for piece in pieces
    ]
    options: dict[str, Any] = {"max_buffer": 2000, "include": "all", "quiet": 0.0}
    seen = moderated([created(), *deltas, completed()], passes, delay=0.001, **options)
    assert seen.texts()[0, 0, "function_args"] == text
    assert seen.ended == "|"


def test_a_paused_source_does_not_wait_for_text_that_only_the_source_can_send():
    """The verdicts hold everything back: with the source paused, nothing could ever be released."""
    clock, flow = VirtualClock(), FakeFlow()
    source: Subject[Any] = Subject()
    seen: list[Any] = []
    check = lambda window: Verdict(False, holdback=len(window.context + window.text))  # noqa: E731
    source.pipe(debounce_moderation(check, max_buffer=1000)).subscribe(seen.append, scheduler=clock.scheduler)
    token = FLOW.set(flow)
    try:
        for event in [created(), *text_deltas(*["0123456789"] * 300)]:
            if flow.pauses:
                clock.advance(60)
            assert not flow.pauses, "the source is paused, and nothing is under way that would resume it"
            source.on_next(event)
            if any(one.type == "rxstream.moderation.flagged" for one in seen):
                break
        assert flagged_cause(seen) == "overflow"
    finally:
        FLOW.reset(token)


def flagged_cause(events: list[Any]) -> str:
    return next(event.cause for event in events if event.type == "rxstream.moderation.flagged")


def test_a_large_holdback_does_not_stop_a_paused_source():
    clock, flow = VirtualClock(), FakeFlow()
    source: Subject[Any] = Subject()
    seen: list[Any] = []
    answers: list[Any] = []
    check = lambda window: Observable(lambda o, s=None: answers.append(o))  # noqa: E731
    source.pipe(debounce_moderation(check, max_buffer=1100, holdback=1000, first_chars=100, max_chars=100)).subscribe(
        seen.append, scheduler=clock.scheduler
    )
    token = FLOW.set(flow)
    try:
        for event in [created(), *text_deltas(*["0123456789"] * 300)]:
            while answers and flow.pauses:
                answers.pop(0).on_next(False)
            clock.advance(1 if flow.pauses else 0)
            assert not flow.pauses
            source.on_next(event)
        assert sum(len(event.delta) for event in seen if event.type.endswith("delta")) > 1000
    finally:
        FLOW.reset(token)


@pytest.mark.parametrize("mode", ["hold", "bounded"])
def test_a_verdict_at_once_does_not_wait_for_events_that_came_meanwhile(mode: Any):
    """Events that come while one is delivered wait in a queue: from the subscriber here, often from another thread."""
    source: Subject[Any] = Subject()
    seen: list[Any] = []

    def on_next(event: Any) -> None:
        seen.append(event)
        if event.type == "response.created":
            for more in [*text_deltas(*["word " * 20] * 100), completed()]:
                source.on_next(more)

    source.pipe(debounce_moderation(passes, mode=mode, max_buffer=1000)).subscribe(on_next)
    source.on_next(created())
    source.on_completed()
    assert sum(len(event.delta) for event in seen if event.type.endswith("delta")) == 10_000
    assert seen[-1].type == "response.completed"


def test_a_verdict_from_another_thread_does_not_wait_for_events_that_came_meanwhile():
    """The verdict comes while the subscriber has an event, and a thousand events wait in the queue."""
    source: Subject[Any] = Subject()
    seen: list[Any] = []
    pending: list[Any] = []
    check = lambda window: Observable(lambda observer, scheduler=None: pending.append(observer))  # noqa: E731

    def on_next(event: Any) -> None:
        seen.append(event)
        if len(pending) == 1:
            for more in text_deltas(*["word " * 20] * 100):
                source.on_next(more)
            pending.pop().on_next(False)

    source.pipe(debounce_moderation(check, mode="bounded", max_buffer=1000, in_flight=1)).subscribe(on_next)
    for event in [created(), *text_deltas(*["word " * 20] * 4)]:
        source.on_next(event)
    sizes = [len(event.delta) if event.type.endswith("delta") else event.type for event in seen]
    assert sum(size for size in sizes if isinstance(size, int)) > 400


def test_what_was_emitted_at_once_does_not_count():
    """In `optimistic` nothing is held: not even the ends of a hundred responses."""
    text = "word " * 100
    responses = [[created(), text_delta(text), completed(message(text_part(text)))] for _ in range(100)]
    events = [event for events in responses for event in events]
    seen = moderated(events, passes, mode="optimistic", max_buffer=1000)
    assert seen.ended == "|"
    assert [event.type for _, _, event in seen.emitted] == [event.type for event in events]
