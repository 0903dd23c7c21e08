"""Servers that differ: over real HTTP, through a session, the same text, calls, groups, snapshots and endings."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.errors import ApiError, ContentTypeError, ResponseFailedError, TruncatedError
from rxstream.events import (
    FunctionCallItem,
    MessageItem,
    ReasoningItem,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputTextDeltaEvent,
    StreamingEvent,
)
from rxstream.results import EventGroup, FunctionCall, FunctionCallProgress, Snapshot
from rxstream.testing import LocalServer, answers
from tests.session._dialects import CALLED, DIALECTS, MESSAGE, SAID, THOUGHT_SAID, Dialect, Wire
from tests.session._modes import Heard, hear, modes

each = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


def heard(dialect: Dialect, events: Wire | Iterable[dict[str, Any]], mode: str = "asyncio", **options: Any) -> Heard:
    with LocalServer([answers.tape(dialect.frames(events))]) as server:
        return hear(mode, server, **options)


def collect(events: list[StreamingEvent], operator: Any) -> tuple[list[Any], list[Exception]]:
    values: list[Any] = []
    errors: list[Exception] = []
    reactivex.from_iterable(events).pipe(operator).subscribe(values.append, errors.append)
    return values, errors


def text_of(events: list[StreamingEvent]) -> str:
    values, errors = collect(events, rxs.text_only())
    assert not errors
    return "".join(values)


def calls_of(events: list[StreamingEvent]) -> list[tuple[str, str, dict[str, Any]]]:
    values, errors = collect(events, rxs.accumulate_function_args())
    assert not errors
    assert len({call.output_index for call in values}) == len(values)
    return [(call.name, call.call_id, call.parse()) for call in values]


def groups_of(events: list[StreamingEvent]) -> dict[int, list[StreamingEvent]]:
    """The events of each group: one group an index, and every item opened once, by the first event of its group."""
    groups: dict[int, list[StreamingEvent]] = {}

    def take(group: EventGroup[int]) -> None:
        assert group.key not in groups
        groups[group.key] = []
        group.subscribe(groups[group.key].append)

    errors: list[Exception] = []
    reactivex.from_iterable(events).pipe(rxs.group_by_output_index()).subscribe(take, errors.append)
    assert not errors
    for group in groups.values():
        opened = [number for number, event in enumerate(group) if isinstance(event, ResponseOutputItemAddedEvent)]
        assert opened == [0]
    return groups


def said_in(group: list[StreamingEvent]) -> str:
    return "".join(event.delta for event in group if isinstance(event, ResponseOutputTextDeltaEvent))


def kinds_of(groups: dict[int, list[StreamingEvent]]) -> list[str]:
    return [groups[index][0].item.type for index in sorted(groups)]  # type: ignore[union-attr]


def check_snapshots(events: list[StreamingEvent], said: str) -> list[Snapshot]:
    """The text only grows, and nothing of it is lost."""
    snapshots, errors = collect(events, rxs.snapshots())
    assert not errors
    texts = [snapshot.text for snapshot in snapshots]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
    assert texts[-1] == said
    return snapshots


@modes
@each
def test_a_text(dialect: Dialect, mode: str) -> None:
    stream = heard(dialect, dialect.text(), mode)
    assert stream.completed()
    assert text_of(stream.values) == SAID
    assert calls_of(stream.values) == []
    groups = groups_of(stream.values)
    assert kinds_of(groups)[0] == "message"
    assert said_in(groups[0]) == SAID
    check_snapshots(stream.values, SAID)
    (final,), errors = collect(stream.values, rxs.final_response())
    assert not errors
    assert final.output_text == SAID


@each
def test_a_text_and_two_parallel_calls(dialect: Dialect) -> None:
    stream = heard(dialect, dialect.text_and_calls())
    assert stream.completed()
    assert text_of(stream.values) == SAID
    assert calls_of(stream.values) == CALLED
    groups = groups_of(stream.values)
    assert kinds_of(groups) == ["message", "function_call", "function_call"]
    assert [said_in(groups[index]) for index in sorted(groups)] == [SAID, "", ""]
    snapshots, errors = collect(stream.values, rxs.snapshots())
    assert not errors
    before_the_end = [snapshot for snapshot in snapshots if snapshot.event.type != "response.completed"][-1]
    assert before_the_end.text == SAID
    items = before_the_end.response.output
    calls = [item for item in items if isinstance(item, FunctionCallItem)]
    assert [(item.name, item.call_id, json.loads(item.arguments)) for item in calls] == CALLED
    (final,), errors = collect(stream.values, rxs.final_response())
    assert not errors
    assert [item.call_id for item in final.output if isinstance(item, FunctionCallItem)] == ["call_a", "call_b"]


@each
def test_the_progress_of_calls(dialect: Dialect) -> None:
    stream = heard(dialect, dialect.text_and_calls())
    values, errors = collect(stream.values, rxs.accumulate_function_args(partial=True))
    assert not errors
    whole = [value for value in values if isinstance(value, FunctionCall)]
    assert [(call.name, call.call_id, call.parse()) for call in whole] == CALLED
    for progress in values:
        if isinstance(progress, FunctionCallProgress):
            assert progress.name in ("weather", "clock")
            assert progress.call_id in ("call_a", "call_b")
    deltas = sum(isinstance(event, ResponseFunctionCallArgumentsDeltaEvent) for event in stream.values)
    assert len(values) == deltas + 2


@each
def test_the_tool_calls_are_two(dialect: Dialect) -> None:
    moments, errors = collect(heard(dialect, dialect.text_and_calls()).values, rxs.tool_calls())
    assert not errors
    last = {call.output_index: call for call in moments}
    assert len(last) == 2
    assert [(call.item.name, call.item.call_id, json.loads(call.input)) for call in last.values()] == CALLED
    assert [call.done for call in moments].count(True) == 2


@each
def test_reasoning_and_a_text(dialect: Dialect) -> None:
    stream = heard(dialect, dialect.reasoning())
    assert stream.completed()
    assert text_of(stream.values) == SAID
    groups = groups_of(stream.values)
    thinks = dialect.name != "open-responses-server"
    assert kinds_of(groups) == (["reasoning", "message"] if thinks else ["message"])
    assert [said_in(groups[index]) for index in sorted(groups)] == (["", SAID] if thinks else [SAID])
    thought = collect(stream.values, rxs.reasoning_summary())[0] + collect(stream.values, rxs.reasoning_text())[0]
    assert "".join(map(str, thought)) == (THOUGHT_SAID if thinks else "")
    snapshots = collect(stream.values, rxs.snapshots())[0]
    before_the_end = [snapshot for snapshot in snapshots if snapshot.event.type != "response.completed"][-1]
    assert before_the_end.text == SAID
    kinds = [type(item) for item in before_the_end.response.output]
    assert kinds == ([ReasoningItem, MessageItem] if thinks else [MessageItem])


@modes
@each
def test_a_failure_in_the_middle(dialect: Dialect, mode: str) -> None:
    stream = heard(dialect, dialect.failure(), mode)
    assert isinstance(stream.error, ApiError | ResponseFailedError)
    assert stream.error.message == MESSAGE
    assert stream.error.response_id == "resp_1"
    assert text_of(stream.values) == SAID
    check_snapshots(stream.values, SAID)
    (error,) = collect(stream.values, rxs.final_response())[1]
    assert isinstance(error, ApiError | ResponseFailedError)


@modes
@each
def test_a_wire_that_closes_early(dialect: Dialect, mode: str) -> None:
    stream = heard(dialect, dialect.cut(), mode)
    assert isinstance(stream.error, TruncatedError)
    assert stream.error.response_id == "resp_1"
    assert text_of(stream.values) == SAID
    check_snapshots(stream.values, SAID)


@each
def test_a_call_that_was_cut_short_is_none(dialect: Dialect) -> None:
    """Wherever the wire closes: no call is made of half its arguments."""
    events = list(dialect.text_and_calls())
    starts = [events[:after] for after in range(len(events))]
    with LocalServer([answers.tape(dialect.frames(start)) for start in starts]) as server:
        for start in starts:
            cut = hear("asyncio", server).values
            for name, call_id, arguments in calls_of(cut):
                assert (name, call_id, arguments) in CALLED
            deltas = "".join(event["delta"] for event in start if event["type"].endswith("output_text.delta"))
            assert text_of(cut) == deltas


@each
def test_without_normalize_no_text_is_lost_and_the_end_is_the_same(dialect: Dialect) -> None:
    for events in (dialect.text(), dialect.text_and_calls(), dialect.reasoning()):
        stream = heard(dialect, events, normalize=False)
        assert stream.completed()
        assert text_of(stream.values) == SAID
    assert isinstance(heard(dialect, dialect.cut(), normalize=False).error, TruncatedError)


# ---------------------------------------------------------------------- what no server was seen to send


def test_an_unknown_model_at_llama_stack() -> None:
    """HTTP 200, and an error without a type: as an event, or as a JSON body."""
    said = {"error": {"message": "Model 'm' not found", "detail": None}}
    stream = heard(DIALECTS[2], [said])
    assert isinstance(stream.error, ApiError)
    assert stream.error.message == "Model 'm' not found"
    with LocalServer([answers.http_error(200, said)]) as server:
        stream = hear("asyncio", server)
    assert isinstance(stream.error, ContentTypeError)
    assert "Model 'm' not found" in str(stream.error)
    assert "Model 'm' not found" in stream.error.body
