"""Loops: for and async for, and how they let go."""

import anyio
import anyio.to_thread
import pytest
import reactivex
from reactivex import operators as rx

import rxstream
from rxstream.errors import TruncatedError
from tests.operators._wires import Source
from tests.sinks._loops import produce
from tests.waiting import BOUND, until, wait_for

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
        for value in rxstream.iterate(reactivex.concat(reactivex.of(1, 2), reactivex.throw(error))):
            got.append(value)
    assert raised.value is error
    assert got == [1, 2]


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
    thread.join(BOUND)
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
    thread.join(BOUND)


# ---------------------------------------------------------------------- async for


@pytest.mark.anyio
async def test_an_async_for_loop_takes_every_value_and_ends():
    assert [value async for value in rxstream.iterate(reactivex.of(1, None, 3))] == [1, None, 3]


@pytest.mark.anyio
async def test_an_async_loop_raises_after_the_values_that_came_before():
    got = []
    with pytest.raises(TruncatedError):
        async for value in rxstream.iterate(
            reactivex.concat(reactivex.of(1, 2), reactivex.throw(TruncatedError("cut")))
        ):
            got.append(value)
    assert got == [1, 2]


@pytest.mark.anyio
async def test_values_from_threads_wake_an_async_loop():
    ticks = reactivex.interval(0.001).pipe(rx.take(5))
    with anyio.fail_after(BOUND):
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
    with anyio.move_on_after(BOUND) as scope:
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
        with anyio.fail_after(BOUND):
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
