"""Responses over WebSockets: one socket for many, and the same as over HTTP otherwise."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from reactivex import operators as ops

import rxstream
from rxstream import errors
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from tests.session._modes import Heard, hear, in_session, modes, nothing_left_behind, options_for
from tests.waiting import BOUND, until

LIMIT = answers.http_error(400, code="websocket_connection_limit_reached")


def turns(
    mode: str, server: LocalServer, *requests: dict[str, Any], between: Callable[[], Any] | None = None, **options: Any
) -> list[Heard]:
    """Request one response after the other in one session, and hear each to its end."""
    heard = [Heard() for _ in requests]

    def body(session: rxstream.Session) -> None:
        async def run() -> None:
            for i, (each, request) in enumerate(zip(heard, requests, strict=True)):
                if i and between is not None:
                    await between()
                each.subscribe(session.response(**({"model": "m", "input": "Hi"} | request)))
                await until(lambda each=each: each.errors or each.completions)

        session.spawn(run)

    in_session(mode, body, **options_for(server) | {"transport": "websocket"} | options)
    return heard


@modes
def test_many_responses_over_one_socket(mode: str) -> None:
    with LocalServer([answers.text("One"), answers.text("Two"), answers.incomplete("Thr")]) as server:
        with nothing_left_behind():
            heard = turns(mode, server, {}, {"previous_response_id": "resp_1"}, {"store": False})
        assert all(each.completed() for each in heard)
        assert [record.connection for record in server.log] == [1, 1, 1]
        assert [record.json for record in server.log] == [
            {"type": "response.create", "model": "m", "input": "Hi"},
            {"type": "response.create", "model": "m", "input": "Hi", "previous_response_id": "resp_1"},
            {"type": "response.create", "model": "m", "input": "Hi", "store": False},
        ]


@modes
@pytest.mark.parametrize(
    "answer",
    [
        answers.together(answers.text("Hello there"), answers.function_calls([("f", {"a": 1})])),
        answers.incomplete("Cut sh"),
        answers.failed("server_error", "It broke.", partial_text="Half"),
        answers.refusal("No."),
        answers.events([{"type": "response.completed", "response": {"id": "r", "status": "completed", "output": []}}]),
    ],
)
def test_the_events_and_the_ending_are_those_of_http(mode: str, answer: answers.Answer) -> None:
    def of(transport: str | None) -> tuple[list[str], list[str]]:
        with LocalServer([answer]) as server:
            heard = hear(mode, server, transport=transport)
        events = [event.model_dump(exclude={"response": {"created_at"}}) for event in heard.values]
        return [str(event) for event in events], [repr(error) for error in heard.errors]

    assert of("websocket") == of(None)


@modes
def test_responses_at_the_same_time_have_a_socket_each(mode: str) -> None:
    heard = [Heard(), Heard(), Heard()]
    with LocalServer([answers.text("Hello " * 20)], pace=200) as server:

        def body(session: rxstream.Session) -> None:
            for each in heard:
                each.subscribe(session.response(model="m", input="Hi"))

        in_session(mode, body, transport="websocket", **options_for(server))
        assert all(each.completed() for each in heard)
        assert sorted(record.connection for record in server.log) == [1, 2, 3]


@modes
def test_the_next_response_goes_to_the_socket_that_has_the_previous_one(mode: str) -> None:
    """A server keeps a response that is not stored with its connection alone."""
    with LocalServer([answers.text("Hello " * 20)], pace=500) as server:

        def body(session: rxstream.Session) -> None:
            async def run() -> None:
                first = [Heard(), Heard(), Heard()]
                for each in first:
                    each.subscribe(session.response(model="m", input="Hi"))
                await until(lambda: all(each.completions for each in first))
                for each in (first[1], first[2], first[0]):
                    again = Heard()
                    again.subscribe(
                        session.response(model="m", input="Hi", previous_response_id=each.values[0].response.id)
                    )
                    await until(lambda again=again: again.completions)

            session.spawn(run)

        in_session(mode, body, transport="websocket", **options_for(server))
        places = {record.json.get("previous_response_id"): record.connection for record in server.log[3:]}
        assert len(places) == len(set(places.values())) == 3


@modes
def test_other_headers_have_another_socket(mode: str) -> None:
    with LocalServer() as server:
        own = {"extra_headers": {"x-user": "u1"}}
        heard = turns(mode, server, {}, own, {"extra_headers": {"X-User": "u1"}}, {}, {"extra_query": {"q": 1}})
        assert all(each.completed() for each in heard)
        assert [record.connection for record in server.log] == [1, 2, 2, 1, 3]
        assert [record.headers.get("x-user") for record in server.log] == [None, "u1", "u1", None, None]
        assert server.log[4].query == {"q": "1"}
        assert {record.headers["authorization"] for record in server.log} == {"Bearer sk-canary-0123456789"}


@modes
def test_a_socket_that_the_server_closed_in_between_is_replaced(mode: str) -> None:
    with LocalServer([answers.text("One"), answers.text("Two")], patience=0.05) as server:
        heard = [Heard(), Heard()]

        def body(session: rxstream.Session) -> None:
            async def run() -> None:
                heard[0].subscribe(session.response(model="m", input="Hi"))
                await until(lambda: heard[0].completions)
                await until(
                    lambda: (
                        session._transports._websocket is not None and not session._transports._websocket.open_sockets
                    )
                )
                heard[1].subscribe(session.response(model="m", input="Hi"))

            session.spawn(run)

        in_session(mode, body, transport="websocket", **options_for(server))
        assert [each.completed() for each in heard] == [True, True]
        assert [record.connection for record in server.log] == [1, 2]


@modes
def test_the_connection_limit_opens_another_socket_at_once(mode: str) -> None:
    with LocalServer([answers.text("One"), LIMIT, answers.text("Two")]) as server:
        heard = turns(mode, server, {}, {})
        assert [each.completed() for each in heard] == [True, True]
        assert [record.connection for record in server.log] == [1, 1, 2]


def test_the_connection_limit_of_a_new_socket_is_an_error() -> None:
    with LocalServer([LIMIT]) as server:
        error = hear("asyncio", server, transport="websocket").error
        assert isinstance(error, errors.ConnectionLimitError)
        assert error.retryable
        assert len(server.log) == 1


@modes
def test_the_connection_limit_amid_a_response_is_an_error_and_no_second_request(mode: str) -> None:
    limit = {"type": "error", "status": 400, "error": {"code": "websocket_connection_limit_reached", "message": "m"}}
    begun = [event.model_dump(mode="json") for event in answers.events_of(answers.text("Hi"))[:4]]
    with LocalServer([answers.events([*begun, limit])]) as server:
        heard = hear(mode, server, transport="websocket", max_retries=2)
        assert len(heard.values) == 4
        assert isinstance(heard.error, errors.ConnectionLimitError)
        assert heard.error.retryable
        assert heard.error.response_id == heard.values[0].response.id
        assert len(server.log) == 1


@modes
@pytest.mark.parametrize("transport", ["websocket", None])
def test_a_previous_response_that_is_gone(mode: str, transport: str | None) -> None:
    with LocalServer([answers.http_error(400, code="previous_response_not_found"), answers.text("Hi")]) as server:
        gone, heard = turns(mode, server, {"previous_response_id": "resp_0"}, {}, transport=transport)
        assert isinstance(gone.error, errors.PreviousResponseNotFoundError)
        assert (gone.error.status, gone.error.code, gone.error.retryable) == (400, "previous_response_not_found", False)
        assert heard.completed()
        if transport:
            assert [record.connection for record in server.log] == [1, 1]


@modes
def test_an_error_before_the_first_event_is_the_error_of_http(mode: str) -> None:
    with LocalServer([answers.http_error(429, headers={"retry-after-ms": "1"}), answers.text("Hi")]) as server:
        heard = hear(mode, server, transport="websocket", max_retries=1)
        assert heard.completed()
        assert heard.types.count("error") == 0
        assert [record.status for record in server.log] == [429, 200]
    with LocalServer([answers.http_error(429, headers={"retry-after": "7"}, message="Rate limit.")]) as server:
        error = hear(mode, server, transport="websocket").error
        assert isinstance(error, errors.StatusError)
        assert (error.status, error.retry_after) == (429, 7)
        assert "Rate limit" in str(error)


@modes
def test_a_wrong_key(mode: str) -> None:
    with LocalServer(api_key="another") as server:
        error = hear(mode, server, transport="websocket").error
    assert isinstance(error, errors.StatusError)
    assert error.status == 401
    assert "sk-canary" not in str(error) + repr(error)


@modes
def test_a_server_without_websockets(mode: str) -> None:
    with LocalServer(prefix="/v2") as server:
        error = hear(mode, server, transport="websocket", base_url=server.url + "/v1").error
    assert isinstance(error, errors.StatusError)
    assert error.status == 404
    assert "transport='websocket'" in error.__notes__[0]


@modes
def test_a_client_of_ones_own_sends_the_upgrade(mode: str) -> None:
    hooks: list[str] = []

    async def hook(request: httpx.Request) -> None:
        hooks.append(request.headers["upgrade"])

    with LocalServer([answers.text("Hi")]) as server:
        heard = Heard()

        async def main() -> None:
            async with httpx.AsyncClient(headers={"x-own": "1"}, event_hooks={"request": [hook]}) as client:
                options = options_for(server) | {"http_client": client, "transport": "websocket"}
                async with rxstream.Session(**options) as session:
                    heard.subscribe(session.response(model="m", input="Hi"))

        anyio.run(main, backend="trio" if mode == "trio" else "asyncio")
        assert heard.completed()
        assert hooks == ["websocket"]
        assert server.log[0].headers["x-own"] == "1"


def test_a_client_that_gives_no_connection_is_named() -> None:
    httpx_aiohttp = pytest.importorskip("httpx_aiohttp")
    with LocalServer([answers.text("Hi")]) as server:
        heard = Heard()

        async def main() -> None:
            async with httpx_aiohttp.HttpxAiohttpClient() as client:
                options = options_for(server) | {"http_client": client, "transport": "websocket"}
                async with rxstream.Session(**options) as session:
                    heard.subscribe(session.response(model="m", input="Hi"))

        anyio.run(main)
    assert isinstance(heard.error, errors.RxStreamError)
    assert "httpx.AsyncClient" in str(heard.error)


def test_httpx2_is_such_a_client() -> None:
    httpx2 = pytest.importorskip("httpx2")
    with LocalServer([answers.text("Hi")]) as server:
        heard = Heard()

        async def main() -> None:
            async with httpx2.AsyncClient() as client:
                options = options_for(server) | {"http_client": client, "transport": "websocket"}
                async with rxstream.Session(**options) as session:
                    heard.subscribe(session.response(model="m", input="Hi"))

        anyio.run(main)
        assert heard.completed()


@modes
def test_what_is_no_new_response_goes_over_http(mode: str) -> None:
    with LocalServer([answers.text("Hello")]) as server:
        first, again = Heard(), Heard()

        def body(session: rxstream.Session) -> None:
            async def run() -> None:
                first.subscribe(session.response(model="m", input="Hi"))
                await until(lambda: first.completions)
                again.subscribe(session.resume(first.values[0].response.id))
                await session.request_json("POST", "/moderations", {"input": "x"})

            session.spawn(run)

        in_session(mode, body, transport="websocket", **options_for(server))
        assert again.types == first.types
        assert sorted(record.method for record in server.log) == ["GET", "POST", "WEBSOCKET"]


@modes
def test_a_tape_of_each_response(mode: str, tmp_path: Path) -> None:
    with LocalServer([answers.text("One"), answers.text("Two")]) as server:
        heard = turns(mode, server, {}, {}, tape=tmp_path / "a.tape")
    again = Heard()
    with rxstream.Session(api_key="any") as session:
        again.subscribe(session.replay(tmp_path / "a-2.tape", speed=None))
    assert again.types == heard[1].types


def test_a_session_entered_again_opens_sockets_again() -> None:
    with LocalServer() as server:
        session = rxstream.Session(transport="websocket", **options_for(server))
        for _ in range(2):
            with session:
                heard = Heard()
                heard.subscribe(session.response(model="m", input="Hi"))
            assert heard.completed()
        assert [record.connection for record in server.log] == [1, 2]


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_the_address_may_be_that_of_a_websocket(scheme: str) -> None:
    with LocalServer() as server:
        base_url = server.base_url.replace("http", scheme)
        assert hear("with", server, transport="websocket", base_url=base_url).completed()


def test_operators_and_take() -> None:
    with LocalServer([answers.text("Hello there")]) as server:
        heard = hear("with", server, lambda source: source.pipe(rxs.text_only(), ops.take(1)), transport="websocket")
        assert heard.completed()


def test_a_background_response_is_refused() -> None:
    session = rxstream.Session("sk-any", transport="websocket")
    with pytest.raises(ValueError, match="background"):
        session.response(model="m", input="Hi", background=True)


def test_another_name_of_a_transport_is_refused() -> None:
    with pytest.raises(TypeError, match=r"got str: make one.*or write 'websocket'"):
        rxstream.Session("sk-any", transport="http")  # type: ignore[arg-type]


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "rxstream.session._transports.find_spec", lambda name: None if name == "websockets" else found(name)
    )
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'rxstream\[websocket\]'"):
        rxstream.Session("sk-any", transport="websocket")


@modes
def test_nothing_secret_is_logged(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"), LocalServer([answers.text("the-output-canary")]) as server:
        turns(mode, server, {"input": "the-prompt-canary"}, {})
    logged = caplog.text + "".join(repr(record.__dict__) for record in caplog.records)
    assert not [canary for canary in ("sk-canary", "prompt-canary", "output-canary") if canary in logged]


@modes
def test_disposing_one_of_several_leaves_the_others(mode: str) -> None:
    """The API has no message that cancels, so the socket of a disposed response is closed; no other is on it."""
    with LocalServer([answers.text("Hello " * 40)], pace=200) as server:
        heard, disposed = Heard(), Heard()

        def body(session: rxstream.Session) -> None:
            async def run() -> None:
                heard.subscribe(session.response(model="m", input="Hi"))
                running = disposed.subscribe(session.response(model="m", input="Hi"))
                await until(lambda: disposed.values)
                running.dispose()
                await server.until_closed(1, BOUND)

            session.spawn(run)

        in_session(mode, body, transport="websocket", **options_for(server))
        assert heard.completed()
        assert disposed.completions == len(disposed.errors) == 0
        assert sum(record.closed_by_client for record in server.log) == 1
