"""A soak: streams of all endings, again and again. Does memory stay flat, and does nothing else pile up?

    python -m tests.bench.soak [--minutes 10] [--workers 24] [--every 10] [--trio]

The server is another process. Each worker makes one stream after another, at random: read to its end, disposed in the
middle, cut by FIN and RST, refused with an HTTP error, failed by the API, paused by a slow loop and by async handlers,
shared by several subscribers of which one leaves, one is slow, one raises and one comes late. Every `--every` seconds a
line: streams, memory, file descriptors, threads, tasks, objects, blocks. Exits 1 where a stream had another outcome
than it should, where memory or blocks grow after the warm-up (the first half), or where the rest has grown at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import anyio
import anyio.lowlevel
import sniffio
import trio
from pydantic_core import from_json

import rxstream
from rxstream import operators as rxs
from rxstream.errors import DisconnectedError, ResponseFailedError, StatusError, TruncatedError
from rxstream.sinks import Overflow

SERVER = """
import sys
from rxstream.testing import LocalServer, answers
words = [f"word{number} " for number in range(60)]
whole = answers.text(words)
ANSWERS = {
    "whole": whole,
    "endless": answers.endless(pace=500),
    "cut": answers.truncated(whole, 20),
    "fin": answers.disconnect(whole, 20, "fin"),
    "rst": answers.disconnect(whole, 20, "rst"),
    "refused": answers.http_error(500, "no"),
    "failed": answers.failed(partial_text="some"),
}
with LocalServer([lambda request: ANSWERS[request["model"]]], patience=3600, log_limit=64) as server:
    print(server.base_url, flush=True)
    sys.stdin.read()
