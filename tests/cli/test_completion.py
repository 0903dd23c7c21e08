"""`rxstream completion`: the scripts complete what the command takes, in the shells themselves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_cli import rxstream
from tests.waiting import BOUND

COMMANDS = {"demo", "stream", "record", "replay", "inspect", "serve", "completion"}


def script(shell: str) -> str:
    run = rxstream("completion", shell)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def shell(name: str, text: str) -> list[str]:
    """The lines that a shell prints for a script; skips where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    without_files = ["--norc"] if name == "bash" else ["-f"] if name == "zsh" else ["--no-config"]
    run = subprocess.run([path, *without_files, "-c", text], capture_output=True, text=True, timeout=BOUND, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout.splitlines()


def bash(*words: str) -> set[str]:
    """What bash offers for the last word."""
    line = " ".join(f"'{word}'" for word in words)
    call = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _rxstream; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    return {*shell("bash", script("bash") + call)} - {""}


def test_bash() -> None:
    assert bash("rxstream", "") == COMMANDS | {"-h", "--help", "--version"}
    assert bash("rxstream", "re") == {"record", "replay"}
    assert bash("rxstream", "stream", "--s") == {"--save", "--schema"}
    assert bash("rxstream", "record", "--s") == {"--schema"}
    assert bash("rxstream", "stream", "--schema", "--s") == set()  # a file
    assert bash("rxstream", "replay", "") == set()  # a file
    assert bash("rxstream", "completion", "") >= {"bash", "zsh", "fish"}
    assert bash("rxstream", "nonsense", "") == set()


def test_fish(tmp_path: Path) -> None:
    path = tmp_path / "rxstream.fish"
    path.write_text(script("fish"), "utf-8")

    def fish(line: str) -> set[str]:
        return {offer.split("\t")[0] for offer in shell("fish", f"source {path}; complete -C '{line}'")}

    assert fish("rxstream re") == {"record", "replay"}
    assert fish("rxstream stream --s") == {"--save", "--schema"}
    assert {"bash", "zsh", "fish"} <= fish("rxstream completion ")


def test_zsh() -> None:
    text = script("zsh")
    # the functions of its completion, which print what they get
    fakes = """
compdef() { print -r -- "compdef $@" }
_describe() { print -rl -- $commands }
_arguments() { print -rl -- "$@" }
compadd() { }
"""
    first = shell("zsh", f"{fakes}{text}\nwords=(rxstream re); CURRENT=2; _rxstream")
    assert first[0] == "compdef _rxstream rxstream"
    assert {line.split(":")[0] for line in first[1:]} == COMMANDS
    second = shell("zsh", f"{fakes}{text}\nwords=(rxstream stream --s); CURRENT=3; _rxstream")
    assert any(line.startswith("*--schema[") and line.endswith(":value:_files") for line in second)
    assert any(line.startswith("*--whole[") and line.endswith("]") for line in second)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_every_command_and_option_is_in_each_script(name: str) -> None:
    text = script(name)
    options = rxstream("stream", "--help").stdout
    for word in COMMANDS | {word.strip("[],") for word in options.split() if word.startswith("[--")}:
        assert word.removeprefix("--") in text


def test_a_shell_that_is_not_known_exits_2() -> None:
    run = rxstream("completion", "cmd")
    assert run.returncode == 2
    assert "bash" in run.stderr
