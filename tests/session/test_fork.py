"""A process that was forked off inside a session has none of its threads: it is told so, and nothing waits for ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from rxstream.testing import LocalServer, answers
from tests.session._modes import MODES

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")

SCRIPT = """
import json, os, signal, sys, warnings
import anyio, httpx, reactivex, trio
import rxstream

try:
    import httpx_aiohttp
except ImportError:
    pass
for name in rxstream.__all__:
    getattr(rxstream, name)  # imports it, once for all cases
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 says of each fork that threads are lost

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


def run():
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


for mode, way, base_url, path in json.loads(sys.argv[1]):
    case = os.fork()  # of a process that has no session and no thread yet
    if case:
        os.waitpid(case, 0)
        continue
    with open(path, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    run()
    os._exit(0)
"""

ERRORS = [(mode, way) for mode in MODES for way in ("subscribe", "spawn")]
WAYS = ["iterate", "go_on", "result", "result_of_a_timer", "close_the_loop", "leave", "open_another"]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """What each case prints. One process imports all that is needed, and each case runs in a fork of it."""
    folder = tmp_path_factory.mktemp("forks")
    script = folder / "forks.py"
    script.write_text(SCRIPT)
    paths = {(mode, way): folder / f"{mode}-{way}.txt" for mode, way in [*ERRORS, *(("with", way) for way in WAYS)]}
    with LocalServer([answers.endless(pace=200)]) as endless, LocalServer([answers.text("a b c")]) as server:
        urls = {way: (endless if way == "go_on" else server).base_url for _, way in paths}
        cases = [[mode, way, urls[way], str(path)] for (mode, way), path in paths.items()]
        subprocess.run(
            [sys.executable, script, json.dumps(cases)],
            timeout=240,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    return {case: path.read_text() for case, path in paths.items()}


@pytest.mark.parametrize(("mode", "way"), ERRORS)
def test_what_needs_the_session_says_what_to_do(mode: str, way: str, printed: dict[tuple[str, str], str]) -> None:
    lines = printed[mode, way]
    assert "parent left" in lines
    assert "child: " in lines
    assert "fork()" in lines


@pytest.mark.parametrize("way", WAYS)
def test_nothing_waits(way: str, printed: dict[tuple[str, str], str]) -> None:
    lines = printed["with", way]
    assert "parent left" in lines
    assert "child: " in lines
    assert "fork()" in lines
