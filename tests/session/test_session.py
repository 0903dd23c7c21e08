"""What a session promises: a request for each subscription, its use and its misuse."""

from __future__ import annotations

import gc
import logging
import signal
import subprocess
import sys
import threading

import pytest
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from tests.session._modes import Heard, hear, in_session, modes, options_for
from tests.waiting import BOUND

# ---------------------------------------------------------------------- cold


@modes
def test_nothing_is_sent_before_a_subscription_and_each_sends_one_request(mode: str) -> None:
    with LocalServer([answers.text("Hi")]) as server:
        heard = [Heard(), Heard()]

        def body(session: rxstream.Session) -> None:
            answer = session.response(model="m", input="Hi")
            assert server.log == []
            for each in heard:
                each.subscribe(answer)

        in_session(mode, body, **options_for(server))
        assert [each.completed() for each in heard] == [True, True]
        assert len(server.log) == 2
        assert server.log[0].json == {"model": "m", "input": "Hi", "stream": True}


def test_a_second_subscription_while_the_first_runs_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    with LocalServer([answers.text("Hi")]) as server, caplog.at_level(logging.WARNING, "rxstream"):

        def body(session: rxstream.Session) -> None:
            answer = session.response(model="m", input="Hi")
            for _ in range(3):
                answer.subscribe(lambda _: None)

        in_session("with", body, **options_for(server))
    assert [record.name for record in caplog.records] == ["rxstream"]
    assert "rxs.shared()" in caplog.text


def test_extra_fields_pass_through_and_streaming_cannot_be_turned_off() -> None:
    with LocalServer([answers.text("Hi")]) as server:

        def body(session: rxstream.Session) -> None:
            session.response(model="m", future=1, extra_body={"other": 2}).subscribe()  # type: ignore[call-arg]
            with pytest.raises(TypeError, match="stream"):
                session.response(model="m", stream=False)  # type: ignore[arg-type]

        in_session("with", body, **options_for(server))
        assert server.log[0].json == {"model": "m", "future": 1, "other": 2, "stream": True}


# ---------------------------------------------------------------------- use and misuse


def test_a_key_is_needed_for_the_official_address_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        rxstream.Session().response(model="m", input="Hi")
    with LocalServer([answers.text("Hi")]) as server:
        assert hear("with", server, api_key=None).completed()
        assert "authorization" not in server.log[0].headers


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalServer([answers.text("Hi")]) as server:
        for name, value in {
            "OPENAI_API_KEY": "sk-from-env",
            "OPENAI_BASE_URL": server.base_url + "/",
        }.items():
            monkeypatch.setenv(name, value)
        with rxstream.Session() as session:
            session.response(model="m", input="Hi").subscribe()
        headers = server.log[0].headers
    assert headers["authorization"] == "Bearer sk-from-env"
    assert headers["accept"] == "text/event-stream"


def test_a_session_that_is_not_open_says_what_to_do() -> None:
    session = rxstream.Session("sk-canary-0123456789")
    told: list[Exception] = []
    session.response(model="m", input="Hi").subscribe(on_error=told.append)
    assert "with Session()" in str(told[0])


def test_subscribing_after_the_end_says_what_to_do() -> None:
    with LocalServer([answers.text("Hi")]) as server:
        with rxstream.Session("sk", base_url=server.base_url) as session:
            answer = session.response(model="m", input="Hi")
        with pytest.raises(RuntimeError, match="not open"):
            answer.subscribe()


@modes
def test_what_outlives_the_session_may_be_let_go_of_later(mode: str) -> None:
    """A loop that was paused, its buffer full, when the session was left by an exception."""
    with LocalServer([answers.endless(pace=500)]) as server:
        loops: list[object] = []

        async def body(session: rxstream.Session) -> None:
            loop = aiter(rxstream.iterate(session.response(model="m", input="Hi"), buffer=1))
            loops.append(loop)
            await anext(loop)
            raise KeyError("mine")

        with pytest.raises(KeyError):
            in_session(mode, lambda session: session.spawn(lambda: body(session)), **options_for(server))
        loops.clear()
        gc.collect()


def test_a_session_can_be_entered_again() -> None:
    with LocalServer([answers.text("Hi")]) as server:
        session = rxstream.Session("sk", base_url=server.base_url)
        for _ in range(2):
            heard = Heard()
            with session:
                heard.subscribe(session.response(model="m", input="Hi"))
            assert heard.completed()


@modes
def test_subscribing_from_within_a_subscription(mode: str) -> None:
    """The agent's loop: one response leads to the next."""
    with LocalServer([answers.text("one"), answers.text("two")]) as server:
        said: list[str] = []

        def body(session: rxstream.Session) -> None:
            first = session.response(model="m", input="Hi").pipe(rxs.text_only())
            second = session.response(model="m", input="And?").pipe(rxs.text_only())
            first.pipe(ops.flat_map(lambda _: second)).subscribe(said.append)

        in_session(mode, body, **options_for(server))
        assert "".join(said) == "two"


@modes
def test_rx_timers_fire_on_the_sessions_loop(mode: str) -> None:
    with LocalServer([answers.text("Hi")]) as server:
        threads: set[int] = set()

        def body(session: rxstream.Session) -> None:
            session.response(model="m", input="Hi").pipe(
                ops.do_action(lambda _: threads.add(threading.get_ident())),
                ops.delay(0.02, scheduler=session.scheduler),
            ).subscribe(lambda _: threads.add(threading.get_ident()))

        in_session(mode, body, **options_for(server))
        assert len(threads) == 1
        assert (threading.get_ident() in threads) is (mode != "with")


def test_ctrl_c_while_leaving_closes_the_connection() -> None:
    program = (
        "import sys, rxstream\n"
        "with rxstream.Session('sk', base_url=sys.argv[1]) as session:\n"
        "    session.response(model='m', input='Hi').subscribe(lambda event: print('.', flush=True))\n"
    )
    with LocalServer([answers.hang(answers.text("Hi"), after=3)]) as server:
        run = subprocess.Popen(
            [sys.executable, "-c", program, server.base_url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert run.stdout is not None
        assert run.stdout.readline() == ".\n"
        run.send_signal(signal.SIGINT)
        _, complaint = run.communicate(timeout=BOUND)
        assert run.returncode != 0
        assert complaint.rstrip().endswith("KeyboardInterrupt")
        assert server.wait_closed(1, BOUND)[0].closed_by_client


def test_a_plain_for_loop_is_refused_and_does_not_spin() -> None:
    """Rx's own Observable can be looped over for ever, because it has `__getitem__`."""
    with LocalServer([answers.text("Hi")]) as server, rxstream.Session("sk", base_url=server.base_url) as session:
        answer = session.response(model="m", input="Hi")
        for source in (answer, answer.pipe(rxs.text_only()), answer.pipe(rxs.coalesce(0.1)), answer.pipe(rxs.shared())):
            with pytest.raises(TypeError, match="PushObservable"):
                iter(source)  # type: ignore[call-overload]
        assert server.log == []
