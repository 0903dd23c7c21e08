"""Sinks hand the session's scheduler upstream, so that Rx's own timed operators keep to the session's one thread."""

from __future__ import annotations

import threading

import anyio
import pytest
from reactivex import Observable
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from tests.waiting import BOUND


def noting(answer: Observable[rxstream.StreamingEvent], threads: set[int]) -> Observable[str]:
    return answer.pipe(
        rxs.text_only(),
        ops.buffer_with_time(0.02),
        ops.do_action(lambda _: threads.add(threading.get_ident())),
        ops.map("".join),
    )


def test_in_a_loop_of_a_plain_session() -> None:
    threads: set[int] = set()
    with (
        LocalServer([answers.text("one two three")], pace=200) as server,
        rxstream.Session("sk", base_url=server.base_url) as session,
    ):
        answer = session.response(model="m", input="Hi")
        assert "".join(rxstream.iterate(noting(answer, threads))) == "one two three"
        assert "".join(rxstream.result(noting(answer, threads).pipe(ops.to_list())).wait(BOUND)) == "one two three"
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


@pytest.mark.anyio
async def test_in_a_loop_of_an_async_session() -> None:
    threads: set[int] = set()
    with LocalServer([answers.text("one two three")], pace=200) as server, anyio.fail_after(BOUND):
        async with rxstream.Session("sk", base_url=server.base_url) as session:
            answer = session.response(model="m", input="Hi")
            pieces = [piece async for piece in rxstream.iterate(noting(answer, threads))]
            assert "".join(pieces) == "one two three"
            assert "".join(await rxstream.result(noting(answer, threads).pipe(ops.to_list()))) == "one two three"
    assert threads == {threading.get_ident()}
