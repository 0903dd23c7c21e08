"""An agent in a terminal: it works in a folder, shows what it does, and asks before it writes.

python examples/agent.py                    a server on this machine plays the model, and you: no key, no network
python examples/agent.py --live [FOLDER]    OPENAI_API_KEY, and OPENAI_BASE_URL if you have one; an empty line ends it
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import rxstream
from rxstream import events as ev
from rxstream.results import FunctionCall
from rxstream.testing import LocalServer, answers
from rxstream.tools import (
    Context,
    Denial,
    RunFinishedEvent,
    ToolApprovalEvent,
    ToolFinishedEvent,
    ToolStartedEvent,
    seconds,
    tool,
    turns,
)

Read = Callable[[str], Awaitable[str]]
RULES = "You work in one folder. Read before you write, and be brief."


def inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise PermissionError(f"{name} is not in the folder")  # the model is told
    return path


@tool(pure=True)
def list_files(context: Context[Path]) -> list[str]:
    """The names of the files in the folder."""
    return sorted(path.name for path in context.deps.iterdir() if path.is_file())


@tool(pure=True)
def read_file(name: str, context: Context[Path]) -> str:
    """The text of a file."""
    return inside(context.deps, name).read_text("utf-8")[:20_000]


@tool(needs_approval=True)
def write_file(name: str, text: str, context: Context[Path]) -> str:
    """Write a text to a file. What was in it is replaced."""
    return f"{inside(context.deps, name).write_text(text, 'utf-8')} characters written"


def show(event: ev.Event) -> None:
    match event:
        case ev.ResponseOutputTextDeltaEvent(delta=text):
            print(text, end="", flush=True)
        case ev.ResponseOutputTextDoneEvent():
            print()
        case ToolApprovalEvent(name=name, arguments=arguments):
            print(f"  ? {name} {arguments}")
        case ToolStartedEvent(name=name, arguments=arguments):
            print(f"  … {name} {arguments[:60]}")
        case ToolFinishedEvent(name=name, error=error, output=output):
            print(f"  {'✗' if error else '✓'} {name}: {str(error or output)[:60].strip()}")
        case RunFinishedEvent(stopped_by=reason, usage=usage):
            print(f"  [{reason}, {usage.total_tokens if usage else 0} tokens]")
        case _:
            pass


async def chat(session: rxstream.Session, folder: Path, read: Read) -> None:
    asking = asyncio.Lock()  # one question at a time, also where the model asks for two calls

    async def approve(call: FunctionCall) -> bool | Denial:
        async with asking:
            answer = await read(f"  {call.name} {call.parse().get('name')}: yes, or why not? ")
        return answer in ("y", "yes") or Denial(answer)

    conversation: list[Any] = []
    while question := await read("> "):
        run = session.run(
            model="gpt-4o-mini",
            instructions=RULES,
            input=[*conversation, {"role": "user", "content": question}],
            tools=[list_files, read_file, write_file],
            deps=folder,
            approve=approve,
            stop_when=turns(12) | seconds(300),
        )
        try:
            async for event in rxstream.iterate(run):
                show(event)
                if isinstance(event, RunFinishedEvent):
                    conversation = event.input
        except rxstream.RxStreamError as error:  # the conversation is as it was before the question
            print(f"\n  No answer: {error}")


async def read_line(prompt: str) -> str:
    try:
        return (await asyncio.to_thread(input, prompt)).strip()
    except EOFError:
        return ""


async def live(folder: Path) -> None:
    async with rxstream.Session() as session:
        await chat(session, folder, read_line)


async def offline() -> None:
    script: list[answers.Answer | str] = [
        answers.function_calls([("read_file", {"name": "shop.txt"}), ("read_file", {"name": "../secret"})]),
        answers.function_calls([("write_file", {"name": "shop.txt", "text": "milk\neggs\n"})]),
        "Eggs are on the list, behind the milk.",
        answers.function_calls([("write_file", {"name": "shop.txt", "text": ""})]),
        "Then I leave it as it is.",
    ]
    typed = iter(["Put eggs on my shopping list.", "y", "Now empty it.", "I still need it", ""])

    async def read_script(prompt: str) -> str:
        await asyncio.sleep(0.3)
        line = next(typed)
        print(f"{prompt}{line}")
        return line

    with tempfile.TemporaryDirectory() as name, LocalServer(script, pace=60) as server:
        folder = Path(name)
        (folder / "shop.txt").write_text("milk\n", "utf-8")
        async with rxstream.Session("none", base_url=server.base_url) as session:
            await chat(session, folder, read_script)
        print((folder / "shop.txt").read_text("utf-8").split())


if __name__ == "__main__":
    arguments = [each for each in sys.argv[1:] if each != "--live"]
    asyncio.run(live(Path(*arguments[:1])) if "--live" in sys.argv else offline())
