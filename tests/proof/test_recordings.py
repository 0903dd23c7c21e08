"""Twenty local servers, no two alike: through a session, over HTTP, and through `rxstream replay`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.cli import main
from rxstream.errors import ApiError, OutputError, ResponseFailedError, RxStreamError, TruncatedError
from rxstream.events import FunctionCallItem, Response, StreamingEvent
from rxstream.results import FunctionCall
from rxstream.testing import LocalServer, answers
from tests._given import OWN_RECORDINGS, RECORDINGS, RECORDINGS2, needs, recordings
from tests.proof.test_mutations import failures as foreign_errors

FILES = recordings()
ENDINGS: dict[str, type[RxStreamError]] = {
    "llamacpp-midstream-error": ApiError,
    "aimock-disconnect": TruncatedError,
    "aimock-truncate-latency": TruncatedError,
    "agentscope-errmid": ResponseFailedError,
    "azure-errmid": ResponseFailedError,
    "codex-bridge-errmid": ResponseFailedError,
    "codex-cc-cut": ResponseFailedError,
    "codex-relay-err429": ResponseFailedError,
    "codex-rosetta-cut": ApiError,
    "codex-router-errmid": TruncatedError,
    "deepseek-proxy-cut": ApiError,
    "ds4codex-cut": TruncatedError,
    "fastresponses-errmid": ApiError,
    "graphserve-errmid": ResponseFailedError,
    "lgrg-errmid": ApiError,
    "litellm-errmid": ResponseFailedError,
}
HALF_ARGUMENTS = {"hayhooks-mixed"}
"""Streams whose calls are cut by the server."""
NOT_AS_THE_END_SAYS = {"lgrg-weather": "deltas contradict the text of the item"}
"""Streams whose final response has another text than the deltas."""
each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def raw_events(path: Path) -> Iterator[dict[str, Any]]:
    """What the server sent, read by nothing of ours."""
    for line in path.read_bytes().split(b"\n"):
        if line.startswith(b"data:") and line[5:].strip() not in (b"", b"[DONE]"):
            yield json.loads(line[5:])


def raw_text(path: Path) -> str:
    return "".join(event["delta"] for event in raw_events(path) if event.get("type") == "response.output_text.delta")


def raw_calls(path: Path) -> list[tuple[str, str, str]]:
    items = [event["item"] for event in raw_events(path) if event.get("type") == "response.output_item.done"]
    return [(item["name"], item["call_id"], item["arguments"]) for item in items if item["type"] == "function_call"]


def raw_groups(path: Path) -> dict[int, list[str]]:
    """The events of each item until its end, numbered in the order in which the items were added.

    Reasoning and a message are two items, even under one id. An event without an id is of the last item at its index.
    """
    order: list[tuple[str, bool]] = []
    groups: dict[int, list[str]] = {}
    ended: set[int] = set()
    at_index: dict[int, str] = {}
    for event in raw_events(path):
        item = event.get("item") or {}
        if "type" not in event:
            continue
        item_id = event.get("item_id") or item.get("id") or at_index.get(event.get("output_index", -1))
        if item_id is None:
            continue
        at_index[event.get("output_index", -1)] = item_id
        identity = (item_id, item.get("type") == "reasoning" or event["type"].startswith("response.reasoning"))
        if identity not in order:
            order.append(identity)
        number = order.index(identity)
        if number not in ended:
            groups.setdefault(number, []).append(event["type"])
        if event["type"] == "response.output_item.done":
            ended.add(number)
    return groups


@cache
def heard(path: Path) -> tuple[Sequence[StreamingEvent], Sequence[Exception]]:
    """Through a session, from a server that sends these bytes."""
    events: list[StreamingEvent] = []
    failures: list[Exception] = []
    with (
        LocalServer([answers.tape(path)]) as server,
        rxstream.Session("sk", base_url=server.base_url, max_retries=0) as session,
    ):
        session.response(model="m", input="Hi").subscribe(events.append, failures.append)
    return tuple(events), tuple(failures)


@pytest.mark.parametrize(
    ("folder", "count"),
    [
        pytest.param(RECORDINGS, 20, marks=needs(RECORDINGS)),
        pytest.param(RECORDINGS2, 11, marks=needs(RECORDINGS2)),
        (OWN_RECORDINGS, 35),
    ],
)
def test_all_are_there(folder: Path, count: int) -> None:
    assert len(list(folder.glob("*.sse"))) == count


@each
def test_text_calls_and_groups(path: Path) -> None:
    events, failures = heard(path)
    assert [type(failure) for failure in failures] == ([ENDINGS[path.stem]] if path.stem in ENDINGS else [])
    source = reactivex.from_iterable(events)

    said: list[str] = []
    source.pipe(rxs.text_only()).subscribe(said.append)
    assert "".join(said) == raw_text(path)

    calls: list[FunctionCall] = []
    source.pipe(rxs.accumulate_function_args()).subscribe(calls.append)
    assert sorted((call.name, call.call_id, call.arguments) for call in calls) == sorted(raw_calls(path))
    for call in calls:
        if path.stem in HALF_ARGUMENTS:
            with pytest.raises(OutputError):
                call.parse()
        else:
            assert call.parse() == json.loads(call.arguments)

    groups: dict[int, list[str]] = {}
    source.pipe(
        rxs.group_by_output_index(),
        ops.flat_map(lambda group: group.pipe(ops.map(lambda event: (group.key, event)))),
    ).subscribe(
        lambda pair: None if pair[1].synthetic else groups.setdefault(pair[0], []).append(pair[1].type),
    )
    assert groups == raw_groups(path)


@each
def test_the_final_response_has_what_was_streamed(path: Path) -> None:
    events, heard_failures = heard(path)
    failures, finals = [*heard_failures], list[Response]()
    reactivex.from_iterable(events).pipe(rxs.final_response()).subscribe(finals.append, failures.append)
    if failures or path.stem in NOT_AS_THE_END_SAYS:
        return
    (final,) = finals
    terminal = [event for event in raw_events(path) if event.get("type") == "response.completed"][-1]["response"]
    output = {item["id"] for item in terminal.get("output") or []}
    assert output <= {item.id for item in final.output}
    assert final.output_text == raw_text(path)
    made = [item for item in final.output if isinstance(item, FunctionCallItem)]
    assert sorted((call.name, call.call_id, call.arguments) for call in made) == sorted(raw_calls(path))


@each
def test_operators_end_with_no_foreign_error(path: Path) -> None:
    for normalize in (True, False):
        events: list[StreamingEvent] = []
        source = reactivex.just(path.read_bytes())
        source.pipe(rxs.decode_events(normalize=normalize)).subscribe(events.append, lambda error: None)
        assert events
        assert [*foreign_errors(events)] == []


@each
def test_replay(path: Path) -> None:
    out, complaint = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(complaint):
        code = main(["replay", str(path)])
    assert raw_text(path) in out.getvalue()
    for name, _, arguments in raw_calls(path):
        assert f"{name}({arguments})" in out.getvalue()
    if path.stem in ENDINGS:
        assert code == 1
        assert complaint.getvalue().count("\n") == 1
        assert complaint.getvalue().startswith("rxstream: ")
    else:
        assert code == 0


@each
def test_replay_as_json(path: Path) -> None:
    out = StringIO()
    with redirect_stdout(out), redirect_stderr(StringIO()):
        main(["replay", str(path), "--json"])
    kinds = [event["type"] for event in map(json.loads, out.getvalue().split("\n")[:-1]) if not event.get("synthetic")]
    repaired = {"response.completed", "response.error"}  # by an incomplete or a failed, by an error
    came = [event.get("type") for event in raw_events(path) if event.get("type")]
    assert [kind for kind in kinds if kind in came] == [kind for kind in came if kind in kinds]
    assert set(came) - set(kinds) <= repaired
