"""timeouts, retry_transient and fallback_to, in virtual time."""

import json
import logging
from datetime import timedelta

import pytest
import reactivex
from reactivex import operators as rx

import rxstream
from rxstream import operators as rxs
from rxstream.errors import (
    ApiError,
    ConnectError,
    DisconnectedError,
    IdleTimeoutError,
    StatusError,
    TransportError,
    TruncatedError,
)
from rxstream.operators import fallback_to, retry_transient, timeouts
from rxstream.rx._context import FLOW
from rxstream.testing import VirtualClock
from rxstream.timing._timeouts import Timeouts
from rxstream.transport import MemoryTransport
from tests.operators._wires import FakeFlow, Seen, Source, batches


def event(kind: str, **fields: object):
    return rxstream.parse_event(json.dumps({"type": kind, **fields}))


CREATED = event("response.created", sequence_number=0, response={"id": "resp_1", "object": "response", "output": []})
TEXT = event("response.output_text.delta", sequence_number=7, delta="a")
REASONING = event("response.reasoning_text.delta", sequence_number=5, delta="hm")
REFUSAL = event("response.refusal.delta", delta="no")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


class Timed:
    """A subscription behind `timeouts`, in virtual time."""

    def __init__(self, clock: VirtualClock, on_next=None, **limits: object) -> None:
        self.source, self.seen = Source(), Seen()
        observer = (on_next, self.seen.on_error, self.seen.on_completed) if on_next else (self.seen,)
        self.subscription = self.source.pipe(timeouts(**limits)).subscribe(*observer, scheduler=clock.scheduler)


# ---------------------------------------------------------------------- timeouts


@pytest.mark.parametrize("name", ["first_event", "first_text", "total"])
def test_a_limit_counts_from_the_subscription_and_is_named(clock, name):
    timed = Timed(clock, **{name: 5})
    clock.advance(4.999)
    assert not timed.seen.over
    clock.advance(0.001)
    assert isinstance(timed.seen.error, IdleTimeoutError)
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
    assert not isinstance(timed.seen.error, IdleTimeoutError)
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
    core = Timeouts(0.0, first_event=None, first_text=None, between=1.0, total=None)
    core.feed(TEXT, 1.0)
    core.restart_between(5.0)
    assert core.due == 6.0


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
        with pytest.raises(IdleTimeoutError, match="first_event"):
            await rxstream.result(reactivex.never().pipe(timeouts(first_event=0.01)))
        assert (
            await rxstream.result(session.response(model="m").pipe(timeouts(first_event=5, total=5), rxs.text_only()))
            == "a"
        )


# ---------------------------------------------------------------------- retry_transient


class Tries:
    """A source whose subscriptions play one script each; the last one plays for all that follow."""

    def __init__(self, *scripts: object) -> None:
        self.scripts = list(scripts)
        self.at: list[float] = []

    def on(self, clock: VirtualClock):
        def subscribe(observer, scheduler=None):
            self.at.append(clock.now)
            script = self.scripts[min(len(self.at), len(self.scripts)) - 1]
            for value in script if isinstance(script, list) else [script]:
                if isinstance(value, Exception):
                    observer.on_error(value)
                else:
                    observer.on_next(value)
            if isinstance(script, list) and not isinstance(script[-1], Exception):
                observer.on_completed()

        return reactivex.create(subscribe)


def retried(clock: VirtualClock, tries: Tries, *args: object, **options: object) -> Seen:
    seen = Seen()
    options = {"random": lambda: 0.0, **options}
    tries.on(clock).pipe(retry_transient(*args, **options)).subscribe(seen, scheduler=clock.scheduler)
    clock.run()
    return seen


def test_it_tries_again_after_growing_waits(clock):
    tries = Tries(ConnectError("1"), ConnectError("2"), [CREATED, TEXT])
    seen = retried(clock, tries)
    assert tries.at == [0, 0.5, 1.5]
    assert seen.values == [CREATED, TEXT]
    assert seen.completed


def test_the_last_error_passes_when_all_tries_have_failed(clock):
    tries = Tries(ConnectError("1"), ConnectError("2"), error := ConnectError("3"))
    assert retried(clock, tries).error is error
    assert len(tries.at) == 3


def test_waits_are_bounded_and_shortened_at_random(clock):
    tries = Tries(ConnectError("no"))
    retried(clock, tries, 4, first_delay=1, longest_delay=timedelta(seconds=3), random=lambda: 0.5)
    waits = [round(after - before, 3) for before, after in zip(tries.at, tries.at[1:], strict=False)]
    assert waits == [0.875, 1.75, 2.625, 2.625]


