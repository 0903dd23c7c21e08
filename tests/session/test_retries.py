"""What a session sends again, and what it never does."""

from __future__ import annotations

import pytest

from rxstream import errors
from rxstream.testing import LocalServer, answers
from tests.session._modes import hear, modes


@modes
def test_retries_before_the_first_event(mode: str) -> None:
    again = [
        answers.http_error(429, headers={"retry-after-ms": "1"}),
        answers.http_error(500, headers={"retry-after": "0"}),
    ]
    with LocalServer([*again, answers.text("Hi")]) as server:
        heard = hear(mode, server, max_retries=2)
        assert heard.completed()
        assert [exchange.status for exchange in server.log] == [429, 500, 200]
        assert len({str(exchange.json) for exchange in server.log}) == 1


@modes
@pytest.mark.parametrize(
    ("reply", "requests"),
    [
        (answers.http_error(400), 1),
        (answers.http_error(401), 1),
        (answers.http_error(404), 1),
        (answers.http_error(500, headers={"x-should-retry": "false"}), 1),
        (answers.http_error(400, headers={"x-should-retry": "true", "retry-after-ms": "1"}), 3),
        (answers.http_error(503, headers={"retry-after-ms": "1"}), 3),
        (answers.http_error(408, headers={"retry-after-ms": "1"}), 3),
        (answers.http_error(409, headers={"retry-after-ms": "1"}), 3),
        (answers.http_error(429, headers={"retry-after": "3600"}), 1),
    ],
    ids=["400", "401", "404", "told-not-to", "told-to", "503", "408", "409", "asked-to-wait-too-long"],
)
def test_what_is_tried_again(mode: str, reply: object, requests: int) -> None:
    with LocalServer([reply]) as server:  # type: ignore[list-item]
        assert isinstance(hear(mode, server, max_retries=2).error, errors.StatusError)
        assert len(server.log) == requests


ACCEPTED = {
    "reset": answers.disconnect(answers.text("Hi"), 0, "rst"),
    "closed": answers.disconnect(answers.text("Hi"), 0, "fin"),
    "inside a chunk": answers.disconnect(answers.text("Hi"), 0, "chunk", plus=5),
    "idle": answers.hang(answers.text("Hi"), 0),
    "no event": answers.truncated(answers.text("Hi"), 0),
}


@modes
@pytest.mark.parametrize("answer", ACCEPTED)
def test_nothing_is_sent_again_once_a_stream_was_promised(mode: str, answer: str) -> None:
    with LocalServer([ACCEPTED[answer]]) as server:
        heard = hear(mode, server, max_retries=2, idle_timeout=0.3)
        assert isinstance(heard.error, errors.TransportError | errors.TruncatedError)
        assert len(server.log) == 1


@modes
def test_nothing_is_sent_again_once_an_event_has_come(mode: str) -> None:
    with LocalServer([answers.truncated(answers.text("Hi"), after=1)]) as server:
        assert isinstance(hear(mode, server, max_retries=2).error, errors.TruncatedError)
        assert len(server.log) == 1
