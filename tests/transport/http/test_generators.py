"""No generator of a client is left to the garbage collector: trio warns of each, and asyncio starts a task for it."""

from __future__ import annotations

import asyncio
import gc
import socket

import anyio
import anyio.lowlevel
import pytest

import rxstream
from rxstream.transport import HttpTransport, Request
from tests.transport.http._peer import CHUNKED, Peer, serve
from tests.transport.http.conftest import Clients, tls

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("pieces", [10, 5_000, 10_000])
async def test_leaving_while_many_pieces_have_already_arrived(clients: Clients, pieces: int) -> None:
    async def send(peer: Peer) -> None:
        await peer.send(CHUNKED, "9\r\ndata: 1\n\n\r\n" + "1\r\n:\r\n" * pieces)
        await peer.closed.wait()

    async with serve(send) as server, clients() as client:
        async with HttpTransport(client, base_url=server.url).open(Request("POST", "/responses", json={})) as wire:
            async for _ in wire:
                break
        with anyio.fail_after(30):
            await server.peer.closed.wait()
        if asyncio.events._get_running_loop() is not None:
            before = asyncio.all_tasks()
            gc.collect()
            assert asyncio.all_tasks() == before
        gc.collect()


@pytest.mark.parametrize("kind", ["httpx", "httpx2"])
async def test_leaving_while_the_request_is_being_sent(kind: str) -> None:
    async with pytest.importorskip(kind).AsyncClient(trust_env=False, verify=tls()) as client:
        with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts, and reads nothing
            transport = HttpTransport(client, base_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
            request = Request("POST", "/responses", json={"input": "x" * 30_000_000})
            async with anyio.create_task_group() as tasks:

                async def send() -> None:
                    async with transport.open(request):
                        pass

                tasks.start_soon(send)
                await anyio.wait_readable(listener)
                server, _ = listener.accept()
                await anyio.wait_readable(server)
                tasks.cancel_scope.cancel()
            server.close()
        gc.collect()


@pytest.mark.parametrize(("prompt", "pieces"), [(10, 2_000), (5_000_000, 10)], ids=["many pieces", "a large request"])
async def test_a_session_that_disposes_at_any_moment(prompt: int, pieces: int) -> None:
    async def send(peer: Peer) -> None:
        await peer.send(CHUNKED, "9\r\ndata: 1\n\n\r\n" + "1\r\n:\r\n" * pieces)
        await peer.closed.wait()

    async with serve(send) as server:
        for turns in range(1, 60, 5):
            async with rxstream.Session(api_key="", base_url=server.url) as session:
                answer = session.response(model="m", input="x" * prompt)
                subscription = answer.subscribe(lambda _: None, lambda _: None)
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                subscription.dispose()
            gc.collect()
