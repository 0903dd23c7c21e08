"""A key that a server repeats stands in no error and on no tape, wherever it repeats it and in whatever notation."""

from __future__ import annotations

import json
import pickle
import traceback
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import BaseModel
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.errors import RxStreamError
from rxstream.testing import LocalServer, answers
from tests.session._modes import Heard, hear, in_session, modes

KEY = "sk-canary/0123+yranac=="
NOTATIONS = {
    "plain": KEY,
    "slash": KEY.replace("/", "\\/"),
    "units": "".join(f"\\u{ord(c):04X}" for c in KEY),
    "twice": "".join(f"\\\\u{ord(c):04x}" for c in KEY),
    "url": quote(KEY, safe=""),
    "lower": KEY.lower(),
}


def assert_no_key(*texts: str) -> None:
    for text in texts:
        plain = text.lower().replace("\\", "")
        assert "canary" not in plain, text
        assert "u0063u0061u006e" not in plain, text
        assert "yranac" not in plain, text


def assert_hides_the_key(error: BaseException) -> None:
    """In its texts, its attributes, its pickle, its traceback with all variables, and in what it hangs on."""
    assert isinstance(error, RxStreamError)
    seen: BaseException | None = error
    while seen is not None:
        assert_no_key(str(seen), repr(seen), repr(seen.args), repr(vars(seen)))
        seen = seen.__cause__ or seen.__context__
    assert_no_key(
        repr(pickle.dumps(error)),
        *traceback.TracebackException.from_exception(error, capture_locals=True).format(),
    )


def frames(*data: str) -> answers.Answer:
    return answers.tape("".join(f"data: {line}\n\n" for line in data).encode())


def reply(*head: str, body: str = "") -> Any:
    lines = "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *head, "", body])
    return answers.verbatim(lines.encode())


CREATED = '{"type":"response.created","response":{"id":"r"}}'


def echoes(key: str) -> dict[str, Any]:
    """Answers in each of which the key stands. In JSON it stands in the notation that is wanted."""
    return {
        "status": answers.http_error(401, f'{{"error":{{"message":"no: {key}","code":"{key}","type":"{key}"}}}}'),
        "page": answers.http_error(502, f"<p>{key}</p>"),
        "end of what is kept": answers.http_error(500, "x" * 1010 + key),
        "request id": answers.http_error(500, headers={"x-request-id": KEY}),
        "redirect": answers.http_error(307, headers={"location": f"https://u:{key}@other.example/?key={key}"}),
        "content type": reply(f"Content-Type: text/{KEY}"),
        "encoding": reply("Content-Type: text/event-stream", f"Content-Encoding: {KEY}"),
        "json": reply("Content-Type: application/json", body=f'{{"error": "{key}"}}'),
        "no json": frames(f"{{{key}"),
        "end of an excerpt": frames(f"{{{'x' * 95}{key}"),
        "array": frames(f'["{key}"]'),
        "error": frames(f'{{"type":"error","message":"{key}","code":"{key}","param":"{key}"}}'),
        "nested error": frames(f'{{"type":"error","error":{{"message":"{key}","code":"{key}","param":"{key}"}}}}'),
        "failed": frames(
            f'{{"type":"response.failed","response":{{"id":"{key}","error":{{"code":"{key}","message":"{key}"}}}}}}'
        ),
        "type": frames(CREATED, f'{{"type":"{key}"}}'),
    }


@pytest.mark.parametrize("notation", NOTATIONS)
def test_no_error_of_a_stream_holds_the_key(notation: str, tmp_path: Path) -> None:
    answers_by_name = echoes(NOTATIONS[notation])
    with LocalServer([*answers_by_name.values()]) as server:
        for number in range(len(answers_by_name)):
            heard = hear("with", server, api_key=KEY, tape=tmp_path / f"{number}")
            assert_hides_the_key(heard.error)
    for tape in tmp_path.iterdir():
        assert_no_key(tape.read_text())
    assert len([*tmp_path.iterdir()]) >= 7


class Answer(BaseModel):
    number: int


CONTENT = {
    "schema": (answers.text(f'{{"number": "{KEY}"}}', split=5), rxs.parse_output(Answer)),
    "no json": (answers.text(f"Your key is {KEY}", split=5), rxs.parse_output(Answer)),
    "refusal": (answers.refusal(f"I will not use {KEY}"), rxs.parse_output(Answer)),
    "incomplete": (answers.incomplete("Hi", KEY), rxs.require_completed()),
    "arguments": (answers.function_calls([("f", "{" + KEY)]), rxs.accumulate_function_args()),
}


@pytest.mark.parametrize("name", CONTENT)
def test_no_error_of_an_operator_holds_the_key(name: str) -> None:
    answer, operator = CONTENT[name]
    parse: Any = lambda value: value.parse() if name == "arguments" else value  # noqa: E731
    with LocalServer([answer]) as server:
        heard = hear("with", server, lambda source: source.pipe(operator, ops.map(parse)), api_key=KEY)
    error = heard.error.with_traceback(None)  # its frames hold the events, which are given as they came
    assert_hides_the_key(error)


