"""An agent: the model asks for tools, they run side by side, it goes on with their results until it answers.

python examples/parallel_tools.py            a server on this machine answers: no key, no network
python examples/parallel_tools.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import asyncio
import json
import sys
from typing import Any

import reactivex
from reactivex import Observable
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.errors import OutputError
from rxstream.events import Response, StreamingEvent
from rxstream.results import FunctionCall
from rxstream.testing import LocalServer, answers

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "name": "get_weather", "description": "The weather in a city, now.", "parameters": CITY}]


async def run(call: FunctionCall) -> dict[str, Any]:
    """Make one call. What goes wrong is told to the model, which may try again."""
    print(f"  {call.name}({call.arguments}) …")
    try:
        city = call.parse()["city"]
        await asyncio.sleep(0.5)  # a slow web service
        result: Any = {"city": city, "celsius": {"Paris": 21, "Oslo": 9}.get(city, 15)}
    except (OutputError, KeyError) as error:
        result = f"Error: {error}"
    return {"type": "function_call_output", "call_id": call.call_id, "output": json.dumps(result)}


def turn(events: Observable[StreamingEvent]) -> Observable[str | dict[str, Any] | Response]:
    """One request, three readers: its text, its calls, its items."""
    return reactivex.merge(
        events.pipe(rxs.text_only()),
        events.pipe(rxs.accumulate_function_args(), rxs.map_async(run, max_in_flight=4)),
        events.pipe(rxs.final_response()),
    )


async def main(session: rxstream.Session) -> None:
    conversation: list[Any] = [{"role": "user", "content": "Is it warmer in Paris or in Oslo?"}]
    for _ in range(8):  # a model may ask for tools for ever
        answer = session.response(model="gpt-4o-mini", input=conversation, tools=TOOLS)
        results: list[dict[str, Any]] = []
        async for said in rxstream.iterate(answer.pipe(ops.publish(turn))):
            match said:
                case str():
                    print(said, end="", flush=True)
                case Response():
                    conversation += [item.model_dump(mode="json") for item in said.output]
                case _:
                    results.append(said)
        if not results:
            print()
            return
        conversation += results


async def offline() -> None:
    calls = answers.function_calls([("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Oslo"})])
    with LocalServer([calls, "Paris: 21 °C there, 9 °C in Oslo."], pace=30) as server:
        async with rxstream.Session("none", base_url=server.base_url) as session:
            await main(session)


async def live() -> None:
    async with rxstream.Session() as session:
        await main(session)


if __name__ == "__main__":
    asyncio.run(live() if "--live" in sys.argv else offline())
