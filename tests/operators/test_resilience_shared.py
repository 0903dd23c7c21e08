"""shared: one request, every subscriber sees all of it, and none harms another."""

import threading

import anyio
import pytest
import reactivex
from reactivex import operators as rx

import rxstream
from rxstream import operators as rxs
from rxstream.errors import TruncatedError
from rxstream.operators import map_async, shared
from rxstream.rx._context import FLOW
from tests.operators._wires import EndlessTransport, FakeFlow, Seen, Source, spoken
from tests.waiting import BOUND, settled, until


def test_one_subscription_serves_all():
    source, first, second = Source(), Seen(), Seen()
    stream = source.pipe(shared())
    assert source.subscribed_in_all == 0
    stream.subscribe(first)
    source.emit(1, 2)
    stream.subscribe(second)
    assert second.values == [1, 2]
    source.emit(3)
    source.complete()
    assert first.values == second.values == [1, 2, 3]
    assert first.completed
    assert second.completed
    assert source.subscribed_in_all == 1


def test_who_comes_after_the_end_gets_everything_and_the_end():
    source, late = Source(), Seen()
    stream = source.pipe(shared())
    stream.subscribe()
    source.emit(1, 2)
    source.complete()
    stream.subscribe(late)
    assert late.values == [1, 2]
    assert late.completed
    assert source.subscribed_in_all == 1


def test_who_comes_after_an_error_gets_it_too():
    source, early, late = Source(), Seen(), Seen()
    stream = source.pipe(shared())
    stream.subscribe(early)
    source.emit(1)
    source.fail(error := TruncatedError("cut"))
    stream.subscribe(late)
    assert early.values == late.values == [1]
    assert early.error is late.error is error
    assert source.subscribed_in_all == 1


def test_when_the_last_leaves_the_source_is_disposed_and_the_next_starts_anew():
    source, late = Source(), Seen()
    stream = source.pipe(shared())
    subscriptions = [stream.subscribe() for _ in range(2)]
    source.emit("old")
    subscriptions[0].dispose()
    subscriptions[0].dispose()
    assert len(source.observers) == 1
    subscriptions[1].dispose()
    assert source.observers == []
    stream.subscribe(late)
    assert source.subscribed_in_all == 2
    source.emit("new")
    assert late.values == ["new"]


def test_a_source_that_ends_at_once():
    first, second = Seen(), Seen()
    stream = reactivex.of(1, 2, 3).pipe(shared())
    stream.subscribe(first)
    stream.subscribe(second)
    assert first.values == second.values == [1, 2, 3]
    assert first.completed
    assert second.completed


def test_what_is_taken_of_it_leaves_it_to_the_others():
    source, few, all_of_it = Source(), Seen(), Seen()
    stream = source.pipe(shared())
    stream.subscribe(all_of_it)
    stream.pipe(rx.take(1)).subscribe(few)
    source.emit(1, 2)
    assert few.values == [1]
    assert all_of_it.values == [1, 2]


def test_two_uses_of_the_operator_share_nothing():
    operator, sources, seen = shared(), [Source(), Source()], [Seen(), Seen()]
    for source, observer in zip(sources, seen, strict=True):
        source.pipe(operator).subscribe(observer)
    sources[0].emit(1)
    sources[1].emit(2)
    assert [observer.values for observer in seen] == [[1], [2]]


def test_an_observer_that_raises_is_alone_with_its_error():
    source, before, after, errors = Source(), Seen(), Seen(), []
    stream = source.pipe(shared())

    def on_next(value: int) -> None:
        if value == 2:
            raise ValueError("observer")

    stream.subscribe(before)
    stream.subscribe(on_next, errors.append)
    stream.subscribe(after)
    source.emit(1, 2, 3)
    assert before.values == after.values == [1, 2, 3]
    assert [str(error) for error in errors] == ["observer"]


def test_an_observer_that_raises_as_it_catches_up_is_alone_with_its_error():
    source, other, errors = Source(), Seen(), []
    stream = source.pipe(shared())
    stream.subscribe(other)
    source.emit(1)
    stream.subscribe(lambda value: 1 / 0, errors.append)
    source.emit(2)
    assert other.values == [1, 2]
    assert [type(error) for error in errors] == [ZeroDivisionError]


def test_without_a_session_an_error_that_nobody_takes_is_raised_when_all_have_been_told():
    source, other = Source(), Seen()
    stream = source.pipe(shared())
    stream.subscribe(lambda value: 1 / 0)
    stream.subscribe(other)
    with pytest.raises(ZeroDivisionError):
        source.emit(1)
    source.emit(2)
    assert other.values == [1, 2]


def test_an_end_that_nobody_takes_is_raised_when_all_have_been_told():
    source, other = Source(), Seen()
    stream = source.pipe(shared())
    stream.subscribe(lambda value: None)
    stream.subscribe(other)
    with pytest.raises(TruncatedError):
        source.fail(TruncatedError("cut"))
    assert isinstance(other.error, TruncatedError)


def test_subscribing_in_a_notification():
    source, inner = Source(), Seen()
    stream = source.pipe(shared())
    stream.subscribe(lambda value: stream.subscribe(inner) if value == 2 else None)
    source.emit(1, 2, 3)
    source.complete()
    assert inner.values == [1, 2, 3]
    assert inner.completed


