"""What a run costs whose first turn calls 8 tools: `session.run`, and the runner of the `openai` package.

    python tests/bench/tool_turns.py [--runs 60] [--rounds 3] [--words 200] [--httpx]

The server is another process; a run is two requests over loopback HTTP: eight calls, then an answer of so many words.
The client of ours is `httpx-aiohttp`, the fast transport; `--httpx` takes plain httpx. Theirs is `AsyncOpenAI` as it
comes, with `stream=True`. Prints ms of CPU of this process a run, the smallest of the rounds, with and without an
observer of every event, and the ratio. Exits 1 where it is above 1/4.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import openai
from httpx_aiohttp import HttpxAiohttpClient
from openai.lib.responses_tool_runner import AsyncRegisteredFunction, AsyncResponsesToolRunner
from openai.types.responses import FunctionToolParam

import rxstream
from rxstream.tools import RunFinishedEvent, Tool

BAR = 0.25
SERVER = """
import sys
from rxstream.testing import LocalServer, answers

calls = [(f"tool_{i}", {"city": f"Town of the number {i}", "unit": "celsius"}) for i in range(8)]

def play(items):
    done = any(item.get("type") == "function_call_output" for item in items)
    return answers.text(["word "] * int(sys.argv[1])) if done else answers.function_calls(calls)

with LocalServer([answers.conversation(play)], patience=600) as server:
    print(server.base_url, flush=True)
    sys.stdin.read()
"""


def make_tool(number: int) -> Tool[..., Any]:
    async def function(city: str, unit: str) -> str:
        """The weather in a city, now."""
        return f"21 in {city}"

    return Tool(function, name=f"tool_{number}", pure=True)


TOOLS = [make_tool(number) for number in range(8)]


def nothing(event: object) -> None:
    pass


async def nothing_later(event: object) -> None:
    pass


async def cpu(one_run: Callable[[], Awaitable[None]], runs: int, rounds: int) -> float:
    """ms of CPU a run: the cheapest of the rounds."""
    best = float("inf")
    for _ in range(3):
        await one_run()
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(runs):
            await one_run()
        best = min(best, time.process_time() - began)
    return best / runs * 1e3


async def ours(base_url: str, client: Any, runs: int, rounds: int) -> float:
    async with rxstream.Session(api_key="k", base_url=base_url, http_client=client) as session:

        async def one_run() -> None:
            last = await rxstream.result(session.run(model="m", input="Where is it warm?", tools=TOOLS))
            assert isinstance(last, RunFinishedEvent)
            assert last.turn == 2

        return await cpu(one_run, runs, rounds)


async def theirs(base_url: str, runs: int, rounds: int, on_event: Any) -> float:
    def registered(tool: Tool[..., Any]) -> AsyncRegisteredFunction:
        async def execute(arguments: Any) -> str:
            return await tool(**arguments)  # type: ignore[no-any-return]

        return AsyncRegisteredFunction(FunctionToolParam(**tool.definition), execute, independent=True)

    async with openai.AsyncOpenAI(api_key="k", base_url=base_url) as client:
        runner = AsyncResponsesToolRunner(functions=[registered(tool) for tool in TOOLS])

        async def one_run() -> None:
            request: Any = {"model": "m", "input": "Where is it warm?"}
            response = await runner.run(
                client, request, stream=True, eager=True, max_concurrent_calls=8, on_event=on_event
            )
            assert response.output_text

        return await cpu(one_run, runs, rounds)


async def measure(base_url: str, arguments: argparse.Namespace) -> bool:
    runs, rounds = arguments.runs, arguments.rounds
    make = httpx.AsyncClient if arguments.httpx else HttpxAiohttpClient
    async with make() as client:
        mine = await ours(base_url, client, runs, rounds)
    bare = await theirs(base_url, runs, rounds, None)
    observed = await theirs(base_url, runs, rounds, nothing_later)
    met = mine / bare <= BAR
    print(f"session.run:                         {mine:7.2f} ms a run")
    print(f"openai's runner:                     {bare:7.2f} ms a run, {observed:.2f} with on_event")
    print(f"{'ok  ' if met else 'MISS'} ratio {mine / bare:.3f} (bar ≤ {BAR}), {mine / observed:.3f} with on_event")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--words", type=int, default=200)
    parser.add_argument("--httpx", action="store_true")
    arguments = parser.parse_args()
    command = [sys.executable, "-c", SERVER, str(arguments.words)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        met = asyncio.run(measure(server.stdout.readline().strip(), arguments))
        server.stdin.close()
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