def test_the_wait_that_the_server_asks_for_is_kept(clock):
    tries = Tries(StatusError("busy", status=429, retry_after=7.5), [CREATED])
    retried(clock, tries)
    assert tries.at == [0, 7.5]


@pytest.mark.parametrize(
    "error",
    [
        StatusError("no key", status=401),
        StatusError("busy", status=503, should_retry=False),
        StatusError("much later", status=429, retry_after=600),
        ApiError("server"),
        TruncatedError("cut"),
        ValueError("foreign"),
        DisconnectedError("the response is paid for", response_id="resp_1"),
    ],
    ids=repr,
)
def test_what_is_not_transient_passes_at_once(clock, error):
    tries = Tries(error)
    assert retried(clock, tries).error is error
    assert tries.at == [0]


def test_after_the_first_value_it_is_too_late(clock):
    tries = Tries([CREATED, error := DisconnectedError("cut")])
    seen = retried(clock, tries)
    assert seen.values == [CREATED]
    assert seen.error is error
    assert tries.at == [0]


def test_an_observer_that_raises_is_no_reason_to_try_again(clock):
    source, errors = Source(), []

    def on_next(value: object) -> None:
        raise ConnectError("the observer's own")

    source.pipe(retry_transient()).subscribe(on_next, errors.append, scheduler=clock.scheduler)
    with pytest.raises(ConnectError):
        source.emit(1)
    source.fail(ConnectError("so the source says it"))
    clock.run()
    assert len(errors) == 1
    assert source.subscribed_in_all == 1


def test_no_retries_are_no_retries(clock):
    tries = Tries(ConnectError("no"))
    retried(clock, tries, 0)
    assert tries.at == [0]


@pytest.mark.parametrize("when", [0.0, 0.25])
def test_dispose_ends_a_wait(clock, when):
    tries = Tries(ConnectError("no"))
    subscription = tries.on(clock).pipe(retry_transient()).subscribe(Seen(), scheduler=clock.scheduler)
    clock.advance(when)
    subscription.dispose()
    clock.run(limit=0.0)
    clock.advance(100)
    assert tries.at == [0]


def test_dispose_reaches_a_later_try(clock):
    failing, source = Tries(ConnectError("no")), Source()
    turns = iter([failing.on(clock), source])
    subscription = (
        reactivex.defer(lambda _: next(turns)).pipe(retry_transient()).subscribe(Seen(), scheduler=clock.scheduler)
    )
    clock.advance(1)
    assert len(source.observers) == 1
    subscription.dispose()
    assert source.observers == []


def test_each_subscription_has_its_own_tries(clock):
    tries = Tries(ConnectError("no"))
    stream = tries.on(clock).pipe(retry_transient(1))
    for _ in range(2):
        stream.subscribe(Seen(), scheduler=clock.scheduler)
    clock.run()
    assert len(tries.at) == 4


def test_a_time_out_before_the_first_event_is_tried_again(clock):
    turns = iter([reactivex.never(), reactivex.of(CREATED)])
    seen = Seen()
    stream = reactivex.defer(lambda _: next(turns)).pipe(timeouts(first_event=5), retry_transient(random=lambda: 0))
    stream.subscribe(seen, scheduler=clock.scheduler)
    clock.run()
    assert seen.values == [CREATED]
    assert clock.now == 5.5


def test_tries_are_logged_without_what_was_said(clock, caplog):
    caplog.set_level(logging.DEBUG, logger="rxstream")
    retried(clock, Tries(ConnectError("secret"), [CREATED]))
    assert "ConnectError" in caplog.text
    assert "secret" not in caplog.text


def test_negative_retries_are_refused():
    with pytest.raises(ValueError, match="max_retries"):
        retry_transient(-1)


@pytest.mark.anyio
async def test_with_a_session():
    transport = MemoryTransport(batches(["a", "b"]), error=ConnectError("no"), after=0, times=2)
    async with rxstream.Session(transport=transport, max_retries=0) as session:
        stream = session.response(model="m").pipe(retry_transient(first_delay=0.001), rxs.accumulate_text())
        assert (await rxstream.result(stream)).text == "ab"
    assert len(transport.requests) == 3


