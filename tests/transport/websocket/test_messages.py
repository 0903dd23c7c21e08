"""What is sent for a request, and which message ends a response."""

import json

import pytest

from rxstream.testing import answers
from rxstream.transport.websocket._messages import create_message, last_message


def test_the_body_of_a_request_is_the_message_without_what_only_http_has() -> None:
    body = {"model": "m", "input": "Hi", "stream": True, "background": False, "store": False, "extra": {"a": 1}}
    assert json.loads(create_message(body)) == {
        "type": "response.create",
        "model": "m",
        "input": "Hi",
        "store": False,
        "extra": {"a": 1},
    }


def test_a_lone_surrogate_is_sent_as_an_escape() -> None:
    assert b"\\ud800" in create_message({"input": "\ud800"})


@pytest.mark.parametrize("kind", ["completed", "failed", "incomplete"])
def test_a_terminal_event_ends_the_response(kind: str) -> None:
    found = last_message(json.dumps({"response": {"id": "resp_1"}, "type": f"response.{kind}"}))
    assert found is not None
    assert (found.response_id, found.is_error) == ("resp_1", False)


@pytest.mark.parametrize(
    "answer", [answers.text('{"type":"error"} "response.completed"'), answers.reasoning_summary("a")]
)
def test_no_other_event_does(answer: answers.Answer) -> None:
    *events, last = [json.dumps(event) for event in answer.events(answers.ReceivedRequest())]
    assert [last_message(text) for text in events] == [None] * len(events)
    assert last_message(last) is not None


def test_an_item_whose_type_is_error_ends_nothing() -> None:
    assert last_message(json.dumps({"type": "x:y", "item": {"type": "error"}})) is None


@pytest.mark.parametrize(
    "text", ['{"type":"error"', '"type":"error"', '["type", {"type":"error"}]', '{"a":' * 100_000 + '"type":"error"']
)
def test_what_is_no_event_ends_nothing(text: str) -> None:
    assert last_message(text) is None


@pytest.mark.parametrize(
    ("event", "code", "status"),
    [
        ({"status": 429, "error": {"code": "slow_down", "message": "m"}}, "slow_down", 429),
        ({"error": {"code": "server_error"}}, "server_error", None),
        ({"code": "flat", "message": "m"}, "flat", None),
        ({"error": {"code": "previous_response_not_found"}}, "previous_response_not_found", 400),
        ({"error": {"code": "websocket_connection_limit_reached"}}, "websocket_connection_limit_reached", 400),
        ({"status": True, "error": "text"}, None, None),
        ({"status": 200}, None, None),
        ({"status": "400", "error": {"code": 7}}, None, None),
    ],
)
def test_an_error_has_its_code_and_the_status_it_stands_for(
    event: dict[str, object], code: str | None, status: int | None
) -> None:
    found = last_message(json.dumps({"type": "error", **event}))
    assert found is not None
    assert (found.is_error, found.code, found.status) == (True, code, status)


@pytest.mark.parametrize("inside", [True, False])
def test_headers_of_an_error(inside: bool) -> None:
    headers = {"Retry-After": "7", "x": 1}
    event = {"error": {"headers": headers}} if inside else {"headers": headers, "error": {}}
    found = last_message(json.dumps({"type": "error", **event}))
    assert found is not None
    assert found.headers == {"retry-after": "7", "x": "1"}
