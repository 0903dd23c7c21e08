"""`EventStream` behind a real server: who leaves is disposed, who is slow pauses the source, an error is a part."""

from __future__ import annotations

import json
import logging
import socket
import time
from typing import Any

import anyio
import httpx
import pytest
import reactivex
from fastapi import FastAPI
from reactivex import operators as ops
from reactivex.disposable import Disposable
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.routing import Route

import rxstream
from rxstream.errors import ConnectError
from rxstream.events import parse_event
from rxstream.sse import Decoder, Frame
from rxstream.testing import LocalServer, answers
from rxstream.web import EventStream, EventStreamResponse, to_ag_ui, to_sse, to_ui_messages
from tests.event_builders import say
from tests.waiting import BOUND, wait_for
from tests.web._serving import get, served, with_session


def frames_of(data: bytes) -> list[Frame]:
    return Decoder().feed(data)


async def answer(request: Request) -> EventStreamResponse:
    events = request.app.state.session.response(model="m", input="Hi")
    formats = {"sse": to_sse(), "ui": to_ui_messages(), "ag_ui": to_ag_ui("t", "r")}
    return EventStreamResponse(events, format=formats[request.query_params.get("format", "sse")])


ROUTE = Route("/", answer)


@pytest.mark.parametrize("format", ["sse", "ui", "ag_ui"])
def test_each_format_by_starlette(format: str) -> None:
    with LocalServer([answers.text("Hello.")]) as upstream:
        with served(with_session(upstream.base_url, ROUTE), lifespan=True) as url:
            response = get(f"{url}/?format={format}")
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-cache, no-transform"
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers.get("x-vercel-ai-ui-message-stream") == ("v1" if format == "ui" else None)
        assert "content-length" not in response.headers
        assert "access-control-allow-origin" not in response.headers
        assert "Hello." in "".join(
            json.loads(frame.data).get("delta", "") for frame in frames_of(response.content) if frame.data != "[DONE]"
        )
        assert response.content.endswith(b"data: [DONE]\n\n") == (format == "ui")


def test_fastapi_in_one_line_and_its_background_task() -> None:
    app, done = FastAPI(), []

    @app.get("/")
    def hello() -> EventStreamResponse:
        response = EventStreamResponse(
            reactivex.from_iterable(say("C M a K")), background=BackgroundTask(done.append, 1)
        )
        response.set_cookie("seen", "yes")
        return response

    with served(app) as url:
        response = get(url)
    assert [frame.event for frame in frames_of(response.content)][-1] == "response.completed"
    assert response.cookies["seen"] == "yes"
    assert done == [1]


def test_your_own_status_and_headers() -> None:
    stream = EventStream(reactivex.empty(), status=201, headers={"Cache-Control": "no-store", "X-Own": "é"})
    with served(stream) as url:
        response = get(url)
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-own"] == "é"


def test_who_leaves_is_disposed_and_the_socket_of_the_answer_closes() -> None:
    with LocalServer([answers.endless(pace=200)]) as upstream:
        with served(with_session(upstream.base_url, ROUTE), lifespan=True) as url:
            with httpx.stream("GET", url, timeout=BOUND, trust_env=False) as response:
                next(response.iter_bytes())
            (exchange,) = upstream.wait_closed(timeout=BOUND)
        assert exchange.closed_by_client


def test_who_leaves_while_nothing_is_sent_is_disposed() -> None:
    disposed: list[bool] = []
    source = reactivex.create(lambda observer, scheduler=None: Disposable(lambda: disposed.append(True)))
    with served(EventStream(source)) as url:
        with httpx.stream("GET", url, timeout=BOUND, trust_env=False) as response:
            assert response.status_code == 200
        wait_for(lambda: disposed)


def test_a_slow_client_pauses_the_answer() -> None:
    """The client reads nothing. What the server sends then is what the buffers on the way take."""
    with (
        LocalServer([answers.endless("x" * 10_000)]) as upstream,
        served(with_session(upstream.base_url, ROUTE), lifespan=True) as url,
        socket.socket() as client,
    ):
        client.settimeout(BOUND)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        host, _, port = url.removeprefix("http://").partition(":")
        client.connect((host, int(port)))
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        (exchange,) = upstream.wait_requests(timeout=BOUND)
        sizes = [-1]

        def paused() -> bool:
            sizes.append(exchange.bytes_sent)
            time.sleep(0.05)
            return sizes[-1] > 0 and sizes[-1] == sizes[-4 if len(sizes) > 4 else 0]

        wait_for(paused)
        assert exchange.bytes_sent < 50_000_000
        read = 0
        while read < 2 * exchange.bytes_sent and read < 60_000_000:  # it goes on when the client reads
            read += len(client.recv(1 << 20))
        client.close()
        upstream.wait_closed(timeout=BOUND)


def test_an_error_in_the_middle_is_a_part_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    error = ConnectError("postgres://user:secret@host")
    source = reactivex.concat(reactivex.from_iterable(say("C M B a")), reactivex.throw(error))
    for format, kind in ((to_sse(), "error"), (to_ui_messages(), "error"), (to_ag_ui("t", "r"), "RUN_ERROR")):
        with caplog.at_level(logging.WARNING, "rxstream"), served(EventStream(source, format)) as url:
            content = get(url).content
        assert b"secret" not in content
        types = [json.loads(frame.data)["type"] for frame in frames_of(content) if frame.data != "[DONE]"]
        assert kind in types
    assert [record.exc_info and record.exc_info[1] for record in caplog.records] == [error] * 3


