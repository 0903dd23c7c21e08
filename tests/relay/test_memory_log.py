"""The log in memory: what it keeps, and for how long, by a clock of the test."""

from __future__ import annotations

import pytest

from rxstream.relay import Claim, LogBatch, MemoryLog

pytestmark = pytest.mark.anyio


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_each_stream_is_forgotten_at_its_own_ttl() -> None:
    clock = _Clock()
    log = MemoryLog(clock)
    for seconds in (30, 10, 20):
        await log.claim(f"s{seconds}", Claim("owner", ttl=seconds))
    kept: list[int] = []
    for clock.now in (9.0, 10.0, 19.0, 20.0, 30.0):
        kept.append(len(log))
    assert kept == [3, 2, 2, 1, 0]


async def test_a_word_of_the_producer_extends_it() -> None:
    clock = _Clock()
    log = MemoryLog(clock)
    claimed = await log.claim("s", Claim("owner", ttl=10.0))
    clock.now = 6.0
    await log.append("s", claimed.token, LogBatch(0, 1, b"data: 1\n\n"))
    clock.now = 12.0
    await log.renew("s", claimed.token)
    clock.now = 21.9
    assert len(log) == 1
    clock.now = 22.0
    assert len(log) == 0


async def test_a_stream_of_the_id_of_a_deleted_one_has_its_own_ttl() -> None:
    clock = _Clock()
    log = MemoryLog(clock)
    await log.claim("s", Claim("owner", ttl=10.0))
    await log.delete("s")
    assert len(log) == 0
    clock.now = 5.0
    await log.claim("s", Claim("other", ttl=10.0))
    clock.now = 14.9
    assert len(log) == 1
    clock.now = 15.0
    assert len(log) == 0
