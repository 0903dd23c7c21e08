"""`rxstream stream --inspect`: the stages, once at the end in a pipe, live on a terminal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rxstream import probes
from rxstream.testing import LocalServer, answers
from tests.cli.test_cli import rxstream


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    probes.clear()
    yield
    probes.clear()


def stage_lines(text: str) -> dict[str, list[str]]:
    lines = (line.split() for line in text.splitlines())
    return {words[0]: words[1:4] for words in lines if words and words[0] in ("server", "output")}


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_the_answer_is_as_without_and_stderr_has_the_stages(form: list[str]) -> None:
    outputs: list[str] = []
    for inspect in ([], ["--inspect"]):
        with LocalServer([answers.text("Hello there")]) as server:
            environment = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk"}
            done = rxstream("stream", "Hi", *form, *inspect, **environment)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    plain, inspected = outputs
    assert len(plain) == len(inspected)  # ids differ in JSON
    lines = stage_lines(done.stderr)
    assert lines["server"] == ["completed", "10", "10"]
    assert lines["output"][:2] == ["completed", "10"]
    assert "\x1b" not in done.stderr
    if form:
        assert [json.loads(line)["type"] for line in inspected.splitlines()][-1] == "response.completed"


def test_an_error_is_shown_with_its_class() -> None:
    with LocalServer([answers.failed()]) as server:
        environment = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk"}
        done = rxstream("stream", "Hi", "--inspect", **environment)
    assert done.returncode == 1
    assert "failed (ResponseFailedError)" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="it needs a pseudo-terminal")
def test_on_a_terminal_the_last_lines_show_them_and_are_given_back() -> None:
    import fcntl
    import pty
    import struct
    import termios

    with LocalServer([answers.text(["Hello ", "there "] * 20)]) as server:
        main, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 90, 0, 0))
        kept = {name: value for name, value in os.environ.items() if name not in ("LINES", "COLUMNS")}
        process = subprocess.Popen(
            [sys.executable, "-m", "rxstream.cli", "stream", "Hi", "--inspect"],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=kept | {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk", "TERM": "xterm"},
        )
        os.close(terminal)
        text = _read(main)
        assert process.wait(60) == 0
    assert "\x1b[1;17r" in text  # the region above three lines
    assert text.rindex("\x1b[r") > text.rindex("\x1b[1;17r")  # the whole terminal again
    plain = re.sub(r"\x1b7.*?\x1b8", "", text, flags=re.DOTALL)
    assert "Hello there " * 20 in plain.replace("\r\n", "\n")
    last = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", plain)
    assert stage_lines(last)["server"][0] == "completed"


def _read(file: int) -> str:
    data = b""
    while True:
        try:
            part = os.read(file, 65536)
        except OSError:  # the other end is closed
            part = b""
        if not part:
            os.close(file)
            return data.decode()
        data += part
