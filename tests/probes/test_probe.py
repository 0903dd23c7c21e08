"""What a probe counts: in and out, held and dropped, latency, pauses, the end; and to which stream it belongs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.subject import Subject

import rxstream
from rxstream import operators as rxs
from rxstream import probes
from rxstream.errors import ConnectError
from rxstream.probes import StageSnapshot
from rxstream.testing import LocalServer, VirtualClock, answers
from rxstream.tools import tool
from tests.session._modes import Heard, in_session, modes, options_for

EVENTS = answers.events_of(answers.text(["Snow ", "is ", "late."]))


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    probes.clear()
    yield
    probes.clear()


def stages() -> dict[str, StageSnapshot]:
    (stream,) = probes.snapshot()
    return {stage.name: stage for stage in stream.stages}


def test_the_stages_of_a_chain_are_one_stream_from_the_source_to_the_subscriber() -> None:
    source = reactivex.from_iterable(EVENTS)
    source.pipe(rxs.probe("server"), rxs.probe("text", rxs.text_only()), rxs.probe("app")).subscribe()
    (stream,) = probes.snapshot()
    assert [stage.name for stage in stream.stages] == ["server", "text", "app"]
    server, text, app = stream.stages
    assert (server.events_in, server.events_out) == (len(EVENTS), len(EVENTS))
    assert (text.events_in, text.events_out) == (len(EVENTS), 3)
    assert (text.held, text.dropped, text.latency) == (None, None, None)
    assert (app.events_in, app.events_out, app.held, app.dropped) == (3, 3, 0, 0)
    assert stream.state == app.state == "completed"


def test_what_a_stage_holds_and_for_how_long() -> None:
    clock = VirtualClock()
    source: Subject[Any] = Subject()
    source.pipe(rxs.probe("wait", ops.delay(3))).subscribe(scheduler=clock.scheduler)
    for event in EVENTS[:4]:
        source.on_next(event)
        clock.advance(1)
    assert (stages()["wait"].events_in, stages()["wait"].events_out, stages()["wait"].held) == (4, 2, 2)
    assert stages()["wait"].latency == stages()["wait"].longest_latency == 3
    assert stages()["wait"].first_out == 3
    clock.advance(10)
    assert (stages()["wait"].held, stages()["wait"].dropped) == (0, 0)
    assert stages()["wait"].silence == 14 - 6
    source.on_completed()
    clock.advance(3)
    assert stages()["wait"].state == "completed"


def test_what_a_stage_drops() -> None:
    source = reactivex.from_iterable(EVENTS)
    source.pipe(rxs.probe("every other", ops.filter_indexed(lambda event, index: index % 2 == 0))).subscribe()
    stage = stages()["every other"]
    assert (stage.events_in, stage.events_out, stage.held, stage.dropped) == (11, 6, 0, 5)


def test_a_new_value_replaces_what_is_inside() -> None:
    clock = VirtualClock()
    source: Subject[Any] = Subject()
    source.pipe(rxs.probe("merge", rxs.coalesce(3))).subscribe(scheduler=clock.scheduler)
    for event in EVENTS[:4]:
        source.on_next(event)  # what is not a delta passes at once
    for event in EVENTS[4:7]:
        source.on_next(event)
        clock.advance(1)
    assert (stages()["merge"].held, stages()["merge"].events_out) == (0, 5)
    assert (stages()["merge"].dropped, stages()["merge"].longest_latency) == (3, 3)


def test_values_that_come_out_in_another_order_were_not_dropped() -> None:
    def backwards(source: Observable[Any]) -> Observable[Any]:
        return source.pipe(ops.to_list(), ops.flat_map(lambda values: reactivex.from_iterable(values[::-1])))

    reactivex.from_iterable(EVENTS).pipe(rxs.probe("backwards", backwards)).subscribe()
    assert (stages()["backwards"].dropped, stages()["backwards"].held) == (0, 0)


def test_each_end_is_told_apart() -> None:
    def raising(event: object) -> None:
        raise ValueError

    reactivex.throw(LookupError()).pipe(rxs.probe("failed")).subscribe(on_error=lambda error: None)
    reactivex.never().pipe(rxs.probe("disposed")).subscribe().dispose()
    reactivex.never().pipe(rxs.probe("running")).subscribe()
    with pytest.raises(ValueError):
        reactivex.from_iterable(EVENTS).pipe(rxs.probe("raised")).subscribe(raising)
    reactivex.from_iterable(EVENTS).pipe(rxs.probe("taken"), ops.take(2)).subscribe()
    ends = {each.stages[0].name: (each.state, each.stages[0].error) for each in probes.snapshot()}
    assert ends == {
        "failed": ("failed", "LookupError"),
        "disposed": ("disposed", None),
        "running": ("running", None),
        "raised": ("failed", "ValueError"),
        "taken": ("disposed", None),
    }


@modes
def test_a_slow_sink_pauses_the_source_and_the_probe_counts_it(mode: str) -> None:
    async def slow(event: object) -> None:
        await anyio.sleep(0.02)

    heard = Heard()
    with LocalServer([answers.text(["a "] * 5)]) as server:

        def body(session: rxstream.Session) -> None:
            source = session.response(model="m", input="Hi")
            heard.subscribe(source.pipe(rxs.probe("server"), rxs.probe("slow", rxs.for_each_async(slow))))

        in_session(mode, body, **options_for(server))
    assert heard.completed()
    for name in ("server", "slow"):
        assert stages()[name].pauses > 0
        assert 0 < stages()[name].paused <= stages()[name].elapsed
    assert (stages()["slow"].latency or 0) > 0.01


@modes
def test_the_turns_of_a_run_belong_to_its_stream(mode: str) -> None:
    @tool
    async def look() -> str:
        """Look."""
        return "sea"

    heard = Heard()
    with LocalServer([answers.function_calls([("look", {})]), answers.text("Done.")]) as server:

        def body(session: rxstream.Session) -> None:
            run = session.run(model="m", input="Q", tools=[look], through=(rxs.probe("turn"),))
            heard.subscribe(run.pipe(rxs.probe("run")))

        in_session(mode, body, **options_for(server))
    assert heard.completed()
    (stream,) = probes.snapshot()
    assert sorted(stage.name for stage in stream.stages) == ["run", "turn", "turn"]
    assert stream.stages[-1].name == "run"


def test_a_retry_inside_of_a_stage_counts_on() -> None:
    tries = iter([reactivex.throw(ConnectError("refused")), reactivex.from_iterable(EVENTS)])
    source: Observable[Any] = reactivex.defer(lambda _: next(tries))
    clock = VirtualClock()
    source.pipe(rxs.probe("retry", rxs.retry_transient())).subscribe(scheduler=clock.scheduler)
    clock.advance(60)
    stage = stages()["retry"]
    assert (stage.events_in, stage.events_out, stage.state) == (11, 11, "completed")


def test_shared_stages_and_two_subscriptions() -> None:
    source: Subject[Any] = Subject()
    chain = source.pipe(rxs.probe("server", rxs.shared()))
    chain.subscribe()
    chain.subscribe()
    source.on_next(EVENTS[0])
    assert [(each.stages[0].events_in, each.stages[0].events_out) for each in probes.snapshot()] == [(1, 1), (0, 1)]


def test_a_stage_within_a_stage() -> None:
    def both(source: Observable[Any]) -> Observable[Any]:
        return source.pipe(rxs.probe("inner", rxs.text_only()), ops.map(str.upper))

    reactivex.from_iterable(EVENTS).pipe(rxs.probe("outer", both)).subscribe()
    counts = {name: (stage.events_in, stage.events_out) for name, stage in stages().items()}
    assert counts == {"inner": (11, 3), "outer": (11, 3)}


def test_reading_from_another_thread_while_it_runs() -> None:
    done, problems = threading.Event(), list[Exception]()

    def read() -> None:
        try:
            while not done.is_set():
                probes.snapshot()
        except Exception as error:
            problems.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        reactivex.from_iterable(EVENTS * 20).pipe(rxs.probe("a"), rxs.probe("b", ops.skip(1))).subscribe()
    done.set()
    reader.join()
    assert not problems


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match="expects a name"):
        rxs.probe(rxs.text_only())  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="expects an operator for a"):
        rxs.probe("a", "b")  # type: ignore[call-overload]
