"""Stdin, stdout or stderr that is closed, full, left by its reader, or in a narrow encoding, as a shell does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rxstream.testing import LocalServer, answers
from tests.cli.test_cli import rxstream

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the redirections are those of a POSIX shell")

TEXT = "Größe 你好 🚀"
COMMANDS = {
    "stream": "stream Hi",
    "stream --json": "stream Hi --json",
    "record": "record {tape} Hi",
    "replay": "replay {sse}",
    "inspect": "inspect {sse}",
    "demo": "demo --pace 2000",
    "help": "--help",
}
WITH_OUTPUT = [name for name in COMMANDS if name not in ("record", "help")]


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer([answers.text(TEXT)]) as server:
        yield server


class Shell:
    """Runs commands with redirections, and without a key of the user's."""

    def __init__(self, folder: Path, server: LocalServer) -> None:
        self.tape = folder / "a.tape"
        self._sse = folder / "a.sse"
        self._sse.write_bytes(b"".join(answers.text(TEXT).all_frames()))
        self._server = server

    def run(self, command: str, redirection: str, **environment: str) -> subprocess.CompletedProcess[str]:
        words = COMMANDS.get(command, command).format(tape=self.tape, sse=self._sse)
        own = {"OPENAI_BASE_URL": self._server.base_url, "OPENAI_API_KEY": "sk-canary-0123456789"}
        return subprocess.run(
            ["bash", "-c", f'"{sys.executable}" -m rxstream.cli {words} {redirection}'],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            env=os.environ | own | environment,
            check=False,
            encoding="utf-8",
        )


@pytest.fixture
def shell(tmp_path: Path, server: LocalServer) -> Shell:
    return Shell(tmp_path, server)


def is_one_line(stderr: str) -> bool:
    return stderr.startswith("rxstream: ") and stderr.count("\n") == 1


# ---------------------------------------------------------------------- stdin


@pytest.mark.parametrize("command", ["stream", "record", "replay"])
def test_a_closed_stdin_is_not_needed(shell: Shell, command: str) -> None:
    run = shell.run(command, "<&-")
    assert (run.returncode, run.stderr) == (0, "")
    assert shell.tape.exists() if command == "record" else run.stdout == TEXT + "\n"


@pytest.mark.parametrize("command", ["stream -", "record {tape} -", "replay -", "inspect -"])
def test_where_it_is_needed_the_error_says_so_before_anything_is_sent(
    shell: Shell, server: LocalServer, command: str
) -> None:
    run = shell.run(command, "<&-")
    assert (run.returncode, run.stdout) == (1, "")
    assert is_one_line(run.stderr)
    assert "stdin, which is closed" in run.stderr
    assert server.log == []


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_the_prompt_on_stdin_is_utf_8_whatever_the_locale(shell: Shell, server: LocalServer, encoding: str) -> None:
    run = shell.run("stream -", f"< <(printf '{TEXT}')", PYTHONIOENCODING=encoding)
    assert run.returncode == 0
    assert server.log[0].json["input"] == TEXT


def test_a_prompt_that_is_no_text_is_not_sent(shell: Shell, server: LocalServer) -> None:
    run = shell.run("stream -", r"< <(printf '\xff\xfe')", PYTHONIOENCODING="utf-8")
    assert run.returncode == 1
    assert is_one_line(run.stderr)
    assert "UTF-8" in run.stderr
    assert server.log == []


# ---------------------------------------------------------------------- stdout


@pytest.mark.parametrize("command", WITH_OUTPUT)
def test_a_closed_stdout_is_an_error_before_anything_is_sent(shell: Shell, server: LocalServer, command: str) -> None:
    run = shell.run(command, ">&-")
    assert run.returncode == 1
    assert run.stderr == "rxstream: stdout cannot be written: it is closed; nothing was sent or read\n"
    assert server.log == []


def test_a_tape_is_recorded_without_stdout(shell: Shell) -> None:
    run = shell.run("record", ">&-")
    assert (run.returncode, run.stderr) == (0, "")
    assert rxstream("replay", str(shell.tape)).stdout == TEXT + "\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_one_line(shell: Shell, command: str) -> None:
    run = shell.run(command, "> /dev/full")
    assert run.returncode == 1
    assert run.stderr == "rxstream: stdout cannot be written: No space left on device\n"
    if command == "record":
        assert rxstream("replay", str(shell.tape)).stdout == TEXT + "\n"


@pytest.mark.parametrize("command", ["replay", "inspect", "help"])
def test_a_reader_that_left_ends_the_command_without_a_word(shell: Shell, command: str) -> None:
    run = shell.run(command, "| true; exit ${PIPESTATUS[0]}")
    assert (run.returncode, run.stderr) == (141, "")


@pytest.mark.parametrize(("redirection", "code"), [("| true; exit ${PIPESTATUS[0]}", 141), ("> /dev/full", 1)])
def test_with_a_tape_the_answer_is_read_to_its_end_although_stdout_failed(
    shell: Shell, redirection: str, code: int
) -> None:
    assert shell.run("stream Hi --save {tape}", redirection).returncode == code
    assert rxstream("replay", str(shell.tape)).stdout == TEXT + "\n"


# ---------------------------------------------------------------------- stderr


@pytest.mark.parametrize("redirection", ["2>&-", "2> /dev/full"])
def test_without_stderr_the_answer_is_whole_and_the_exit_code_right(shell: Shell, redirection: str) -> None:
    with LocalServer([answers.incomplete(TEXT, "max_output_tokens")]) as server:
        run = shell.run("stream Hi", redirection, OPENAI_BASE_URL=server.base_url)
    assert (run.returncode, run.stdout) == (0, TEXT + "\n")
    failed = shell.run("replay nowhere.sse", redirection)
    assert (failed.returncode, failed.stdout) == (1, "")


def test_without_all_three_a_tape_is_recorded(shell: Shell) -> None:
    assert shell.run("record", "<&- >&- 2>&-").returncode == 0
    assert rxstream("replay", str(shell.tape)).stdout == TEXT + "\n"


# ---------------------------------------------------------------------- encodings

NARROW = [
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"PYTHONIOENCODING": "latin-1"},
]


@pytest.mark.parametrize("environment", NARROW)
def test_what_the_encoding_lacks_is_an_escape(shell: Shell, environment: dict[str, str]) -> None:
    run = shell.run("stream", "| iconv -f latin1 -t utf-8", **environment)
    assert run.stderr == ""
    assert run.stdout in ("Gr\\xf6\\xdfe \\u4f60\\u597d \\U0001f680\n", "Größe \\u4f60\\u597d \\U0001f680\n")


@pytest.mark.parametrize("environment", NARROW)
def test_json_has_escapes_of_json(shell: Shell, environment: dict[str, str]) -> None:
    run = shell.run("replay {sse} --json", "", **environment)
    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert "".join(event["delta"] for event in events if event["type"].endswith("text.delta")) == TEXT
