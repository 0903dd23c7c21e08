"""Bounded waits: a test that hangs fails, and a slow machine has its time."""

import time
from collections.abc import Callable

import anyio
import anyio.lowlevel

BOUND = 30.0
"""Seconds after which a test that waits has failed."""


def wait_for(holds: Callable[[], object], bound: float = BOUND) -> None:
    """Block this thread until `holds()`."""
    give_up = time.monotonic() + bound
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.0005)


async def until(holds: Callable[[], object]) -> None:
    """Let the loop run until `holds()`."""
    with anyio.fail_after(BOUND):
        while not holds():  # noqa: ASYNC110
            await anyio.sleep(0.001)


async def settled() -> None:
    """Let everything on the loop run that can."""
    for _ in range(30):
        await anyio.lowlevel.checkpoint()
