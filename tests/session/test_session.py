"""What a session promises: nothing stays open, nothing is swallowed, nobody waits for ever."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
from reactivex import operators as ops

import rxstream
from rxstream import errors
from rxstream import operators as rxs
from rxstream.events import ResponseOutputTextDeltaEvent
from rxstream.testing import LocalServer, answers
from tests.session._modes import MODES, Heard, hear, in_session
from tests.waiting import BOUND, until, wait_for

modes = pytest.mark.parametrize("mode", MODES)


class Broken:
    def feed(self, event: object) -> list[object]:
        return [1 // 0]

    def finish(self) -> list[object]:
        return []


class Passing:
    def feed(self, event: object) -> list[object]:
        return [event]

    def finish(self) -> list[object]:
        return []


def options(server: LocalServer) -> dict[str, object]:
    return {"api_key": "sk-canary-0123456789", "base_url": server.base_url, "max_retries": 0}


def open_sockets() -> int:
    return sum(
        1 for name in os.listdir("/proc/self/fd") if os.path.realpath(f"/proc/self/fd/{name}").find("socket:") >= 0
    )


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    gc.collect()
    threads, sockets = set(threading.enumerate()), open_sockets()
    yield
    gc.collect()
    assert set(threading.enumerate()) <= threads
    wait_for(lambda: open_sockets() <= sockets)  # the local server closes its half of a connection a little later


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

        in_session(mode, body, **options(server))
        assert [each.completed() for each in heard] == [True, True]
        assert len(server.log) == 2
        assert server.log[0].json == {"model": "m", "input": "Hi", "stream": True}


def test_a_second_subscription_while_the_first_runs_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    with LocalServer([answers.text("Hi")]) as server, caplog.at_level(logging.WARNING, "rxstream"):

        def body(session: rxstream.Session) -> None:
            answer = session.response(model="m", input="Hi")
            for _ in range(3):
                answer.subscribe(lambda _: None)

        in_session("with", body, **options(server))
    assert [record.name for record in caplog.records] == ["rxstream"]
    assert "rxs.shared()" in caplog.text


def test_extra_fields_pass_through_and_streaming_cannot_be_turned_off() -> None:
    with LocalServer([answers.text("Hi")]) as server:

        def body(session: rxstream.Session) -> None:
            session.response(model="m", future=1, extra_body={"other": 2}).subscribe()  # type: ignore[call-arg]
            with pytest.raises(TypeError, match="stream"):
                session.response(model="m", stream=False)  # type: ignore[arg-type]

        in_session("with", body, **options(server))
        assert server.log[0].json == {"model": "m", "future": 1, "other": 2, "stream": True}


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
            log = await server.until_closed(1)
            assert log[0].closed_by_client
            assert len(heard.values) == count
            assert heard.errors == []
            assert heard.completions == 0

        in_session(mode, body, **options(server))


@modes
def test_take_closes_the_socket(mode: str) -> None:
    with LocalServer([answers.endless()], pace=500) as server:
        heard = hear(mode, server, lambda source: source.pipe(rxs.text_only(), ops.take(2)))
        assert heard.completed()
        assert server.wait_closed(1)[0].closed_by_client


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

        in_session("with", body, **options(server))
        assert len(server.wait_closed(20)) == 20


@modes
def test_dispose_ends_a_back_off(mode: str) -> None:
    with LocalServer([answers.http_error(429, headers={"retry-after": "60"})]) as server:

        def body(session: rxstream.Session) -> None:
            subscription = session.response(model="m", input="Hi").subscribe(lambda _: None)

            async def dispose() -> None:
                await server.until_over(1)
                subscription.dispose()

            session.spawn(dispose)

        in_session(mode, body, **(options(server) | {"max_retries": 2}))
        assert len(server.log) == 1


@modes
def test_leaving_by_an_exception_cancels_and_says_so(mode: str) -> None:
    with LocalServer([answers.endless()], pace=200) as server, nothing_left_behind():
        heard = Heard()

        def body(session: rxstream.Session) -> None:
            heard.subscribe(session.response(model="m", input="Hi"))
            if mode == "with":
                server.wait_requests(1)
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            in_session(mode, body, **options(server))
        if mode == "with":
            assert isinstance(heard.error, errors.DisconnectedError)
            assert server.wait_closed(1)[0].closed_by_client


@pytest.mark.parametrize(("mode", "number"), [("with", 100), ("asyncio", 1000), ("trio", 100)])
def test_a_thousand_subscriptions_leave_nothing_behind(mode: str, number: int) -> None:
    with LocalServer([answers.text("Hi")]) as server:
        hear(mode, server)  # what is imported and built on first use
        with nothing_left_behind():

            async def one_by_one(session: rxstream.Session) -> None:
                for turn in range(number):
                    source = session.response(model="m", input="Hi")
                    await rxstream.result(source.pipe(ops.take(3)) if turn % 2 else source)

            in_session(mode, lambda session: session.spawn(lambda: one_by_one(session)), **options(server))
        assert len(server.log) == number + 1


# ---------------------------------------------------------------------- observers that raise


@modes
def test_an_observer_that_raises_gets_its_error_and_the_socket_closes(mode: str) -> None:
    with LocalServer([answers.endless()], pace=200) as server:
        told: list[Exception] = []
        other = Heard()

        def body(session: rxstream.Session) -> None:
            answer = session.response(model="m", input="Hi")
            answer.pipe(rxs.text_only()).subscribe(lambda text: 1 / 0, told.append)
            other.subscribe(session.response(model="m", input="Hi").pipe(rxs.text_only(), ops.take(20)))

        in_session(mode, body, **options(server))
        assert [type(error) for error in told] == [ZeroDivisionError]
        assert other.completed()
        assert len(server.wait_closed(2)) == 2


@modes
def test_without_on_error_leaving_the_session_raises_it(mode: str) -> None:
    with (
        LocalServer([answers.endless()], pace=200) as server,
        nothing_left_behind(),
        pytest.raises(ZeroDivisionError),
    ):
        in_session(
            mode,
            lambda session: session.response(model="m", input="Hi").subscribe(lambda _: 1 / 0),
            **options(server),
        )


@modes
@pytest.mark.parametrize(
    "broken",
    [
        lambda source: source.pipe(rxs.text_only(), ops.map(lambda _: 1 / 0)),
        lambda source: source.pipe(rxs.lift(Broken)),
        lambda source: source.pipe(rxs.lift(Broken), ops.map(lambda value: value), rxs.lift(Passing)),
        lambda source: source.pipe(rxs.text_only(), ops.do_action(lambda _: 1 / 0)),
    ],
    ids=["rx-map", "a-core", "a-core-in-a-chain", "rx-do_action"],
)
def test_what_an_operator_raises_is_not_swallowed_either(mode: str, broken: Callable[[Any], Any]) -> None:
    """Rx disposes the source before the error has reached it: the session has to notice all the same."""
    with LocalServer([answers.text("Hi")]) as server, pytest.raises(ZeroDivisionError):
        in_session(
            mode,
            lambda session: broken(session.response(model="m", input="Hi")).subscribe(lambda _: None),
            **options(server),
        )


@modes
def test_an_on_error_that_raises_is_not_swallowed(mode: str) -> None:
    with LocalServer([answers.text("Hi")]) as server, pytest.raises(KeyError, match="mine"):

        def complain(error: Exception) -> None:
            raise KeyError("mine")

        in_session(
            mode,
            lambda session: (
                session.response(model="m", input="Hi")
                .pipe(ops.map(lambda _: 1 / 0))
                .subscribe(lambda _: None, complain)
            ),
            **options(server),
        )


@modes
def test_errors_that_nobody_took_are_raised_together(mode: str) -> None:
    with LocalServer([answers.failed(), answers.truncated(answers.text("Hi"), after=2)]) as server:

        def body(session: rxstream.Session) -> None:
            for _ in range(2):
                session.response(model="m", input="Hi").subscribe(lambda _: None)

        with pytest.raises(ExceptionGroup) as raised:
            in_session(mode, body, **options(server))
    assert {type(error) for error in raised.value.exceptions} == {errors.ResponseFailedError, errors.TruncatedError}


@modes
def test_an_on_completed_that_raises_is_not_swallowed(mode: str) -> None:
    with LocalServer([answers.text("Hi")]) as server, pytest.raises(ZeroDivisionError):
        in_session(
            mode,
            lambda session: session.response(model="m", input="Hi").subscribe(on_completed=lambda: 1 / 0),
            **options(server),
        )


# ---------------------------------------------------------------------- retries


@modes
def test_retries_before_the_first_event(mode: str) -> None:
    again = [
        answers.http_error(429, headers={"retry-after-ms": "1"}),
        answers.http_error(500, headers={"retry-after": "0"}),
    ]
    with LocalServer([*again, answers.text("Hi")]) as server:
        heard = hear(mode, server, max_retries=2)
        assert heard.completed()
        assert [exchange.status for exchange in server.log] == [429, 500, 200]
        assert len({str(exchange.json) for exchange in server.log}) == 1


@modes
@pytest.mark.parametrize(
    ("reply", "requests"),
    [
        (answers.http_error(400), 1),
        (answers.http_error(401), 1),
        (answers.http_error(404), 1),
        (answers.http_error(500, headers={"x-should-retry": "false"}), 1),
        (answers.http_error(400, headers={"x-should-retry": "true", "retry-after-ms": "1"}), 3),
        (answers.http_error(503, headers={"retry-after-ms": "1"}), 3),
        (answers.http_error(408, headers={"retry-after-ms": "1"}), 3),
        (answers.http_error(409, headers={"retry-after-ms": "1"}), 3),
        (answers.http_error(429, headers={"retry-after": "3600"}), 1),
    ],
    ids=["400", "401", "404", "told-not-to", "told-to", "503", "408", "409", "asked-to-wait-too-long"],
)
def test_what_is_tried_again(mode: str, reply: object, requests: int) -> None:
    with LocalServer([reply]) as server:  # type: ignore[list-item]
        assert isinstance(hear(mode, server, max_retries=2).error, errors.StatusError)
        assert len(server.log) == requests


@modes
def test_nothing_is_sent_again_once_an_event_has_come(mode: str) -> None:
    with LocalServer([answers.truncated(answers.text("Hi"), after=1)]) as server:
        assert isinstance(hear(mode, server, max_retries=2).error, errors.TruncatedError)
        assert len(server.log) == 1


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

        in_session("with", body, **options(server))
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

        in_session(mode, lambda session: session.spawn(lambda: slow(session)), **options(server))
        assert server.wait_closed(1)[0].closed_by_client


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
            "OPENAI_ORG_ID": "org-1",
            "OPENAI_PROJECT_ID": "proj-1",
        }.items():
            monkeypatch.setenv(name, value)
        with rxstream.Session() as session:
            session.response(model="m", input="Hi").subscribe()
        headers = server.log[0].headers
    assert headers["authorization"] == "Bearer sk-from-env"
    assert headers["openai-organization"] == "org-1"
    assert headers["openai-project"] == "proj-1"
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
            in_session(mode, lambda session: session.spawn(lambda: body(session)), **options(server))
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

        in_session(mode, body, **options(server))
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

        in_session(mode, body, **options(server))
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
        assert server.wait_closed(1)[0].closed_by_client


def test_a_plain_for_loop_is_refused_and_does_not_spin() -> None:
    """Rx's own Observable can be looped over for ever, because it has `__getitem__`."""
    with LocalServer([answers.text("Hi")]) as server, rxstream.Session("sk", base_url=server.base_url) as session:
        answer = session.response(model="m", input="Hi")
        for source in (answer, answer.pipe(rxs.text_only()), answer.pipe(rxs.coalesce(0.1)), answer.pipe(rxs.shared())):
            with pytest.raises(TypeError, match="PushObservable"):
                iter(source)  # type: ignore[call-overload]
        assert server.log == []
