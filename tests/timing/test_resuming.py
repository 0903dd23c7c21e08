"""The table of `timing/_resuming.py`, row by row, and random histories."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from rxstream.errors import (
    ConnectError,
    ContentTypeError,
    DisconnectedError,
    IdleTimeoutError,
    ProtocolError,
    RxStreamError,
    StatusError,
    TruncatedError,
)
from rxstream.events import StreamingEvent, UnknownEvent, parse_event
from rxstream.timing._backoff import Backoff
from rxstream.timing._resuming import GiveUp, Reopen, ResumePhase, Resuming
from tests.thinned import tries

BACKOFF = Backoff(3, lambda: 0.0)
STREAM, POLL = ResumePhase.STREAM, ResumePhase.POLL


def event(number: int | None, kind: str = "response.some_event") -> StreamingEvent:
    fields: dict[str, Any] = {"type": kind} if number is None else {"type": kind, "sequence_number": number}
    return UnknownEvent(data=fields, **fields)


def status(code: int, **more: Any) -> StatusError:
    return StatusError("no", status=code, **more)


def begun(*numbers: int | None) -> Resuming:
    resuming = Resuming(BACKOFF)
    assert all(resuming.passes(event(number)) for number in numbers)
    return resuming


def reopened(*numbers: int | None) -> Resuming:
    resuming = begun(*numbers)
    assert resuming.lost(DisconnectedError("cut"), "r") == Reopen(STREAM, 0.0)
    return resuming


def polled() -> Resuming:
    resuming = reopened(0, 1)
    assert resuming.lost(status(404)) == Reopen(POLL, 0.0)
    return resuming


@pytest.mark.parametrize("loss", [DisconnectedError(), IdleTimeoutError(), TruncatedError()], ids=repr)
def test_a_loss_is_reopened_at_once_if_the_response_has_an_id(loss: RxStreamError) -> None:
    assert begun(0, 1).lost(loss, "r") == Reopen(STREAM, 0.0)
    assert begun(0, 1).lost(loss, None) == GiveUp(loss)


@pytest.mark.parametrize("error", [ProtocolError(), ContentTypeError(status=200)], ids=repr)
def test_garbage_is_final_after_an_event(error: RxStreamError) -> None:
    assert begun(0, 1).lost(error, "r") == GiveUp(error)
    resuming = reopened(0, 1)
    assert resuming.passes(event(2))
    assert resuming.lost(error) == GiveUp(error)


def test_the_waits_and_the_number_of_tries_are_those_of_the_back_off() -> None:
    resuming = reopened(0, 1)
    waits = [resuming.lost(ConnectError("down")) for _ in range(3)]
    assert waits == [Reopen(STREAM, 0.5), Reopen(STREAM, 1.0), Reopen(STREAM, 2.0)]
    last = resuming.lost(status(503))
    assert isinstance(last, GiveUp)
    assert isinstance(last.error, DisconnectedError)
    assert isinstance(last.error.__cause__, StatusError)
    assert (last.error.response_id, last.error.sequence_number) == ("r", 1)


def test_the_wait_of_the_server_is_respected() -> None:
    assert reopened(0).lost(status(429, retry_after=7.0)) == Reopen(STREAM, 7.0)


def test_a_new_event_gives_the_tries_back_and_is_the_new_loss() -> None:
    resuming = reopened(0, 1)
    for _ in range(3):
        resuming.lost(ConnectError("down"))
    assert not resuming.passes(event(1))
    assert resuming.passes(event(2))
    loss = IdleTimeoutError("silent")
    assert resuming.lost(loss) == Reopen(STREAM, 0.0)
    for _ in range(3):
        assert isinstance(resuming.lost(ConnectError("down")), Reopen)
    assert resuming.lost(ConnectError("down")) == GiveUp(loss)
    assert loss.sequence_number == 2


@pytest.mark.parametrize(
    "answer", [status(400), status(404), status(501, should_retry=False), ContentTypeError(status=204)], ids=repr
)
def test_a_stream_that_the_server_does_not_have_is_polled_from_then_on(answer: RxStreamError) -> None:
    resuming = reopened(0, 1)
    assert resuming.lost(answer) == Reopen(POLL, 0.0)
    for wait in (0.5, 1.0, 2.0, 4.0, 8.0, 8.0):
        resuming.unfinished = True
        assert resuming.lost(TruncatedError()) == Reopen(POLL, wait)


def test_a_stream_that_ends_without_a_new_event_is_polled_and_then_opened_again() -> None:
    resuming = reopened(0, 1)
    assert resuming.lost(TruncatedError()) == Reopen(POLL, 0.0)
    resuming.unfinished = True
    assert resuming.lost(TruncatedError()) == Reopen(STREAM, 0.5)


def test_polls_that_fail_are_bounded() -> None:
    resuming = polled()
    steps = [resuming.lost(error) for error in (status(500), TruncatedError(), ConnectError("down"))]
    assert steps == [Reopen(POLL, 0.5), Reopen(POLL, 1.0), Reopen(POLL, 2.0)]
    assert isinstance(resuming.lost(status(500)), GiveUp)
    assert isinstance(polled().lost(status(404)), GiveUp)


def test_unfinished_polls_are_not_bounded() -> None:
    resuming = polled()
    for _ in range(2000):
        resuming.unfinished = True
        assert isinstance(resuming.lost(TruncatedError()), Reopen)


@pytest.mark.parametrize("numbers", [(None, None), (0, 1, None), (0, 20_000)], ids=str)
def test_what_has_no_position_is_polled(numbers: tuple[int | None, ...]) -> None:
    assert begun(*numbers).lost(DisconnectedError(), "r") == Reopen(POLL, 0.0)


def test_numbers_that_do_not_count_are_no_positions() -> None:
    resuming = Resuming(BACKOFF, numbers_count=lambda: False)
    assert resuming.passes(event(0))
    assert resuming.lost(DisconnectedError(), "r") == Reopen(POLL, 0.0)


def test_a_keepalive_takes_no_position() -> None:
    resuming = begun(0, 1)
    assert resuming.passes(parse_event('{"type": "keepalive"}'))
    assert resuming.lost(DisconnectedError(), "r") == Reopen(STREAM, 0.0)


def test_a_gap_is_a_loss_once() -> None:
    resuming = begun(0, 1)
    with pytest.raises(DisconnectedError, match="expected event 2 of the stream, got 4") as gap:
        resuming.passes(event(4))
    assert resuming.last == 1
    assert resuming.lost(gap.value, "r") == Reopen(STREAM, 0.0)
    assert resuming.passes(event(4))
    assert resuming.passes(event(9))


def test_an_event_without_a_number_may_fill_a_gap() -> None:
    assert begun(0, None, 2).lost(DisconnectedError(), "r") == Reopen(STREAM, 0.0)


def test_a_response_that_exists_is_reopened_from_its_first_try_on() -> None:
    resuming = Resuming(BACKOFF, response_id="r", after=5)
    assert resuming.lost(ConnectError("down")) == Reopen(STREAM, 0.5)
    assert not resuming.passes(event(5))
    assert resuming.passes(event(6))
    resuming = Resuming(BACKOFF, response_id="r")
    assert resuming.lost(ConnectError("down")) == Reopen(STREAM, 0.5)
    assert resuming.last is None


def test_random_histories() -> None:
    """Connections to a server with 20 events fail at random: each event passes once, in order, or an error comes."""
    for seed in range(tries(2_000, 10_000)):
        random = Random(seed)
        resuming = Resuming(BACKOFF)
        passed: list[int] = []
        after, steps = -1, 0
        while not passed or passed[-1] != 19:
            steps += 1
            assert steps < 500
            error: RxStreamError = random.choice([DisconnectedError(), IdleTimeoutError(), TruncatedError()])
            start = random.randrange(after + 2)
            for number in range(start, random.randrange(start, 21)):
                if number > after + 1 and random.random() < 0.03:
                    continue
                try:
                    passed += [number] * resuming.passes(event(number))
                except DisconnectedError as gap:
                    error = gap
                    break
            step = resuming.lost(error, "r" if passed else None)
            while isinstance(step, Reopen) and step.phase is POLL:
                resuming.unfinished = True
                step = resuming.lost(TruncatedError())
                assert not isinstance(step, Reopen) or step.phase is STREAM
            if isinstance(step, GiveUp):
                break
            after = -1 if resuming.last is None else resuming.last
        assert passed == sorted(set(passed)), seed
        if resuming._accepts_gaps is False:  # pyright: ignore[reportPrivateUsage]
            assert passed == list(range(len(passed))), seed
