"""A transport that was handed over stays its owner's: any number of sessions may use it, and it can be closed."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

import rxstream
from rxstream.testing import LocalServer, answers
from rxstream.transport import HttpTransport, RecordingTransport
from tests.session._modes import Heard, in_session, modes, nothing_left_behind


def hear(mode: str, transport: HttpTransport | RecordingTransport) -> bool:
    heard = Heard()
    in_session(mode, lambda session: heard.subscribe(session.response(model="m", input="Hi")), transport=transport)
    return heard.completed()


@modes
@pytest.mark.parametrize("recorded", [False, True])
def test_one_session_after_another(mode: str, recorded: bool, tmp_path: Path) -> None:
    with LocalServer([answers.text("Hi")]) as server, nothing_left_behind():
        transport: HttpTransport | RecordingTransport = HttpTransport(base_url=server.base_url)
        if recorded:
            transport = RecordingTransport(transport, tmp_path / "tape")

        async def twice_on_one_loop() -> None:
            for _ in range(2):
                heard = Heard()
                async with rxstream.Session(transport=transport) as session:
                    heard.subscribe(session.response(model="m", input="Hi"))
                assert heard.completed()
                await transport.aclose()

        if mode == "with":
            assert hear(mode, transport)
            assert hear(mode, transport)
            anyio.run(transport.aclose)
        else:
            anyio.run(twice_on_one_loop, backend=mode)
        assert len(server.log) == len({exchange.connection for exchange in server.log}) == 2


def test_two_sessions_at_a_time() -> None:
    with LocalServer([answers.text("Hi")]) as server, nothing_left_behind():
        transport = HttpTransport(base_url=server.base_url)
        for _ in range(2):
            outer, inner = Heard(), Heard()
            with rxstream.Session(transport=transport) as first:
                with rxstream.Session(transport=transport) as second:
                    inner.subscribe(second.response(model="m", input="Hi"))
                outer.subscribe(first.response(model="m", input="Hi"))
            assert inner.completed()
            assert outer.completed()


@pytest.mark.anyio
async def test_a_session_on_the_user_s_loop_closes_nothing() -> None:
    with LocalServer([answers.text("Hi")]) as server:
        transport = HttpTransport(base_url=server.base_url)
        for _ in range(2):
            async with rxstream.Session(transport=transport) as session:
                await rxstream.result(session.response(model="m", input="Hi"))
        assert {exchange.connection for exchange in server.log} == {1}
        await transport.aclose()
