"""Where a stream may run: in each mode, over each HTTP client. Nothing is left of it afterwards."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import anyio
import pytest
import trio

import rxstream
from rxstream.transport import HttpTransport
from tests.waiting import wait_for

KEY = "sk-canary-0123456789"

ENVIRONMENTS = ["with aiohttp", "with httpx", "asyncio aiohttp", "asyncio httpx", "trio httpx"]
environments = pytest.mark.parametrize(
    "environment",
    [
        pytest.param(
            name, marks=pytest.mark.skipif("aiohttp" in name and not find_spec("httpx_aiohttp"), reason="extra")
        )
        for name in ENVIRONMENTS
    ],
)


def in_environment(environment: str, base_url: str, body: Callable[[rxstream.Session], object], **options: Any) -> None:
    """Enter a session, run `body`, leave it. No task of the loop is left."""
    mode, client = environment.split()
    transport: HttpTransport | None = None
    options = {"api_key": KEY, "base_url": base_url, "max_retries": 0, "total_timeout": 100.0, **options}
    if client == "httpx" and "transport" not in options:  # of httpx alone, as it is for WebSockets
        transport = HttpTransport(
            base_url=base_url, api_key=KEY, idle_timeout=options.get("idle_timeout"), upgrades=True
        )
        options["transport"] = transport
    if mode == "with":
        with rxstream.Session(**options) as session:
            body(session)
        return

    async def main() -> None:
        before = _tasks()
        async with rxstream.Session(**options) as session:
            body(session)
        if transport is not None:
            await transport.aclose()
        with anyio.fail_after(30):
            while _tasks() > before:  # noqa: ASYNC110
                await anyio.sleep(0.001)  # aiohttp closes TLS and DNS in tasks of its own

    anyio.run(main, backend=mode)


def _tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return trio.lowlevel.current_statistics().tasks_living


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def nothing_left() -> Generator[None]:
    """No descriptor and no thread is left. What was not closed warns when it is collected, and that is an error."""
    gc.collect()
    threads, descriptors = set(threading.enumerate()), open_descriptors()
    yield
    gc.collect()
    wait_for(lambda: set(threading.enumerate()) <= threads)
    wait_for(lambda: open_descriptors() <= descriptors)
