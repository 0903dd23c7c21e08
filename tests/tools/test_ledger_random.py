"""Random runs in virtual time that crash at any time, and go on from their ledger until they have finished."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex import operators as ops
from reactivex.disposable import CompositeDisposable

from rxstream import operators as rxs
from rxstream.errors import ToolError, TruncatedError
from rxstream.events import StreamingEvent
from rxstream.rx._context import RUNTIME
from rxstream.testing import VirtualClock, answers
from rxstream.tools import (
    Context,
    LedgerRecord,
    MemoryLedger,
    RunFinishedEvent,
    RunProgress,
    Tool,
    ToolFinishedEvent,
    tool_calls,
    turns,
)
from tests.laws._virtual import VirtualRuntime, sleep
from tests.thinned import tries
from tests.tools.test_run_random import check_conversation

RUNS = tries(90, 300)
BATCHES = 6

TOOLS = ["pure", "again", "told", "careful", "raising", "unknown"]
ONCE = ("told", "careful", "raising")
"""Those that must not run again."""


class SlowLedger(MemoryLedger):
    """It takes some time before a record is there, and some time after it."""

    def __init__(self, records: list[LedgerRecord], chance: random.Random) -> None:
        super().__init__(records)
        self._chance = chance

    async def append(self, record: LedgerRecord, /) -> None:
        await sleep(self._chance.choice([0, 0.01, 0.1]))
        await super().append(record)
        await sleep(self._chance.choice([0, 0.01, 0.1]))


class World:
    """What the model and the tools do, which depends on the seed only, and what came of it in all processes."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.effects: list[str] = []
        """The ids of the calls that took effect."""
        self.repeated: list[str] = []
        """Those that took effect when they had finished already."""

    def chance(self, *about: object) -> random.Random:
        return random.Random(f"{self.seed} {about}")

    def answer(self, turn: int) -> list[StreamingEvent]:
        chance = self.chance("turn", turn)
        if chance.random() < 0.15:
            return answers.events_of(answers.text("It rains."))
        if chance.random() < 0.05:
            return answers.events_of(answers.incomplete("It ra"))
        calls = [
            (chance.choice(TOOLS), chance.choice([{"x": 1}, {"x": 2}, {"y": 1}]), f"call_{turn}_{i}")
            for i in range(chance.randint(1, 5))
        ]
        return answers.events_of(answers.function_calls(calls, interleaved=chance.random() < 0.5))


class Process:
    """One process of a run: from its begin, or from a ledger, to its end or a crash."""

    def __init__(
        self, world: World, ledger: SlowLedger | None, chance: random.Random, *, cuts: bool, raising: Any
    ) -> None:
        self.world = world
        self.ledger = ledger
        self.chance = chance
        self.cuts = cuts
        self.clock = VirtualClock()
        self.values: list[Any] = []
        self.ends: list[Exception | None] = []
        self.tools = [
            Tool(self.body("pure"), name="pure", pure=True, timeout=5),
            Tool(self.body("again"), name="again", on_restart="rerun", timeout=5, max_in_flight=1),
            Tool(self.body("told"), name="told", on_restart="tell_model", timeout=5),
            Tool(self.body("careful"), name="careful", on_restart="tell_model", needs_approval=True, timeout=5),
            Tool(self.body("raising"), name="raising", on_restart=raising, timeout=5),
        ]

    def body(self, name: str) -> Callable[..., Any]:
        async def run(x: int, context: Context) -> str:
            chance = self.world.chance(context.call_id)
            await sleep(chance.choice([0, 0.01, 0.3]))
            self.take_effect(context.call_id)
            await sleep(chance.choice([0, 0.01, 0.3]) if chance.random() < 0.9 else 60)
            if chance.random() < 0.2:
                raise LookupError("no such thing")
            return f"{name} {context.call_id}"

        return run

    def take_effect(self, call_id: str) -> None:
        self.world.effects.append(call_id)
        for record in reversed(self.ledger.records if self.ledger is not None else []):
            if record["type"] == "turn.asked":
                return
            if record["type"] == "call.finished" and record["call_id"] == call_id:
                self.world.repeated.append(call_id)

    async def approve(self, call: Any) -> bool:
        await sleep(self.chance.choice([0, 0.5, 10]))
        return self.world.chance("approve", call.call_id).random() < 0.7

    def ask(self, items: list[Any]) -> Observable[StreamingEvent]:
        check_conversation(items)
        called = {item["call_id"].split("_")[1] for item in items if item.get("type") == "function_call"}
        return self.turn(len(called) + 1)

    def turn(self, number: int) -> Observable[StreamingEvent]:
        def subscribe(observer: abc.ObserverBase[Any], scheduler: Any = None) -> abc.DisposableBase:
            events = self.world.answer(number)
            if self.cuts and self.chance.random() < 0.1:
                events = events[: self.chance.randint(0, len(events) - 1)]
            at = self.clock.now
            timers = CompositeDisposable()
            for event in events:
                at += self.chance.choice([0, 0, 0.01, 0.2])
                timers.add(self.clock.at(at, lambda event=event: observer.on_next(event)))
            timers.add(self.clock.at(at, observer.on_completed))
            return timers

        return reactivex.Observable(subscribe)

    def run(self, until: float) -> None:
        token = RUNTIME.set(VirtualRuntime(self.clock.scheduler))
        operator = rxs.run_tools(
            self.tools,
            self.ask,
            input="Q",
            stop_when=turns(4) | tool_calls(10),
            max_in_flight=self.world.chance("most").choice([1, 2, 8]),
            approve=self.approve,
            ledger=self.ledger,
        )
        source = self.turn(1).pipe(operator)
        subscription = source.subscribe(
            self.values.append, self.ends.append, lambda: self.ends.append(None), scheduler=self.clock.scheduler
        )
        RUNTIME.reset(token)
        self.clock.advance(until)
        subscription.dispose()


