"""The three ways to run a session, so that every promise is tested on all of them."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from reactivex import Observable

import rxstream
from rxstream.events import StreamingEvent
from rxstream.testing import LocalServer
from tests.waiting import BOUND, wait_for

MODES = ["with", "asyncio", "trio"]

modes = pytest.mark.parametrize("mode", MODES)


@dataclass
class Heard:
    """What one subscriber was told."""

    values: list[Any] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    completions: int = 0

    def subscribe(self, source: Observable[Any]) -> Any:
        return source.subscribe(self.values.append, self.errors.append, self._complete)

    def _complete(self) -> None:
        self.completions += 1

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.values]

    @property
    def error(self) -> Exception:
        assert len(self.errors) == 1, self.errors
        assert self.completions == 0
        return self.errors[0]

    def completed(self) -> bool:
        assert not self.errors, self.errors
        return self.completions == 1


def in_session(mode: str, body: Callable[[rxstream.Session], object], **options: Any) -> None:
    """Enter a session in one of the three ways, run `body`, leave it."""
    if mode == "with":
        with rxstream.Session(**options) as session:
            body(session)
        return

    async def main() -> None:
        async with rxstream.Session(**options) as session:
            body(session)

    anyio.run(main, backend=mode)


def options_for(server: LocalServer) -> dict[str, Any]:
    return {"api_key": "sk-canary-0123456789", "base_url": server.base_url, "max_retries": 0}


def hear(
    mode: str,
    server: LocalServer,
    build: Callable[[Observable[StreamingEvent]], Observable[Any]] = lambda source: source,
    **options: Any,
) -> Heard:
    """Subscribe to one response and wait for its end."""
    heard = Heard()
    options = options_for(server) | options
    in_session(mode, lambda session: heard.subscribe(build(session.response(model="m", input="Hi"))), **options)
    return heard


def open_sockets() -> int:
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # another thread has closed it meanwhile
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return count


def _is_idle_thread_of_trio(thread: threading.Thread) -> bool:
    """Whether a thread waits for its next job: trio keeps them for ten seconds, under this name."""
    return thread.name.startswith("Trio thread ")


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """No thread and no socket is left of what was done inside."""
    gc.collect()
    threads, sockets = set(threading.enumerate()), open_sockets()
    yield
    gc.collect()
    left = {each for each in threading.enumerate() if not _is_idle_thread_of_trio(each)} - threads
    for thread in left:
        if thread.name == "AnyIO worker thread":
            thread.join(BOUND)  # its loop has told it to stop, and waits for none
    assert not [each for each in left if each.is_alive()]
    wait_for(lambda: open_sockets() <= sockets)  # the local server closes its half of a connection a little later
