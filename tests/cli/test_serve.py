"""`rxstream serve`: its arguments, the file of `--moderate`, and its end."""

from __future__ import annotations

import signal
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import openai
import pytest

from rxstream.cli import _arguments, main
from rxstream.testing import LocalServer, answers
from tests.gateway._processes import serve_processes
from tests.gateway._serving import client_of, text_of
from tests.waiting import BOUND

URL = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--upstream", "nonsense"], "the base URL must have http:// or https://"),
        (["--upstream", URL, "--key-env", "RXSTREAM_NO_SUCH"], "RXSTREAM_NO_SUCH is empty or is not set"),
        (["--upstream", URL, "--key-env", "SET", "--host", "0.0.0.0"], "others would use the key of the gateway"),
        (["--upstream", URL, "--inspect", "--host", "0.0.0.0"], "--inspect: expected a loopback address"),
        (["--upstream", URL, "--timeout", "nonsense=3"], "expected the limits connect, idle"),
        (["--upstream", URL, "--relay", "http://x"], "--relay: expected memory"),
        (["--upstream", URL, "--body-bytes", "0"], "expected 1 or more as body_bytes"),
        (["--upstream", URL, "--fallback", URL, "--fallback-key-env", "SET"], "expected authorize="),
        (["--upstream", URL, "--moderate", "no_such.py"], "there is no file 'no_such.py'"),
    ],
)
def test_arguments_that_cannot_be_used(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SET", "sk-secret-of-the-gateway")
    assert main(["serve", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "sk-secret" not in said


@pytest.mark.parametrize("port", ["-1", "65536", "70000", "x", "８０"])
def test_a_port_that_is_none(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["serve", "--upstream", URL, "--port", port])
    assert exit.value.code == 2
    assert f"expected a port from 0 to 65535, got '{port}'" in capsys.readouterr().err


def test_a_port_that_is_taken_is_one_line_and_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--upstream", URL, "--port", str(port)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"rxstream: cannot listen on 127.0.0.1, port {port}: Address already in use: name")
    assert said.count("\n") == 1


@pytest.mark.parametrize("missing", [["uvicorn"], ["starlette", "uvicorn"]])
def test_without_its_packages_it_says_what_to_install(
    missing: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_spec
    monkeypatch.setattr(_arguments, "find_spec", lambda name: None if name in missing else found(name))
    assert main(["serve", "--upstream", URL]) == 2
    expected = f"serve needs {' and '.join(missing)}, not installed here: pip install 'rxstream[serve]'"
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "has none of them"),
        ("checks = operators = [print]", "has both"),
        ("checks = 3", "check"),
        ("operators = []", "expected an operator, or a list of them"),
        ("operators = ['a']", "expected an operator, or a list of them"),
        ("import no_such_module", "cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_files_of_moderation_that_cannot_be_used(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.py"
    file.write_text(text)
    assert main(["serve", "--upstream", URL, "--moderate", str(file)]) == 2
    assert words in capsys.readouterr().err


CHECKS = "from rxstream.moderation import Blocklist\nchecks = [Blocklist(['bad'])]\n"
OPERATORS = (
    "from rxstream import operators as rxs\nfrom rxstream.moderation import Blocklist\n"
    "operators = rxs.debounce_moderation(Blocklist(['bad']), on_flag='replace')\n"
)


@pytest.mark.parametrize(("rules", "shown"), [(CHECKS, ""), (OPERATORS, "It is [removed].")])
def test_it_moderates_and_ends_at_a_signal(rules: str, shown: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.py"
    file.write_text(rules)
    with LocalServer([answers.text("It is bad.")]) as server, serve_processes() as start:
        process = start("--upstream", server.base_url, "--moderate", str(file), "--shutdown-seconds", "0.1")
        with client_of(process.base_url) as client:
            with client.responses.create(model="m", input="Hi", stream=True) as stream:
                assert text_of(stream) == shown
            assert client.responses.create(model="m", input="Hi").output_text == shown
            server.say(answers.text("It is good.").ends("hang", after=3))
            with client.responses.create(model="m", input="Hi", stream=True) as stream:
                events = iter(stream)
                first: Any = next(events)
                process.process.send_signal(signal.SIGTERM)
                *_, last = events
        assert first.type == "response.created"
        assert (last.type, last.code) == ("error", "DisconnectedError")
        process.process.wait(BOUND)


def test_tokens_and_a_held_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELD_KEY", "sk-secret-of-the-gateway")
    monkeypatch.setenv("CALLERS", "sk-ann, sk-bob")
    with LocalServer([answers.text("Hi.")], api_key="sk-secret-of-the-gateway") as server, serve_processes() as start:
        process = start("--upstream", server.base_url, "--key-env", "HELD_KEY", "--tokens-env", "CALLERS")
        for key in ("sk-ann", "sk-bob"):
            with client_of(process.base_url, key) as client:
                assert client.responses.create(model="m", input="Hi").output_text == "Hi."
        with client_of(process.base_url, "sk-eve") as client, pytest.raises(openai.AuthenticationError):
            client.responses.create(model="m", input="Hi")