@pytest.mark.anyio
async def test_a_response_that_was_created_is_never_asked_for_again():
    transport = MemoryTransport(batches(["a", "b"]), error=DisconnectedError("cut"), after=2)
    async with rxstream.Session(transport=transport, max_retries=0) as session:
        with pytest.raises(TransportError):
            await rxstream.result(session.response(model="m").pipe(rxs.text_only(), retry_transient(first_delay=0.001)))
    assert len(transport.requests) == 1


# ---------------------------------------------------------------------- fallback_to


def test_the_next_goes_on_where_one_failed_at_once():
    seen, source = Seen(), Source()
    reactivex.throw(ConnectError("1")).pipe(fallback_to(reactivex.throw(ValueError("2")), source)).subscribe(seen)
    source.emit(1)
    source.complete()
    assert seen.values == [1]
    assert seen.completed


def test_others_are_not_subscribed_to_before_they_are_needed():
    first, other = Source(), Source()
    first.pipe(fallback_to(other)).subscribe(Seen())
    first.emit(1)
    assert other.subscribed_in_all == 0


def test_after_the_first_value_the_error_passes():
    first, other, seen = Source(), Source(), Seen()
    first.pipe(fallback_to(other)).subscribe(seen)
    first.emit(1)
    first.fail(error := TruncatedError("cut"))
    assert seen.error is error
    assert other.subscribed_in_all == 0


def test_where_all_fail_the_last_error_tells_of_the_others():
    seen = Seen()
    stream = reactivex.throw(ConnectError("one")).pipe(
        fallback_to(reactivex.throw(StatusError("two", status=500)), reactivex.throw(error := ApiError("three")))
    )
    stream.subscribe(seen)
    assert seen.error is error
    assert error.__notes__ == [
        "before it, another source failed: ConnectError: one",
        "before it, another source failed: StatusError: two",
    ]


def test_behind_text_only_events_without_text_are_no_obstacle():
    seen = Seen()
    first = reactivex.concat(reactivex.of(CREATED, REASONING), reactivex.throw(ApiError("overloaded")))
    other = reactivex.of(CREATED, TEXT).pipe(rxs.text_only())
    first.pipe(rxs.text_only(), fallback_to(other)).subscribe(seen)
    assert seen.values == ["a"]


def test_an_empty_source_is_no_failure():
    seen, other = Seen(), Source()
    reactivex.empty().pipe(fallback_to(other)).subscribe(seen)
    assert seen.completed
    assert other.subscribed_in_all == 0


def test_dispose_reaches_whichever_runs():
    other = Source()
    subscription = reactivex.throw(ConnectError("1")).pipe(fallback_to(other)).subscribe(Seen())
    assert len(other.observers) == 1
    subscription.dispose()
    assert other.observers == []


def test_each_subscription_begins_with_the_first():
    calls = []
    first = reactivex.defer(lambda _: calls.append("first") or reactivex.throw(ConnectError("no")))
    stream = first.pipe(fallback_to(reactivex.of(1)))
    for _ in range(2):
        stream.subscribe(Seen())
    assert calls == ["first", "first"]


def test_what_is_no_observable_is_refused():
    with pytest.raises(TypeError, match="Observables"):
        fallback_to([1, 2])  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_from_one_server_to_another():
    broken = MemoryTransport(batches(["no"]), error=StatusError("down", status=503), after=0)
    sound = MemoryTransport(batches(["yes"]))
    async with (
        rxstream.Session(transport=broken, max_retries=0) as first,
        rxstream.Session(transport=sound) as second,
    ):
        stream = first.response(model="m").pipe(fallback_to(second.response(model="m")), rxs.text_only())
        assert [text async for text in rxstream.iterate(stream, buffer=1)] == ["yes"]
    assert (len(broken.requests), len(sound.requests)) == (1, 1)


# ---------------------------------------------------------------------- together


def test_the_whole_chain(clock):
    busy, slow = Tries(StatusError("busy", status=503)), reactivex.never()
    seen = Seen()
    stream = busy.on(clock).pipe(
        timeouts(first_event=1),
        retry_transient(1, random=lambda: 0),
        fallback_to(slow.pipe(timeouts(first_event=2)), reactivex.of(CREATED, TEXT)),
        rx.map(lambda event: event.type),
    )
    stream.subscribe(seen, scheduler=clock.scheduler)
    clock.run()
    assert busy.at == [0, 0.5]
    assert clock.now == 2.5
    assert seen.values == ["response.created", "response.output_text.delta"]
