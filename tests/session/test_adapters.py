"""Streams that somebody else opened: the official SDK's, iterables of bytes, Frames and events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import openai
import pytest
from reactivex import Observable
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ApiError, ResponseFailedError, TruncatedError
from rxstream.events import StreamingEvent
from rxstream.testing import LocalServer, answers
from tests.session._modes import Heard, modes
from tests.waiting import BOUND

ANSWER = answers.together(answers.text("Hello there"), answers.function_calls([("f", {"a": 1}), ("g", {"b": 2})]))


def hear(mode: str, make: Any) -> Heard:
    """Subscribe inside a session that has no key; `make` is called inside it."""
    heard = Heard()
    if mode == "with":
        with rxstream.Session():
            heard.subscribe(make())
        return heard

    async def main() -> None:
        async with rxstream.Session():
            heard.subscribe(make())

    anyio.run(main, backend=mode)
    return heard


def content(events: list[StreamingEvent]) -> list[Any]:
    """What the events say, without what differs from request to request."""
    said = json.loads(json.dumps([event.model_dump(mode="json") for event in events]))
    for event in said:
        for key in ("response", "item", "part"):
            if isinstance(event.get(key), dict):
                for noise in ("id", "created_at", "call_id", "output", "model"):
                    event[key].pop(noise, None)
        event.pop("item_id", None)
        event.pop("snapshot", None)
    return said


# ---------------------------------------------------------------------- the official SDK


@modes
def test_a_sync_stream_of_the_sdk(mode: str) -> None:
    with LocalServer([ANSWER]) as server, openai.OpenAI(api_key="sk", base_url=server.base_url) as client:
        heard = hear(
            mode, lambda: rxstream.from_openai(client.responses.create(model="gpt-4o", input="Hi", stream=True))
        )
    assert heard.completed()
    assert [event.type for event in heard.values] == [event.type for event in answers.events_of(ANSWER)]
    assert all(type(event).__module__.startswith("rxstream") for event in heard.values)


@pytest.mark.parametrize("mode", ["asyncio", "trio"])
def test_an_async_stream_of_the_sdk(mode: str) -> None:
    with LocalServer([ANSWER]) as server:

        async def main() -> list[StreamingEvent]:
            async with openai.AsyncOpenAI(api_key="sk", base_url=server.base_url) as client, rxstream.Session():
                stream = await client.responses.create(model="gpt-4o", input="Hi", stream=True)
                return [event async for event in rxstream.iterate(rxstream.from_openai(stream))]

        came = anyio.run(main, backend=mode)
    assert content(came) == content(answers.events_of(ANSWER))


def test_the_helper_stream_of_the_sdk() -> None:
    """`responses.stream()` adds fields and events of its own; ours are all in it."""
    answer = answers.structured({"a": [1, 2]})
    with (
        LocalServer([answer]) as server,
        openai.OpenAI(api_key="sk", base_url=server.base_url) as client,
        client.responses.stream(model="gpt-4o", input="Hi") as stream,
        rxstream.Session(),
    ):
        came = list(rxstream.iterate(rxstream.from_openai(stream)))
    assert [event.type for event in came] == [event.type for event in answers.events_of(answer)]
    assert came[-1].response.output_text == '{"a":[1,2]}'  # type: ignore[union-attr]


def test_disposing_closes_the_sdks_stream() -> None:
    with LocalServer([answers.endless(pace=500)]) as server:

        async def main() -> None:
            async with openai.AsyncOpenAI(api_key="sk", base_url=server.base_url) as client, rxstream.Session():
                stream = await client.responses.create(model="gpt-4o", input="Hi", stream=True)
                heard = Heard()
                heard.subscribe(rxstream.from_openai(stream).pipe(rxs.text_only(), ops.take(2)))
                await server.until_closed(1, BOUND)
                assert heard.completed()

        anyio.run(main)


def test_what_the_sdk_raises_arrives_as_it_is() -> None:
    with (
        LocalServer([answers.error("server_error", "Oh.")]) as server,
        openai.OpenAI(api_key="sk", base_url=server.base_url, max_retries=0) as client,
    ):
        heard = hear(
            "with", lambda: rxstream.from_openai(client.responses.create(model="gpt-4o", input="Hi", stream=True))
        )
    assert isinstance(heard.error, openai.APIError)


# ---------------------------------------------------------------------- iterables


def slowly(values: list[Any]) -> Iterator[Any]:
    yield from values


async def later(values: list[Any]) -> AsyncIterator[Any]:
    for value in values:
        await anyio.lowlevel.checkpoint()
        yield value


SHAPES = {
    "bytes": [
        answers.sse_bytes_of(ANSWER)[start : start + 7] for start in range(0, len(answers.sse_bytes_of(ANSWER)), 7)
    ],
    "frames": answers.frames_of(ANSWER),
    "events": answers.events_of(ANSWER),
    "json": [event.model_dump_json() for event in answers.events_of(ANSWER)],
    "dicts": [event.model_dump(mode="json") for event in answers.events_of(ANSWER)],
}


@modes
@pytest.mark.parametrize("shape", SHAPES)
def test_whatever_it_holds(mode: str, shape: str) -> None:
    values: list[Any] = SHAPES[shape]
    makers: list[Any] = [
        lambda: rxstream.from_iterable(values),
        lambda: rxstream.from_iterable(slowly(values)),
        lambda: rxstream.from_async_iterable(later(values)),
    ]
    for make in makers:
        heard = hear(mode, make)
        assert heard.completed()
        assert content(heard.values) == content(answers.events_of(ANSWER))


@modes
def test_an_iterable_ends_as_a_wire_does(mode: str) -> None:
    assert isinstance(
        hear(
            mode, lambda: rxstream.from_iterable(answers.events_of(answers.truncated(answers.text("Hi"), after=3)))
        ).error,
        TruncatedError,
    )
    assert isinstance(
        hear(mode, lambda: rxstream.from_iterable(answers.events_of(answers.failed()))).error, ResponseFailedError
    )
    assert isinstance(hear(mode, lambda: rxstream.from_iterable(answers.events_of(answers.error()))).error, ApiError)


def test_a_list_may_be_subscribed_to_again_and_an_iterator_says_why_not() -> None:
    values = answers.events_of(answers.text("Hi"))
    with rxstream.Session():
        for source, times in ((rxstream.from_iterable(values), 2), (rxstream.from_iterable(slowly(values)), 1)):
            for number in range(3):
                heard = Heard()
                heard.subscribe(source)
                rest = rxstream.result(source.pipe(ops.catch(lambda error, _: _just(error))))
                last = rest.wait(BOUND)
                if number == 0 and times == 1:
                    assert isinstance(last, RuntimeError)
                    assert "read only once" in str(last)


def _just(value: Exception) -> Observable[Any]:
    import reactivex

    return reactivex.just(value)


def test_what_is_no_event_is_said_to_be_none() -> None:
    assert "an event" in str(hear("with", lambda: rxstream.from_iterable([3])).error)  # type: ignore[list-item]


def test_without_a_session_it_says_what_to_do() -> None:
    heard = Heard()
    heard.subscribe(rxstream.from_iterable(answers.events_of(answers.text("Hi"))))
    assert "with rxstream.Session()" in str(heard.error)


def test_what_the_iterable_raises_arrives_as_it_is() -> None:
    def broken() -> Iterator[StreamingEvent]:
        yield from answers.events_of(answers.text("Hi"))[:2]
        raise KeyError("mine")

    heard = hear("with", lambda: rxstream.from_iterable(broken()))
    assert isinstance(heard.error, KeyError)
    assert len(heard.values) == 2