def test_a_part_that_cannot_be_written_ends_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    format = to_ui_messages()
    parts = reactivex.of({"type": "x"}, {"type": object()})
    format._operator = lambda source: parts  # type: ignore[assignment]
    with caplog.at_level(logging.WARNING, "rxstream"), served(EventStream(reactivex.empty(), format)) as url:
        assert get(url).content == b'data: {"type":"x"}\n\ndata: [DONE]\n\n'
    assert "expected what JSON can hold" in caplog.text


def test_heartbeats_while_nothing_comes() -> None:
    subject: Any = reactivex.Subject()
    with (
        served(EventStream(subject, heartbeat=0.02)) as url,
        httpx.stream("GET", url, timeout=BOUND, trust_env=False) as response,
    ):
        lines = response.iter_lines()
        assert [next(lines) for _ in range(4)] == [": heartbeat", "", ": heartbeat", ""]
        subject.on_next(parse_event('{"type":"response.x"}'))
        subject.on_completed()
        assert [line for line in lines if line and line != ": heartbeat"] == [
            "event: response.x",
            'data: {"type":"response.x"}',
        ]


def test_what_comes_together_is_sent_together() -> None:
    sent: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def noting(message: Any) -> None:
            sent.append(message.get("body", b""))
            await send(message)

        await EventStream(reactivex.from_iterable(say("C M B a b K")))(scope, receive, noting)

    with served(app) as url:
        assert len(frames_of(get(url).content)) == 6
    assert len([body for body in sent if body]) == 1


def test_a_browser_resumes_from_a_shared_stream() -> None:
    events = [json.loads(event.model_dump_json()) for event in say("C M B a b K")]
    numbered = [parse_event(json.dumps({**each, "sequence_number": n})) for n, each in enumerate(events)]
    source = reactivex.from_iterable(numbered).pipe(ops.replay())

    async def resume(request: Request) -> EventStreamResponse:
        last = request.headers.get("last-event-id")
        return EventStreamResponse(source, to_sse(after=int(last) if last else None))

    source.connect()
    with served(with_session("http://127.0.0.1:1", Route("/", resume)), lifespan=True) as url:
        assert [frame.id for frame in frames_of(get(url, **{"last-event-id": "3"}).content)] == ["4", "5"]


def test_a_session_on_a_thread_of_its_own() -> None:
    with LocalServer([answers.endless(pace=200)]) as upstream:
        with (
            rxstream.Session("none", base_url=upstream.base_url) as session,
            served(EventStream(session.response(model="m", input="Hi"))) as url,
            httpx.stream("GET", url, timeout=BOUND, trust_env=False) as response,
        ):
            next(response.iter_bytes())
        upstream.wait_closed(timeout=BOUND)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (([],), TypeError, "expected an Observable of events to send, got list"),
        ((reactivex.empty(), to_sse), TypeError, "expected a format, such as"),
        ((reactivex.empty(), None, {"heartbeat": 0}), ValueError, "more than 0 seconds as heartbeat"),
        ((reactivex.empty(), None, {"buffer": 0}), ValueError, "buffer must be 1 or more"),
    ],
)
def test_wrong_arguments(arguments: Any, error: type[Exception], text: str) -> None:
    options = arguments[2] if len(arguments) > 2 else {}
    for make in (EventStream, EventStreamResponse):
        with pytest.raises(error, match=text):
            make(*arguments[:2], **options)


@pytest.mark.anyio
async def test_it_answers_requests_only() -> None:
    with pytest.raises(RuntimeError, match="expected an HTTP request, got websocket"):
        await EventStream(reactivex.empty())({"type": "websocket"}, None, None)  # type: ignore[arg-type]


def one_event(disposed: list[bool]) -> Any:
    """A source that emits one event, and then nothing."""

    def subscribe(observer: Any, scheduler: Any = None) -> Any:
        observer.on_next(say("C")[0])
        return Disposable(lambda: disposed.append(True))

    return reactivex.create(subscribe)


@pytest.mark.anyio
async def test_a_server_whose_send_fails_ends_it() -> None:
    disposed: list[bool] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise OSError("the client is gone")

    with anyio.fail_after(BOUND):
        await EventStream(one_event(disposed))({"type": "http"}, anyio.sleep_forever, send)  # type: ignore[arg-type]
    assert disposed == [True]


@pytest.mark.anyio
async def test_a_client_that_goes_ends_it_also_while_a_part_is_being_sent() -> None:
    disposed: list[bool] = []
    sending, messages = anyio.Event(), iter(["http.request", "http.request", "http.disconnect"])

    async def receive() -> Any:
        await sending.wait()
        return {"type": next(messages)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            sending.set()
            await anyio.sleep_forever()

    with anyio.fail_after(BOUND):
        await EventStream(one_event(disposed))({"type": "http"}, receive, send)
    assert disposed == [True]