def finish(seed: int) -> tuple[World, RunFinishedEvent, list[Process]]:
    """A run that crashes some times, and its processes."""
    world = World(seed)
    chance = random.Random(seed)
    crashes = chance.randint(1, 6)
    records: list[LedgerRecord] = []
    raising = "raise"
    processes: list[Process] = []
    while True:
        ledger = SlowLedger(records, chance)
        process = Process(world, ledger, chance, cuts=crashes > 0, raising=raising)
        processes.append(process)
        process.run(chance.choice([0.3, 1, 4, 20]) * chance.random() if crashes > 0 else 1000)
        records = [*ledger.records]  # as they are now: the record that is being written is there or not
        crashes -= 1
        if process.ends and process.ends[0] is None:
            return world, process.values[-1], processes
        if process.ends:
            assert isinstance(process.ends[0], TruncatedError | ToolError)
            if isinstance(process.ends[0], ToolError):
                raising = "tell_model"  # the app has found out
        assert len(processes) < 40


def check(seed: int) -> None:
    reference = Process(World(seed), None, random.Random(seed), cuts=False, raising="raise")
    reference.run(1000)
    expected = reference.values[-1]
    assert isinstance(expected, RunFinishedEvent)

    world, finished, processes = finish(seed)
    assert isinstance(finished, RunFinishedEvent)
    check_conversation(finished.input)
    told = {item["call_id"] for item in finished.input if "before it had finished" in str(item.get("output"))}
    for item, other in zip(finished.input, expected.input, strict=True):
        assert item == other or item["call_id"] in told
    assert (finished.turn, finished.stopped_by, finished.usage) == (
        *(expected.turn, expected.stopped_by, expected.usage),
    )
    assert not world.repeated
    names = {item["call_id"]: item["name"] for item in finished.input if item.get("type") == "function_call"}
    for call_id, count in Counter(world.effects).items():
        assert count == 1 or names[call_id] not in ONCE
    assert {names[call_id] for call_id in told} <= {*ONCE}
    records = processes[-1].ledger.records if processes[-1].ledger is not None else []
    assert [record["type"] for record in records].count("run.finished") == 1
    events = [event for process in processes for event in process.values]
    answered = Counter(event.call_id for event in events if isinstance(event, ToolFinishedEvent))
    for call_id, count in answered.items():
        assert count == 1 or names[call_id] in ("pure", "unknown")  # of a turn that was cut


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_run_that_crashes_ends_as_one_that_does_not(batch: int) -> None:
    for seed in range(batch, RUNS, BATCHES):
        try:
            check(seed)
        except AssertionError as error:
            error.add_note(f"the seed was {seed}")
            raise


def test_the_runs_are_of_every_kind() -> None:
    kinds: Counter[str] = Counter()
    for seed in range(60):
        world, finished, processes = finish(seed)
        kinds[finished.stopped_by] += 1
        kinds["crashed"] += len(processes) > 2
        kinds["ran again"] += len({*world.effects}) < len(world.effects)
        kinds["told"] += "before it had finished" in str(finished.input)
        kinds["raised"] += any(isinstance(error, ToolError) for process in processes for error in process.ends)
    expected = {"answer", "incomplete", "turns(4)", "tool_calls(10)", "crashed", "ran again", "told", "raised"}
    assert {kind for kind, count in kinds.items() if count} == expected


def test_the_time_of_earlier_processes_counts() -> None:
    seen: list[float] = []

    def note(progress: RunProgress) -> bool:
        seen.append(progress.seconds)
        return False

    ledger = MemoryLedger()
    for _ in range(3):  # each asks for one turn, gets it after 40 seconds, and crashes 10 seconds later
        clock = VirtualClock()
        call = answers.events_of(answers.function_calls([("unknown", {}, "call_0")]))

        def turn(items: list[Any], clock: VirtualClock = clock, call: list[Any] = call) -> Observable[StreamingEvent]:
            late = reactivex.timer(40, scheduler=clock.scheduler)
            return late.pipe(ops.flat_map(lambda _: reactivex.from_iterable(call)), ops.take(len(call)))

        token = RUNTIME.set(VirtualRuntime(clock.scheduler))
        operator = rxs.run_tools([], turn, stop_when=note, ledger=ledger)
        subscription = turn([]).pipe(operator).subscribe(scheduler=clock.scheduler)
        RUNTIME.reset(token)
        clock.advance(50)
        subscription.dispose()
    assert seen == [40.0, 80.0, 120.0]