"""
TEXT = "".join(f"word{number} " for number in range(60))
GROWTH = 1024.0
"""KiB that memory may grow by in the time that is measured, whatever the number of streams; and of each stream:"""
GROWTH_OF_A_STREAM = 0.05
BLOCKS = 4000.0
"""Blocks that may be added in that time: trio keeps up to 1,000 deadlines that are over. And of each stream:"""
BLOCKS_OF_A_STREAM = 0.5

ERRORS: dict[str, type[Exception]] = {
    "cut": TruncatedError,
    "fin": DisconnectedError,
    "rst": DisconnectedError,
    "refused": StatusError,
    "failed": ResponseFailedError,
}

Cycle = Callable[[rxstream.Session, random.Random], Awaitable[None]]


async def whole(session: rxstream.Session, chance: random.Random) -> None:
    stream = session.response(model="whole").pipe(rxs.heartbeat(0.05), rxs.text_only())
    text = await rxstream.result(stream.pipe(rxs.coalesce(60)))
    assert text == TEXT


async def slow_loop(session: rxstream.Session, chance: random.Random) -> None:
    text = ""
    async for piece in rxstream.iterate(session.response(model="whole").pipe(rxs.text_only()), buffer=2):
        text += piece
        await anyio.lowlevel.checkpoint()
    assert text == TEXT


async def disposed(session: rxstream.Session, chance: random.Random) -> None:
    most = chance.randrange(20)
    count = 0
    async for _ in rxstream.iterate(session.response(model="endless").pipe(rxs.heartbeat(0.001))):
        count += 1
        if count > most:
            break


async def handled(session: rxstream.Session, chance: random.Random) -> None:
    done, handlers = anyio.Event(), rxstream.Handlers()
    text: list[str] = []

    @handlers.on("response.output_text.delta")
    async def note(event: Any) -> None:
        await anyio.lowlevel.checkpoint()
        text.append(event.delta)

    handlers.on_completed(done.set)
    session.response(model="whole").subscribe(handlers)
    await done.wait()
    assert "".join(text) == TEXT


async def fails(session: rxstream.Session, chance: random.Random) -> None:
    kind = chance.choice([*ERRORS])
    try:
        await rxstream.result(session.response(model=kind).pipe(rxs.final_response()))
    except ERRORS[kind]:
        return
    raise AssertionError(f"{kind}: expected {ERRORS[kind].__name__}")


def raises(_: object) -> None:
    raise LookupError


async def is_shared(session: rxstream.Session, chance: random.Random) -> None:
    policies: list[Overflow] = ["pause", "conflate"]
    overflow = chance.choice(policies)
    stream = session.response(model="whole").pipe(rxs.shared(linger=0.5, buffer=4, overflow=overflow))
    texts = stream.pipe(rxs.text_only())
    read: list[str] = []

    async def loop() -> None:
        text = ""
        async for piece in rxstream.iterate(texts, buffer=2):
            text += piece
            await anyio.lowlevel.checkpoint()
        read.append(text)

    async with anyio.create_task_group() as group:
        texts.subscribe(lambda _: None).dispose()
        group.start_soon(loop)
        texts.subscribe(raises, lambda _: None)
        async for _ in rxstream.iterate(texts):
            break
        group.start_soon(loop)
    assert read == [TEXT, TEXT]


CYCLES: list[Cycle] = [whole, slow_loop, disposed, handled, fails, fails, is_shared]


class Sample(NamedTuple):
    seconds: float
    streams: int
    memory: float
    """KiB of resident memory."""
    descriptors: int
    threads: int
    tasks: int
    objects: int
    blocks: int
    """Pieces of memory that Python holds, of any size: memory may grow though they do not, by gaps between them."""


def sample(since: float, streams: int, tasks: int) -> Sample:
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        memory = int(file.read().split()[1]) * resource.getpagesize() / 1024
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    blocks, objects = sys.getallocatedblocks(), len(gc.get_objects())
    return Sample(time.monotonic() - since, streams, memory, descriptors, threads, tasks, objects, blocks)


def fill_string_cache() -> None:
    """Let pydantic keep as many strings as it does: it has a cache of 16,384 short ones, and each id is a new one."""
    for number in range(60_000):
        from_json(b'"resp_%048d"' % number)


def count_tasks() -> int:
    if sniffio.current_async_library() == "trio":
        return trio.lowlevel.current_statistics().tasks_living
    return len(asyncio.all_tasks())


async def soak(url: str, seconds: float, workers: int, every: float, samples: list[Sample]) -> Counter[str]:
    counts: Counter[str] = Counter()
    began = time.monotonic()

    def take() -> None:
        samples.append(sample(began, counts.total(), count_tasks()))
        one = samples[-1]
        print(
            f"{one.seconds:6.0f} s {one.streams:8} streams {one.memory / 1024:8.2f} MiB "
            f"{one.descriptors:5} descriptors {one.threads:3} threads {one.tasks:4} tasks "
            f"{one.objects:8} objects {one.blocks:8} blocks",
            flush=True,
        )

    async def work(number: int) -> None:
        chance = random.Random(number)
        while time.monotonic() - began < seconds:
            cycle = chance.choice(CYCLES)
            with anyio.fail_after(60):
                await cycle(session, chance)
            counts[cycle.__name__] += 1

    async def watch() -> None:
        while True:
            await anyio.sleep(every)
            take()

    async with rxstream.Session("soak", base_url=url, max_retries=0) as session, anyio.create_task_group() as watching:
        watching.start_soon(watch)
        async with anyio.create_task_group() as working:
            for number in range(workers):
                working.start_soon(work, number)
        watching.cancel_scope.cancel()
    take()
    return counts


def verdict(samples: list[Sample]) -> list[str]:
    """What has grown. The last sample was taken when the session had been left."""
    warm = [one for one in samples[:-1] if one.seconds > samples[-1].seconds / 2]
    if len(warm) < 4:
        return ["expected 4 samples after the warm-up at least: take more --minutes, or a shorter --every"]
    times = [one.seconds for one in warm]
    streams, seconds = warm[-1].streams - warm[0].streams, times[-1] - times[0]
    growth = statistics.linear_regression(times, [one.memory for one in warm]).slope * seconds
    blocks = statistics.linear_regression(times, [one.blocks for one in warm]).slope * seconds
    print(f"memory: {growth:+.0f} KiB in {seconds:.0f} s, {growth / streams * 1024:+.1f} bytes a stream")
    print(f"blocks: {blocks:+.0f}, {blocks / streams:+.2f} a stream, in {streams} streams")
    grown: list[str] = []
    if growth > GROWTH and growth / streams > GROWTH_OF_A_STREAM:
        grown.append(f"memory grows: {growth:.0f} KiB")
    if blocks > BLOCKS and blocks / streams > BLOCKS_OF_A_STREAM:
        grown.append(f"blocks grow: {blocks:.0f}")
    first, last = warm[: len(warm) // 2], warm[len(warm) // 2 :]
    for name in ("descriptors", "threads", "tasks"):
        before, after = (max(getattr(one, name) for one in some) for some in (first, last))
        if after > 1.5 * before + 10:
            grown.append(f"{name} grow: {before}, then {after}")
    return grown


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--workers", type=int, default=24)
    parser.add_argument("--every", type=float, default=10, help="seconds between samples")
    parser.add_argument("--trio", action="store_true")
    options = parser.parse_args()
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None
    assert server.stdout is not None
    fill_string_cache()
    samples = [sample(time.monotonic(), 0, 0)]
    try:
        url = server.stdout.readline().strip()
        backend = "trio" if options.trio else "asyncio"
        seconds = options.minutes * 60
        counts = anyio.run(soak, url, seconds, options.workers, options.every, samples, backend=backend)
    finally:
        server.stdin.close()
        server.wait(30)
    print(", ".join(f"{count} {name}" for name, count in counts.most_common()))
    begin, *samples = samples
    grown = verdict(samples)
    end = sample(time.monotonic(), 0, 0)
    for name in ("descriptors", "threads"):
        if getattr(end, name) > getattr(begin, name) + 1:  # the loop of asyncio keeps none, a thread pool may
            grown.append(f"{name} are left: {getattr(begin, name)} before, {getattr(end, name)} after")
    for line in grown:
        print(line)
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
