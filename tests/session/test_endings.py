"""Every row of the table of endings (docs/reference/endings.md), over real loopback HTTP, in all three modes."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from rxstream import errors
from rxstream.testing import LocalServer, answers
from tests.ports import free_port
from tests.session._modes import Heard, hear, modes

pytestmark = modes

KEY = "sk-canary-0123456789"


def ended(mode: str, answer: object, **options: object) -> Heard:
    with LocalServer([answer]) as server:  # type: ignore[list-item]
        heard = hear(mode, server, **options)
        assert len(server.log) == 1
    for lost in heard.errors:
        assert KEY not in repr(lost) + str(lost) + str(pickle.dumps(lost))
        assert str(pickle.loads(pickle.dumps(lost))) == str(lost)
    return heard


def test_completed(mode: str) -> None:
    heard = ended(mode, answers.text("Hello there"))
    assert heard.completed()
    assert heard.types[0] == "response.created"
    assert heard.types[-1] == "response.completed"


def test_incomplete_completes(mode: str) -> None:
    heard = ended(mode, answers.incomplete("Cut sh"))
    assert heard.completed()
    assert heard.types[-1] == "response.incomplete"


def test_failed(mode: str) -> None:
    heard = ended(mode, answers.failed("server_error", "It broke."))
    assert heard.types[-1] == "response.failed"
    assert isinstance(heard.error, errors.ResponseFailedError)
    assert heard.error.code == "server_error"
    assert heard.error.message == "It broke."
    assert heard.error.response_id is not None
    assert heard.error.sequence_number == heard.values[-1].sequence_number


@pytest.mark.parametrize("nested", [True, False])
def test_an_error_event(mode: str, nested: bool) -> None:
    heard = ended(mode, answers.error("rate_limit_exceeded", "Slow down.", nested=nested))
    assert heard.types[-1] == "error"
    assert isinstance(heard.error, errors.ApiError)
    assert (heard.error.code, heard.error.message) == ("rate_limit_exceeded", "Slow down.")


def test_the_failed_that_follows_an_error_is_delivered(mode: str) -> None:
    heard = ended(mode, answers.error("server_error", "Oh.", then_failed=True))
    assert heard.types[-2:] == ["error", "response.failed"]
    assert isinstance(heard.error, errors.ApiError)


def test_an_error_event_and_then_silence_does_not_hang(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rxstream.session._subscription._AFTER_ERROR_EVENT", 0.05)
    answer = answers.error("server_error", "Oh.")
    heard = ended(mode, answers.hang(answer, after=3))
    assert heard.types[-1] == "error"
    assert isinstance(heard.error, errors.ApiError)


def test_eof_without_a_terminal_event(mode: str) -> None:
    heard = ended(mode, answers.truncated(answers.text("Hello there"), after=5))
    assert len(heard.values) == 5
    assert isinstance(heard.error, errors.TruncatedError)
    assert heard.error.sequence_number == 4
    assert heard.error.response_id == heard.values[0].response.id


@pytest.mark.parametrize("how", ["rst", "fin", "chunk"])
def test_a_wire_that_breaks(mode: str, how: str) -> None:
    heard = ended(mode, answers.disconnect(answers.text("Hello there"), after=5, how=how))  # type: ignore[arg-type]
    assert len(heard.values) <= 5
    assert isinstance(heard.error, errors.DisconnectedError)
    if heard.values:
        assert heard.error.response_id == heard.values[0].response.id
        assert heard.error.sequence_number == heard.values[-1].sequence_number


def test_an_empty_stream(mode: str) -> None:
    assert isinstance(ended(mode, answers.events([])).error, errors.TruncatedError)


def test_nobody_listens(mode: str) -> None:
    port = free_port()
    with LocalServer() as server:
        heard = hear(mode, server, base_url=f"http://127.0.0.1:{port}/v1")
    assert isinstance(heard.error, errors.ConnectError)
    assert f"127.0.0.1:{port}" in str(heard.error)
    assert "base_url" in str(heard.error)


def test_a_wrong_key(mode: str) -> None:
    with LocalServer(api_key="another") as server:
        heard = hear(mode, server)
    assert isinstance(heard.error, errors.StatusError)
    assert heard.error.status == 401
    assert "OPENAI_API_KEY" in str(heard.error)
    assert KEY not in str(heard.error) + repr(heard.error)


def test_too_many_requests(mode: str) -> None:
    heard = ended(mode, answers.http_error(429, headers={"retry-after": "7"}, message="Rate limit reached."))
    assert isinstance(heard.error, errors.StatusError)
    assert (heard.error.status, heard.error.retry_after) == (429, 7)
    assert "Rate limit reached" in str(heard.error)


def test_an_html_page(mode: str) -> None:
    heard = ended(mode, answers.html())
    assert isinstance(heard.error, errors.ContentTypeError)
    assert "text/html" in str(heard.error)


def test_a_server_that_says_nothing(mode: str) -> None:
    assert isinstance(ended(mode, answers.silent(), idle_timeout=0.1).error, errors.IdleTimeoutError)


def test_a_server_that_falls_silent(mode: str) -> None:
    heard = ended(mode, answers.hang(answers.text("Hello there"), after=5), idle_timeout=1)
    assert len(heard.values) == 5
    assert isinstance(heard.error, errors.IdleTimeoutError)


def test_bad_json(mode: str) -> None:
    heard = ended(mode, answers.tape(b'data: {"type":"response.created"\n\n'))
    assert isinstance(heard.error, errors.ProtocolError)


def test_what_was_good_before_the_bad_is_delivered(mode: str) -> None:
    heard = ended(mode, answers.tape(b"".join([*list(answers.text("Hi").all_frames())[:3], b"data: nonsense\n\n"])))
    assert len(heard.values) == 3
    assert isinstance(heard.error, errors.ProtocolError)
    assert heard.error.sequence_number == 2


def test_done_is_ignored(mode: str) -> None:
    whole = b"".join(answers.text("Hi").all_frames())
    assert ended(mode, answers.tape(whole + b"data: [DONE]\n\n")).completed()
    assert ended(mode, answers.tape(b"data: [DONE]\n\n" + whole)).completed()


def test_events_after_the_terminal_one_in_the_same_piece_are_delivered(mode: str) -> None:
    whole = b"".join(answers.text("Hi").all_frames()) + b'data: {"type":"keepalive","sequence_number":99}\n\n'
    heard = ended(mode, answers.tape(whole))
    assert heard.completed()
    assert heard.types[-2:] == ["response.completed", "keepalive"]


def test_a_server_that_never_stops_after_the_terminal_event(mode: str) -> None:
    """The linger is bounded as a whole, not from event to event."""
    whole = [json.loads(event.model_dump_json()) for event in answers.events_of(answers.text("Hi"))]
    heard = ended(mode, answers.events([*whole, *({"type": "keepalive"} for _ in range(3000))], pace=200))
    assert heard.completed()
    assert len(heard.values) < len(whole) + 2000


@pytest.mark.parametrize("status", ["failed", "incomplete"])
def test_a_completed_that_says_otherwise_ends_as_it_says(mode: str, status: str) -> None:
    response = {"id": "resp_1", "object": "response", "status": status, "output": []}
    heard = ended(mode, answers.events([{"type": "response.completed", "response": response}]))
    assert heard.types == [f"response.{status}"]
    assert heard.values[0].synthetic
    if status == "failed":
        assert isinstance(heard.error, errors.ResponseFailedError)
    else:
        assert heard.completed()


LONG = "\x1b[2J\n" + "é" * 200_000
HUGE = {
    "error": answers.error(LONG, LONG, param=LONG),
    "failed": answers.failed(LONG, LONG),
    "type": answers.events([{"type": LONG}]),
    "id": answers.events([{"type": "response.created", "response": {"id": LONG}}]),
    "status": answers.http_error(400, message=LONG, code=LONG, headers={"x-request-id": "r" * 10_000}),
    "no json": answers.tape(f"data: {LONG.splitlines()[1]}\n\n".encode()),
}


@pytest.mark.parametrize("huge", HUGE)
def test_what_an_error_says_is_bounded_and_has_no_control_characters(mode: str, huge: str) -> None:
    with LocalServer([HUGE[huge]]) as server:
        error = hear(mode, server).error
    texts = [str(error), *(value for value in vars(error).values() if isinstance(value, str))]
    for text in texts:
        assert len(text.encode()) <= 2048
        assert text.isprintable()
    assert len(pickle.dumps(error)) < 10_000
    if huge in ("error", "failed"):
        assert vars(error)["body"].startswith('{"')


def test_chunks_of_another_api_are_named(mode: str) -> None:
    chunks = [{"id": "c", "object": "chat.completion.chunk", "choices": [{"delta": {"content": "Hi"}}]}] * 2
    error = ended(mode, answers.events(chunks)).error
    assert isinstance(error, errors.ProtocolError)
    assert "Chat Completions" in str(error)


@pytest.mark.parametrize("make", [answers.error, answers.failed])
def test_an_error_in_the_stream_says_when_to_ask_again(mode: str, make: Any) -> None:
    error = ended(mode, make("rate_limit_exceeded", "Rate limit reached. Please try again in 4.2s.")).error
    assert isinstance(error, errors.ApiError | errors.ResponseFailedError)
    assert error.retry_after == 4.2
