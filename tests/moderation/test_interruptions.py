"""Streams that break, are left or pause in the middle of a check."""

from itertools import pairwise
from typing import Any

from reactivex import Observable, never
from reactivex.subject import Subject

from rxstream.errors import ModerationError
from rxstream.events import StreamingEvent
from rxstream.operators import debounce_moderation
from rxstream.testing import VirtualClock
from tests.event_builders import (
    created,
    item_added,
    make_event,
    message,
    part_added,
    text_delta,
    text_deltas,
    text_part,
)
from tests.moderation._moderated import GOOD, SECRET, assert_hidden, moderated, of_type, types, whole_answer

# ---------------------------------------------------------------------- in the middle of a check


def test_a_dispose_during_a_check_cancels_it_and_emits_nothing():
    seen = moderated(whole_answer(GOOD, SECRET), delay=2.0, dispose_at=0.5)
    assert [one.cancelled for one in seen.calls] == [True]
    assert (seen.ended, seen.left_open) == ("", False)
    assert_hidden(seen)


def test_an_upstream_error_during_a_check_drops_unverified_text():
    broken = ConnectionError("the wire broke")
    seen = moderated(
        [*whole_answer(GOOD)[:3], text_delta(GOOD), text_delta(SECRET)], delay=2.0, quiet=0.0, error=broken
    )
    assert seen.error is broken
    assert_hidden(seen)
    assert all(call.cancelled for call in seen.calls if call.window.kind == "text")


def test_an_upstream_error_follows_the_verified_text():
    broken = ConnectionError("the wire broke")
    events = [
        created(),
        item_added(),
        part_added(),
        text_delta(GOOD),
        make_event("keepalive"),
        make_event("keepalive"),
        text_delta(SECRET),
    ]
    seen = moderated(events, lambda window: False, gap=0.3, error=broken)
    assert seen.texts() == {(0, 0, "text"): GOOD}
    assert seen.error is broken


def test_a_held_failed_event_is_emitted_before_the_error_without_held_text():
    failure = {
        "id": "r",
        "status": "failed",
        "output": [message(text_part(GOOD + SECRET))],
        "error": {"code": "x", "message": "m"},
    }
    error = ConnectionError("response.failed")
    events = [
        *whole_answer(GOOD)[:3],
        text_delta(GOOD),
        text_delta(SECRET),
        make_event("error", message="m"),
        make_event("response.failed", response=failure),
    ]
    seen = moderated(events, delay=5.0, timeout=60, error=error)
    assert types(seen)[-2:] == ["error", "response.failed"]
    assert seen.error is error
    assert_hidden(seen)


# ---------------------------------------------------------------------- streams that are strange in time


def test_a_stream_without_a_quiet_time_is_checked_too():
    events = [created(), item_added(), part_added(), *text_deltas(*["word "] * 400)]
    seen = moderated(events, lambda window: False, gap=0.02, first_chars=10_000, max_chars=10_000)
    firsts = [at for _, at, event in seen.emitted if event.type.endswith("delta")]
    assert firsts[0] <= 0.06 + 1.0 + 0.02
    assert max(later - earlier for earlier, later in pairwise(firsts)) <= 1.0 + 0.03


def test_a_stream_that_stops_is_checked_after_quiet_and_has_no_timer_left():
    clock = VirtualClock()
    seen: list[Any] = []
    source: Observable[StreamingEvent] = Observable(
        lambda observer, scheduler=None: (
            [observer.on_next(one) for one in whole_answer(GOOD)[:4]],
            never().subscribe(),
        )[1]
    )
    source.pipe(debounce_moderation(lambda window: False, quiet=0.2)).subscribe(seen.append, scheduler=clock.scheduler)
    clock.advance(0.199)
    assert [event.type for event in seen][-1] == "response.content_part.added"
    clock.advance(0.01)
    assert seen[-1].delta == GOOD
    clock.advance(10)
    assert not clock.waiting, "a timer is armed, and nothing is there to be checked"


def test_a_flag_after_the_terminal_event_still_retracts():
    seen = moderated(whole_answer(GOOD, SECRET, " bye"), delay=2.0, mode="optimistic")
    assert types(seen)[-3:] == ["response.completed", "rxstream.moderation.retracted", "rxstream.moderation.flagged"]
    taken = of_type(seen, "rxstream.moderation.retracted")[0]
    assert (taken.start, taken.end) == (0, len(GOOD + SECRET + " bye"))
    assert seen.ended == "|"
    seen = moderated(whole_answer(GOOD, SECRET), delay=2.0, mode="optimistic", on_flag="error")
    assert isinstance(seen.error, ModerationError)
    assert seen.error.verdict.flagged


def test_a_timer_that_waits_for_its_turn_is_not_set_again():
    """It fires while events wait in the queue. With a scheduler of threads, each one set again is a thread."""
    clock = VirtualClock()
    timers: list[Any] = []
    schedule = clock.scheduler.schedule_relative

    def counted(*args: Any) -> Any:
        timers.append(args)
        return schedule(*args)

    clock.scheduler.schedule_relative = counted  # type: ignore[method-assign]
    source: Subject[Any] = Subject()
    seen: list[Any] = []

    def on_next(event: Any) -> None:
        seen.append(event)
        if len(seen) == 2:
            for delta in text_deltas(*["a"] * 100):
                source.on_next(delta)
        clock.advance(0.3)

    moderate = debounce_moderation(lambda window: False, mode="optimistic", first_chars=500)
    source.pipe(moderate).subscribe(on_next, scheduler=clock.scheduler)
    for delta in text_deltas("a", "a"):
        source.on_next(delta)
    assert len(seen) == 102
    assert len(timers) < 6
