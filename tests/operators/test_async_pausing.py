"""map_async pauses its source, and is paused itself."""

import anyio
import anyio.lowlevel
import pytest
import reactivex

import rxstream
from rxstream import operators as rxs
from rxstream.errors import TruncatedError
from rxstream.operators import map_async
from rxstream.rx._context import FLOW
from tests.operators._wires import EndlessTransport, FakeFlow, Seen, Source
from tests.operators._work import Work, same, session
from tests.waiting import settled, until

pytestmark = pytest.mark.anyio


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

    async def read() -> None:
        async for value in rxstream.iterate(reactivex.of(1, 2, 3, 4).pipe(map_async(same)), buffer=1):
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

    def on_next(value: int) -> None:
        flows.append(flow := FLOW.get())
        flow.pause()
        seen.on_next(value)

    async with session():
        source.pipe(map_async(same, 3)).subscribe(on_next, seen.on_error)
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
