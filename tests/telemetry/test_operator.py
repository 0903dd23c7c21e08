"""`traced` over any stream of events: times, several responses in one, sources that end early, wrong values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from opentelemetry.context import get_current
from reactivex import operators as ops
from reactivex.subject import Subject
from reactivex.testing import ReactiveTest, TestScheduler

from rxstream.events import StreamingEvent, parse_event
from rxstream.testing import answers
from tests.session._modes import Heard
from tests.telemetry._collected import Collected

on_next, on_completed, on_error = ReactiveTest.on_next, ReactiveTest.on_completed, ReactiveTest.on_error

CREATED, ADDED, PART, *DELTAS = answers.events_of(answers.text(["a", "b", "c"]))
DELTAS, (DONE, PART_DONE, ITEM_DONE, COMPLETED) = DELTAS[:-4], tuple(DELTAS[-4:])


def wire(kind: str, **fields: Any) -> StreamingEvent:
    return parse_event(json.dumps({"type": f"response.{kind}", **fields}))


def response(response_id: str, status: str = "in_progress", **fields: Any) -> dict[str, Any]:
    return {"id": response_id, "status": status, "model": "m-1", "output": [], **fields}


def delta(text: str) -> StreamingEvent:
    return wire("output_text.delta", item_id="i", output_index=0, content_index=0, delta=text)


def timed(collected: Collected, *events: Any, until: float = 1000, **options: Any) -> Any:
    """Subscribe at 200 to what comes at those times; return what the observer got."""
    scheduler = TestScheduler()
    source = scheduler.create_hot_observable(*events)
    traced = collected.telemetry(**options).traced(model="m")
    return scheduler.start(lambda: source.pipe(traced), disposed=until)


def test_times_are_those_of_the_events() -> None:
    collected = Collected()
    usage = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
    last = wire("completed", response=response("r", "completed", usage=usage))
    result = timed(
        collected,
        on_next(210, wire("created", response=response("r"))),
        on_next(230, delta("a")),
        on_next(240, delta("b")),
        on_next(270, delta("c")),
        on_next(300, last),
        on_completed(310),
    )
    assert [message.time for message in result.messages] == [210, 230, 240, 270, 300, 310]
    assert collected.attributes()["gen_ai.response.time_to_first_chunk"] == pytest.approx(30)
    (first,) = collected.points("gen_ai.client.operation.time_to_first_chunk")
    assert (first.count, first.sum) == (1, pytest.approx(30))
    (gaps,) = collected.points("gen_ai.client.operation.time_per_output_chunk")
    assert (gaps.count, gaps.sum, gaps.max) == (2, pytest.approx(40), pytest.approx(30))
    (duration,) = collected.points("gen_ai.client.operation.duration")
    assert (duration.count, duration.sum) == (1, pytest.approx(100))
    labels = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-1",
    }
    for point in (first, gaps, duration):
        assert dict(point.attributes) == labels
    tokens = {
        point.attributes["gen_ai.token.type"]: point.sum for point in collected.points("gen_ai.client.token.usage")
    }
    assert tokens == {"input": 7, "output": 3}


def test_a_text_without_deltas_is_its_first_chunk() -> None:
    collected = Collected()
    done = wire("output_text.done", item_id="i", output_index=0, content_index=0, text="abc")
    timed(collected, on_next(210, wire("created", response=response("r"))), on_next(250, done), on_completed(260))
    assert collected.attributes()["gen_ai.response.time_to_first_chunk"] == pytest.approx(50)


def test_the_times_between_chunks_can_be_left_out() -> None:
    collected = Collected()
    timed(collected, on_next(210, delta("a")), on_next(220, delta("b")), on_completed(230), chunk_gaps=False)
    assert not collected.points("gen_ai.client.operation.time_per_output_chunk")
    assert collected.points("gen_ai.client.operation.time_to_first_chunk")


def test_a_failure_is_in_the_duration_and_has_no_usage() -> None:
    collected = Collected()
    timed(collected, on_next(210, wire("created", response=response("r"))), on_error(260, ConnectionError("no")))
    (duration,) = collected.points("gen_ai.client.operation.duration")
    assert duration.attributes["error.type"] == "ConnectionError"
    assert not collected.points("gen_ai.client.token.usage")


def test_a_source_that_ends_without_a_terminal_event_was_truncated() -> None:
    collected = Collected()
    result = timed(collected, on_next(210, delta("a")), on_completed(220))
    assert result.messages[-1].value.kind == "C"  # the operator changes nothing
    assert collected.attributes()["error.type"] == "TruncatedError"


def test_each_response_of_a_stream_has_a_span_which_begins_where_the_one_before_ended() -> None:
    collected = Collected()
    timed(
        collected,
        on_next(210, wire("created", response=response("r1"))),
        on_next(220, delta("a")),
        on_next(230, wire("completed", response=response("r1", "completed"))),
        on_next(250, wire("created", response=response("r2"))),
        on_next(260, delta("b")),
        on_next(270, delta("c")),
        on_next(280, wire("incomplete", response=response("r2", "incomplete"))),
        on_completed(290),
    )
    first, second = collected.spans
    assert [(span.attributes or {})["gen_ai.response.id"] for span in (first, second)] == ["r1", "r2"]
    assert [(span.attributes or {})["rxstream.outcome"] for span in (first, second)] == ["completed", "incomplete"]
    assert first.end_time is not None
    assert second.start_time is not None
    assert first.start_time is not None
    assert first.start_time <= second.start_time
    (duration,) = collected.points("gen_ai.client.operation.duration")
    assert (duration.count, duration.sum) == (2, pytest.approx(30 + 50))
    (gaps,) = collected.points("gen_ai.client.operation.time_per_output_chunk")
    assert gaps.count == 1


def test_disposing_before_and_after_the_terminal_event() -> None:
    for until, outcome in ((225, "disposed"), (235, "completed")):
        collected = Collected()
        events = [
            on_next(210, wire("created", response=response("r"))),
            on_next(230, wire("completed", response=response("r", "completed"))),
            on_next(250, delta("late")),
        ]
        timed(collected, *events, until=until)
        assert collected.attributes()["rxstream.outcome"] == outcome
        assert len(collected.spans) == 1


def test_an_error_event_is_an_error_also_where_the_source_completes() -> None:
    collected = Collected()
    error = parse_event('{"type": "error", "code": "c", "message": "m"}')
    timed(collected, on_next(210, error), on_completed(220))
    assert collected.attributes()["error.type"] == "ApiError"
    assert collected.span().status.description == "ApiError: c"


def test_an_error_of_an_operator_before_it_is_the_error_of_the_span() -> None:
    def fail(event: object) -> None:
        raise ZeroDivisionError

    collected, heard = Collected(), Heard()
    source = reactivex.from_iterable([CREATED, *DELTAS, COMPLETED]).pipe(ops.map(fail), collected.telemetry().traced())
    heard.subscribe(source)
    assert isinstance(heard.error, ZeroDivisionError)
    assert collected.attributes("chat")["error.type"] == "ZeroDivisionError"


def test_values_that_are_no_events_are_an_error_that_says_what_to_do() -> None:
    collected, heard = Collected(), Heard()
    heard.subscribe(reactivex.of("text", "more").pipe(collected.telemetry().traced()))
    assert isinstance(heard.error, TypeError)
    assert str(heard.error).startswith("traced expects the events of a response")
    assert collected.attributes("chat")["error.type"] == "TypeError"


@pytest.mark.parametrize("kind", ["traced", "traced_run"])
def test_it_leaves_the_context_as_it_was(kind: str) -> None:
    collected = Collected()
    source: Subject[Any] = Subject()
    operator: Callable[..., Any] = getattr(collected.telemetry(), kind)
    before = get_current()
    seen: list[object] = []
    disposable = source.pipe(operator()).subscribe(lambda event: seen.append(get_current()))
    source.on_next(CREATED)
    assert seen == [before]
    disposable.dispose()
    assert get_current() == before
    assert len(collected.spans) == 1


def test_without_a_tracer_that_records_events_pass_and_nothing_is_kept() -> None:
    from opentelemetry.metrics import NoOpMeterProvider
    from opentelemetry.trace import NoOpTracerProvider

    from rxstream.telemetry import Telemetry

    heard = Heard()
    telemetry = Telemetry(tracer_provider=NoOpTracerProvider(), meter_provider=NoOpMeterProvider())
    heard.subscribe(reactivex.from_iterable([CREATED, *DELTAS, COMPLETED]).pipe(telemetry.traced(model="m")))
    assert heard.completed()
    assert heard.values == [CREATED, *DELTAS, COMPLETED]
