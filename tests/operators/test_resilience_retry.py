"""retry_transient, in virtual time."""

import logging
from datetime import timedelta

import pytest
import reactivex

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ApiError, ConnectError, DisconnectedError, StatusError, TransportError, TruncatedError
from rxstream.operators import retry_transient, timeouts
from rxstream.testing import VirtualClock
from rxstream.transport import MemoryTransport
from tests.operators._tries import CREATED, TEXT, Tries
from tests.operators._wires import Seen, Source, batches


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
