"""`time_limit=` in virtual time: a run ends in the middle of a turn or of its tools, and what it leaves can be sent."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import CompositeDisposable, Disposable

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ResponseFailedError
from rxstream.rx._context import RUNTIME
from rxstream.testing import LocalServer, VirtualClock, answers
from rxstream.tools import MemoryLedger, RunFinishedEvent, Tool, ToolFinishedEvent, seconds
from tests.laws._virtual import VirtualRuntime, sleep
from tests.session._modes import Heard, in_session, modes, nothing_left_behind, options_for
from tests.tools import _items as items


def call(name: str, number: int = 0) -> dict[str, Any]:
    fields = {"id": f"fc_{number}", "call_id": f"c_{number}", "status": "completed", "arguments": "{}"}
    return {"type": "function_call", "name": name, **fields}


class Run:
    """A run whose turns have their events one second apart. `turns` are the events of each."""

    def __init__(self, *turns: list[Any], until: float = 1000, time_limit: Any = 10, **options: Any) -> None:
        self.clock = VirtualClock()
        self.values: list[Any] = []
        self.ends: list[Exception | None] = []
        self.open = 0
        self.cancelled: list[str] = []
        self._turns = iter(turns)

        async def wait(name: str, span: float) -> str:
            done = False
            try:
                await sleep(span)
                done = True
            finally:
                if not done:
                    self.cancelled.append(name)
            return name

        async def fast() -> str:
            return await wait("fast", 1)

        async def slow() -> str:
            return await wait("slow", 500)

        async def ask_first() -> str:
            return await wait("ask_first", 1)

        approving = "approve" in options
        tools = [Tool(fast), Tool(slow), *([Tool(ask_first, needs_approval=True)] if approving else ())]
        token = RUNTIME.set(VirtualRuntime(self.clock.scheduler))
        try:
            run = rxs.run_tools(tools, lambda _: self._turn(), input="Q", time_limit=time_limit, **options)
            self._turn().pipe(run).subscribe(
                self.values.append, self.ends.append, lambda: self.ends.append(None), scheduler=self.clock.scheduler
            )
        finally:
            RUNTIME.reset(token)
        self.clock.advance(until)

    def _turn(self) -> Observable[Any]:
        def subscribe(observer: abc.ObserverBase[Any], scheduler: Any = None) -> abc.DisposableBase:
            self.open += 1
            events = next(self._turns)

            def leave() -> None:
                self.open -= 1

            timers = CompositeDisposable(Disposable(leave))
            for number, event in enumerate(events, 1):
                timers.add(self.clock.at(self.clock.now + number, lambda event=event: observer.on_next(event)))
            timers.add(self.clock.at(self.clock.now + len(events), observer.on_completed))
            return timers

        return reactivex.Observable(subscribe)

    @property
    def last(self) -> RunFinishedEvent:
        assert self.ends == [None]
        assert self.open == 0
        event = self.values[-1]
        assert isinstance(event, RunFinishedEvent)
        return event

    def outputs(self) -> dict[str, str]:
        return {item["call_id"]: item["output"] for item in self.last.input if item.get("type", "").endswith("_output")}


def test_a_turn_that_takes_too_long_is_closed_and_left_out() -> None:
    first = items.events_of(call("fast"))
    second = answers.events_of(answers.text("A long answer. " * 20))
    run = Run(first, second)
    assert (run.last.stopped_by, run.last.turn) == ("time_limit(10)", 2)
    assert [item.get("type") for item in run.last.input] == [None, "function_call", "function_call_output"]
    assert run.clock.now == 1000
    assert "response.completed" not in [event.type for event in run.values[len(first) + 3 :]]


@pytest.mark.parametrize("limit", [10, 10.0, timedelta(seconds=10)])
def test_a_tool_that_takes_too_long_is_cancelled_and_the_model_told(limit: Any) -> None:
    run = Run(items.events_of(call("slow", 0), call("fast", 1)), time_limit=limit)
    assert run.last.stopped_by == "time_limit(10)"
    assert run.cancelled == ["slow"]
    assert [item.get("type") for item in run.last.input[1:3]] == ["function_call", "function_call"]
    text = "Error: slow() was stopped, because the time of the run was over: it may have taken effect or not"
    assert run.outputs() == {"c_0": text, "c_1": "fast"}
    (finished, _) = sorted((e for e in run.values if isinstance(e, ToolFinishedEvent)), key=lambda e: e.call_id)
    assert finished.error == text.removeprefix("Error: ")


def test_a_call_that_waits_is_told_that_it_did_not_run() -> None:
    calls = items.events_of(call("slow", 0), call("fast", 1), call("ask_first", 2))

    async def approve(_: Any) -> bool:
        await sleep(500)
        return True

    run = Run(calls, max_in_flight=1, approve=approve)
    told = [*run.outputs().values()]
    assert told[1] == "Error: fast() did not run, because the time of the run was over"
    assert told[2] == "Error: ask_first() did not run, because the time of the run was over"
    assert run.cancelled == ["slow"]


def test_a_whole_response_stays_although_its_stream_goes_on() -> None:
    keepalives = [rxstream.parse_event('{"type": "keepalive"}')] * 100
    run = Run([*items.events_of(call("fast")), *keepalives])
    assert (run.last.stopped_by, run.outputs()) == ("time_limit(10)", {"c_0": "fast"})
    run = Run([*answers.events_of(answers.text("Hi")), *keepalives], time_limit=40)
    assert run.last.stopped_by == "answer"
    assert run.last.input[-1]["type"] == "message"


def test_a_run_that_is_over_in_time_knows_nothing_of_it() -> None:
    run = Run(items.events_of(call("fast")), answers.events_of(answers.text("Done.")), time_limit=100)
    assert run.last.stopped_by == "answer"
    assert not run.clock.waiting


@pytest.mark.parametrize("status", ["failed", "incomplete"])
def test_a_response_that_ended_badly_ends_the_run_as_it_would(status: str) -> None:
    *events, terminal = items.response_of(call("fast"))
    terminal = {"type": f"response.{status}", "response": {**terminal["response"], "status": status}}
    parsed = [rxstream.parse_event(json.dumps(event)) for event in [*events, terminal]]
    run = Run([*parsed, *[rxstream.parse_event('{"type": "keepalive"}')] * 100])
    if status == "failed":
        assert isinstance(run.ends[0], ResponseFailedError)
    else:
        assert run.last.stopped_by == "incomplete"


def test_with_a_ledger_the_end_is_recorded() -> None:
    ledger = MemoryLedger()
    run = Run(items.events_of(call("slow")), ledger=ledger)
    assert run.last.stopped_by == "time_limit(10)"
    assert [record["type"] for record in ledger.records][-2:] == ["call.finished", "run.finished"]
    again = Run(ledger=MemoryLedger(ledger.records))
    assert again.last.stopped_by == "time_limit(10)"


def test_the_time_before_a_crash_counts() -> None:
    ledger = MemoryLedger()
    Run(items.events_of(call("fast")), answers.events_of(answers.text("Done.")), ledger=ledger, until=7)
    kept = MemoryLedger(record for record in ledger.records)
    before = kept.records[-1]["at"]
    assert before > 3
    run = Run(answers.events_of(answers.text("A long answer. " * 20)), ledger=kept)
    assert run.last.stopped_by == "time_limit(10)"
    assert kept.records[-1]["at"] == pytest.approx(10)


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan"), True, "10"])
def test_no_such_time(limit: Any) -> None:
    with pytest.raises(ValueError, match="time_limit: expected"):
        rxs.run_tools([], lambda _: reactivex.empty(), time_limit=limit)


def test_a_rule_interrupts_nothing() -> None:
    run = Run(items.events_of(call("slow")), time_limit=None, stop_when=seconds(10))
    assert (run.last.stopped_by, run.outputs()) == ("seconds(10)", {"c_0": "slow"})


@modes
def test_in_a_session(mode: str) -> None:
    heard = Heard()
    with nothing_left_behind(), LocalServer([answers.hang(answers.text("Hello."), 5)]) as server:
        in_session(
            mode,
            lambda session: heard.subscribe(session.run(model="m", input="Q", time_limit=0.2)),
            **options_for(server),
        )
    assert heard.completed()
    assert heard.values[-1].stopped_by == "time_limit(0.2)"
    assert heard.values[-1].input == [{"role": "user", "content": "Q"}]


def test_operators_behind_it_end_too() -> None:
    with LocalServer([answers.hang(answers.text("Hello."), 5)]) as server, rxstream.Session(**options_for(server)) as s:
        values = list(rxstream.iterate(s.run(model="m", input="Q", time_limit=0.2).pipe(ops.last())))
    assert [event.type for event in values] == ["rxstream.run.finished"]
