"""Nothing stays open: disposal reaches the socket, and a slow reader the server."""

from __future__ import annotations

import threading
import time

import anyio
import pytest
from reactivex import operators as ops

import rxstream
from rxstream import errors
from rxstream import operators as rxs
from rxstream.events import ResponseOutputTextDeltaEvent
from rxstream.testing import LocalServer, answers
from tests.session._modes import Heard, hear, in_session, modes, nothing_left_behind, options_for
from tests.waiting import BOUND, until, wait_for

# ---------------------------------------------------------------------- disposal


@modes
def test_dispose_in_the_middle_closes_the_socket_at_the_server(mode: str) -> None:
    with LocalServer([answers.endless()], pace=200) as server, nothing_left_behind():
        heard = Heard()
        source_is = threading.Event()

        def body(session: rxstream.Session) -> None:
            subscription = heard.subscribe(
                session.response(model="m", input="Hi").pipe(
                    ops.do_action(lambda event: source_is.set() if event.type.endswith("delta") else None)
                )
            )
            session.spawn(lambda: dispose_soon(subscription))

        async def dispose_soon(subscription: object) -> None:
            await until(source_is.is_set)  # set on another thread in one of the modes
            subscription.dispose()  # type: ignore[attr-defined]
            count = len(heard.values)
            log = await server.until_closed(1, BOUND)
            assert log[0].closed_by_client
            assert len(heard.values) == count
            assert heard.errors == []
            assert heard.completions == 0

        in_session(mode, body, **options_for(server))


@modes
def test_take_closes_the_socket(mode: str) -> None:
    with LocalServer([answers.endless()], pace=500) as server:
        heard = hear(mode, server, lambda source: source.pipe(rxs.text_only(), ops.take(2)))
        assert heard.completed()
        assert server.wait_closed(1, BOUND)[0].closed_by_client


def test_dispose_from_another_thread_lets_nothing_through() -> None:
    with LocalServer([answers.endless()], pace=2000) as server:
        values: list[object] = []

        def body(session: rxstream.Session) -> None:
            for _ in range(20):
                values.clear()
                subscription = session.response(model="m", input="Hi").subscribe(values.append)
                wait_for(lambda: len(values) >= 5)
                subscription.dispose()
                count = len(values)
                time.sleep(0.003)
                assert len(values) == count

        in_session("with", body, **options_for(server))
        assert len(server.wait_closed(20, BOUND)) == 20


@modes
def test_dispose_ends_a_back_off(mode: str) -> None:
    with LocalServer([answers.http_error(429, headers={"retry-after": "60"})]) as server:

        def body(session: rxstream.Session) -> None:
            subscription = session.response(model="m", input="Hi").subscribe(lambda _: None)

            async def dispose() -> None:
                await server.until_over(1, BOUND)
                subscription.dispose()

            session.spawn(dispose)

        in_session(mode, body, **(options_for(server) | {"max_retries": 2}))
        assert len(server.log) == 1


@modes
def test_leaving_by_an_exception_cancels_and_says_so(mode: str) -> None:
    with LocalServer([answers.endless()], pace=200) as server, nothing_left_behind():
        heard = Heard()

        def body(session: rxstream.Session) -> None:
            heard.subscribe(session.response(model="m", input="Hi"))
            if mode == "with":
                server.wait_requests(1, BOUND)
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            in_session(mode, body, **options_for(server))
        if mode == "with":
            assert isinstance(heard.error, errors.DisconnectedError)
            assert server.wait_closed(1, BOUND)[0].closed_by_client


@pytest.mark.parametrize(("mode", "number"), [("with", 100), ("asyncio", 1000), ("trio", 100)])
def test_a_thousand_subscriptions_leave_nothing_behind(mode: str, number: int) -> None:
    with LocalServer([answers.text("Hi")]) as server:
        hear(mode, server)  # what is imported and built on first use
        with nothing_left_behind():

            async def one_by_one(session: rxstream.Session) -> None:
                for turn in range(number):
                    source = session.response(model="m", input="Hi")
                    await rxstream.result(source.pipe(ops.take(3)) if turn % 2 else source)

            in_session(mode, lambda session: session.spawn(lambda: one_by_one(session)), **options_for(server))
        assert len(server.log) == number + 1


# ---------------------------------------------------------------------- backpressure


def test_a_subscriber_that_blocks_stops_the_server() -> None:
    with LocalServer([answers.endless(" and" * 500)]) as server:
        sent: list[int] = []

        def block(event: object) -> None:
            if isinstance(event, ResponseOutputTextDeltaEvent):
                time.sleep(0.5)
                sent.append(server.log[0].bytes_sent)

        def body(session: rxstream.Session) -> None:
            done = threading.Event()
            session.response(model="m", input="Hi").pipe(ops.do_action(block), rxs.text_only(), ops.take(3)).subscribe(
                on_completed=done.set
            )
            assert done.wait(BOUND)

        in_session("with", body, **options_for(server))
        assert sent[-1] < 16 * 2**20


@modes
def test_a_loop_that_does_not_keep_up_pauses_the_source(mode: str) -> None:
    with LocalServer([answers.endless(" and" * 500)]) as server:

        async def slow(session: rxstream.Session) -> None:
            number = 0
            async for _ in rxstream.iterate(session.response(model="m", input="Hi"), buffer=4):
                number += 1
                if number == 50:
                    await anyio.sleep(0.3)
                    assert server.log[0].bytes_sent < 16 * 2**20
                if number == 60:
                    break

        in_session(mode, lambda session: session.spawn(lambda: slow(session)), **options_for(server))
        assert server.wait_closed(1, BOUND)[0].closed_by_client
