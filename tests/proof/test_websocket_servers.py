"""The WebSocket mode against servers of others: fastresponses (PyPI) and aimock (npm), where they are installed.

`python -m pip install fastresponses uvicorn websockets`; `npm install @copilotkit/aimock` with its `.bin` on the PATH.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

import rxstream
from rxstream import errors
from tests.ports import free_port
from tests.session._modes import Heard, in_session, modes
from tests.waiting import until, wait_for

FASTRESPONSES = """
import sys
import uvicorn
from fastresponses import AgentAdapter, create_app
from fastresponses.adapter import TextDelta

class Echo(AgentAdapter):
    name = "echo"
    async def run(self, run):
        text = str(run.request.input)
        yield TextDelta("You said: ")
        if "fail" in text:
            raise RuntimeError("It broke.")
        yield TextDelta(text + f" ({len(run.context_items)} items)")

app = create_app(Echo(), api_key="sk-right", ws_connection_limit_seconds=float(sys.argv[2]))
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", ws_ping_interval=0.2)
"""

FIXTURES = [
    {"match": {"userMessage": "hello"}, "response": {"content": "Hello over the socket."}},
    {"match": {"userMessage": "call"}, "response": {"toolCalls": [{"name": "f", "arguments": '{"a":1}'}]}},
    {
        "match": {"userMessage": "fail"},
        "response": {"error": {"message": "Slow.", "type": "rate_limit_error", "code": "rate_limit_exceeded"}},
    },
    {"match": {"userMessage": "cut"}, "response": {"content": "This is cut."}, "truncateAfterChunks": 4},
]

needs_fastresponses = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("fastresponses", "uvicorn")),
    reason="fastresponses and uvicorn are not installed",
)
needs_aimock = pytest.mark.skipif(shutil.which("llmock") is None, reason="the llmock of aimock is not on the PATH")


@contextmanager
def running(command: Callable[[int], list[str]]) -> Generator[str]:
    """Run a server on a free port; its base URL."""
    port = free_port()

    def answers() -> bool:
        assert process.poll() is None, "the server has ended"
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    with subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(answers)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()


def fastresponses(limit: float) -> Callable[[int], list[str]]:
    return lambda port: [sys.executable, "-c", FASTRESPONSES, str(port), str(limit)]


def conversation(mode: str, base_url: str, *requests: dict[str, Any], pause: float = 0, **options: Any) -> list[Heard]:
    """One response after the other. `previous=n` in a request: it follows the answer to the n-th."""
    heard: list[Heard] = []

    def body(session: rxstream.Session) -> None:
        async def run() -> None:
            for request in requests:
                fields = dict(request)
                if (previous := fields.pop("previous", None)) is not None:
                    fields["previous_response_id"] = heard[previous].values[0].response.id
                heard.append(Heard())
                heard[-1].subscribe(session.response(model="m", **fields))
                await until(lambda: heard[-1].completions or heard[-1].errors)
                await anyio.sleep(pause)

        session.spawn(run)

    fixed = {"api_key": "sk-right", "base_url": base_url, "max_retries": 0, "transport": "websocket"}
    in_session(mode, body, **fixed | options)
    return heard


def text_of(heard: Heard) -> str:
    return "".join(event.delta for event in heard.values if event.type == "response.output_text.delta")


@needs_fastresponses
@modes
def test_fastresponses(mode: str) -> None:
    with running(fastresponses(60)) as base_url:
        first, second, failed, evicted, gone, new = conversation(
            mode,
            base_url,
            {"input": "one", "store": False},
            {"input": "two", "store": False, "previous": 0},
            {"input": "fail", "store": False, "previous": 1},
            {"input": "three", "store": False, "previous": 1},
            {"input": "three", "previous_response_id": "resp_none"},
            {"input": "four"},
            pause=0.3,  # longer than its pings, which have to be answered
        )
        assert text_of(first) == "You said: one (1 items)"
        assert text_of(second) == "You said: two (3 items)", "the response that was not stored is on the same socket"
        assert isinstance(failed.error, errors.ApiError)
        assert failed.types[-1] == "error"
        assert isinstance(evicted.error, errors.PreviousResponseNotFoundError)
        assert isinstance(gone.error, errors.PreviousResponseNotFoundError)
        assert new.completed()
        (over_http,) = conversation(mode, base_url, {"input": "four"}, transport=None)
        assert new.types == over_http.types


@needs_fastresponses
def test_fastresponses_wants_a_key() -> None:
    with running(fastresponses(60)) as base_url:
        (heard,) = conversation("asyncio", base_url, {"input": "one"}, api_key="sk-wrong")
        assert isinstance(heard.error, errors.StatusError)
        assert heard.error.status == 401


@needs_fastresponses
@modes
def test_fastresponses_ends_a_socket_after_its_time(mode: str) -> None:
    with running(fastresponses(0.2)) as base_url:
        heard = conversation(mode, base_url, {"input": "one"}, {"input": "two", "previous": 0}, pause=0.6)
        assert [each.completed() for each in heard] == [True, True]


@needs_aimock
@modes
def test_aimock(mode: str, tmp_path: Path) -> None:
    fixtures = tmp_path / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": FIXTURES}))
    with running(lambda port: ["llmock", "-p", str(port), "-f", str(fixtures)]) as base_url:
        hello, call, failed, again, cut, unknown = conversation(
            mode, base_url, *({"input": text} for text in ("hello", "call", "fail", "hello", "cut", "else"))
        )
        assert text_of(hello) == text_of(again) == "Hello over the socket."
        assert call.completed()
        assert isinstance(failed.error, errors.ApiError)
        assert failed.error.code == "rate_limit_exceeded"
        assert isinstance(cut.error, errors.DisconnectedError)
        assert len(cut.values) == 4
        assert isinstance(unknown.error, errors.ApiError)
        (over_http,) = conversation(mode, base_url, {"input": "hello"}, transport=None)
        assert hello.types == over_http.types
