"""A server that sends events twice, or loses some: what the subscriber of a session gets."""

from __future__ import annotations

from typing import Any

import pytest

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from tests.session._modes import Heard, in_session, modes

ANSWER = answers.together(answers.text("Hello there", split=2), answers.function_calls([("f", {"a": 1})], split=2))
SENT: list[dict[str, Any]] = [event.model_dump() for event in answers.events_of(ANSWER)]


def heard(mode: str, sent: list[dict[str, Any]], **options: Any) -> Heard:
    heard = Heard()

    def body(session: rxstream.Session) -> None:
        heard.subscribe(session.response(model="gpt-4o", input="Hi"))

    with LocalServer([answers.events(sent)]) as server:
        in_session(mode, body, api_key="sk", base_url=server.base_url, **options)
    assert heard.completed()
    return heard


@modes
def test_what_is_sent_twice_comes_once(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    for sent in ([each for event in SENT for each in (event, event)], SENT[:9] + SENT, SENT + SENT):
        assert [event.model_dump() for event in heard(mode, sent).values] == SENT
    assert not [record for record in caplog.records if record.name == "rxstream"]


@modes
def test_what_is_missing_is_reported_once_and_the_stream_goes_on(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    came = heard(mode, SENT[:5] + SENT[6:9] + SENT[11:])
    assert len(came.values) == len(SENT) - 3
    reports = [record.getMessage() for record in caplog.records if record.name == "rxstream"]
    assert len(reports) == 1
    assert "expected event 5 of the stream, got 6" in reports[0]


@modes
def test_nothing_behind_the_terminal_event_adds_to_the_answer(mode: str) -> None:
    late = {"type": "response.output_text.delta", "item_id": SENT[4]["item_id"], "output_index": 0, "delta": "late"}
    texts: list[str] = []
    finals: list[Any] = []

    def body(session: rxstream.Session) -> None:
        response = session.response(model="gpt-4o", input="Hi").pipe(rxs.shared())
        response.pipe(rxs.text_only()).subscribe(texts.append)
        response.pipe(rxs.final_response()).subscribe(finals.append)

    with LocalServer([answers.events([*SENT, {**late, "sequence_number": len(SENT)}])]) as server:
        in_session(mode, body, api_key="sk", base_url=server.base_url)
    assert "".join(texts) == "Hello there"
    assert [final.output_text for final in finals] == ["Hello there"]


@modes
def test_an_error_has_the_last_number_though_events_without_one_follow(mode: str) -> None:
    """Some events of live servers have none. `session.resume(…, after=number)` needs it."""
    unnumbered = [{"type": "response.rate_limits.updated"}, {"type": "slug:own"}, {"type": "keepalive"}]
    heard = Heard()

    def body(session: rxstream.Session) -> None:
        heard.subscribe(session.response(model="gpt-4o", input="Hi"))

    with LocalServer([answers.events([*SENT[:5], *unnumbered])]) as server:
        in_session(mode, body, api_key="sk", base_url=server.base_url)
    error: Any = heard.error
    assert len(heard.values) == 8
    assert error.sequence_number == SENT[4]["sequence_number"] == 4


@modes
def test_without_normalize_every_event_comes(mode: str) -> None:
    assert len(heard(mode, SENT[:5] + SENT, normalize=False).values) == len(SENT) + 5
