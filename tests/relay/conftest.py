"""One server of each engine for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from rxstream.relay import Log, MemoryLog, NatsLog, ValkeyLog
from tests.relay._servers import EngineServer, nats_server, needs, redis_server, valkey_server

MakeLog = Callable[[], Log]
"""Each call makes what another process would have."""


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    yield from _running(valkey_server(tmp_path_factory.mktemp("valkey")))


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    yield from _running(redis_server(tmp_path_factory.mktemp("redis")))


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    yield from _running(nats_server(tmp_path_factory.mktemp("nats")))


def _running(server: EngineServer) -> Iterator[EngineServer]:
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture(params=["memory", "valkey", "redis", "nats"])
def make_log(request: pytest.FixtureRequest) -> Iterator[MakeLog]:
    """Logs of one engine, which are closed after the test."""
    if request.param == "memory":
        memory = MemoryLog()
        yield lambda: memory
        return
    needs(*(("nats", "nats-py") if request.param == "nats" else ("redis", "redis")))
    server: EngineServer = request.getfixturevalue(request.param)
    with ExitStack() as stack:

        def make() -> Log:
            if request.param == "nats":
                return stack.enter_context(NatsLog(f"nats://127.0.0.1:{server.port}", storage="memory"))
            return stack.enter_context(ValkeyLog(f"redis://127.0.0.1:{server.port}"))

        yield make
