"""map_async and threads: of the source, of a sync session, of who disposes."""

import threading

import anyio
import anyio.lowlevel
import pytest
import reactivex

import rxstream
from rxstream import operators as rxs
from rxstream.operators import map_async
from tests.operators._wires import Seen, Source, spoken
from tests.operators._work import session
from tests.waiting import BOUND

pytestmark = pytest.mark.anyio


async def test_values_from_another_thread_are_awaited_on_the_loop():
    source, seen, here, threads = Source(), Seen(), threading.get_ident(), set()

    async def fn(value: int) -> int:
        threads.add(threading.get_ident())
        return value

    def produce() -> None:
        for value in range(50):
            source.emit(value)
        source.complete()

    async with session():
        source.pipe(map_async(fn, 4)).subscribe(seen)
        await anyio.to_thread.run_sync(produce)
    assert seen.values == list(range(50))
    assert seen.completed
    assert threads == {here}


def test_in_a_session_without_async(anyio_backend: str):
    transport = spoken("a", "b", "c")
    threads = set()

    async def fn(word: str) -> str:
        await anyio.lowlevel.checkpoint()
        threads.add(threading.current_thread().name)
        return word.upper()

    with rxstream.Session(transport=transport) as running:
        chain = running.response(model="m").pipe(rxs.text_only(), map_async(fn, 2))
        assert list(rxstream.iterate(chain, buffer=1)) == ["A", "B", "C"]
        foreign = reactivex.of("x", "y").pipe(map_async(fn))
        assert rxstream.result(foreign).wait(BOUND) == "Y"
    assert threads == {"rxstream"}


def test_dispose_from_another_thread_waits_for_the_notification_that_runs(anyio_backend: str):
    begun, go_on, order = threading.Event(), threading.Event(), []

    async def fn(value: int) -> int:
        return value

    def on_next(value: int) -> None:
        order.append("begun")
        begun.set()
        assert go_on.wait(BOUND)
        order.append("ended")

    with session():
        subscription = reactivex.of(1, 2).pipe(map_async(fn)).subscribe(on_next)
        assert begun.wait(BOUND)
        threading.Timer(0.01, go_on.set).start()
        subscription.dispose()
        order.append("disposed")
    assert order == ["begun", "ended", "disposed"]


def test_an_end_from_another_thread_does_not_overlap_a_notification(anyio_backend: str):
    source, begun, go_on, order = Source(), threading.Event(), threading.Event(), []

    async def fn(value: int) -> int:
        return value

    def on_next(value: int) -> None:
        order.append("begun")
        begun.set()
        assert go_on.wait(BOUND)
        order.append("ended")

    with session():
        source.pipe(map_async(fn)).subscribe(on_next, lambda error: order.append(error))
        source.emit(1)
        assert begun.wait(BOUND)
        source.fail(error := ValueError())
        assert order == ["begun"]
        go_on.set()
    assert order == ["begun", "ended", error]
