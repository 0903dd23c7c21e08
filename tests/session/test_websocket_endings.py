"""How a response over a WebSocket ends, whatever the wire does: as docs/reference/endings.md says."""

from __future__ import annotations

import os
import random
import ssl
import struct
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest
from websockets.sync.server import ServerConnection

import rxstream
from rxstream import errors
from rxstream.testing import LocalServer, answers
from tests.session._modes import Heard, hear, in_session, modes, nothing_left_behind, options_for
from tests.session._socket_peer import MESSAGES, Peer, send_all, socket_peer
from tests.session.test_connections import CERTIFICATE
from tests.waiting import BOUND, until, wait_for

ANSWER = answers.together(answers.text("Hello there, you"), answers.function_calls([("f", {"a": 1})]))
COUNT = len(answers.events_of(ANSWER))


def listen(mode: str, peer: Peer, **options: Any) -> Heard:
    heard = Heard()
    fixed = {"api_key": "sk-any", "base_url": peer.base_url, "max_retries": 0, "transport": "websocket"}
    in_session(mode, lambda session: heard.subscribe(session.response(model="m", input="Hi")), **fixed | options)
    return heard


def frame(data: bytes, first: int = 0x81) -> bytes:
    """A WebSocket frame of a server."""
    size = struct.pack("!B", len(data)) if len(data) < 126 else struct.pack("!BH", 126, len(data))
    return bytes([first]) + size + data


BEGUN = b"".join(frame(message.encode()) for message in MESSAGES[:3])


@modes
def test_a_polite_end_at_every_event(mode: str) -> None:
    with LocalServer([answers.truncated(ANSWER, after) for after in range(1, COUNT)]) as server, nothing_left_behind():
        for after in range(1, COUNT):
            heard = hear(mode, server, transport="websocket")
            assert isinstance(heard.error, errors.TruncatedError)
            assert len(heard.values) == after
            assert heard.error.sequence_number == after - 1
            assert heard.error.response_id == heard.values[0].response.id


@pytest.mark.parametrize("how", ["rst", "fin", "chunk"])
def test_a_wire_that_breaks_at_every_event(how: Any) -> None:
    with LocalServer([answers.disconnect(ANSWER, after, how, plus=after % 7) for after in range(1, COUNT)]) as server:
        for after in range(1, COUNT):
            heard = hear("asyncio", server, transport="websocket")
            assert isinstance(heard.error, errors.DisconnectedError if heard.values else errors.TransportError)
            assert [event.sequence_number for event in heard.values] == list(range(len(heard.values)))
            if how != "rst":  # a reset may overtake what the kernel had not sent yet
                assert len(heard.values) == after
            if heard.values:
                assert heard.error.sequence_number == len(heard.values) - 1
                assert heard.error.response_id == heard.values[0].response.id
        assert len(server.log) == COUNT - 1


@modes
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (answers.truncated(ANSWER, 0), errors.ConnectError),
        (answers.disconnect(ANSWER, 0, "rst"), errors.TransportError),
        (answers.disconnect(ANSWER, 0, "fin"), errors.ConnectError),
        (answers.verbatim(b""), errors.ConnectError),
        (answers.verbatim(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200), errors.ProtocolError),
        (answers.verbatim(BEGUN + frame(b"nonsense")), errors.ProtocolError),
        (answers.verbatim(BEGUN + frame(b"[1]")), errors.ProtocolError),
        (answers.verbatim(BEGUN + frame(b"\xff\xfe")), errors.ProtocolError),
        (answers.verbatim(BEGUN + frame(b"\xff\xfe", 0x82)), errors.ProtocolError),
        (answers.verbatim(BEGUN + frame(b"{}", 0xC1)), errors.ProtocolError),
        (answers.verbatim(BEGUN + frame(b"{}", 0x80)), errors.ProtocolError),
        (answers.verbatim(BEGUN + frame(b"\x00", 0x88)), errors.ProtocolError),
        (answers.verbatim(BEGUN + b"\x81\xff"), errors.ProtocolError),
        (answers.verbatim(BEGUN + b"\x81\x7f" + struct.pack("!Q", 2**40)), errors.FrameTooLargeError),
        (answers.verbatim(BEGUN), errors.DisconnectedError),
        (answers.verbatim(BEGUN + frame(MESSAGES[3].encode(), 0x01)), errors.DisconnectedError),
        (answers.verbatim(BEGUN + frame(struct.pack("!H", 1000), 0x88)), errors.TruncatedError),
        (answers.verbatim(BEGUN + frame(b"", 0x88)), errors.DisconnectedError),
    ],
)
def test_broken_answers(mode: str, answer: Any, kind: type[errors.RxStreamError]) -> None:
    with LocalServer([answer]) as server, nothing_left_behind():
        heard = hear(mode, server, transport="websocket")
        assert isinstance(heard.error, kind)
        assert heard.error.__context__ is None
        if answer.verbatim if isinstance(answer, answers.Reply) else False:
            assert len(heard.values) == (3 if answer.body.startswith(BEGUN) else 0)
        assert len(server.log) == 1


