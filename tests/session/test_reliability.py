"""The figures of a reliable client: cuts at every event, secrets, many streams, the grammar of Rx."""

from __future__ import annotations

import logging
import threading
from typing import Any

import anyio
import pytest
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.errors import DisconnectedError, TransportError, TruncatedError
from rxstream.testing import LocalServer, answers
from tests.session._modes import Heard, hear, modes

ANSWER = answers.together(answers.text("Hello there, you"), answers.function_calls([("f", {"a": 1}), ("g", {"b": 2})]))
COUNT = len(answers.events_of(ANSWER))


@modes
@pytest.mark.parametrize("plus", [0, 9], ids=["between-events", "inside-an-event"])
def test_a_polite_end_at_every_event(mode: str, plus: int) -> None:
    cuts = [answers.truncated(ANSWER, after, plus=plus) for after in range(COUNT)]
    with LocalServer(cuts) as server:
        for after in range(COUNT):
            heard = hear(mode, server)
            assert isinstance(heard.error, TruncatedError)
            assert len(heard.values) == after
            if after:
                assert heard.error.sequence_number == after - 1
                assert heard.error.response_id == heard.values[0].response.id
        assert len(server.log) == COUNT


@pytest.mark.parametrize("how", ["rst", "fin", "chunk"])
def test_a_wire_that_breaks_at_every_event(how: Any) -> None:
    with LocalServer([answers.disconnect(ANSWER, after, how, plus=after % 7) for after in range(1, COUNT)]) as server:
        for after in range(1, COUNT):
            heard = hear("asyncio", server, max_retries=2)
            assert isinstance(heard.error, DisconnectedError if heard.values else TransportError)
            assert [event.sequence_number for event in heard.values] == list(range(len(heard.values)))
            if how != "rst":  # a reset may overtake what the kernel had not sent yet
                assert len(heard.values) == after
            if heard.values:
                assert heard.error.sequence_number == len(heard.values) - 1
                assert heard.error.response_id == heard.values[0].response.id
    if how != "rst":
        assert len(server.log) == COUNT - 1


@modes
def test_nothing_secret_is_logged(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    key, prompt, output = "sk-canary-0123456789", "the-prompt-canary", "the-output-canary"
    script = [
        answers.text(output),
        answers.failed(partial_text=output),
        answers.http_error(429, headers={"retry-after-ms": "1"}),
        answers.http_error(401),
    ]
    with caplog.at_level(logging.DEBUG), LocalServer(script) as server:
        caplog.clear()

        def body(session: rxstream.Session) -> None:
            session.response(model="m", input=prompt).pipe(rxs.text_only()).subscribe(on_error=lambda _: None)

        for _ in range(4):
            if mode == "with":
                with rxstream.Session(key, base_url=server.base_url) as session:
                    body(session)
            else:

                async def main() -> None:
                    async with rxstream.Session(key, base_url=server.base_url) as session:
                        body(session)

                anyio.run(main, backend=mode)
    logged = caplog.text + "".join(repr(record.__dict__) for record in caplog.records)
    for secret in (key, prompt, output):
        assert secret not in logged


@modes
def test_two_hundred_streams_at_once_do_not_mix(mode: str) -> None:
    script = [answers.text(f"answer {number}") for number in range(200)]
    with LocalServer(script) as server:
        said: list[list[str]] = [[] for _ in script]

        def body(session: rxstream.Session) -> None:
            for pieces in said:
                session.response(model="m", input="Hi").pipe(rxs.text_only()).subscribe(pieces.append)

        if mode == "with":
            with rxstream.Session("sk", base_url=server.base_url) as session:
                body(session)
        else:

            async def main() -> None:
                async with rxstream.Session("sk", base_url=server.base_url) as session:
                    body(session)

            anyio.run(main, backend=mode)
    assert {"".join(pieces) for pieces in said} == {f"answer {number}" for number in range(200)}


def test_notifications_of_one_stream_never_overlap() -> None:
    """Two subscribers, a timer and the source: one thread, one at a time."""
    inside, overlaps, threads = 0, 0, set[int]()

    def watch(_: object) -> None:
        nonlocal inside, overlaps
        inside += 1
        overlaps += inside > 1
        threads.add(threading.get_ident())
        inside -= 1

    with (
        LocalServer([answers.text("one two three four five six")], pace=300) as server,
        rxstream.Session("sk", base_url=server.base_url) as session,
    ):
        answer = session.response(model="m", input="Hi").pipe(ops.share())
        for delay in (0.001, 0.002):
            answer.pipe(ops.do_action(watch), ops.delay(delay, scheduler=session.scheduler)).subscribe(watch)
    assert overlaps == 0
    assert len(threads) == 1


@modes
def test_nothing_follows_the_end(mode: str) -> None:
    with LocalServer([answers.text("Hi")]) as server:
        heard = Heard()
        late: list[object] = []

        def build(source: Any) -> Any:
            return source.pipe(ops.do_action(lambda _: late.append(1) if heard.completions else None))

        other = hear(mode, server, build)
        assert other.completed()
        assert late == []
