"""aiohttp sends where it is installed and the loop is asyncio's; everywhere else httpx does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rxstream.testing import LocalServer, answers
from tests.session._modes import Heard, in_session, options_for

pytest.importorskip("httpx_aiohttp")

RUN = [sys.executable, "-W", "error", "-W", "ignore:the API key", "-c"]
PROGRAM = """
import asyncio, sys
import httpx, trio
import rxstream
from rxstream import operators as rxs

mode, url = sys.argv[1:]
login = {"base_url": url, "api_key": "" if "@" in url else "k"}

def text(session):
    return rxstream.result(session.response(model="m", input="Hi").pipe(rxs.accumulate_text()))

async def main(**options):
    async with rxstream.Session(**login, **options) as session:
        print(await text(session))

async def with_a_client():
    async with httpx.AsyncClient() as client:
        await main(http_client=client)

if mode == "with":
    with rxstream.Session(**login) as session:
        print(text(session).wait())
elif mode == "trio":
    trio.run(main)
else:
    asyncio.run(main() if mode == "asyncio" else with_a_client(), debug=True)
print("aiohttp" if "aiohttp" in sys.modules else "httpx")
"""


def python() -> dict[str, str]:
    """An environment with nothing but what Python itself reads."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    return kept | {"PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.mark.parametrize(
    ("mode", "sender", "address"),
    [
        ("with", "aiohttp", "http://{server}/v1"),
        ("asyncio", "aiohttp", "http://{server}/v1"),
        ("trio", "httpx", "http://{server}/v1"),
        ("a client of the user's", "httpx", "http://{server}/v1"),
        ("asyncio", "httpx", "http://user:password@{server}/v1"),  # aiohttp refuses it beside an Authorization
        ("asyncio", "httpx", "http://server.example/v1"),  # by the proxy of the environment
    ],
)
def test_who_sends(mode: str, sender: str, address: str) -> None:
    with LocalServer([answers.text("Hello")]) as server:
        place = server.base_url.removeprefix("http://").removesuffix("/v1")
        environment = python() | {"HTTP_PROXY": f"http://{place}"}
        done = subprocess.run(
            [*RUN, PROGRAM, mode, address.format(server=place)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.stdout.split() == ["Hello", sender], done.stderr
    assert done.returncode == 0


LEAKING = """
import asyncio, gc, sys
from types import TracebackType
import rxstream
from rxstream import operators as rxs
from rxstream.errors import ResponseFailedError

def tracebacks():
    gc.collect()
    return sum(isinstance(thing, TracebackType) for thing in gc.get_objects())

async def fail(session, times):
    for _ in range(times):
        try:
            await rxstream.result(session.response(model="m").pipe(rxs.final_response()))
        except ResponseFailedError:
            pass
    return tracebacks()

async def main():
    async with rxstream.Session("k", base_url=sys.argv[1], max_retries=0) as session:
        before = await fail(session, 10)
        print(await fail(session, 200) - before)

asyncio.run(main())
"""


def test_streams_that_are_closed_leave_no_frames_in_memory() -> None:
    """aiohttp raises one exception object for all connections that were closed, and its traceback grew with each."""
    with LocalServer([answers.failed(partial_text="some")]) as server:
        environment = python()
        done = subprocess.run(
            [*RUN, LEAKING, server.base_url], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
    assert int(done.stdout) < 200, "each of 200 streams has left a traceback"


@pytest.mark.parametrize("mode", ["with", "asyncio"])
def test_a_large_request_is_sent_whole_and_without_a_warning(mode: str) -> None:
    """aiohttp warns of a body of more than 1 MiB in one piece, such as a prompt with an image."""
    prompt = "x" * 3_000_000 + "é"
    heard = Heard()
    with LocalServer([answers.text("Hi")]) as server:
        in_session(mode, lambda s: heard.subscribe(s.response(model="m", input=prompt)), **options_for(server))
        (request,) = server.log
    assert heard.completed()
    assert request.json["input"] == prompt
    assert "transfer-encoding" not in request.headers
