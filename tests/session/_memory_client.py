"""Clients whose peak of memory is measured. Each line of stdin is one, `[MODE, BASE_URL, OPTIONS]`, and so is stdout.

This process imports all that is needed, once, and each client runs in a fork of it.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio

import rxstream
from rxstream import operators as rxs


def peak() -> int:
    """Bytes. `ru_maxrss` would not do: a new process inherits that of its parent."""
    match = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1]) * 1024


def main(mode: str, base_url: str, options: dict[str, Any]) -> None:
    outcomes: list[str] = []
    characters = 0

    def count(text: str) -> None:
        nonlocal characters
        characters += len(text)

    def ask(session: rxstream.Session, model: str) -> None:
        source = session.response(model=model, input="Hi")
        source.pipe(rxs.text_only()).subscribe(
            count, lambda error: outcomes.append(f"{type(error).__name__}: {error}"), lambda: outcomes.append("")
        )

    def run(model: str) -> None:
        if mode == "with":
            with rxstream.Session("sk", base_url=base_url, max_retries=0, **options) as session:
                ask(session, model)
            return

        async def body() -> None:
            async with rxstream.Session("sk", base_url=base_url, max_retries=0, **options) as session:
                ask(session, model)

        anyio.run(body, backend=mode)

    run("first")  # imports and makes whatever a session needs
    outcomes.clear()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    base, characters = peak(), 0
    run("large")
    print(json.dumps({"grown": peak() - base, "outcome": outcomes[0], "characters": characters}))


def in_a_fork(mode: str, base_url: str, options: dict[str, Any]) -> None:
    """Prints what was measured; of a client that has failed an empty line."""
    client = os.fork()
    if not client:
        signal.alarm(300)
        try:
            main(mode, base_url, options)
            sys.stdout.flush()
            os._exit(0)
        finally:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
            os._exit(1)
    if os.waitpid(client, 0)[1]:
        print(flush=True)


if __name__ == "__main__":
    for name in rxstream.__all__:
        getattr(rxstream, name)
    for module in ("httpx", "httpx_aiohttp", "trio"):
        with suppress(ImportError):
            importlib.import_module(module)
    for line in sys.stdin:
        in_a_fork(*json.loads(line))
