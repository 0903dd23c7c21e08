"""What a client of the user's brings with it: hooks, bodies that are read already, logins, addresses, time-outs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx
import httpx2
import openai
import pytest

import rxstream
from rxstream import errors
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from rxstream.transport import HttpTransport, MemoryTransport
from tests.session._modes import Heard

families = pytest.mark.parametrize("family", [httpx, httpx2], ids=["httpx", "httpx2"])
backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])
BODY = answers.sse_bytes_of(answers.text("Hello there"))
SSE = {"content-type": "text/event-stream", "x-request-id": "req_7"}
URL = "http://127.0.0.1:9/v1"

Hook = Callable[[Any], Awaitable[object]]


def said(client: Any, backend: str = "asyncio", **options: Any) -> Heard:
    """What a subscriber of one response is told, over this client."""
    heard = Heard()

    async def run() -> None:
        async with client, rxstream.Session(**{"api_key": "sk", "http_client": client, **options}) as session:
            heard.subscribe(session.response(model="m", input="Hi").pipe(rxs.text_only()))

    anyio.run(run, backend=backend)
    return heard


def mock(family: Any, answer: Callable[[Any], Any], **options: Any) -> Any:
    return family.AsyncClient(transport=family.MockTransport(answer), **options)


# ------------------------------------------------------------------ bodies that are read already


@families
@backends
def test_a_mock_transport_with_its_content(family: Any, backend: str) -> None:
    client = mock(family, lambda request: family.Response(200, content=BODY, headers=SSE))
    heard = said(client, backend, base_url=URL)
    assert heard.completed()
    assert "".join(heard.values) == "Hello there"


@families
def test_a_mock_transport_with_an_error(family: Any) -> None:
    body = {"error": {"message": "No such model.", "code": "model_not_found"}}
    heard = said(mock(family, lambda request: family.Response(404, json=body)), base_url=URL)
    assert isinstance(heard.error, errors.StatusError)
    assert (heard.error.status, heard.error.code) == (404, "model_not_found")
    assert "No such model" in str(heard.error)


async def read_whole(response: Any) -> None:
    await response.aread()


async def read_and_drop(response: Any) -> None:
    async for _ in response.aiter_bytes():
        pass


async def read_some(response: Any) -> None:
    async for _ in response.aiter_raw():
        break


async def close(response: Any) -> None:
    await response.aclose()


@families
@backends
@pytest.mark.parametrize("headers", [{}, {"accept-encoding": "gzip"}], ids=["plain", "gzip"])
def test_a_hook_that_reads_the_body(family: Any, backend: str, headers: dict[str, str]) -> None:
    with LocalServer([answers.text("Hello there")]) as server:
        client = family.AsyncClient(event_hooks={"response": [read_whole]})
        heard = said(client, backend, base_url=server.base_url, headers=headers)
        assert heard.completed()
        assert "".join(heard.values) == "Hello there"


@families
@pytest.mark.parametrize("hook", [read_and_drop, read_some, close])
@pytest.mark.parametrize("reply", [answers.text("Hi"), answers.http_error(503, headers={"x-should-retry": "false"})])
def test_a_hook_that_takes_the_body_is_named(family: Any, hook: Hook, reply: Any) -> None:
    with LocalServer([reply]) as server:
        heard = said(family.AsyncClient(event_hooks={"response": [hook]}), base_url=server.base_url)
        assert isinstance(heard.error, errors.RxStreamError)
        assert "aread" in str(heard.error)
        assert len(server.log) == 1


# ------------------------------------------------------------------ hooks that raise


async def raise_for_status(response: Any) -> None:
    response.raise_for_status()


async def read_and_raise_for_status(response: Any) -> None:
    await response.aread()
    response.raise_for_status()


@families
@backends
def test_raise_for_status_in_a_hook_is_the_status(family: Any, backend: str) -> None:
    with LocalServer([answers.http_error(404, message="No such model.", code="model_not_found")]) as server:
        client = family.AsyncClient(event_hooks={"response": [read_and_raise_for_status]})
        heard = said(client, backend, base_url=server.base_url)
        error = heard.error
        assert isinstance(error, errors.StatusError)
        assert (error.status, error.code) == (404, "model_not_found")
        assert "No such model" in str(error)
        assert "No such model" in error.body
        assert error.request_id
        assert len(server.log) == 1


@families
@pytest.mark.parametrize("hook", [raise_for_status, read_and_raise_for_status])
def test_it_is_tried_again_by_its_status(family: Any, hook: Hook) -> None:
    with LocalServer([answers.http_error(429, headers={"retry-after-ms": "1"}), answers.text("Hi")]) as server:
        heard = said(family.AsyncClient(event_hooks={"response": [hook]}), base_url=server.base_url)
        assert heard.completed()
        assert [exchange.status for exchange in server.log] == [429, 200]


@families
def test_without_its_body_the_error_says_why(family: Any) -> None:
    with LocalServer([answers.http_error(401, message="Wrong key.")]) as server:
        heard = said(family.AsyncClient(event_hooks={"response": [raise_for_status]}), base_url=server.base_url)
        assert isinstance(heard.error, errors.StatusError)
        assert (heard.error.status, heard.error.body) == (401, "")
        assert "401 Unauthorized" in str(heard.error)
        assert "aread" in str(heard.error)
        assert len(server.log) == 1


@families
@pytest.mark.parametrize("kind", ["request", "response"])
@pytest.mark.parametrize("error", [KeyError("mine"), FileNotFoundError("token.txt"), PermissionError("token.txt")])
def test_what_a_hook_raises_arrives_as_it_is(family: Any, kind: str, error: Exception) -> None:
    async def hook(_: Any) -> None:
        raise error

    with LocalServer([answers.text("Hi")]) as server:
        heard = said(family.AsyncClient(event_hooks={kind: [hook]}), base_url=server.base_url)
        assert heard.error is error
        assert len(server.log) == (kind == "response")


@families
def test_a_request_that_a_hook_sends_itself_is_named_by_its_own_server(family: Any) -> None:
    async def fetch_token(request: Any) -> None:
        async with family.AsyncClient() as other:
            (await other.get(f"{tokens.url}/token")).raise_for_status()

    with LocalServer() as server, LocalServer([answers.text("Hi")]) as tokens:
        heard = said(family.AsyncClient(event_hooks={"request": [fetch_token]}), base_url=server.base_url)
        assert isinstance(heard.error, errors.StatusError)
        assert tokens.url.removeprefix("http://") in str(heard.error)
        assert not server.log


# ------------------------------------------------------------------ what is no client


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (httpx.Client, "httpx.Client: a plain `with Session\\(\\)` too needs the async client"),
        (httpx2.Client, "httpx2.Client: a plain"),
        (lambda: openai.OpenAI(api_key="sk"), "openai.OpenAI: give its api_key"),
        (lambda: openai.AsyncOpenAI(api_key="sk"), "openai.AsyncOpenAI: give its api_key"),
        (lambda: httpx.AsyncClient, "the class AsyncClient: make one by calling it"),
        (lambda: httpx.MockTransport(lambda _: httpx.Response(200)), "httpx.AsyncClient\\(transport="),
        (lambda: "http://127.0.0.1:1", "builtins.str: make one"),
        (object, "builtins.object"),
    ],
)
def test_what_is_no_async_client_is_refused_at_once(make: Callable[[], Any], advice: str) -> None:
    client = make()
    for construct in (rxstream.Session, HttpTransport):
        options: dict[str, Any] = {"base_url": URL}
        with pytest.raises(TypeError, match=advice):
            if construct is rxstream.Session:
                rxstream.Session(http_client=client, **options)
            else:
                HttpTransport(client, **options)


@pytest.mark.parametrize(
    ("transport", "advice"),
    [
        (httpx.AsyncHTTPTransport(), "http_client=httpx.AsyncClient"),
        (httpx.AsyncClient(), "goes into http_client="),
        (MemoryTransport, "the class MemoryTransport: make one"),
        ("tape.sse", "got str: make one"),
    ],
)
def test_what_is_no_transport_is_refused_at_once(transport: Any, advice: str) -> None:
    with pytest.raises(TypeError, match=advice):
        rxstream.Session(transport=transport)


def test_a_client_and_a_transport_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="leave one out"):
        rxstream.Session(transport=MemoryTransport(b""), http_client=httpx.AsyncClient())


# ------------------------------------------------------------------ keys and logins


@families
@pytest.mark.parametrize("kind", ["client", "address"])
@pytest.mark.parametrize("given", [{"api_key": "sk"}, {"api_key": "", "headers": {"Authorization": "Token t"}}])
def test_a_login_beside_a_key_is_refused(family: Any, kind: str, given: dict[str, Any]) -> None:
    """httpx would send the login in the place of the key."""
    if kind == "client":
        given = {**given, "http_client": family.AsyncClient(auth=("me", "pw-canary")), "base_url": URL}
    else:
        given = {**given, "base_url": "http://me:pw-canary@127.0.0.1:9/v1"}
    with rxstream.Session(**given) as session, pytest.raises(ValueError, match="leave one of them out") as caught:
        session.response(model="m", input="Hi")
    assert "canary" not in str(caught.value)


@families
@pytest.mark.parametrize("kind", ["client", "address", "header"])
def test_a_login_replaces_the_key_of_the_environment(family: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-env")
    basic = "Basic bWU6cHc="
    with LocalServer([answers.text("Hi")]) as server:
        url = server.base_url
        options = {"auth": ("me", "pw")} if kind == "client" else {}
        if kind == "header":
            options = {"headers": {"Authorization": basic}}
        if kind == "address":
            url = url.replace("http://", "http://me:pw@")
        assert said(family.AsyncClient(**options), api_key=None, base_url=url).completed()
        assert server.log[0].headers["authorization"] == basic


@families
@pytest.mark.parametrize("kind", ["client", "address"])
def test_an_authorization_of_one_request_wins_over_a_login(family: Any, kind: str) -> None:
    with LocalServer([answers.text("Hi")]) as server:
        url = server.base_url if kind == "client" else server.base_url.replace("http://", "http://me:pw@")
        client = family.AsyncClient(auth=("me", "pw") if kind == "client" else None)

        async def main() -> None:
            async with client, rxstream.Session(api_key="", base_url=url, http_client=client) as session:
                answer = session.response(model="m", input="Hi", extra_headers={"Authorization": "Bearer sk-mine"})
                await rxstream.result(answer)

        anyio.run(main)
        assert server.log[0].headers["authorization"] == "Bearer sk-mine"


@families
def test_an_auth_of_the_users_own_gets_the_request_with_the_key(family: Any) -> None:
    def sign(request: Any) -> Any:
        request.headers["x-signature"] = f"signed {request.headers['authorization']}"
        return request

    with LocalServer([answers.text("Hi")]) as server:
        assert said(family.AsyncClient(auth=sign), base_url=server.base_url).completed()
        assert server.log[0].headers["x-signature"] == "signed Bearer sk"


# ------------------------------------------------------------------ address, parameters, cookies, redirects, time-outs


@families
def test_the_address_of_the_client(family: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", URL)
    with LocalServer([answers.text("Hi")]) as server:
        assert said(family.AsyncClient(base_url=server.base_url)).completed()
        assert said(family.AsyncClient(base_url=URL), base_url=server.base_url).completed()
        assert [exchange.path for exchange in server.log] == ["/v1/responses"] * 2


@families
def test_parameters_headers_and_cookies_of_the_client_are_added(family: Any) -> None:
    with LocalServer([answers.text("Hi")]) as server:
        client = family.AsyncClient(
            params={"team": "a b"}, headers={"x-team": "blue", "user-agent": "mine"}, cookies={"c": "1"}
        )
        assert said(client, base_url=f"{server.base_url}?api-version=preview&x=%2F").completed()
        sent = server.log[0]
        assert dict(sent.query) == {"team": "a b", "api-version": "preview", "x": "/"}
        assert (sent.headers["x-team"], sent.headers["cookie"]) == ("blue", "c=1")


@families
def test_redirects_are_followed_where_the_client_follows_them(family: Any) -> None:
    moved = answers.http_error(307, "", headers={"location": "/v1/responses?again=1"})
    for follow in (False, True):
        with LocalServer([moved, answers.text("Hi")]) as server:
            heard = said(family.AsyncClient(follow_redirects=follow), base_url=server.base_url)
            assert len(server.log) == 1 + follow
            assert heard.completions == follow


@families
@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ({}, (10.0, 600.0)),
        ({"timeout": 5.0}, (10.0, 600.0)),  # what httpx has by default
        ({"timeout": 7.0}, (7.0, 7.0)),
        ({"timeout": None}, (None, None)),
    ],
    ids=str,
)
def test_time_outs_of_the_client_count_where_they_were_set(
    family: Any, options: dict[str, Any], limits: tuple[float | None, float | None]
) -> None:
    seen: list[dict[str, Any]] = []

    def answer(request: Any) -> Any:
        seen.append(request.extensions["timeout"])
        return family.Response(200, content=BODY, headers=SSE)

    assert said(mock(family, answer, **options), base_url=URL).completed()
    assert said(mock(family, answer, **options), base_url=URL, connect_timeout=1, idle_timeout=2).completed()
    assert [(times["connect"], times["read"]) for times in seen] == [limits, (1, 2)]


@families
def test_a_time_out_of_the_client_ends_a_silent_stream(family: Any) -> None:
    with LocalServer([answers.hang(answers.text("Hi"), after=2)]) as server:
        client = family.AsyncClient(timeout=family.Timeout(5, read=0.2))
        assert isinstance(said(client, base_url=server.base_url).error, errors.IdleTimeoutError)


# ------------------------------------------------------------------ clients that cannot be used any more


@families
def test_a_closed_client_is_not_tried_three_times(family: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "rxstream")
    client = family.AsyncClient()
    anyio.run(client.aclose)
    heard = Heard()
    with rxstream.Session(api_key="sk", base_url=URL, http_client=client) as session:
        heard.subscribe(session.response(model="m", input="Hi"))
    assert isinstance(heard.error, errors.ConnectError)
    assert "is closed" in str(heard.error)
    assert "follows" not in caplog.text


@families
@pytest.mark.parametrize(
    "message",
    [
        "Event loop is closed",
        "<asyncio.locks.Event object at 0x7f> is bound to a different event loop",
        "Task got Future attached to a different loop",
        "must be called from async context",
        "no running event loop",
    ],
)
def test_a_client_of_another_loop_is_named(family: Any, message: str, caplog: pytest.LogCaptureFixture) -> None:
    """These are what httpx fails with then. When it does depends on the moment, so here it is made to."""
    caplog.set_level("INFO", "rxstream")

    def answer(request: Any) -> Any:
        raise RuntimeError(message)

    heard = said(mock(family, answer), base_url=URL)
    assert isinstance(heard.error, errors.ConnectError)
    assert "another event loop" in str(heard.error)
    assert "follows" not in caplog.text
