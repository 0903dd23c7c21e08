"""The command: its output and exit code, in this process, and in a process of its own with real pipes and signals."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from rxstream.cli import main
from rxstream.testing import LocalServer, answers
from tests.waiting import BOUND


def rxstream(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, which has imported its modules."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in list(os.environ):
            if name.startswith("OPENAI_"):
                patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        try:
            code: object = main(arguments)
        except SystemExit as exit:
            code = exit.code
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())  # type: ignore[arg-type]


def rxstream_process(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, for at most a minute."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    return subprocess.run(
        [sys.executable, "-m", "rxstream.cli", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env=kept | environment,
        check=False,
    )


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer([answers.text("Hello there")]) as server:
        yield server


def answer_with(server: LocalServer, answer: object) -> dict[str, str]:
    server.say(answer)  # type: ignore[arg-type]
    return {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-canary-0123456789"}


def test_demo() -> None:
    run = rxstream_process("demo", "--pace", "400")
    assert run.returncode == 0, run.stderr
    assert run.stdout.lower().count("double bubble bath") == 11
    assert '#0  get_weather({"city":"Paris","unit":"celsius"})' in run.stdout
    assert '#1  get_time({"zone":"Europe/Paris"})' in run.stdout
    *_, summary = run.stdout.splitlines()
    assert "57 events · first text after" in summary
    assert "199 characters" in summary
    assert run.stderr == ""


def test_the_moderated_demo_shows_windows_and_a_cut_and_never_the_secret() -> None:
    run = rxstream("demo", "--moderated")
    assert run.returncode == 0, run.stderr
    assert "48-15-16" not in run.stdout + run.stderr
    released = [line.split("│", 1)[1] for line in run.stdout.splitlines() if " s │" in line]
    assert len(released) >= 2
    assert "".join(released[:-1]).startswith("The vault was built in 1902")
    assert released[-1].startswith(" [cut: secret; ")
    assert run.stdout.splitlines()[-1].endswith("the client closed the stream at the cut.")


def test_the_demo_of_tools_shows_parallel_calls_one_that_fails_and_one_that_is_approved() -> None:
    run = rxstream_process("demo", "--tools", "--pace", "400")
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    lines = [line.split("│ ")[1].strip() for line in run.stdout.splitlines() if " s │ " in line]
    assert [line for line in lines if line.startswith("turn")] == ["turn 1", "turn 2", "turn 3"]
    first = lines[1 : lines.index("turn 2")]
    assert sorted(line.split("(")[0] for line in first[:3]) == ["find_hotels", "find_trains", "get_weather"]
    assert all(line.endswith("started") for line in first[:3])
    assert "find_hotels failed, and the model is told: Error: ConnectionError: the hotel service is closed" in first
    assert sum("finished after" in line for line in first) == 2
    booking = lines[lines.index("turn 2") + 1 : lines.index("turn 3")]
    assert [line.split(" ")[-1] for line in booking[:2]] == ["approval", "started"]
    assert booking[2].startswith("book_train finished after")
    assert "Your seat on the R 31 on Saturday is booked" in run.stdout
    assert lines[-1].startswith("the run ended with an answer after 3 turns and ")
    assert rxstream("demo", "--tools", "--moderated").returncode == 2


def test_stream_prints_the_text(server: LocalServer) -> None:
    run = rxstream("stream", "Hi", "--model", "m", **answer_with(server, answers.text("Hello there")))
    assert (run.returncode, run.stdout, run.stderr) == (0, "Hello there\n", "")
    assert server.log[0].json == {"model": "m", "input": "Hi", "stream": True}


def test_stream_reads_the_prompt_from_a_pipe(server: LocalServer) -> None:
    assert (
        rxstream_process("stream", "-", stdin="A question", **answer_with(server, answers.text("Hi"))).returncode == 0
    )
    assert server.log[0].json["input"] == "A question"


def test_stream_shows_function_calls_on_lines_of_their_own(server: LocalServer) -> None:
    run = rxstream("stream", "Hi", **answer_with(server, answers.function_calls([("get_weather", {"city": "Paris"})])))
    assert run.stdout == 'get_weather({"city":"Paris"})\n'


def test_stream_as_json(server: LocalServer) -> None:
    run = rxstream("stream", "Hi", "--json", **answer_with(server, answers.text("Hi")))
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert lines[0]["type"] == "response.created"
    assert lines[-1]["type"] == "response.completed"
    assert [line["sequence_number"] for line in lines] == list(range(len(lines)))


def test_an_answer_that_was_cut_short_has_a_line_on_stderr(server: LocalServer) -> None:
    run = rxstream("stream", "Hi", **answer_with(server, answers.incomplete("Hello the", "max_output_tokens")))
    assert (run.returncode, run.stdout) == (0, "Hello the\n")
    assert run.stderr == "rxstream: the answer was cut short (max_output_tokens)\n"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (answers.http_error(401, message="Incorrect API key provided."), "OPENAI_API_KEY"),
        (answers.http_error(404, message="The model does not exist."), "The model does not exist"),
        (answers.failed("server_error", "It broke."), "It broke."),
    ],
    ids=["401", "404", "failed"],
)
def test_errors_are_one_clear_line(server: LocalServer, answer: answers.Answer, text: str) -> None:
    run = rxstream("stream", "Hi", **answer_with(server, answer))
    assert run.returncode == 1
    assert run.stderr.startswith("rxstream: ")
    assert run.stderr.count("\n") == 1
    assert text in run.stderr
    assert "sk-canary" not in run.stderr + run.stdout


def test_without_a_key_the_error_names_the_variable() -> None:
    run = rxstream_process("stream", "Hi")
    assert run.returncode == 1
    assert "OPENAI_API_KEY" in run.stderr


def test_inspect_says_that_a_response_was_cut_short(tmp_path: Path) -> None:
    tape = tmp_path / "tape.sse"
    tape.write_bytes(b"".join(answers.incomplete("Hel", "max_output_tokens").all_frames()))
    inspection = rxstream("inspect", str(tape))
    assert inspection.returncode == 0
    assert inspection.stdout.splitlines()[-1].endswith("events; incomplete (max_output_tokens)")


def test_save_and_replay_and_inspect(server: LocalServer, tmp_path: Path) -> None:
    tape = tmp_path / "answer.jsonl"
    run = rxstream("stream", "Hi", "--save", str(tape), **answer_with(server, answers.text("Hello there")))
    assert run.stdout == "Hello there\n"
    assert "sk-canary" not in tape.read_text("utf-8")
    assert rxstream("replay", str(tape)).stdout == "Hello there\n"
    assert rxstream("replay", str(tape), "--speed", "100").stdout == "Hello there\n"
    assert rxstream("replay", "-", stdin=tape.read_text("utf-8")).stdout == "Hello there\n"
    inspection = rxstream("inspect", str(tape))
    assert inspection.returncode == 0
    assert inspection.stdout.splitlines()[-1].endswith("events; completed")


def test_record(server: LocalServer, tmp_path: Path) -> None:
    tape = tmp_path / "answer.jsonl"
    run = rxstream("record", str(tape), "Hi", **answer_with(server, answers.text("Hello there")))
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith(f"{tape}: 10 events · first text after ")
    assert rxstream("replay", str(tape)).stdout == "Hello there\n"


def test_replay_of_an_sse_file_from_a_pipe() -> None:
    run = rxstream_process("replay", "-", stdin=b"".join(answers.text("Hi").all_frames()).decode())
    assert (run.returncode, run.stdout) == (0, "Hi\n")


@pytest.mark.parametrize("content", ["", "hello\n", "{}", "\x00\xff"])
def test_a_file_that_is_not_a_tape_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.sse"
    path.write_text(content, "utf-8")
    run = rxstream("replay", str(path))
    assert run.returncode == 1
    assert run.stderr.startswith("rxstream: ")
    assert run.stderr.count("\n") == 1


def test_a_file_that_does_not_exist() -> None:
    assert rxstream("replay", "nowhere.sse").stderr == "rxstream: nowhere.sse: No such file or directory\n"


def test_wrong_arguments_exit_2() -> None:
    assert rxstream("nonsense").returncode == 2
    assert rxstream("replay").returncode == 2
    assert rxstream("demo", "--pace", "0").returncode == 2


def test_without_a_command_it_shows_what_to_try_first() -> None:
    run = rxstream(OPENAI_API_KEY="sk-canary-0123456789")
    assert (run.returncode, run.stderr) == (0, "")
    assert "rxstream demo " in run.stdout
    assert "OPENAI_API_KEY is set" in run.stdout
    assert "sk-canary" not in run.stdout
    assert "OPENAI_API_KEY is not set" in rxstream().stdout


def test_ctrl_c_closes_the_connection_and_exits_130(server: LocalServer) -> None:
    environment = answer_with(server, answers.hang(answers.text(["Hello", " there"]), after=5))
    run = subprocess.Popen(
        [sys.executable, "-m", "rxstream.cli", "stream", "Hi"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    assert run.stdout is not None
    assert run.stdout.read(5) == "Hello"
    run.send_signal(signal.SIGINT)
    _, stderr = run.communicate(timeout=60)
    assert run.returncode == 130
    assert stderr == "\n"
    assert server.wait_closed(1, BOUND)[0].closed_by_client


def test_a_reader_that_closes_the_pipe_is_not_an_error(server: LocalServer) -> None:
    environment = answer_with(server, answers.text(["word "] * 20_000))
    run = subprocess.Popen(
        [sys.executable, "-m", "rxstream.cli", "stream", "Hi"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
    )
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.read(5)
    run.stdout.close()
    assert run.stderr.read() == b""
    run.stderr.close()
    assert run.wait(60) == 141
