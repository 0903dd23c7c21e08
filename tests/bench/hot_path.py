"""The hot path, against the floor and against the official SDK, on the same bytes in one run.

    python tests/bench/hot_path.py [--events 4000] [--rounds 5] [--no-http]

Prints µs of CPU an event of this process (the server of the HTTP rows is another process), the smallest of the rounds,
and the ratios that docs/reference/performance.md promises. Exits 1 where a bar is not met. Needs the extra `bench`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import openai
import reactivex
from reactivex import operators as ops

import rxstream
from rxstream import events
from rxstream import operators as rxs
from rxstream.testing import answers
from rxstream.typing import Operator

PIECE = 4096


def stream(count: int) -> bytes:
    """The bytes of a text answer of `count` deltas, as the official server words them."""
    return b"".join(answers.text([f" word{number % 97}" for number in range(count)]).all_frames())


def pieces(data: bytes) -> list[bytes]:
    return [data[start : start + PIECE] for start in range(0, len(data), PIECE)]


# ---------------------------------------------------------------------- in memory


def floor(data: bytes) -> int:
    """The least that can be done: split, and let pydantic validate each event as its model."""
    validators: dict[bytes, Callable[[bytes], object]] = {}
    by_type = {
        model.model_fields["type"].annotation.__args__[0]: model  # type: ignore[union-attr]
        for model in vars(events).values()
        if isinstance(model, type) and issubclass(model, events.Event) and "Literal" in str(model.model_fields["type"])
    }
    count = 0
    for frame in data.split(b"\n\n"):
        if not frame:
            continue
        head, _, payload = frame.partition(b"\ndata: ")
        validate = validators.get(head)
        if validate is None:
            model = by_type[head.removeprefix(b"event: ").decode()]
            model.model_rebuild()
            validate = validators[head] = model.__pydantic_validator__.validate_json
        validate(payload)
        count += 1
    return count


def ours(data: bytes) -> int:
    """Bytes, Frames, typed events, text, subscriber, as operators."""
    return _heard(data, rxs.decode_events(), rxs.text_only())


def ours_stage_by_stage(data: bytes) -> int:
    """The same with every stage an operator of its own."""
    return _heard(data, rxs.decode_sse(), rxs.parse_events(), rxs.normalize(), rxs.text_only())


def _heard(data: bytes, *chain: Operator[Any, Any]) -> int:
    said: list[str] = []
    failed: list[Exception] = []
    reactivex.from_iterable(pieces(data)).pipe(*chain).subscribe(said.append, failed.append)
    assert not failed
    return len(said)


class _Canned(httpx.BaseTransport):
    def __init__(self, data: bytes) -> None:
        self._data = data

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=_Stream(self._data))


class _Stream(httpx.SyncByteStream):
    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        yield from pieces(self._data)


def sdk(data: bytes) -> openai.OpenAI:
    return openai.OpenAI(api_key="bench", max_retries=0, http_client=httpx.Client(transport=_Canned(data)))


def sdk_create(data: bytes) -> int:
    count = 0
    with sdk(data) as client:
        for event in client.responses.create(model="gpt-4o", input="…", stream=True):
            if event.type == "response.output_text.delta":
                count += 1
    return count


def sdk_stream(data: bytes) -> int:
    count = 0
    with sdk(data) as client, client.responses.stream(model="gpt-4o", input="…") as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                count += 1
    return count


# ---------------------------------------------------------------------- over loopback HTTP


# Clients are made and their connection opened before the clock starts: what is measured is the stream.


async def http_ours(url: str, client: httpx.AsyncClient) -> float:
    async with rxstream.Session("bench", base_url=url, http_client=client) as session:

        async def once() -> int:
            said: list[str] = []
            await rxstream.result(
                session.response(model="bench", input="…").pipe(rxs.text_only(), ops.do_action(said.append))
            )
            return len(said)

        return await timed(once)


async def http_ours_httpx(url: str) -> float:
    async with httpx.AsyncClient() as client:
        return await http_ours(url, client)


async def http_ours_aiohttp(url: str) -> float:
    from httpx_aiohttp import HttpxAiohttpClient

    async with HttpxAiohttpClient() as client:
        return await http_ours(url, client)


async def http_sdk(url: str) -> float:
    async with openai.AsyncOpenAI(api_key="bench", base_url=url, max_retries=0) as client:

        async def once() -> int:
            count = 0
            async for event in await client.responses.create(model="gpt-4o", input="…", stream=True):
                if event.type == "response.output_text.delta":
                    count += 1
            return count

        return await timed(once)


async def timed(once: Callable[[], Awaitable[int]]) -> float:
    """µs of CPU an event of the second stream."""
    await once()
    began = time.process_time()
    count = await once()
    return (time.process_time() - began) / count * 1e6


SERVER = """
import sys
from rxstream.testing import LocalServer, answers
with LocalServer([answers.text([f" word{number % 97}" for number in range(int(sys.argv[1]))])]) as server:
    print(server.base_url, flush=True)
    sys.stdin.read()
