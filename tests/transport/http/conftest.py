"""The three clients that a transport is tried with."""

import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any

import pytest

tls = cache(ssl.create_default_context)  # to make one takes longer than most of the tests
Clients = Callable[[], AbstractAsyncContextManager[Any]]


@pytest.fixture(params=["httpx", "httpx2", "aiohttp"])
def clients(request: pytest.FixtureRequest, anyio_backend: str) -> Clients:
    """Makes a client: of httpx, of httpx2, of httpx with aiohttp below it."""
    kind = request.param
    if kind == "aiohttp":
        if anyio_backend == "trio":
            pytest.skip("aiohttp runs on asyncio only")
        httpx = pytest.importorskip("httpx_aiohttp")
        factory = httpx.HttpxAiohttpClient
    else:
        factory = pytest.importorskip(kind).AsyncClient

    @asynccontextmanager
    async def make() -> AsyncGenerator[Any, None]:
        async with factory(trust_env=False, verify=tls()) as client:
            yield client

    return make
