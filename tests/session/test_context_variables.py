"""The context variables of the subscriber reach all that is called for its subscription, on whatever thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import reactivex
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from tests.session._modes import in_session, modes, options_for

USER: ContextVar[str] = ContextVar("user", default="nobody")

Subscribe = Callable[[rxstream.Session, Callable[[], None]], object]


def on_next(session: rxstream.Session, note: Callable[[], None]) -> object:
    return session.response(model="m", input="Hi").subscribe(lambda event: note())


def on_completed(session: rxstream.Session, note: Callable[[], None]) -> object:
    return session.response(model="m", input="Hi").subscribe(on_completed=note)


def map_async(session: rxstream.Session, note: Callable[[], None]) -> object:
    async def call(event: object) -> None:
        await anyio.lowlevel.checkpoint()
        note()

    return session.response(model="m", input="Hi").pipe(rxs.map_async(call, max_in_flight=3)).subscribe()


def handlers(session: rxstream.Session, note: Callable[[], None]) -> object:
    mine = rxstream.Handlers()

    @mine.on("*")
    def plain(event: object) -> None:
        note()

    @mine.on("*")
    async def waiting(event: object) -> None:
        await anyio.lowlevel.checkpoint()
        note()

    return session.response(model="m", input="Hi").subscribe(mine)


def rx_timers(session: rxstream.Session, note: Callable[[], None]) -> object:
    return reactivex.timer(0.001, scheduler=session.scheduler).subscribe(lambda _: note())


def own_timers(session: rxstream.Session, note: Callable[[], None]) -> object:
    return (
        session.response(model="m", input="Hi").pipe(rxs.text_only(), rxs.pace(rate=10_000)).subscribe(lambda _: note())
    )


def spawn(session: rxstream.Session, note: Callable[[], None]) -> object:
    async def job() -> None:
        note()

    return session.spawn(job)


def sync_source(session: rxstream.Session, note: Callable[[], None]) -> object:
    def pieces() -> Iterator[dict[str, Any]]:
        note()
        yield {"type": "response.completed", "response": {}}

    return rxstream.from_iterable(pieces()).subscribe()


def merged(session: rxstream.Session, note: Callable[[], None]) -> object:
    inner = session.response(model="m", input="Hi")
    return reactivex.of(inner, inner).pipe(ops.merge_all()).subscribe(lambda event: note())


WAYS = [on_next, on_completed, map_async, handlers, rx_timers, own_timers, spawn, sync_source, merged]


@modes
@pytest.mark.parametrize("other_thread", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_each_subscription_has_the_variables_of_its_subscriber(mode: str, way: Subscribe, other_thread: bool) -> None:
    seen: dict[str, set[str]] = {"ann": set(), "ben": set()}

    def body(session: rxstream.Session) -> None:
        def subscribe(name: str) -> None:
            USER.set(name)
            way(session, lambda: seen[name].add(USER.get()))

        for name in seen:
            if other_thread:  # operators find the session by a variable too
                thread = threading.Thread(target=copy_context().run, args=(subscribe, name))
                thread.start()
                thread.join()
            else:
                subscribe(name)
        USER.set("nobody")

    with LocalServer([answers.text("one two")]) as server:
        in_session(mode, body, **options_for(server))
    assert seen == {"ann": {"ann"}, "ben": {"ben"}}


def test_a_with_block_inside_trio_still_runs_on_asyncio() -> None:
    """The variable that names the async library is the one that does not follow the subscriber."""
    seen: list[str] = []

    async def main() -> None:
        USER.set("ann")
        with LocalServer([answers.text("Hi")]) as server, rxstream.Session(**options_for(server)) as session:
            handlers(session, lambda: seen.append(USER.get()))

    anyio.run(main, backend="trio")
    assert set(seen) == {"ann"}
