"""Any HTTP client of the httpx family carries a session, and stays its owner's."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import httpx2
import pytest
from httpx_aiohttp import HttpxAiohttpClient

import rxstream
from rxstream import operators as rxs
from rxstream.errors import StatusError
from rxstream.testing import LocalServer, answers
from tests.waiting import BOUND

CLIENTS = [
    pytest.param("asyncio", httpx.AsyncClient, id="httpx-asyncio"),
    pytest.param("trio", httpx.AsyncClient, id="httpx-trio"),
    pytest.param("asyncio", httpx2.AsyncClient, id="httpx2-asyncio"),
    pytest.param("trio", httpx2.AsyncClient, id="httpx2-trio"),
    pytest.param("asyncio", HttpxAiohttpClient, id="aiohttp"),
]


@pytest.mark.parametrize(("backend", "make"), CLIENTS)
def test_text_errors_and_disposal(backend: str, make: Any) -> None:
    async def main() -> None:
        with LocalServer(
            [answers.text("Hello there"), answers.http_error(404, message="No such model."), answers.endless(pace=500)]
        ) as server:
            async with make() as client:
                async with rxstream.Session("sk", base_url=server.base_url, http_client=client) as session:
                    answer = session.response(model="m", input="Hi")
                    said = [piece async for piece in rxstream.iterate(answer.pipe(rxs.text_only()))]
                    assert "".join(said) == "Hello there"
                    with pytest.raises(StatusError, match="No such model"):
                        await rxstream.result(answer)
                    async for _ in rxstream.iterate(answer.pipe(rxs.text_only())):
                        break
                    assert (await server.until_closed(1, BOUND))[-1].closed_by_client
                assert not client.is_closed

    anyio.run(main, backend=backend)


@pytest.mark.parametrize(("backend", "make"), CLIENTS)
def test_a_connection_serves_the_next_request_too(backend: str, make: Any) -> None:
    async def main() -> None:
        with LocalServer([answers.text("Hi")]) as server:
            async with (
                make() as client,
                rxstream.Session("sk", base_url=server.base_url, http_client=client) as session,
            ):
                for _ in range(3):
                    await rxstream.result(session.response(model="m", input="Hi"))
            assert {exchange.connection for exchange in server.log} == {1}

    anyio.run(main, backend=backend)
