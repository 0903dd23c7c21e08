"""Random runs in virtual time: tools slow, failing, hanging; turns cut, incomplete, failed; disposed at any time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable

from rxstream import operators as rxs
from rxstream.errors import ResponseFailedError, TruncatedError
from rxstream.events import StreamingEvent
from rxstream.rx._context import RUNTIME
from rxstream.testing import VirtualClock, answers
from rxstream.tools import (
    ApplyPatchTool,
    CustomTool,
    RunFinishedEvent,
    ShellTool,
    Tool,
    ToolFinishedEvent,
    ToolStartedEvent,
    tool_calls,
    turns,
)
from tests.laws._virtual import VirtualRuntime, sleep
from tests.thinned import tries
from tests.tools import _items as items

RUNS = tries(500, 2000)
BATCHES = tries(5, 20)


class World:
    """One random run: what the model does and how the tools behave, and what came of it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = VirtualClock()
        self.max_in_flight = self.random.choice([1, 2, 8])
        self.time_limit = self.random.choice([None, None, 0.05, 0.5, 3, 30])
        self.running = 0
        self.most = 0
        self.live_turns = 0
        self.early = 0
        """Tools with effects that ran before their response had ended well."""
        self.left_running = 0
        """Tools that ran on when the run had ended."""
        self.terminal: set[int] = set()
        """The turns whose response has ended well."""
        self.turn = 0
        self.asked: list[list[Any]] = []
        self.ran: list[str] = []
        self.approvals: list[str] = []
        self.values: list[Any] = []
        self.ends: list[Exception | None] = []
        self.tools = [
            Tool(self.body(pure=True), name="pure", pure=True, timeout=5),
            Tool(self.body(), name="effect", timeout=5, max_in_flight=self.random.choice([None, 1, 2])),
            Tool(self.body(), name="careful", needs_approval=True, timeout=5),
            CustomTool(self.text_body(), name="sql", pure=True, needs_approval=self.random.random() < 0.5, timeout=5),
            ShellTool(self.text_body(), needs_approval=True, timeout=5),
            ApplyPatchTool(self.text_body(), timeout=5, max_in_flight=1),
        ]

    def body(self, *, pure: bool = False) -> Callable[..., Any]:
        async def run(x: int) -> int:
            self.early += not pure and self.turn not in self.terminal
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                behaviour = self.random.random()
                await sleep(self.random.choice([0, 0.01, 0.3]) if behaviour < 0.9 else 60)
                if behaviour < 0.2:
                    raise LookupError("no such thing")
                return x
            finally:
                self.running -= 1

        return run

    def text_body(self) -> Callable[..., Any]:
        run = self.body(pure=True)

        async def body(value: Any) -> str:
            return str(await run(1))

        return body

    def other_items(self) -> list[dict[str, Any]]:
        """Calls that are not functions, and some that the server has answered."""
        kinds = [items.CUSTOM, items.SHELL, items.PATCH, items.MCP]
        made: list[dict[str, Any]] = []
        for number in range(self.random.randint(1, 5)):
            name = f"{self.turn}_{number}"
            item = {**self.random.choice(kinds), "id": f"item_{name}"}
            if "call_id" in item:
                item["call_id"] = f"call_{name}"
            made.append(item)
            if item["type"] in ("shell_call", "apply_patch_call") and self.random.random() < 0.2:
                made.append({"type": f"{item['type']}_output", "id": f"out_{name}", "call_id": f"call_{name}"})
        return made

    async def approve(self, call: Any) -> bool:
        await sleep(self.random.choice([0, 0.5, 40]))
        approved = self.random.random() < 0.7
        if approved:
            self.approvals.append(getattr(call, "call_id", call.item_id))
        return approved

    def answer(self) -> tuple[Iterable[StreamingEvent], Exception | None]:
        """The events of the next turn, and its error."""
        kind = self.random.random()
        names = ["pure", "effect", "careful", "unknown"]
        calls = [
            (self.random.choice(names), self.random.choice([{"x": 1}, {"x": 2}, {"y": 1}]), f"call_{self.turn}_{i}")
            for i in range(self.random.randint(1, 6))
        ]
        whole = answers.function_calls(calls, interleaved=self.random.random() < 0.5)
        if kind < 0.25:
            whole = answers.text("It rains.")
        events = answers.events_of(whole)
        if 0.25 <= kind < 0.5:
            events = items.events_of(*self.other_items(), response_id=f"resp_{self.turn}")
        if kind > 0.97:
            return events[: self.random.randint(0, len(events) - 1)], None
        if kind > 0.94:
            return answers.events_of(answers.incomplete("It ra")), None
        if kind > 0.91:
            return events[: self.random.randint(0, len(events) - 1)], ResponseFailedError("failed")
        return events, None

    def ask(self, conversation: list[Any]) -> Observable[StreamingEvent]:
        self.asked.append(conversation)
        return self.source()

    def source(self) -> Observable[StreamingEvent]:
        def subscribe(observer: abc.ObserverBase[Any], scheduler: Any = None) -> abc.DisposableBase:
            self.turn += 1
            self.live_turns += 1
            turn = self.turn
            events, error = self.answer()
            left = [False]

            def leave() -> None:
                self.live_turns -= not left[0]
                left[0] = True

            def emit(event: StreamingEvent) -> None:
                if event.type == "response.completed":
                    self.terminal.add(turn)
                observer.on_next(event)

            at = self.clock.now
            timers = CompositeDisposable(Disposable(leave))
            for event in events:
                at += self.random.choice([0, 0, 0.01, 0.2])
                timers.add(self.clock.at(at, lambda event=event: emit(event)))
            end = observer.on_completed if error is None else lambda: observer.on_error(error)
            timers.add(self.clock.at(at, lambda: (leave(), end())))
            return timers

        return reactivex.Observable(subscribe)

    def end(self, error: Exception | None = None) -> None:
        self.ends.append(error)
        self.left_running += self.running

    def run(self) -> abc.DisposableBase:
        token = RUNTIME.set(VirtualRuntime(self.clock.scheduler))
        run = rxs.run_tools(
            self.tools,
            self.ask,
            input="Q",
            stop_when=turns(4) | tool_calls(12),
            time_limit=self.time_limit,
            max_in_flight=self.max_in_flight,
            approve=self.approve,
        )
        subscription = (
            self.source().pipe(run).subscribe(self.values.append, self.end, self.end, scheduler=self.clock.scheduler)
        )
        RUNTIME.reset(token)
        return subscription


