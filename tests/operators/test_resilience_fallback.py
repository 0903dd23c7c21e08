"""fallback_to, and the three together."""

import pytest
import reactivex
from reactivex import operators as rx

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ApiError, ConnectError, StatusError, TruncatedError
from rxstream.operators import fallback_to, retry_transient, timeouts
from rxstream.transport import MemoryTransport
from tests.operators._tries import CREATED, REASONING, TEXT, Tries
from tests.operators._wires import Seen, Source, batches

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
