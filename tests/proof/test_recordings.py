"""Three local servers, a real model, no two alike: through a session, over HTTP, and through `rxstream replay`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.cli import main
from rxstream.errors import ApiError, RxStreamError, TruncatedError
from rxstream.events import StreamingEvent
from rxstream.results import FunctionCall
from rxstream.testing import LocalServer, answers
from tests._given import RECORDINGS, needs

pytestmark = needs(RECORDINGS)

FILES = sorted(RECORDINGS.glob("*.sse")) if RECORDINGS.is_dir() else []
ENDINGS: dict[str, type[RxStreamError]] = {
    "llamacpp-midstream-error": ApiError,
    "aimock-disconnect": TruncatedError,
    "aimock-truncate-latency": TruncatedError,
}
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
    """The events of each item by its id, numbered in the order in which the items were added."""
    order: list[str] = []
    groups: dict[int, list[str]] = {}
    for event in raw_events(path):
        identity = event.get("item_id") or (event.get("item") or {}).get("id")
        if identity is not None:
            if identity not in order:
                order.append(identity)
            groups.setdefault(order.index(identity), []).append(event["type"])
    return groups


def heard(path: Path) -> tuple[list[StreamingEvent], list[Exception]]:
    """Through a session, from a server that sends these bytes."""
    events: list[StreamingEvent] = []
    failures: list[Exception] = []
    with LocalServer([answers.tape(path)]) as server, rxstream.Session("sk", base_url=server.base_url) as session:
        session.response(model="m", input="Hi").subscribe(events.append, failures.append)
    return events, failures


def test_all_twenty_are_there() -> None:
    assert len(FILES) == 20


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
    status = {"response.incomplete": "response.completed", "response.failed": "response.completed"}
    came = [event.get("type") for event in raw_events(path) if event.get("type")]
    assert [kind for kind in kinds if kind in came] == [kind for kind in came if kind in kinds]
    assert set(came) - set(kinds) <= set(status.values())
