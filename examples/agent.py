"""An agent in a terminal: it keeps your shopping list, and asks before it writes.

python examples/agent.py            a server on this machine plays the model, and you: no key, no network
python examples/agent.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one; an empty line ends it
"""

import sys
from collections.abc import Callable
from typing import Any

import anyio.to_thread

import rxstream
from rxstream.events import ResponseOutputTextDoneEvent
from rxstream.results import FunctionCall
from rxstream.testing import LocalServer, answers
from rxstream.tools import Denial, RunFinishedEvent, ToolFinishedEvent, tool

LIST = ["milk"]
TYPED = iter(["Clear my shopping list.", "no, add eggs to it", "yes", ""])
SCRIPT: list[Any] = [
    answers.function_calls([("write_list", {"items": []})]),
    answers.function_calls([("write_list", {"items": ["milk", "eggs"]})]),
    "Eggs are on the list, behind the milk.",
]


@tool(needs_approval=True)
def write_list(items: list[str]) -> str:
    """Replace the shopping list."""
    LIST[:] = items
    return f"it is now {LIST}"


def chat(session: rxstream.Session, read: Callable[[str], str]) -> None:
    async def approve(call: FunctionCall) -> bool | Denial:  # `read` blocks: it gets a thread
        answer = await anyio.to_thread.run_sync(read, f"  {call.name} {call.arguments}: yes, or why not? ")
        return answer == "yes" or Denial(answer)  # the model is told why

    conversation: list[Any] = [{"role": "developer", "content": f"The shopping list is {LIST}."}]
    while question := read("> "):
        conversation.append({"role": "user", "content": question})
        run = session.run(model="gpt-4o-mini", input=conversation, tools=[write_list], approve=approve)
        for event in rxstream.iterate(run):
            if isinstance(event, ToolFinishedEvent):
                print(f"  {event.name}: {event.error or event.output}")
            elif isinstance(event, RunFinishedEvent):
                conversation = event.input  # all of it, for the next question
            elif isinstance(event, ResponseOutputTextDoneEvent):
                print(event.text)


def typed(prompt: str) -> str:
    print(prompt, line := next(TYPED), sep="")
    return line


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            chat(live, input)
    else:
        with LocalServer(SCRIPT) as server, rxstream.Session("none", base_url=server.base_url) as local:
            chat(local, typed)