def check_conversation(conversation: list[Any]) -> None:
    """Each call is answered once, in order, behind the calls of its turn."""
    calls = [item for item in conversation if item.get("type", "").endswith(("_call", "_request"))]
    ids = [item.get("call_id", item["id"]) for item in calls]
    assert len({*ids}) == len(ids)
    places: list[int] = []
    for item, call_id in zip(calls, ids, strict=True):
        own = [each for each in conversation if call_id in (each.get("call_id"), each.get("approval_request_id"))]
        answer_type = f"{item['type']}_output" if "call_id" in item else "mcp_approval_response"
        assert [each["type"] for each in own if each is not item] == [answer_type]
        answer = own[-1]
        if "id" not in answer:  # it is ours, and not the server's
            places.append(conversation.index(answer))
    assert places == sorted(places)


def check(world: World, *, disposed: bool) -> None:
    assert world.early == world.left_running == world.running == 0
    assert world.live_turns == 0
    assert world.most <= world.max_in_flight
    assert len(world.ends) == (0 if disposed else 1)
    for asked in world.asked:
        check_conversation(asked)
    finished = [event.call_id for event in world.values if isinstance(event, ToolFinishedEvent)]
    started = [event.call_id for event in world.values if isinstance(event, ToolStartedEvent)]
    assert len({*finished}) == len(finished)
    assert len({*started}) == len(started)
    assert all(call_id in world.approvals for call_id in started if named(world, call_id) == "careful")
    for event in world.values:
        if isinstance(event, ToolFinishedEvent) and event.error is None:
            assert event.call_id in (world.approvals if event.kind == "mcp_approval_request" else started)
    if disposed or world.ends[0] is not None:
        if not disposed:
            assert isinstance(world.ends[0], ResponseFailedError | TruncatedError)
            assert not any(isinstance(event, RunFinishedEvent) for event in world.values)
        return
    last = world.values[-1]
    assert isinstance(last, RunFinishedEvent)
    assert [*map(type, world.values)].count(RunFinishedEvent) == 1
    by_time = f"time_limit({world.time_limit})"
    assert last.stopped_by in ("answer", "incomplete", "turns(4)", "tool_calls(12)", by_time)
    assert last.turn == world.turn == len(world.asked) + 1
    check_conversation(last.input)
    for asked in world.asked:
        assert last.input[: len(asked)] == asked
    answered = {item.get("call_id") or item["approval_request_id"] for item in last.input if is_ours(item)}
    assert answered <= {*finished}
    if last.stopped_by not in ("incomplete", by_time):  # these may leave a turn out
        assert answered == {*finished}


def is_ours(item: dict[str, Any]) -> bool:
    """Whether an item of the conversation is an answer of the run."""
    return "id" not in item and item.get("type", "").endswith(("_output", "_response"))


def named(world: World, call_id: str) -> str:
    return next(event.name for event in world.values if getattr(event, "call_id", None) == call_id)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_each_call_is_answered_once_and_nothing_is_left_running(batch: int) -> None:
    for seed in range(batch, RUNS, BATCHES):
        world = World(seed)
        subscription = world.run()
        dispose_at = world.random.uniform(0, 5) if world.random.random() < 0.2 else None
        if dispose_at is not None:
            world.clock.advance(dispose_at)
            subscription.dispose()
            world.left_running += world.running
            before = len(world.values)
        world.clock.advance(1000)
        try:
            if dispose_at is not None:
                assert len(world.values) == before
                check(world, disposed=not world.ends)
            else:
                check(world, disposed=False)
        except AssertionError as error:
            error.add_note(f"the seed was {seed}")
            raise


def test_the_runs_are_of_every_kind() -> None:
    stopped: set[object] = set()
    for seed in range(120):
        world = World(seed)
        world.run()
        world.clock.advance(1000)
        last = world.values[-1] if world.values else None
        stopped.add(last.stopped_by if isinstance(last, RunFinishedEvent) else type(world.ends[0]))
    limits = {f"time_limit({seconds})" for seconds in (0.05, 0.5, 3, 30)}
    kinds = {"answer", "incomplete", "turns(4)", "tool_calls(12)", TruncatedError, ResponseFailedError}
    assert stopped == kinds | limits
