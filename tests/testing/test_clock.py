"""Virtual time."""

from datetime import timedelta

import pytest
import reactivex
from reactivex import operators as rx
from reactivex.subject import Subject

from rxstream.testing import VirtualClock


def test_nothing_happens_before_its_time():
    clock, seen = VirtualClock(), []
    reactivex.timer(0.3).subscribe(seen.append, scheduler=clock.scheduler)
    clock.advance(0.299999)
    assert seen == []
    clock.advance(0.000001)
    assert seen == [0]
    assert clock.now == 0.3


def test_time_may_be_given_as_timedelta():
    clock = VirtualClock()
    clock.advance(timedelta(minutes=1))
    assert clock.now == 60


def test_floats_do_not_drift():
    clock, seen = VirtualClock(), []
    reactivex.interval(0.1).subscribe(lambda _: seen.append(clock.now), scheduler=clock.scheduler)
    clock.advance(1)
    assert seen == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


def test_what_is_due_now_is_done_by_advancing_nothing():
    clock, seen = VirtualClock(), []
    clock.scheduler.schedule(lambda *_: seen.append("now"))
    clock.advance(0)
    assert seen == ["now"]


def test_many_actions_at_one_moment_keep_the_clock_where_it_is():
    clock, seen = VirtualClock(), []
    for number in range(1000):
        clock.scheduler.schedule_relative(0.1, lambda *_, n=number: seen.append(n))
    clock.advance(0.1)
    assert seen == list(range(1000))
    assert clock.now == 0.1


def test_rx_s_own_timed_operators_take_it():
    clock, seen = VirtualClock(), []
    source: Subject[int] = Subject()
    source.pipe(rx.debounce(0.2)).subscribe(seen.append, scheduler=clock.scheduler)
    source.on_next(1)
    clock.advance(0.1)
    source.on_next(2)
    clock.advance(0.2)
    assert seen == [2]


def test_run_goes_on_to_the_last_thing():
    clock, seen = VirtualClock(), []
    reactivex.timer(5).subscribe(seen.append, scheduler=clock.scheduler)
    clock.run()
    assert (seen, clock.now) == ([0], 5)


def test_run_does_not_go_on_for_ever():
    clock = VirtualClock()
    subscription = reactivex.interval(1).subscribe(scheduler=clock.scheduler)
    with pytest.raises(AssertionError, match="still scheduled"):
        clock.run(limit=10)
    subscription.dispose()
    clock.run()


def test_actions_without_end_at_one_moment_are_found():
    clock = VirtualClock()

    def again(*_: object) -> None:
        clock.scheduler.schedule(again)

    clock.scheduler.schedule(again)
    with pytest.raises(AssertionError, match="does not get past 0 s"):
        clock.advance(1)


def test_an_action_that_raises_leaves_the_clock_usable():
    clock, seen = VirtualClock(), []
    clock.scheduler.schedule_relative(0.1, lambda *_: 1 / 0)
    clock.scheduler.schedule_relative(0.2, lambda *_: seen.append("later"))
    with pytest.raises(ZeroDivisionError):
        clock.advance(1)
    clock.advance(1)
    assert seen == ["later"]


def test_time_does_not_go_backwards():
    with pytest.raises(ValueError, match="0 or more, got -1"):
        VirtualClock().advance(-1)
