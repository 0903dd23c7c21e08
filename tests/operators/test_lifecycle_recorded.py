"""Snapshots, endings and usage on streams that nobody here wrote."""

from collections.abc import Sequence
from typing import Any

from rxstream import operators as rxs
from rxstream.events import (
    Response,
    ResponseCompletedEvent,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    StreamingEvent,
    UnknownEvent,
)
from rxstream.response.history._history import History
from tests._given import STREAMS, each_stream, manifest, needs
from tests.operators._recorded import NAMES, failing, recorded, run

pytestmark = needs(STREAMS)

TERMINAL = ResponseCompletedEvent | ResponseIncompleteEvent | ResponseFailedEvent
ENDED = [name for name in NAMES if manifest()[name]["terminal_event"]]

SERVER_ONLY = {"status", "completed_at", "usage", "service_tier", "incomplete_details", "error", "tool_usage"}
SERVER_ONLY |= {"content_filters"}
"""What of the response only the terminal event tells: how it ended, when, and what it cost."""

DISAGREES = ("terminal output ", "item never done", "deltas != done")
"""Entries of the manifest that say that a stream contradicts itself about its output."""


def terminal_of(events: Sequence[StreamingEvent]) -> TERMINAL:
    return next(event for event in events if isinstance(event, TERMINAL))


def agrees(name: str) -> bool:
    broken = manifest()[name]["stream_invariants_broken"]
    return not any(entry.startswith(DISAGREES) for entry in broken)


def test_there_is_enough_to_prove_anything():
    assert len(ENDED) == 417
    assert sum(map(agrees, ENDED)) > 360


@each_stream(ENDED)
def test_the_last_snapshot_is_the_apis_own_final_response(name: str):
    events = recorded(name)
    end = terminal_of(events)
    last = next(snapshot for snapshot in run(events, rxs.snapshots()) if snapshot.event is end).response
    if end.response.output:
        assert last.model_dump_json() == end.response.model_dump_json()
    else:  # some servers leave it empty: it is filled with the items as they were done
        assert last.model_dump(exclude={"output", "synthetic"}) == end.response.model_dump(exclude={"output"})
        assert last.synthetic == bool(last.output)
        done = {event.output_index: event.item for event in events if event.type == "response.output_item.done"}  # type: ignore[union-attr]
        assert last.output == [done[index] for index in sorted(done)]


@each_stream([name for name in ENDED if agrees(name)])
def test_the_snapshot_before_the_end_knows_all_but_what_only_the_server_knows(name: str):
    events = recorded(name)
    end = terminal_of(events)
    before = run(events[: events.index(end)], rxs.snapshots())[-1].response
    assert before.model_dump(exclude=SERVER_ONLY) == end.response.model_dump(exclude=SERVER_ONLY)


@each_stream([name for name in ENDED if not manifest()[name]["stream_invariants_broken"]])
def test_the_deltas_alone_tell_what_the_model_wrote(name: str):
    """Without any event that says a text, a part or an item whole."""
    events = [event for event in recorded(name) if not event.type.endswith(".done")]
    end = terminal_of(events)
    history = History()
    for event in events[: events.index(end)]:
        history.feed(event)
    assert written(history.response()) == written(end.response)


def written(response: Response) -> list[Any]:
    """The texts of a response that models write, item by item."""
    texts: list[Any] = []
    for item in response.output:
        fields = item.model_dump(include={"arguments", "input", "code", "operation", "action"})
        if item.type not in ("shell_call", "apply_patch_call"):
            fields.pop("action", None)
        if item.type == "mcp_approval_request" or item.type == "tool_search_call":
            fields.pop("arguments", None)
        parts = [*(getattr(item, "content", None) or ()), *(getattr(item, "summary", None) or ())]
        texts.append([fields, [part.model_dump(include={"type", "text", "refusal"}) for part in parts]])
    return texts


@each_stream(NAMES)
def test_a_snapshot_asked_at_once_is_the_one_asked_later(name: str):
    events = recorded(name)
    history, at_once = History(), dict[int, str]()
    for event in events:
        if history.feed(event) and history.version % max(1, len(events) // 40) == 0:
            at_once[history.version] = history.response().model_dump_json()
    for version, expected in at_once.items():
        assert history.response(version).model_dump_json() == expected


@each_stream(NAMES)
def test_whether_a_whole_answer_came_is_told_as_the_manifest_says(name: str):
    events = recorded(name)
    seen, error = failing(events, rxs.require_completed())
    assert seen == list(events)
    end = manifest()[name]["terminal_event"]
    odd = any(event.type == "error" for event in events)
    assert (error is None) == (end == "response.completed" and not odd)
    responses, other = failing(events, rxs.final_response())
    assert type(other) is type(error)
    assert len(responses) == (error is None)


@each_stream(NAMES)
def test_the_usage_is_that_of_the_terminal_event(name: str):
    events = recorded(name)
    end = next((event for event in events if isinstance(event, TERMINAL)), None)
    usage = end.response.usage if end is not None else None
    assert run(events, rxs.usage()) == ([usage] if usage is not None else [])


@each_stream(NAMES)
def test_a_stream_that_ended_well_is_left_alone(name: str):
    events = list(recorded(name))
    seen = run(events, rxs.well_formed())
    assert [event for event in seen if not event.synthetic] == [event for event in events if not event.synthetic]
    if not manifest()[name]["stream_invariants_broken"] and manifest()[name]["terminal_event"]:
        assert [id(event) for event in seen] == [id(event) for event in events]
    known = [event for event in seen if not isinstance(event, UnknownEvent)]
    if any(event.type == "response.created" for event in known):
        assert any(isinstance(event, TERMINAL) for event in known)
