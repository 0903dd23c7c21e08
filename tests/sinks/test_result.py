"""The last value: awaited, and waited for."""

import threading

import anyio
import anyio.to_thread
import pytest
import reactivex

import rxstream
from rxstream import operators as rxs
from rxstream.errors import OutputError, ResponseIncompleteError, TruncatedError
from rxstream.rx._context import RUNTIME
from rxstream.testing import answers
from rxstream.transport import MemoryTransport
from tests.operators._wires import EndlessTransport, Source, spoken
from tests.waiting import BOUND, until


def test_wait_gives_the_last_value():
    assert rxstream.result(reactivex.of(1, 2, 3)).wait() == 3


def test_none_is_a_value():
    assert rxstream.result(reactivex.of(1, None)).wait() is None


def test_wait_raises_what_the_source_errors_with():
    error = TruncatedError("cut")
    with pytest.raises(TruncatedError) as raised:
        rxstream.result(reactivex.throw(error)).wait()
    assert raised.value is error


def test_an_empty_source_has_no_result():
    with pytest.raises(OutputError, match="without one"):
        rxstream.result(reactivex.empty()).wait()


def test_wait_gives_up_after_its_time_and_disposes():
    source = Source()
    with pytest.raises(TimeoutError, match="has not ended"):
        rxstream.result(source).wait(0.01)
    assert source.observers == []


def test_wait_waits_for_another_thread():
    source = Source()
    timer = threading.Timer(0.01, lambda: (source.emit(1, 2), source.complete()))
    timer.start()
    assert rxstream.result(source).wait(BOUND) == 2
    timer.join()


def test_nothing_is_subscribed_before_somebody_waits():
    source = Source()
    rxstream.result(source)
    assert source.subscribed_in_all == 0


def test_each_wait_is_a_subscription_of_its_own():
    calls = []
    twice = rxstream.result(reactivex.defer(lambda _: reactivex.of(calls.append(1) or len(calls))))
    assert (twice.wait(), twice.wait()) == (1, 2)


@pytest.mark.anyio
async def test_awaiting_gives_the_last_value():
    assert await rxstream.result(reactivex.of(1, 2, 3)) == 3


@pytest.mark.anyio
async def test_awaiting_raises_what_the_source_errors_with():
    with pytest.raises(TruncatedError):
        await rxstream.result(reactivex.throw(TruncatedError("cut")))


@pytest.mark.anyio
async def test_awaiting_is_woken_by_another_thread():
    with anyio.fail_after(BOUND):
        assert await rxstream.result(reactivex.timer(0.005)) == 0


@pytest.mark.anyio
async def test_cancellation_disposes():
    source = Source()

    async def read() -> None:
        await rxstream.result(source)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await until(lambda: source.observers)
        tasks.cancel_scope.cancel()
    assert source.observers == []


@pytest.mark.anyio
async def test_the_text_of_a_stream():
    async with rxstream.Session(transport=spoken("a", "b", "c")) as session:
        so_far = await rxstream.result(session.response(model="m").pipe(rxs.accumulate_text()))
    assert so_far.text == "abc"


def test_the_text_of_a_stream_of_a_sync_session():
    with rxstream.Session(transport=spoken("a", "b", "c")) as session:
        assert rxstream.result(session.response(model="m").pipe(rxs.accumulate_text())).wait(BOUND).text == "abc"


def test_a_response_that_was_cut_short_is_no_result():
    transport = MemoryTransport(b"".join(answers.incomplete("half an").all_frames()))
    with rxstream.Session(transport=transport) as session, pytest.raises(ResponseIncompleteError) as raised:
        rxstream.result(session.response(model="m")).wait(BOUND)
    assert raised.value.reason == "max_output_tokens"
    assert raised.value.response_id
    assert raised.value.sequence_number is not None


@pytest.mark.anyio
async def test_giving_up_closes_the_wire():
    transport = EndlessTransport()
    async with rxstream.Session(transport=transport) as session:
        with anyio.move_on_after(0.02) as scope:
            await rxstream.result(session.response(model="m"))
        assert scope.cancelled_caught
        await until(lambda: transport.open_wires == 0)


@pytest.mark.anyio
async def test_waiting_on_the_session_s_own_thread_is_refused_before_anything_is_sent():
    transport = spoken("a")
    async with rxstream.Session(transport=transport) as session:
        with pytest.raises(RuntimeError, match="await result"):
            rxstream.result(session.response(model="m")).wait(BOUND)
    assert transport.requests == []


@pytest.mark.anyio
async def test_waiting_on_the_thread_of_an_unknown_loop_is_refused():
    async with rxstream.Session(transport=spoken("a")) as session:
        token = RUNTIME.set(None)  # as in a task that began before the session
        with pytest.raises(RuntimeError, match="await result"):
            rxstream.result(session.response(model="m")).wait(BOUND)
        assert rxstream.result(reactivex.of(1)).wait() == 1
        RUNTIME.reset(token)


@pytest.mark.anyio
async def test_waiting_in_a_worker_thread_beside_an_async_session():
    async with rxstream.Session(transport=spoken("a", "b")) as session:
        outcome = rxstream.result(session.response(model="m").pipe(rxs.text_only()))
        with anyio.fail_after(BOUND):
            assert await anyio.to_thread.run_sync(outcome.wait) == "b"
