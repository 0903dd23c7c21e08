"""Moderation in a session: a cut that closes the socket, async checks, errors without an observer."""

import asyncio
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.errors import ModerationError
from rxstream.moderation import Blocklist, Verdict, Window
from rxstream.operators import debounce_moderation
from rxstream.testing import LocalServer, answers
from tests.operators._sessions import PROSE, Ended, in_session
from tests.session._modes import modes
from tests.waiting import BOUND


@modes
def test_a_cut_closes_the_socket_of_the_stream(mode: str):
    with LocalServer([answers.endless(" and", pace=500)]) as server:
        heard = Ended()
        count = 0

        def third(window: Window) -> bool:
            nonlocal count
            count += 1
            return count == 3

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            heard.subscribe(answer.pipe(debounce_moderation(third, first_chars=20, max_chars=20)))

        in_session(mode, server, body)
        (exchange,) = server.wait_closed(1, BOUND)
        assert exchange.closed_by_client
        assert heard.types()[-1] == "response.incomplete"
        assert heard.error is None
        assert heard.text in (" and" * 10)[:41]
        snapshots: list[Any] = []
        reactivex.from_iterable(heard.events).pipe(rxs.snapshots()).subscribe(snapshots.append)
        assert snapshots[-1].response.output_text == heard.text
        assert snapshots[-1].response.status == "incomplete"


@modes
def test_a_moderated_stream_over_http_is_a_whole_response(mode: str):
    with LocalServer([answers.text(PROSE + "my password is hunter2, keep it.", split=5)]) as server:
        heard = Ended()

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            heard.subscribe(answer.pipe(debounce_moderation(Blocklist(["hunter2"]), on_flag="replace")))

        in_session(mode, server, body)
        assert heard.error is None
        assert heard.text == PROSE + "my password is [removed], keep it."
        assert heard.events[-1].response.output_text == heard.text
        assert not any("hunter2" in event.model_dump_json() for event in heard.events)


@modes
def test_an_async_check_runs_in_the_session(mode: str):
    with LocalServer([answers.text(PROSE, split=7)]) as server:
        heard = Ended()

        async def check(window: Window) -> Verdict:
            await anyio.sleep(0.01)
            return Verdict("Smith" in window.text)

        def body(session: Any) -> None:
            heard.subscribe(
                session.response(model="m", input="hi").pipe(debounce_moderation(check, on_flag="error", timeout=60))
            )

        in_session(mode, server, body)
        assert isinstance(heard.error, ModerationError)
        assert "Smith" not in heard.text


@modes
def test_a_dispose_during_a_check_leaves_no_task(mode: str):
    with LocalServer([answers.text(PROSE, split=7)]) as server:
        heard = Ended()
        cancelled: list[bool] = []
        subscriptions: list[Any] = []

        async def check(window: Window) -> bool:
            try:
                subscriptions[0].dispose()
                await anyio.sleep(30)
            finally:
                cancelled.append(True)
            return False

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            subscriptions.append(heard.subscribe(answer.pipe(debounce_moderation(check, in_flight=1, timeout=60))))

        in_session(mode, server, body)
        assert cancelled == [True]
        assert not heard.text
        assert not heard.over.is_set()


async def _passes_later(window: Window) -> bool:
    await anyio.sleep(0.02)
    return False


async def _flags_later(window: Window) -> bool:
    await anyio.sleep(0.02)
    return True


@modes
@pytest.mark.parametrize("check", [lambda window: True, _flags_later])
def test_an_unhandled_error_is_raised_when_the_session_closes(mode: str, check: Any):
    with LocalServer([answers.text(PROSE, split=7)]) as server:

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            answer.pipe(debounce_moderation(check, on_flag="error", timeout=60)).subscribe()

        with pytest.raises(ModerationError):
            in_session(mode, server, body)


@modes
@pytest.mark.parametrize("check", [lambda window: False, _passes_later])
@pytest.mark.parametrize("handled", [True, False])
def test_an_exception_of_an_observer_is_not_swallowed(mode: str, check: Any, handled: bool):
    def broken(event: Any) -> None:
        if event.type == "response.output_text.delta":
            raise LookupError("the observer is broken")

    for answer in (answers.text(PROSE, split=7), answers.text("short"), answers.endless(pace=200)):
        with LocalServer([answer]) as server:
            heard: list[Exception] = []

            def body(session: Any, heard: list[Exception] = heard) -> None:
                moderated = session.response(model="m", input="hi").pipe(debounce_moderation(check, timeout=60))
                moderated.subscribe(broken, heard.append if handled else None)

            if handled:
                in_session(mode, server, body)
                assert [type(error) for error in heard] == [LookupError]
            else:
                with pytest.raises(LookupError):
                    in_session(mode, server, body)


@modes
def test_a_check_in_which_something_was_cancelled_is_a_failed_check(mode: str):
    """It does not end the session, and nothing of the text is shown."""

    async def check(window: Window) -> bool:
        raise asyncio.CancelledError(window.text)

    with LocalServer([answers.text(PROSE, split=7)]) as server:
        heard = Ended()
        after: list[bool] = []

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            heard.subscribe(answer.pipe(debounce_moderation(check, retries=0, timeout=60)))
            after.append(True)

        in_session(mode, server, body)
        assert after == [True]
        assert heard.error is None
        assert heard.text == ""
        assert [event.cause for event in heard.events if event.type == "rxstream.moderation.flagged"] == ["check_error"]


@modes
@pytest.mark.parametrize("moderation", ["hold", "bounded", "optimistic"])
def test_a_stream_that_was_disposed_during_an_async_check_can_be_subscribed_to_again(mode: str, moderation: Any):
    """The second subscription has a request, lanes and checks of its own, and gets the whole text."""
    heard = [Ended(), Ended()]
    subscriptions: list[Any] = []
    sources: list[Any] = []
    cancelled: list[bool] = []

    async def check(window: Window) -> bool:
        while not subscriptions:
            await anyio.lowlevel.checkpoint()
        if len(subscriptions) == 2:
            await anyio.sleep(0.001)
            return False
        subscriptions[0].dispose()
        subscriptions.append(heard[1].subscribe(sources[0]))
        try:
            await anyio.sleep(30)
        finally:
            cancelled.append(True)
        return True

    with LocalServer([answers.text(PROSE, split=7), answers.text(PROSE, split=7)]) as server:

        def body(session: Any) -> None:
            moderate = debounce_moderation(check, mode=moderation, in_flight=1, timeout=60)
            sources.append(session.response(model="m", input="hi").pipe(moderate))
            subscriptions.append(heard[0].subscribe(sources[0]))

        in_session(mode, server, body)
    assert cancelled == [True]
    assert not heard[0].over.is_set()
    assert heard[1].text == PROSE
    assert heard[1].events[-1].type == "response.completed"
    assert not any(event.type.startswith("rxstream.") for event in heard[1].events)
