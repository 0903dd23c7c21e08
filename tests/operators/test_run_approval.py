"""`approve=` in virtual time: what each answer does, who waits for it, and what it holds meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable
from reactivex.subject import Subject

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ToolError
from rxstream.rx._context import RUNTIME
from rxstream.testing import VirtualClock, answers
from rxstream.tools import (
    Denial,
    Tool,
    ToolApprovalEvent,
    ToolFinishedEvent,
    ToolStartedEvent,
)
from tests.laws._virtual import VirtualRuntime, sleep
from tests.session._modes import Heard, in_session, modes, nothing_left_behind
from tests.waiting import until, wait_for

HOUR = 3600.0
CALLS = [("pay", {"x": 1}, "p1"), ("look", {"x": 1}, "l1"), ("pay", {"x": 2}, "p2"), ("look", {"x": 2}, "l2")]


class Run:
    """A run of two turns: the first makes these calls, the second answers. The connection of each turn is counted."""

    def __init__(self, approve: Any, calls: Any = CALLS, *, timeout: float | None = None, **options: Any) -> None:
        self.clock = VirtualClock()
        self.open_connections = 0
        self.ran: list[tuple[str, int]] = []
        self.values: list[Any] = []
        self.ends: list[Exception | None] = []
        self.asked: list[list[Any]] = []
        self._turns = iter([answers.events_of(answers.function_calls(calls)), answers.events_of(answers.text("Done."))])
        tools = [
            Tool(self._body("pay"), name="pay", needs_approval=True, max_in_flight=1, timeout=timeout),
            Tool(self._body("look"), name="look"),
        ]
        token = RUNTIME.set(VirtualRuntime(self.clock.scheduler))
        run = rxs.run_tools(tools, self._ask, input="Q", approve=approve, **options)
        self.subscription = (
            self._turn()
            .pipe(run)
            .subscribe(
                self.values.append, self.ends.append, lambda: self.ends.append(None), scheduler=self.clock.scheduler
            )
        )
        RUNTIME.reset(token)

    def _body(self, name: str) -> Callable[..., Any]:
        async def body(x: int) -> str:
            await sleep(1)
            self.ran.append((name, x))
            return f"{name} {x}"

        return body

    def _ask(self, conversation: list[Any]) -> Observable[Any]:
        self.asked.append(conversation)
        return self._turn()

    def _turn(self) -> Observable[Any]:
        def subscribe(observer: abc.ObserverBase[Any], scheduler: Any = None) -> abc.DisposableBase:
            self.open_connections += 1
            events = next(self._turns)
            left: list[None] = []

            def leave() -> None:
                if not left:
                    left.append(None)
                    self.open_connections -= 1

            timers = CompositeDisposable(Disposable(leave))
            for event in events:
                timers.add(self.clock.at(self.clock.now, lambda event=event: observer.on_next(event)))
            timers.add(self.clock.at(self.clock.now, observer.on_completed))
            return timers

        return reactivex.Observable(subscribe)

    def of_type(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.values if isinstance(event, kind)]

    @property
    def outputs(self) -> dict[str, Any]:
        return {item["call_id"]: item["output"] for item in self.asked[0] if item.get("type", "").endswith("_output")}


def test_a_call_that_waits_holds_no_slot_and_no_connection() -> None:
    async def approve(call: Any) -> bool:
        await sleep(40 * HOUR)
        return True

    run = Run(approve, max_in_flight=1)
    run.clock.advance(10)
    assert [event.call_id for event in run.of_type(ToolApprovalEvent)] == ["p1", "p2"]
    assert run.ran == [("look", 1), ("look", 2)]
    run.clock.advance(30 * HOUR)
    assert (run.open_connections, run.ends, run.asked) == (0, [], [])
    run.clock.advance(10 * HOUR)
    assert run.ran[2:] == [("pay", 1), ("pay", 2)]
    assert run.ends == [None]
    assert [*run.outputs] == ["p1", "l1", "p2", "l2"]
    seconds = {event.call_id: event.seconds for event in run.of_type(ToolFinishedEvent)}
    assert seconds == {"p1": 1, "l1": 1, "p2": 1, "l2": 1}


def test_a_call_that_was_approved_waits_for_its_slot() -> None:
    run = Run(lambda call: True)
    run.clock.advance(0.5)
    assert [event.call_id for event in run.of_type(ToolStartedEvent)].count("p2") == 0
    run.clock.advance(10)
    assert run.ends == [None]
    assert run.ran == [("look", 1), ("look", 2), ("pay", 1), ("pay", 2)] or run.ran[-1] == ("pay", 2)


async def after_a_second(answer: Any) -> Any:
    await sleep(1)
    return answer


REFUSED = "Error: the call of pay() was not approved"


@pytest.mark.parametrize(
    ("approve", "output"),
    [
        (lambda call: True, "pay 1"),
        (lambda call: False, REFUSED),
        (lambda call: None, REFUSED),
        (lambda call: Denial("over the limit"), f"{REFUSED}: over the limit"),
        (lambda call: "yes", "Error: TypeError: expected True, False or a Denial as the answer of approve, got str"),
        (lambda call: 1, "Error: TypeError: expected True, False or a Denial as the answer of approve, got int"),
        (lambda call: {}["x"], "Error: KeyError: 'x'"),
        (lambda call: after_a_second(True), "pay 1"),
        (lambda call: after_a_second(Denial("no")), f"{REFUSED}: no"),
    ],
)
def test_each_answer(approve: Any, output: str) -> None:
    run = Run(approve, CALLS[:1])
    run.clock.advance(100)
    assert run.ends == [None]
    assert run.outputs == {"p1": output}
    assert run.ran == ([("pay", 1)] if output == "pay 1" else [])
    (finished,) = run.of_type(ToolFinishedEvent)
    assert finished.error == (None if output == "pay 1" else output.removeprefix("Error: "))


@pytest.mark.parametrize("others", [[], [("pay", {"x": 1}, "p1"), ("look", {"x": 1}, "l1")]])
def test_a_call_whose_arguments_do_not_fit_is_not_asked_about(others: list[Any]) -> None:
    asked: list[str] = []

    def approve(call: Any) -> bool:
        asked.append(call.call_id)
        return True

    run = Run(approve, [("pay", {"y": 1}, "p0"), *others])
    run.clock.advance(100)
    assert run.ends == [None]
    assert [event.call_id for event in run.of_type(ToolApprovalEvent)] == asked == ["p1"][: len(others)]
    assert run.outputs["p0"].startswith("Error: cannot read the arguments of pay(): x: Field required")
    assert len(run.outputs) == 1 + len(others)


def test_a_refusal_ends_the_run_with_raise() -> None:
    run = Run(lambda call: Denial("over the limit"), CALLS[:1], on_tool_error="raise")
    run.clock.advance(10)
    (error,) = run.ends
    assert isinstance(error, ToolError)
    assert (error.name, error.call_id, str(error)) == (
        "pay",
        "p1",
        f"{REFUSED.removeprefix('Error: ')}: over the limit",
    )


def test_the_reason_reaches_the_function_that_says_what_the_model_is_told() -> None:
    run = Run(lambda call: Denial("too much"), CALLS[:1], on_tool_error=lambda error: f"No! {error}")
    run.clock.advance(10)
    assert run.outputs == {"p1": "No! the call of pay() was not approved: too much"}


def test_the_time_limit_of_a_tool_begins_when_it_starts() -> None:
    async def approve(call: Any) -> bool:
        await sleep(HOUR)
        return True

    run = Run(approve, CALLS[:1], timeout=5)
    run.clock.advance(HOUR + 10)
    assert run.outputs == {"p1": "pay 1"}


def test_disposing_cancels_the_question() -> None:
    left: list[bool] = []

    async def approve(call: Any) -> bool:
        try:
            await sleep(HOUR)
        finally:
            left.append(True)
        return True

    run = Run(approve, CALLS[:1])
    run.clock.advance(10)
    run.subscription.dispose()
    assert left == [True]
    before = len(run.values)
    run.clock.advance(2 * HOUR)
    assert (len(run.values), run.ran, run.ends) == (before, [], [])


# ---------------------------------------------------------------------- an Observable, which needs a real loop


class Buttons:
    """A run in a session, whose questions are answered by `Subject`s."""

    def __init__(self, approve: Any, calls: Any = CALLS[:1]) -> None:
        self.heard = Heard()
        self.ran: list[int] = []
        self.asked: list[list[Any]] = []
        self._turns = iter([answers.events_of(answers.function_calls(calls)), answers.events_of(answers.text("Done."))])

        async def pay(x: int) -> str:
            self.ran.append(x)
            return f"pay {x}"

        def ask(conversation: list[Any]) -> Observable[Any]:
            self.asked.append(conversation)
            return reactivex.from_iterable(next(self._turns))

        tools = [Tool(pay, needs_approval=True)]
        run = reactivex.from_iterable(next(self._turns)).pipe(rxs.run_tools(tools, ask, approve=approve))
        self.subscription = self.heard.subscribe(run)

    @property
    def outputs(self) -> dict[str, Any]:
        return {item["call_id"]: item["output"] for item in self.asked[0] if item.get("type", "").endswith("_output")}


@pytest.mark.parametrize(
    ("approve", "output"),
    [
        (lambda call: reactivex.just(True), "pay 1"),
        (lambda call: reactivex.of(False, True), REFUSED),
        (lambda call: reactivex.of(True, False, True), "pay 1"),
        (lambda call: reactivex.just(Denial("no")), f"{REFUSED}: no"),
        (lambda call: reactivex.empty(), REFUSED),
        (lambda call: reactivex.throw(LookupError("lost")), "Error: LookupError: lost"),
        (lambda call: reactivex.concat(reactivex.just(True), reactivex.throw(LookupError("late"))), "pay 1"),
    ],
)
@modes
def test_each_observable(mode: str, approve: Any, output: str) -> None:
    runs: list[Buttons] = []
    with nothing_left_behind():
        in_session(mode, lambda session: runs.append(Buttons(approve)), api_key="k")
    (run,) = runs
    assert run.heard.completed()
    assert run.outputs == {"p1": output}
    assert run.ran == ([1] if output == "pay 1" else [])


def test_each_button_is_for_its_call_and_counts_once() -> None:
    buttons: dict[str, Subject[bool]] = {"p1": Subject(), "p2": Subject()}
    with rxstream.Session(api_key="k"):
        run = Buttons(lambda call: buttons[call.call_id], [CALLS[0], CALLS[2]])
        wait_for(lambda: all(button.observers for button in buttons.values()))
        for answer in (True, True, False):
            buttons["p2"].on_next(answer)
        wait_for(lambda: run.ran == [2])
        assert not run.heard.completions
        buttons["p1"].on_next(False)
        wait_for(lambda: run.heard.completed())
    assert run.outputs == {"p1": REFUSED, "p2": "pay 2"}
    assert run.ran == [2]


@modes
def test_disposing_leaves_the_button(mode: str) -> None:
    button: Subject[bool] = Subject()
    runs: list[Buttons] = []

    def body(session: rxstream.Session) -> None:
        runs.append(Buttons(lambda call: button))
        session.spawn(dispose_later)

    async def dispose_later() -> None:
        await until(lambda: bool(button.observers))
        runs[0].subscription.dispose()
        button.on_next(True)

    with nothing_left_behind():
        in_session(mode, body, api_key="k")
    (run,) = runs
    assert not button.observers
    assert (run.ran, run.heard.completions, run.heard.errors) == ([], 0, [])
    assert isinstance(run.heard.values[-1], ToolApprovalEvent)
