"""The laws of a log of `rxstream.relay`: what must hold for every engine.

    from rxstream.testing import log_laws
    log_laws(MyLog("db://one"), MyLog("db://one"))

Or one by one: `await LOG_LAWS[name](LogTrial(log, log))`.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import anyio

from rxstream.errors import ProducerReplacedError, RelayError, StreamExistsError, StreamNotFoundError
from rxstream.relay import Claim, Claimed, Log, LogBatch, LogPage, StreamHead

_PATIENCE = 20.0
"""Seconds after which something that has to happen has not."""


@dataclass(frozen=True)
class LogTrial:
    """One log, as two processes have it, and a stream that nothing was written to."""

    log: Log
    other: Log
    """Of the same engine. May be the same object."""
    lease: float = 1.0
    """Seconds. The engine may be late by half of it."""
    stream_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def claim(self, *, takes_over: bool = False) -> Claim:
        return Claim(uuid.uuid4().hex, self.lease, ttl=60 * self.lease, takes_over=takes_over)

    def anew(self, stream_id: str = "") -> LogTrial:
        """The same log with another stream."""
        return replace(self, stream_id=stream_id or uuid.uuid4().hex)

    async def begin(self, **options: float) -> Claimed:
        """Claim the stream, as its first producer."""
        return await self.log.claim(self.stream_id, replace(self.claim(), **options))

    async def write(self, token: int, sizes: Iterable[int], first: int = 0) -> list[LogBatch]:
        """Append batches of so many events."""
        batches: list[LogBatch] = []
        for size in sizes:
            batches.append(batch(first, size))
            await self.log.append(self.stream_id, token, batches[-1])
            first += size
        return batches

    async def read(self, after: int | None = None) -> tuple[list[LogBatch], StreamHead | None]:
        """All that is there, page by page, as another process reads it."""
        found: list[LogBatch] = []
        place: object = None
        while True:
            page: LogPage = await self.other.read(self.stream_id, after, place)
            found += page.batches
            if page.batches:
                after = page.batches[-1].first + page.batches[-1].count - 1
            if not page.more:
                return found, page.head
            place = page.place

    async def lapse(self) -> None:
        """Wait until the lease is over."""
        with anyio.fail_after(_PATIENCE):
            while True:
                _, head = await self.read()
                if head is None or head.lease_left <= 0:
                    return
                await anyio.sleep(max(head.lease_left, 0.01))


def batch(first: int, count: int, data: bytes | None = None) -> LogBatch:
    """A batch whose data tells it from others."""
    return LogBatch(first, count, data if data is not None else b"\n".join(b"%d" % (first + n) for n in range(count)))


LogLaw = Callable[[LogTrial], Awaitable[None]]


async def order(trial: LogTrial) -> None:
    """What is appended is read in this order, as it was, from another process."""
    claimed = await trial.begin()
    _hold(claimed.next == 0, f"a new stream begins at position {claimed.next}")
    every_byte = batch(6, 1, bytes(range(256)) * 1200)
    written = await trial.write(claimed.token, [1, 2, 3])
    await trial.log.append(trial.stream_id, claimed.token, every_byte)
    found, head = await trial.read()
    _hold(found == [*written, every_byte], "what is read is not what was appended")
    _hold(head is not None and head.next == 7 and head.end is None, f"the head says {head}")


async def any_position(trial: LogTrial) -> None:
    """Reading behind any position gives each later event once; also over many pages."""
    claimed = await trial.begin()
    rng = random.Random(7)
    written = await trial.write(claimed.token, [rng.randint(1, 4) for _ in range(150)])
    last = written[-1].first + written[-1].count - 1
    for after in (None, 0, 1, last // 2, last - 1, last):
        found, _ = await trial.read(after)
        expected = [each for each in written if each.first + each.count - 1 > (-1 if after is None else after)]
        _hold(found == expected, f"behind {after} came {len(found)} batches, expected {len(expected)}")


async def late_reader(trial: LogTrial) -> None:
    """Who comes after the end gets everything, and the end as it was written."""
    claimed = await trial.begin()
    written = await trial.write(claimed.token, [2, 5])
    end = '{"cause": "completed", "é\U0001f600": "\\n"}'
    last = batch(7, 1)
    await trial.log.append(trial.stream_id, claimed.token, last, end)
    found, head = await trial.read()
    _hold(found == [*written, last], "a late reader does not get everything")
    _hold(head is not None and head.end == end, f"the end is {head and head.end!r}")
    for late in (batch(8, 1), None):
        await _refused(trial.log.append(trial.stream_id, claimed.token, late, "again"), ProducerReplacedError)
    for takes_over in (False, True):
        await _refused(trial.log.claim(trial.stream_id, trial.claim(takes_over=takes_over)), StreamExistsError)


async def one_producer(trial: LogTrial) -> None:
    """Of many claims at the same time one is granted. It is the only one until its lease is over."""
    granted = await _race(trial, takes_over=False)
    _hold(len(granted) == 1, f"{len(granted)} claims of a new stream were granted")
    await _refused(trial.other.claim(trial.stream_id, trial.claim(takes_over=True)), StreamExistsError)
    await trial.lapse()
    await _refused(trial.other.claim(trial.stream_id, trial.claim()), StreamExistsError)
    later = await _race(trial, takes_over=True)
    _hold(len(later) == 1, f"{len(later)} claims of a stream whose producer is lost were granted")
    _hold(later[0].token > granted[0].token, "a later token is not larger")


async def older_token(trial: LogTrial) -> None:
    """Once another producer has the stream, nothing of the one before is taken."""
    first = await trial.begin()
    written = await trial.write(first.token, [1, 1])
    await trial.lapse()
    second = await trial.other.claim(trial.stream_id, trial.claim(takes_over=True))
    _hold(second.next == 2, f"the second producer is to go on at {second.next}, expected 2")
    old = batch(2, 1, b"old")
    await _refused(trial.log.append(trial.stream_id, first.token, old), ProducerReplacedError)
    new = batch(2, 2, b"new")
    await trial.other.append(trial.stream_id, second.token, new)
    for late in (old, batch(4, 1, b"old")):
        await _refused(trial.log.append(trial.stream_id, first.token, late), ProducerReplacedError)
    await _refused(trial.log.append(trial.stream_id, first.token, None, "old"), ProducerReplacedError)
    await _refused(trial.log.renew(trial.stream_id, first.token), ProducerReplacedError)
    found, head = await trial.read()
    _hold(found == [*written, new], "two producers interleave")
    _hold(head is not None and head.end is None, "the older producer has ended the stream")


async def repeated_calls(trial: LogTrial) -> None:
    """A call that is made again, because its answer was lost, has the effect of one."""
    claim = trial.claim()
    claimed = await trial.log.claim(trial.stream_id, claim)
    again = await trial.log.claim(trial.stream_id, claim)
    _hold(again == claimed, f"the same claim was answered with {claimed}, then with {again}")
    for each in (batch(0, 2), batch(2, 1)):
        for log in (trial.log, trial.log, trial.other):
            await log.append(trial.stream_id, claimed.token, each)
    for log in (trial.log, trial.log, trial.other):
        await log.append(trial.stream_id, claimed.token, batch(3, 1), "end")
    found, head = await trial.read()
    _hold([each.first for each in found] == [0, 2, 3], "a repeated append was added again, or lost")
    _hold(head is not None and head.next == 4, f"the head says {head}")


async def lease(trial: LogTrial) -> None:
    """The lease is renewed by a word of the producer, and ends at once where it is released."""
    claimed = await trial.begin(takeover_within=3.0)
    for _ in range(6):
        await anyio.sleep(trial.lease / 3)
        await trial.log.renew(trial.stream_id, claimed.token)
    _, head = await trial.read()
    _hold(head is not None and head.lease_left > 0, "the lease of a producer that renews it is over")
    _hold(head is not None and head.takeover_within == 3.0, f"takeover_within became {head}")
    for position in range(6):
        await anyio.sleep(trial.lease / 3)
        await trial.log.append(trial.stream_id, claimed.token, batch(position, 1))
    _, head = await trial.read()
    _hold(head is not None and head.lease_left > 0, "the lease of a producer that appends is over")
    await trial.log.renew(trial.stream_id, claimed.token, release=True)
    _, head = await trial.read()
    _hold(head is not None and head.lease_left <= 0, f"{head and head.lease_left} s of a released lease are left")
    await trial.other.claim(trial.stream_id, trial.claim(takes_over=True))


async def ttl(trial: LogTrial) -> None:
    """Nothing is kept past its ttl, and the id may be used again."""
    seconds = 2 * trial.lease
    claimed = await trial.begin(ttl=seconds)
    await trial.write(claimed.token, [1, 2])
    await trial.log.append(trial.stream_id, claimed.token, None, "end")
    _, head = await trial.read()
    _hold(head is not None, "the stream was forgotten before its ttl")
    with anyio.fail_after(seconds + _PATIENCE):
        while (await trial.read())[1] is not None:  # noqa: ASYNC110
            await anyio.sleep(trial.lease / 10)
    _hold((await trial.read())[0] == [], "batches are left of a stream that is forgotten")
    await _is_forgotten(trial, claimed)


async def deletion(trial: LogTrial) -> None:
    """A stream that is deleted is forgotten at once, as past its ttl; its producer and its followers are woken."""
    await trial.log.delete(trial.stream_id)
    claimed = await trial.begin()
    await trial.write(claimed.token, [1, 2])
    await trial.other.request_cancel(trial.stream_id)
    wakes: list[str] = []
    watches = [
        trial.log.watch(trial.stream_id, "cancel", lambda: wakes.append("producer")),
        trial.log.watch(trial.stream_id, "events", lambda: wakes.append("follower")),
    ]
    try:
        await _until(lambda: len({*wakes}) == 2, "a watch does not wake when it begins")
        await trial.log.read(trial.stream_id, None)
        wakes.clear()
        for _ in range(2):
            await trial.other.delete(trial.stream_id)
        await _until(lambda: len({*wakes}) == 2, "a deletion does not wake the producer and the followers")
    finally:
        for watch in watches:
            watch.dispose()
    _hold(await trial.read() == ([], None), "something is left of a stream that was deleted")
    await _is_forgotten(trial, claimed)


async def cancellation(trial: LogTrial) -> None:
    """A request to cancel wakes the producer, and stays until it is read; also by the next producer."""
    await _refused(trial.other.request_cancel(trial.stream_id), StreamNotFoundError)
    claimed = await trial.begin()
    _hold(not await trial.log.renew(trial.stream_id, claimed.token), "a cancellation that was not requested")
    wakes: list[None] = []
    watch = trial.log.watch(trial.stream_id, "cancel", lambda: wakes.append(None))
    try:
        await _until(lambda: wakes, "a watch does not wake when it begins")
        wakes.clear()
        await trial.other.request_cancel(trial.stream_id)
        await _until(lambda: wakes, "a request to cancel does not wake the producer")
    finally:
        watch.dispose()
    _hold(await trial.log.renew(trial.stream_id, claimed.token), "the producer does not see the request to cancel")
    await trial.lapse()
    second = await trial.other.claim(trial.stream_id, trial.claim(takes_over=True))
    _hold(second.cancel_requested, "the next producer does not see the request to cancel")
    await trial.other.append(trial.stream_id, second.token, None, "end")
    head = await trial.log.request_cancel(trial.stream_id)
    _hold(head.end == "end", f"cancelling a stream that has ended says {head}")


async def hints(trial: LogTrial) -> None:
    """A follower is woken by the appends of another process, until it disposes its watch; one stalls no other."""
    claimed = await trial.begin()
    wakes: list[str] = []
    watches = [trial.other.watch(trial.stream_id, "events", lambda name=name: wakes.append(name)) for name in "ab"]
    await _until(lambda: {*wakes} == {"a", "b"}, "a watch does not wake when it begins")
    wakes.clear()
    await trial.write(claimed.token, [1])
    await _until(lambda: {*wakes} == {"a", "b"}, "an append does not wake the followers")
    watches[0].dispose()
    wakes.clear()
    await trial.write(claimed.token, [1], first=1)
    await _until(lambda: "b" in wakes, "a watch that was disposed has ended another one")
    watches[1].dispose()


async def ids(trial: LogTrial) -> None:
    """Streams of any ids are apart from each other."""
    names = [
        f"{trial.stream_id}{end}" for end in ("", "a", ".", ".a", " ", "*", ">", "}{", ":", "é\U0001f600", "%2E", "/")
    ]
    for number, name in enumerate(names):
        one = trial.anew(name)
        claimed = await one.begin()
        await one.log.append(name, claimed.token, batch(0, 1, b"%d" % number))
    for number, name in enumerate(names):
        found, _ = await trial.anew(name).read()
        _hold(found == [batch(0, 1, b"%d" % number)], f"the stream {name!r} does not have its own batch")


LOG_LAWS: Mapping[str, LogLaw] = {
    law.__name__: law
    for law in (
        *(order, any_position, late_reader, one_producer, older_token, repeated_calls),
        *(lease, ttl, deletion, cancellation, hints, ids),
    )
}
"""The laws by name."""


def log_laws(
    log: Log, other: Log | None = None, *, lease: float = 1.0, backend: str = "asyncio", skip: Iterable[str] = ()
) -> None:
    """Check the laws of a log, on a real engine. All run at the same time, each on streams of its own: about 4 leases.

    Args:
        log: The log.
        other: Another object for the same engine, as another process would have. None: `log`.
        lease: Seconds, for the laws of leases. The engine may be late by half of it.
        backend: "asyncio" or "trio".
        skip: Names of laws.

    Raises: AssertionError: these laws do not hold, a line each; ValueError: no law of this name to skip.
    """
    skipped = {*skip}
    if unknown := skipped - LOG_LAWS.keys():
        raise ValueError(f"expected names of LOG_LAWS in skip, got {sorted(unknown)}")

    broken: dict[str, Exception] = {}

    async def check(name: str) -> None:
        try:
            await LOG_LAWS[name](LogTrial(log, other if other is not None else log, lease))
        except Exception as error:
            broken[name] = error

    async def check_all() -> None:
        async with anyio.create_task_group() as group:
            for name in LOG_LAWS:
                if name not in skipped:
                    group.start_soon(check, name)

    anyio.run(check_all, backend=backend)
    if broken:
        told = (f"{name}: {_reason(error)}" for name, error in broken.items())
        raise AssertionError("\n".join(told)) from next(iter(broken.values()))


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, AssertionError) else f"the log raised {error!r}"


async def _race(trial: LogTrial, *, takes_over: bool) -> list[Claimed]:
    granted: list[Claimed] = []

    async def claim(log: Log) -> None:
        with suppress(StreamExistsError, ProducerReplacedError):
            granted.append(await log.claim(trial.stream_id, trial.claim(takes_over=takes_over)))

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(claim, trial.log if number % 2 else trial.other)
    return granted


async def _is_forgotten(trial: LogTrial, claimed: Claimed) -> None:
    """Nothing of the stream can be used, and its id can."""
    gone = StreamNotFoundError
    await _refused(trial.log.append(trial.stream_id, claimed.token, batch(3, 1)), gone)
    await _refused(trial.log.renew(trial.stream_id, claimed.token), gone)
    await _refused(trial.log.request_cancel(trial.stream_id), gone)
    await _refused(trial.log.claim(trial.stream_id, trial.claim(takes_over=True)), gone)
    second = await trial.begin()
    _hold(not await trial.log.renew(trial.stream_id, second.token), "a cancellation of the stream before")
    written = await trial.write(second.token, [1])
    found, head = await trial.read()
    _hold(found == written and head is not None and head.end is None, "something is left of the stream before")
    await _refused(trial.log.append(trial.stream_id, claimed.token, batch(1, 1)), ProducerReplacedError)


async def _refused(call: Awaitable[object], kind: type[RelayError]) -> None:
    try:
        await call
    except kind:
        return
    except RelayError as error:
        raise AssertionError(f"expected {kind.__name__}, got {error!r}") from error
    raise AssertionError(f"expected {kind.__name__}, got no error")


async def _until(holds: Callable[[], object], otherwise: str) -> None:
    with anyio.move_on_after(_PATIENCE):
        while not holds():  # noqa: ASYNC110
            await anyio.sleep(0.005)
    _hold(bool(holds()), otherwise)


def _hold(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
