"""heartbeat: an event of ours while nothing comes, and never another one."""

from datetime import timedelta
from typing import Any

import anyio
import pytest
import reactivex

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ConnectError, FirstEventTimeoutError, TruncatedError
from rxstream.events import OwnEvent, parse_event
from rxstream.results import HeartbeatEvent
from rxstream.rx._context import FLOW
from rxstream.testing import LocalServer, VirtualClock, answers
from rxstream.testing.laws._operator_laws import LAWS, operator_laws
from tests.operators._wires import FakeFlow, Seen, Source
from tests.waiting import BOUND, until


class Beating:
    """A subscription to a source behind `heartbeat(10)`, in virtual time."""

    def __init__(self, seconds: float = 10) -> None:
        self.clock, self.source, self.seen = VirtualClock(), Source(), Seen()
        self.flow = FakeFlow()
        self.subscription = self.source.pipe(rxs.heartbeat(seconds)).subscribe(
            self.seen, scheduler=self.clock.scheduler
        )

    def emit(self, *values: Any) -> None:
        token = FLOW.set(self.flow)
        try:
            self.source.emit(*values)
        finally:
            FLOW.reset(token)

    def beats(self, seconds: float) -> list[float]:
        """Advance the clock; the `seconds` of the heartbeats in that time."""
        before = len(self.seen.values)
        self.clock.advance(seconds)
        return [value.seconds for value in self.seen.values[before:]]


def test_it_beats_before_the_first_value_and_between_values_with_the_time_of_the_silence():
    beating = Beating()
    assert beating.beats(35) == [10, 20, 30]
    beating.emit("a")
    assert beating.beats(9.9) == []
    beating.emit("b")
    assert beating.beats(20.5) == [10, 20]


def test_values_that_come_in_time_leave_no_beat():
    beating = Beating()
    for number in range(10):
        beating.emit(number)
        assert beating.beats(9.9) == []
    assert beating.seen.values == list(range(10))


@pytest.mark.parametrize("end", ["complete", "fail", "dispose"])
def test_nothing_comes_after_the_end_and_no_timer_is_left(end: str):
    beating = Beating()
    beating.emit("a")
    if end == "complete":
        beating.source.complete()
    elif end == "fail":
        beating.source.fail(TruncatedError("cut"))
    else:
        beating.subscription.dispose()
    assert beating.beats(100) == []
    assert not beating.clock.waiting
    assert beating.seen.completed is (end == "complete")
    assert isinstance(beating.seen.error, TruncatedError) is (end == "fail")


def test_the_event_is_one_of_rxstreams_own():
    event = HeartbeatEvent(seconds=15)
    assert isinstance(event, OwnEvent)
    assert event.synthetic
    assert event.model_dump() == {
        "type": "rxstream.heartbeat",
        "sequence_number": None,
        "synthetic": True,
        "seconds": 15.0,
    }
    assert parse_event(event.model_dump_json()).type == "rxstream.heartbeat"


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), timedelta(0)])
def test_a_time_that_cannot_be_is_refused(seconds: Any):
    with pytest.raises(ValueError, match="seconds must be"):
        rxs.heartbeat(seconds)


def test_another_kind_of_time_is_refused():
    with pytest.raises(TypeError, match="seconds or a timedelta"):
        rxs.heartbeat("15")  # type: ignore[arg-type]  # a mistake
    assert Beating(timedelta(seconds=5)).beats(11) == [5, 10]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", LAWS)
def test_the_laws_hold_on_events_and_on_texts(name: str):
    skip = set(LAWS) - {name}
    for of in ("events", "texts"):
        operator_laws(lambda: rxs.heartbeat(5), of=of, skip=skip)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- what downstream does


def pausing(beating: Beating) -> list[Any]:
    """Subscribe again, with an observer that pauses at each value. Its flows."""
    flows: list[Any] = []

    def on_next(value: object) -> None:
        flow = FLOW.get()
        assert flow is not None
        flow.pause()
        flows.append(flow)

    beating.source.pipe(rxs.heartbeat(10)).subscribe(on_next, scheduler=beating.clock.scheduler)
    return flows


def test_it_does_not_beat_while_downstream_has_paused_the_stream():
    beating = Beating()
    beating.subscription.dispose()
    flows = pausing(beating)
    beating.emit("a")
    assert beating.flow.pauses == 1
    beating.clock.advance(95)
    assert len(flows) == 1
    flows[0].resume()
    assert beating.flow.pauses == 0
    beating.clock.advance(9.9)
    assert len(flows) == 1
    beating.clock.advance(0.2)
    assert len(flows) == 2
    assert flows[0] is flows[1]


def test_a_beat_before_the_first_value_can_be_paused_and_the_stream_is_too_when_it_comes():
    beating = Beating()
    beating.subscription.dispose()
    flows = pausing(beating)
    beating.clock.advance(100)
    assert len(flows) == 1
    assert beating.flow.pauses == 0
    beating.emit("a")
    assert flows[0] is flows[1]
    assert beating.flow.pauses == 1
    flows[0].resume()
    flows[0].resume()
    flows[0].resume()
    assert beating.flow.pauses == 0
    beating.clock.advance(10)
    assert len(flows) == 3