"""


# ---------------------------------------------------------------------- measuring


def cpu(work: Callable[[], int], count: int) -> float:
    """µs of CPU an event."""
    began = time.process_time()
    assert work() == count
    return (time.process_time() - began) / count * 1e6


def import_seconds(name: str, use: str, cache: str) -> float:
    """Seconds of CPU, with the bytecode of both in the folder `cache`, as it is after an installation."""
    code = f"import time; b = time.process_time(); import {name}; {use}; print(time.process_time() - b)"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": cache}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return float(run.stdout)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-http", action="store_true")
    asked = parser.parse_args()
    count: int = asked.events
    data = stream(count)

    rows: dict[str, Callable[[], float]] = {
        "floor: split + validate_json": lambda: cpu(lambda: min(floor(data), count), count),
        "ours, in memory": lambda: cpu(lambda: ours(data), count),
        "ours, in memory, stage by stage": lambda: cpu(lambda: ours_stage_by_stage(data), count),
        "openai create(stream=True), in memory": lambda: cpu(lambda: sdk_create(data), count),
        "openai responses.stream(), in memory": lambda: cpu(lambda: sdk_stream(data), count),
    }
    best: dict[str, float] = {}
    server = None
    if not asked.no_http:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        rows["ours, HTTP (httpx)"] = lambda: asyncio.run(http_ours_httpx(url))
        try:
            import httpx_aiohttp  # noqa: F401

            rows["ours, HTTP (httpx-aiohttp)"] = lambda: asyncio.run(http_ours_aiohttp(url))
        except ImportError:
            print("httpx-aiohttp is not installed: its row is left out")
        rows["AsyncOpenAI, HTTP"] = lambda: asyncio.run(http_sdk(url))
    try:
        for _ in range(asked.rounds):
            for name, work in rows.items():
                best[name] = min(best.get(name, 1e9), work())
    finally:
        if server is not None:
            assert server.stdin is not None
            server.stdin.close()
            server.wait(10)

    print(f"{count} deltas, {len(data) / 1e6:.1f} MB, the smallest of {asked.rounds} rounds\n")
    for name, cost in best.items():
        print(f"{cost:8.2f} µs an event   {name}")

    # ours is lazy, so the whole shop window is asked for; and theirs, so its client
    whole = {"rxstream": "[getattr(rxstream, name) for name in rxstream.__all__]", "openai": "openai.AsyncOpenAI"}
    with tempfile.TemporaryDirectory() as cache:
        imports = {name: min(import_seconds(name, use, cache) for _ in range(6)) for name, use in whole.items()}
    for name, seconds in imports.items():
        print(f"{seconds * 1000:8.0f} ms            import {name}, with {whole[name]}")

    mine = best["ours, in memory"]
    bars = [
        ("ours / openai create, in memory", mine / best["openai create(stream=True), in memory"], 1 / 20),
        ("ours / floor, in memory", mine / best["floor: split + validate_json"], 2.0),
        ("import rxstream / import openai", imports["rxstream"] / imports["openai"], 0.5),
    ]
    if not asked.no_http:
        bars.append(("ours / AsyncOpenAI, HTTP (httpx)", best["ours, HTTP (httpx)"] / best["AsyncOpenAI, HTTP"], 1 / 5))
        if "ours, HTTP (httpx-aiohttp)" in best:
            ratio = best["ours, HTTP (httpx-aiohttp)"] / best["AsyncOpenAI, HTTP"]
            bars.append(("ours / AsyncOpenAI, HTTP (httpx-aiohttp)", ratio, 1 / 12))
    print()
    for name, ratio, bar in bars:
        print(f"{'ok  ' if ratio <= bar else 'MISS'} {ratio:7.3f} (bar {bar:.3f}) {name}")
    return 0 if all(ratio <= bar for _, ratio, bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
