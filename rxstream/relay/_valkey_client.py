"""The client of Valkey and Redis, which is imported on use.

The package is `redis`: it speaks to both servers, and has the most releases and users of the asyncio clients that do.
`valkey` is a fork of it with fewer releases; `valkey-glide` brings a runtime of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from rxstream.relay import _valkey_scripts as texts

_CONNECTIONS = 16
"""For calls. Each takes one for less than a millisecond, so that further calls wait for a short time."""

_CALL_SECONDS = 10.0


class Scripts:
    """An open client, and its scripts."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self._scripts = {
            name: redis.register_script(getattr(texts, name.upper()))
            for name in ("claim", "append", "renew", "cancel", "delete", "read")
        }

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[object]) -> Any:
        """Run a script of `_valkey_scripts`; its answer, in bytes."""
        return await self._scripts[script](keys=keys, args=arguments)


class ValkeyClient:
    """How to open and close one.

    Raises: ValueError: the URL cannot be used.
    """

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        client: Any = import_module("redis.asyncio")
        exceptions: Any = import_module("redis.exceptions")
        for scheme in ("valkeys://", "valkey://"):
            if url.startswith(scheme):
                url = scheme.replace("valkey", "redis") + url.removeprefix(scheme)
        client.ConnectionPool.from_url(url)  # to raise now, for a URL that is wrong
        self._client = client
        self._url = url
        self._options = options
        self.failures: tuple[type[BaseException], ...] = (
            exceptions.ConnectionError,
            exceptions.TimeoutError,
            exceptions.ReadOnlyError,
            exceptions.ClusterDownError,
            exceptions.TryAgainError,
            OSError,
        )
        """Another try may help."""
        self.refusals: tuple[type[BaseException], ...] = (
            exceptions.AuthenticationError,
            exceptions.AuthorizationError,
            exceptions.RedisError,
        )
        """What is raised else: no further try helps."""

    async def connect(self) -> Scripts:
        options = {
            "socket_connect_timeout": 5.0,
            "socket_timeout": _CALL_SECONDS,
            "health_check_interval": 15,
            "protocol": 2,
            **self._options,
            "decode_responses": False,
        }
        pool = self._client.BlockingConnectionPool.from_url(
            self._url, max_connections=_CONNECTIONS + 1, timeout=_CALL_SECONDS, **options
        )
        return Scripts(self._client.Redis(connection_pool=pool))

    async def disconnect(self, scripts: Scripts) -> None:
        await scripts.redis.aclose()
        await scripts.redis.connection_pool.disconnect()
