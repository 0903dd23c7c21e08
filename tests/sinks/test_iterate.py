"""Loops: for and async for, their overflow policies, and how they let go."""

import gc
import json
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager

import anyio
import anyio.to_thread
import pytest
import reactivex
from reactivex import operators as rx

import rxstream
from rxstream import operators as rxs
from rxstream.errors import RxStreamError, TruncatedError
from rxstream.events import ResponseOutputTextDeltaEvent
from rxstream.rx._context import FLOW, RUNTIME
from tests.operators._wires import EndlessTransport, FakeFlow, Source, settled, spoken, until

WORDS = [f"w{n} " for n in range(200)]


@contextmanager
def calling(fake_flow: FakeFlow):
    """What is emitted inside comes from a source with this fake_flow."""
    token = FLOW.set(fake_flow)
    try:
        yield
    finally:
        FLOW.reset(token)


def produce(emit: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=emit, daemon=True)
    thread.start()
    return thread


# ---------------------------------------------------------------------- a plain thread


def test_a_for_loop_takes_every_value_and_ends():
    assert list(rxstream.iterate(reactivex.of(1, 2, 3))) == [1, 2, 3]


def test_none_is_a_value():
    assert list(rxstream.iterate(reactivex.of(None, 0, None, ""))) == [None, 0, None, ""]


def test_an_iteration_is_good_for_any_number_of_loops():
    twice = rxstream.iterate(reactivex.of(1, 2))
    assert list(twice) == [1, 2]
    assert list(twice) == [1, 2]


def test_nothing_is_subscribed_before_the_first_step():
    source = Source()
    iter(rxstream.iterate(source))
    assert source.subscribed_in_all == 0


def test_an_error_is_raised_after_the_values_that_came_before():
    got, error = [], TruncatedError("cut")
    with pytest.raises(TruncatedError) as raised:
        for value in rxstream.iterate(failing(1, 2, error=error)):
            got.append(value)
    assert raised.value is error
    assert got == [1, 2]


def failing(*values: object, error: Exception):
    return reactivex.concat(reactivex.of(*values), reactivex.throw(error))


def test_after_its_end_a_loop_stays_ended():
    loop = iter(rxstream.iterate(reactivex.throw(ValueError())))
    with pytest.raises(ValueError):
        next(loop)
    with pytest.raises(StopIteration):
        next(loop)


def test_break_disposes_at_once():
    source = Source()
    produce(lambda: (wait_for(lambda: source.observers), source.emit(1, 2, 3)))
    for value in rxstream.iterate(source):
        assert value == 1
        break
    assert source.observers == []


def test_an_exception_in_the_body_disposes_at_once():
    source = Source()
    produce(lambda: (wait_for(lambda: source.observers), source.emit(1)))
    with pytest.raises(KeyError):
        for _ in rxstream.iterate(source):
            raise KeyError
    assert source.observers == []


def test_the_end_of_the_function_disposes():
    source = Source()
    produce(lambda: (wait_for(lambda: source.observers), source.emit(1)))

    def first() -> int:
        for value in rxstream.iterate(source):
            return value
        raise AssertionError

    assert first() == 1
    assert source.observers == []


def test_close_ends_a_loop_that_waits_in_another_thread():
    source = Source()
    loop = iter(rxstream.iterate(source))
    got = []
    thread = produce(lambda: got.extend(loop))
    wait_for(lambda: source.observers)
    source.emit(1)
    loop.close()
    thread.join(5)
    assert not thread.is_alive()
    assert source.observers == []
    assert got in ([], [1])


def test_values_from_a_timer_thread_of_rx():
    ticks = reactivex.interval(0.001).pipe(rx.take(5))
    assert list(rxstream.iterate(ticks)) == [0, 1, 2, 3, 4]


def test_values_from_another_thread_keep_their_order():
    source = Source()

    def emit() -> None:
        wait_for(lambda: source.observers)
        source.emit(*range(2000))
        source.complete()

    thread = produce(emit)
    assert list(rxstream.iterate(source, buffer=4)) == list(range(2000))
    thread.join(5)


def wait_for(holds: Callable[[], object]) -> None:
    give_up = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.0005)


# ---------------------------------------------------------------------- overflow


@pytest.mark.parametrize("wrong", [{"buffer": 0}, {"buffer": -1}, {"overflow": "block"}])
def test_wrong_arguments_raise_at_once(wrong):
    with pytest.raises(ValueError):
        rxstream.iterate(reactivex.empty(), **wrong)


def filled(source: Source, *values: object, fake_flow: FakeFlow | None = None, **options: object):
    """A loop whose first value was taken, and whose source has then emitted the others."""
    loop = iter(rxstream.iterate(source, **options))
    produce(lambda: (wait_for(lambda: source.observers), source.emit("first")))
    assert next(loop) == "first"
    if fake_flow is None:
        source.emit(*values)
    else:
        with calling(fake_flow):
            source.emit(*values)
    return loop


