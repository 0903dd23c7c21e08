"""A run whose ledger is that of another run, is held, or fails."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.errors import LedgerError
from rxstream.testing import answers
from rxstream.tools import (
    FileLedger,
    LedgerRecord,
    MemoryLedger,
    Tool,
)
from tests.operators._ledger_runs import CALLS, Effects, run, until_record, whole_run
from tests.session._modes import Heard, modes
from tests.waiting import wait_for


def test_the_ledger_of_another_run_is_refused() -> None:
    effects = Effects()
    records, _ = whole_run(effects)
    part = until_record(records, "turn.ended")

    async def save(city: int) -> None:
        raise NotImplementedError

    look, _ = effects.tools
    began, *rest = part
    for kept, options, message in [
        (part, {"input": "Other"}, r"expected the input with which the run of this ledger began, .*'Q'.*got.*'Other'"),
        (part, {"tools": [look]}, "expected the tool save with which the run of this ledger began, got no such tool"),
        (part, {"tools": [look, Tool(save)]}, "expected the tool save .* got one with another schema"),
        (records, {"input": "Other"}, "expected the input"),
        ([{**began, "ledger": 2}, *rest], {}, "expected a ledger of the version 1, got 2"),
        (rest, {}, "expected run.began as the first record of a ledger only, got turn.asked as record 1"),
        ([began, *part], {}, "got run.began as record 2"),
        ([*records, rest[0]], {}, "got turn.asked as record"),
        ([began, {**rest[0], "turn": 2}], {}, "record 2, which does not fit: ValueError: the turns are not in order"),
        ([*part, {"type": "call.moved", "at": 1, "turn": 1, "call": 0}], {}, "its type is 'call.moved'"),
        ([began, {"type": "turn.asked"}], {}, "record 2, which does not fit: KeyError"),
        ([began, rest[0], {**part[-1], "calls": [0]}], {}, "expected 1 calls in turn 1, as its record says, got 2"),
    ]:
        before = len(effects.done)
        heard, requests = run(MemoryLedger(kept), **{"tools": effects.tools, **options})  # type: ignore[arg-type]
        assert isinstance(heard.error, LedgerError), message
        with pytest.raises(LedgerError, match=message):
            raise heard.error
        assert (requests, len(effects.done)) == (0, before)


def test_input_that_json_cannot_hold() -> None:
    heard = Heard()
    with rxstream.Session(api_key="k"):
        run = rxs.run_tools([], lambda items: reactivex.never(), input=[object()], ledger=MemoryLedger())
        heard.subscribe(reactivex.never().pipe(run))
        wait_for(lambda: heard.errors)
    assert isinstance(heard.error, TypeError)
    assert "expected input that JSON can hold" in str(heard.error)


def test_a_ledger_without_a_session() -> None:
    heard = Heard()
    run = rxs.run_tools([], lambda items: reactivex.never(), ledger=MemoryLedger())
    heard.subscribe(reactivex.never().pipe(run))
    assert isinstance(heard.error, RuntimeError)
    assert "run_tools needs a session to write its ledger" in str(heard.error)


class FullLedger(MemoryLedger):
    """It has room for some records only."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.closed = 0

    async def append(self, record: LedgerRecord, /) -> None:
        if len(self.records) == self.room:
            raise OSError(28, "No space left on device")
        await super().append(record)

    def close(self) -> None:
        self.closed += 1
        super().close()


@modes
def test_a_step_that_cannot_be_recorded_is_not_taken(mode: str) -> None:
    total = len(whole_run(Effects())[0])
    for room in range(total):
        effects = Effects(on_restart="rerun")
        ledger = FullLedger(room)
        heard, requests = run(ledger, effects.tools, mode)
        assert isinstance(heard.error, OSError)
        assert ledger.closed == 1
        kinds = [record["type"] for record in ledger.records]
        assert requests == kinds.count("turn.asked")
        assert len(effects.done) <= kinds.count("call.started")
        ledger.room = total * 2
        heard, _ = run(ledger, effects.tools, mode)
        assert heard.completed()


def test_one_run_at_a_time() -> None:
    effects = Effects()
    ledger = MemoryLedger()
    other = Heard()

    def subscribe_twice(heard: Heard, source: Observable[Any]) -> None:
        heard.subscribe(source)
        wait_for(lambda: ledger.records)
        other.subscribe(source)

    heard, _ = run(ledger, effects.tools, observe=subscribe_twice, script=[replace(CALLS, pace=200), "Saved."])
    assert heard.completed()
    assert isinstance(other.error, LedgerError)
    assert effects.done.count("save Rome") == 1


class SlowLedger(FullLedger):
    """A ledger whose plain methods block."""

    def open(self) -> Any:
        return [*self.records]

    def append(self, record: LedgerRecord, /) -> Any:
        anyio.from_thread.check_cancelled()  # raises on a thread that is none of anyio's
        self.records.append(record)


@modes
def test_plain_functions_run_in_worker_threads(mode: str) -> None:
    ledger = SlowLedger(0)
    heard, _ = run(ledger, Effects().tools, mode)
    assert heard.completed()
    assert ledger.closed == 1


def test_retrying_goes_on() -> None:
    effects = Effects()

    def retry(heard: Heard, source: Observable[Any]) -> None:
        heard.subscribe(source.pipe(ops.retry(2)))

    script = [CALLS, answers.truncated(answers.text("Saved."), 3), "Saved."]
    heard, requests = run(MemoryLedger(), effects.tools, script=script, observe=retry)
    assert requests == 3
    assert effects.done.count("save Rome") == 1
    assert heard.completed()


@modes
def test_a_session_that_is_left_by_an_exception_lets_go_of_the_ledger(mode: str, tmp_path: Path) -> None:
    for kind in ("call.started", "turn.asked"):
        path = tmp_path / f"{kind}.jsonl"
        effects = Effects()

        def leave(heard: Heard, source: Observable[Any], kind: str = kind, path: Path = path) -> None:
            heard.subscribe(source)
            if mode == "with":
                wait_for(lambda: path.exists() and kind in path.read_text("utf-8"))
            raise LookupError("left")

        with pytest.raises(LookupError):
            run(FileLedger(path), effects.tools, mode, script=[answers.hang(CALLS, 12)], observe=leave)
        heard, _ = run(FileLedger(path), effects.tools, mode)
        assert heard.completed()


@modes
def test_disposing_lets_go_of_the_ledger_after_its_last_write(mode: str) -> None:
    class WatchedLedger(MemoryLedger):
        def __init__(self) -> None:
            super().__init__()
            self.log: list[str] = []

        def append(self, record: LedgerRecord, /) -> Any:
            time.sleep(0.02)
            self.records.append(record)
            self.log.append("appended")

        def close(self) -> None:
            super().close()
            self.log.append("closed")

    for wait in (0.0, 0.03, 0.05):
        ledger = WatchedLedger()

        def leave(heard: Heard, source: Observable[Any], wait: float = wait) -> None:
            subscription = heard.subscribe(source)
            reactivex.timer(wait).subscribe(lambda _: subscription.dispose())

        heard, _ = run(ledger, Effects().tools, mode, script=[answers.hang(CALLS, 12)], observe=leave)
        assert not heard.completions
        assert not heard.errors
        assert ledger.log.count("closed") <= 1
        assert "appended" not in ledger.log[-1:] or "closed" not in ledger.log
        heard, _ = run(ledger, Effects().tools, mode)
        assert heard.completed()
