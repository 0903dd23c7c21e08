"""Time limits by stage, in all modes: each ends with its own error, nothing is lost, nothing is left open."""

from __future__ import annotations

import pickle
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest
import trio
import trio.testing
from reactivex import operators as ops

import rxstream
from rxstream import errors
from rxstream import operators as rxs
from rxstream.sse import Frame
from rxstream.testing import LocalServer, answers
from rxstream.transport import Request, Wire
from tests.session._modes import Heard, hear, in_session, modes, nothing_left_behind, options_for

LONG = 60.0
SHORT = 0.05
"""Seconds after which a server that never sends has been silent for too long, on any machine."""

ANSWER = answers.text("one two three")
EVENTS = answers.events_of(ANSWER)
BEFORE_TEXT = next(place for place, event in enumerate(EVENTS) if event.type == "response.output_text.delta")
ITEMS_DONE = len(EVENTS) - 1


def refused(heard: Heard, error: type[errors.RxStreamError]) -> Any:
    assert type(heard.error) is error, heard.error
    return heard.error


@modes
def test_no_first_event(mode: str) -> None:
    with nothing_left_behind(), LocalServer([answers.hang()]) as server:
        error = refused(hear(mode, server, first_event_timeout=SHORT), errors.FirstEventTimeoutError)
    assert (error.seconds, error.response_id, error.sequence_number, error.retryable) == (SHORT, None, None, True)


@modes
def test_no_head_of_an_answer_counts_too_and_is_tried_again(mode: str) -> None:
    with LocalServer([answers.silent(), ANSWER]) as server:
        heard = hear(mode, server, first_event_timeout=0.5, max_retries=5)
        assert heard.completed()
        assert len(heard.values) == len(EVENTS)


@modes
def test_no_second_request_once_the_server_has_accepted_the_first(mode: str) -> None:
    with LocalServer([answers.hang(), ANSWER]) as server:
        refused(hear(mode, server, first_event_timeout=SHORT, max_retries=5), errors.FirstEventTimeoutError)
        assert len(server.log) == 1


@modes
def test_no_text(mode: str) -> None:
    thinking = answers.reasoning_summary("Let me think", then="no")
    reasoning = next(place for place, event in enumerate(answers.events_of(thinking)) if "text.delta" in event.type)
    with nothing_left_behind(), LocalServer([answers.hang(thinking, after=reasoning + 1)]) as server:
        heard = hear(mode, server, first_text_timeout=1, max_retries=2)
        error = refused(heard, errors.FirstTextTimeoutError)
        assert len(server.log) == 1
    assert len(heard.values) == reasoning + 1
    assert (error.response_id, error.sequence_number) == (heard.values[0].response.id, reasoning)
    assert not error.retryable


@modes
@pytest.mark.parametrize("after", [1, BEFORE_TEXT + 1])
def test_silence_between_events(mode: str, after: int) -> None:
    with nothing_left_behind(), LocalServer([answers.hang(ANSWER, after=after)]) as server:
        heard = hear(mode, server, between_timeout=0.5)
        error = refused(heard, errors.BetweenEventsTimeoutError)
    assert len(heard.values) == after
    assert (error.response_id, error.sequence_number) == (heard.values[0].response.id, after - 1)
    assert "0.5 s (between)" in str(error)


@modes
def test_the_whole_response(mode: str) -> None:
    with nothing_left_behind(), LocalServer([answers.endless()], pace=200) as server:
        heard = hear(mode, server, total_timeout=timedelta(seconds=0.5), between_timeout=LONG)
        error = refused(heard, errors.TotalTimeoutError)
    assert (error.seconds, error.retryable) == (0.5, False)


@modes
def test_the_whole_time_includes_the_waits_for_another_try(mode: str) -> None:
    busy = answers.http_error(503, headers={"retry-after": "60"})
    with LocalServer([busy]) as server:
        error = refused(hear(mode, server, total_timeout=0.3, max_retries=9), errors.TotalTimeoutError)
        assert len(server.log) == 1
    assert isinstance(error.__cause__, errors.StatusError)


@modes
def test_events_that_are_held_back_come_before_the_error(mode: str) -> None:
    """`response.created` is held back for a moment, because an error that is tried again may follow."""
    with LocalServer([answers.hang(ANSWER, after=1)]) as server:
        heard = hear(mode, server, total_timeout=0.4, max_retries=2)
        error = refused(heard, errors.TotalTimeoutError)
    assert heard.types in (["response.created"], [])  # none where the machine took so long to connect
    assert error.response_id == (heard.values[0].response.id if heard.values else None)


class Silent:
    """A transport whose wire gives these batches, and then nothing. `pulse`: keep-alives come all the time."""

    def __init__(self, *batches: Sequence[Any], pulse: bool = False) -> None:
        self._batches = [[Frame(event.type, event.model_dump_json()) for event in batch] for batch in batches]
        self._pulse = pulse
        self.requests: list[Request] = []

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Wire]:
        self.requests.append(request)
        yield Wire(self._arrive())

    async def _arrive(self) -> AsyncGenerator[Sequence[Frame]]:
        for batch in self._batches:
            yield batch
        while True:
            await anyio.sleep(0.01 if self._pulse else LONG)
            yield [Frame("keepalive", '{"type":"keepalive","sequence_number":99}')]


