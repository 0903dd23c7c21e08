"""Errors, however a server words them, and endings that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rxstream import operators as rxs
from rxstream.errors import ApiError, ResponseFailedError
from rxstream.events import ErrorEvent, ResponseFailedEvent, ResponseIncompleteEvent, UnknownEvent, parse_event
from rxstream.response._ending import Ending
from rxstream.response.decoding._normalize import Normalize
from tests.event_builders import completed, item_added, make_event, text_delta
from tests.response.decoding._normal import Json, calls, function, message, normal, piped


@pytest.mark.parametrize(
    ("said", "message", "code"),
    [
        ({"error": {"message": "Oh.", "code": 500}}, "Oh.", "500"),
        ({"error": "Oh."}, "Oh.", None),
        ({"error": ["Oh."]}, '["Oh."]', None),
        ({"error": {"message": None, "code": "x"}}, "", "x"),
        ({"detail": "Oh."}, "Oh.", None),
        ({"detail": [{"loc": ["body"], "msg": "Oh."}]}, '[{"loc": ["body"], "msg": "Oh."}]', None),
        ({"message": "Oh.", "code": "x"}, "Oh.", "x"),
        ({"object": "error", "type": "BadRequestError", "message": "Oh.", "code": 400}, "Oh.", "400"),
        ({"type": "response.error", "error": {"message": "Oh."}}, "Oh.", None),
        ({"type": "response.error", "message": "Oh."}, "Oh.", None),
        ({"type": "error", "error": ["Oh."]}, '["Oh."]', None),
        ({"type": "error", "error": {"message": {"text": "Oh."}}}, '{"text":"Oh."}', None),
        ({"type": "error", "message": ["Oh."]}, '["Oh."]', None),
        ({"type": "error", "detail": "Oh."}, "Oh.", None),
        ({"type": "error"}, "", None),
        ({"type": None, "error": {"message": "Oh."}}, "Oh.", None),
    ],
    ids=str,
)
def test_an_error_in_any_clothes(said: Json, message: str, code: str | None) -> None:
    (event,) = normal(parse_event(json.dumps(said)))
    assert isinstance(event, ErrorEvent)
    assert (event.message, event.code) == (message, code)
    ending = Ending()
    ending.feed(event)
    assert isinstance(ending.verdict(), ApiError)


@pytest.mark.parametrize(
    "said",
    [
        {"error": None},
        {"error": ""},
        {"error": {}},
        {},
        {"message": ""},
        {"detail": None},
        {"message": {"role": "assistant"}},
        {"type": "x", "message": "Hi"},
        {"type": "x", "error": "Oh."},
        {"type": "", "ping": 1},
    ],
    ids=str,
)
def test_what_is_no_error(said: Json) -> None:
    (event,) = normal(parse_event(json.dumps(said)))
    assert isinstance(event, UnknownEvent)
    assert event.data == said


@pytest.mark.parametrize("error", [{"message": "Oh."}, {"code": "x"}, "Oh."])
def test_a_completed_with_an_error_inside_has_failed(error: Any) -> None:
    half = function("a", '{"half', status="in_progress")
    (event,) = normal(completed(half, error=error))
    assert isinstance(event, ResponseFailedEvent)
    assert event.synthetic
    assert event.response.status == "failed"
    assert calls([event]) == []
    ending = Ending()
    ending.feed(event)
    assert isinstance(ending.verdict(), ResponseFailedError)


@pytest.mark.parametrize("error", [None, "", {}])
def test_a_completed_without_a_real_error_has_not(error: Any) -> None:
    came = completed(error=error)
    (event,) = Normalize().feed(came)
    assert event is came
    ending = Ending()
    ending.feed(came)
    assert ending.verdict() is None


def test_an_error_that_is_a_text_fails_the_response_without_normalize_too() -> None:
    ending = Ending()
    ending.feed(completed(error="Oh."))
    error = ending.verdict()
    assert isinstance(error, ResponseFailedError)
    assert error.message == "Oh."


@pytest.mark.parametrize(("status", "kind"), [("incomplete", ResponseIncompleteEvent), ("failed", ResponseFailedEvent)])
def test_a_completed_that_says_otherwise(status: str, kind: type) -> None:
    (event,) = normal(completed(status=status))
    assert type(event) is kind


def test_without_normalize_no_call_is_made_of_a_response_that_did_not_complete() -> None:
    half = function("a", '{"half')
    for more in ({"status": "incomplete"}, {"status": "failed"}, {"error": {"message": "Oh."}}, {"error": "Oh."}):
        assert calls([completed(half, **more)]) == []


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
@pytest.mark.parametrize("fields", [{}, {"response": None}])
def test_an_end_without_its_response_is_an_end(kind: str, fields: Json) -> None:
    events = normal(
        make_event("response.created", response={"id": "r"}),
        item_added(0, **message()),
        text_delta("a", output_index=0, content_index=0, item_id=None),
        make_event(f"response.{kind}", **fields),
    )
    assert events[-1].synthetic
    assert events[-1].response.status == kind
    ending = Ending()
    for event in events:
        ending.feed(event)
    assert ending.over
    assert isinstance(ending.verdict(), ResponseFailedError) is (kind == "failed")
    if kind == "completed":
        assert piped(events, rxs.final_response())[0].output_text == "a"
