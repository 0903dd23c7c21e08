"""map_async and for_each_async: order, bounds, ends; on asyncio, trio and the thread of a sync session."""

import threading

import anyio
import anyio.lowlevel
import pytest
import reactivex
from reactivex import operators as rx

import rxstream
from rxstream import operators as rxs
from rxstream.errors import DisconnectedError, TruncatedError
from rxstream.operators import for_each_async, map_async
from rxstream.rx._context import FLOW
from tests.operators._wires import EndlessTransport, FakeFlow, Seen, Source, settled, spoken, until

pytestmark = pytest.mark.anyio


class Work:
    """An async function whose calls end when the test says so. Trio begins tasks in no certain order."""

    def __init__(self) -> None:
        self.doors: dict[object, anyio.Event] = {}
        self.running: list[object] = []
        self.begun: list[object] = []
        self.cancelled: list[object] = []
        self.most = 0
        self.error: Exception | None = None

    async def __call__(self, value: object) -> object:
        self.doors[value] = anyio.Event()
        self.begun = sorted([*self.begun, value])
        self.running = sorted([*self.running, value])
        self.most = max(self.most, len(self.running))
        try:
            await self.doors[value].wait()
        except BaseException:
            self.cancelled = sorted([*self.cancelled, value])
            raise
        finally:
            self.running.remove(value)
        if self.error is not None:
            raise self.error
        return f"<{value}>"

    def finish(self, *values: object) -> None:
        for value in values:
            self.doors[value].set()


def session() -> rxstream.Session:
    return rxstream.Session(transport=spoken("a", "b"))


async def test_results_come_in_the_order_of_the_values():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        source.pipe(map_async(work, max_in_flight=3)).subscribe(seen)
        source.emit(1, 2, 3)
        await until(lambda: work.running == [1, 2, 3])
        work.finish(2, 3)
        await until(lambda: work.running == [1])
        assert seen.values == []
        work.finish(1)
        await until(lambda: len(seen.values) == 3)
        source.complete()
    assert seen.values == ["<1>", "<2>", "<3>"]
    assert seen.completed


async def test_unordered_results_come_as_they_are_there():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        source.pipe(map_async(work, max_in_flight=3, ordered=False)).subscribe(seen)
        source.emit(1, 2, 3)
        await until(lambda: len(work.running) == 3)
        for value in (3, 1, 2):
            work.finish(value)
            await until(lambda value=value: f"<{value}>" in seen.values)
        source.complete()
    assert seen.values == ["<3>", "<1>", "<2>"]
    assert seen.completed


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("most", [1, 2, 5])
async def test_no_more_run_than_may(most: int, ordered: bool):
    running = peak = 0

    async def fn(value: int) -> int:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        for _ in range(2 + value % 3):
            await anyio.lowlevel.checkpoint()
        running -= 1
        return value

    async with session():
        got = await rxstream.result(reactivex.from_iterable(range(40)).pipe(map_async(fn, most, ordered), rx.to_list()))
    assert peak == most
    assert (got if ordered else sorted(got)) == list(range(40))


async def test_a_value_done_but_not_yet_its_turn_is_in_flight():
    work, source = Work(), Source()
    async with session():
        subscription = source.pipe(map_async(work, max_in_flight=2)).subscribe()
        source.emit(1, 2, 3)
        await until(lambda: work.begun == [1, 2])
        work.finish(2)
        await until(lambda: work.running == [1])
        await settled()
        assert work.begun == [1, 2]
        work.finish(1)
        await until(lambda: work.begun == [1, 2, 3])
        subscription.dispose()


async def test_it_completes_when_what_is_in_flight_is_done():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        source.pipe(map_async(work)).subscribe(seen)
        source.emit(1)
        source.complete()
        await until(lambda: work.running == [1])
        assert not seen.completed
        work.finish(1)
    assert seen.values == ["<1>"]
    assert seen.completed


async def test_an_empty_source_completes():
    seen = Seen()
    async with session():
        reactivex.empty().pipe(map_async(Work())).subscribe(seen)
        assert seen.completed


async def test_what_fn_raises_cancels_the_others_and_leaves_the_source():
    work, source, seen = Work(), Source(), Seen()
    work.error = ValueError("no")
    async with session():
        source.pipe(map_async(work, max_in_flight=3)).subscribe(seen)
        source.emit(1, 2, 3, 4)
        await until(lambda: len(work.running) == 3)
        work.finish(2)
        await until(lambda: seen.over)
        assert source.observers == []
    assert seen.error is work.error
    assert seen.values == []
    assert work.cancelled == [1, 3]
    assert work.begun == [1, 2, 3]