def hear_silent(mode: str, transport: Silent, **options: Any) -> Heard:
    heard = Heard()
    in_session(mode, lambda s: heard.subscribe(s.response(model="m")), transport=transport, api_key="sk", **options)
    return heard


@modes
@pytest.mark.parametrize("option", ["first_event_timeout", "between_timeout", "terminal_grace"])
def test_keep_alives_are_not_events(mode: str, option: str) -> None:
    batches = {"first_event_timeout": [], "between_timeout": EVENTS[:3], "terminal_grace": EVENTS[:ITEMS_DONE]}[option]
    heard = hear_silent(mode, Silent(batches, pulse=True), **{option: 0.1})
    assert isinstance(heard.error, (errors.StreamTimeoutError, errors.TruncatedError))
    assert [event for event in heard.values if event.type != "keepalive"] == list(batches)


@modes
def test_no_terminal_event_while_the_connection_stays_open(mode: str) -> None:
    with nothing_left_behind(), LocalServer([answers.hang(ANSWER, after=ITEMS_DONE)]) as server:
        heard = hear(mode, server, terminal_grace=SHORT)
        error = refused(heard, errors.TruncatedError)
    assert len(heard.values) == ITEMS_DONE
    assert (error.response_id, error.sequence_number) == (heard.values[0].response.id, ITEMS_DONE - 1)
    assert "terminal_grace" in str(error)


def in_virtual_time(transport: Silent, **options: Any) -> tuple[Heard, float]:
    """One response on trio, whose clock jumps to the next deadline; and the seconds that it took."""
    heard = Heard()

    async def main() -> float:
        start = anyio.current_time()
        async with rxstream.Session("sk", transport=transport, **options) as session:
            heard.subscribe(session.response(model="m"))
        return anyio.current_time() - start

    return heard, trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_the_grace_is_30_seconds() -> None:
    heard, seconds = in_virtual_time(Silent(EVENTS[:ITEMS_DONE]))
    refused(heard, errors.TruncatedError)
    assert 30 <= seconds < 31


def test_an_event_that_is_held_back_has_come() -> None:
    heard, seconds = in_virtual_time(Silent(EVENTS[:1]), first_event_timeout=0.5, total_timeout=5)
    refused(heard, errors.TotalTimeoutError)
    assert heard.types == ["response.created"]
    assert 5 <= seconds < 6


@pytest.mark.parametrize("item", ["reasoning", "web_search_call", "message"])
def test_there_is_no_grace_where_the_model_goes_on(item: str) -> None:
    """After reasoning, a search or a commentary it may think for minutes; then the other limits hold."""
    fields = '"role":"assistant","content":[],"phase":"commentary"' if item == "message" else '"summary":[]'
    done = rxstream.parse_event(
        f'{{"type":"response.output_item.done","output_index":0,"item":{{"type":"{item}","id":"i",{fields}}}}}'
    )
    heard, seconds = in_virtual_time(Silent([EVENTS[0], done]), between_timeout=500)
    refused(heard, errors.BetweenEventsTimeoutError)
    assert seconds >= 500


def test_a_limit_of_a_request_replaces_that_of_the_session() -> None:
    heard = Heard()
    with rxstream.Session("sk", transport=Silent(EVENTS[:3]), between_timeout=SHORT, total_timeout=LONG) as session:
        heard.subscribe(session.response(model="m", timeout={"between": None, "total": 0.2}))
    refused(heard, errors.TotalTimeoutError)


def test_the_limits_of_a_connection_in_one_dict() -> None:
    transport = Silent()
    with rxstream.Session("sk", transport=transport) as session:
        first = timedelta(seconds=SHORT)
        limits: Any = {"connect": 3, "idle": None, "first_event": first}
        session.response(model="m", timeout=limits).subscribe(on_error=lambda _: None)
    assert transport.requests[0].time_limits == {"connect": 3.0, "idle": None}


@pytest.mark.parametrize(
    ("timeout", "error"),
    [({"betwen": 3}, TypeError), ({"between": "3"}, TypeError), ({"total": 0}, ValueError), ({"idle": -1}, ValueError)],
)
def test_a_limit_that_is_wrong_is_refused_at_once(timeout: Any, error: type[Exception]) -> None:
    with rxstream.Session("sk") as session, pytest.raises(error, match=next(iter(timeout))):
        session.response(model="m", timeout=timeout)


@pytest.mark.parametrize("option", ["first_event_timeout", "between_timeout", "terminal_grace", "poll_timeout"])
def test_a_limit_of_a_session_that_is_wrong_is_refused(option: str) -> None:
    for value, error in ((-1, ValueError), ("5", TypeError), (True, TypeError), (float("nan"), ValueError)):
        with pytest.raises(error, match=option):
            rxstream.Session("sk", **{option: value})


