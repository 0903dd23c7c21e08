"""The laws of logs, over each engine, on asyncio and trio; and that they find what is wrong."""

from __future__ import annotations

import pytest

from rxstream.relay import Claim, Claimed, Log, LogBatch, LogPage, MemoryLog
from rxstream.testing import LOG_LAWS, LogTrial, log_laws
from tests.relay.conftest import MakeLog


@pytest.mark.anyio
@pytest.mark.parametrize("law", LOG_LAWS)
async def test_each_law_holds_over_each_engine(law: str, make_log: MakeLog) -> None:
    first, second = make_log(), make_log()
    lease = 0.4 if isinstance(first, MemoryLog) else 1.0  # no other process is waited for
    await LOG_LAWS[law](LogTrial(first, second, lease=lease))


def test_all_laws_in_one_call() -> None:
    log_laws(MemoryLog(), lease=0.1, backend="trio")


def test_a_name_that_no_law_has() -> None:
    with pytest.raises(ValueError, match="gravity"):
        log_laws(MemoryLog(), skip=["gravity"])


class _AddsAgain(MemoryLog):
    async def append(self, stream_id: str, token: int, batch: LogBatch | None, end: str | None = None) -> bool:
        if batch is not None:
            stream = self._streams[stream_id]
            batch = LogBatch(stream.next, batch.count, batch.data)
        return await super().append(stream_id, token, batch, end)


class _TakesAnyToken(MemoryLog):
    async def append(self, stream_id: str, token: int, batch: LogBatch | None, end: str | None = None) -> bool:
        return await super().append(stream_id, self._streams[stream_id].token, batch, end)


class _GrantsEveryClaim(MemoryLog):
    async def claim(self, stream_id: str, claim: Claim) -> Claimed:
        if stream_id in self._streams:
            self._streams[stream_id].deadline = 0.0
            claim = Claim(claim.owner, claim.lease, claim.ttl, takes_over=True)
        return await super().claim(stream_id, claim)


class _LosesTheFirst(MemoryLog):
    async def read(self, stream_id: str, after: int | None, place: object = None) -> LogPage:
        return await super().read(stream_id, 3 if after is None else after, place)


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (_AddsAgain, "repeated_calls"),
        (_TakesAnyToken, "older_token"),
        (_GrantsEveryClaim, "one_producer"),
        (_LosesTheFirst, "any_position"),
    ],
)
def test_the_laws_find_a_broken_log(broken: type[Log], law: str) -> None:
    with pytest.raises(AssertionError):
        log_laws(broken(), lease=0.05, skip=LOG_LAWS.keys() - {law})
