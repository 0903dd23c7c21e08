"""The time limits of a stream, without a clock: it is told the time."""

from __future__ import annotations

import pytest

from rxstream import errors
from rxstream.events import Event, KeepaliveEvent, UnknownEvent, parse_event
from rxstream.timing._timeouts import Deadlines, TimeLimits

CREATED = parse_event('{"type":"response.created","response":{"id":"resp_1"}}')
TEXT = parse_event('{"type":"response.output_text.delta","delta":"a","output_index":0,"content_index":0}')
KEEPALIVE = KeepaliveEvent(type="keepalive")
OURS = UnknownEvent(type="rxstream.heartbeat", data={})


def late(deadlines: Deadlines, now: float) -> type[Exception] | None:
    error = deadlines.expired(now)
    return type(error) if error is not None else None


def feed(deadlines: Deadlines, event: Event, now: float) -> None:
    if deadlines.feed(event):
        deadlines.restart(now)


def test_each_connection_has_its_time_for_a_first_event() -> None:
    deadlines = Deadlines(TimeLimits(first_event=5.0), 0.0)
    assert deadlines.due is None
    deadlines.connect(2.0)
    assert (late(deadlines, 6.9), late(deadlines, 7.0)) == (None, errors.FirstEventTimeoutError)
    deadlines.disconnect()
    assert late(deadlines, 100.0) is None
    deadlines.connect(100.0)
    feed(deadlines, CREATED, 104.0)
    assert late(deadlines, 1000.0) is None


def test_a_further_connection_counts_from_its_beginning_and_not_during_the_wait() -> None:
    deadlines = Deadlines(TimeLimits(first_event=1.0, between=5.0), 0.0)
    deadlines.connect(0.0)
    feed(deadlines, CREATED, 0.5)
    deadlines.disconnect()
    assert late(deadlines, 50.0) is None
    deadlines.connect(50.0)
    assert (late(deadlines, 54.9), late(deadlines, 55.0)) == (None, errors.BetweenEventsTimeoutError)


def test_text_and_end_count_over_all_connections() -> None:
    deadlines = Deadlines(TimeLimits(first_text=5.0, total=9.0), 0.0)
    deadlines.connect(0.0)
    deadlines.disconnect()
    deadlines.connect(4.0)
    feed(deadlines, CREATED, 4.5)
    assert late(deadlines, 5.0) is errors.FirstTextTimeoutError
    feed(deadlines, TEXT, 5.0)
    assert (late(deadlines, 8.9), late(deadlines, 9.0)) == (None, errors.TotalTimeoutError)


@pytest.mark.parametrize("event", [KEEPALIVE, OURS], ids=["keepalive", "ours"])
def test_a_sign_of_life_is_not_an_event(event: Event) -> None:
    deadlines = Deadlines(TimeLimits(first_event=1.0, between=1.0, poll=1.0), 0.0)
    deadlines.connect(0.0)
    feed(deadlines, event, 0.9)
    assert late(deadlines, 1.0) is errors.FirstEventTimeoutError
    feed(deadlines, CREATED, 1.0)
    feed(deadlines, event, 1.9)
    assert late(deadlines, 2.0) is errors.BetweenEventsTimeoutError


def test_polling_ends_unless_an_event_comes() -> None:
    deadlines = Deadlines(TimeLimits(poll=10.0), 0.0)
    deadlines.poll(5.0)
    deadlines.poll(14.0)
    assert (late(deadlines, 14.9), late(deadlines, 15.0)) == (None, errors.PollTimeoutError)
    feed(deadlines, TEXT, 14.9)
    assert late(deadlines, 100.0) is None
    deadlines.poll(100.0)
    assert late(deadlines, 110.0) is errors.PollTimeoutError


def test_the_grace_after_the_last_item() -> None:
    deadlines = Deadlines(TimeLimits(terminal_grace=3.0), 0.0)
    deadlines.settle(1.0)
    assert deadlines.settled
    deadlines.unsettle()
    assert late(deadlines, 10.0) is None
    deadlines.settle(10.0)
    error = deadlines.expired(13.0)
    assert isinstance(error, errors.TruncatedError)
    assert "no terminal event came within 3.0 s" in str(error)
    deadlines.disconnect()
    assert late(deadlines, 13.0) is None


@pytest.mark.parametrize("total_pauses", [True, False])
def test_a_pause_does_not_count(total_pauses: bool) -> None:
    limits = TimeLimits(first_text=2.0, between=3.0, poll=4.0, terminal_grace=5.0, total=6.0)
    deadlines = Deadlines(limits, 0.0, total_pauses=total_pauses)
    deadlines.connect(0.0)
    feed(deadlines, CREATED, 1.0)
    deadlines.poll(1.0)
    deadlines.settle(1.0)
    deadlines.pause(1.0)
    deadlines.pause(1.5)
    assert late(deadlines, 5.9) is None
    deadlines.resume(101.0)
    assert late(deadlines, 101.0) is (None if total_pauses else errors.TotalTimeoutError)
    deadlines.resume(101.0)
    if not total_pauses:
        return
    assert (late(deadlines, 101.9), late(deadlines, 102.0)) == (None, errors.FirstTextTimeoutError)
    feed(deadlines, TEXT, 101.5)
    assert deadlines.due == 104.5
    deadlines.disconnect()
    assert deadlines.due == 106.0  # of 6 seconds, one had passed


def test_no_limits_are_never_over() -> None:
    deadlines = Deadlines(TimeLimits(), 0.0)
    deadlines.connect(0.0)
    feed(deadlines, TEXT, 1.0)
    deadlines.settle(1.0)
    deadlines.poll(1.0)
    assert deadlines.due is None
    assert deadlines.expired(1e9) is None
