"""Loops over the streams of a session."""

import gc
import threading

import anyio
import anyio.to_thread
import pytest
import reactivex
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.rx._context import RUNTIME
from tests.operators._wires import EndlessTransport, spoken
from tests.waiting import BOUND, settled, until, wait_for

WORDS = [f"w{n} " for n in range(200)]


@pytest.mark.anyio
@pytest.mark.parametrize("buffer", [1, 2, 64])
async def test_a_stream_in_an_async_loop(buffer: int):
    async with rxstream.Session(transport=spoken(*WORDS)) as session:
        stream = session.response(model="m").pipe(rxs.text_only())
        with anyio.fail_after(BOUND):
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


@pytest.mark.anyio
@pytest.mark.parametrize("text", [True, False])
async def test_conflate_holds_a_limited_number_of_values(text: bool):
    """Also of those that cannot be merged. EndlessTransport never waits: it would fill the memory."""
    transport = EndlessTransport()
    async with rxstream.Session(transport=transport) as session:
        source = session.response(model="m").pipe(rxs.text_only() if text else ops.map(lambda event: [event]))
        taken = 0
        async for _ in rxstream.iterate(source, buffer=8, overflow="conflate"):
            read = -1
            with anyio.fail_after(BOUND):
                while read != transport.read:
                    read = transport.read
                    await settled()
            taken += 1
            assert transport.read <= (8 + taken) * 1100 if text else taken + 10
            if taken == 20:
                break


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
        with anyio.fail_after(BOUND):
            assert await anyio.to_thread.run_sync(lambda: list(rxstream.iterate(stream))) == ["a", "b"]


@pytest.mark.anyio
async def test_an_async_loop_beside_a_sync_session():
    with rxstream.Session(transport=spoken("a", "b")) as session:
        stream = session.response(model="m").pipe(rxs.text_only())
        with anyio.fail_after(BOUND):
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
