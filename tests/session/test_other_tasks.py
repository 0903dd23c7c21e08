"""However much arrives at once, the other tasks of the loop get their turns, and dispose works in between."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections import Counter

import anyio
import anyio.lowlevel
import pytest
from reactivex import operators as ops

import rxstream
from rxstream.sse import Frame
from rxstream.transport import MemoryTransport
from tests.transport.http._peer import CHUNKED, LAST, Peer, serve

pytestmark = pytest.mark.anyio

DELTA = '{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"x"}'


class Turns:
    """Counts the turns of a task that never waits."""

    count = 0

    async def take(self) -> None:
        while True:
            await anyio.lowlevel.checkpoint()
            self.count += 1


async def test_events_that_arrive_together_are_delivered_in_parts() -> None:
    frame = Frame(data=DELTA)
    transport = MemoryTransport([[frame] * 5_000, *[[frame]] * 5_000])
    turns = Turns()
    async with rxstream.Session(transport=transport) as session, anyio.create_task_group() as tasks:
        tasks.start_soon(turns.take)
        seen: list[int] = []
        answer = session.response(model="m", input="Hi").pipe(ops.do_action(lambda _: seen.append(turns.count)))
        with pytest.raises(rxstream.TruncatedError):
            await rxstream.result(answer)
        tasks.cancel_scope.cancel()
    assert len(seen) >= 10_000
    assert max(Counter(seen).values()) <= 1024  # two steps of up to 511: trio runs the tasks of a turn in any order


BOMBS = {
    "events": ("", f"data: {DELTA}\n\n"),
    "unknown events": ("", 'data: {"type":"q"}\n\n'),
    "comments": ("", ": \n"),
    "empty lines": (":", "\n"),
    "data lines": ("", "data: x\n"),
    "one line": ("data: ", "x" * 64),
}
SIZE = 16 * 2**20


@pytest.mark.parametrize("kind", BOMBS)
async def test_a_small_body_that_expands_to_a_huge_one_leaves_turns_and_can_be_disposed(kind: str) -> None:
    start, unit = BOMBS[kind]
    body = gzip.compress((start + unit * (SIZE // len(unit))).encode())

    async def bomb(peer: Peer) -> None:
        await peer.send(CHUNKED.replace("Transfer", "Content-Encoding: gzip\r\nConnection: close\r\nTransfer"))
        await peer.chunk(body)
        await peer.send(LAST)
        await peer.closed.wait()

    values: list[object] = []
    errors: list[Exception] = []
    turns = Turns()
    async with (
        serve(bomb) as server,
        rxstream.Session(api_key="", base_url=server.url) as session,
        anyio.create_task_group() as tasks,
    ):
        subscription = session.response(model="m", input="Hi").subscribe(values.append, errors.append)
        while not server.peers:
            await anyio.lowlevel.checkpoint()
        tasks.start_soon(turns.take)
        while turns.count < 100:
            await anyio.lowlevel.checkpoint()
        assert errors == []  # there are 256 pieces
        subscription.dispose()
        count = len(values)
        await server.peer.closed.wait()
        assert (len(values), errors) == (count, [])
        tasks.cancel_scope.cancel()


PROGRAM = """
import sys
import anyio
import rxstream
from rxstream.events._base import Model
from rxstream.events._parse import _FREQUENT_TYPES, _MODELS

turn = 0
built = []
rebuild = Model.model_rebuild.__func__


def noted(cls, **options):
    built.append(turn)
    return rebuild(cls, **options)


Model.model_rebuild = classmethod(noted)


async def main():
    global turn
    async with rxstream.Session(api_key=""):
        while not all(_MODELS[kind].__pydantic_complete__ for kind in _FREQUENT_TYPES):
            turn += 1
            await anyio.lowlevel.checkpoint()


anyio.run(main, backend=sys.argv[1])
assert len(built) > 20
assert max(map(built.count, built)) <= 2, built  # trio runs the tasks of a turn in any order
"""


def test_the_first_session_builds_one_model_a_turn(anyio_backend: str) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, anyio_backend]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