def test_each_of_two_merged_streams_is_paused_when_it_emits():
    first, second, clock, flows = Source(), Source(), VirtualClock(), [FakeFlow(), FakeFlow()]
    held: list[Any] = []

    def on_next(value: object) -> None:
        if not held:
            held.append(FLOW.get())
            held[0].pause()

    reactivex.merge(first, second).pipe(rxs.heartbeat(10)).subscribe(on_next, scheduler=clock.scheduler)
    clock.advance(0)
    for source, flow in ((first, flows[0]), (second, flows[1]), (first, flows[0])):
        token = FLOW.set(flow)
        source.emit(1)
        FLOW.reset(token)
    assert [flow.pauses for flow in flows] == [1, 1]
    held[0].resume()
    assert [flow.pauses for flow in flows] == [0, 0]


def test_the_time_in_which_the_observer_blocks_does_not_count():
    clock, source, values = VirtualClock(), Source(), list[Any]()

    def on_next(value: Any) -> None:
        values.append(value)
        if value == "slow":
            clock.advance(50)

    source.pipe(rxs.heartbeat(10)).subscribe(on_next, scheduler=clock.scheduler)
    source.emit("slow")
    assert values == ["slow"]
    clock.advance(10)
    assert values == ["slow", HeartbeatEvent(seconds=10)]


def test_an_observer_that_aborts_at_a_beat_gets_its_error_and_the_source_is_disposed():
    beating, errors, flows = Beating(), list[Exception](), list[Any]()
    beating.subscription.dispose()
    beating.source.pipe(rxs.heartbeat(10)).subscribe(
        lambda _: flows.append(FLOW.get()), errors.append, scheduler=beating.clock.scheduler
    )
    beating.clock.advance(10)
    flows[0].abort(error := ValueError("later"))
    assert errors == [error]
    assert beating.source.observers == []
    assert not beating.clock.waiting


# ---------------------------------------------------------------------- before other operators


def test_a_beat_is_no_value_for_time_limits():
    clock, source, seen = VirtualClock(), Source(), Seen()
    source.pipe(rxs.heartbeat(10), rxs.timeouts(first_event=25)).subscribe(seen, scheduler=clock.scheduler)
    clock.advance(30)
    assert [value.seconds for value in seen.values] == [10, 20]
    assert isinstance(seen.error, FirstEventTimeoutError)


@pytest.mark.parametrize("recovering", ["retry_transient", "fallback_to"])
def test_a_beat_is_no_value_for_a_second_try(recovering: str):
    clock, seen = VirtualClock(), Seen()
    tries = iter([reactivex.timer(15).pipe(_fails()), reactivex.of("a")])
    source = reactivex.defer(lambda _: next(tries)).pipe(rxs.heartbeat(10))
    operator = rxs.retry_transient(1) if recovering == "retry_transient" else rxs.fallback_to(reactivex.of("a"))
    source.pipe(operator).subscribe(seen, scheduler=clock.scheduler)
    clock.advance(20)
    assert [getattr(value, "type", value) for value in seen.values] == ["rxstream.heartbeat", "a"]
    assert seen.completed


def _fails() -> Any:
    return reactivex.operators.flat_map(lambda _: reactivex.throw(ConnectError("refused")))


def test_metrics_leave_it_out():
    clock, source, plain, beating = VirtualClock(), Source(), Seen(), Seen()
    source.pipe(rxs.measure(every=None)).subscribe(plain, scheduler=clock.scheduler)
    source.pipe(rxs.heartbeat(1), rxs.measure(every=None)).subscribe(beating, scheduler=clock.scheduler)
    for _ in range(2):
        for event in answers.events_of(answers.text("Hello there.")):
            clock.advance(2.5)
            source.emit(event)
    source.complete()
    assert beating.values == plain.values


# ---------------------------------------------------------------------- with a session


@pytest.mark.anyio
async def test_it_beats_while_a_server_thinks():
    with LocalServer([answers.hang(answers.text("Hello there."), after=1)]) as server:
        async with rxstream.Session("k", base_url=server.base_url) as session:
            seen: list[Any] = []
            stream = session.response(model="m").pipe(rxs.heartbeat(0.01))
            subscription = stream.subscribe(seen.append)
            await until(lambda: sum(isinstance(event, HeartbeatEvent) for event in seen) >= 3)
            subscription.dispose()
            count = len(seen)
            await anyio.sleep(0.05)
            assert len(seen) == count


@pytest.mark.anyio
async def test_async_handlers_get_beats_and_events_one_at_a_time():
    calls: list[str] = []
    running = 0
    handlers = rxstream.Handlers()

    @handlers.on("*")
    async def note(event: Any) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await anyio.sleep(0.003)
        calls.append(event.type)
        running -= 1

    with LocalServer([answers.text("Hello there.")], pace=50) as server, anyio.fail_after(BOUND):
        async with rxstream.Session("k", base_url=server.base_url) as session:
            session.response(model="m").pipe(rxs.heartbeat(0.004)).subscribe(handlers)
    assert calls[-1] == "response.completed"
    assert [kind for kind in calls if kind != "rxstream.heartbeat"] == [
        event.type for event in answers.events_of(answers.text("Hello there."))
    ]
