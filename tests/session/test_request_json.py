"""`request_json` belongs to its session: it runs on its loop, is waited for, and ends with it."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import pytest

import rxstream
from rxstream.errors import DisconnectedError, StatusError
from rxstream.testing import LocalServer, answers
from rxstream.transport import HttpTransport
from tests.session._modes import in_session, modes, options_for

BODY = {"input": ["fine", "dreadful"]}


def flags(answer: Any) -> list[bool]:
    return [result["flagged"] for result in answer["results"]]


@modes
def test_on_the_session_s_own_loop(mode: str) -> None:
    seen: list[list[bool]] = []

    def body(session: rxstream.Session) -> None:
        async def job() -> None:
            seen.append(flags(await session.request_json("POST", "/moderations", BODY)))

        session.spawn(job)

    with LocalServer(moderation=["dreadful"]) as server:
        in_session(mode, body, **options_for(server))
    assert seen == [[False, True]]


@pytest.mark.anyio
async def test_on_another_loop() -> None:
    """A session of `with` has a loop of its own, and its connections live there."""
    with LocalServer(moderation=["dreadful"]) as server:
        with rxstream.Session(**options_for(server)) as session:
            for _ in range(2):
                assert flags(await session.request_json("POST", "/moderations", BODY)) == [False, True]
            with pytest.raises(StatusError):
                await session.request_json("POST", "/nothing", BODY)
        assert {exchange.connection for exchange in server.log} == {1}


def test_from_a_thread_with_a_loop_of_its_own() -> None:
    seen: list[list[bool]] = []

    def body(session: rxstream.Session) -> None:
        async def ask() -> None:
            seen.append(flags(await session.request_json("POST", "/moderations", BODY)))

        thread = threading.Thread(target=anyio.run, args=(ask,))
        thread.start()
        thread.join()

    with LocalServer(moderation=["dreadful"]) as server:
        in_session("with", body, **options_for(server))
    assert seen == [[False, True]]


@modes
def test_a_session_that_is_closed_refuses(mode: str) -> None:
    kept: list[rxstream.Session] = []
    with LocalServer() as server:
        in_session(mode, kept.append, **options_for(server))

        async def ask() -> None:
            with pytest.raises(RuntimeError, match="not open"):
                await kept[0].request_json("POST", "/moderations", BODY)

        anyio.run(ask, backend="asyncio" if mode == "with" else mode)
        assert not server.log


@pytest.mark.anyio
async def test_leaving_by_an_error_ends_it() -> None:
    errors: list[Exception] = []
    with LocalServer([answers.silent()]) as server:
        async with anyio.create_task_group() as tasks:
            with pytest.raises(KeyError), rxstream.Session(**options_for(server)) as session:

                async def ask() -> None:
                    try:
                        await session.request_json("POST", "/responses", {"model": "m", "input": "Hi", "stream": True})
                    except DisconnectedError as error:
                        errors.append(error)

                tasks.start_soon(ask)
                await server.until_requests()
                raise KeyError("mine")
        await server.until_closed()
    assert "session was left" in str(errors[0])


@pytest.mark.anyio
async def test_giving_it_up_closes_its_connection() -> None:
    with LocalServer([answers.silent()]) as server, rxstream.Session(**options_for(server)) as session:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.request_json, "POST", "/responses", {"model": "m", "input": "Hi", "stream": True})
            await server.until_requests()
            tasks.cancel_scope.cancel()
        await server.until_closed()


@modes
def test_it_goes_where_the_transport_goes(mode: str) -> None:
    seen: list[list[bool]] = []

    def body(session: rxstream.Session) -> None:
        async def job() -> None:
            seen.append(flags(await session.request_json("POST", "/moderations", BODY)))
            await transport.aclose()

        session.spawn(job)

    with LocalServer(moderation=["dreadful"]) as server:
        transport = HttpTransport(base_url=server.base_url)
        in_session(mode, body, transport=transport, base_url="http://127.0.0.1:9", api_key="")
        assert len(server.log) == 1
    assert seen == [[False, True]]
