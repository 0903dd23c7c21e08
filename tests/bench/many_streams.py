"""Many streams at once: what does an event cost, and do 1,000 streams keep up?

    python tests/bench/many_streams.py [--streams 1000] [--rate 20] [--seconds 8] [--rounds 3] [--uvloop]

The server is another process, and each event arrives alone. First the CPU that an event takes, with 200 streams: of a
bare aiohttp reader, which only counts pieces, of ours over aiohttp and over httpx, and of `AsyncOpenAI`; each reader is
a process of its own, in turns, and the best of the rounds counts. Then `--streams` of ours: the events a second that
arrived, the share of one core that they took, and the memory of a stream. `--uvloop` takes its loop for all of them.
Exits 1 where a bar of docs/reference/performance.md is not met.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any

SERVER = """
import sys
from rxstream.testing import LocalServer, answers
with LocalServer([answers.endless(pace=float(sys.argv[1]))], patience=600) as server:
    print(server.base_url, flush=True)
    sys.stdin.read()
"""
BODY = {"model": "m", "input": "…", "stream": True}
COMPARED = 200
Count = Callable[[], None]
Open = Callable[[], None]


@asynccontextmanager
async def bare(url: str, count: Count) -> AsyncGenerator[Open]:
    """Pieces of bytes, and nothing else."""
    import aiohttp

    tasks: set[asyncio.Task[None]] = set()

    async def read() -> None:
        async with session.post(f"{url}/responses", json=BODY) as answer:
            async for _ in answer.content.iter_any():
                count()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield lambda: tasks.add(asyncio.create_task(read()))
        await end(tasks)


@asynccontextmanager
async def ours(url: str, count: Count, client: Any = None) -> AsyncGenerator[Open]:
    import rxstream
    from rxstream import operators as rxs

    async with rxstream.Session("bench", base_url=url, http_client=client) as session:
        with ExitStack() as subscriptions:

            def read() -> None:
                answer = session.response(model="m", input="…").pipe(rxs.text_only())
                subscriptions.callback(answer.subscribe(lambda _: count()).dispose)

            yield read


@asynccontextmanager
async def ours_httpx(url: str, count: Count) -> AsyncGenerator[Open]:
    import httpx

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=limits) as client, ours(url, count, client) as read:
        yield read


@asynccontextmanager
async def sdk(url: str, count: Count) -> AsyncGenerator[Open]:
    import openai

    tasks: set[asyncio.Task[None]] = set()

    async def read() -> None:
        async for event in await client.responses.create(model="m", input="…", stream=True):
            if event.type == "response.output_text.delta":
                count()

    async with openai.AsyncOpenAI(api_key="bench", base_url=url, max_retries=0) as client:
        yield lambda: tasks.add(asyncio.create_task(read()))
        await end(tasks)


async def end(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


READERS = {"bare aiohttp": bare, "ours": ours, "ours, httpx": ours_httpx, "AsyncOpenAI": sdk}


def rss() -> int:
    """Bytes of memory that this process holds now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


async def run(reader: str, url: str, streams: int, seconds: float) -> tuple[int, float, float, int]:
    """Events, wall seconds, CPU seconds, of the time in which all streams run; bytes that they hold."""
    events = 0

    def count() -> None:
        nonlocal events
        events += 1

    async with READERS[reader](url, count) as read:
        read()
        await asyncio.sleep(1)  # what is imported and built once
        before = rss()
        for _ in range(streams - 1):
            read()
            await asyncio.sleep(0.002)
        await asyncio.sleep(2)
        events, wall, cpu = 0, time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        return events, time.monotonic() - wall, time.process_time() - cpu, rss() - before


def one_reader(reader: str, url: str, streams: int, seconds: float, uvloop: bool) -> None:
    """The main function of the process of a reader."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 3 * streams)), hard))
    if uvloop:
        import uvloop as fast_loop

        print(json.dumps(fast_loop.run(run(reader, url, streams, seconds))))
    else:
        print(json.dumps(asyncio.run(run(reader, url, streams, seconds))))


def measured(reader: str, rate: float, streams: int, seconds: float, uvloop: bool) -> tuple[int, float, float, int]:
    """What `run` returns, in a process of its own, against a server of its own."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(rate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        url = server.stdout.readline().strip()
        command = [sys.executable, __file__, "--reader", reader, "--url", url]
        command += ["--streams", str(streams), "--seconds", str(seconds), *(["--uvloop"] if uvloop else [])]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    finally:
        server.stdin.close()
        server.wait(30)
    return tuple(json.loads(done.stdout))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--reader", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reader:
        one_reader(options.reader, options.url, options.streams, options.seconds, options.uvloop)
        return 0
    best = dict.fromkeys(READERS, float("inf"))
    for _ in range(options.rounds):
        for reader in READERS:
            events, _, cpu, _ = measured(reader, options.rate / 2, COMPARED, 4, options.uvloop)
            best[reader] = min(best[reader], cpu / max(events, 1) * 1e6)
    for reader, cost in best.items():
        print(f"{reader:<14}{cost:7.1f} µs an event")
    bars = [("ours / bare aiohttp", best["ours"] / best["bare aiohttp"], 1.5)]
    bars += [("ours / AsyncOpenAI", best["ours"] / best["AsyncOpenAI"], 1 / 5)]
    for name, ratio, bar in bars:
        print(f"{name}: {ratio:.2f} (bar {bar:.2f})")
    events, wall, cpu, grown = measured("ours", options.rate, options.streams, options.seconds, options.uvloop)
    wanted = options.streams * options.rate
    each = grown / options.streams / 1024
    print(
        f"{options.streams} streams: {events / wall:.0f} of {wanted:.0f} events a second; {cpu / wall:.0%} of one core"
    )
    print(f"{each:.0f} KiB a stream (bar 100)")
    kept_up = events / wall > 0.95 * wanted and each <= 100
    return 0 if kept_up and all(ratio <= bar for _, ratio, bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
