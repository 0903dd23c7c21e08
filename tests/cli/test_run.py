"""`rxstream stream --tool`: a run with tools of files, and the questions whether they may run."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from rxstream.testing import LocalServer, answers
from tests.cli.test_cli import answer_with, rxstream
from tests.waiting import BOUND

TOOLS = '''
"""Tools of a test."""
from dataclasses import dataclass
from pathlib import Path

import beside
from rxstream import tools


@dataclass
class Place:
    city: str


@tools.tool(pure=True)
def weather(city: str) -> str:
    """The weather."""
    return f"{Place(city).city}: {beside.SNOW}"


def book(train: str) -> str:
    """Book a seat."""
    (Path(__file__).parent / "booked").write_text(train)
    return f"{train}: seat 12"


@tools.tool(pure=True)
def broken() -> str:
    raise ConnectionError("closed")


@tools.tool(pure=True, needs_approval=True)
def private() -> str:
    return "secret"


NUMBER = 3
'''
# the terminal of the test becomes that of the process
ON_TERMINAL = (
    "import fcntl, sys, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0); from rxstream.cli import main; sys.exit(main())"
)


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer([answers.text("Done")]) as server:
        yield server


@pytest.fixture
def tools(tmp_path: Path) -> str:
    (tmp_path / "tools.py").write_text(TOOLS, "utf-8")
    (tmp_path / "beside.py").write_text('SNOW = "snow"', "utf-8")
    return str(tmp_path / "tools.py")


def script(server: LocalServer, *calls: tuple[str, dict[str, Any]], answer: str = "Done") -> dict[str, str]:
    environment = answer_with(server, answers.function_calls(calls))
    server.say(answers.function_calls(calls), answers.text(answer))
    return environment


def without_terminal(arguments: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rxstream.cli", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND,
        env=os.environ | environment,
        start_new_session=True,
        check=False,
    )


def outputs(server: LocalServer) -> list[str]:
    """What the model was told."""
    return [item["output"] for item in server.log[-1].json["input"] if item.get("type") == "function_call_output"]


def test_a_pure_tool_runs_and_only_the_answer_goes_to_stdout(server: LocalServer, tools: str) -> None:
    environment = script(server, ("weather", {"city": "Oslo"}))
    body = ("--body", '{"tools": [{"type": "web_search"}], "top_p": 1}')
    run = rxstream("stream", "Hi", "--tool", f"{tools}:weather", *body, **environment)
    assert (run.returncode, run.stdout) == (0, "Done\n"), run.stderr
    started, finished = run.stderr.splitlines()
    assert started == '[function_call in_progress] weather({"city":"Oslo"})'
    assert finished.startswith("[function_call completed] weather 0.")
    assert finished.endswith(" s -> Oslo: snow")
    assert [tool.get("name", tool["type"]) for tool in server.log[0].json["tools"]] == ["web_search", "weather"]
    assert [request.json["top_p"] for request in server.log] == [1, 1]


def test_a_tool_that_fails_is_a_line_and_is_told_to_the_model(server: LocalServer, tools: str) -> None:
    run = rxstream("stream", "Hi", "--tool", f"{tools}:broken", **script(server, ("broken", {})))
    assert (run.returncode, run.stdout) == (0, "Done\n")
    assert run.stderr.splitlines()[-1].startswith("[function_call failed] broken 0.")
    assert "ConnectionError: closed" in outputs(server)[0]


def test_events_of_tools_are_among_the_json(server: LocalServer, tools: str) -> None:
    environment = script(server, ("weather", {"city": "Oslo"}))
    run = rxstream("stream", "Hi", "--json", "--tool", f"{tools}:weather", **environment)
    types = [json.loads(line)["type"] for line in run.stdout.splitlines()]
    assert types[0] == "rxstream.turn.started"
    assert "rxstream.tool.finished" in types
    assert types[-1] == "rxstream.run.finished"


def test_the_answer_of_a_run_as_whole_json(server: LocalServer, tools: str) -> None:
    environment = script(server, ("weather", {"city": "Oslo"}), answer='{"snow":true}')
    run = rxstream("stream", "Hi", "--whole", "--tool", f"{tools}:weather", **environment)
    assert (run.returncode, run.stdout) == (0, '{\n  "snow": true\n}\n'), run.stderr


def test_each_turn_has_a_tape_of_its_own(server: LocalServer, tools: str, tmp_path: Path) -> None:
    environment = script(server, ("weather", {"city": "Oslo"}))
    rxstream("stream", "Hi", "--save", str(tmp_path / "a.tape"), "--tool", f"{tools}:weather", **environment)
    assert rxstream("replay", str(tmp_path / "a.tape")).stdout == 'weather({"city":"Oslo"})\n'
    assert rxstream("replay", str(tmp_path / "a-2.tape")).stdout == "Done\n"


def test_lines_of_tools_are_those_of_a_replay(server: LocalServer, tools: str, tmp_path: Path) -> None:
    environment = script(server, ("weather", {"city": "Oslo"}))
    live = rxstream("stream", "Hi", "--json", "--tool", f"{tools}:weather", **environment)
    own = [line for line in live.stdout.splitlines() if json.loads(line)["type"].startswith("rxstream.tool.")]
    text = b"".join(answers.text("Done").all_frames()).decode()
    (tmp_path / "run.sse").write_text("".join(f"data: {line}\n\n" for line in own) + text, "utf-8")
    replayed = rxstream("replay", str(tmp_path / "run.sse"))
    assert replayed.stdout == "Done\n"
    assert '[function_call in_progress] weather({"city":"Oslo"})' in replayed.stderr
    assert "s -> Oslo: snow" in replayed.stderr


def test_with_yes_nothing_is_asked(server: LocalServer, tools: str, tmp_path: Path) -> None:
    environment = script(server, ("book", {"train": "R 31"}), ("private", {}))
    arguments = ("stream", "Hi", "--yes", "--tool", f"{tools}:book", "--tool", f"{tools}:private")
    run = without_terminal(arguments, environment)
    assert (run.returncode, run.stdout) == (0, "Done\n"), run.stderr
    assert (tmp_path / "booked").read_text() == "R 31"
    assert sorted(outputs(server)) == ["R 31: seat 12", "secret"]


@pytest.mark.skipif(sys.platform == "win32", reason="sessions of POSIX")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_without_a_terminal_a_tool_with_effects_is_refused(
    server: LocalServer, tools: str, tmp_path: Path, options: list[str]
) -> None:
    environment = script(server, ("book", {"train": "R 31"}))
    run = without_terminal(["stream", "Hi", *options, "--tool", f"{tools}:book"], environment)
    assert run.returncode == 0, run.stderr
    assert not (tmp_path / "booked").exists()
    assert "book() was refused: there is no terminal to ask on; --yes runs it" in run.stderr
    assert "not approved" in outputs(server)[0]


class Terminal:
    """A process with a terminal of its own, whose prompt comes from elsewhere."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str]) -> None:
        import pty

        self._screen, inner = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_TERMINAL, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=inner,
            env=os.environ | environment,
            start_new_session=True,
        )
        os.close(inner)
        self.shown = ""

    def wait_for(self, text: str, times: int = 1) -> None:
        while self.shown.count(text) < times:
            assert select.select([self._screen], [], [], BOUND)[0], self.shown
            self.shown += os.read(self._screen, 4096).decode()

    def write(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def finish(self) -> str:
        """Stdout."""
        stdout, _ = self.process.communicate(timeout=BOUND)
        return stdout.decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.process.stdout.close()  # type: ignore[union-attr]  # it is a pipe
        os.close(self._screen)


OpenTerminal: TypeAlias = Callable[[Sequence[str], dict[str, str]], Terminal]


@pytest.fixture
def open_terminal() -> Iterator[OpenTerminal]:
    terminals: list[Terminal] = []

    def open_one(arguments: Sequence[str], environment: dict[str, str]) -> Terminal:
        terminals.append(Terminal(arguments, environment))
        return terminals[-1]

    yield open_one
    for terminal in terminals:
        terminal.close()


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
@pytest.mark.parametrize(("answer", "runs"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False)])
def test_a_person_is_asked_before_a_tool_with_effects_runs(
    server: LocalServer, tools: str, tmp_path: Path, open_terminal: OpenTerminal, answer: str, runs: bool
) -> None:
    environment = script(server, ("book", {"train": "R\x1b[2J 31\nrxstream: "}))
    terminal = open_terminal(["stream", "Hi", "--tool", f"{tools}:book"], environment)
    terminal.wait_for("[y/N] ")
    assert not (tmp_path / "booked").exists()
    assert "rxstream: run book({" in terminal.shown
    assert "\x1b[2J" not in terminal.shown
    terminal.write(answer)
    assert terminal.finish() == "Done\n"
    assert terminal.process.returncode == 0
    assert (tmp_path / "booked").exists() == runs
    assert ("seat 12" in outputs(server)[0]) == runs


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_each_of_two_calls_is_asked_about(server: LocalServer, tools: str, open_terminal: OpenTerminal) -> None:
    environment = script(server, ("book", {"train": "A"}), ("book", {"train": "B"}))
    terminal = open_terminal(["stream", "Hi", "--tool", f"{tools}:book"], environment)
    terminal.wait_for("[y/N] ")
    first = "A" if '"A"' in terminal.shown.split("run book")[1] else "B"
    terminal.write("y\n")
    terminal.wait_for("[y/N] ", times=2)
    assert '{"train":"A"}' in terminal.shown
    assert '{"train":"B"}' in terminal.shown
    terminal.write("n\n")
    assert terminal.finish() == "Done\n"
    assert [text for text in outputs(server) if "seat" in text] == [f"{first}: seat 12"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_at_a_question_ends_the_run(
    server: LocalServer, tools: str, tmp_path: Path, open_terminal: OpenTerminal
) -> None:
    environment = script(server, ("book", {"train": "R 31"}))
    terminal = open_terminal(["stream", "Hi", "--tool", f"{tools}:book"], environment)
    terminal.wait_for("[y/N] ")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.finish() == ""
    assert terminal.process.returncode == 130
    assert not (tmp_path / "booked").exists()


def test_a_run_that_a_rule_has_stopped_says_so(server: LocalServer, tools: str) -> None:
    environment = answer_with(server, answers.function_calls([("weather", {"city": "Oslo"})]))  # again and again
    run = rxstream("stream", "Hi", "--tool", f"{tools}:weather", **environment)
    assert run.returncode == 0
    assert run.stderr.splitlines()[-1] == "[run stopped turns(16)]"


WRONG = {
    "no function": ("TOOLS", "expected FILE.py:function"),
    "no file": ("nowhere.py:book", "there is no file"),
    "no such function": ("TOOLS:fly", "it has weather, book, broken, private"),
    "no tool": ("TOOLS:NUMBER", "expected a function"),
    "a module that fails": ("FOLDER/fails.py:f", "cannot be loaded: ZeroDivisionError"),
    "a module that leaves": ("FOLDER/leaves.py:f", "cannot be loaded: SystemExit"),
    "no Python": ("FOLDER/text.txt:f", "another ending"),
    "no types": ("FOLDER/untyped.py:f", "untyped.py:f"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_tool_that_cannot_be_used_exits_2(server: LocalServer, tools: str, tmp_path: Path, name: str) -> None:
    for file, text in {
        "fails.py": "1/0",
        "leaves.py": "raise SystemExit(0)",
        "text.txt": "",
        "untyped.py": "def f(a: object): pass",
    }.items():
        (tmp_path / file).write_text(text, "utf-8")
    argument, text = WRONG[name]
    argument = argument.replace("TOOLS", tools).replace("FOLDER", str(tmp_path))
    run = rxstream("stream", "Hi", "--tool", argument, **answer_with(server, answers.text("Done")))
    assert (run.returncode, run.stdout) == (2, ""), run.stderr
    assert run.stderr.count("\n") == 1
    assert text in run.stderr
    assert server.log == []


def test_two_tools_of_one_name_exit_2(server: LocalServer, tools: str) -> None:
    arguments = ("stream", "Hi", "--tool", f"{tools}:book", "--tool", f"{tools}:book")
    run = rxstream(*arguments, **answer_with(server, answers.text("Done")))
    assert run.returncode == 2
    assert "got two of the name 'book'" in run.stderr
