"""Another process goes on with a stream whose producer is lost; followers see the uncut sequence."""

from __future__ import annotations

import random
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
import reactivex as rx
from reactivex import operators as ops
from reactivex.subject import Subject

import rxstream
from rxstream.errors import DisconnectedError, ProducerLostError, StreamCancelledError, StreamExistsError
from rxstream.relay import Log, MemoryLog, cancel, follow, publish, take_over
from rxstream.testing import LocalServer, answers
from tests.relay._producer_process import log_at
from tests.relay._servers import EngineServer, needs
from tests.relay._streams import EVENTS, TEXT, begin, dumped, follower, in_mode, source
from tests.relay.conftest import MakeLog
from tests.session._modes import Heard, modes
from tests.thinned import tries
from tests.waiting import BOUND, until

ROOT = Path(__file__).resolve().parents[2]
LONG = replace(answers.text("A long answer that is told in many small pieces. " * 8), pace=150)


@contextmanager
def known_response(server: LocalServer) -> Iterator[list[Any]]:
    """A background response that the server has; all its events."""
    heard = Heard()
    with rxstream.Session("k", base_url=server.base_url) as session:
        heard.subscribe(session.response(model="m", input="Hi", background=True))
    yield heard.values


@modes
@pytest.mark.parametrize("cut", [1, 2, 5, len(EVENTS) - 1, len(EVENTS)])
def test_followers_see_the_uncut_sequence(mode: str, cut: int) -> None:
    log = MemoryLog()
    heard: list[Heard] = []
    with LocalServer([TEXT]) as server, known_response(server) as events:
        anyio.run(lambda: begin(log, "s", events[:cut], lease=0.1, takeover_within=60.0))

        def body(session: rxstream.Session) -> None:
            heard.extend(follower(follow(log, "s", takeover=session.resume)) for _ in range(3))
            heard.append(follower(follow(log, "s")))

        in_mode(mode, body, server)
    for each in heard:
        assert each.completed()
        assert dumped(each.values) == dumped(events)


@pytest.mark.anyio
async def test_over_each_engine_one_process_takes_over(make_log: MakeLog) -> None:
    stream_id = uuid.uuid4().hex
    with LocalServer([TEXT]) as server, known_response(server) as events:
        await begin(make_log(), stream_id, events[:4], takeover_within=60.0)
        logs = [make_log() for _ in range(3)]
        async with rxstream.Session("k", base_url=server.base_url) as session:
            heard = [follower(follow(log, stream_id, takeover=session.resume)) for log in logs]
            with anyio.fail_after(BOUND):
                await until(lambda: all(each.completions or each.errors for each in heard))
        assert len(server.log) == 2, "more than one process has asked for the rest"
    assert all(each.completed() and dumped(each.values) == dumped(events) for each in heard)


@pytest.mark.anyio
async def test_it_is_refused_while_the_producer_is_alive_and_after_the_end() -> None:
    log = MemoryLog()
    events: Subject[Any] = Subject()

    def never(response_id: str, *, after: int | None) -> Any:
        raise AssertionError

    async with rxstream.Session("k"):
        publication = publish(events, log, "s")
        await until(lambda: events.observers)
        with pytest.raises(StreamExistsError):
            await take_over(log, "s", never)
        events.on_completed()
        await publication
        with pytest.raises(StreamExistsError):
            await take_over(log, "s", never)


@pytest.mark.parametrize("left", [[], EVENTS[5:7], [EVENTS[0], EVENTS[5].model_copy(update={"sequence_number": None})]])
@pytest.mark.anyio
async def test_what_cannot_be_resumed_is_lost(left: list[Any]) -> None:
    log = MemoryLog()
    await begin(log, "s", left, lease=0.05, takeover_within=60.0)

    def never(response_id: str, *, after: int | None) -> Any:
        raise AssertionError

    async with rxstream.Session("k"):
        heard = follower(follow(log, "s", takeover=never))
        with anyio.fail_after(BOUND):
            await until(lambda: heard.errors)
    assert isinstance(heard.error, ProducerLostError)


@pytest.mark.anyio
async def test_what_fails_there_is_the_end_of_the_stream() -> None:
    log = MemoryLog()
    await begin(log, "s", EVENTS[:3], lease=0.05, takeover_within=60.0)
    async with rxstream.Session("k"):

        def resume(response_id: str, *, after: int | None) -> Any:
            return rx.throw(DisconnectedError(f"lost behind {after}"))

        heard = follower(follow(log, "s", takeover=resume))
        with anyio.fail_after(BOUND):
            await until(lambda: heard.errors)
    assert isinstance(heard.error, DisconnectedError)
    assert str(heard.error) == "lost behind 2"


