"""The model asks for two tools at once, they run side by side, and it answers with what both gave.

python examples/parallel_tools.py            a server on this machine answers: no key, no network
python examples/parallel_tools.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys
import time

import anyio

import rxstream
from rxstream.events import ResponseOutputTextDoneEvent
from rxstream.testing import LocalServer, answers
from rxstream.tools import ToolFinishedEvent, ToolStartedEvent

CELSIUS = {"Paris": 21, "Oslo": 9}


async def get_weather(city: str) -> str:
    """The weather in a city, now."""
    await anyio.sleep(0.5)  # a slow web service
    return f"{CELSIUS[city]} °C"  # a KeyError is told to the model, and the run goes on


def main(session: rxstream.Session) -> None:
    question = "Which is warmest: Paris, Oslo or Rome?"
    began = time.perf_counter()
    for event in rxstream.iterate(session.run(model="gpt-4o-mini", input=question, tools=[get_weather])):
        at = f"{time.perf_counter() - began:4.1f} s"
        match event:
            case ToolStartedEvent(name=name, arguments=arguments):
                print(at, "starts", name, arguments)
            case ToolFinishedEvent(name=name, output=output):
                print(at, "ended ", name, output)
            case ResponseOutputTextDoneEvent(text=text):
                print(at, text)
            case _:
                pass


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live)
    else:
        calls = answers.function_calls([("get_weather", {"city": city}) for city in ("Paris", "Oslo", "Rome")])
        said = "Paris, of those that I know: it has 21 °C, and Oslo 9 °C."
        with LocalServer([calls, said]) as server, rxstream.Session("none", base_url=server.base_url) as local:
            main(local)
