"""One line for each stream at DEBUG, and nothing private in any record, in all modes and for all endings."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.sse import Frame
from rxstream.testing import LocalServer, answers, assert_clean_log
from rxstream.transport import MemoryTransport
from tests.session._modes import Heard, in_session, modes

KEY, PROMPT, OUTPUT = "sk-canary-0123456789", "the-prompt-canary", "the-output-canary"
SECRETS = (KEY, PROMPT, OUTPUT)

ANSWER = answers.text(f"{OUTPUT} and more", split=7)
LINE = re.compile(r"stream of response (\S+): (\d+) events, (\S+) bytes, (\d+\.\d{3}) s, (.+)")


def lines(records: list[logging.LogRecord]) -> list[tuple[str, ...]]:
    found = [LINE.fullmatch(record.getMessage()) for record in records if record.name == "rxstream"]
    return [match.groups() for match in found if match is not None]


ENDINGS: dict[str, tuple[Any, str]] = {
    "completed": (ANSWER, "completed"),
    "incomplete": (answers.incomplete(OUTPUT), "incomplete"),
    "failed": (answers.failed(message=OUTPUT, partial_text=OUTPUT), "ResponseFailedError"),
    "error": (answers.error("invalid_prompt", f"{PROMPT} {KEY}"), "ApiError"),
    "truncated": (answers.truncated(ANSWER, after=6), "TruncatedError"),
    "cut": (answers.disconnect(ANSWER, after=6), "DisconnectedError"),
    "silent": (answers.hang(ANSWER, after=6), "BetweenEventsTimeoutError"),
    "never ends": (answers.hang(ANSWER, after=len(answers.events_of(ANSWER)) - 1), "TruncatedError"),
    "refused": (answers.http_error(401, message=f"{KEY} {PROMPT}"), "StatusError"),
    "page": (answers.html(body=f"<p>{KEY} {PROMPT}</p>"), "ContentTypeError"),
    "not json": (answers.tape(f"data: {{{OUTPUT}{KEY}\n\n".encode()), "ProtocolError"),
    "too long": (answers.text("x" * 5000 + OUTPUT, split=100), "ResponseTooLargeError"),
    "too large": (answers.tape(b"data: " + OUTPUT.encode() * 5000), "FrameTooLargeError"),
}


@modes
@pytest.mark.parametrize("ending", ENDINGS)
def test_one_line_for_each_ending_and_nothing_private(mode: str, ending: str) -> None:
    answer, outcome = ENDINGS[ending]
    heard = Heard()
    limits = {"terminal_grace": 0.3, "between_timeout": 0.5, "max_response_chars": 2000, "max_frame_bytes": 50_000}
    with LocalServer([answer]) as server, assert_clean_log(*SECRETS) as records:
        options = {"api_key": KEY, "base_url": server.base_url, "max_retries": 0, **limits}
        in_session(mode, lambda s: heard.subscribe(s.response(model="m", input=PROMPT)), **options)
    assert heard.errors or heard.completions
    ((response_id, events, size, _, said),) = lines(records)
    assert said == outcome
    assert int(events) == len(heard.values)
    assert (int(size) > 0) is (ending not in ("refused", "page"))  # these bodies are no streams
    assert response_id == (heard.values[0].response.id if heard.values else "unknown")


@modes
@pytest.mark.parametrize("how", ["dispose", "raise", "leave"])
def test_one_line_where_the_subscriber_ends_it(mode: str, how: str) -> None:
    def body(session: rxstream.Session) -> None:
        answer = session.response(model="m", input=PROMPT)
        if how == "leave":
            answer.subscribe(on_error=lambda _: None)
            raise KeyError
        if how == "dispose":
            answer.pipe(ops.take(2)).subscribe()
        else:
            answer.subscribe(_raise_at_text, on_error=lambda _: None)

    with LocalServer([answers.endless(OUTPUT)]) as server, assert_clean_log(*SECRETS) as records:
        try:
            in_session(mode, body, api_key=KEY, base_url=server.base_url)
        except (KeyError, ExceptionGroup):
            assert how == "leave"
    found = lines(records)
    if how != "leave":  # then the stream may have been cancelled before it began
        assert [line[-1] for line in found] == [{"dispose": "disposed", "raise": "ZeroDivisionError"}[how]]
    assert all(line[-1] == "session left" for line in found if how == "leave")


def _raise_at_text(event: Any) -> None:
    if event.type == "response.output_text.delta":
        raise ZeroDivisionError(OUTPUT)


def test_bytes_and_events_are_those_of_all_tries() -> None:
    with LocalServer([answers.disconnect(ANSWER, after=5)]) as server, assert_clean_log(level=logging.INFO) as records:
        heard = Heard()
        with rxstream.Session(KEY, base_url=server.base_url) as session:
            heard.subscribe(session.response(model="m", input="Hi", background=True, resume=True))
    ((_, events, size, _, outcome),) = lines(records)
    assert outcome == "completed"
    assert int(events) == len(heard.values)
    assert int(size) > 0.9 * len(b"".join(ANSWER.all_frames()))  # the request is repeated in it


def test_an_id_of_the_server_is_one_short_line_without_the_key() -> None:
    odd = f'{{"type":"response.created","response":{{"id":"a\\n\\u001b[31m{KEY}{"x" * 5000}"}}}}'
    transport = MemoryTransport([Frame(data=odd)])
    with assert_clean_log(KEY) as records, LocalServer([answers.tape(f"data: {odd}\n\n".encode())]) as server:
        for options in ({"transport": transport}, {"base_url": server.base_url}):
            with rxstream.Session(KEY, **options) as session:
                session.response(model="m").subscribe(on_error=lambda _: None)
    texts = [record.getMessage() for record in records if record.name == "rxstream"]
    assert len(texts) == 2
    assert all("[redacted]" in text and len(text) < 300 for text in texts)
    assert "unknown bytes" in texts[0]


@modes
def test_nothing_is_counted_where_debug_is_not_logged(mode: str) -> None:
    logging.getLogger("rxstream").setLevel(logging.INFO)
    heard = Heard()
    try:
        with LocalServer([ANSWER]) as server:
            options = {"api_key": KEY, "base_url": server.base_url}
            in_session(mode, lambda s: heard.subscribe(s.response(model="m").pipe(rxs.text_only())), **options)
    finally:
        logging.getLogger("rxstream").setLevel(logging.NOTSET)
    assert heard.completed()