def rest(source: Source, loop):
    source.complete()
    return list(loop)


def test_pause_asks_the_source_that_calls_and_lets_it_go_on_when_half_is_taken():
    source, fake_flow = Source(), FakeFlow()
    loop = filled(source, 1, 2, 3, fake_flow=fake_flow, buffer=4)
    assert fake_flow.pauses == 0
    with calling(fake_flow):
        source.emit(4)
    assert fake_flow.pauses == 1
    with calling(fake_flow):
        source.emit(5, 6)  # the rest of what one event was made of
    assert fake_flow.pauses == 1
    assert [next(loop) for _ in range(3)] == [1, 2, 3]
    assert fake_flow.pauses == 1
    next(loop)
    assert fake_flow.pauses == 0
    assert rest(source, loop) == [5, 6]


def test_pause_asks_each_of_several_streams():
    source, one, other = Source(), FakeFlow(), FakeFlow()
    loop = filled(source, 1, 2, fake_flow=one, buffer=2)
    with calling(other):
        source.emit(3)
    assert (one.pauses, other.pauses) == (1, 1)
    assert [next(loop), next(loop)] == [1, 2]
    assert (one.pauses, other.pauses) == (0, 0)
    assert rest(source, loop) == [3]


@pytest.mark.parametrize("how", ["close", "forget", "end"])
def test_a_pause_is_taken_back_when_the_loop_lets_go(how: str):
    source, fake_flow = Source(), FakeFlow()
    loop = filled(source, 1, fake_flow=fake_flow, buffer=1)
    assert fake_flow.pauses == 1
    if how == "close":
        loop.close()
    elif how == "forget":
        del loop
    else:
        assert rest(source, loop) == [1]
    assert fake_flow.pauses == 0
    assert source.observers == []


def test_without_a_tap_pause_buffers_everything():
    source = Source()
    assert rest(source, filled(source, *range(1000), buffer=1)) == [*range(1000)]


def test_error_ends_the_stream_at_once_and_the_loop_after_what_was_buffered():
    source = Source()
    loop = filled(source, 1, 2, 3, buffer=2, overflow="error")
    assert source.observers == []
    assert [next(loop), next(loop)] == [1, 2]
    with pytest.raises(RxStreamError, match="2 values behind"):
        next(loop)


def test_drop_oldest_keeps_the_newest():
    source = Source()
    assert rest(source, filled(source, *range(10), buffer=3, overflow="drop_oldest")) == [7, 8, 9]


def test_conflate_merges_strings():
    source = Source()
    assert rest(source, filled(source, *"abcdefg", buffer=2, overflow="conflate")) == ["a", "bcdefg"]


def test_conflate_keeps_what_is_no_text():
    source = Source()
    assert rest(source, filled(source, "a", 1, "b", "c", 2, buffer=1, overflow="conflate")) == ["a", 1, "bc", 2]


def test_conflate_merges_deltas_of_one_part():
    source = Source()
    deltas = [delta(0, "a"), delta(0, "b"), delta(1, "x"), delta(1, "y"), delta(0, "c")]
    got = rest(source, filled(source, *deltas, buffer=1, overflow="conflate"))
    assert [(event.output_index, event.delta) for event in got] == [(0, "ab"), (1, "xy"), (0, "c")]


def delta(index: int, text: str) -> ResponseOutputTextDeltaEvent:
    wire = {"type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": text}
    event = rxstream.parse_event(json.dumps(wire))
    assert isinstance(event, ResponseOutputTextDeltaEvent)
    return event


# ---------------------------------------------------------------------- async for


@pytest.mark.anyio
async def test_an_async_for_loop_takes_every_value_and_ends():
    assert [value async for value in rxstream.iterate(reactivex.of(1, None, 3))] == [1, None, 3]


@pytest.mark.anyio
async def test_an_async_loop_raises_after_the_values_that_came_before():
    got = []
    with pytest.raises(TruncatedError):
        async for value in rxstream.iterate(failing(1, 2, error=TruncatedError("cut"))):
            got.append(value)
    assert got == [1, 2]


@pytest.mark.anyio
async def test_values_from_threads_wake_an_async_loop():
    ticks = reactivex.interval(0.001).pipe(rx.take(5))
    with anyio.fail_after(5):
        assert [value async for value in rxstream.iterate(ticks)] == [0, 1, 2, 3, 4]


@pytest.mark.anyio
async def test_break_disposes_an_async_loop_at_once():
    source = Source()
    async with anyio.create_task_group() as tasks:

        async def feed() -> None:
            await until(lambda: source.observers)
            source.emit(1, 2)

        tasks.start_soon(feed)
        async for value in rxstream.iterate(source):
            assert value == 1
            break
        assert source.observers == []


