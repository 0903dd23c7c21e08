"""A run whose process is killed at each step, before, within and after each write, goes on and repeats no effect."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rxstream.testing import LocalServer, answers
from tests.tools._killed_runs import ONCE

ROOT = Path(__file__).resolve().parents[2]


def model(body: Any) -> Any:
    """Three calls, one more, and the answer: by the outputs that the request has."""
    items = [] if isinstance(body["input"], str) else body["input"]
    outputs = [item for item in items if item.get("type") == "function_call_output"]
    if not outputs:
        calls = [(name, {}, f"call_{name}") for name in ("look", "keep", "save")]
        return answers.function_calls(calls, interleaved=False)
    return answers.function_calls([("pay", {}, "call_pay")]) if len(outputs) == 3 else "Done."


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines() if path.exists() else []


def records_of(path: Path) -> list[dict[str, Any]]:
    """The records, without a last line that is not whole."""
    text = path.read_text("utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def conversation(folder: Path) -> list[dict[str, Any]]:
    """Without the ids of items: the server numbers them over all its answers."""
    items = json.loads((folder / "conversation").read_text("utf-8"))
    return [{name: value for name, value in item.items() if name != "id"} for item in items]


def check(folder: Path, whole: list[dict[str, Any]]) -> None:
    before, after = records_of(folder / "run.jsonl.killed"), records_of(folder / "run.jsonl")
    assert after[: len(before)] == before
    assert [record["type"] for record in after].count("run.finished") == 1
    ended = {record["turn"] for record in before if record["type"] == "turn.ended"}
    finished = {record["name"] for record in before if record["type"] == "call.finished" and record["turn"] in ended}
    started = {record["name"] for record in before if record["type"] == "call.started" and record["turn"] in ended}

    effects, effects_before = Counter(lines(folder / "effects")), Counter(lines(folder / "effects.killed"))
    assert {*effects_before} <= {record["name"] for record in before if record["type"] == "call.started"}
    for name, count in effects.items():
        assert count == 1 or name not in ONCE
        assert name not in finished or count == effects_before[name]
    told = Counter(lines(folder / "told"))
    told_before = Counter(lines(folder / "told.killed"))
    for name in finished:
        assert told[name] == told_before[name]

    for item, expected in zip(conversation(folder), whole, strict=True):
        if item != expected:
            assert item["type"] == "function_call_output"
            name = item["call_id"].removeprefix("call_")
            assert name in ONCE
            assert name in started - finished
            assert "the process ended before it had finished" in item["output"]


@pytest.mark.skipif(sys.platform == "win32", reason="it has no SIGKILL and no fork")
def test_a_run_that_is_killed_at_any_step_goes_on(tmp_path: Path) -> None:
    with LocalServer([model]) as server:
        command = [sys.executable, "-m", "tests.tools._killed_runs", server.base_url, str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    cases = done.stdout.split()
    whole = conversation(tmp_path / "whole")
    count = len(records_of(tmp_path / "whole" / "run.jsonl"))
    assert count == 18
    assert len(cases) == 3 * count + 4
    for case in cases:
        try:
            check(tmp_path / case, whole)
        except AssertionError as error:
            error.add_note(f"the case was {case}")
            raise
