"""The engine restarts, is away, refuses; connections break: the stream goes on, or there is an error of a class."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from reactivex.subject import Subject

import rxstream
from rxstream.errors import LogUnavailableError, PositionLostError, StreamNotFoundError, StreamTooLongError
from rxstream.relay import Claim, Log, LogBatch, NatsLog, ValkeyLog, follow, publish
from tests.ports import free_port
from tests.relay._servers import EngineServer, nats_server, needs, valkey_server
from tests.relay._streams import EVENTS, dumped, follower
from tests.session._modes import nothing_left_behind
from tests.waiting import BOUND, until


def valkey_log(port: int, **options: Any) -> Log:
    return ValkeyLog(f"valkey://127.0.0.1:{port}", **options)


def nats_log(port: int, **options: Any) -> Log:
    return NatsLog(f"nats://127.0.0.1:{port}", **options)


MakeLogAt = Callable[..., Log]

ENGINES = {"valkey": (valkey_server, valkey_log, "redis"), "nats": (nats_server, nats_log, "nats")}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[EngineServer, MakeLogAt]]:
    """A server of its own, with files that outlive it."""
    make_server, make_log, module = ENGINES[request.param]
    needs(module, module)
    server: EngineServer = make_server(tmp_path)
    server.start()
    try:
        yield server, make_log
    finally:
        server.kill()


def test_the_engine_restarts_in_the_middle_of_a_stream(engine: tuple[EngineServer, MakeLogAt]) -> None:
    server, make_log = engine
    with ExitStack() as stack:
        mine, theirs = make_log(server.port), make_log(server.port)
        stack.callback(mine.close)
        stack.callback(theirs.close)
        events: Subject[Any] = Subject()

        async def main() -> None:
            async with rxstream.Session("k"):
                publication = publish(events, mine, "s", lease=60.0)
                heard = follower(follow(theirs, "s"))
                await until(lambda: events.observers)
                for round_number in range(3):
                    part = EVENTS[round_number * 4 : round_number * 4 + 4]
                    for event in part:
                        events.on_next(event)
                    with anyio.fail_after(BOUND):
                        await until(lambda n=round_number: len(heard.values) == 4 * n + 4 or heard.errors)
                    assert not heard.errors
                    server.kill()
                    await anyio.to_thread.run_sync(server.start)
                events.on_completed()
                with anyio.fail_after(BOUND):
                    await publication
                    await until(lambda: heard.completions or heard.errors)
                assert heard.completed()
                assert dumped(heard.values) == dumped(EVENTS[:12])

        anyio.run(main)


def test_an_engine_that_is_away_is_an_error_of_its_own(engine: tuple[EngineServer, MakeLogAt]) -> None:
    server, make_log = engine
    log = make_log(server.port, retry_seconds=0.3)
    server.kill()

    async def main() -> None:
        async with rxstream.Session("k"):
            heard = follower(follow(log, "s"))
            events: Subject[Any] = Subject()
            with pytest.raises(LogUnavailableError) as raised:
                await publish(events, log, "s")
            assert raised.value.retryable
            await until(lambda: heard.errors)
            assert isinstance(heard.error, LogUnavailableError)
            await anyio.to_thread.run_sync(server.start)  # and it is found again
            with anyio.fail_after(BOUND):
                publication = publish(events, log, "s", lease=60.0)
                await until(lambda: events.observers)
                server.kill()
                events.on_next(EVENTS[0])
                with pytest.raises(LogUnavailableError):
                    await publication
            assert not events.observers

    try:
        anyio.run(main)
    finally:
        log.close()


def test_what_nobody_awaits_is_raised_from_leaving_the_session(tmp_path: Path) -> None:
    needs("redis", "redis")
    log = valkey_log(free_port(), retry_seconds=0.05)
    try:
        with pytest.raises(LogUnavailableError), rxstream.Session("k"):
            publish(Subject(), log, "s")
    finally:
        log.close()


def test_closing_a_log_leaves_no_thread_and_no_socket(engine: tuple[EngineServer, MakeLogAt]) -> None:
    server, make_log = engine
    with nothing_left_behind():
        log = make_log(server.port)
        for _ in range(2):  # after `close` it opens again
            stream_id = uuid.uuid4().hex
            with rxstream.Session("k"):
                publish(rxstream.from_iterable(EVENTS), log, stream_id)
                heard = follower(follow(log, stream_id))
            assert heard.completed()
            log.close()
        log.close()


def test_closing_a_log_ends_what_still_follows_it(engine: tuple[EngineServer, MakeLogAt]) -> None:
    server, make_log = engine
    log = make_log(server.port)

    async def main() -> None:
        async with rxstream.Session("k"):
            heard = [follower(follow(log, f"s{number}", start_within=1000.0)) for number in range(20)]
            await log.read("s0", None)
            log.close()
            reopened = await log.read("s0", None)  # the followers read on over it too
            assert reopened.head is None
            for number, each in enumerate(heard):
                if not each.errors:
                    publish(rxstream.from_iterable(EVENTS), log, f"s{number}")
            with anyio.fail_after(BOUND):
                await until(lambda: all(each.errors or each.completions for each in heard))
        for each in heard:
            assert each.errors == [] or isinstance(each.error, LogUnavailableError)

    try:
        anyio.run(main)
    finally:
        log.close()


def test_events_that_the_engine_has_dropped_are_missed(engine: tuple[EngineServer, MakeLogAt]) -> None:
    server, make_log = engine
    log = make_log(server.port)

    async def main() -> None:
        claimed = await log.claim("s", Claim("one", 60.0, 600.0))
        await log.append("s", claimed.token, LogBatch(0, 1, b"data: 1\n\n"))
        await drop(log)
        async with rxstream.Session("k"):
            heard = follower(follow(log, "s", start_within=0.0))
            with anyio.fail_after(BOUND):
                await until(lambda: heard.errors)
        assert isinstance(heard.error, PositionLostError if isinstance(log, ValkeyLog) else StreamNotFoundError)

    try:
        anyio.run(main)
    finally:
        log.close()


async def drop(log: Log) -> None:
    """Drop the batches, as an eviction does: of Valkey the one key, of NATS all."""
    if isinstance(log, ValkeyLog):
        await log._engine.call(lambda scripts: scripts.redis.delete("rxstream:{s}:log"))
    elif isinstance(log, NatsLog):
        await log._engine.call(lambda calls: calls.jet_stream.purge("rxstream-batches", "rxstream.batches.s"))
        await log._engine.call(lambda calls: calls.jet_stream.purge("rxstream-states", "rxstream.states.s.lease"))


def test_a_batch_that_is_too_large_for_nats(tmp_path: Path) -> None:
    needs("nats", "nats-py")
    server = nats_server(tmp_path)
    server.start()
    log = nats_log(server.port)

    async def main() -> None:
        async with rxstream.Session("k"):
            large = EVENTS[5].model_copy(update={"delta": "x" * 2_000_000})
            events: Subject[Any] = Subject()
            publication = publish(events, log, "s")
            await until(lambda: events.observers)
            events.on_next(large)
            with pytest.raises(StreamTooLongError, match="max_payload"):
                await publication
            heard = follower(follow(log, "s"))
            await until(lambda: heard.errors)
            assert "Lost" in type(heard.error).__name__

    try:
        anyio.run(main)
    finally:
        log.close()
        server.kill()


def test_connections_that_break_all_the_time(engine: tuple[EngineServer, MakeLogAt]) -> None:
    """A proxy between the log and the engine closes each connection after some bytes."""
    server, make_log = engine
    with BreakingProxy(server.port, 12_000) as port, ExitStack() as stack:
        mine, theirs = make_log(port), make_log(port)
        stack.callback(mine.close)
        stack.callback(theirs.close)

        async def main() -> None:
            async with rxstream.Session("k"):
                events: Subject[Any] = Subject()
                publication = publish(events, mine, "s", lease=60.0)
                heard = follower(follow(theirs, "s"))
                await until(lambda: events.observers)
                for number, event in enumerate(EVENTS):
                    events.on_next(event)
                    with anyio.fail_after(BOUND):
                        await until(lambda n=number: len(heard.values) > n or heard.errors)
                events.on_completed()
                with anyio.fail_after(BOUND):
                    await publication
                    await until(lambda: heard.completions or heard.errors)
                assert heard.completed()
                assert dumped(heard.values) == dumped(EVENTS)

        anyio.run(main)


class BreakingProxy:
    """It passes bytes on, and closes each connection after so many of them."""

    def __init__(self, target: int, after: int) -> None:
        self._target = target
        self._after = after
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> int:
        self._threads[0].start()
        return self._listener.getsockname()[1]

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._open += [near, far]
                for source, to in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=self._pass, args=(source, to)))
                    self._threads[-1].start()

    def _pass(self, source: socket.socket, to: socket.socket) -> None:
        left = self._after
        with suppress(OSError):
            while left > 0 and (data := source.recv(65536)):
                to.sendall(data[:left])
                left -= len(data)
        for each in (source, to):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
