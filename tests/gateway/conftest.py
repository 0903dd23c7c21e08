"""A Valkey server for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.relay._servers import EngineServer, needs, valkey_server


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    needs("redis", "redis")
    server = valkey_server(tmp_path_factory.mktemp("valkey"))
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def valkey_url(valkey: EngineServer) -> str:
    """An empty one, because the ids of local servers are the same each time."""
    import redis

    with redis.Redis(host="127.0.0.1", port=valkey.port) as client:
        client.flushall()
    return f"valkey://127.0.0.1:{valkey.port}"