def test_many_threads_subscribe_while_it_runs():
    source = Source()
    stream = source.pipe(shared())
    keep = stream.subscribe()
    seen: list[Seen] = [Seen() for _ in range(8)]
    threads = [threading.Thread(target=stream.subscribe, args=(observer,)) for observer in seen]
    for number in range(400):
        source.emit(number)
        if number % 50 == 25:
            threads[number // 50].start()
    source.complete()
    for thread in threads:
        thread.join(BOUND)
    assert [observer.values for observer in seen] == [list(range(400))] * 8
    assert all(observer.completed for observer in seen)
    assert source.subscribed_in_all == 1
    keep.dispose()


def test_a_late_subscriber_that_is_slow_does_not_hold_up_the_source():
    source, early, late = Source(), Seen(), Seen()
    stream = source.pipe(shared())
    stream.subscribe(early)
    source.emit(1, 2)
    begun, go_on = threading.Event(), threading.Event()

    def on_next(value: int) -> None:
        begun.set()
        assert go_on.wait(BOUND)
        late.on_next(value)

    thread = threading.Thread(target=lambda: stream.subscribe(on_next, late.on_error, late.on_completed))
    thread.start()
    assert begun.wait(BOUND)
    source.emit(3)
    source.complete()
    assert early.values == [1, 2, 3]
    go_on.set()
    thread.join(BOUND)
    assert late.values == [1, 2, 3]
    assert late.completed


# ---------------------------------------------------------------------- pausing


def pausing(flows: list):
    def on_next(value: object) -> None:
        flow = FLOW.get()
        flow.pause()
        flows.append(flow)

    return on_next


def test_one_that_pauses_pauses_the_source_until_it_leaves():
    source, fake_flow, flows = Source(), FakeFlow(), []
    stream = source.pipe(shared())
    stream.subscribe()
    subscription = stream.subscribe(pausing(flows))
    token = FLOW.set(fake_flow)
    source.emit(1, 2)
    FLOW.reset(token)
    assert fake_flow.pauses == 2
    assert flows[0] is flows[1]
    flows[0].resume()
    assert fake_flow.pauses == 1
    subscription.dispose()
    assert fake_flow.pauses == 0
    flows[0].resume()
    flows[0].pause()
    assert fake_flow.pauses == 0


def test_one_that_aborts_ends_alone():
    source, fake_flow, flows, other, errors = Source(), FakeFlow(), [], Seen(), []
    stream = source.pipe(shared())
    stream.subscribe(pausing(flows), errors.append)
    stream.subscribe(other)
    token = FLOW.set(fake_flow)
    source.emit(1)
    flows[0].abort(ValueError("later"))
    source.emit(2)
    FLOW.reset(token)
    assert [str(error) for error in errors] == ["later"]
    assert other.values == [1, 2]
    assert (fake_flow.aborted, fake_flow.pauses) == (None, 0)


def test_catching_up_in_the_notification_of_another_stream_does_not_pause_that_one():
    source, fake_flow, flows = Source(), FakeFlow(), []
    stream = source.pipe(shared())
    stream.subscribe()
    source.emit(1)
    token = FLOW.set(fake_flow)
    stream.subscribe(lambda value: flows.append(FLOW.get()))
    FLOW.reset(token)
    assert flows == [None]


# ---------------------------------------------------------------------- with a session


@pytest.mark.anyio
async def test_one_request_for_many():
    transport = spoken("a", "b", "c")
    async with rxstream.Session(transport=transport) as session:
        stream = session.response(model="m").pipe(shared())
        texts: list[str] = []
        stream.pipe(rxs.text_only()).subscribe(texts.append)
        last = await rxstream.result(stream.pipe(rxs.accumulate_text()))
        again = [text async for text in rxstream.iterate(stream.pipe(rxs.text_only()))]
    assert texts == again == ["a", "b", "c"]
    assert last.text == "abc"
    assert len(transport.requests) == 1


@pytest.mark.anyio
async def test_leaving_it_closes_the_wire():
    transport = EndlessTransport()
    async with rxstream.Session(transport=transport) as session:
        stream = session.response(model="m").pipe(shared())
        subscriptions = [stream.subscribe() for _ in range(3)]
        await until(lambda: transport.read > 3)
        for subscription in subscriptions:
            subscription.dispose()
        await until(lambda: transport.open_wires == 0)


@pytest.mark.anyio
async def test_the_slowest_sets_the_pace():
    transport, door, calls = EndlessTransport(), anyio.Event(), []

    async def slow(event: object) -> None:
        calls.append(event)
        await door.wait()

    async with rxstream.Session(transport=transport) as session:
        stream = session.response(model="m").pipe(shared())
        seen: list[object] = []
        subscriptions = [stream.subscribe(seen.append), stream.pipe(map_async(slow)).subscribe()]
        await until(lambda: calls)
        await settled()
        assert len(seen) == 1
        subscriptions[1].dispose()
        await until(lambda: len(seen) > 10)
        subscriptions[0].dispose()


@pytest.mark.anyio
async def test_an_error_that_one_does_not_take_is_raised_from_leaving_the_session():
    seen = Seen()
    with pytest.raises(ZeroDivisionError):
        async with rxstream.Session(transport=spoken("a")) as session:
            stream = session.response(model="m").pipe(shared())
            stream.subscribe(lambda event: 1 / 0)
            stream.subscribe(seen)
    assert seen.completed


@pytest.mark.anyio
async def test_an_async_handler_that_fails_ends_alone():
    failures, seen, handlers = [], Seen(), rxstream.Handlers()

    @handlers.on("*")
    async def fail(event: object) -> None:
        raise ValueError("handler")

    handlers.on_error(failures.append)
    async with rxstream.Session(transport=spoken("a", "b")) as session:
        stream = session.response(model="m").pipe(shared())
        stream.subscribe(handlers)
        stream.subscribe(seen)
    assert [str(error) for error in failures] == ["handler"]
    assert seen.completed
