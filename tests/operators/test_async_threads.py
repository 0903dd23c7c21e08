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
from tests.operators._work import same, session
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


class SlowObserver:
    """Its `on_next` lasts until it may go on."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.order: list[object] = []

    def on_next(self, value: object) -> None:
        self.order.append("begun")
        self.begun.set()
        assert self.go_on.wait(BOUND)
        self.order.append("ended")


def test_dispose_from_another_thread_waits_for_the_notification_that_runs(anyio_backend: str):
    slow = SlowObserver()

    with session():
        subscription = reactivex.of(1, 2).pipe(map_async(same)).subscribe(slow.on_next)
        assert slow.begun.wait(BOUND)
        threading.Timer(0.01, slow.go_on.set).start()
        subscription.dispose()
        slow.order.append("disposed")
    assert slow.order == ["begun", "ended", "disposed"]


def test_an_end_from_another_thread_does_not_overlap_a_notification(anyio_backend: str):
    source, slow = Source(), SlowObserver()

    with session():
        source.pipe(map_async(same)).subscribe(slow.on_next, lambda error: slow.order.append(error))
        source.emit(1)
        assert slow.begun.wait(BOUND)
        source.fail(error := ValueError())
        assert slow.order == ["begun"]
        slow.go_on.set()
    assert slow.order == ["begun", "ended", error]
