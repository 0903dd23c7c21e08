"""Random faults, each seed another schedule: with resuming every event comes exactly once."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import cache
from random import Random
from typing import Any

import anyio.lowlevel

import rxstream
from rxstream.errors import (
    ConnectError,
    ContentTypeError,
    DisconnectedError,
    IdleTimeoutError,
    RxStreamError,
    StatusError,
)
from rxstream.sse import Frame
from rxstream.testing import answers
from rxstream.transport import Request, Wire
from tests.session._modes import Heard, in_session, modes
from tests.session.test_resuming import SENT, ask, dumped, no_wait, sent_as

SCHEDULES = 300
TRIES = 3


@cache
def frames_of(response_id: str) -> list[Frame]:
    return [Frame(event["type"], json.dumps(event)) for event in sent_as(response_id)]


class FaultyServer:
    """A transport with one response a seed, whose connections fail by the seed.

    At most `TRIES` connections in a row bring no new event, so no stream may end with an error.
    """

    def __init__(self, *, closes: bool) -> None:
        self._closes = closes
        """Whether the window of a stream may close, so that the response has to be polled."""
        self._random: dict[str, Random] = {}
        self._failures: dict[str, int] = {}
        self._highest: dict[str, int] = {}
        self._closed: set[str] = set()
        self.posts: list[str] = []
        self.polled: set[str] = set()

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Wire]:
        await anyio.lowlevel.checkpoint()
        async with aclosing(self._answer(request)) as batches:
            yield Wire(batches)

    def _answer(self, request: Request) -> AsyncGenerator[Sequence[Frame]]:
        if request.method == "POST":
            assert request.json is not None
            response_id = request.json["input"]
            self.posts.append(response_id)
            self._random[response_id] = Random(response_id)
            self._failures[response_id], self._highest[response_id] = 0, -1
            return self._stream(response_id, -1, first=True)
        response_id = request.path.removeprefix("/responses/")
        random = self._random[response_id]
        if "stream" not in request.params:
            self.polled.add(response_id)
            return self._poll(response_id)
        after = request.params["starting_after"]
        assert isinstance(after, int)
        if self._closes and (response_id in self._closed or random.random() < 0.15):
            self._closed.add(response_id)
            raise random.choice([StatusError(status=404), StatusError(status=400), ContentTypeError(status=200)])
        if self._may_fail(response_id, random, 0.3):
            raise random.choice([ConnectError("down"), StatusError(status=503), StatusError(status=429)])
        return self._stream(response_id, after)

    def _may_fail(self, response_id: str, random: Random, chance: float) -> bool:
        if self._failures[response_id] >= TRIES or random.random() >= chance:
            return False
        self._failures[response_id] += 1
        return True

    async def _poll(self, response_id: str) -> AsyncGenerator[Sequence[Frame]]:
        random = self._random[response_id]
        if self._may_fail(response_id, random, 0.3):
            raise random.choice([DisconnectedError("cut"), StatusError(status=500)])
        self._failures[response_id] = 0
        whole = dict(sent_as(response_id)[-1]["response"])
        if random.random() < 0.4:
            whole |= {"status": random.choice(["queued", "in_progress"]), "output": []}
        yield [Frame(data=json.dumps(whole))]

    async def _stream(self, response_id: str, after: int, *, first: bool = False) -> AsyncGenerator[Sequence[Frame]]:
        random = self._random[response_id]
        frames = frames_of(response_id)
        start = after + 1
        if not first and random.random() < 0.3:
            start = random.randrange(start + 1)  # it repeats some
        stop = random.randrange(after + 2, len(frames) + 1) if after + 2 <= len(frames) else len(frames)
        missing = set[int]()
        if stop - start > 3 and random.random() < 0.2 and not self._failures[response_id]:
            missing = {random.randrange(after + 2, stop)} if after + 2 < stop else set()
        self._failures[response_id] = 0
        for place in range(start, stop):
            await anyio.lowlevel.checkpoint()
            repeated = [frames[place]] * (1 + (random.random() < 0.1))
            if place not in missing:
                yield repeated
        if stop < len(frames):
            error = random.choice([DisconnectedError("cut"), IdleTimeoutError("silent"), None])
            if error is not None:
                raise error


def run(mode: str, server: FaultyServer, **options: Any) -> dict[str, Heard]:
    heard: dict[str, Heard] = {}

    def body(session: rxstream.Session) -> None:
        no_wait(session, TRIES + 2)
        for seed in range(SCHEDULES):
            heard[f"resp_{seed}"] = ask(session, f"resp_{seed}", **options)

    in_session(mode, body, transport=server, api_key="sk")
    assert sorted(server.posts) == sorted(heard)
    return heard


@modes
def test_exactly_the_uncut_sequence(mode: str) -> None:
    server = FaultyServer(closes=False)
    for response_id, heard in run(mode, server).items():
        assert heard.completed(), response_id
        if response_id not in server.polled:
            assert dumped(heard) == sent_as(response_id), response_id
    assert len(server.polled) < SCHEDULES / 2


@modes
def test_with_a_window_that_closes_the_answer_is_the_same(mode: str) -> None:
    server = FaultyServer(closes=True)
    for response_id, heard in run(mode, server).items():
        assert heard.completed(), response_id
        wire = [event.model_dump() for event in heard.values if event.sequence_number is not None]
        assert wire == sent_as(response_id)[: len(wire)], response_id
        assert len(set(map(_place, heard.values))) == len(heard.values)
        assert _texts(heard.values) == TEXTS, response_id
        assert heard.values[-1].response.model_dump() == sent_as(response_id)[-1]["response"]
    assert len(server.polled) > SCHEDULES / 3


@modes
def test_without_resuming_at_most_once_and_an_error(mode: str) -> None:
    server = FaultyServer(closes=False)
    cut = 0
    for response_id, heard in run(mode, server, resume=False).items():
        numbers = [event.sequence_number for event in heard.values if not event.synthetic]
        assert numbers == sorted(set(numbers)), response_id
        if heard.completions:
            assert heard.values[-1].type == "response.completed"
        else:
            cut += 1
            assert isinstance(heard.error, RxStreamError)
            assert (heard.error.response_id, heard.error.sequence_number) == (
                response_id,
                heard.values[-1].sequence_number,
            )
    assert cut > SCHEDULES / 2


def _place(event: Any) -> Any:
    """What an event says, where it is no delta; deltas are all different."""
    if "delta" in event.model_fields_set:
        return id(event)
    return event.type, *(getattr(event, name, None) for name in ("output_index", "content_index", "summary_index"))


def _texts(events: Sequence[Any]) -> dict[Any, str]:
    """The joined deltas of each text."""
    texts: dict[Any, str] = {}
    for event in events:
        if "delta" in event.model_fields_set:
            place = event.type, event.output_index
            texts[place] = texts.get(place, "") + event.delta
    return texts


TEXTS = _texts(list(answers.events_of(answers.events(SENT))))
