"""timeouts, in virtual time."""

from datetime import timedelta

import pytest
import reactivex

import rxstream
from rxstream import operators as rxs
from rxstream.errors import (
    BetweenEventsTimeoutError,
    FirstEventTimeoutError,
    FirstTextTimeoutError,
    StreamTimeoutError,
    TotalTimeoutError,
    TruncatedError,
)
from rxstream.events import KeepaliveEvent
from rxstream.operators import timeouts
from rxstream.rx._context import FLOW
from rxstream.testing import VirtualClock
from rxstream.timing._timeouts import TimeLimits, Timeouts
from rxstream.transport import MemoryTransport
from tests.operators._tries import CREATED, REASONING, REFUSAL, TEXT
from tests.operators._wires import FakeFlow, Seen, Source, batches


class Timed:
    """A subscription behind `timeouts`, in virtual time."""

    def __init__(self, clock: VirtualClock, on_next=None, **limits: object) -> None:
        self.source, self.seen = Source(), Seen()
        observer = (on_next, self.seen.on_error, self.seen.on_completed) if on_next else (self.seen,)
        self.subscription = self.source.pipe(timeouts(**limits)).subscribe(*observer, scheduler=clock.scheduler)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("first_event", FirstEventTimeoutError),
        ("first_text", FirstTextTimeoutError),
        ("total", TotalTimeoutError),
    ],
)
def test_a_limit_counts_from_the_subscription_and_is_named(clock, name, error):
    timed = Timed(clock, **{name: 5})
    clock.advance(4.999)
    assert not timed.seen.over
    clock.advance(0.001)
    assert type(timed.seen.error) is error
    assert timed.seen.error.seconds == 5
    assert timed.seen.error.retryable
    assert f"5.0 s ({name})" in str(timed.seen.error)
    assert timed.source.observers == []


def test_limits_may_be_timedeltas(clock):
    timed = Timed(clock, first_event=timedelta(milliseconds=250))
    clock.advance(0.25)
    assert "0.25 s (first_event)" in str(timed.seen.error)


def test_between_counts_from_the_last_value_and_not_before_the_first(clock):
    timed = Timed(clock, between=1)
    clock.advance(100)
    for _ in range(5):
        timed.source.emit(TEXT)
        clock.advance(0.999)
    assert not timed.seen.over
    clock.advance(0.001)
    assert type(timed.seen.error) is BetweenEventsTimeoutError
    assert "1.0 s (between)" in str(timed.seen.error)
    assert len(timed.seen.values) == 5


@pytest.mark.parametrize("first", [TEXT, REFUSAL, "text"])
def test_text_is_a_delta_of_the_answer_or_of_a_refusal_or_a_str(clock, first):
    timed = Timed(clock, first_text=5)
    timed.source.emit(first)
    clock.advance(10)
    assert not timed.seen.over


def test_reasoning_is_no_text(clock):
    timed = Timed(clock, first_event=1, first_text=5)
    timed.source.emit(CREATED, REASONING)
    clock.advance(5)
    assert "(first_text)" in str(timed.seen.error)


def test_the_earliest_limit_is_the_one_that_counts(clock):
    timed = Timed(clock, first_event=3, first_text=2, between=1, total=4)
    clock.advance(2)
    assert "(first_text)" in str(timed.seen.error)


def test_the_error_tells_what_is_known_of_the_stream(clock):
    timed = Timed(clock, between=1)
    timed.source.emit(CREATED, TEXT)
    clock.advance(1)
    assert timed.seen.error.response_id == "resp_1"
    assert timed.seen.error.sequence_number == 7


def test_values_that_are_no_events_pass_too(clock):
    timed = Timed(clock, between=1)
    timed.source.emit(1, None)
    clock.advance(1)
    assert timed.seen.values == [1, None]
    assert timed.seen.error.sequence_number is None


