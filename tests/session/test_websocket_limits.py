"""The limits of a session and of a request hold over a WebSocket as over HTTP, and so does the line in the log."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import rxstream
from rxstream import errors
from rxstream.testing import LocalServer, answers, assert_clean_log
from tests.session._modes import Heard, hear, in_session, modes, nothing_left_behind, options_for
from tests.session.test_stream_log import lines

ANSWER = answers.reasoning_summary("Let me think", then="Hello there")
EVENTS = answers.events_of(ANSWER)
ITEMS_DONE = len(EVENTS) - 1
BEFORE_TEXT = next(place for place, event in enumerate(EVENTS) if event.type == "response.output_text.delta")
LONG = 600.0

LIMITS: dict[str, tuple[answers.Answer, dict[str, float], type[errors.RxStreamError]]] = {
    "idle": (answers.hang(ANSWER, 3), {"idle": 0.5}, errors.IdleTimeoutError),
    "idle before the first message": (answers.hang(ANSWER, 0), {"idle": 0.3}, errors.IdleTimeoutError),
    "first_event": (answers.hang(ANSWER, 0), {"first_event": 0.3}, errors.FirstEventTimeoutError),
    "first_text": (answers.hang(ANSWER, BEFORE_TEXT), {"first_text": 0.5}, errors.FirstTextTimeoutError),
    "between": (answers.hang(ANSWER, 3), {"between": 0.5}, errors.BetweenEventsTimeoutError),
    "total": (answers.endless(pace=100), {"total": 0.5}, errors.TotalTimeoutError),
    "terminal_grace": (answers.hang(ANSWER, ITEMS_DONE), {"terminal_grace": 0.3}, errors.TruncatedError),
}


@modes
@pytest.mark.parametrize("limit", LIMITS)
def test_a_time_limit_of_a_request(mode: str, limit: str) -> None:
    answer, timeout, kind = LIMITS[limit]
    heard = Heard()
    with nothing_left_behind(), LocalServer([answer], patience=5) as server:
        in_session(
            mode,
            lambda session: heard.subscribe(session.response(model="m", input="Hi", timeout=timeout)),  # pyright: ignore
            **options_for(server),
            transport="websocket",
            idle_timeout=LONG,
        )
        assert len(server.log) == 1
    assert type(heard.error) is kind
    assert heard.values or answer.after == 0
    assert heard.error.response_id == (heard.values[0].response.id if heard.values else None)


@modes
def test_no_limit_where_the_request_has_none(mode: str) -> None:
    """The session's limit is shorter than the answer takes."""
    heard = Heard()
    with LocalServer([answers.text("one two", split=None)], pace=10) as server:
        in_session(
            mode,
            lambda session: heard.subscribe(session.response(model="m", input="Hi", timeout={"idle": None})),
            **options_for(server),
            transport="websocket",
            idle_timeout=0.05,
        )
    assert heard.completed()


@modes
def test_the_limit_of_a_frame_is_that_of_the_session(mode: str) -> None:
    with LocalServer([answers.text("x" * 20_000, split=20_000)]) as server:
        heard = hear(mode, server, transport="websocket", max_frame_bytes=10_000)
    assert isinstance(heard.error, errors.FrameTooLargeError)
    assert "max_frame_bytes=10000" in str(heard.error)


@modes
def test_the_log_has_the_bytes_of_each_response_of_a_socket(mode: str) -> None:
    heard: list[Heard] = []

    async def one_by_one(session: rxstream.Session) -> None:
        for _ in range(2):
            heard.append(Heard())
            await rxstream.result(session.response(model="m", input="Hi"))

    with LocalServer([ANSWER]) as server, assert_clean_log(level=logging.INFO) as records:
        options: dict[str, Any] = {**options_for(server), "transport": "websocket"}
        in_session(mode, lambda session: session.spawn(lambda: one_by_one(session)), **options)
        assert [record.connection for record in server.log] == [1, 1]
        sent = [record.bytes_sent for record in server.log]
    assert [int(size) for _, _, size, _, _ in lines(records)] == sent
