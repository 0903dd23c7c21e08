"""While another thread imports trio, its modules are there without their content, and nothing looks into them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rxstream.testing import LocalServer, answers

PROGRAM = """
import asyncio, sys, threading
from types import ModuleType
import rxstream
from rxstream import operators as rxs

for name in sys.argv[2:]:
    sys.modules[name] = ModuleType(name)


def request(session):
    return session.response(model="m", input="Hi").pipe(rxs.text_only())


async def main():
    async with rxstream.Session(base_url=sys.argv[1], api_key="") as session:
        print("".join([text async for text in rxstream.iterate(request(session))]))


with rxstream.Session(base_url=sys.argv[1], api_key="") as session:
    print("".join(rxstream.iterate(request(session))))
asyncio.run(main())
assert threading.enumerate() == [threading.current_thread()], threading.enumerate()
"""


@pytest.mark.parametrize("names", [["trio"], ["trio", "trio.lowlevel"]])
def test_a_half_imported_module_is_not_looked_into(names: list[str]) -> None:
    with LocalServer([answers.text("Hello")]) as server:
        command = [sys.executable, "-W", "error", "-c", PROGRAM, server.base_url, *names]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) == ("Hello\nHello\n", "")
