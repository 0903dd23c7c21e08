"""An error that the server reports in the stream, before any output: what is tried again, and what is seen of it."""

from __future__ import annotations

from typing import Any

import pytest

import rxstream
from rxstream import errors
from rxstream import operators as rxs
from rxstream.session import _subscription
from rxstream.testing import LocalServer, answers
from tests.session._modes import Heard, hear, in_session, modes, nothing_left_behind, options_for
from tests.waiting import wait_for

LIMIT = "Rate limit reached for gpt-4o. Please try again in 4ms."
OPENING = ["response.created", "response.in_progress"]


def nested(**error: Any) -> answers.Answer:
    return answers.events([*opening("r1"), {"type": "error", "error": error}])


def opening(response_id: str) -> list[dict[str, Any]]:
    response = {"id": response_id, "object": "response", "status": "in_progress", "output": []}
    return [{"type": kind, "response": response} for kind in OPENING]


PASSING = {
    "an error event": answers.error("rate_limit_exceeded", LIMIT),
    "a flat error event": answers.error("rate_limit_exceeded", LIMIT, nested=False),
    "both": answers.error("rate_limit_exceeded", LIMIT, then_failed=True),
    "failed": answers.failed("rate_limit_exceeded", LIMIT),
    "overloaded": answers.failed("server_is_overloaded", "Busy. Try again in 4ms."),
    "a broken server": answers.error("server_error", "Sorry. Retry in 4ms."),
    "a type without a code": nested(type="rate_limit_error", message="Too fast. Try again in 4ms."),
    "a wait without a code": nested(message=LIMIT),
    "a number as its code": nested(code=529, message="Try again in 4ms."),
    "nothing before it": answers.events([{"type": "error", "code": "rate_limit_exceeded", "message": LIMIT}]),
    "without a type": answers.tape(b'data: {"error": {"message": "Try again in 4ms.", "code": 429}}\n\n'),
}


@modes
@pytest.mark.parametrize("refused", PASSING.values(), ids=list(PASSING))
def test_it_is_tried_again_and_only_the_last_try_is_seen(mode: str, refused: answers.Answer) -> None:
    with nothing_left_behind(), LocalServer([refused, refused, answers.text("Hi there")]) as server:
        heard = hear(mode, server, max_retries=2)
        assert heard.completed()
        assert heard.types[:3] == [*OPENING, "response.output_item.added"]
        assert heard.types.count("response.created") == heard.types.count("response.completed") == 1
        assert len({event.response.id for event in heard.values if hasattr(event, "response")}) == 1
        assert len(server.log) == 3
        assert len({str(exchange.json) for exchange in server.log}) == 1


FINAL = {
    "quota": answers.error("insufficient_quota", "You exceeded your current quota. Try again in 4ms."),
    "prompt": answers.failed("invalid_prompt", "No."),
    "no code": nested(message="Something."),
    "a status of the client": nested(code=400, message=LIMIT),
    "too long a wait": answers.error("rate_limit_exceeded", "Please try again in 6h0m0s."),
    "output before it": answers.error("rate_limit_exceeded", LIMIT, partial_text="Hi"),
    "cancelled": answers.events(
        [*opening("r"), {"type": "response.failed", "response": {"status": "cancelled", "error": {"message": LIMIT}}}]
    ),
    "cut": answers.truncated(answers.text("Hi"), after=2),
    "reset": answers.disconnect(answers.text("Hi"), after=2),
    "silent": answers.hang(answers.text("Hi"), after=2),
}


@modes
@pytest.mark.parametrize("answer", FINAL.values(), ids=list(FINAL))
def test_any_other_end_is_final_and_everything_before_it_is_delivered(mode: str, answer: answers.Answer) -> None:
    with LocalServer([answer]) as server:
        heard = hear(mode, server, max_retries=2, idle_timeout=0.3)
        assert isinstance(heard.error, errors.RxStreamError)
        assert heard.types[:2] == OPENING
        assert len(server.log) == 1


