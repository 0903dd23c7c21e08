"""Fewer pieces or evener ones, and what carries every timed operator."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest
import reactivex
from reactivex import Observable, Subject, abc
from reactivex import operators as ops
from reactivex.disposable import Disposable
from reactivex.scheduler import TimeoutScheduler
from reactivex.testing import TestScheduler

import rxstream
from rxstream import operators as rxs
from rxstream.rx._context import FLOW, RUNTIME
from rxstream.rx._timed import choose_scheduler, seconds_of
from rxstream.testing import VirtualClock, answers, assert_marbles, operator_laws
from rxstream.typing import Operator
from tests.event_builders import say
from tests.laws._virtual import VirtualRuntime
from tests.operators._recorded import run
from tests.operators._wires import FakeFlow, spoken
from tests.waiting import BOUND, wait_for

TIMED: dict[str, Callable[[], Operator[Any, Any]]] = {
    "coalesce": lambda: rxs.coalesce(0.03),
    "pace": lambda: rxs.pace("word", rate=50),
    "measure": lambda: rxs.measure(every=0.02),
}


# ---------------------------------------------------------------------- coalesce


def test_coalesce_on_plain_text():
    assert_marbles(
        rxs.coalesce(timedelta(milliseconds=30)),
        """
        texts    -a-b-----c-d-|
        result   ----x-------y|
        where x = "ab", y = "cd"
        """,
    )


def test_coalesce_keeps_interleaved_parts_in_order():
    assert_marbles(
        rxs.coalesce(0.1),
        """
        source   -a-b-1:c--D-----------|
        result   -----ab---(1:c,D)-----|
        """,
    )


def test_coalesce_lets_go_at_once_when_enough_is_together():
    assert_marbles(
        rxs.coalesce(0.1, 3),
        """
        texts    -a-bb-c--------|
        result   ---x-----------(c|)
        where x = "abb"
        """,
    )


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), timedelta(seconds=-1)])
def test_a_time_that_cannot_be_is_refused(seconds: Any):
    with pytest.raises(ValueError, match="seconds must be 0 seconds or more"):
        rxs.coalesce(seconds)


def test_other_arguments_that_cannot_be_are_refused():
    with pytest.raises(TypeError, match="seconds must be seconds or a timedelta"):
        rxs.coalesce("1")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        rxs.coalesce(True)
    with pytest.raises(ValueError, match="max_chars"):
        rxs.coalesce(1, 0)
    for rate in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="rate"):
            rxs.pace(rate=rate)
    with pytest.raises(ValueError, match="max_lag"):
        rxs.pace(max_lag=-1)
    with pytest.raises(ValueError, match="unit"):
        rxs.pace("sentence")
    with pytest.raises(ValueError, match="'drain' or 'keep', got 'flush'"):
        rxs.pace(at_end="flush")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"every must be 0\.001 seconds or more"):
        rxs.measure(every=0)
    assert seconds_of("x", timedelta(minutes=1)) == 60.0


# ---------------------------------------------------------------------- pace


def test_pace_on_events():
    assert_marbles(
        rxs.pace(rate=20),
        """
        source   -C-one_two_three-D---------|
        result   -C-one--_two-----(_three,D)|
        """,
    )


def test_the_defaults_of_pace_are_a_pleasant_speed():
    clock = VirtualClock()
    seen: list[tuple[float, str]] = []
    source = reactivex.concat(reactivex.of("a b c "), reactivex.never())
    source.pipe(rxs.pace()).subscribe(lambda word: seen.append((round(clock.now, 3), word)), scheduler=clock.scheduler)
    clock.advance(0.1)
    assert seen == [(0.0, "a"), (0.033, " b"), (0.067, " c")]


@pytest.mark.parametrize("unit", ["word", "char", "line", r"[,.]"])
def test_pace_loses_nothing_of_an_answer(unit: str):
    clock = VirtualClock()
    seen: list[Any] = []
    events = answers.events_of(answers.text("Two words, and “5 °C”, e.g. 3.14.\nThen 東京 👩‍👧 and the end."))
    reactivex.from_iterable(events).pipe(rxs.pace(unit)).subscribe(seen.append, scheduler=clock.scheduler)
    clock.run(60)
    assert "".join(run(seen, rxs.text_only())) == "".join(run(events, rxs.text_only()))
    assert [one.type for one in seen if not one.type.endswith("delta")] == [
        one.type for one in events if not one.type.endswith("delta")
    ]


def test_what_a_unit_function_raises_is_the_error():
    source: Subject[str] = Subject()
    errors: list[Exception] = []

    def broken(text: str) -> int:
        raise LookupError(text)

    source.pipe(rxs.pace(broken)).subscribe(on_error=errors.append)
    source.on_next("abc")
    assert [type(error) for error in errors] == [LookupError]
    assert not source.observers


@pytest.mark.parametrize("name", ["coalesce", "pace"])
@pytest.mark.parametrize("of", ["events", "texts"])
def test_the_laws_hold_on_events_and_on_text(name: str, of: Any):
    operator_laws(TIMED[name], of=of)


# ---------------------------------------------------------------------- which scheduler


def test_the_scheduler_is_chosen_in_this_order():
    own, given = TestScheduler(), TestScheduler()
    runtime = VirtualRuntime(TestScheduler())
    token = RUNTIME.set(runtime)
    try:
        assert choose_scheduler(own, given) is own
        assert choose_scheduler(None, given) is given
        assert choose_scheduler(None, None) is runtime.scheduler
    finally:
        RUNTIME.reset(token)
    assert choose_scheduler(None, None) is TimeoutScheduler.singleton()


@pytest.mark.parametrize("name", TIMED)
def test_an_explicit_scheduler_keeps_the_time(name: str):
    own, other = TestScheduler(), TestScheduler()
    make: dict[str, Operator[Any, Any]] = {
        "coalesce": rxs.coalesce(0.5, scheduler=own),
        "pace": rxs.pace(rate=2, scheduler=own),
        "measure": rxs.measure(every=0.5, scheduler=own),
    }
    source: Subject[Any] = Subject()
    seen: list[Any] = []
    source.pipe(make[name]).subscribe(seen.append, scheduler=other)
    source.on_next("a b c") if name == "pace" else source.on_next(say("a")[0])
    before = len(seen)
    other.advance_by(1.0)
    assert len(seen) == before
    own.advance_by(0.6)
    assert len(seen) == before + 1


def test_without_any_scheduler_rxs_own_timers_serve():
    seen: list[str] = []
    source: Subject[str] = Subject()
    subscription = source.pipe(rxs.coalesce(0.25)).subscribe(seen.append)
    source.on_next("a")
    source.on_next("b")
    wait_for(lambda: seen)
    subscription.dispose()
    assert seen == ["ab"]


# ---------------------------------------------------------------------- one after another


def test_emissions_from_several_threads_never_overlap():
    inside = 0
    overlaps: list[int] = []
    seen: list[str] = []

    def on_next(text: str) -> None:
        nonlocal inside
        inside += 1
        overlaps.append(inside)
        seen.append(text)
        inside -= 1

    source: Subject[str] = Subject()
    finished = threading.Event()
    source.pipe(rxs.coalesce(0.0005, 50)).subscribe(on_next, on_completed=finished.set)
    threads = [threading.Thread(target=lambda: [source.on_next("x") for _ in range(500)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    source.on_completed()
    assert finished.wait(BOUND)
    assert set(overlaps) == {1}
    assert "".join(seen) == "x" * 1500


def test_what_an_observer_feeds_back_comes_after_what_is_being_said():
    source: Subject[str] = Subject()
    seen: list[str] = []

    def on_next(text: str) -> None:
        seen.append(text)
        if text == "a":
            source.on_next("xyz")

    clock = VirtualClock()
    source.pipe(rxs.pace(lambda text: 1, max_lag=0)).subscribe(on_next, scheduler=clock.scheduler)
    source.on_next("abc")
    assert seen == list("abcxyz")


# ---------------------------------------------------------------------- an observer that raises, and one that leaves


class Source(Observable[Any]):
    """Says what it is told to, and whether it was left."""

    def __init__(self) -> None:
        super().__init__()
        self.left = False
        self.observer: abc.ObserverBase[Any] | None = None

    def _subscribe_core(
        self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        self.observer = observer

        def leave() -> None:
            self.left = True

        return Disposable(leave)


def one_late_value(name: str) -> tuple[Source, VirtualClock, Callable[..., abc.DisposableBase]]:
    """A timed operator that holds something back which its timer will let go."""
    source, clock = Source(), VirtualClock()
    result = source.pipe(TIMED[name]())

    def subscribe(*observer: Any) -> abc.DisposableBase:
        subscription = result.subscribe(*observer, scheduler=clock.scheduler)
        assert source.observer is not None
        source.observer.on_next("a b c d" if name == "pace" else say("a")[0])
        return subscription

    return source, clock, subscribe


@pytest.mark.parametrize("name", TIMED)
def test_an_observer_that_raises_in_a_timer_leaves_the_source_and_gets_its_error(name: str):
    source, clock, subscribe = one_late_value(name)
    mine = RuntimeError("mine")
    seen: list[Any] = []
    errors: list[Exception] = []

    def on_next(value: Any) -> None:
        seen.append(value)
        if clock.now:
            raise mine

    subscribe(on_next, errors.append)
    before = len(seen)
    clock.advance(5)
    assert errors == [mine]
    assert len(seen) == before + 1
    assert source.left
    clock.run(1)


@pytest.mark.parametrize("name", TIMED)
def test_what_nobody_handles_is_raised_by_the_timer(name: str):
    source, clock, subscribe = one_late_value(name)

    def on_next(value: Any) -> None:
        if clock.now:
            raise RuntimeError("mine")

    subscribe(on_next)
    with pytest.raises(RuntimeError, match="mine"):
        clock.advance(5)
    assert source.left


@pytest.mark.parametrize("name", TIMED)
def test_an_error_behind_it_that_nobody_handles_is_raised_by_the_timer_too(name: str):
    source, clock = Source(), VirtualClock()

    def broken(value: Any) -> Any:
        if clock.now:
            raise RuntimeError("mine")

    source.pipe(TIMED[name](), ops.map(broken)).subscribe(scheduler=clock.scheduler)
    assert source.observer is not None
    source.observer.on_next("a b c d" if name == "pace" else say("a")[0])
    with pytest.raises(RuntimeError, match="mine"):
        clock.advance(5)
    assert source.left


@pytest.mark.parametrize("name", TIMED)
def test_an_observer_that_raises_in_a_value_tells_the_source_which_tells_it(name: str):
    source, clock, _ = one_late_value(name)
    mine = RuntimeError("mine")
    errors: list[Exception] = []
    seen: list[Any] = []

    def on_next(value: Any) -> None:
        seen.append(value)
        raise mine

    result = source.pipe(rxs.measure(print, every=0.02) if name == "measure" else TIMED[name]())
    result.subscribe(on_next, errors.append, scheduler=clock.scheduler)
    assert source.observer is not None
    with pytest.raises(RuntimeError, match="mine"):
        source.observer.on_next(say("C")[0])
    clock.run(1)  # no timer is left
    source.observer.on_error(mine)  # as a session's source does
    assert errors == [mine]
    assert len(seen) == 1


@pytest.mark.parametrize("name", TIMED)
def test_whoever_leaves_hears_nothing_more_and_no_timer_is_left(name: str):
    source, clock, subscribe = one_late_value(name)
    seen: list[Any] = []
    subscription = subscribe(seen.append)
    before = len(seen)
    subscription.dispose()
    assert source.left
    clock.run(1)
    assert len(seen) == before


def test_leaving_in_the_middle_of_a_burst_stops_it():
    source: Subject[str] = Subject()
    seen: list[str] = []
    subscription = Disposable()

    def on_next(text: str) -> None:
        seen.append(text)
        subscription.dispose()

    clock = VirtualClock()
    subscription = source.pipe(rxs.pace("char", max_lag=0)).subscribe(on_next, scheduler=clock.scheduler)  # type: ignore[assignment]
    source.on_next("abc")
    assert seen == ["a"]


def test_a_full_sink_pauses_the_source_also_from_a_timer():
    fake_flow, clock = FakeFlow(), VirtualClock()
    source: Subject[str] = Subject()
    flows: list[Any] = []
    source.pipe(rxs.coalesce(0.1)).subscribe(lambda _: flows.append(FLOW.get()), scheduler=clock.scheduler)
    token = FLOW.set(fake_flow)
    source.on_next("a")
    FLOW.reset(token)
    clock.advance(1)
    assert flows == [fake_flow]
    assert FLOW.get() is None


# ---------------------------------------------------------------------- in a session


@pytest.mark.anyio
@pytest.mark.parametrize("operator", [rxs.coalesce(0.02), rxs.pace(rate=500)], ids=["coalesce", "pace"])
async def test_in_a_session_its_own_scheduler_serves(operator: Operator[Any, Any]):
    threads: set[int] = set()
    words: list[str] = []
    with anyio.fail_after(BOUND):
        async with rxstream.Session(api_key="x", transport=spoken("one ", "two ", "three")) as session:
            answer = session.response(model="m", input="?").pipe(rxs.text_only(), operator)

            def on_next(word: str) -> None:
                words.append(word)
                threads.add(threading.get_ident())

            answer.subscribe(on_next)
    assert "".join(words) == "one two three"
    assert threads == {threading.get_ident()}


def test_leaving_a_session_waits_for_what_is_paced():
    words: list[str] = []
    with rxstream.Session(api_key="x", transport=spoken("one two three four")) as session:
        answer = session.response(model="m", input="?").pipe(rxs.text_only(), rxs.pace(rate=20))
        answer.subscribe(words.append)
    assert words == ["one", " two", " three", " four"]


def test_thinning_with_rx_itself_works_behind_it():
    assert run(say("C a b c K"), ops.compose(rxs.coalesce(1), rxs.text_only())) == ["abc"]
