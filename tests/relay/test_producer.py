"""What a producer does next, and a follower: by lists, without a log and without waiting."""

from __future__ import annotations

import json
import random

import pytest

from rxstream.errors import PositionLostError, ProducerLostError, StreamNotFoundError, StreamTooLongError
from rxstream.relay import Claimed, LogBatch, LogPage, StreamHead
from rxstream.relay._batches import to_bytes
from rxstream.relay._end import StreamEnd
from rxstream.relay._follower import LONGEST_WAIT, Follower, ReadOn, StreamIsOver, TakeOver, WaitForHint
from rxstream.relay._producer import MAX_BATCH_EVENTS, Append, EndIsLogged, Producer, Renew, WaitForSource
from rxstream.sse import Frame

CLAIMED = Claimed(token=1, next=0, lease=9.0, takeover_within=0.0)
NO_LIMITS = (2**53, 2**53)


def event(number: int) -> bytes:
    return to_bytes(Frame("message", str(number)))


def batch(first: int, count: int) -> LogBatch:
    return LogBatch(first, count, b"".join(event(first + n) for n in range(count)))


# ---------------------------------------------------------------------- the producer


def test_what_comes_while_a_call_is_under_way_is_the_next_batch() -> None:
    producer = Producer("s", CLAIMED, 0.0, NO_LIMITS)
    assert producer.step(0.0) == WaitForSource(3.0)
    producer.emitted(event(0))
    first = producer.step(1.0)
    assert first == Append(batch(0, 1), None)
    producer.emitted(event(1))
    producer.emitted(event(2))
    producer.completed()
    assert isinstance(first, Append)
    producer.answered(first, 1.0, False)
    second = producer.step(1.5)
    assert second == Append(batch(1, 2), StreamEnd("completed"))
    assert isinstance(second, Append)
    producer.answered(second, 1.5, False)
    assert producer.step(1.6) == EndIsLogged(StreamEnd("completed"))


def test_the_lease_is_renewed_by_appends_and_else_every_third_of_it() -> None:
    producer = Producer("s", CLAIMED, 0.0, NO_LIMITS)
    producer.emitted(event(0))
    step = producer.step(2.0)
    assert isinstance(step, Append)
    producer.answered(step, 2.0, False)
    assert producer.step(2.5) == WaitForSource(2.5)
    renew = producer.step(5.0)
    assert renew == Renew()
    assert isinstance(renew, Renew)
    producer.answered(renew, 5.0, False)
    assert producer.step(5.5) == WaitForSource(2.5)
    producer.look()
    assert producer.step(5.5) == Renew()


def test_a_cancellation_appends_what_came_and_stops_the_source() -> None:
    producer = Producer("s", CLAIMED, 0.0, NO_LIMITS)
    producer.emitted(event(0))
    producer.cancel()
    producer.emitted(event(1))
    assert producer.stopped
    step = producer.step(0.0)
    assert isinstance(step, Append)
    assert step.batch == batch(0, 1)
    assert step.end is not None
    assert step.end.cause == "cancelled"


@pytest.mark.parametrize("limits", [(2, 2**53), (2**53, 2 * len(event(0)))])
def test_beyond_its_limits_it_fails(limits: tuple[int, int]) -> None:
    producer = Producer("s", CLAIMED, 0.0, limits)
    for number in range(4):
        producer.emitted(event(number))
    step = producer.step(0.0)
    assert isinstance(step, Append)
    assert step.batch == batch(0, 2)
    assert step.end is not None
    assert isinstance(step.end.error, StreamTooLongError)
    assert producer.stopped


def test_random_sources_and_calls_lose_nothing() -> None:
    """Whatever comes when, the batches join to what was emitted, in order, and the end comes last."""
    for seed in range(300):
        rng = random.Random(seed)
        producer = Producer("s", CLAIMED, 0.0, NO_LIMITS)
        emitted = rng.choice((0, 1, 5, 2 * MAX_BATCH_EVENTS + 7))
        sent, now, positions, over = 0, 0.0, 0, False
        for _ in range(100_000):
            now += rng.random()
            while sent < emitted and rng.random() < 0.9:
                producer.emitted(event(sent))
                sent += 1
            if sent == emitted and rng.random() < 0.3:
                producer.completed()
            step = producer.step(now)
            if isinstance(step, EndIsLogged):
                break
            if isinstance(step, WaitForSource):
                assert 0 < step.seconds <= 3.0
                continue
            if isinstance(step, Append) and step.batch is not None:
                assert step.batch == batch(positions, step.batch.count)
                assert step.batch.count <= MAX_BATCH_EVENTS
                assert not over
                positions += step.batch.count
            over = over or (isinstance(step, Append) and step.end is not None)
            producer.answered(step, now, False)
        assert over
        assert positions == emitted
        assert producer.waiting == producer.waiting_bytes == 0


