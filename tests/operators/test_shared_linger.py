"""shared(linger=…): the source goes on for some time when the last subscriber has left."""

from datetime import timedelta
from typing import Any

import pytest

import rxstream
from rxstream import operators as rxs
from rxstream.errors import TruncatedError
from rxstream.operators import shared
from rxstream.rx._context import FLOW
from rxstream.testing import LocalServer, VirtualClock, answers
from tests.operators._wires import EndlessTransport, FakeFlow, Seen, Source
from tests.waiting import BOUND, until, wait_for


class Lingering:
    """A source behind `shared(linger=10)`, in virtual time."""

    def __init__(self, **options: Any) -> None:
        self.clock, self.source = VirtualClock(), Source()
        self.stream = self.source.pipe(shared(linger=10, **options))

    def subscribe(self) -> tuple[Seen, Any]:
        seen = Seen()
        return seen, self.stream.subscribe(seen, scheduler=self.clock.scheduler)


@pytest.mark.parametrize("overflow", ["pause", "error", "drop_oldest", "conflate"])
def test_who_comes_back_in_time_gets_everything_it_missed(overflow: Any):
    lingering = Lingering(overflow=overflow, buffer=1)
    _, subscription = lingering.subscribe()
    lingering.source.emit(1, 2)
    subscription.dispose()
    lingering.clock.advance(9)
    lingering.source.emit(3, 4)
    seen, _ = lingering.subscribe()
    assert seen.values == [1, 2, 3, 4]
    lingering.clock.advance(100)
    lingering.source.emit(5)
    lingering.source.complete()
    assert seen.values == [1, 2, 3, 4, 5]
    assert seen.completed
    assert lingering.source.subscribed_in_all == 1


def test_after_that_time_the_source_is_disposed_and_the_next_starts_anew():
    lingering = Lingering()
    _, subscription = lingering.subscribe()
    lingering.source.emit("old")
    subscription.dispose()
    lingering.clock.advance(9.9)
    assert len(lingering.source.observers) == 1
    lingering.clock.advance(0.2)
    assert lingering.source.observers == []
    seen, _ = lingering.subscribe()
    lingering.source.emit("new")
    assert seen.values == ["new"]
    assert lingering.source.subscribed_in_all == 2


def test_the_time_begins_anew_with_each_leave():
    lingering = Lingering()
    lingering.subscribe()[1].dispose()
    for _ in range(5):
        lingering.clock.advance(6)
        lingering.subscribe()[1].dispose()
    assert len(lingering.source.observers) == 1
    lingering.clock.advance(10)
    assert lingering.source.observers == []


@pytest.mark.parametrize("error", [None, TruncatedError("cut")])
def test_an_end_while_nobody_listens_is_kept_and_no_timer_is_left(error: Exception | None):
    lingering = Lingering()
    _, subscription = lingering.subscribe()
    subscription.dispose()
    lingering.source.emit(1)
    assert lingering.clock.waiting
    if error is None:
        lingering.source.complete()
    else:
        lingering.source.fail(error)
    assert not lingering.clock.waiting
    lingering.clock.advance(100)
    seen, _ = lingering.subscribe()
    assert seen.values == [1]
    assert seen.completed is (error is None)
    assert seen.error is error
    assert lingering.source.subscribed_in_all == 1


def test_leaving_after_the_end_arms_no_timer():
    lingering = Lingering()
    _, subscription = lingering.subscribe()
    lingering.source.complete()
    subscription.dispose()
    assert not lingering.clock.waiting


def test_a_pause_of_the_one_that_left_does_not_hold_the_source():
    lingering, fake_flow = Lingering(), FakeFlow()
    subscription = lingering.stream.subscribe(lambda _: FLOW.get().pause(), scheduler=lingering.clock.scheduler)
    token = FLOW.set(fake_flow)
    lingering.source.emit(1)
    FLOW.reset(token)
    assert fake_flow.pauses == 1
    subscription.dispose()
    assert fake_flow.pauses == 0
    assert len(lingering.source.observers) == 1


def test_a_subscriber_that_raises_has_left():
    lingering, errors = Lingering(), list[Exception]()
    lingering.stream.subscribe(lambda _: 1 / 0, errors.append, scheduler=lingering.clock.scheduler)
    lingering.source.emit(1)
    assert len(errors) == 1
    lingering.clock.advance(11)
    assert lingering.source.observers == []


def test_a_time_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="linger must be 0 seconds or more"):
        shared(linger=-1)
    with pytest.raises(TypeError, match="linger must be seconds or a timedelta"):
        shared(linger="1")  # type: ignore[arg-type]  # a mistake
    shared(linger=timedelta(minutes=1))


# ---------------------------------------------------------------------- with a session


def test_a_page_that_is_refreshed_joins_the_same_request():
    words = [f"w{number} " for number in range(40)]
    with LocalServer([answers.text(words)], pace=200) as server:
        with rxstream.Session("k", base_url=server.base_url) as session:
            stream = session.response(model="m").pipe(shared(linger=BOUND), rxs.text_only())
            first: list[str] = []
            subscription = stream.subscribe(first.append)
            wait_for(lambda: len(first) > 5)
            subscription.dispose()
            assert list(rxstream.iterate(stream)) == words
        assert len(server.log) == 1


@pytest.mark.anyio
async def test_the_wire_is_closed_after_that_time():
    transport = EndlessTransport()
    async with rxstream.Session(transport=transport) as session:
        stream = session.response(model="m").pipe(shared(linger=0.02))
        subscription = stream.subscribe()
        await until(lambda: transport.read > 3)
        subscription.dispose()
        assert transport.open_wires == 1
        await until(lambda: transport.open_wires == 0)


@pytest.mark.anyio
async def test_leaving_the_session_waits_for_that_time_at_most():
    transport = EndlessTransport()
    async with rxstream.Session(transport=transport) as session:
        stream = session.response(model="m").pipe(shared(linger=0.02))
        subscription = stream.subscribe()
        await until(lambda: transport.read > 3)
        subscription.dispose()
    assert transport.open_wires == 0
