"""Frames from memory."""

import anyio
import pytest

from rxstream.errors import ConnectError, DisconnectedError
from rxstream.sse import Frame
from rxstream.transport import MemoryTransport, Request, Transport

pytestmark = pytest.mark.anyio

REQUEST = Request("POST", "/responses", json={})
A, B, C = Frame(data="a"), Frame("b", "b"), Frame(data="c")


async def batches(transport: Transport) -> list[list[Frame]]:
    async with transport.open(REQUEST) as wire:
        return [list(batch) async for batch in wire]


async def test_frames_come_one_by_one() -> None:
    assert await batches(MemoryTransport([A, B])) == [[A], [B]]


async def test_sequences_come_together() -> None:
    assert await batches(MemoryTransport([[A, B], [], (C,)])) == [[A, B], [C]]


async def test_bytes_are_decoded() -> None:
    assert await batches(MemoryTransport(b"data: a\n\nevent: b\ndata: b\n\ndata: c\n\n")) == [[A, B, C]]
    assert await batches(MemoryTransport([b"data: a\n", b"\nevent: b\nda", b"ta: b\n\ndata: c\n\n"])) == [[A], [B, C]]
    assert await batches(MemoryTransport(b"")) == []


async def test_a_last_frame_without_its_blank_line_counts_if_it_is_whole() -> None:
    assert await batches(MemoryTransport(b"data: a\n\ndata: {}")) == [[A], [Frame(data="{}")]]
    assert await batches(MemoryTransport(b'data: a\n\ndata: {"a":')) == [[A]]


async def test_every_request_is_answered_and_remembered() -> None:
    transport = MemoryTransport(iter([A, B]), request_id="req_1")
    for _ in range(2):
        async with transport.open(REQUEST) as wire:
            assert wire.request_id == "req_1"
            assert transport.open_wires == 1
            assert [frame async for batch in wire for frame in batch] == [A, B]
    assert transport.requests == [REQUEST, REQUEST]
    assert transport.open_wires == 0


async def test_an_error_after_some_frames() -> None:
    seen: list[Frame] = []

    async def read(transport: MemoryTransport) -> None:
        async with transport.open(REQUEST) as wire:
            async for batch in wire:
                seen.extend(batch)

    cut = DisconnectedError("cut")
    for after, expected in ((None, [A, B, C]), (5, [A, B, C]), (3, [A, B, C]), (2, [A, B]), (1, [A])):
        seen.clear()
        with pytest.raises(DisconnectedError, match="cut") as caught:
            await read(MemoryTransport([[A, B], C], error=cut, after=after))
        assert seen == expected
        assert caught.value is not cut


async def test_no_wire_at_all() -> None:
    transport = MemoryTransport([A], error=ConnectError("no"), after=0, times=1)
    with pytest.raises(ConnectError):
        await batches(transport)
    assert transport.open_wires == 0
    assert await batches(transport) == [[A]]


async def test_leaving_early_closes() -> None:
    transport = MemoryTransport([A, B])
    async with transport.open(REQUEST) as wire:
        async for _ in wire:
            break
    assert transport.open_wires == 0
    with anyio.CancelScope() as scope:
        async with transport.open(REQUEST) as wire:
            scope.cancel()
            async for _ in wire:
                pytest.fail("cancelled")
    assert transport.open_wires == 0


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        MemoryTransport([], after=-1)