# ---------------------------------------------------------------- pauses


@modes
def test_time_in_which_the_subscriber_is_full_does_not_count(mode: str) -> None:
    """`map_async` pauses the stream while it works."""

    async def slowly(event: Any) -> Any:
        await anyio.sleep(0.8 if event.sequence_number == 1 else 0)
        return event

    with LocalServer([ANSWER]) as server:
        heard = hear(mode, server, lambda source: source.pipe(rxs.map_async(slowly)), between_timeout=0.7)
        assert heard.completed()


@pytest.mark.parametrize("option", ["first_text_timeout", "between_timeout", "total_timeout", "terminal_grace"])
def test_pauses_in_virtual_time(option: str) -> None:
    async def slowly(event: Any) -> Any:
        await anyio.sleep(100)
        return event

    async def main() -> list[Any]:
        transport = Silent(*([event] for event in EVENTS))
        async with rxstream.Session("sk", transport=transport, **{option: 5.0}) as session:
            answer = session.response(model="m").pipe(rxs.map_async(slowly), ops.to_list())
            return await rxstream.result(answer)

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == EVENTS


# ---------------------------------------------------------------- connecting


@modes
def test_no_connection_in_time(mode: str) -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("", request=request)

    client = httpx.AsyncClient(transport=httpx.MockTransport(never))
    heard = Heard()
    options = {"base_url": "http://127.0.0.1:1", "http_client": client, "max_retries": 0, "connect_timeout": 7}
    in_session(mode, lambda s: heard.subscribe(s.response(model="m")), api_key="sk", **options)
    error = refused(heard, errors.ConnectTimeoutError)
    assert isinstance(error, errors.ConnectError)
    assert (error.seconds, error.retryable) == (7, True)
    assert "within 7 s" in str(error)


def test_errors_of_limits_can_be_pickled() -> None:
    for cls in (*errors.StreamTimeoutError.__subclasses__(), errors.ResponseTooLargeError):
        context: Any = {"limit": 5} if issubclass(cls, errors.LimitError) else {"seconds": 5.0}
        error = pickle.loads(pickle.dumps(cls("late", response_id="r", sequence_number=3, **context)))
        assert (type(error), error.response_id, error.sequence_number) == (cls, "r", 3)
        assert vars(error) == vars(cls("late", response_id="r", sequence_number=3, **context))


# ---------------------------------------------------------------- resuming


def resumed(mode: str, server: LocalServer, **options: Any) -> Heard:
    heard = Heard()

    def body(session: rxstream.Session) -> None:
        heard.subscribe(session.response(model="m", input="Hi", background=True, resume=True))

    in_session(mode, body, **{**options_for(server), **options})
    return heard


@modes
@pytest.mark.parametrize(("after", "option"), [(4, "between_timeout"), (ITEMS_DONE, "terminal_grace")])
def test_a_silent_stream_is_resumed(mode: str, after: int, option: str) -> None:
    with nothing_left_behind(), LocalServer([answers.hang(ANSWER, after=after)]) as server:
        heard = resumed(mode, server, **{option: 0.5})
        assert heard.completed()
        assert [exchange.method for exchange in server.log] == ["POST", "GET"]
    assert [event.sequence_number for event in heard.values] == list(range(len(EVENTS)))


@modes
def test_a_stream_that_stays_silent_is_given_up(mode: str) -> None:
    silent = [lambda rest: answers.hang(rest)] * 9
    with LocalServer([answers.hang(ANSWER, after=4)]) as server:
        server.on_resume(*silent)
        heard = resumed(mode, server, between_timeout=0.3, max_resumes=1)
        error = refused(heard, errors.BetweenEventsTimeoutError)
        assert 2 <= len(server.log) <= 4
    assert (error.response_id, error.sequence_number) == (heard.values[0].response.id, 3)
    assert any("session.resume(" in note for note in error.__notes__)


@modes
def test_polling_ends(mode: str) -> None:
    gone = [lambda _: answers.http_error(404)] * 9
    with LocalServer([answers.disconnect(ANSWER, after=4)]) as server:
        server.on_resume(*gone)
        server.on_poll(*[{"status": "in_progress"}] * 99)
        heard = resumed(mode, server, poll_timeout=0.3)
        error = refused(heard, errors.PollTimeoutError)
    assert (error.response_id, error.sequence_number) == (heard.values[0].response.id, 3)
    assert any("session.resume(" in note for note in error.__notes__)


@modes
def test_the_whole_time_ends_resuming_too(mode: str) -> None:
    with LocalServer([answers.hang(ANSWER, after=4)]) as server:
        heard = resumed(mode, server, total_timeout=0.5)
        error = refused(heard, errors.TotalTimeoutError)
        assert len(server.log) == 1
    assert error.response_id == heard.values[0].response.id
    assert any("session.resume(" in note for note in error.__notes__)
