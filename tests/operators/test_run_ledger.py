"""A run with a ledger against a local server: what is recorded, and how it goes on."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from reactivex import Observable
from reactivex.subject import Subject

from rxstream.errors import ToolError, TruncatedError
from rxstream.testing import answers
from rxstream.tools import (
    FileLedger,
    MemoryLedger,
    RunFinishedEvent,
    RunResumedEvent,
    Tool,
    ToolApprovalEvent,
    ToolFinishedEvent,
    ToolStartedEvent,
    tool,
    turns,
)
from tests.operators._ledger_runs import CALLS, Effects, of_type, run, until_record, whole_run, without_ids
from tests.session._modes import Heard, modes, nothing_left_behind
from tests.waiting import wait_for


@modes
def test_a_run_and_its_records(mode: str, tmp_path: Path) -> None:
    effects = Effects()
    path = tmp_path / "run.jsonl"
    with nullcontext() if mode == "trio" else nothing_left_behind():  # trio keeps idle worker threads
        heard, requests = run(FileLedger(path), effects.tools, mode)
    assert heard.completed()
    assert (requests, sorted(effects.done)) == (2, ["look Oslo", "save Rome"])
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    kinds = [(record["type"], record.get("name")) for record in records]
    assert kinds[:3] == [("run.began", None), ("turn.asked", None), ("call.started", "look")]
    assert sorted(kinds[3:7], key=str) == [
        *(("call.finished", "look"), ("call.finished", "save"), ("call.started", "save"), ("turn.ended", None)),
    ]
    assert kinds[7:] == [("turn.asked", None), ("turn.ended", None), ("run.finished", None)]
    assert not of_type(heard, RunResumedEvent)

    again, requests = run(FileLedger(path), effects.tools, mode)
    assert again.completed()
    assert again.values == heard.values[-1:]
    assert (requests, len(effects.done)) == (0, 2)


def test_the_events_are_those_of_a_run_without_a_ledger() -> None:
    plain, _ = run(None, Effects().tools, max_in_flight=1)
    kept, _ = run(MemoryLedger(), Effects().tools, max_in_flight=1)
    for heard in (plain, kept):
        assert heard.completed()
    responses = [[event for event in heard.types if event.startswith("response.")] for heard in (plain, kept)]
    assert responses[0] == responses[1]
    assert plain.values[-1].input[1:] == kept.values[-1].input[1:]


def test_it_goes_on_after_every_record() -> None:
    effects = Effects(on_restart="rerun")
    records, conversation = whole_run(effects)
    for count in range(len(records)):
        effects.done.clear()
        ledger = MemoryLedger(records[:count])
        heard, _ = run(ledger, effects.tools)
        assert heard.completed()
        assert without_ids(heard.values[-1].input) == without_ids(conversation)
        assert len(of_type(heard, RunResumedEvent)) == (count > 0)
        last = records[count - 1]["type"] if count else None
        if any(record["type"] == "turn.ended" for record in records[:count]):
            finished = {record["name"] for record in records[:count] if record["type"] == "call.finished"}
            assert not [each for each in effects.done if each.split()[0] in finished], last
        assert [record["type"] for record in ledger.records].count("run.finished") == 1


def test_the_first_turn_is_not_asked_again() -> None:
    effects = Effects()
    records, conversation = whole_run(effects)
    heard, requests = run(MemoryLedger(until_record(records, "turn.ended")), effects.tools, script=["Saved."])
    assert requests == 1
    assert heard.values[-1].input[: len(conversation) - 1] == conversation[:-1]
    resumed = heard.values[0]
    assert isinstance(resumed, RunResumedEvent)
    assert (resumed.turn, resumed.input) == (1, [{"role": "user", "content": "Q"}])
    assert resumed.response_id == f"resp_{1:048}"
    assert heard.types[-1] == "rxstream.run.finished"


@pytest.mark.parametrize("word", ["raise", "rerun", "tell_model"])
def test_a_call_that_was_started_and_did_not_finish(word: str) -> None:
    effects = Effects(on_restart=word)
    records, _ = whole_run(effects, max_in_flight=1)
    effects.done.clear()
    ledger = MemoryLedger(until_record(records, "call.started", "save"))
    heard, requests = run(ledger, effects.tools)
    if word == "raise":
        assert isinstance(heard.error, ToolError)
        assert "save() was started, and the process ended before it had finished" in str(heard.error)
        assert 'set on_restart="rerun" or "tell_model"' in str(heard.error)
        assert (heard.error.name, heard.error.call_id) == ("save", "call_1")
        assert (requests, effects.done) == (0, [])
        effects.tools[1].on_restart = "tell_model"  # the app has found out
        heard, _ = run(ledger, effects.tools)
        word = "tell_model"
    assert heard.completed()
    output = heard.values[-1].input[4]
    assert output["call_id"] == "call_1"
    if word == "rerun":
        assert effects.done == ["save Rome"]
        assert output["output"] == "saved Rome"
        assert [event.name for event in of_type(heard, ToolStartedEvent)] == ["save"]
    else:
        assert effects.done == []
        assert output["output"] == (
            "Error: save() was started, and the process ended before it had finished: it may have taken effect or not."
        )
        assert [event.name for event in of_type(heard, ToolFinishedEvent)] == ["save"]


def test_what_a_tool_does_without_a_word_of_its_own() -> None:
    look, save = Effects().tools
    assert (look.on_restart, save.on_restart) == ("rerun", "raise")
    with pytest.raises(ValueError, match='expected on_restart="raise", "rerun" or "tell_model", got \'again\''):
        tool(on_restart="again")(print)  # type: ignore[arg-type]


def test_a_call_that_cannot_be_asked_about_is_answered_after_a_crash() -> None:
    effects = Effects(needs_approval=True)
    script = [answers.function_calls([("save", {"town": "Rome"}, "call_1")]), "Sorry."]
    records, whole = whole_run(effects, script=script, approve=lambda call: True)
    ledger = MemoryLedger(until_record(records, "turn.ended"))
    heard, _ = run(ledger, effects.tools, script=script[1:], approve=lambda call: True)
    assert heard.completed()
    assert without_ids(heard.values[-1].input) == without_ids(whole)
    assert "cannot read the arguments of save()" in whole[2]["output"]


def test_an_approval_is_asked_for_once() -> None:
    asked: list[str] = []

    def approve(call: Any) -> bool:
        asked.append(call.name)
        return True

    effects = Effects(needs_approval=True)
    records, _ = whole_run(effects, approve=approve)
    assert asked == ["save"]
    for kind, count in [("call.approval_asked", 1), ("call.approved", 0)]:
        asked.clear()
        heard, _ = run(MemoryLedger(until_record(records, kind)), effects.tools, approve=approve)
        assert heard.completed()
        assert (len(asked), len(of_type(heard, ToolApprovalEvent))) == (count, count)


def test_a_refusal_is_remembered() -> None:
    effects = Effects(needs_approval=True)
    records, _ = whole_run(effects, approve=lambda call: False)
    ledger = MemoryLedger(until_record(records, "call.finished", "save"))
    heard, _ = run(ledger, effects.tools, approve=lambda call: True)
    assert heard.completed()
    assert heard.values[-1].input[4]["output"] == "Error: the call of save() was not approved"
    assert "save Rome" not in effects.done


def test_a_wait_for_approval_that_was_disposed_goes_on() -> None:
    effects = Effects(needs_approval=True)
    ledger = MemoryLedger()

    def leave_at_approval(heard: Heard, source: Observable[Any]) -> None:
        subscription = heard.subscribe(source)
        wait_for(lambda: of_type(heard, ToolApprovalEvent))
        subscription.dispose()

    heard, _ = run(ledger, effects.tools, observe=leave_at_approval, approve=lambda call: Subject[bool]())
    assert not heard.completions
    heard, _ = run(ledger, effects.tools, approve=lambda call: True)
    assert heard.completed()
    assert effects.done.count("save Rome") == 1


def test_a_turn_that_was_cut_is_asked_again() -> None:
    effects = Effects()
    ledger = MemoryLedger()
    heard, _ = run(ledger, effects.tools, script=[answers.truncated(CALLS, 6)])
    assert isinstance(heard.error, TruncatedError)
    heard, requests = run(ledger, effects.tools)
    assert heard.completed()
    assert requests == 2
    assert effects.done.count("save Rome") == 1


def test_an_error_comes_behind_the_events_before_it() -> None:
    for script in ([answers.failed("server_error")], [answers.truncated(CALLS, 8)]):
        plain, _ = run(None, Effects().tools, script=script)
        kept, _ = run(MemoryLedger(), Effects().tools, script=script)
        assert type(plain.error) is type(kept.error)
        assert [kind for kind in plain.types if "response." in kind] == [
            kind for kind in kept.types if "response." in kind
        ]


def test_a_run_that_a_rule_has_stopped_has_finished() -> None:
    effects = Effects()
    ledger = MemoryLedger()
    heard, _ = run(ledger, effects.tools, stop_when=turns(1))
    again, requests = run(ledger, effects.tools)
    assert requests == 0
    assert again.values == heard.values[-1:]
    assert again.values[0].stopped_by == "turns(1)"


def test_an_unknown_tool_and_an_incomplete_response() -> None:
    script = [answers.function_calls([("nowhere", {}, "call_0")]), answers.incomplete("It ra")]
    ledger = MemoryLedger()
    heard, _ = run(ledger, [], script=script)
    assert heard.completed()
    for count in range(1, len(ledger.records)):
        records = ledger.records[:count]
        asked_first = all(record["type"] != "turn.ended" for record in records)
        again, _ = run(MemoryLedger(records), [], script=script if asked_first else script[1:])
        assert again.completed()
        assert isinstance(again.values[-1], RunFinishedEvent)
        assert again.values[-1].stopped_by == "incomplete"
        assert again.values[-1].input == heard.values[-1].input


def test_tools_may_be_added_and_described_anew() -> None:
    effects = Effects()
    records, _ = whole_run(effects)
    look, save = effects.tools

    def other() -> None:
        raise NotImplementedError

    described = Tool(save.fn, name="save", description="Better words.")
    heard, _ = run(MemoryLedger(until_record(records, "turn.ended")), [look, described, other])
    assert heard.completed()
