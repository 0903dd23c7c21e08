"""The laws of logs, over each engine, on asyncio and trio; and that they find what is wrong."""

from __future__ import annotations

import pytest

from rxstream.relay import Claim, Claimed, Log, LogBatch, LogPage, MemoryLog
from rxstream.testing import LOG_LAWS, LogTrial, log_laws
from tests.relay.conftest import MakeLog


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_laws_hold_over_each_engine(backend: str, make_log: MakeLog) -> None:
    first, second = make_log(), make_log()
    lease = 0.4 if isinstance(first, MemoryLog) else 1.0  # no other process is waited for
    log_laws(first, second, lease=lease, backend=backend)


@pytest.mark.anyio
@pytest.mark.parametrize("law", sorted(LOG_LAWS.keys() - {"lease", "ttl"}))
async def test_a_law_can_be_tried_alone(law: str) -> None:
    log = MemoryLog()
    await LOG_LAWS[law](LogTrial(log, log, lease=0.4))


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
    with pytest.raises(AssertionError, match=rf"(?m)^{law}: "):
        log_laws(broken(), lease=0.05)


def test_all_laws_that_do_not_hold_are_named_with_what_the_log_raised() -> None:
    class Broken(MemoryLog):
        async def renew(self, stream_id: str, token: int, *, release: bool = False) -> bool:
            raise LookupError("renew")

    with pytest.raises(AssertionError) as caught:
        log_laws(Broken(), lease=0.05)
    lines = str(caught.value).splitlines()
    for law in ("older_token", "cancellation"):
        assert f"{law}: the log raised LookupError('renew')" in lines