@modes
@pytest.mark.parametrize(
    ("code", "retryable"), [(1001, True), (1008, False), (1009, False), (1011, True), (1013, True), (4000, True)]
)
@pytest.mark.parametrize("begun", [True, False])
def test_close_codes_are_errors(mode: str, code: int, retryable: bool, begun: bool) -> None:
    closing = frame(struct.pack("!H", code) + b"the reason", 0x88)
    with LocalServer([answers.verbatim((BEGUN if begun else b"") + closing)]) as server:
        heard = hear(mode, server, transport="websocket")
    assert isinstance(heard.error, errors.DisconnectedError if begun else errors.ConnectError)
    assert str(code) in str(heard.error)
    assert "the reason" in str(heard.error)
    assert heard.error.retryable is retryable
    assert len(heard.values) == (3 if begun else 0)


@modes
def test_a_request_whose_connection_closed_before_the_answer_is_sent_again(mode: str) -> None:
    with LocalServer([answers.verbatim(b""), answers.text("Hi")]) as server:
        assert hear(mode, server, transport="websocket", max_retries=1).completed()
        assert len(server.log) == 2


@modes
@pytest.mark.parametrize("then_failed", [True, False])
def test_an_error_event_ends_the_response_at_once(mode: str, then_failed: bool) -> None:
    """The socket is not used again: what may follow the error would be read as the next response."""
    with LocalServer([answers.error("server_error", "Oh.", then_failed=then_failed), answers.text("Hi")]) as server:
        heard, again = Heard(), Heard()

        def body(session: rxstream.Session) -> None:
            async def run() -> None:
                heard.subscribe(session.response(model="m", input="Hi"))
                await until(lambda: heard.errors)
                again.subscribe(session.response(model="m", input="Hi"))

            session.spawn(run)

        in_session(mode, body, transport="websocket", **options_for(server))
        assert isinstance(heard.error, errors.ApiError)
        assert heard.types[-1] == "error"
        assert again.completed()
        assert [record.connection for record in server.log] == [1, 2]


@modes
def test_a_server_that_says_nothing(mode: str) -> None:
    with LocalServer([answers.silent()]) as server:
        error = hear(mode, server, transport="websocket", idle_timeout=0.1).error
        assert isinstance(error, errors.IdleTimeoutError)


@modes
def test_a_server_that_falls_silent(mode: str) -> None:
    with LocalServer([answers.hang(ANSWER, 5)]) as server:
        heard = hear(mode, server, transport="websocket", idle_timeout=1)
        assert isinstance(heard.error, errors.IdleTimeoutError)
        assert len(heard.values) == 5


