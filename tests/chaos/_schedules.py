"""Random faults, each seed another schedule, and what has to hold of the streams."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import cache
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import trio.testing

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
from rxstream.timing._backoff import Backoff
from rxstream.transport import Request, Wire
from tests.session._modes import Heard, in_session
from tests.session.test_resuming import SENT, ask, sent_as

TRIES = 3
BETWEEN = 30.0
VIRTUAL_TIME = "virtual time"
_ALIVE = Frame("keepalive", '{"type":"keepalive"}')


@cache
def frames_of(response_id: str) -> list[Frame]:
    return [Frame(event["type"], json.dumps(event)) for event in sent_as(response_id)]


class FaultyServer:
    """A transport with one response a seed, whose connections fail by the seed.

    At most `TRIES` connections in a row bring no new event, so no stream may end with an error.
    """

    def __init__(self, *, closes: bool, seconds: float = 0.0) -> None:
        """
        Args:
            closes: whether the window of a stream may close, so that the response has to be polled.
            seconds: how long an event may take. Above 0 some connections fall silent, for longer than `BETWEEN`.
        """
        self._closes = closes
        self._seconds = seconds
        self._random: dict[str, Random] = {}
        self._failures: dict[str, int] = {}
        self._highest: dict[str, int] = {}
        self._closed: set[str] = set()
        self.posts: list[str] = []
        self.polled: set[str] = set()

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Wire]:
        await anyio.lowlevel.checkpoint()
        await anyio.sleep(self._seconds)
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

    def _may_fall_silent(self, random: Random, after: int, count: int) -> bool:
        """Only behind an event that is new, so that the connection has not failed."""
        return self._seconds > 0 and random.random() < 0.2 and after + 2 < count

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
        silent = random.randrange(after + 2, len(frames)) if self._may_fall_silent(random, after, len(frames)) else None
        for place in range(start, stop):
            await anyio.lowlevel.checkpoint()
            if self._seconds:
                if random.random() < 0.2:
                    await anyio.sleep(random.uniform(0, self._seconds))
                if place == silent:
                    await anyio.sleep(10 * BETWEEN)
                if random.random() < 0.1:
                    yield [_ALIVE]
            repeated = [frames[place]] * (1 + (random.random() < 0.1))
            if place not in missing:
                yield repeated
        if stop < len(frames):
            error = random.choice([DisconnectedError("cut"), IdleTimeoutError("silent"), None])
            if error is not None:
                raise error


def heard_of(seeds: Iterable[int], server: FaultyServer, mode: str = VIRTUAL_TIME, **options: Any) -> dict[str, Heard]:
    """A stream for each seed, all in one session."""
    heard: dict[str, Heard] = {}

    def body(session: rxstream.Session) -> None:
        waits = Backoff(TRIES + 2, Random(7).random, first=0.0 if mode != VIRTUAL_TIME else 0.5)
        session._resume_backoff = waits  # pyright: ignore[reportPrivateUsage]
        for seed in seeds:
            heard[f"resp_{seed}"] = ask(session, f"resp_{seed}", **options)

    limits: dict[str, Any] = {"transport": server, "api_key": "sk", "between_timeout": BETWEEN, "total_timeout": 1e6}
    if mode != VIRTUAL_TIME:
        in_session(mode, body, **limits)
    else:

        async def main() -> None:
            async with rxstream.Session(**limits) as session:
                body(session)

        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return heard


# ---------------------------------------------------------------------- what has to hold


def exactly_once(server: FaultyServer, heard: dict[str, Heard]) -> Iterator[str]:
    """What is wrong with streams that were resumed."""
    for response_id, each in heard.items():
        if not each.completions or each.errors:
            yield f"{response_id}: {each.errors}, {each.completions} completions"
        elif response_id not in server.polled and _came(each) != sent_as(response_id):
            yield f"{response_id}: not the uncut sequence"
        elif response_id in server.polled:
            yield from _polled(response_id, each)
    if sorted(server.posts) != sorted(heard):
        yield "not one request each"


def _polled(response_id: str, heard: Heard) -> Iterator[str]:
    """The window had closed: what came is a part of the sequence, and what it lacks is made of the response."""
    events = [event for event in heard.values if event.type != "keepalive"]
    wire = [event.model_dump() for event in events if event.sequence_number is not None]
    if wire != sent_as(response_id)[: len(wire)]:
        yield f"{response_id}: not the beginning of the sequence"
    if len(set(map(_place, events))) != len(events):
        yield f"{response_id}: an event came twice"
    if _texts(events) != TEXTS:
        yield f"{response_id}: the texts are others"
    if events[-1].response.model_dump() != sent_as(response_id)[-1]["response"]:
        yield f"{response_id}: the last response is another"


def at_most_once(server: FaultyServer, heard: dict[str, Heard]) -> Iterator[str]:
    """What is wrong with streams that were not resumed."""
    for response_id, each in heard.items():
        numbers = [event.sequence_number for event in each.values if event.type != "keepalive" and not event.synthetic]
        if numbers != sorted(set(numbers)):
            yield f"{response_id}: an event came twice, or out of order"
        whole = numbers[-1:] == [len(SENT) - 1]
        if whole:
            if not each.completions or each.errors:
                yield f"{response_id}: the terminal event came, and then {each.errors}"
        elif each.completions or len(each.errors) != 1:
            yield f"{response_id}: cut, but {each.errors}, {each.completions} completions"
        else:
            error: Any = each.errors[0]
            known = (getattr(error, "response_id", None), getattr(error, "sequence_number", None))
            if not isinstance(error, RxStreamError) or known != (response_id, numbers[-1]):
                yield f"{response_id}: {error!r} with {known}, after event {numbers[-1]}"
    if sorted(server.posts) != sorted(heard):
        yield "not one request each"


def _came(heard: Heard) -> list[dict[str, Any]]:
    return [event.model_dump() for event in heard.values if event.type != "keepalive"]


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
