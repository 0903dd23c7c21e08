"""What leaving a session waits for, and what it says of it."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import Any

import pytest
import trio
from reactivex import operators as ops

import rxstream
from rxstream.session._wait_log import WaitLog
from rxstream.testing import LocalServer, answers
from tests.session._modes import hear, in_session, modes


def cancelled(mode: str) -> BaseException:
    """The exception that a task of this mode is cancelled with, made by hand."""
    return asyncio.CancelledError() if mode != "trio" else trio.Cancelled._create(source="unknown")


@modes
def test_a_cancellation_that_an_observer_met_elsewhere_is_a_mistake_like_any_other(mode: str) -> None:
    def meets(_: object) -> None:
        raise cancelled(mode)

    with LocalServer([answers.text("Hi")]) as server:
        heard: list[Exception] = []
        in_session(
            mode,
            lambda session: session.response(model="m", input="Hi").subscribe(meets, heard.append),
            api_key="k",
            base_url=server.base_url,
        )
    assert [type(error) for error in heard] == [RuntimeError]
    assert isinstance(heard[0].__cause__, type(cancelled(mode)))


@modes
def test_a_timer_that_was_disposed_is_forgotten_long_before_it_is_due(mode: str) -> None:
    class Action:
        def __call__(self, *_: object) -> None: ...

    kept: list[weakref.ref[Action]] = []

    def body(session: rxstream.Session) -> None:
        for _ in range(2000):
            action = Action()
            kept.append(weakref.ref(action))
            session.scheduler.schedule_relative(3600.0, action).dispose()

    in_session(mode, body, api_key="k")
    gc.collect()
    assert not [ref for ref in kept if ref() is not None]


@modes
def test_a_timer_that_arms_itself_again_at_once_lets_others_have_their_turn(mode: str) -> None:
    with LocalServer([answers.text("Hi there")]) as server:
        ended: list[str] = []

        def body(session: rxstream.Session) -> None:
            def again(*_: Any) -> None:
                if not ended:
                    session.scheduler.schedule_relative(0.0, again)

            session.scheduler.schedule_relative(0.0, again)
            session.response(model="m", input="Hi").subscribe(on_completed=lambda: ended.append("yes"))

        in_session(mode, body, api_key="k", base_url=server.base_url)
        assert ended == ["yes"]


def test_what_is_waited_for_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rxstream")
    wait_log = WaitLog(patience=5.0)
    for now in range(20):
        wait_log.check(now, {"stream": 1, "timer": 0, "job": 2}, paused=0)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "leaving the session waits for 1 stream and 2 jobs")
    ]


def test_what_may_never_end_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    wait_log = WaitLog(patience=5.0)
    wait_log.check(0.0, {"stream": 1, "timer": 1, "job": 0}, paused=1)
    assert not caplog.records
    wait_log.check(5.0, {"stream": 1, "timer": 1, "job": 0}, paused=1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "1 paused stream and 1 timer, which may never end" in caplog.text


@modes
def test_one_resume_too_many_changes_nothing(mode: str) -> None:
    from rxstream.rx._context import FLOW

    def too_many(_: object) -> None:
        flow = FLOW.get()
        assert flow is not None
        flow.resume()

    with LocalServer([answers.text("a b c")]) as server:
        heard = hear(mode, server, lambda source: source.pipe(ops.do_action(too_many)))
        assert heard.completed()
