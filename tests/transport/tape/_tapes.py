"""What the tests of tapes write and read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from rxstream.sse import Frame
from rxstream.transport import Request, Transport

KEY = "sk-test-canary-1234567890"
REQUEST = Request("POST", "/responses", json={"model": "m-1", "input": "the prompt"}, headers={"Authorization": KEY})
FRAMES = [Frame("response.created", '{"a": "é\u2028"}'), Frame(data="a\nb", id="7", retry=5), Frame("x", "", "7")]


async def play(transport: Transport) -> list[list[Frame]]:
    async with transport.open(REQUEST) as wire:
        return [list(batch) async for batch in wire]


async def times(transport: Transport) -> list[tuple[float, Sequence[Frame]]]:
    """What came, and when, on the loop's own clock, to a hundredth."""
    start = anyio.current_time()
    got: list[tuple[float, Sequence[Frame]]] = []
    async with transport.open(REQUEST) as wire:
        async for batch in wire:
            got.append((round(anyio.current_time() - start, 2), batch))
    return got


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]
