"""Every public operator with values that are nothing for it: an error that names it and says what to do, or a pass."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops
from reactivex.subject import Subject

import rxstream
from rxstream import events as ev
from rxstream import operators as rxs
from rxstream.sse import Frame
from rxstream.testing import VirtualClock, answers
from tests.laws._operators import OPERATORS
from tests.operators._recorded import run

EVENT = answers.events_of(answers.text("Hello"))[0]


async def later(value: object) -> object:
    return value


def never_flagged(window: object) -> bool:
    return False


ARGUMENTS: dict[str, Callable[[Any], Any]] = {
    "coalesce": lambda _: rxs.coalesce(0.1),
    "debounce_moderation": lambda _: rxs.debounce_moderation(never_flagged),
    "debounce_moderation_text": lambda _: rxs.debounce_moderation_text(never_flagged),
    "fallback_to": lambda _: rxs.fallback_to(reactivex.empty()),
    "for_each_async": lambda _: rxs.for_each_async(later),
    "gate_until": lambda _: rxs.gate_until(lambda: False),
    "heartbeat": lambda _: rxs.heartbeat(15),
    "json_items": lambda _: rxs.json_items("a"),
    "map_async": lambda _: rxs.map_async(later),
    "of_type": lambda _: rxs.of_type(ev.ErrorEvent),
    "run_tools": lambda _: rxs.run_tools([], never_flagged),
    "parse_output": lambda _: rxs.parse_output(dict),
    "probe": lambda _: rxs.probe("stage"),
    "tee_to_tape": lambda folder: rxs.tee_to_tape(folder / "a.tape"),
    "timeouts": lambda _: rxs.timeouts(total=5),
}
ANYTHING = {
    "coalesce",
    "fallback_to",
    "for_each_async",
    "heartbeat",
    "map_async",
    "pace",
    "probe",
    "retry_transient",
    "shared",
    "timeouts",
}
"""They pass any value, and their docstrings say so."""

TAKES: dict[str, set[str]] = {
    **{name: {"an event", "text"} for name in ("words", "sentences", "lines")},
    "debounce_moderation_text": {"text"},
    "decode_events": {"bytes"},
    "decode_sse": {"bytes"},
    "parse_events": {"a Frame"},
    "tee_to_tape": {"an event", "a Frame"},
}
"""The others take events only."""


def group() -> Any:
    return run(answers.events_of(answers.text("Hello")), rxs.group_by_output_index())[0]


VALUES: dict[str, Callable[[], Any]] = {
    "text": lambda: "Hello",
    "a number": lambda: 3,
    "None": lambda: None,
    "a dict": lambda: {"type": "response.created"},
    "a Frame": lambda: Frame("message", '{"type": "response.created"}'),
    "a group": group,
    "bytes": lambda: b"data: {}\n\n",
    "an event": lambda: EVENT,
}


def outcome(name: str, values: list[Any], folder: Any, *, ends: bool = True) -> tuple[list[Any], Exception | None]:
    """What the operator emits of the values, and its error. It is subscribed to in a session."""
    taken: list[Any] = []
    errors: list[Exception] = []
    operator = ARGUMENTS[name](folder) if name in ARGUMENTS else OPERATORS[name]()
    with rxstream.Session(api_key="k") as session:
        del session
        clock = VirtualClock()
        end = reactivex.empty() if ends else reactivex.never()
        source = reactivex.concat(reactivex.from_iterable(values), end)
        subscription = source.pipe(operator).subscribe(taken.append, errors.append, scheduler=clock.scheduler)
        clock.advance(10)
        if not ends:
            subscription.dispose()
    return taken, errors[0] if errors else None


CASES = [
    (name, kind)
    for name in OPERATORS
    if name not in ANYTHING
    for kind in VALUES
    if kind not in TAKES.get(name, {"an event"})
]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_value_that_is_nothing_for_the_operator(name: str, kind: str, tmp_path: Any) -> None:
    value = VALUES[kind]()
    taken, error = outcome(name, [value], tmp_path)
    assert taken == []
    assert isinstance(error, TypeError)
    assert re.search(rf"^{name} expects .+, got .+: \w+", str(error)), error
    assert type(value).__name__ in str(error) or "a group" in str(error)


@pytest.mark.parametrize(
    "name", sorted(set(OPERATORS) - ANYTHING - {"debounce_moderation", "debounce_moderation_text"})
)
def test_a_wrong_value_after_the_first_is_passed_over_or_named(name: str, tmp_path: Any) -> None:
    first = next(VALUES[kind]() for kind in VALUES if kind in TAKES.get(name, {"an event"}))
    for wrong in (3, None):
        _, error = outcome(name, [first, wrong], tmp_path, ends=False)
        assert error is None or str(error).startswith(f"{name} expects")


@pytest.mark.parametrize("name", sorted(ANYTHING))
@pytest.mark.parametrize("kind", VALUES)
def test_operators_that_pass_anything(name: str, kind: str, tmp_path: Any) -> None:
    value = VALUES[kind]()
    assert outcome(name, [value], tmp_path) == ([value], None)
    promise = r"(any|every|each|any other|of the|the) values?\b|Emits, completes(, errors)?: as"
    assert re.search(promise, doc(name), re.IGNORECASE)


def doc(name: str) -> str:
    return " ".join((OPERATORS[name].__doc__ or "").split())


def test_what_takes_what_is_named_right() -> None:
    assert set(OPERATORS) >= {*ANYTHING, *TAKES, *ARGUMENTS}


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - {"fallback_to", "gate_until"}))
def test_an_operator_without_parentheses_on_an_observable_of_others(name: str) -> None:
    with pytest.raises(
        TypeError, match=rf"^{name} makes an operator, but got an Observable: write \.pipe\({name}\(\)\)"
    ):
        Subject[Any]().pipe(OPERATORS[name])


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_a_source_that_is_no_observable(name: str, tmp_path: Any) -> None:
    operator = ARGUMENTS[name](tmp_path) if name in ARGUMENTS else OPERATORS[name]()
    if name.startswith("debounce_moderation"):
        return  # of the moderation's own making
    with pytest.raises(TypeError, match=f"^{name} expects an Observable, got list: make one with rxstream.from_"):
        operator([EVENT])
    with pytest.raises(TypeError, match=rf"^{name} expects an Observable, got a function: .* lacks its \(\)"):
        operator(ops.filter)


class AsyncObserver:
    async def on_next(self, value: object) -> None: ...

    def on_error(self, error: Exception) -> None: ...

    def on_completed(self) -> None: ...


@pytest.mark.parametrize("observer", [later, AsyncObserver()])
def test_an_async_function_behind_operators_of_others(observer: Any) -> None:
    source = Subject[Any]()
    chains = [
        source.pipe(rxs.text_only()).pipe(ops.map(str.upper)),
        source.pipe(rxs.text_only()).map(str.upper),
        source.pipe(rxs.text_only()).filter(bool).pipe(ops.share()),
        run(answers.events_of(answers.text("Hello")), rxs.group_by_output_index())[0],
    ]
    for chain in chains:
        with pytest.raises(TypeError, match=r"subscribe calls plain functions.*for_each_async"):
            chain.subscribe(observer)
        with pytest.raises(TypeError, match=r"write text_only\(\)|write \.pipe\(text_only\(\)\)"):
            chain.pipe(rxs.text_only)
        with pytest.raises(TypeError):
            iter(chain)


def test_a_chain_on_ours_is_no_slower_and_no_deeper() -> None:
    taken: list[str] = []
    source = Subject[Any]()
    chain = source.pipe(rxs.text_only()).map(str.upper).filter(bool)
    chain.subscribe(taken.append)
    for event in answers.events_of(answers.text("Hello")):
        source.on_next(event)
    assert "".join(taken) == "HELLO"


def test_functions_that_nobody_would_await() -> None:
    with pytest.raises(TypeError, match=r"measure calls plain functions.*for_each_async"):
        rxs.measure(later)
    with pytest.raises(TypeError, match="measure expects a function for the metrics, got 3"):
        rxs.measure(3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="separator of reasoning_summary must be text, got 3"):
        rxs.reasoning_summary(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="lift_timed expects a class or function that makes a core, got 3"):
        rxs.lift_timed(3)  # type: ignore[arg-type]
