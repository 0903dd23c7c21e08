"""Whatever a core, an observer or a scheduler raises: the observer gets it, the source is left, and nothing hangs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from reactivex import abc
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.moderation import Blocklist
from rxstream.testing import LocalServer, VirtualClock, answers
from tests.operators._wires import Seen, Source, spoken
from tests.session._modes import in_session, modes, options_for
from tests.waiting import BOUND

MINE = ValueError("mine")


def broken(value: Any) -> Any:
    raise MINE


def late(value: Any) -> Iterable[Any]:
    """Raises in the iteration, not in the call."""
    yield value
    raise MINE


class Core:
    """A core for `lift`. `broken` is the name of the method that fails, `how` it does."""

    def __init__(self, name: str, how: Callable[[Any], Any]) -> None:
        self._broken = {name: how}

    def _do(self, name: str, value: Any) -> Any:
        return self._broken.get(name, lambda value: [value])(value)

    def feed(self, value: Any) -> Any:
        return self._do("feed", value)

    def finish(self) -> Any:
        return self._do("finish", "end")

    def fail(self, error: Exception) -> Any:
        return self._do("fail", "error")


class Timed(Core):
    """A timed core: one tick is due a second after a value, and one a second after the end of the source."""

    def __init__(self, name: str, how: Callable[[Any], Any]) -> None:
        super().__init__(name, how)
        self._due: float | None = None
        self._reads = 0
        self._ended = False

    @property
    def due(self) -> float | None:
        self._reads += 1
        if f"due {self._reads}" in self._broken or (self._ended and "due at the end" in self._broken):
            raise MINE
        return self._due

    def feed(self, value: Any, now: float) -> Any:  # type: ignore[override]
        self._due = now + 1
        return self._do("feed", value)

    def tick(self, now: float) -> Any:
        self._due = None
        return self._do("tick", "tick")

    def finish(self, now: float) -> Any:  # type: ignore[override]
        self._ended = True
        self._due = now + 1
        return self._do("finish", "end")

    def fail(self, now: float) -> Any:  # type: ignore[override]
        return self._do("fail", "error")


HOW = {"raises": broken, "raises late": late, "returns None": lambda value: None}


def is_expected(error: Exception | None, how: str) -> bool:
    if how == "returns None":
        return isinstance(error, TypeError) and "return ()" in str(error)
    return error is MINE


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", ["feed", "finish", "fail"])
def test_a_core_that_raises(name: str, how: str) -> None:
    source, seen = Source(), Seen()
    source.pipe(rxs.lift(lambda: Core(name, HOW[how]))).subscribe(seen)
    source.emit("a")
    if name == "fail":
        source.fail(KeyError())
    else:
        source.complete()
    assert is_expected(seen.error, how), seen.error
    assert source.observers == []


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", ["feed", "tick", "finish", "fail"])
def test_a_timed_core_that_raises(name: str, how: str) -> None:
    clock, source, seen = VirtualClock(), Source(), Seen()
    source.pipe(rxs.lift_timed(lambda now: Timed(name, HOW[how]))).subscribe(seen, scheduler=clock.scheduler)
    source.emit("a")
    clock.advance(2)
    if name == "fail":
        source.fail(KeyError())
    else:
        source.complete()
    clock.advance(2)
    assert is_expected(seen.error, how), seen.error
    assert source.observers == []
    assert not clock.waiting


@pytest.mark.parametrize("read", range(1, 12))
def test_a_due_that_raises(read: int) -> None:
    clock, source, seen = VirtualClock(), Source(), Seen()
    source.pipe(rxs.lift_timed(lambda now: Timed(f"due {read}", broken))).subscribe(seen, scheduler=clock.scheduler)
    for _ in range(3):
        source.emit("a")
        clock.advance(2)
    source.complete()
    clock.advance(2)
    assert seen.error is MINE or seen.completed
    assert read > 5 or seen.error is MINE
    assert source.observers == []
    assert not clock.waiting


CORES: dict[str, Callable[[], Any]] = {
    **{
        f"lift {name} {how}": lambda n=name, h=how: rxs.lift(lambda: Core(n, HOW[h]))
        for name in ("feed", "finish")
        for how in HOW
    },
    **{
        f"lift_timed {name} {how}": lambda n=name, h=how: rxs.lift_timed(lambda now: Timed(n, HOW[h]))
        for name in ("feed", "finish")
        for how in HOW
    },
    **{
        name: lambda n=name: rxs.lift_timed(lambda now: Timed(n, broken))
        for name in ("due 1", "due 2", "due 3", "due at the end")
    },
}


@modes
@pytest.mark.parametrize("name", CORES)
def test_in_a_session_nobody_waits_without_end(mode: str, name: str) -> None:
    transport = spoken("a ", "b")
    raised: list[Exception] = []

    async def wait(session: rxstream.Session) -> None:
        with anyio.fail_after(BOUND):
            try:
                await rxstream.result(session.response(model="m", input="Hi").pipe(CORES[name]()))
            except (ValueError, TypeError) as error:
                raised.append(error)

    in_session(mode, lambda session: session.spawn(lambda: wait(session)), transport=transport)
    assert [is_expected(error, "returns None" if "None" in name else "") for error in raised] == [True]
    assert transport.open_wires == 0


# ---------------------------------------------------------------------- the observer

OPERATORS: dict[str, Callable[[], Any]] = {
    "coalesce": lambda: rxs.coalesce(0.01),
    "pace": lambda: rxs.pace(rate=500),
    "measure": rxs.measure,
    "timeouts": lambda: rxs.timeouts(between=20),
    "retry_transient": rxs.retry_transient,
    "moderation": lambda: rxs.debounce_moderation(Blocklist(["zzz"])),
    "map_async": lambda: rxs.map_async(slow),
    "shared": rxs.shared,
    "words": rxs.words,
    "accumulate_text": rxs.accumulate_text,
}


async def slow(value: Any) -> Any:
    await anyio.lowlevel.checkpoint()
    return value


@modes
@pytest.mark.parametrize("name", OPERATORS)
def test_an_observer_that_raises_at_any_value_gets_its_error(mode: str, name: str) -> None:
    make = OPERATORS[name]
    for last in range(30):  # until a run has no such value; with timers their number depends on the machine
        transport = spoken("a ", "b ", "c")
        values: list[object] = []
        errors: list[Exception] = []

        def on_next(value: object, values: list[object] = values, last: int = last) -> None:
            values.append(value)
            if len(values) > last:
                raise MINE

        def body(session: rxstream.Session, errors: list[Exception] = errors, on_next: Any = on_next) -> None:
            session.response(model="m", input="Hi").pipe(make()).subscribe(on_next, errors.append)

        in_session(mode, body, transport=transport)
        if len(values) <= last:
            assert (errors, last > 0) == ([], True)
            break
        assert errors == [MINE], (name, last)
        assert len(values) == last + 1
        assert transport.open_wires == 0


@modes
@pytest.mark.parametrize("name", OPERATORS)
def test_what_is_raised_downstream_without_on_error_is_raised_from_leaving(mode: str, name: str) -> None:
    make = OPERATORS[name]
    for last in range(30):  # until a run has no such value; with timers their number depends on the machine
        transport = spoken("a ", "b ", "c")
        count = 0

        def raise_at_last(value: object, last: int = last) -> None:
            nonlocal count
            count += 1
            if count > last:
                raise MINE

        def body(session: rxstream.Session, raise_at_last: Any = raise_at_last) -> None:
            answer = session.response(model="m", input="Hi").pipe(make(), ops.map(raise_at_last))
            answer.subscribe(lambda _: None)

        raised: list[Exception] = []
        try:
            in_session(mode, body, transport=transport)
        except ValueError as error:
            raised.append(error)
        if count <= last:
            assert (raised, last > 0) == ([], True)
            break
        assert raised == [MINE]
        assert transport.open_wires == 0


# ---------------------------------------------------------------------- the scheduler


class BrokenScheduler(type(VirtualClock().scheduler)):  # type: ignore[misc]
    """Its timers cannot be armed, from a given one on."""

    def __init__(self, working: int = 0) -> None:
        super().__init__()
        self._working = working
        self.has_raised = False

    def schedule_relative(self, duetime: Any, action: Any, state: Any = None) -> abc.DisposableBase:
        if not self._working:
            self.has_raised = True
            raise MINE
        self._working -= 1
        return super().schedule_relative(duetime, action, state)


@pytest.mark.parametrize("working", [0, 1, 2])
@pytest.mark.parametrize("name", ["coalesce", "pace", "timeouts", "moderation"])
def test_a_scheduler_that_raises(name: str, working: int) -> None:
    scheduler = BrokenScheduler(working)
    source, seen = Source(), Seen()
    source.pipe(OPERATORS[name]()).subscribe(seen, scheduler=scheduler)
    for number, event in enumerate(answers.events_of(answers.text("a b c d e"))):
        source.emit(event)
        scheduler.advance_to(scheduler.to_datetime(number + 1.0))
    source.complete()
    scheduler.advance_by(10)
    assert seen.over
    assert seen.error is (MINE if scheduler.has_raised else None)
    assert source.observers == []
    assert scheduler.has_raised or working


def test_a_scheduler_that_cannot_wait_for_the_next_try() -> None:
    source, seen = Source(), Seen()
    source.pipe(rxs.retry_transient()).subscribe(seen, scheduler=BrokenScheduler())
    failure = rxstream.errors.ConnectError("refused")
    source.fail(failure)
    assert seen.error is failure
    assert any("mine" in note for note in failure.__notes__)


def test_jitter_that_raises() -> None:
    source, seen = Source(), Seen()
    clock = VirtualClock()
    source.pipe(rxs.retry_transient(random=lambda: broken(0))).subscribe(seen, scheduler=clock.scheduler)
    failure = rxstream.errors.ConnectError("refused")
    source.fail(failure)
    assert seen.error is failure


@modes
def test_a_handler_of_measure_that_raises(mode: str) -> None:
    errors: list[Exception] = []
    with LocalServer([answers.text("Hi")]) as server:

        def body(session: rxstream.Session) -> None:
            session.response(model="m", input="Hi").pipe(rxs.measure(broken)).subscribe(None, errors.append)

        in_session(mode, body, **options_for(server))
    assert errors == [MINE]
