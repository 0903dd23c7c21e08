"""Terminal events under other names, and errors beside the response or in a Frame that is named `error`."""

from __future__ import annotations

from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.errors import ApiError, ResponseCancelledError, ResponseFailedError
from rxstream.events import ErrorEvent, ResponseFailedEvent, StreamingEvent, UnknownEvent
from rxstream.response.decoding._frames_to_events import BytesToEvents, FramesToNormalEvents
from rxstream.response.decoding._normalize import Normalize
from rxstream.sse import Frame
from tests.event_builders import created, make_event


def ending(kind: str, **fields: Any) -> tuple[str, Exception | None]:
    """The type of the last event, and the error of `require_completed`."""
    core = Normalize()
    events = [event for sent in (created(), make_event(kind, **fields)) for event in core.feed(sent)]
    errors: list[Exception] = []
    reactivex.from_iterable(events).pipe(rxs.require_completed()).subscribe(on_error=errors.append)
    return events[-1].type, errors[0] if errors else None


def response(status: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"id": "resp_1", "output": [], "status": status, **fields}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("response.cancelled", {"response": response("cancelled")}),
        ("response.cancelled", {}),
        ("response.done", {"response": response("cancelled")}),
        ("response.completed", {"response": response("cancelled")}),
        ("response.incomplete", {"response": response("cancelled")}),
        ("response.failed", {"response": response("cancelled")}),
    ],
)
def test_a_cancelled_response_says_so(kind: str, fields: dict[str, Any]) -> None:
    _, error = ending(kind, **fields)
    assert isinstance(error, ResponseCancelledError)
    assert "cancelled" in str(error)


@pytest.mark.parametrize(
    ("fields", "expected", "error"),
    [
        ({"response": response("completed")}, "response.completed", type(None)),
        ({}, "response.completed", type(None)),
        ({"response": response("failed", error={"message": "Oh."})}, "response.failed", ResponseFailedError),
        ({"error": {"message": "Oh."}}, "response.failed", ResponseFailedError),
    ],
)
def test_response_done_ends_as_its_status_says(fields: dict[str, Any], expected: str, error: type) -> None:
    kind, raised = ending("response.done", **fields)
    assert kind == expected
    assert isinstance(raised, error)


@pytest.mark.parametrize("fields", [{"response": response("failed")}, {}, {"response": response("failed", error=None)}])
@pytest.mark.parametrize("cause", [{"code": "x", "message": "Oh."}, "Oh."])
def test_the_error_beside_a_failed_response_is_its_cause(fields: dict[str, Any], cause: Any) -> None:
    _, error = ending("response.failed", **fields, error=cause)
    assert isinstance(error, ResponseFailedError)
    assert str(error) == "Oh."


def test_a_list_of_errors_is_an_error() -> None:
    _, error = ending("error", errors=[{"code": "x", "message": "Oh."}])
    assert isinstance(error, ApiError)
    assert (str(error), error.code) == ("Oh.", "x")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ('{"type": "rate_limit_error", "message": "Slow down."}', "Slow down."),
        ('{"type": "overloaded", "error": {"message": "Busy."}}', "Busy."),
        ("The model is gone.", "The model is gone."),
        ('["Oh."]', '["Oh."]'),
        ('{"type": "error", "error": {"message": "Oh."}}', "Oh."),
    ],
)
def test_a_frame_that_is_named_error_is_an_error(data: str, message: str) -> None:
    (of_bytes,) = BytesToEvents(1 << 20, normalize=True).feed(f"event: error\ndata: {data}\n\n".encode())
    (of_frame,) = FramesToNormalEvents().feed(Frame("error", data))
    for event in (of_bytes, of_frame):
        assert isinstance(event, ErrorEvent)
        assert event.message == message


def of_frame(name: str, data: str) -> StreamingEvent:
    """The event of a Frame, the same whether it is read from bytes or given."""
    (of_bytes,) = BytesToEvents(1 << 20, normalize=True).feed(f"event: {name}\ndata: {data}\n\n".encode())
    (of_frame,) = FramesToNormalEvents().feed(Frame(name, data))
    assert of_bytes == of_frame
    return of_frame


@pytest.mark.parametrize(
    "data",
    [
        '{"id": "r", "object": "response", "status": "failed", "error": {"code": "x", "message": "Oh."}}',
        '{"response": {"id": "r", "status": "failed", "error": {"code": "x", "message": "Oh."}}}',
    ],
)
def test_a_frame_without_a_type_in_its_data_has_that_of_its_name(data: str) -> None:
    event = of_frame("response.failed", data)
    assert isinstance(event, ResponseFailedEvent)
    assert event.synthetic
    assert (event.response.id, event.response.error and event.response.error.code) == ("r", "x")


def test_a_delta_without_a_type_is_a_delta() -> None:
    (event,) = run_frames(("response.output_item.added", '{"output_index": 0, "item": {"type": "message", "id": "m"}}'))
    assert event.type == "response.output_item.added"
    *_, event = run_frames(
        ("response.output_item.added", '{"output_index": 0, "item": {"type": "message", "id": "m"}}'),
        ("response.output_text.delta", '{"output_index": 0, "content_index": 0, "item_id": "m", "delta": "a"}'),
    )
    assert (event.type, event.delta) == ("response.output_text.delta", "a")


def run_frames(*frames: tuple[str, str]) -> list[Any]:
    core = FramesToNormalEvents()
    return [event for name, data in frames for event in core.feed(Frame(name, data))]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("message", '{"delta": "a"}'),
        ("response.of_tomorrow", '{"delta": "a"}'),
        ("response.output_text.delta", '{"type": "response.of_tomorrow", "delta": "a"}'),
        ("response.output_text.delta", '{"type": 5, "delta": "a"}'),
        ("response.output_text.delta", '{"delta": {"a": 1}}'),
    ],
)
def test_a_frame_whose_name_says_nothing_stays_unknown(name: str, data: str) -> None:
    assert isinstance(of_frame(name, data), UnknownEvent)
