"""The transport alone: limits, pings of ours, and what comes between two responses."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from websockets.sync.server import ServerConnection

from rxstream.errors import DisconnectedError, FrameTooLargeError
from rxstream.testing import LocalServer, answers
from rxstream.transport import HttpTransport, Request
from rxstream.transport.websocket._transport import WebSocketTransport
from tests.session._socket_peer import MESSAGES, send_all, socket_peer
from tests.waiting import BOUND, until

pytestmark = pytest.mark.anyio

REQUEST = Request("POST", "/responses", json={"model": "m", "input": "Hi", "stream": True})


@asynccontextmanager
async def transport_to(base_url: str, **options: Any) -> AsyncGenerator[WebSocketTransport]:
    http = HttpTransport(base_url=base_url, upgrades=True)
    async with anyio.create_task_group() as group:
        transport = WebSocketTransport(http, group.start_soon, **options)
        try:
            with anyio.fail_after(BOUND):
                yield transport
        finally:
            with anyio.CancelScope(shield=True):
                await transport.aclose()
                await http.aclose()
                group.cancel_scope.cancel()


async def read(transport: WebSocketTransport) -> list[str]:
    async with transport.open(REQUEST) as wire:
        return [frame.data async for frames in wire for frame in frames]


async def test_a_message_that_is_too_large() -> None:
    def turn(connection: ServerConnection, request: dict[str, Any]) -> None:
        connection.send('{"type":"x"}')
        connection.send(["x" * 600, "y" * 600])

    with socket_peer(turn) as peer:
        async with transport_to(peer.base_url, max_frame_bytes=1000) as transport, transport.open(REQUEST) as wire:
            batches = aiter(wire)
            assert [frame.data for frame in await anext(batches)] == ['{"type":"x"}']
            with pytest.raises(FrameTooLargeError, match="max_frame_bytes=1000"):
                await anext(batches)


async def test_a_silent_server_that_answers_pings_is_not_given_up() -> None:
    with LocalServer([answers.hang(answers.text("Hi"), 3)]) as server:
        async with transport_to(server.base_url, ping_interval=0.5) as transport, transport.open(REQUEST) as wire:
            count = 0
            with anyio.move_on_after(1.6):
                async for frames in wire:
                    count += len(frames)
            assert count == 3
            assert transport.open_sockets == 1


async def test_a_ping_in_a_pause_is_answered() -> None:
    pongs: list[bool] = []

    def turn(connection: ServerConnection, request: dict[str, Any]) -> None:
        connection.send(MESSAGES[0])
        pongs.append(connection.ping().wait(BOUND))
        for message in MESSAGES[1:]:
            connection.send(message)

    with socket_peer(turn) as peer:
        async with transport_to(peer.base_url, ping_interval=0.05) as transport, transport.open(REQUEST) as wire:
            await until(lambda: pongs)
            assert [frame.data async for frames in wire for frame in frames] == MESSAGES
    assert pongs == [True]


async def test_a_connection_without_pongs_is_given_up() -> None:
    async def swallow(stream: Any) -> None:
        from websockets.server import ServerProtocol

        async with stream:
            protocol = ServerProtocol()
            while not protocol.events_received():
                protocol.receive_data(await stream.receive())
                requests = protocol.events_received()
                if requests:
                    protocol.send_response(protocol.accept(requests[0]))  # type: ignore[arg-type]
                    break
            protocol.send_text(MESSAGES[0].encode())
            for data in protocol.data_to_send():
                await stream.send(data)
            await anyio.sleep_forever()

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, swallow)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with transport_to(f"http://127.0.0.1:{port}/v1", ping_interval=0.1, idle_timeout=BOUND) as transport:
            async with transport.open(REQUEST) as wire:
                batches = aiter(wire)
                await anext(batches)
                with pytest.raises(DisconnectedError, match="ping"):
                    await anext(batches)
            assert transport.open_sockets == 0
        group.cancel_scope.cancel()


async def test_what_comes_between_two_responses_is_no_part_of_the_next() -> None:
    def turn(connection: ServerConnection, request: dict[str, Any]) -> None:
        send_all(connection, request)
        connection.send("[DONE]")
        connection.send('{"type":"late"}')
        assert connection.ping().wait(BOUND)

    with socket_peer(turn) as peer:
        async with transport_to(peer.base_url) as transport:
            for _ in range(3):
                assert await read(transport) == MESSAGES
                await anyio.sleep(0.05)
        assert len(peer.connections) == 1


async def test_many_free_sockets_are_not_all_kept() -> None:
    with LocalServer([answers.text("Hello " * 5)], pace=100) as server:
        async with transport_to(server.base_url) as transport:
            async with anyio.create_task_group() as group:
                for _ in range(30):
                    group.start_soon(read, transport)
            assert transport.open_sockets == 20


async def test_a_response_that_was_not_read_to_its_end_closes_its_socket() -> None:
    with LocalServer() as server:
        async with transport_to(server.base_url) as transport:
            async with transport.open(REQUEST) as wire:
                batches = aiter(wire)
            assert transport.open_sockets == 0
            with pytest.raises(DisconnectedError):
                while True:
                    await anext(batches)


async def test_a_pause_reads_ahead_no_more_than_its_limit() -> None:
    with LocalServer([answers.endless(" and" * 500)]) as server:
        async with transport_to(server.base_url, ping_interval=0.01) as transport, transport.open(REQUEST) as wire:
            batches = aiter(wire)
            await anext(batches)
            socket = next(iter(transport._sockets))
            await until(lambda: socket._waiting > 256 * 1024)
            await anyio.sleep(0.1)
            assert socket._waiting < 1024 * 1024
            assert sum(len(frame.data) for frame in await anext(batches)) > 200 * 1024
