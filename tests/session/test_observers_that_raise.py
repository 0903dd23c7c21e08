"""Nothing is swallowed: what observers and operators raise, and errors that nobody took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from reactivex import operators as ops

import rxstream
from rxstream import errors
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from tests.session._modes import Heard, in_session, modes, nothing_left_behind, options_for
from tests.waiting import BOUND


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


@modes
def test_an_observer_that_raises_gets_its_error_and_the_socket_closes(mode: str) -> None:
    with LocalServer([answers.endless()], pace=200) as server:
        told: list[Exception] = []
        other = Heard()

        def body(session: rxstream.Session) -> None:
            answer = session.response(model="m", input="Hi")
            answer.pipe(rxs.text_only()).subscribe(lambda text: 1 / 0, told.append)
            other.subscribe(session.response(model="m", input="Hi").pipe(rxs.text_only(), ops.take(20)))

        in_session(mode, body, **options_for(server))
        assert [type(error) for error in told] == [ZeroDivisionError]
        assert other.completed()
        assert len(server.wait_closed(2, BOUND)) == 2


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
            **options_for(server),
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
            **options_for(server),
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
            **options_for(server),
        )


@modes
def test_errors_that_nobody_took_are_raised_together(mode: str) -> None:
    with LocalServer([answers.failed(), answers.truncated(answers.text("Hi"), after=2)]) as server:

        def body(session: rxstream.Session) -> None:
            for _ in range(2):
                session.response(model="m", input="Hi").subscribe(lambda _: None)

        with pytest.raises(ExceptionGroup) as raised:
            in_session(mode, body, **options_for(server))
    assert {type(error) for error in raised.value.exceptions} == {errors.ResponseFailedError, errors.TruncatedError}


@modes
def test_an_on_completed_that_raises_is_not_swallowed(mode: str) -> None:
    with LocalServer([answers.text("Hi")]) as server, pytest.raises(ZeroDivisionError):
        in_session(
            mode,
            lambda session: session.response(model="m", input="Hi").subscribe(on_completed=lambda: 1 / 0),
            **options_for(server),
        )