@modes
def test_binary_and_fragmented_messages_and_pings(mode: str) -> None:
    """The official client reads JSON in binary messages too."""
    pongs: list[threading.Event] = []

    def turn(connection: ServerConnection, request: dict[str, Any]) -> None:
        pongs.append(connection.ping())
        for number, message in enumerate(MESSAGES):
            half = len(message) // 2
            connection.send([message[:half], message[half:]] if number % 2 else message.encode())
            pongs.append(connection.ping())
        assert all(pong.wait(BOUND) for pong in pongs)

    with socket_peer(turn) as peer:
        heard = listen(mode, peer)
        assert heard.completed()
        wait_for(lambda: len(pongs) == len(MESSAGES) + 1 and all(pong.is_set() for pong in pongs[:-1]))
    assert len(heard.values) == len(MESSAGES)


@modes
def test_disposing_closes_the_socket(mode: str) -> None:
    with LocalServer([answers.endless()], pace=200) as server, nothing_left_behind():
        heard = Heard()

        def body(session: rxstream.Session) -> None:
            subscription = heard.subscribe(session.response(model="m", input="Hi"))

            async def dispose_soon() -> None:
                await until(lambda: len(heard.values) > 3)
                subscription.dispose()
                await server.until_closed(1, BOUND)

            session.spawn(dispose_soon)

        in_session(mode, body, transport="websocket", **options_for(server))
        assert heard.errors == []
        assert heard.completions == 0


@modes
def test_disposing_at_any_moment_leaves_nothing(mode: str) -> None:
    """During the upgrade, before the first event, between events, between two responses."""
    moments = random.Random(7)
    with LocalServer([answers.text("Hello " * 5)], pace=2000) as server, nothing_left_behind():
        heard = [Heard() for _ in range(60)]

        def body(session: rxstream.Session) -> None:
            async def run() -> None:
                for each in heard:
                    running = each.subscribe(session.response(model="m", input="Hi"))
                    await anyio.sleep(moments.uniform(0, 0.02))
                    running.dispose()

            session.spawn(run)

        in_session(mode, body, transport="websocket", **options_for(server))
        assert not any(each.errors for each in heard)
        assert {each.completions for each in heard} <= {0, 1}


@modes
def test_leaving_by_an_exception_closes_the_socket(mode: str) -> None:
    with LocalServer([answers.hang(ANSWER, 3)]) as server, nothing_left_behind():
        heard = Heard()

        def body(session: rxstream.Session) -> None:
            heard.subscribe(session.response(model="m", input="Hi"))
            if mode == "with":
                wait_for(lambda: heard.values)
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            in_session(mode, body, transport="websocket", **options_for(server))
        assert isinstance(heard.error, errors.DisconnectedError)


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

        options = options_for(server) | {"transport": "websocket"}
        in_session(mode, lambda session: session.spawn(lambda: slow(session)), **options)
        assert server.wait_closed(1, BOUND)[0].closed_by_client


@modes
def test_tls_and_a_certificate_of_ones_own(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "server.pem"
    file.write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    monkeypatch.setattr(ssl, "create_default_context", ssl.create_default_context.__wrapped__)  # type: ignore[attr-defined]
    with socket_peer(send_all, tls=context) as peer:
        assert isinstance(listen(mode, peer).error, errors.ConnectError)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert listen(mode, peer).completed()


@modes
def test_a_proxy_of_the_environment(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    with LocalServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        heard = hear(mode, proxy, transport="websocket", base_url="http://api.example.test/v1", api_key="")
        assert heard.completed()
        assert proxy.log[0].headers["host"] == "api.example.test"


@modes
def test_pings_are_answered_between_responses(mode: str) -> None:
    """A server closes a socket whose pings are not answered."""
    with socket_peer(send_all, ping_interval=0.05, ping_timeout=BOUND) as peer:
        heard = [Heard(), Heard()]

        def body(session: rxstream.Session) -> None:
            async def run() -> None:
                for each in heard:
                    each.subscribe(session.response(model="m", input="Hi"))
                    await until(lambda each=each: each.completions or each.errors)
                    first = peer.connections[0].latency
                    await until(lambda first=first: peer.connections[0].latency != first)

            session.spawn(run)

        in_session(mode, body, api_key="sk-any", base_url=peer.base_url, transport="websocket")
        assert all(each.completed() for each in heard)
        assert len(peer.connections) == 1