async def test_fn_may_raise_before_its_first_await():
    seen = Seen()

    def fn(value: int):
        raise LookupError(value)

    async with session():
        reactivex.of(1, 2).pipe(map_async(fn)).subscribe(seen)
    assert isinstance(seen.error, LookupError)


async def test_a_function_that_is_not_async_is_an_error():
    seen = Seen()
    async with session():
        reactivex.of(1).pipe(map_async(lambda value: value)).subscribe(seen)
    assert isinstance(seen.error, TypeError)


async def test_results_that_are_there_come_before_the_error():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        source.pipe(map_async(work, max_in_flight=2)).subscribe(seen)
        source.emit(1, 2)
        await until(lambda: len(work.running) == 2)
        work.finish(1)
        await until(lambda: seen.values == ["<1>"])
        work.error = ValueError()
        work.finish(2)
    assert seen.values == ["<1>"]
    assert seen.error is work.error


async def test_an_error_of_the_source_cancels_what_is_in_flight():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        source.pipe(map_async(work)).subscribe(seen)
        source.emit(1)
        await until(lambda: work.running == [1])
        source.fail(error := TruncatedError("cut"))
        assert seen.error is error
    assert work.cancelled == [1]


async def test_dispose_reaches_the_coroutines():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        subscription = source.pipe(map_async(work, max_in_flight=2)).subscribe(seen)
        source.emit(1, 2, 3)
        await until(lambda: len(work.running) == 2)
        subscription.dispose()
        assert source.observers == []
    assert work.cancelled == [1, 2]
    assert work.begun == [1, 2]
    assert not seen.over
    assert seen.values == []


async def test_an_observer_may_dispose_in_on_next():
    seen = Seen()

    async def fn(value: int) -> int:
        return value

    async with session():
        reactivex.from_iterable(range(10)).pipe(map_async(fn, 4), rx.take(3)).subscribe(seen)
    assert seen.values == [0, 1, 2]
    assert seen.completed


async def test_what_fn_raises_while_it_is_being_disposed_is_not_lost():
    async def fn(value: int) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            begun.append(value)
            raise ValueError("in the cleanup")

    begun: list[int] = []
    source = Source()
    with pytest.raises(ValueError, match="in the cleanup"):
        async with session():
            subscription = source.pipe(map_async(fn)).subscribe()
            source.emit(1)
            await settled()
            subscription.dispose()
    assert begun == [1]


async def test_a_second_failure_is_noted_on_the_first():
    seen, source = Seen(), Source()

    async def fn(value: int) -> None:
        if value == 2:
            raise ValueError("first")
        try:
            await anyio.sleep_forever()
        finally:
            raise LookupError("second")

    async with session():
        source.pipe(map_async(fn, 2)).subscribe(seen)
        source.emit(1)
        await settled()
        source.emit(2)
    assert isinstance(seen.error, ValueError)
    assert seen.error.__notes__ == ["and then: LookupError: second"]


async def test_an_observer_that_raises_ends_it():
    source, errors = Source(), []

    async def fn(value: int) -> int:
        return value

    def on_next(value: int) -> None:
        raise ValueError(value)

    async with session():
        source.pipe(map_async(fn)).subscribe(on_next, errors.append)
        source.emit(1, 2)
        await until(lambda: errors)
        assert source.observers == []
    assert [str(error) for error in errors] == ["1"]


async def test_an_error_that_nobody_takes_is_raised_from_leaving_the_session():
    async def fn(value: int) -> int:
        raise ValueError(value)

    with pytest.raises(ValueError, match="1"):
        async with session():
            reactivex.of(1, 2).pipe(map_async(fn)).subscribe()


async def test_leaving_the_session_waits_for_what_is_in_flight():
    done = []

    async def fn(value: int) -> None:
        await anyio.sleep(0.01)
        done.append(value)

    async with session():
        reactivex.of(1, 2, 3).pipe(map_async(fn)).subscribe()
    assert done == [1, 2, 3]


async def test_leaving_the_session_by_an_exception_cancels_and_tells():
    work, seen = Work(), Seen()
    with pytest.raises(KeyError):
        async with session():
            reactivex.of(1).pipe(map_async(work)).subscribe(seen)
            await until(lambda: work.running)
            raise KeyError
    assert work.cancelled == [1]
    assert isinstance(seen.error, DisconnectedError)


