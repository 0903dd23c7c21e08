"""The figures of a stream, live and at its end."""

import pickle
from dataclasses import asdict, replace
from typing import Any

import pytest
import reactivex
from reactivex import Subject

import rxstream
from rxstream import operators as rxs
from rxstream.errors import TruncatedError
from rxstream.results import Metrics
from rxstream.testing import VirtualClock, assert_marbles, operator_laws
from tests._given import STREAMS, needs
from tests.event_builders import say
from tests.operators._recorded import NAMES, recorded, run
from tests.operators._wires import spoken


def test_it_also_tells_while_nothing_comes():
    assert_marbles(
        rxs.measure(every=0.05, stall=0.1),
        """
        source   -C-a-----------------K-|
        result   -----w----x----y----z--(k,|)
        where w = Metrics(events=2, stalls=0)
        where x = Metrics(events=2, stalls=0)
        where y = Metrics(events=2, stalls=1, stalled=0.12)
        where z = Metrics(events=2, stalls=1, stalled=0.17)
        where k = Metrics(outcome="completed", events=3, stalls=1, stalled=0.18)
        """,
    )


def test_without_every_there_is_only_the_last():
    assert_marbles(
        rxs.measure(every=None),
        """
        source   -C-a-K-|
        result   -------(x,|)
        where x = Metrics(outcome="completed", events=3, elapsed=0.07)
        """,
    )


def test_the_last_metrics_come_before_the_error():
    assert_marbles(
        rxs.measure(),
        """
        source   -C-a-#
        result   -----(x,#)
        where x = Metrics(outcome="broken", events=2)
        """,
    )


def test_a_stream_that_was_taken_away_is_cut():
    (last,) = run(say("C a"), rxs.measure(every=None))
    assert last.outcome == "cut"


def test_the_events_pass_as_they_are():
    told: list[Metrics] = []
    events = say("C M B a b D E I K")
    seen = run(events, rxs.measure(told.append))
    assert [id(one) for one in seen] == [id(one) for one in events]
    assert [(metrics.outcome, metrics.events) for metrics in told] == [("completed", 9)]


def test_somebody_is_told_live_too():
    clock = VirtualClock()
    told: list[tuple[float, int]] = []
    source: Subject[Any] = Subject()
    measured = source.pipe(rxs.measure(lambda metrics: told.append((clock.now, metrics.events)), every=0.5))
    measured.subscribe(scheduler=clock.scheduler)
    created, delta, completed = say("C a K")
    source.on_next(created)
    clock.advance(0.6)
    source.on_next(delta)
    clock.advance(0.6)
    source.on_next(completed)
    source.on_completed()
    clock.run(1)
    assert told == [(0.5, 1), (1.0, 2), (1.2, 3)]


def test_somebody_is_told_of_a_subscriber_who_leaves_and_only_then():
    told: list[str] = []
    source: Subject[Any] = Subject()
    measured = source.pipe(rxs.measure(lambda metrics: told.append(metrics.outcome), every=None))
    subscription = measured.subscribe()
    source.on_next(say("C")[0])
    assert told == []
    subscription.dispose()
    subscription.dispose()
    assert told == ["disposed"]


def test_somebody_is_told_once_of_an_error():
    told: list[Metrics] = []
    errors: list[Exception] = []
    cut = TruncatedError("cut")
    source = reactivex.concat(reactivex.from_iterable(say("C a")), reactivex.throw(cut))
    source.pipe(rxs.measure(told.append)).subscribe(on_error=errors.append)
    assert errors == [cut]
    assert [metrics.outcome for metrics in told] == ["broken"]


@pytest.mark.parametrize("end", ["on_completed", "dispose"])
def test_what_it_raises_when_told_is_the_error(end: str):
    def tell(metrics: Metrics) -> None:
        raise LookupError("full")

    source: Subject[Any] = Subject()
    errors: list[Exception] = []
    subscription = source.pipe(rxs.measure(tell, every=None)).subscribe(on_error=errors.append)
    if end == "dispose":
        with pytest.raises(LookupError):
            subscription.dispose()
        assert not source.observers
        return
    source.on_completed()
    assert [type(error) for error in errors] == [LookupError]


def test_a_clock_of_ones_own_is_read_at_the_subscription_and_at_each_event():
    times = iter([10.0, 11.0, 13.0, 14.0])
    (last,) = run(say("C a"), rxs.measure(every=None, clock=lambda: next(times)))
    assert (last.first_event, last.first_text, last.elapsed) == (1.0, 3.0, 4.0)


def test_each_subscription_is_measured_for_itself():
    measured = reactivex.from_iterable(say("C a K")).pipe(rxs.measure(every=None))
    told: list[Metrics] = []
    measured.subscribe(told.append)
    measured.subscribe(told.append)
    assert [metrics.events for metrics in told] == [3, 3]


def test_metrics_can_be_kept():
    (last,) = run(say("C a K"), rxs.measure(every=None))
    assert pickle.loads(pickle.dumps(last)) == last
    assert asdict(last)["characters"] == 1
    assert replace(last, events=0) != last


def test_the_laws_hold_where_events_pass():
    operator_laws(lambda: rxs.measure(lambda metrics: None, every=0.02))


def test_in_a_session_real_time_is_measured():
    told: list[Metrics] = []
    with rxstream.Session(api_key="x", transport=spoken("one ", "two ")) as session:
        session.response(model="m", input="?").pipe(rxs.measure(told.append)).subscribe()
    (last,) = [metrics for metrics in told if metrics.outcome != "running"]
    assert (last.outcome, last.characters) == ("completed", 8)
    assert last.first_event is not None
    assert last.first_text is not None
    assert 0 <= last.first_event <= last.first_text <= last.elapsed


@needs(STREAMS)
@pytest.mark.parametrize("name", NAMES[::8])
def test_recorded_streams_are_counted_rightly(name: str):
    events = recorded(name)
    (last,) = run(events, rxs.measure(every=None))
    assert last.events == len(events)
    usages = run(events, rxs.usage())
    assert last.usage == (usages[-1] if usages else None)
    indexes = {event.output_index for event in events if "output_index" in type(event).model_fields}  # type: ignore[union-attr]
    assert [item.output_index for item in last.items] == sorted(indexes)
    assert sum(item.characters for item in last.items) == last.characters
