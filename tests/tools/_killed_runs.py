"""Runs in processes that are killed at each step: `python -m tests.tools._killed_runs BASE_URL FOLDER`.

It prints the name of each case. The folder of a case then has the ledger as it was after the kill, and at the end; the
effects of the tools, likewise; and the conversation. All processes are forked off this one, which has no threads.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
from reactivex import Observable

import rxstream
from rxstream import operators as rxs
from rxstream.tools import Context, FileLedger, LedgerRecord, RunFinishedEvent, Tool, ToolFinishedEvent

ONCE = ("save", "pay")
"""Tools that must not take effect twice."""


def kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class KillingLedger(FileLedger):
    """It kills the process before, within or after a write."""

    def __init__(self, folder: Path, when: str, number: int) -> None:
        super().__init__(folder / "run.jsonl")
        self._when = when
        self._left = number

    def append(self, record: LedgerRecord, /) -> None:
        self._left -= 1
        if self._left == 0 and self._when == "before":
            kill_this_process()
        if self._left == 0 and self._when == "within":
            line = json.dumps(record, separators=(",", ":"))
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(line[: len(line) // 2])
            kill_this_process()
        super().append(record)
        if self._left == 0 and self._when == "after":
            kill_this_process()


def tools_of(folder: Path, kill_after: str) -> list[Tool[..., Any]]:
    """Tools that append their names to a file; after the effect of one of them the process is killed."""

    def take_effect(name: str) -> str:
        append(folder / "effects", name)
        if name == kill_after:
            kill_this_process()
        return f"{name} is done"

    async def look(context: Context) -> str:
        await anyio.lowlevel.checkpoint()
        return take_effect("look")

    def keep() -> str:
        return take_effect("keep")

    def save() -> str:
        return take_effect("save")

    async def pay() -> str:
        await anyio.lowlevel.checkpoint()
        return take_effect("pay")

    return [
        Tool(look, pure=True),
        Tool(keep, on_restart="rerun"),
        Tool(save, on_restart="tell_model"),
        Tool(pay, on_restart="tell_model", needs_approval=True),
    ]


def append(path: Path, line: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")


async def run(base_url: str, folder: Path, ledger: FileLedger, kill_after: str) -> None:
    tools = tools_of(folder, kill_after)
    async with rxstream.Session(api_key="any", base_url=base_url, max_retries=0) as session:

        def ask(items: list[Any] | str) -> Observable[Any]:
            return session.response(model="m", input=items, tools=tools)

        operator = rxs.run_tools(tools, ask, input="Q", ledger=ledger, approve=lambda call: True)
        async for event in rxstream.iterate(ask("Q").pipe(operator)):
            if isinstance(event, ToolFinishedEvent):
                append(folder / "told", f"{event.name}")
            elif isinstance(event, RunFinishedEvent):
                (folder / "conversation").write_text(json.dumps(event.input), "utf-8")


def in_process(action: Callable[[], object]) -> int:
    """What a process ends with that does this: 0, or the negative number of a signal."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def play(base_url: str, folder: Path, when: str = "", number: int = 0, kill_after: str = "") -> None:
    """One case: a run that is killed, and one that goes on."""
    folder.mkdir()
    ledger = KillingLedger(folder, when, number)
    code = in_process(lambda: anyio.run(run, base_url, folder, ledger, kill_after))
    assert code == -signal.SIGKILL, (folder, code)
    for name in ("run.jsonl", "effects", "told"):
        if (folder / name).exists():
            shutil.copy(folder / name, folder / f"{name}.killed")
    assert in_process(lambda: anyio.run(run, base_url, folder, FileLedger(folder / "run.jsonl"), "")) == 0, folder
    print(folder.name, flush=True)


def main(base_url: str, folder: Path) -> None:
    (folder / "whole").mkdir()
    os.fsync = lambda fd: None  # what a killed process has written is there; only a crash of the system would lose it
    ssl.create_default_context = cache(ssl.create_default_context)  # each run would read all certificates
    # Here, and not in a process of its own, so that the others have the models of the events from the start.
    anyio.run(run, base_url, folder / "whole", FileLedger(folder / "whole" / "run.jsonl"), "")
    records = len((folder / "whole" / "run.jsonl").read_text("utf-8").splitlines())
    for number in range(1, records + 1):
        for when in ("before", "within", "after"):
            play(base_url, folder / f"{when}-{number}", when, number)
    for name in ("look", "keep", "save", "pay"):
        play(base_url, folder / f"effect-{name}", kill_after=name)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
