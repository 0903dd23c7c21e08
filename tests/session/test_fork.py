"""A process that was forked off inside a session has none of its threads: it is told so, and nothing waits for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rxstream.testing import LocalServer, answers
from tests.session._modes import MODES

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")

SCRIPT = """
import os, signal, sys, warnings
import anyio, reactivex
import rxstream

warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 says of each fork that threads are lost
mode, way, base_url = sys.argv[1:]


def request(session):
    return session.response(model="m", input="Hi")


def subscribe(session, loop):
    request(session).subscribe(on_error=fail)

def iterate(session, loop):
    list(rxstream.iterate(request(session)))

def go_on(session, loop):
    list(loop)

def result(session, loop):
    rxstream.result(request(session)).wait()

def result_of_a_timer(session, loop):
    rxstream.result(reactivex.timer(0.01, scheduler=session.scheduler)).wait()

def spawn(session, loop):
    session.spawn(lambda: anyio.sleep(0))

def close_the_loop(session, loop):
    loop.close()
    raise RuntimeError("fork() is well")

def leave(session, loop):
    raise SystemExit("fork() is well")

def open_another(session, loop):
    with rxstream.Session(base_url=base_url, api_key="") as other:
        list(rxstream.iterate(request(other)))
    raise SystemExit("fork() is well")


def fail(error):
    raise error


def fork(session, loop):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    signal.alarm(20)
    try:
        globals()[way](session, loop)
    except RuntimeError as error:
        if mode == "with":
            raise
        print("child:", error, flush=True)
        os._exit(0)  # without leaving the loop, whose files it shares with the other process


try:
    if mode == "with":
        with rxstream.Session(base_url=base_url, api_key="") as session:
            loop = iter(rxstream.iterate(request(session)))
            next(loop)
            fork(session, loop)
            loop.close()
    else:
        async def main():
            async with rxstream.Session(base_url=base_url, api_key="") as session:
                fork(session, iter([]))
        anyio.run(main, backend=mode)
except BaseException as error:
    print("child:", error, flush=True)
    os._exit(0)
print("parent left", flush=True)
"""


def output(mode: str, way: str, folder: Path) -> str:
    script = folder / "forks.py"
    script.write_text(SCRIPT)
    with LocalServer([answers.endless(pace=200)] if way == "go_on" else [answers.text("a b c")]) as server:
        ran = subprocess.run(
            [sys.executable, script, mode, way, server.base_url],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", ["subscribe", "spawn"])
def test_what_needs_the_session_says_what_to_do(mode: str, way: str, tmp_path: Path) -> None:
    lines = output(mode, way, tmp_path)
    assert "parent left" in lines
    assert "child: " in lines
    assert "fork()" in lines


@pytest.mark.parametrize(
    "way", ["iterate", "go_on", "result", "result_of_a_timer", "close_the_loop", "leave", "open_another"]
)
def test_nothing_waits(way: str, tmp_path: Path) -> None:
    lines = output("with", way, tmp_path)
    assert "parent left" in lines
    assert "child: " in lines
    assert "fork()" in lines
