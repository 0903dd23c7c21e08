"""The core of a run, driven by hand: what it starts, and when."""

from __future__ import annotations

import json
from typing import Any

import pytest

import rxstream
from rxstream.tools import Tool, turns
from rxstream.tools._run import ToolRun
from rxstream.tools._run_actions import AskApproval, EndRun, RunAction, StartCall
from rxstream.tools._runnable_tools import RunnableTools
from tests.tools import _items as items


def look(x: int) -> int:
    return x


def call_of(number: int) -> dict[str, Any]:
    fields = {"id": f"fc_{number}", "call_id": f"c_{number}", "status": "completed"}
    return {"type": "function_call", "name": "look", "arguments": json.dumps({"x": number}), **fields}


def started(actions: list[RunAction]) -> list[Any]:
    return [action.call for action in actions if isinstance(action, StartCall | AskApproval)]


@pytest.mark.parametrize("status", ["failed", "incomplete"])
@pytest.mark.parametrize("needs_approval", [False, True])
def test_no_call_starts_after_its_response_has_ended_badly(status: str, needs_approval: bool) -> None:
    """The stream may end later than its response does."""
    *events, terminal = items.response_of(call_of(1), call_of(2))
    terminal = {"type": f"response.{status}", "response": {**terminal["response"], "status": status}}
    tool = Tool(look, pure=True, needs_approval=needs_approval)
    core = ToolRun(RunnableTools([tool]), [], turns(4), 1, "tell_model", 0.0)
    parsed = [rxstream.parse_event(json.dumps(event)) for event in [*events, terminal]]
    calls = started([action for event in parsed for action in core.feed(event, 0.0)])
    assert [call.call_id for call in calls] == (["c_1", "c_2"] if needs_approval else ["c_1"])
    for call in calls:
        late = core.approved(call, 1.0) if needs_approval else core.finished(call, 1, 1.0)
        assert not started(list(late))
    assert isinstance(list(core.turn_completed(2.0))[-1], EndRun)
