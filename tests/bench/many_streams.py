"""Many streams at once: do they keep up, what CPU and what memory do they take?

    python tests/bench/many_streams.py [--streams 1000] [--rate 20] [--seconds 8] [--httpx]

The server is another process. The client is `httpx-aiohttp`, the fast transport; `--httpx` takes plain httpx, of which
a core carries about half as many. Prints the events a second that arrived, the share of one core that this process
used, and the memory of a stream; exits 1 where a bar of docs/reference/performance.md is not met.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
import time

import httpx
from httpx_aiohttp import HttpxAiohttpClient
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs

SERVER = """
import sys
from rxstream.testing import LocalServer, answers
with LocalServer([endless(pace=float(sys.argv[1]))], patience=600) as server:
    print(server.base_url, flush=True)
    sys.stdin.read()
"""


def rss() -> int:
    """Bytes of memory that this process holds now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


async def run(url: str, streams: int, seconds: float, plain: bool) -> tuple[int, float, float, int]:
    """Events, wall seconds, CPU seconds, bytes: of the time in which all streams run."""
    heard = 0

    def count(_: str) -> None:
        nonlocal heard
        heard += 1

    limits = httpx.Limits(max_connections=2 * streams)  # both have room for 100 connections otherwise
    client = httpx.AsyncClient(limits=limits) if plain else HttpxAiohttpClient(limits=limits)
    async with client, rxstream.Session("bench", base_url=url, http_client=client) as session:
        await rxstream.result(session.response(model="m", input="…").pipe(rxs.text_only(), ops.take(1)))
        before = rss()
        subscriptions = []
        for _ in range(streams):
            answer = session.response(model="m", input="…")
            subscriptions.append(answer.pipe(rxs.text_only()).subscribe(count))
            await asyncio.sleep(0.002)
        await asyncio.sleep(2)
        heard, wall, cpu = 0, time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        events, wall, cpu = heard, time.monotonic() - wall, time.process_time() - cpu
        grown = rss() - before
        for subscription in subscriptions:
            subscription.dispose()
    return events, wall, cpu, grown


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--httpx", action="store_true")
    asked = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 3 * asked.streams)), hard))
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(asked.rate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        url = server.stdout.readline().strip()
        events, wall, cpu, grown = asyncio.run(run(url, asked.streams, asked.seconds, asked.httpx))
    finally:
        server.stdin.close()
        server.wait(30)
    wanted = asked.streams * asked.rate
    each = grown / asked.streams / 1024
    print(f"{asked.streams} streams: {events / wall:.0f} events a second of {wanted:.0f}; {cpu / wall:.0%} of one core")
    print(f"{each:.0f} KiB a stream (bar 100)")
    return 0 if events / wall > 0.95 * wanted and each <= 100 else 1


if __name__ == "__main__":
    sys.exit(main())
