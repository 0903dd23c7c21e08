"""A stream that is lost goes on over another connection: each event once, in order, as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

import rxstream
from rxstream import errors
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from rxstream.timing._backoff import Backoff
from tests.session._modes import Heard, in_session, modes, nothing_left_behind, options_for

ANSWER = answers.together(
    answers.reasoning_summary("Let me think", then=answers.text("Hello there", split=3)),
    answers.function_calls([("f", {"a": 1})], split=3),
)
SENT: list[dict[str, Any]] = [event.model_dump() for event in answers.events_of(ANSWER)]
ID: str = SENT[0]["response"]["id"]


@cache
def sent_as(response_id: str) -> list[dict[str, Any]]:
    return json.loads(json.dumps(SENT).replace(ID, response_id))


def ask(session: rxstream.Session, text: str = "Hi", **options: Any) -> Heard:
    heard = Heard()
    heard.subscribe(session.response(model="m", input=text, background=True, **{"resume": True, **options}))
    return heard


def hear(mode: str, server: LocalServer, *, tries: int = 8, session: dict[str, Any] | None = None) -> Heard:
    """One resumed response, without waits."""
    heard: list[Heard] = []

    def body(opened: rxstream.Session) -> None:
        no_wait(opened, tries)
        heard.append(ask(opened))

    in_session(mode, body, **{**options_for(server), **(session or {})})
    return heard[0]


def no_wait(session: rxstream.Session, tries: int = 8) -> None:
    session._resume_backoff = Backoff(tries, lambda: 0.0, first=0.0)  # pyright: ignore[reportPrivateUsage]


def dumped(heard: Heard) -> list[dict[str, Any]]:
    return [event.model_dump() for event in heard.values]


def resumed_after(server: LocalServer) -> list[int]:
    return [int(exchange.query["starting_after"]) for exchange in server.log if "starting_after" in exchange.query]


def refused(status: int = 400) -> answers.Reply:
    return answers.http_error(status)


# ---------------------------------------------------------------------- cut anywhere


@modes
@pytest.mark.parametrize("how", ["fin", "rst", "chunk", "length", "eof"])
@pytest.mark.parametrize("plus", [0, 30], ids=["between events", "inside an event"])
def test_cut_at_every_position_it_is_exactly_the_uncut_sequence(mode: str, how: Any, plus: int) -> None:
    heard: dict[int, Heard] = {}
    cuts = range(1, len(SENT))

    def answer(body: dict[str, Any]) -> answers.Answer:
        cut = int(body["input"])
        return answers.events(sent_as(f"resp_{cut}")).ends(how, after=cut, plus=plus)

    def body(session: rxstream.Session) -> None:
        heard.update({cut: ask(session, str(cut)) for cut in cuts})

    with nothing_left_behind(), LocalServer([answer]) as server:
        in_session(mode, body, **options_for(server))
        log = server.log
    for cut in cuts:
        assert heard[cut].completed()
        assert dumped(heard[cut]) == sent_as(f"resp_{cut}")
        resumed = [exchange.query for exchange in log if exchange.path == f"/v1/responses/resp_{cut}"]
        assert resumed == [{"stream": "true", "starting_after": str(cut - 1)}]
    assert sum(exchange.method == "POST" for exchange in log) == len(cuts)


@modes
def test_every_further_connection_may_be_cut_too(mode: str) -> None:
    with LocalServer([answers.disconnect(answers.events(SENT), after=1)]) as server:
        server.on_resume(*[lambda rest: answers.disconnect(rest, after=1, how="rst") for _ in SENT[2:]])
        heard = hear(mode, server, tries=0, session={"max_retries": 2})
        assert resumed_after(server) == list(range(len(SENT) - 1))
    assert heard.completed()
    assert dumped(heard) == SENT


@modes
def test_a_silent_stream_is_resumed(mode: str) -> None:
    with LocalServer([answers.hang(answers.events(SENT), after=4)]) as server:
        heard = hear(mode, server, session={"idle_timeout": 0.2})
    assert heard.completed()
    assert dumped(heard) == SENT


@modes
@pytest.mark.parametrize("normalize", [True, False])
def test_a_server_that_begins_anew_repeats_nothing(mode: str, normalize: bool) -> None:
    with LocalServer([answers.disconnect(answers.events(SENT), after=7)]) as server:
        server.on_resume(lambda _: answers.events(SENT))
        heard = hear(mode, server, session={"normalize": normalize})
    assert dumped(heard) == SENT


@modes
def test_another_path_and_the_parts_of_the_first_request(mode: str) -> None:
    with LocalServer([answers.disconnect(answers.events(SENT), after=3)]) as server:
        in_session(
            mode,
            lambda session: ask(session, extra_headers={"x-team": "blue"}, extra_query={"api-version": "1"}),
            **options_for(server),
            resume_path="/responses/{response_id}/events",
        )
        first, second = server.log
    assert second.path == f"/v1/responses/{ID}/events"
    assert second.query == {"api-version": "1", "stream": "true", "starting_after": "2"}
    assert second.headers["x-team"] == "blue"
    assert second.headers["authorization"] == first.headers["authorization"]
    assert second.json is None


# ---------------------------------------------------------------------- tries


@modes
def test_tries_are_bounded_and_the_error_says_how_to_go_on(mode: str) -> None:
    with LocalServer([answers.disconnect(answers.events(SENT), after=5)]) as server:
        server.on_resume(*[lambda _: refused(503)] * 9)
        heard = hear(mode, server, tries=3)
        assert resumed_after(server) == [4] * 4
    assert dumped(heard) == SENT[:5]
    assert isinstance(heard.error, errors.DisconnectedError)
    assert isinstance(heard.error.__cause__, errors.StatusError)
    assert (heard.error.response_id, heard.error.sequence_number) == (ID, 4)
    assert heard.error.__notes__ == [f"to go on where it stopped: session.resume({ID!r}, after=4)"]


@modes
def test_a_new_event_gives_all_tries_back(mode: str) -> None:
    with LocalServer([answers.disconnect(answers.events(SENT), after=5)]) as server:
        failing = [lambda _: refused(503)] * 2
        server.on_resume(*failing, lambda rest: answers.truncated(rest, 1), *failing)
        heard = hear(mode, server, tries=2)
        assert resumed_after(server) == [4, 4, 4, 5, 5, 5]
    assert dumped(heard) == SENT


@modes
def test_before_the_response_has_an_id_nothing_is_sent_again(mode: str) -> None:
    with LocalServer([answers.disconnect(answers.events(SENT), after=0)]) as server:
        heard = hear(mode, server, session={"max_retries": 5})
        assert len(server.log) == 1
    assert isinstance(heard.error, errors.DisconnectedError)
    assert heard.error.response_id is None


@modes
@pytest.mark.parametrize("cut", [answers.failed(), answers.error(), answers.incomplete("Hi")], ids=range(3))
def test_an_end_is_an_end(mode: str, cut: answers.Answer) -> None:
    with LocalServer([cut]) as server:
        hear(mode, server, session={"retry_stream_errors": False})
        assert len(server.log) == 1


@modes
def test_an_error_before_any_output_is_tried_again_and_that_try_is_resumed(mode: str) -> None:
    busy = answers.error("rate_limit_exceeded", "Please try again in 4ms.")
    with LocalServer([busy, answers.disconnect(answers.events(SENT), after=2)]) as server:
        heard = hear(mode, server, session={"max_retries": 2})
        assert [exchange.method for exchange in server.log] == ["POST", "POST", "GET"]
    assert dumped(heard) == SENT


@modes
def test_keepalives_take_no_position(mode: str) -> None:
    alive = {"type": "keepalive"}
    sent = [*SENT[:5], alive, alive]
    with LocalServer([answers.disconnect(answers.events([*sent, *SENT[5:]]), after=7)]) as server:
        server.on_resume(lambda _: answers.events(SENT[5:]))
        heard = hear(mode, server)
        assert resumed_after(server) == [4]
        server.say(answers.disconnect(answers.events(sent), after=7))
        lost = Heard()
        in_session(mode, lambda session: lost.subscribe(session.response(model="m", input="Hi")), **options_for(server))
    assert [event.model_dump() for event in heard.values if event.type != "keepalive"] == SENT
    assert lost.error.sequence_number == 4  # pyright: ignore[reportAttributeAccessIssue]


@modes
def test_garbage_is_not_resumed(mode: str) -> None:
    frames = answers.sse_bytes_of(answers.events(SENT[:4]))
    with LocalServer([answers.tape(frames + b"data: {]\n\n")]) as server:
        heard = hear(mode, server)
        assert len(server.log) == 1
    assert isinstance(heard.error, errors.ProtocolError)
    assert (heard.error.response_id, heard.error.sequence_number) == (ID, 3)


def test_dispose_ends_a_wait() -> None:
    with nothing_left_behind(), LocalServer([answers.disconnect(answers.events(SENT), after=5)]) as server:
        server.on_resume(*[lambda _: answers.http_error(503, headers={"retry-after": "60"})] * 9)
        with rxstream.Session(**options_for(server)) as session:
            stream = session.response(model="m", input="Hi", background=True, resume=True).subscribe()
            server.wait_over(2, 30)
            stream.dispose()
        assert len(server.log) == 2


# ---------------------------------------------------------------------- the window has closed


@modes
@pytest.mark.parametrize("status", [400, 404])
def test_the_rest_of_a_polled_response_comes_as_events(mode: str, status: int) -> None:
    for cut in range(1, len(SENT)):
        with LocalServer([answers.disconnect(answers.events(SENT), after=cut)]) as server:
            server.on_resume(lambda _: refused(status))
            server.on_poll({"status": "in_progress", "output": []}, {"status": "queued"}, refused(500))
            heard = hear(mode, server)
            assert [exchange.query for exchange in server.log[2:]] == [{}] * 4
        assert heard.completed()
        assert dumped(heard)[:cut] == SENT[:cut]
        made = heard.values[cut:]
        assert made
        assert all(event.synthetic and event.sequence_number is None for event in made)
        assert dumped(heard)[-1]["response"] == SENT[-1]["response"]


@modes
def test_a_response_that_is_gone_is_the_first_error(mode: str) -> None:
    with LocalServer([answers.disconnect(answers.events(SENT), after=5)]) as server:
        server.on_resume(lambda _: refused(404))
        server.on_poll(refused(404))
        heard = hear(mode, server)
        assert len(server.log) == 3
    assert isinstance(heard.error, errors.DisconnectedError)
    assert isinstance(heard.error.__cause__, errors.StatusError)
    assert heard.error.sequence_number == 4


@modes
def test_numbers_that_do_not_count_are_no_positions(mode: str) -> None:
    for numbers in ([0] * 9, [None] * 9):
        sent = [{**event, "sequence_number": number} for event, number in zip(SENT, numbers, strict=False)]
        with LocalServer([answers.disconnect(answers.events([*sent, *SENT[9:]]), after=9)]) as server:
            heard = hear(mode, server)
            assert [exchange.query for exchange in server.log] == [{}, {}]
        assert heard.completed()
        assert len({(event.type, getattr(event, "output_index", 0)) for event in heard.values}) >= 12
        assert heard.types.count("response.output_item.done") == 3


@modes
def test_a_server_that_answers_the_whole_response_instead_of_a_stream(mode: str) -> None:
    whole = answers.verbatim(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
        + json.dumps(SENT[-1]["response"]).encode()
    )
    with LocalServer([answers.disconnect(answers.events(SENT), after=9)]) as server:
        server.on_resume(lambda _: whole)
        heard = hear(mode, server)
        assert len(server.log) == 2
    assert heard.completed()
    assert heard.types.count("response.output_item.done") == 3


# ---------------------------------------------------------------------- gaps


@modes
def test_a_gap_is_resumed_from_its_beginning(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    with LocalServer([answers.events(SENT[:6] + SENT[9:])]) as server:
        server.on_resume(lambda _: answers.events(SENT[6:]))
        heard = hear(mode, server)
        assert resumed_after(server) == [5]
    assert dumped(heard) == SENT
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@modes
def test_events_that_the_server_does_not_have_are_reported_once(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    sent = SENT[:6] + SENT[9:12] + SENT[13:]
    with LocalServer([answers.events(sent)]) as server:
        heard = hear(mode, server)
        assert resumed_after(server) == [5]
    assert dumped(heard) == sent
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


# ---------------------------------------------------------------------- what is made of it


def endings() -> Iterator[tuple[str, answers.Answer]]:
    yield "cut", answers.disconnect(answers.events(SENT), after=11)
    yield "gap", answers.events(SENT[:6] + SENT[9:])


@modes
@pytest.mark.parametrize("answer", [answer for _, answer in endings()], ids=[name for name, _ in endings()])
@pytest.mark.parametrize("closed", [False, True])
def test_operators_see_one_response(mode: str, answer: answers.Answer, closed: bool) -> None:
    texts: list[str] = []
    finals: list[Any] = []
    calls: list[Any] = []

    def body(session: rxstream.Session) -> None:
        no_wait(session)
        shared = session.response(model="m", input="Hi", background=True, resume=True).pipe(rxs.shared())
        shared.pipe(rxs.text_only()).subscribe(texts.append)
        shared.pipe(rxs.final_response()).subscribe(finals.append)
        shared.pipe(rxs.accumulate_function_args()).subscribe(calls.append)

    with LocalServer([answer]) as server:
        server.on_resume(*[lambda _: refused(400) if closed else answers.events(SENT)] * 2)
        in_session(mode, body, **options_for(server))
    assert "".join(texts) == "Hello there"
    assert [final.model_dump() for final in finals] == [SENT[-1]["response"]]
    assert [call.parse() for call in calls] == [{"a": 1}]
