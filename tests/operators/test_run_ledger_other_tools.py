"""A run with a ledger goes on with calls that are not functions, and with those of MCP servers that were approved."""

from __future__ import annotations

from typing import Any

import pytest

from rxstream.errors import LedgerError
from rxstream.events import PatchOperation, ShellAction
from rxstream.testing import answers
from rxstream.tools import ApplyPatchTool, CommandResult, CustomTool, Denial, MemoryLedger, ShellTool
from tests.operators._ledger_runs import Heard, run, without_ids
from tests.tools import _items as items

CALLS = items.answer_of(items.CUSTOM, items.SHELL, items.PATCH, items.MCP)


def model(body: Any) -> Any:
    """The calls, and the answer behind their outputs."""
    return CALLS if isinstance(body["input"], str) or not items.outputs(body) else answers.text("Done.")


class OtherTools:
    """Tools of three kinds, and what they did."""

    def __init__(self, on_restart: Any = "rerun") -> None:
        self.done: list[str] = []

        def sql(text: str) -> str:
            self.done.append("sql")
            return text

        async def shell(action: ShellAction) -> list[CommandResult]:
            self.done.append("shell")
            return [CommandResult(command) for command in action.commands]

        def apply_patch(operation: PatchOperation) -> str:
            self.done.append("patch")
            return operation.path or ""

        self.tools: list[Any] = [
            CustomTool(sql, on_restart=on_restart),
            ShellTool(shell, on_restart=on_restart, needs_approval=True),
            ApplyPatchTool(apply_patch, on_restart=on_restart),
        ]


def approve(call: Any) -> Any:
    return call.kind != "mcp_approval_request" or Denial("not these files")


def test_it_goes_on_after_every_record() -> None:
    first = OtherTools()
    ledger = MemoryLedger()
    heard, _ = run(ledger, first.tools, script=[model], approve=approve)
    assert heard.completed()
    assert sorted(first.done) == ["patch", "shell", "sql"]
    conversation = without_ids(heard.values[-1].input)
    assert len(conversation) == 1 + 4 + 4 + 1
    for count in range(len(ledger.records)):
        records = ledger.records[:count]
        again = OtherTools()
        resumed, _ = run(MemoryLedger(records), again.tools, script=[model], approve=approve)
        assert resumed.completed()
        assert without_ids(resumed.values[-1].input) == conversation
        finished = {record["call_id"] for record in records if record["type"] == "call.finished"}
        for name, call_id in [("sql", "c_sql"), ("shell", "c_sh"), ("patch", "c_ap")]:
            assert again.done.count(name) == (call_id not in finished)


def test_a_call_of_any_kind_that_was_started_is_told() -> None:
    first = OtherTools()
    ledger = MemoryLedger()
    run(ledger, first.tools, script=[model], approve=approve)
    started = [number for number, record in enumerate(ledger.records, 1) if record["type"] == "call.started"]
    records = [record for record in ledger.records[: started[-1]] if record["type"] != "call.finished"]
    again = OtherTools("tell_model")
    heard, requests = run(MemoryLedger(records), again.tools, script=[model], approve=approve)
    assert heard.completed()
    assert requests == 1
    assert again.done == []
    assert str(heard.values[-1].input).count("before it had finished") == 3


def test_a_tool_of_another_kind_is_missed() -> None:
    first = OtherTools()
    ledger = MemoryLedger()
    heard: Heard
    run(ledger, first.tools, script=[model], approve=approve)
    heard, _ = run(MemoryLedger(ledger.records[:3]), first.tools[:1], script=[model], approve=approve)
    assert isinstance(heard.error, LedgerError)
    with pytest.raises(LedgerError, match="expected the tool shell_call with which the run of this ledger began"):
        raise heard.error
