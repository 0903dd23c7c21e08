"""Random gaps between events, one schedule for each seed, in virtual time: the first limit that is over is the end."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import anyio
import pytest
import trio
import trio.testing

import rxstream
from rxstream import errors
from rxstream.events import KeepaliveEvent, StreamingEvent
from rxstream.sse import Frame
from rxstream.testing import answers
from rxstream.transport import Request, Wire
from tests.session._modes import Heard

SCHEDULES = 100
PER_RUN = 50
ANSWERS = [
    answers.text("one two three"),
    answers.reasoning_summary("Let me think", then="Hello there"),
    answers.function_calls([("f", {"a": 1}), ("g", {"b": 2})]),
]


@dataclass
class Schedule:
    """What comes when, and what has to be seen of it."""

    events: list[tuple[float, StreamingEvent]]
    """Times since the request. After the last one nothing comes."""
    limits: dict[str, float]

    @classmethod
    def of(cls, random: Random) -> Schedule:
        time = 0.0
        events: list[tuple[float, StreamingEvent]] = []
        whole = answers.events_of(random.choice(ANSWERS))
        for event in whole[: random.choice([len(whole), len(whole) - 1, random.randrange(len(whole))])]:
            while random.random() < 0.3:
                time += random.choice([0.0, 1.0, 7.0])
                events.append((time, KeepaliveEvent(type="keepalive")))
            time += random.choice([0.0, 0.0, 0.5, 2.0, 9.0])
            events.append((time, event))
        names = ("first_event", "first_text", "between", "total", "terminal_grace")
        limits = {name: random.uniform(1, 30) for name in names if random.random() < 0.6}
        return cls(events, limits | {"between": limits.get("between", 99.0)})

    @property
    def expected(self) -> tuple[type[Exception] | None, int]:
        """The error, and how many events come before it."""
        limits = self.limits
        due: dict[str, float] = {n: limits[n] for n in ("first_event", "first_text", "total") if n in limits}
        opened = set[int]()
        for place, (time, event) in enumerate([*self.events, (math.inf, None)]):
            late = min(due, key=due.__getitem__, default="")
            if late and due[late] <= time:
                return ERRORS[late], place
            if event is None or event.type == "response.completed":
                return None, place + 1
            if isinstance(event, KeepaliveEvent):
                continue
            due.pop("first_event", None)
            due["between"] = time + limits["between"]
            if event.type == "response.output_text.delta":
                due.pop("first_text", None)
            known: Any = event
            if event.type == "response.output_item.added":
                opened.add(known.output_index)
                due.pop("terminal_grace", None)
            if event.type == "response.output_item.done":
                opened.discard(known.output_index)
                if not opened and known.item.type != "reasoning" and "terminal_grace" in limits:
                    due["terminal_grace"] = time + limits["terminal_grace"]
        raise AssertionError


ERRORS: dict[str, type[Exception]] = {
    "first_event": errors.FirstEventTimeoutError,
    "first_text": errors.FirstTextTimeoutError,
    "between": errors.BetweenEventsTimeoutError,
    "total": errors.TotalTimeoutError,
    "terminal_grace": errors.TruncatedError,
}


class Scheduled:
    """A transport that plays a schedule to each request; its number is the input."""

    def __init__(self, schedules: list[Schedule]) -> None:
        self._schedules = schedules

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Wire]:
        assert request.json is not None
        yield Wire(self._arrive(self._schedules[int(request.json["input"])]))

    async def _arrive(self, schedule: Schedule) -> AsyncGenerator[Sequence[Frame]]:
        start = anyio.current_time()
        for time, event in schedule.events:
            await anyio.sleep_until(start + time)
            yield [Frame(event.type, event.model_dump_json())]
        await anyio.sleep_forever()


@pytest.mark.parametrize("first_seed", range(0, SCHEDULES, PER_RUN))
def test_the_limit_that_is_over_first_ends_the_stream(first_seed: int) -> None:
    schedules = [Schedule.of(Random(seed)) for seed in range(first_seed, first_seed + PER_RUN)]
    heard = [Heard() for _ in schedules]

    async def main() -> None:
        transport = Scheduled(schedules)
        async with rxstream.Session("sk", transport=transport, retry_stream_errors=False) as session:
            for number, (schedule, subscriber) in enumerate(zip(schedules, heard, strict=True)):
                limits: Any = {"terminal_grace": None, **schedule.limits}
                subscriber.subscribe(session.response(model="m", input=str(number), timeout=limits))

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    for schedule, subscriber in zip(schedules, heard, strict=True):
        error, count = schedule.expected
        found = type(subscriber.error) if subscriber.errors else None
        assert (found, len(subscriber.values)) == (error, count), schedule
        if found is not None and count:
            numbers = [event.sequence_number for event in subscriber.values if event.sequence_number is not None]
            assert subscriber.error.sequence_number == (numbers[-1] if numbers else None)  # type: ignore[attr-defined]
