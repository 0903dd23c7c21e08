"""Streams to publish, and what followers got."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio

import rxstream
from rxstream.relay import Claim, Claimed, Log, LogBatch, MemoryLog
from rxstream.relay._batches import to_bytes
from rxstream.testing import LocalServer, answers
from rxstream.testing.answers._answer import events_in
from tests.session._modes import Heard
from tests.waiting import BOUND

TEXT = answers.text("One log, many readers. " * 6)
EVENTS = [rxstream.parse_event(json.dumps(event)) for event in events_in(b"".join(TEXT.all_frames()))]


def dumped(events: list[Any]) -> list[str]:
    return [event.model_dump_json() for event in events]


def source() -> Any:
    """The events of `EVENTS`, at once."""
    return rxstream.from_iterable(EVENTS)


def in_mode(mode: str, body: Callable[[rxstream.Session], object], server: LocalServer | None = None) -> None:
    """Run `body` in a session; leaving it waits for what runs."""
    options: dict[str, Any] = {"api_key": "k", "base_url": server.base_url if server else "http://127.0.0.1:9"}
    if mode == "with":
        with rxstream.Session(**options) as session:
            body(session)
        return

    async def main() -> None:
        with anyio.fail_after(BOUND):
            async with rxstream.Session(**options) as session:
                body(session)

    anyio.run(main, backend=mode)


def follower(events: Any) -> Heard:
    heard = Heard()
    heard.subscribe(events)
    return heard


async def begin(log: Log, stream_id: str, events: list[Any], **options: Any) -> Claimed:
    """What a producer leaves that is killed after these events."""
    claimed = await log.claim(stream_id, Claim("killed", **{"lease": 0.5, **options}))
    for position, event in enumerate(events):
        await log.append(stream_id, claimed.token, LogBatch(position, 1, to_bytes(event)))
    return claimed


class CountingLog(MemoryLog):
    """It counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.appends: list[LogBatch | None] = []
        self.reads = 0

    async def append(self, stream_id: str, token: int, batch: LogBatch | None, end: str | None = None) -> bool:
        self.appends.append(batch)
        return await super().append(stream_id, token, batch, end)

    async def read(self, stream_id: str, after: int | None, place: object = None) -> Any:
        self.reads += 1
        return await super().read(stream_id, after, place)