# ---------------------------------------------------------------------- the follower


def head(following: int, end: str | None = None, left: float = 9.0, within: float = 0.0) -> StreamHead:
    return StreamHead(following, end, left, within)


def positions(follower: Follower, *batches: LogBatch) -> list[int]:
    page = LogPage(batches, head(0))
    return [int(frame.id) for frame in follower.frames(page)]


def test_each_event_once_whatever_is_read_twice() -> None:
    follower = Follower("s", 2, 0.0, start_within=0.0)
    assert positions(follower, batch(1, 4)) == [3, 4]
    assert positions(follower, batch(1, 4), batch(5, 2)) == [5, 6]
    assert positions(follower, batch(5, 2)) == []
    assert follower.after == 6


def test_a_gap_is_an_error_and_what_came_before_it_was_passed_on() -> None:
    follower = Follower("s", None, 0.0, start_within=0.0)
    found: list[str] = []
    with pytest.raises(PositionLostError) as raised:
        found.extend(frame.data for frame in follower.frames(LogPage((batch(0, 2), batch(3, 1)), head(4))))
    assert found == ["0", "1"]
    assert follower.after == 1
    assert raised.value.position == 1
    late = Follower("s", None, 0.0, start_within=0.0)
    with pytest.raises(PositionLostError):
        late.step(LogPage((), head(5)), 0.0)
    ahead = Follower("s", 9, 0.0, start_within=0.0)
    with pytest.raises(PositionLostError, match="has 5 events"):
        ahead.step(LogPage((), head(5)), 0.0)


def test_a_batch_that_is_damaged_is_an_error() -> None:
    follower = Follower("s", None, 0.0, start_within=0.0)
    with pytest.raises(PositionLostError, match="damaged"):
        list(follower.frames(LogPage((LogBatch(0, 2, event(0)),), head(2))))


def test_the_steps_of_a_follower() -> None:
    follower = Follower("s", None, 0.0, start_within=4.0)
    assert follower.step(LogPage((), None), 1.0) == WaitForHint(3.0)
    assert follower.step(LogPage((), head(0), more=True), 1.0) == ReadOn()
    assert follower.step(LogPage((), head(0, left=2.0)), 1.0) == WaitForHint(2.0)
    assert follower.step(LogPage((), head(0, left=60.0)), 1.0) == WaitForHint(LONGEST_WAIT)
    assert follower.step(LogPage((), head(0, left=-1.0, within=3.0)), 1.0) == WaitForHint(2.0)
    over = follower.step(LogPage((), head(0, left=-3.0, within=3.0)), 1.0)
    assert isinstance(over, StreamIsOver)
    assert isinstance(over.end.error, ProducerLostError)
    assert follower.step(LogPage((), head(0, end=StreamEnd("completed").to_text())), 1.0) == StreamIsOver(
        StreamEnd("completed")
    )
    with pytest.raises(StreamNotFoundError):  # it was there, so `start_within` does not count
        follower.step(LogPage((), None), 1.0)
    helping = Follower("s", None, 0.0, start_within=0.0, takes_over=True)
    assert helping.step(LogPage((), head(0, left=-1.0, within=3.0)), 1.0) == TakeOver(2.0)
    with pytest.raises(StreamNotFoundError):
        Follower("s", None, 0.0, start_within=0.0).step(LogPage((), None), 0.0)


# ---------------------------------------------------------------------- the end, as text


def test_an_end_is_json_without_what_json_cannot_hold() -> None:
    error = ProducerLostError("gone", stream_id="s", position=3)
    error.payload = object()  # type: ignore[attr-defined]
    text = StreamEnd("failed", error).to_text()
    assert "payload" not in json.loads(text)["error"]["fields"]
    found = StreamEnd.from_text(text, "s").error
    assert isinstance(found, ProducerLostError)
    assert (found.message, found.stream_id, found.position) == ("gone", "s", 3)


@pytest.mark.parametrize("name", ["annotations", "Any", "hide", "SystemExit", "RxStreamError.x"])
def test_a_name_in_the_log_makes_no_other_class(name: str) -> None:
    text = json.dumps({"cause": "failed", "error": {"type": name, "message": "m", "fields": {"message": "m"}}})
    found = StreamEnd.from_text(text, "s").error
    assert type(found).__name__ == "ProducerFailedError"
