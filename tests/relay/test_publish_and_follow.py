"""A stream is published and followed, in every kind of session and over every engine."""

from __future__ import annotations

import uuid
from typing import Any

import anyio
import pytest
import reactivex as rx
from reactivex import operators as ops
from reactivex.subject import Subject

import rxstream
from rxstream import operators as rxs
from rxstream.errors import (
    ProducerFailedError,
    ProducerLostError,
    ResponseFailedError,
    StreamCancelledError,
    StreamExistsError,
    StreamNotFoundError,
    StreamTooLongError,
)
from rxstream.relay import MemoryLog, cancel, follow, follow_frames, publish
from rxstream.sse import Frame
from rxstream.testing import LocalServer, answers
from rxstream.testing.answers._answer import events_in
from tests._given import STREAMS, needs, stream_bytes
from tests.operators._recorded import NAMES
from tests.relay._streams import EVENTS, CountingLog, begin, dumped, follower, in_mode, source
from tests.relay.conftest import MakeLog
from tests.session._modes import Heard, modes, nothing_left_behind
from tests.waiting import BOUND, settled, until


def session() -> rxstream.Session:
    return rxstream.Session(api_key="k", base_url="http://127.0.0.1:9")


# ---------------------------------------------------------------------- what comes out is what went in


@modes
def test_followers_before_during_and_after_see_the_whole_stream(mode: str) -> None:
    log = MemoryLog()
    heard: list[Heard] = []

    def body(_: rxstream.Session) -> None:
        heard.append(follower(follow(log, "s")))
        publish(source(), log, "s")
        heard.append(follower(follow(log, "s")))

    in_mode(mode, body)
    in_mode(mode, lambda _: heard.append(follower(follow(log, "s"))))
    for each in heard:
        assert each.completed()
        assert dumped(each.values) == dumped(EVENTS)


@modes
def test_a_stream_runs_without_anybody_who_follows_it(mode: str) -> None:
    log = MemoryLog()
    with LocalServer([answers.text("All alone.")]) as server:
        in_mode(mode, lambda session: publish(session.response(model="m", input="Hi"), log, "s"), server)
    texts: list[str] = []
    in_mode(mode, lambda _: follow(log, "s").pipe(rxs.text_only()).subscribe(texts.append))
    assert "".join(texts) == "All alone."