@modes
def test_after_the_last_try_the_error_is_delivered(mode: str) -> None:
    with LocalServer([PASSING["both"]]) as server:
        heard = hear(mode, server, max_retries=2)
        assert heard.types == [*OPENING, "error", "response.failed"]
        assert isinstance(heard.error, errors.ApiError)
        assert (heard.error.code, heard.error.retry_after) == ("rate_limit_exceeded", 0.004)
        assert len(server.log) == 3


@modes
@pytest.mark.parametrize("options", [{"retry_stream_errors": False}, {"max_retries": 0}], ids=str)
def test_it_can_be_switched_off(mode: str, options: dict[str, Any]) -> None:
    with LocalServer([PASSING["failed"]]) as server:
        heard = hear(mode, server, **{"max_retries": 2, **options})
        assert isinstance(heard.error, errors.ResponseFailedError)
        assert heard.types == [*OPENING, "response.failed"]
        assert len(server.log) == 1


@modes
def test_tries_of_both_kinds_are_counted_together(mode: str) -> None:
    busy = answers.http_error(429, headers={"retry-after-ms": "1"})
    with LocalServer([busy, PASSING["failed"], busy]) as server:
        assert isinstance(hear(mode, server, max_retries=2).error, errors.StatusError)
        assert len(server.log) == 3


@modes
def test_a_stream_that_breaks_after_a_refused_one_is_not_sent_again(mode: str) -> None:
    with LocalServer([PASSING["failed"], answers.disconnect(answers.text("Hi"), after=1)]) as server:
        heard = hear(mode, server, max_retries=5)
        assert isinstance(heard.error, errors.DisconnectedError)
        assert heard.types == OPENING[:1]
        assert len(server.log) == 2


def test_a_disposed_wait_sends_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "rxstream")
    refused = answers.error("rate_limit_exceeded", "Try again in 60s.")
    with nothing_left_behind(), LocalServer([refused]) as server, rxstream.Session(**_retrying(server)) as session:
        stream = Heard().subscribe(session.response(model="m", input="Hi"))
        wait_for(lambda: "try 2 follows in 60.0 s" in caplog.text)
        stream.dispose()
    assert len(server.log) == 1


@modes
def test_opening_events_are_delivered_when_nothing_follows_for_a_while(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_subscription, "_OPENING_SECONDS", 0.01)
    with nothing_left_behind(), LocalServer([answers.hang(answers.text("Hi"), after=2)]) as server:
        types: list[str] = []
        in_session(
            mode,
            lambda session: session.response(model="m", input="Hi").subscribe(
                lambda event: types.append(event.type), lambda error: types.append(type(error).__name__)
            ),
            **_retrying(server, idle_timeout=0.5),
        )
        assert types == [*OPENING, "IdleTimeoutError"]


@modes
@pytest.mark.parametrize("late", [False, True])
def test_an_observer_that_raises_at_an_opening_event(mode: str, late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if late:
        monkeypatch.setattr(_subscription, "_OPENING_SECONDS", 0.01)
    answer = answers.hang(answers.text("Hi"), after=2) if late else answers.text("Hi")

    def broken(event: object) -> None:
        raise KeyError("mine")

    with nothing_left_behind(), LocalServer([answer]) as server:
        seen: list[Exception] = []
        in_session(
            mode,
            lambda session: session.response(model="m", input="Hi").subscribe(broken, seen.append),
            **_retrying(server),
        )
        assert [str(error) for error in seen] == ["'mine'"]


def test_retry_transient_behind_the_text_does_the_same() -> None:
    with LocalServer([PASSING["both"], answers.text("Hi")]) as server:
        heard = hear("with", server, lambda source: source.pipe(rxs.text_only(), rxs.retry_transient()))
        assert heard.completed()
        assert heard.values == ["Hi"]


def test_a_tape_is_replayed_as_it_was_recorded(tmp_path: Any) -> None:
    tape = tmp_path / "refused.sse"
    tape.write_bytes(answers.sse_bytes_of(PASSING["failed"]))
    heard = Heard()
    with rxstream.Session(api_key="any") as session:
        heard.subscribe(session.replay(tape, speed=None))
    assert heard.types == [*OPENING, "response.failed"]
    assert isinstance(heard.error, errors.ResponseFailedError)


def _retrying(server: LocalServer, **options: Any) -> dict[str, Any]:
    return {**options_for(server), "max_retries": 2, **options}