@modes
def test_no_tape_holds_the_key(mode: str, tmp_path: Path) -> None:
    with LocalServer([answers.text([f"It is {KEY}"])] * 2) as server:
        build = lambda source: source.pipe(rxs.tee_to_tape(tmp_path / "teed"))  # noqa: E731
        for _ in range(2):
            assert hear(mode, server, build, api_key=KEY, tape=tmp_path / "taped").completed()
    for tape in tmp_path.iterdir():
        assert "[redacted]" in tape.read_text()
        assert_no_key(tape.read_text())
        assert tape.stat().st_mode & 0o777 == 0o600


def test_secrets_in_headers_and_in_the_url_are_hidden_too() -> None:
    body = "password-canary-4567 cookie-canary-4567 query-canary-4567 other-canary-4567"
    with LocalServer([answers.http_error(500, body)]) as server:
        url = server.base_url.replace("http://", "http://user:password-canary-4567@") + "?sig=query-canary-4567"
        headers = {"Cookie": "a=b; session=cookie-canary-4567", "CF-Access-Client-Secret": "other-canary-4567"}
        heard = hear("with", server, api_key=None, base_url=url, headers=headers)
    assert_hides_the_key(heard.error)
    assert heard.error.body == " ".join(["[redacted]"] * 4)  # type: ignore[attr-defined]


def test_an_address_that_cannot_be_read_is_not_quoted() -> None:
    for url in (f"https://user:{KEY}", f"https://user:{KEY}@[::1", "https://user:sk-canary@ho℀st"):
        with pytest.raises(ValueError, match="base URL") as caught:
            rxstream.Session("sk", base_url=url).response(model="m", input="Hi")
        assert_no_key(str(caught.value), repr(caught.value.__context__))


def test_no_key_in_the_variables_of_a_failed_request() -> None:
    """A mistake in a program keeps its traceback; our frames in it show neither key nor prompt."""

    class Broken:
        is_closed = False

        def build_request(self, *_: object, **__: object) -> None:
            raise LookupError("a mistake")

        async def send(self, *_: object, **__: object) -> None: ...

    heard = Heard()
    session = {"api_key": KEY, "http_client": Broken(), "base_url": "http://127.0.0.1:1"}
    in_session("with", lambda s: heard.subscribe(s.response(model="m", input="canary prompt")), **session)
    trace = traceback.TracebackException.from_exception(heard.error, capture_locals=True)
    trace.stack.pop()  # the frame of the client's own method
    assert_no_key(*trace.format())


def test_json_on_a_tape_stays_json(tmp_path: Path) -> None:
    with LocalServer([frames(CREATED, json.dumps({"type": "x", "a": f'say "{KEY}"'}))]) as server:
        hear("with", server, api_key=KEY, tape=tmp_path / "tape")
    lines = [json.loads(line) for line in (tmp_path / "tape").read_text().splitlines()]
    assert json.loads(lines[2]["data"]) == {"type": "x", "a": 'say "[redacted]"'}


def unsendable(request: dict[str, Any], **options: Any) -> ValueError:
    """The error for a request that is refused before anything is sent."""
    heard = Heard()
    with pytest.raises(ValueError, match="must be printable") as caught:
        in_session("with", lambda session: heard.subscribe(session.response(**request)), **options)
        raise heard.error
    return caught.value


@pytest.mark.parametrize("what", ["key", "header"])
def test_no_key_in_the_variables_of_what_cannot_be_sent(what: str) -> None:
    options: dict[str, Any] = {"api_key": KEY + "\n"} if what == "key" else {"api_key": KEY, "headers": {"x": "\n"}}
    error = unsendable({"model": "m", "input": "Hi"}, **options)
    stack = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    ours = [frame for frame in stack if "/tests/" not in frame.filename]
    assert ours
    assert_no_key(*(repr(frame.locals) for frame in ours))


NO_KEPT_CONNECTION = httpx.Limits(max_keepalive_connections=0)
"""The loop of the session has ended when the client could be closed."""


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_key_of_the_users_own_client_is_hidden_too(end: str) -> None:
    """With a line end the client refuses its own header, and quotes it."""
    client = httpx.AsyncClient(headers={"x-my-token": f"Bearer {KEY}{end}"}, limits=NO_KEPT_CONNECTION)
    with LocalServer([answers.http_error(401, message=f"no such key: {KEY}")]) as server:
        heard = hear("with", server, http_client=client)
    assert_hides_the_key(heard.error)
    assert "[redacted]" in str(heard.error)


def test_a_password_of_the_users_own_client_is_hidden_too() -> None:
    client = httpx.AsyncClient(auth=("user", KEY), limits=NO_KEPT_CONNECTION)
    header = "Basic " + b64encode(f"user:{KEY}".encode()).decode()
    with LocalServer([answers.http_error(401, message=f"you sent {header}")]) as server:
        heard = hear("with", server, api_key=None, http_client=client)
    assert "you sent [redacted]" in str(heard.error)