@pytest.mark.anyio
async def test_over_each_engine_from_every_position(make_log: MakeLog) -> None:
    mine, theirs, stream_id = make_log(), make_log(), uuid.uuid4().hex
    async with session():
        publication = publish(source(), mine, stream_id)
        everything = [frame async for frame in rxstream.iterate(follow_frames(theirs, stream_id))]
        await publication
        assert [frame.id for frame in everything] == [str(position) for position in range(len(EVENTS))]
        for position in (0, 1, len(EVENTS) // 2, len(EVENTS) - 1):
            frames = [frame async for frame in rxstream.iterate(follow_frames(theirs, stream_id, after=str(position)))]
            assert frames == everything[position + 1 :]


@pytest.mark.anyio
async def test_many_streams_and_many_followers_at_the_same_time(make_log: MakeLog) -> None:
    mine, theirs = make_log(), make_log()
    names = [uuid.uuid4().hex for _ in range(12)]
    async with session():
        heard = [follower(follow(theirs, name)) for name in names for _ in range(4)]
        for name in names:
            publish(source(), mine, name)
        with anyio.fail_after(BOUND):
            await until(lambda: all(each.completions or each.errors for each in heard))
    assert all(each.completed() and dumped(each.values) == dumped(EVENTS) for each in heard)


@needs(STREAMS)
@pytest.mark.parametrize("name", NAMES[::8])
def test_recorded_streams_come_out_as_they_went_in(name: str) -> None:
    log = MemoryLog()
    direct, relayed = Heard(), Heard()
    with session():
        direct.subscribe(rxstream.from_iterable([stream_bytes(name)]))
        publish(rxstream.from_iterable([stream_bytes(name)]), log, "s")
        relayed.subscribe(follow(log, "s"))
    assert dumped(relayed.values) == dumped(direct.values)
    assert [(type(error), str(error)) for error in relayed.errors] == [
        (type(error), str(error)) for error in direct.errors
    ]


@pytest.mark.anyio
async def test_frames_come_out_with_positions_as_ids() -> None:
    frames = [Frame("a", "1\n2", "mine"), Frame("message", "{}", "", 1500), Frame("é", "\U0001f600")]
    log = MemoryLog()
    async with session():
        publish(rx.of(*frames), log, "s")
        found = [frame async for frame in rxstream.iterate(follow_frames(log, "s"))]
    assert found == [frame._replace(id=str(position)) for position, frame in enumerate(frames)]


# ---------------------------------------------------------------------- what it costs


@pytest.mark.anyio
async def test_events_that_arrive_together_are_one_append() -> None:
    log = CountingLog()
    events: Subject[Any] = Subject()
    async with session():
        heard = follower(follow(log, "s"))
        publish(events, log, "s")
        await until(lambda: events.observers)
        for start in range(0, len(EVENTS), 5):
            for event in EVENTS[start : start + 5]:
                events.on_next(event)
            await until(lambda start=start: len(heard.values) >= min(start + 5, len(EVENTS)))
        events.on_completed()
    assert [batch.count for batch in log.appends if batch is not None] == [5] * (len(EVENTS) // 5) + (
        [len(EVENTS) % 5] if len(EVENTS) % 5 else []
    )
    assert log.reads <= 2 * len(log.appends) + 4


@pytest.mark.anyio
async def test_a_slow_follower_stops_its_own_reading_and_nobody_elses() -> None:
    log = CountingLog()
    many = EVENTS[:3] + [EVENTS[5]] * 5000
    async with session():
        passed: list[Any] = []
        slow = aiter(rxstream.iterate(follow(log, "s").pipe(ops.do_action(passed.append)), buffer=4))
        publication = publish(rx.from_iterable(many), log, "s")
        first = await anext(slow)
        quick = [event async for event in rxstream.iterate(follow(log, "s"))]
        await publication
        assert len(quick) == len(many)
        assert len(passed) < 10
        rest = [first, *[event async for event in slow]]
        assert dumped(rest) == dumped(quick)


@pytest.mark.anyio
async def test_a_source_is_paused_while_the_log_is_slow() -> None:
    gate = anyio.Event()

    class SlowLog(CountingLog):
        async def append(self, *args: Any, **options: Any) -> bool:
            await gate.wait()
            return await super().append(*args, **options)

    log = SlowLog()
    emitted: list[Any] = []
    pieces = (EVENTS[5] for _ in range(20_000))
    async with session():

        async def produce() -> Any:
            for event in pieces:
                emitted.append(event)
                yield event

        publish(rxstream.from_async_iterable(produce()), log, "s")
        await until(lambda: len(emitted) > 500)
        await settled()
        assert len(emitted) < 2000
        gate.set()
    assert len(emitted) == 20_000


# ---------------------------------------------------------------------- how it ends


@modes
def test_an_error_of_the_source_reaches_the_followers_with_its_class_and_fields(mode: str) -> None:
    log = MemoryLog()
    heard: list[Heard] = []
    failed = [*TEXT_EVENTS[:4], {"type": "response.failed", "response": FAILED}]
    with LocalServer([answers.events(failed)]) as server:

        def body(session: rxstream.Session) -> None:
            publish(session.response(model="m", input="Hi"), log, "s")
            heard.append(follower(follow(log, "s")))

        in_mode(mode, body, server)
    error = heard[0].error
    assert isinstance(error, ResponseFailedError)
    assert (error.code, error.message, error.response_id) == ("server_error", "It broke.", "resp_1")
    assert error.retryable


@pytest.mark.anyio
async def test_an_error_that_is_not_ours_is_named() -> None:
    log = MemoryLog()
    async with session():
        publication = publish(rx.throw(LookupError("no such row")), log, "s")
        heard = follower(follow(log, "s"))
        with pytest.raises(LookupError):
            await publication
        await until(lambda: heard.errors)
    assert isinstance(heard.error, ProducerFailedError)
    assert heard.error.kind == "LookupError"
    assert "no such row" in str(heard.error)


@pytest.mark.anyio
async def test_cancel_from_another_process_disposes_the_source(make_log: MakeLog) -> None:
    mine, theirs, stream_id = make_log(), make_log(), uuid.uuid4().hex
    events: Subject[Any] = Subject()
    async with session():
        publication = publish(events, mine, stream_id, lease=30.0)
        await until(lambda: events.observers)
        events.on_next(EVENTS[0])
        heard = follower(follow(theirs, stream_id))
        await until(lambda: heard.values)
        with anyio.fail_after(BOUND):
            assert await cancel(theirs, stream_id)
            with pytest.raises(StreamCancelledError):
                await publication
            await until(lambda: heard.errors)
        assert not events.observers
        assert await cancel(theirs, stream_id) is False
    assert isinstance(heard.error, StreamCancelledError)
    assert dumped(heard.values) == dumped(EVENTS[:1])


@pytest.mark.anyio
async def test_cancel_ends_a_stream_whose_producer_is_lost(make_log: MakeLog) -> None:
    log, stream_id = make_log(), uuid.uuid4().hex
    claimed = await begin(log, stream_id, EVENTS[:2], takeover_within=60.0)
    await log.renew(stream_id, claimed.token, release=True)
    assert await cancel(make_log(), stream_id)
    async with session():
        with pytest.raises(StreamCancelledError):
            await rxstream.result(follow(log, stream_id))
    with pytest.raises(StreamNotFoundError):
        await cancel(log, "unknown")


@modes
def test_disposing_a_publication_cancels_the_stream(mode: str) -> None:
    log = MemoryLog()
    heard: list[Heard] = []
    gone: list[None] = []

    def body(_: rxstream.Session) -> None:
        never: Any = rx.create(lambda observer, _: rx.disposable.Disposable(lambda: gone.append(None)))
        publication = publish(never, log, "s")
        heard.append(follower(follow(log, "s")))
        publication.dispose()

    in_mode(mode, body)
    assert isinstance(heard[0].error, StreamCancelledError)


@pytest.mark.anyio
async def test_a_producer_that_is_killed_is_lost_after_its_lease(make_log: MakeLog) -> None:
    log, stream_id = make_log(), uuid.uuid4().hex
    await begin(log, stream_id, EVENTS[:3])
    async with session():
        heard = follower(follow(make_log(), stream_id))
        with anyio.fail_after(BOUND):
            await until(lambda: heard.errors)
    assert isinstance(heard.error, ProducerLostError)
    assert dumped(heard.values) == dumped(EVENTS[:3])


@modes
def test_leaving_a_session_by_an_exception_says_that_the_producer_is_lost(mode: str) -> None:
    log = MemoryLog()

    def leave(_: rxstream.Session) -> None:
        publish(rx.never(), log, "s", lease=1000.0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_mode(mode, leave)
    heard: list[Heard] = []
    in_mode(mode, lambda _: heard.append(follower(follow(log, "s", start_within=0.0))))
    assert isinstance(heard[0].error, (ProducerLostError, StreamNotFoundError))


def test_leaving_by_an_exception_after_the_stream_has_begun() -> None:
    log = MemoryLog()
    events: Subject[Any] = Subject()

    async def main() -> None:
        async with session():
            publish(events, log, "s", lease=1000.0)
            await until(lambda: events.observers)
            raise LookupError

    with pytest.raises(LookupError):
        anyio.run(main)
    with session():
        heard = follower(follow(log, "s"))
    assert isinstance(heard.error, ProducerLostError)


@pytest.mark.anyio
async def test_one_id_one_stream(make_log: MakeLog) -> None:
    log, stream_id = make_log(), uuid.uuid4().hex
    async with session():
        await publish(source(), log, stream_id)
        with pytest.raises(StreamExistsError):
            await publish(source(), make_log(), stream_id)


@pytest.mark.parametrize("limits", [{"max_events": 3}, {"max_bytes": 2000}])
@pytest.mark.anyio
async def test_a_stream_that_is_too_long_fails(limits: dict[str, int]) -> None:
    log = MemoryLog()
    async with session():
        publication = publish(source(), log, "s", **limits)
        heard = follower(follow(log, "s"))
        with pytest.raises(StreamTooLongError, match=next(iter(limits))):
            await publication
        await until(lambda: heard.errors)
    assert isinstance(heard.error, StreamTooLongError)
    assert 0 < len(heard.values) < len(EVENTS)


@modes
def test_nothing_is_left_behind(mode: str) -> None:
    log = MemoryLog()
    with nothing_left_behind():

        def body(_: rxstream.Session) -> None:
            publish(source(), log, "s")
            follower(follow(log, "s").pipe(rxs.final_response()))
            follow(log, "never", start_within=1000.0).subscribe(print).dispose()

        in_mode(mode, body)
    assert not log._watchers


FAILED = {
    "id": "resp_1",
    "object": "response",
    "status": "failed",
    "output": [],
    "error": {"code": "server_error", "message": "It broke."},
}
TEXT_EVENTS: list[Any] = [
    event if "response" not in event else {**event, "response": {**event["response"], "id": "resp_1"}}
    for event in events_in(b"".join(answers.text("Some words to say.").all_frames()))
]