async def test_without_a_session_it_says_what_is_missing():
    seen = Seen()
    reactivex.of(1).pipe(map_async(Work())).subscribe(seen)
    assert isinstance(seen.error, RuntimeError)
    assert "rxstream.Session()" in str(seen.error)


async def test_after_the_session_it_says_so():
    source, seen = Source(), Seen()
    async with session():
        source.pipe(map_async(Work())).subscribe(seen)
    source.emit(1)
    assert isinstance(seen.error, RuntimeError)
    assert "Session is not open" in str(seen.error)


async def test_wrong_arguments_raise_at_once():
    with pytest.raises(TypeError, match="async function"):
        map_async(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="async function"):
        for_each_async(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_in_flight"):
        map_async(Work(), 0)


async def test_subscribers_share_nothing():
    first, second = Seen(), Seen()

    async def fn(value: int) -> int:
        return -value

    async with session():
        chain = reactivex.of(1, 2).pipe(map_async(fn))
        chain.subscribe(first)
        chain.subscribe(second)
    assert first.values == second.values == [-1, -2]


async def test_for_each_async_passes_each_value_on_when_fn_has_returned():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        source.pipe(for_each_async(work)).subscribe(seen)
        source.emit(1, 2)
        await until(lambda: work.running == [1])
        assert seen.values == []
        work.finish(1)
        await until(lambda: work.running == [2])
        assert seen.values == [1]
        work.finish(2)
        source.complete()
    assert seen.values == [1, 2]


# ---------------------------------------------------------------------- pausing


async def test_a_source_with_a_flow_is_paused_while_all_slots_are_taken():
    work, source, fake_flow = Work(), Source(), FakeFlow()
    async with session():
        token = FLOW.set(fake_flow)
        subscription = source.pipe(map_async(work, max_in_flight=2)).subscribe()
        source.emit(1)
        assert fake_flow.pauses == 0
        source.emit(2)
        assert fake_flow.pauses == 1
        source.emit(3)  # the rest of one notification
        assert fake_flow.pauses == 1
        FLOW.reset(token)
        await until(lambda: work.running == [1, 2])
        work.finish(1)
        await until(lambda: work.running == [2, 3])
        assert fake_flow.pauses == 1
        work.finish(2, 3)
        await until(lambda: fake_flow.pauses == 0)
        subscription.dispose()
    assert fake_flow.paused_in_all == 1


@pytest.mark.parametrize("end", ["dispose", "fail", "error"])
async def test_every_pause_is_taken_back_however_it_ends(end: str):
    work, source, fake_flow, seen = Work(), Source(), FakeFlow(), Seen()
    async with session():
        token = FLOW.set(fake_flow)
        subscription = source.pipe(map_async(work)).subscribe(seen)
        source.emit(1, 2)
        FLOW.reset(token)
        await until(lambda: work.running)
        assert fake_flow.pauses == 1
        if end == "dispose":
            subscription.dispose()
        elif end == "fail":
            source.fail(ValueError())
        else:
            work.error = ValueError()
            work.finish(1)
            await until(lambda: seen.over)
        assert fake_flow.pauses == 0


async def test_a_stream_of_the_session_stops_reading():
    transport, work = EndlessTransport(), Work()
    async with rxstream.Session(transport=transport) as running:
        subscription = running.response(model="m").pipe(rxs.text_only(), map_async(work)).subscribe()
        await until(lambda: work.running)
        await settled()
        assert transport.read == 1
        for n in range(2, 5):
            work.finish("word ")
            await until(lambda n=n: len(work.begun) == n)
            await settled()
            assert transport.read == n
        subscription.dispose()
    assert transport.open_wires == 0


async def test_it_is_itself_paused_by_what_comes_after():
    transport, calls, second = EndlessTransport(), [], Work()

    async def first(value: str) -> int:
        calls.append(value)
        return len(calls)

    async with rxstream.Session(transport=transport) as running:
        chain = running.response(model="m").pipe(rxs.text_only(), map_async(first, 2), map_async(second))
        subscription = chain.subscribe()
        await until(lambda: second.running == [1])
        await settled()
        assert len(calls) <= 3
        assert transport.read <= 4
        second.finish(1)
        await until(lambda: second.running == [2])
        await settled()
        assert len(calls) <= 4
        subscription.dispose()


async def test_a_loop_behind_it_pauses_it():
    calls = []

    async def fn(value: int) -> int:
        calls.append(value)
        return value

    got = []
    async with session():
        async for value in rxstream.iterate(
            reactivex.from_iterable(range(20)).pipe(map_async(fn)), buffer=2, overflow="pause"
        ):
            await settled()
            got.append(value)
            assert len(calls) <= len(got) + 3
    assert got == list(range(20))


async def test_the_session_waits_for_results_that_are_held_by_a_pause():
    got = []

    async def fn(value: int) -> int:
        return value

    async def read() -> None:
        async for value in rxstream.iterate(reactivex.of(1, 2, 3, 4).pipe(map_async(fn)), buffer=1):
            await settled()
            got.append(value)

    async with anyio.create_task_group() as tasks:
        async with session():
            tasks.start_soon(read)
            await until(lambda: got)
        assert len(got) >= 2  # one may be in the hands of the loop, one in its buffer
    assert got == [1, 2, 3, 4]


async def test_an_error_waits_for_results_that_are_held_by_a_pause():
    source, seen, flows = Source(), Seen(), []

    async def fn(value: int) -> int:
        return value

    def on_next(value: int) -> None:
        flows.append(flow := FLOW.get())
        flow.pause()
        seen.on_next(value)

    async with session():
        source.pipe(map_async(fn, 3)).subscribe(on_next, seen.on_error)
        source.emit(1, 2, 3)
        await until(lambda: seen.values == [1])
        await settled()
        source.fail(TruncatedError("cut"))
        assert not seen.over
        flows[0].resume()
        await until(lambda: seen.values == [1, 2])
        flows[0].resume()
        await until(lambda: seen.values == [1, 2, 3])
        await settled()
        assert not seen.over
        flows[0].resume()
        await until(lambda: seen.over)
    assert seen.values == [1, 2, 3]
    assert isinstance(seen.error, TruncatedError)


async def test_results_that_a_pause_holds_come_before_the_error_also_where_others_still_run():
    work, source, seen, flows = Work(), Source(), Seen(), []

    def on_next(value: object) -> None:
        flows.append(flow := FLOW.get())
        flow.pause()
        seen.on_next(value)

    async with session():
        source.pipe(map_async(work, 3)).subscribe(on_next, seen.on_error)
        source.emit(1, 2, 3)
        await until(lambda: len(work.running) == 3)
        work.finish(1, 2)
        await until(lambda: seen.values == ["<1>"])
        await settled()
        source.fail(TruncatedError("cut"))
        await until(lambda: work.cancelled == [3])
        await settled()
        assert not seen.over
        flows[0].resume()
        await until(lambda: seen.values == ["<1>", "<2>"])
        flows[0].resume()
        await until(lambda: seen.over)
    assert isinstance(seen.error, TruncatedError)


async def test_an_async_handler_behind_it_that_fails_ends_the_stream():
    transport, failures = EndlessTransport(), []
    handlers = rxstream.Handlers()

    @handlers.on("response.output_text.delta")
    async def fail(event: object) -> None:
        await anyio.lowlevel.checkpoint()
        raise ValueError("handler")

    handlers.on_error(failures.append)

    async def fn(event: object) -> object:
        return event

    async with rxstream.Session(transport=transport) as running:
        running.response(model="m").pipe(map_async(fn)).subscribe(handlers)
    assert [str(error) for error in failures] == ["handler"]
    assert transport.open_wires == 0


# ---------------------------------------------------------------------- threads


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
        assert rxstream.result(foreign).wait(5) == "Y"
    assert threads == {"rxstream"}


def test_dispose_from_another_thread_waits_for_the_notification_that_runs(anyio_backend: str):
    begun, go_on, order = threading.Event(), threading.Event(), []

    async def fn(value: int) -> int:
        return value

    def on_next(value: int) -> None:
        order.append("begun")
        begun.set()
        assert go_on.wait(5)
        order.append("ended")

    with session():
        subscription = reactivex.of(1, 2).pipe(map_async(fn)).subscribe(on_next)
        assert begun.wait(5)
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
        assert go_on.wait(5)
        order.append("ended")

    with session():
        source.pipe(map_async(fn)).subscribe(on_next, lambda error: order.append(error))
        source.emit(1)
        assert begun.wait(5)
        source.fail(error := ValueError())
        assert order == ["begun"]
        go_on.set()
    assert order == ["begun", "ended", error]
