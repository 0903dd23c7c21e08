"""The limit for the text of a response."""

from __future__ import annotations

import json
from typing import Any

import pytest

import rxstream
from rxstream.errors import ResponseTooLargeError
from rxstream.events import parse_event
from rxstream.response._text_limit import TextLimit
from rxstream.testing import LocalServer, answers
from tests.session._modes import Heard, hear, modes, options_for

ANSWERS = {
    "text": (answers.text("1234567890", split=3), 10),
    "refusal": (answers.refusal("1234567890"), 10),
    "reasoning and text": (answers.reasoning_summary("12345", then="67890"), 10),
    "arguments": (answers.function_calls([("f", {"a": 1}), ("g", {"b": 2})]), 2 * len('{"a":1}')),
    "several": (answers.together(answers.text("12345"), answers.text("67890")), 10),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_each_text_counts_once_though_the_api_repeats_it(kind: str) -> None:
    answer, _ = ANSWERS[kind]
    events = answers.events_of(answer)
    size = sum(len(event.delta) for event in events if hasattr(event, "delta"))
    assert list(TextLimit(size).checked(events)) == events
    passed: list[Any] = []
    with pytest.raises(ResponseTooLargeError, match=f"max_response_chars={size - 1}: {size} characters") as caught:
        passed.extend(TextLimit(size - 1).checked(events))
    assert caught.value.limit == size - 1


@pytest.mark.parametrize("kind", ["text", "arguments"])
def test_what_only_the_done_event_brings_counts(kind: str) -> None:
    answer, size = ANSWERS[kind]
    events = [event for event in answers.events_of(answer) if not hasattr(event, "delta")]
    assert list(TextLimit(size).checked(events)) == events
    with pytest.raises(ResponseTooLargeError):
        list(TextLimit(size - 1).checked(events))


def test_a_field_of_another_type_is_not_a_text() -> None:
    odd = parse_event(json.dumps({"type": "response.output_text.delta", "delta": 5, "output_index": 0}))
    assert list(TextLimit(1).checked([odd])) == [odd]


@modes
def test_in_a_session_the_event_that_is_too_much_is_not_delivered(mode: str) -> None:
    with LocalServer([answers.text("1234567890", split=1)]) as server:
        heard = hear(mode, server, max_response_chars=5, max_retries=2)
        assert isinstance(heard.error, ResponseTooLargeError)
        assert len(server.log) == 1
    assert heard.error.response_id == heard.values[0].response.id
    assert heard.error.sequence_number == heard.values[-1].sequence_number
    assert "".join(event.delta for event in heard.values if hasattr(event, "delta")) == "12345"


def test_each_response_counts_by_itself_and_a_resumed_one_goes_on() -> None:
    ten = answers.text("1234567890", split=1)
    with LocalServer([ten, ten, answers.disconnect(ten, after=8)]) as server:
        first, second, third = Heard(), Heard(), Heard()
        with rxstream.Session(**options_for(server), max_response_chars=10) as session:
            first.subscribe(session.response(model="m"))
        with rxstream.Session(**options_for(server), max_response_chars=9) as session:
            second.subscribe(session.response(model="m"))
        with rxstream.Session(**options_for(server), max_response_chars=9) as session:
            third.subscribe(session.response(model="m", background=True, resume=True))
    assert first.completed()
    assert isinstance(second.error, ResponseTooLargeError)
    assert isinstance(third.error, ResponseTooLargeError)


@pytest.mark.parametrize("option", ["max_frame_bytes", "max_response_chars"])
def test_a_limit_of_nothing_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=option):
        rxstream.Session("sk", **{option: 0})  # type: ignore[arg-type]
