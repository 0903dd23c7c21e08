"""`rxstream demo --tools`: a run of three turns, with tools in parallel, one that fails, and one that is approved."""

from __future__ import annotations

import time
from typing import Any

import anyio
from reactivex import Observable

from rxstream import operators as rxs
from rxstream.events import Event, ResponseOutputTextDeltaEvent, StreamingEvent
from rxstream.session import Session
from rxstream.sinks import iterate
from rxstream.testing import LocalServer, answers
from rxstream.tools import (
    RunFinishedEvent,
    ToolApprovalEvent,
    ToolFinishedEvent,
    ToolStartedEvent,
    TurnStartedEvent,
    tool,
)

PROMPT = "I want to see snow this weekend. Find me a train, and book it."
SCRIPT = [
    answers.function_calls(
        [
            ("get_weather", {"city": "Oslo"}),
            ("find_trains", {"to": "Oslo"}),
            ("find_hotels", {"city": "Oslo"}),
        ]
    ),
    answers.function_calls([("book_train", {"train": "R 31", "euros": 49})]),
    answers.text("It snows in Oslo. Your seat on the R 31 on Saturday is booked; I could not look for hotels."),
]


@tool(pure=True)
async def get_weather(city: str) -> str:
    """The weather of the weekend in a city."""
    await anyio.sleep(0.8)
    return "-4 °C, snow"


@tool(pure=True)
async def find_trains(to: str) -> list[str]:
    """The trains to a city on Saturday."""
    await anyio.sleep(0.6)
    return ["R 31", "R 35"]


@tool(pure=True)
async def find_hotels(city: str) -> list[str]:
    """The hotels of a city."""
    await anyio.sleep(0.3)
    raise ConnectionError("the hotel service is closed")


@tool(needs_approval=True)
async def book_train(train: str, euros: int) -> str:
    """Book a seat on a train."""
    await anyio.sleep(0.4)
    return f"{train}: seat 12, coach 3"


TOOLS = [get_weather, find_trains, find_hotels, book_train]


async def approve(call: Any) -> bool:
    """Takes the place of a person who reads the question."""
    await anyio.sleep(0.8)
    return bool(call.parse()["euros"] < 100)


def tools_demo(pace: float) -> int:
    """Print each event of the run on a line with its time, and the answer as it arrives."""
    start = time.perf_counter()
    with (
        LocalServer(SCRIPT, pace=pace) as server,
        Session(api_key="demo", base_url=server.base_url) as session,
    ):
        print(f"A Responses API server runs at {server.base_url}: real HTTP, no key, no network.")
        print("Its answers are a script. The tools are Python functions of this process.\n")
        print(f"> {PROMPT}")

        def ask(items: Any) -> Observable[StreamingEvent]:
            return session.response(model="demo", input=items, tools=TOOLS)

        in_text = False
        run = ask(PROMPT).pipe(rxs.run_tools(TOOLS, ask, input=PROMPT, approve=approve))
        for event in iterate(run):
            if isinstance(event, ResponseOutputTextDeltaEvent):
                print(event.delta if in_text else f"\n{event.delta}", end="", flush=True)
                in_text = True
                continue
            line = _line(event)
            if line:
                if in_text:
                    print()
                in_text = False
                print(f"{time.perf_counter() - start:6.2f} s │ {line}", flush=True)
    return 0


def _line(event: Event) -> str:
    match event:
        case TurnStartedEvent():
            return f"turn {event.turn}"
        case ToolApprovalEvent():
            return f"  {event.name}({event.arguments}) needs approval"
        case ToolStartedEvent():
            return f"  {event.name}({event.arguments}) started"
        case ToolFinishedEvent(error=None):
            return f"  {event.name} finished after {event.seconds:.2f} s: {event.output}"
        case ToolFinishedEvent():
            return f"  {event.name} failed, and the model is told: {event.output}"
        case RunFinishedEvent():
            tokens = event.usage.total_tokens if event.usage is not None else 0
            return f"the run ended with an {event.stopped_by} after {event.turn} turns and {tokens} tokens"
        case _:
            return ""
