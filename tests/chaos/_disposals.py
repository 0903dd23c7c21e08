"""Streams that are disposed at a random moment, and what has to hold then."""

from __future__ import annotations

import gc
import math
import sys
import time
import warnings
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
from reactivex import operators as ops
from reactivex.abc import DisposableBase

import rxstream
from rxstream.testing import LocalServer, answers
from tests.chaos._environments import in_environment, nothing_left, open_descriptors
from tests.chaos._faults import BEGUN, FRAMES, drip, raw, stream
from tests.chaos._server import FaultServer, Send, chunk, fault_server, head, message, reply
from tests.chaos._socket_faults import BEGUN as BEGUN_MESSAGES
from tests.chaos._socket_faults import WHOLE, closing, socket
from tests.session._modes import Heard
from tests.transport.http._peer import Peer
from tests.waiting import BOUND, until

LATER = {"retry_after": "60", "content_type": "application/json"}


async def endless(peer: Peer, number: int) -> None:
    await peer.send(head(), chunk(BEGUN))
    while not peer.closed.is_set():
        await peer.send(chunk(b'data: {"type":"slug:more"}\n\n') * 20)
        await anyio.lowlevel.checkpoint()


async def cut_and_refused(peer: Peer, number: int) -> None:
    """Its stream is lost, and cannot be resumed yet."""
    if peer.method == "POST":
        await peer.send(head(), chunk(BEGUN))
    else:
        await peer.send(reply("503 X", b"{}", **LATER))


OVER_HTTP: dict[str, Send] = {
    "endless": endless,
    "silent": raw(b"", hang=True).send,
    "a slow head": drip("HTTP/1.1 200 OK\r\n", "x-a: b\r\n").send,
    "silent after events": stream(BEGUN, hang=True).send,
    "slow": drip(head().encode() + chunk(BEGUN), chunk(b": ping\n\n")).send,
    "a large request": raw(b"", hang=True).send,
    "a back-off": raw(reply("503 X", b"{}", **LATER)).send,
    "a wait for resuming": cut_and_refused,
    "whole": stream(FRAMES).send,
    "whole, with an open connection": stream(FRAMES, hang=True).send,
}
OVER_WEBSOCKET: dict[str, Send] = {
    "endless": socket(BEGUN_MESSAGES, again=message(b'{"type":"slug:more"}') * 20).send,
    "silent": raw(b"", hang=True).send,
    "silent after the upgrade": socket(b"", hang=True).send,
    "silent after events": socket(BEGUN_MESSAGES, hang=True).send,
    "a large request": socket(b"", hang=True).send,
    "whole": socket(WHOLE + closing(1000)).send,
}


@contextmanager
def warnings_raised(found: list[str]) -> Generator[None]:
    """Collect what is warned of, also of what is collected as garbage."""

    def note(unraisable: Any) -> None:
        found.append(f"{unraisable.err_msg}: {unraisable.exc_value!r} in {unraisable.object!r}")

    hook, sys.unraisablehook = sys.unraisablehook, note
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
            gc.collect()
    finally:
        sys.unraisablehook = hook


class Moments:
    """Random moments, one after the other, in one session."""

    def __init__(self, seed: int, server: FaultServer, kinds: dict[str, Send]) -> None:
        self._random = Random(seed)
        self._server = server
        self._kinds = [*kinds]
        self.wrong: list[str] = []
        self.slowest = 0.0
        """Seconds, at most, until the server saw the close."""

    async def run(self, session: rxstream.Session, count: int) -> None:
        subscribed: Counter[str] = Counter()
        for place in range(count):
            kind = self._kinds[place % len(self._kinds)]
            await self._once(session, kind, place)
            subscribed[kind] += 1
        for (kind, method), number in self._server.requests.items():
            if number > subscribed[kind]:
                self.wrong.append(f"{kind}: {number} times {method} for {subscribed[kind]} subscriptions")

    async def _once(self, session: rxstream.Session, kind: str, place: int) -> None:
        random, server = self._random, self._server
        heard = Heard()
        is_large, is_resumed = kind == "a large request", kind == "a wait for resuming"
        request: dict[str, Any] = {"input": "x" * (5_000_000 if is_large else 10), "extra_headers": {"x-fault": kind}}
        running: DisposableBase = heard.subscribe(session.response(model="m", resume=is_resumed, **request))
        if random.random() < 0.5:
            for _ in range(int(math.exp(random.uniform(0, 6)))):
                await anyio.lowlevel.checkpoint()
        else:
            with anyio.move_on_after(0.1):  # it may send nothing
                await until(lambda: len(heard.values) >= 1)
            await anyio.sleep(random.uniform(0, 0.02))
        running.dispose()
        events, disposed = len(heard.values), time.monotonic()
        completed = heard.completions
        await until(lambda: server.connections == 0 or completed)
        if not completed:
            self.slowest = max(self.slowest, time.monotonic() - disposed)
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        if len(heard.values) != events or heard.completions != completed or heard.errors:
            self.wrong.append(f"{kind}, moment {place}: notified after dispose() had returned ({heard.errors})")


def disposed_at_random(environment: str, count: int, seed: int) -> tuple[list[str], float]:
    """What is wrong, and how many seconds it took at most until the server saw the close."""
    is_websocket = environment.endswith("websocket")
    kinds = OVER_WEBSOCKET if is_websocket else OVER_HTTP
    found: list[str] = []
    with warnings_raised(found), nothing_left(), fault_server(kinds) as server:
        moments = Moments(seed, server, kinds)

        def body(session: rxstream.Session) -> None:
            session.spawn(lambda: moments.run(session, count))

        options: dict[str, Any] = {"transport": "websocket"} if is_websocket else {}
        in_environment(environment, server.base_url, body, max_retries=2, **options)
        server.wait_closed()
    return found + moments.wrong, moments.slowest


# ---------------------------------------------------------------------- cycles


class _Mine(Exception):
    pass


def _raise(event: object) -> None:
    raise _Mine


def cycles(environment: str, count: int) -> tuple[list[str], int, int]:
    """Subscribe and end in many ways. What is wrong; by how many descriptors and bytes of memory the process grew."""
    found: list[str] = []
    options: dict[str, Any] = {"transport": "websocket"} if environment.endswith("websocket") else {}
    grown = memory = 0

    async def run(session: rxstream.Session) -> None:
        nonlocal grown, memory
        for number in range(count):
            if number == min(count // 10, 100):  # what is made on first use
                gc.collect()
                grown, memory = open_descriptors(), _resident()
            await _end_somehow(session, number)
        gc.collect()
        grown, memory = open_descriptors() - grown, _resident() - memory

    with warnings_raised(found), nothing_left(), LocalServer([answers.text("one two three")], log_limit=10) as server:
        in_environment(environment, server.base_url, lambda session: session.spawn(lambda: run(session)), **options)
    return found, grown, memory


async def _end_somehow(session: rxstream.Session, number: int) -> None:
    answer = session.response(model="m", input="Hi")
    over = anyio.Event()
    end: Any = lambda *_: over.set()  # noqa: E731
    if number % 5 == 0:
        answer.pipe(ops.take(1)).subscribe(on_completed=end)
    elif number % 5 == 1:
        answer.subscribe(_raise, end)
    elif number % 5 == 2:
        answer.pipe(ops.timeout(60, scheduler=session.scheduler)).subscribe(on_completed=end)
    elif number % 5 == 3:
        running = answer.subscribe(end)
        with anyio.fail_after(BOUND):
            await over.wait()
        running.dispose()
    else:
        answer.subscribe(on_completed=end)
    with anyio.fail_after(BOUND):
        await over.wait()


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