@pytest.mark.parametrize("end", ["complete", "fail", "dispose"])
def test_no_timer_is_left_after_the_end(clock, end):
    timed = Timed(clock, first_event=1, first_text=2, between=3, total=4)
    timed.source.emit(CREATED)
    if end == "complete":
        timed.source.complete()
    elif end == "fail":
        timed.source.fail(TruncatedError("cut"))
    else:
        timed.subscription.dispose()
    values = len(timed.seen.values)
    clock.run(limit=0.5)
    assert not isinstance(timed.seen.error, StreamTimeoutError)
    assert len(timed.seen.values) == values == 1


def test_no_limit_is_no_limit(clock):
    timed = Timed(clock)
    clock.advance(1e6)
    timed.source.emit(1)
    timed.source.complete()
    assert timed.seen.completed


def test_the_time_for_which_downstream_pauses_is_not_counted(clock):
    fake_flow, flows = FakeFlow(), []

    def on_next(value: object) -> None:
        flows.append(FLOW.get())
        flows[-1].pause()

    timed = Timed(clock, on_next, between=1)
    token = FLOW.set(fake_flow)
    timed.source.emit(TEXT)
    FLOW.reset(token)
    assert fake_flow.pauses == 1
    clock.advance(10)
    assert not timed.seen.over
    flows[0].resume()
    assert fake_flow.pauses == 0
    clock.advance(0.999)
    assert not timed.seen.over
    clock.advance(0.001)
    assert "(between)" in str(timed.seen.error)


def test_the_time_for_which_downstream_is_at_work_is_not_counted():
    core = Timeouts(0.0, TimeLimits(first_text=9.0, between=1.0))
    core.feed(CREATED, 1.0)
    core.pause(1.0)
    core.tick(2.0)
    assert core.due == 3.0
    core.resume(5.0)
    assert core.due == 6.0
    core.feed(TEXT, 5.5)
    assert core.due == 6.5


def test_a_keep_alive_is_not_an_event(clock):
    keepalive = KeepaliveEvent(type="keepalive", sequence_number=9)
    for name, error in (("first_event", FirstEventTimeoutError), ("between", BetweenEventsTimeoutError)):
        timed = Timed(clock, **{name: 1})
        if name == "between":
            timed.source.emit(CREATED, TEXT)
        clock.advance(0.9)
        timed.source.emit(keepalive)
        clock.advance(0.1)
        assert type(timed.seen.error) is error


def test_total_counts_while_downstream_pauses(clock):
    timed = Timed(clock, lambda value: FLOW.get().pause(), between=1, total=3)
    token = FLOW.set(FakeFlow())
    timed.source.emit(TEXT)
    FLOW.reset(token)
    clock.advance(3)
    assert "(total)" in str(timed.seen.error)


def test_an_abort_goes_through(clock):
    fake_flow = FakeFlow()
    timed = Timed(clock, lambda value: FLOW.get().abort(ValueError("x")), between=1)
    token = FLOW.set(fake_flow)
    timed.source.emit(TEXT)
    FLOW.reset(token)
    assert isinstance(fake_flow.aborted, ValueError)


@pytest.mark.parametrize("limits", [{"total": -1}, {"between": float("nan")}, {"first_event": float("inf")}])
def test_a_limit_that_is_none_is_refused(limits):
    with pytest.raises(ValueError, match=next(iter(limits))):
        timeouts(**limits)


def test_a_limit_that_is_no_time_is_refused():
    with pytest.raises(TypeError, match="total"):
        timeouts(total="5")


@pytest.mark.anyio
async def test_with_a_session_its_own_timers_are_used():
    async with rxstream.Session(transport=MemoryTransport(batches(["a"]))) as session:
        with pytest.raises(FirstEventTimeoutError, match="first_event"):
            await rxstream.result(reactivex.never().pipe(timeouts(first_event=0.01)))
        assert (
            await rxstream.result(session.response(model="m").pipe(timeouts(first_event=5, total=5), rxs.text_only()))
            == "a"
        )
