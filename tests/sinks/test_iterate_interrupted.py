"""A step that was given up is not the end of its loop: the next one gives the next value."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import copy_context
from typing import Any

import anyio
import pytest
import reactivex
from reactivex.subject import Subject

import rxstream
from rxstream.errors import DisconnectedError
from rxstream.testing import LocalServer, answers
from tests.session._modes import options_for
from tests.waiting import BOUND, until

Step = Callable[[Any], Awaitable[Any]]


async def given_up_by_scope(loop: Any) -> None:
    with anyio.move_on_after(0.001) as scope:
        await anext(loop)
    assert scope.cancelled_caught


async def given_up_by_wait_for(loop: Any) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(anext(loop), 0.001)


async def given_up_by_task(loop: Any) -> None:
    task = asyncio.create_task(anext(loop))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


STEPS = [
    ("asyncio", given_up_by_scope),
    ("asyncio", given_up_by_wait_for),
    ("asyncio", given_up_by_task),
    ("trio", given_up_by_scope),
]


@pytest.mark.parametrize(("backend", "give_up"), STEPS)
@pytest.mark.parametrize("overflow", ["pause", "error", "drop_oldest", "conflate"])
def test_after_a_step_that_timed_out_comes_the_next_value(backend: str, give_up: Step, overflow: Any) -> None:
    async def main() -> None:
        source = Subject[int]()
        loop = aiter(rxstream.iterate(source, overflow=overflow))
        for value in range(3):
            await give_up(loop)
            source.on_next(value)
            assert await anext(loop) == value
        await give_up(loop)
        source.on_completed()
        with pytest.raises(StopAsyncIteration):
            await anext(loop)

    anyio.run(main, backend=backend)


@pytest.mark.anyio
async def test_no_value_is_lost_to_a_cancellation() -> None:
    """Also not where a loop that never waits lets other tasks run."""
    loop, taken = aiter(rxstream.iterate(reactivex.range(0, 200), buffer=500)), list[int]()
    while len(taken) < 200:
        with anyio.CancelScope() as scope:
            scope.cancel()
            taken.append(await anext(loop))
    assert taken == list(range(200))


@pytest.mark.parametrize(("backend", "give_up"), STEPS)
def test_a_stream_goes_on_after_a_step_that_timed_out(backend: str, give_up: Step) -> None:
    async def main() -> None:
        arrived = anyio.Event()

        async def pieces() -> AsyncGenerator[dict[str, Any]]:
            yield {"type": "response.created", "response": {}}
            await arrived.wait()
            yield {"type": "response.completed", "response": {}}

        async with rxstream.Session():
            loop = aiter(rxstream.iterate(rxstream.from_async_iterable(pieces())))
            assert (await anext(loop)).type == "response.created"
            await give_up(loop)
            arrived.set()
            assert [event.type async for event in loop] == ["response.completed"]

    anyio.run(main, backend=backend)


def test_a_step_that_a_signal_interrupted_is_not_the_end() -> None:
    source = Subject[int]()
    loop = iter(rxstream.iterate(source))
    main = threading.main_thread()
    interrupted = threading.Event()

    def interrupt() -> None:
        while not source.observers:
            pass
        # Python does not see a signal that comes just before the thread begins to wait, until the next one.
        while True:
            signal.pthread_kill(main.ident or 0, signal.SIGINT)
            if interrupted.wait(1.0):
                return

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        next(loop)
    interrupted.set()
    thread.join()
    source.on_next(1)
    assert next(loop) == 1
    source.on_completed()
    assert list(loop) == []


@pytest.mark.anyio
async def test_a_loop_that_the_session_closed_does_not_end_silently() -> None:
    with LocalServer([answers.endless(pace=100)]) as server:
        async with rxstream.Session(**options_for(server)) as session:
            loop = aiter(rxstream.iterate(session.response(model="m", input="Hi")))
            await anext(loop)
        with pytest.raises(DisconnectedError, match="session was left"):
            await anext(loop)


def test_a_loop_that_a_sync_session_closed_does_not_end_silently() -> None:
    with LocalServer([answers.endless(pace=100)]) as server:
        with rxstream.Session(**options_for(server)) as session:
            loop = iter(rxstream.iterate(session.response(model="m", input="Hi")))
            next(loop)
        with pytest.raises(DisconnectedError, match="session was left"):
            next(loop)


@pytest.mark.anyio
async def test_a_cancelled_loop_whose_error_is_kept_is_disposed_at_once() -> None:
    source, kept = Subject[int](), list[BaseException]()

    async def read() -> None:
        try:
            async for _ in rxstream.iterate(source):
                pass
        except BaseException as error:
            kept.append(error)
            raise

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await until(lambda: source.observers)
        tasks.cancel_scope.cancel()
    assert kept
    gc.disable()
    try:
        assert source.observers == []
    finally:
        gc.enable()


def test_a_loop_kept_from_a_thread_that_has_ended_does_not_hold_the_session_up() -> None:
    kept: list[Any] = []
    leave = threading.Event()

    def take_one(source: Any) -> None:
        kept.append(iter(rxstream.iterate(source, buffer=1)))
        next(kept[0])

    with LocalServer([answers.endless(pace=500)]) as server:
        with rxstream.Session(**options_for(server)) as session:
            source = session.response(model="m", input="Hi")
            first = threading.Thread(target=copy_context().run, args=(take_one, source))
            first.start()
            first.join()
            others = [threading.Thread(target=leave.wait, args=(BOUND,)) for _ in range(50)]  # one gets its number
            for other in others:
                other.start()
        server.wait_closed()
    leave.set()
    for other in others:
        other.join()
    with pytest.raises(DisconnectedError):
        next(kept[0])
