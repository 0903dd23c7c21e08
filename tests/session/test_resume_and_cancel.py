"""`session.resume`, `session.cancel`, `cancel_remote=True`, and what is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from reactivex.disposable import SerialDisposable

import rxstream
from rxstream import errors
from rxstream.testing import LocalServer, answers
from rxstream.transport import HttpTransport
from tests.session._modes import Heard, in_session, modes, nothing_left_behind, options_for
from tests.session.test_resuming import ID, SENT, dumped, no_wait, refused
from tests.waiting import BOUND, until, wait_for


def started(server: LocalServer, answer: answers.Answer | None = None) -> None:
    """Have the server know the response, of which a stream was read by somebody else."""
    server.say(answer or answers.events(SENT))
    heard = Heard()
    with rxstream.Session(**options_for(server)) as session:
        heard.subscribe(session.response(model="m", input="Hi", background=True))


def resume(mode: str, server: LocalServer, after: int | None, **options: Any) -> Heard:
    heard = Heard()

    def body(session: rxstream.Session) -> None:
        no_wait(session, 2)
        heard.subscribe(session.resume(ID, after=after, **options))

    in_session(mode, body, **options_for(server))
    return heard


# ---------------------------------------------------------------------- resume


@modes
def test_a_program_goes_on_after_an_error(mode: str) -> None:
    with LocalServer([answers.disconnect(answers.events(SENT), after=9)]) as server:
        heard = Heard()
        in_session(
            mode,
            lambda session: heard.subscribe(session.response(model="m", input="Hi", background=True)),
            **options_for(server),
        )
        error = heard.error
        assert isinstance(error, errors.DisconnectedError)
        assert error.response_id == ID
        rest = resume(mode, server, error.sequence_number)
    assert rest.completed()
    assert dumped(heard) + dumped(rest) == SENT


@modes
@pytest.mark.parametrize("cut", range(1, len(SENT), 5))
def test_all_events_also_over_several_connections(mode: str, cut: int) -> None:
    with LocalServer() as server:
        started(server)
        server.on_resume(lambda rest: answers.disconnect(rest, after=cut), lambda _: refused(503))
        heard = resume(mode, server, None)
        queries = [exchange.query for exchange in server.log[1:]]
        assert queries == [{"stream": "true"}, *[{"stream": "true", "starting_after": str(cut - 1)}] * 2]
    assert heard.completed()
    assert dumped(heard) == SENT


@modes
def test_where_the_window_has_closed_there_is_the_response_or_its_end(mode: str) -> None:
    with LocalServer() as server:
        started(server)
        server.on_resume(lambda _: refused(400), lambda _: refused(400))
        whole, end = resume(mode, server, None), resume(mode, server, 9)
    assert whole.completed()
    assert end.completed()
    assert whole.types[0] == "response.created"
    assert end.types == whole.types[-1:] == ["response.completed"]
    assert end.values[0].response.model_dump() == SENT[-1]["response"]


@modes
def test_an_unknown_response_is_a_404(mode: str) -> None:
    with LocalServer() as server:
        heard = resume(mode, server, 3)
        assert len(server.log) == 2
    assert isinstance(heard.error, errors.StatusError)
    assert (heard.error.status, heard.error.response_id, heard.error.sequence_number) == (404, ID, 3)


@modes
def test_it_is_tried_again_before_it_has_begun(mode: str) -> None:
    with LocalServer() as server:
        started(server)
        server.on_resume(*[lambda _: refused(503)] * 2)
        assert dumped(resume(mode, server, 4)) == SENT[5:]
        server.on_resume(*[lambda _: refused(503)] * 3)
        assert isinstance(resume(mode, server, 4).error, errors.StatusError)
        assert len(server.log) == 1 + 3 + 3


def test_an_id_is_percent_encoded() -> None:
    sent = [{**SENT[0], "response": {**SENT[0]["response"], "id": "a/b?c d"}}, *SENT[1:]]
    with LocalServer([answers.disconnect(answers.events(sent), after=1)]) as server:
        heard = Heard()
        with rxstream.Session(**options_for(server)) as session:
            heard.subscribe(session.response(model="m", input="Hi", background=True, resume=True))
        assert server.log[1].path == "/v1/responses/a/b?c d"  # as the server decodes it
        assert server.log[1].query == {"stream": "true", "starting_after": "0"}
    assert heard.completed()
    assert len(heard.values) == len(SENT)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"response_id": ""}, ValueError),
        ({"response_id": ".."}, ValueError),
        ({"response_id": 5}, TypeError),
        ({"response_id": "r", "after": -1}, ValueError),
        ({"response_id": "r", "after": "5"}, TypeError),
        ({"response_id": "r", "after": True}, TypeError),
        ({"response_id": "r", "timeout": -1}, TypeError),
    ],
    ids=str,
)
def test_wrong_arguments_of_resume(options: dict[str, Any], error: type[Exception]) -> None:
    session = rxstream.Session(api_key="sk", base_url="http://127.0.0.1:1")
    with pytest.raises(error):
        session.resume(**options)


def test_wrong_arguments_of_a_session_and_of_a_response() -> None:
    with pytest.raises(ValueError, match="response_id"):
        rxstream.Session(api_key="sk", resume_path="/responses/events")
    with pytest.raises(ValueError, match="max_resumes"):
        rxstream.Session(api_key="sk", max_resumes=-1)
    session = rxstream.Session(api_key="sk", base_url="https://api.openai.com/v1")
    for option in ({"resume": True}, {"cancel_remote": True}):
        with pytest.raises(ValueError, match="background=True"):
            session.response(model="m", input="Hi", **option)
        session.response(model="m", input="Hi", background=True, **option)
        session.response(model="m", input="Hi", extra_body={"background": True}, **option)


# ---------------------------------------------------------------------- cancel


def cancels(server: LocalServer) -> int:
    return sum((exchange.method, exchange.path) == ("POST", f"/v1/responses/{ID}/cancel") for exchange in server.log)


@pytest.mark.anyio
async def test_cancel_returns_the_response() -> None:
    with LocalServer() as server:
        server.say(answers.events(SENT))
        async with rxstream.Session(**options_for(server)) as session:
            session.response(model="m", input="Hi", background=True).subscribe()
            await server.until_over(1, BOUND)
            response = await session.cancel(ID)
            assert (response.id, response.status) == (ID, "cancelled")
            with pytest.raises(errors.StatusError):
                await session.cancel("resp_unknown")
            with pytest.raises(ValueError, match="id of a response"):
                await session.cancel("")
        assert cancels(server) == 1
        assert server.log[1].json is None


def test_cancel_in_a_session_without_await() -> None:
    with LocalServer([answers.events(SENT)]) as server:
        started(server)
        with rxstream.Session(**options_for(server)) as session:
            session.spawn(lambda: session.cancel(ID))
        assert cancels(server) == 1


def test_cancel_of_what_is_no_response() -> None:
    body = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]"
    with LocalServer([answers.events(SENT)]) as server:
        started(server)
        server.on_cancel(answers.verbatim(body))

        async def main() -> None:
            async with rxstream.Session(**options_for(server)) as session:
                with pytest.raises(errors.ProtocolError):
                    await session.cancel(ID)

        anyio.run(main)


@modes
def test_a_cancelled_response_ends_its_stream(mode: str) -> None:
    with LocalServer([answers.disconnect(answers.events(SENT), after=4)]) as server:
        server.on_resume(lambda _: refused(400))
        server.on_poll({"status": "cancelled", "output": []})
        heard = Heard()
        in_session(
            mode,
            lambda session: heard.subscribe(session.response(model="m", input="Hi", background=True, resume=True)),
            **options_for(server),
        )
    assert heard.types[-1] == "response.failed"
    assert isinstance(heard.error, errors.ResponseCancelledError)


# ---------------------------------------------------------------------- cancel_remote


def hanging(server: LocalServer) -> None:
    server.say(answers.hang(answers.events(SENT), after=6))


@modes
@pytest.mark.parametrize("remote", [True, False])
def test_a_disposed_response_is_cancelled_on_the_server(mode: str, remote: bool) -> None:
    heard = Heard()

    def body(session: rxstream.Session) -> None:
        source = session.response(model="m", input="Hi", background=True, resume=True, cancel_remote=remote)
        stream = SerialDisposable()  # events may come before `subscribe` has returned
        stream.disposable = source.subscribe(
            lambda event: (heard.values.append(event), len(heard.values) == 6 and stream.dispose())
        )

    with nothing_left_behind(), LocalServer() as server:
        hanging(server)
        in_session(mode, body, **options_for(server))
        assert cancels(server) == remote
        assert len(server.log) == 1 + remote
    assert len(heard.values) == 6


def test_so_is_one_whose_first_event_is_still_held_back() -> None:
    with nothing_left_behind(), LocalServer() as server:
        server.say(answers.hang(answers.events(SENT), after=1))
        with rxstream.Session(**{**options_for(server), "max_retries": 2}) as session:
            response = session.response(model="m", input="Hi", background=True, cancel_remote=True)
            stream: Any = response.subscribe()
            wait_for(lambda: stream_opening(session) is not None)
            stream.dispose()
        assert cancels(server) == 1


def stream_opening(session: rxstream.Session) -> str | None:
    """The id that the only stream of the session holds back."""
    flows = tuple(session._open_loop().streams)  # pyright: ignore[reportPrivateUsage]
    stream: Any = next((flow._stop.__self__ for flow in flows), None)  # pyright: ignore
    return stream._opening.response_id if stream is not None and stream._opening is not None else None


@modes
def test_so_is_that_of_an_observer_that_raises(mode: str) -> None:
    heard = Heard()

    def raising(event: object) -> None:
        raise KeyError("mine")

    with nothing_left_behind(), LocalServer() as server:
        hanging(server)
        in_session(
            mode,
            lambda session: session.response(model="m", input="Hi", background=True, cancel_remote=True).subscribe(
                raising, heard.errors.append
            ),
            **options_for(server),
        )
        assert cancels(server) == 1
    assert isinstance(heard.error, KeyError)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_so_is_that_of_a_session_that_is_left_by_an_error(backend: str) -> None:
    heard = Heard()

    async def main(server: LocalServer) -> None:
        async with rxstream.Session(**options_for(server)) as session:
            heard.subscribe(session.response(model="m", input="Hi", background=True, cancel_remote=True))
            await until(lambda: len(heard.values) == 6)
            raise KeyError

    with nothing_left_behind(), LocalServer() as server:
        hanging(server)
        with pytest.raises(KeyError):
            anyio.run(main, server, backend=backend)
        assert cancels(server) == 1


@modes
@pytest.mark.parametrize("resume", [True, False])
def test_so_is_one_that_a_time_limit_ends(mode: str, resume: bool) -> None:
    heard = Heard()

    def body(session: rxstream.Session) -> None:
        no_wait(session, 1)
        options: Any = {"background": True, "resume": resume, "cancel_remote": True, "timeout": {"between": 0.5}}
        heard.subscribe(session.response(model="m", input="Hi", **options))

    with nothing_left_behind(), LocalServer() as server:
        hanging(server)
        server.on_resume(*[lambda _: answers.hang(answers.events([]))] * 9)
        in_session(mode, body, **options_for(server))
        assert cancels(server) == 1
    assert isinstance(heard.error, errors.BetweenEventsTimeoutError)
    assert heard.error.response_id == ID
    assert not hasattr(heard.error, "__notes__")  # there is nothing to go on with


@modes
def test_so_is_one_that_is_too_long(mode: str) -> None:
    heard = Heard()
    with nothing_left_behind(), LocalServer([answers.endless()]) as server:
        in_session(
            mode,
            lambda session: heard.subscribe(
                session.response(model="m", input="Hi", background=True, cancel_remote=True)
            ),
            **options_for(server),
            max_response_chars=100,
        )
        assert [exchange.path.endswith("/cancel") for exchange in server.log] == [False, True]
    assert isinstance(heard.error, errors.ResponseTooLargeError)


def test_the_error_does_not_wait_for_the_cancel() -> None:
    seen: list[int] = []
    with LocalServer() as server:
        hanging(server)
        with rxstream.Session(**options_for(server), between_timeout=0.3) as session:
            session.response(model="m", input="Hi", background=True, cancel_remote=True).subscribe(
                on_error=lambda _: seen.append(cancels(server))
            )
        assert seen == [0]
        assert cancels(server) == 1


@pytest.mark.parametrize("answer", [answers.disconnect(answers.events(SENT), after=4), answers.failed()])
def test_a_stream_that_ends_by_itself_is_not_cancelled(answer: answers.Answer) -> None:
    """A lost one can be resumed by its id."""
    with LocalServer([answer]) as server:
        with rxstream.Session(**options_for(server)) as session:
            session.response(model="m", input="Hi", cancel_remote=True).subscribe(on_error=lambda _: None)
        assert cancels(server) == 0


@modes
def test_nothing_is_cancelled_after_the_end_nor_before_the_id(mode: str) -> None:
    with LocalServer([answers.events(SENT), answers.disconnect(answers.events(SENT), after=4), "Hi"]) as server:

        def body(session: rxstream.Session) -> None:
            for _ in range(2):
                Heard().subscribe(session.response(model="m", input="Hi", cancel_remote=True))
            session.response(model="m", input="Hi", cancel_remote=True).subscribe().dispose()

        in_session(mode, body, **options_for(server))
        assert cancels(server) == 0


def test_a_cancel_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with LocalServer() as server:
        hanging(server)
        server.on_cancel(refused(500))
        with rxstream.Session(**options_for(server)) as session:
            heard = Heard()
            stream = heard.subscribe(session.response(model="m", input="Hi", background=True, cancel_remote=True))
            wait_for(lambda: len(heard.values) == 6)
            stream.dispose()
    assert "could not be cancelled: StatusError" in caplog.text


def test_a_transport_of_your_own_cancels_and_polls() -> None:
    with LocalServer([answers.disconnect(answers.events(SENT), after=4)]) as server:
        server.on_resume(lambda _: refused(400))
        transport = HttpTransport(base_url=server.base_url, api_key="sk")
        with rxstream.Session(transport=transport) as session:
            heard = Heard()
            heard.subscribe(session.response(model="m", input="Hi", background=True, resume=True))
            wait_for(heard.completed)
            session.spawn(lambda: session.cancel(ID))
        assert cancels(server) == 1


def test_each_connection_of_a_stream_has_a_tape_and_a_poll_has_none(tmp_path: Any) -> None:
    with LocalServer([answers.disconnect(answers.events(SENT), after=4)]) as server:
        server.on_resume(lambda rest: answers.disconnect(rest, after=4), lambda _: refused(400))
        server.on_poll({"status": "queued"})
        with rxstream.Session(**options_for(server), tape=tmp_path / "a.tape") as session:
            no_wait(session)
            session.response(model="m", input="Hi", background=True, resume=True).subscribe()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-2.tape", "a.tape"]