@pytest.mark.anyio
async def test_a_cancelled_stream_is_not_resumed() -> None:
    log = MemoryLog()
    claimed = await begin(log, "s", EVENTS[:3], lease=1000.0, takeover_within=60.0)
    assert await cancel(log, "s")
    await log.renew("s", claimed.token, release=True)

    def never(response_id: str, *, after: int | None) -> Any:
        raise AssertionError

    async with rxstream.Session("k"):
        heard = follower(follow(log, "s", takeover=never))
        with anyio.fail_after(BOUND):
            await until(lambda: heard.errors)
    assert isinstance(heard.error, StreamCancelledError)


def test_a_session_that_is_left_hands_its_stream_over_at_once() -> None:
    log = MemoryLog()

    async def main() -> None:
        async with rxstream.Session("k"):
            publish(source().pipe(ops.take(4), ops.concat(rx.never())), log, "s", lease=1000.0, takeover_within=1000.0)
            heard = follower(follow(log, "s"))
            await until(lambda: len(heard.values) == 4)
            raise LookupError

    with pytest.raises(LookupError):
        anyio.run(main)
    rest = rxstream.from_iterable(EVENTS)
    with rxstream.Session("k"):
        heard = follower(follow(log, "s", takeover=lambda _, after: rest))
    assert heard.completed()
    assert dumped(heard.values) == dumped(EVENTS)


# ---------------------------------------------------------------------- kill -9


@pytest.fixture(params=["valkey", "nats"])
def engine_url(request: pytest.FixtureRequest) -> str:
    needs(*(("nats", "nats-py") if request.param == "nats" else ("redis", "redis")))
    server: EngineServer = request.getfixturevalue(request.param)
    return f"{request.param if request.param == 'nats' else 'redis'}://127.0.0.1:{server.port}"


@pytest.mark.parametrize("seed", range(tries(2, 4)))
def test_processes_are_killed_at_random_moments(engine_url: str, seed: int) -> None:
    """The producer is killed, then the process that took over; this one does the rest. `RXSTREAM_ALL`: more moments."""
    rng = random.Random(f"{engine_url.partition(':')[0]} {seed}")
    stream_id = uuid.uuid4().hex
    logs = [log_at(engine_url) for _ in range(2)]
    with ExitStack() as stack, LocalServer([LONG]) as server, known_response(server) as events:
        for log in logs:
            stack.callback(log.close)
        first, second = sorted(rng.sample(range(2, len(events) - 2), 2))
        start = stack.enter_context(processes(engine_url, server.base_url, stream_id))

        async def main() -> tuple[Heard, Heard, Heard]:
            async with rxstream.Session("k", base_url=server.base_url) as session:
                early = follower(follow(logs[0], stream_id, start_within=60.0))
                with anyio.fail_after(60):
                    producer = start()
                    await until(lambda: len(early.values) >= first or early.errors)
                    producer.kill()
                    await lease_over(logs[0], stream_id)
                    successor = start("take_over")
                    await until(lambda: len(early.values) >= second or early.errors or early.completions)
                    successor.kill()
                    helping = follower(follow(logs[1], stream_id, takeover=session.resume))
                    await until(lambda: helping.errors or helping.completions)
                    await until(lambda: early.errors or early.completions)
                    late = follower(follow(logs[1], stream_id, after=first))
                    await until(lambda: late.errors or late.completions)
            return early, helping, late

        early, helping, late = anyio.run(main)
        expected = dumped(helping.values)
        assert [event.sequence_number for event in helping.values] == list(range(len(events)))
        assert early.completed()
        assert dumped(early.values) == expected
        assert late.completed()
        assert dumped(late.values) == expected[first + 1 :]
        text = "".join(getattr(event, "delta", "") for event in helping.values)
        assert text == "".join(getattr(event, "delta", "") for event in events)


def test_a_producer_that_is_killed_and_not_taken_over(engine_url: str) -> None:
    stream_id = uuid.uuid4().hex
    log = log_at(engine_url)

    async def main() -> Heard:
        async with rxstream.Session("k"):
            await begin(log, stream_id, EVENTS[:3], lease=0.5, takeover_within=0.5)
            heard = follower(follow(log, stream_id))
            with anyio.fail_after(BOUND):
                await until(lambda: heard.errors)
            return heard

    try:
        assert isinstance(anyio.run(main).error, ProducerLostError)
    finally:
        log.close()


@contextmanager
def processes(engine_url: str, base_url: str, stream_id: str) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts producers; all have ended afterwards."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*how: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.relay._producer_process", engine_url, base_url, stream_id, *how]
        running.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL))
        return running[-1]

    try:
        yield start
    finally:
        for process in running:
            process.kill()
            process.wait()


async def lease_over(log: Log, stream_id: str) -> None:
    while True:
        head = (await log.read(stream_id, 10_000)).head
        if head is None or head.end is not None or head.lease_left <= 0:
            return
        await anyio.sleep(max(head.lease_left, 0.01))