@pytest.mark.anyio
async def test_cancellation_disposes_an_async_loop_at_once():
    source = Source()
    with anyio.move_on_after(5) as scope:
        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                async for _ in rxstream.iterate(source):
                    pass

            tasks.start_soon(read)
            await until(lambda: source.observers)
            tasks.cancel_scope.cancel()
        assert source.observers == []
    assert not scope.cancelled_caught


@pytest.mark.anyio
async def test_aclose_ends_a_loop_that_another_task_waits_in():
    source, ended = Source(), anyio.Event()
    loop = aiter(rxstream.iterate(source))
    async with anyio.create_task_group() as tasks:

        async def read() -> None:
            async for _ in loop:
                pass
            ended.set()

        tasks.start_soon(read)
        await until(lambda: source.observers)
        await loop.aclose()
        with anyio.fail_after(5):
            await ended.wait()
    assert source.observers == []


@pytest.mark.anyio
async def test_a_loop_that_never_waits_lets_others_run():
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        async for _ in rxstream.iterate(reactivex.from_iterable(range(1000))):
            pass
        tasks.cancel_scope.cancel()
    assert turns >= 10


# ---------------------------------------------------------------------- streams of a session


@pytest.mark.anyio
@pytest.mark.parametrize("buffer", [1, 2, 64])
async def test_a_stream_in_an_async_loop(buffer: int):
    async with rxstream.Session(transport=spoken(*WORDS)) as session:
        stream = session.response(model="m").pipe(rxs.text_only())
        with anyio.fail_after(10):
            assert [word async for word in rxstream.iterate(stream, buffer=buffer)] == WORDS


@pytest.mark.parametrize("buffer", [1, 2, 64])
def test_a_stream_in_a_loop(buffer: int):
    with rxstream.Session(transport=spoken(*WORDS)) as session:
        stream = session.response(model="m").pipe(rxs.text_only())
        assert list(rxstream.iterate(stream, buffer=buffer)) == WORDS


@pytest.mark.anyio
async def test_the_session_reads_no_further_than_the_buffer():
    transport = EndlessTransport()
    async with rxstream.Session(transport=transport) as session:
        taken = 0
        async for _ in rxstream.iterate(session.response(model="m").pipe(rxs.text_only()), buffer=8):
            taken += 1
            await settled()
            assert transport.read <= taken + 8
            if taken == 30:
                break
        await until(lambda: transport.open_wires == 0)


def test_break_closes_the_wire_of_a_sync_session():
    transport = EndlessTransport()
    with rxstream.Session(transport=transport) as session:
        for _ in rxstream.iterate(session.response(model="m")):
            break
        wait_for(lambda: transport.open_wires == 0)


@pytest.mark.anyio
async def test_conflate_loses_no_text_of_a_stream_that_is_faster():
    transport = spoken(*WORDS)
    async with rxstream.Session(transport=transport) as session:
        got = []
        async for word in rxstream.iterate(
            session.response(model="m").pipe(rxs.text_only()), buffer=2, overflow="conflate"
        ):
            await settled()
            got.append(word)
    assert "".join(got) == "".join(WORDS)
    assert len(got) < len(WORDS)


@pytest.mark.anyio
async def test_a_for_loop_on_the_session_s_own_thread_is_refused():
    async with rxstream.Session(transport=spoken("a")) as session:
        with pytest.raises(RuntimeError, match="async for"):
            for _ in rxstream.iterate(session.response(model="m")):
                pass


@pytest.mark.anyio
async def test_a_for_loop_that_would_wait_on_the_thread_of_an_unknown_loop_is_refused():
    async with rxstream.Session(transport=spoken("a")) as session:
        token = RUNTIME.set(None)  # as in a task that began before the session
        with pytest.raises(RuntimeError, match="async for"):
            for _ in rxstream.iterate(session.response(model="m")):
                pass
        assert list(rxstream.iterate(reactivex.of(1, 2))) == [1, 2]
        RUNTIME.reset(token)


@pytest.mark.anyio
async def test_a_for_loop_in_a_worker_thread_beside_an_async_session():
    async with rxstream.Session(transport=spoken("a", "b")) as session:
        stream = session.response(model="m").pipe(rxs.text_only())
        with anyio.fail_after(5):
            assert await anyio.to_thread.run_sync(lambda: list(rxstream.iterate(stream))) == ["a", "b"]


@pytest.mark.anyio
async def test_an_async_loop_beside_a_sync_session():
    with rxstream.Session(transport=spoken("a", "b")) as session:
        stream = session.response(model="m").pipe(rxs.text_only())
        with anyio.fail_after(5):
            assert [word async for word in rxstream.iterate(stream, buffer=1)] == ["a", "b"]
            assert list(rxstream.iterate(stream)) == ["a", "b"]


def test_loops_leave_nothing_behind():
    with rxstream.Session(transport=spoken("a", "b")) as session:
        stream = session.response(model="m").pipe(rxs.text_only())
        for _ in range(50):
            for _ in rxstream.iterate(stream):
                break
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rxstream")]
