"""What `rxstream stream` and `rxstream record` send: their options, and the errors of those that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rxstream.testing import LocalServer, answers
from tests.cli.test_cli import answer_with, rxstream

SECRET = "sk-header-9876543210"
SCHEMA = {"title": "A city", "type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}}


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer([answers.text("Hello")]) as server:
        yield server


def sent(server: LocalServer, *arguments: str, stdin: str = "") -> Any:
    """The body of the request."""
    run = rxstream(*arguments, stdin=stdin, **answer_with(server, answers.text("Hello")))
    assert run.returncode == 0, run.stderr
    return server.log[-1].json


def test_instructions_and_a_body_are_fields_of_the_request(server: LocalServer) -> None:
    body = {"model": "b", "temperature": 0.5, "new_field": [1], "input": "old", "extra_headers": "a field too"}
    expected = body | {"input": "Hi", "instructions": "Be short.", "stream": True}
    arguments = ("Hi", "--instructions", "Be short.", "--body", json.dumps(body))
    assert sent(server, "stream", *arguments) == expected
    assert sent(server, "stream", *arguments, "--model", "m") == expected | {"model": "m"}


def test_record_takes_the_same_options(server: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text('{"input": [{"role": "user", "content": "Hi"}]}', "utf-8")
    arguments = ("record", str(tmp_path / "a.tape"), "--body", f"@{tmp_path / 'body.json'}", "--instructions", "Short.")
    assert sent(server, *arguments) == {
        "model": "gpt-4o-mini",
        "input": [{"role": "user", "content": "Hi"}],
        "instructions": "Short.",
        "stream": True,
    }


def test_a_pipe_is_the_prompt_where_no_other_is_given(server: LocalServer) -> None:
    assert sent(server, "stream", stdin="From a pipe")["input"] == "From a pipe"
    assert sent(server, "stream", "Named", stdin="From a pipe")["input"] == "Named"
    assert sent(server, "stream", "--body", '{"input": "Of the body"}', stdin="From a pipe")["input"] == "Of the body"
    assert sent(server, "stream", "-", "--body", '{"input": "Of the body"}', stdin="A pipe")["input"] == "A pipe"


def test_headers_are_sent_and_never_printed(server: LocalServer, tmp_path: Path) -> None:
    headers = ("--header", f"X-Api-Token: {SECRET}", "--header", "x-team:blue", "--header", "X-Team:red")
    tape = tmp_path / "a.tape"
    echo = answers.text(f"Your token is {SECRET}")
    run = rxstream("stream", "Hi", "--save", str(tape), *headers, **answer_with(server, echo))
    assert run.returncode == 0, run.stderr
    assert server.log[-1].headers["x-api-token"] == SECRET
    assert server.log[-1].headers["x-team"] == "red"
    assert SECRET not in tape.read_text("utf-8")
    failed = answers.http_error(400, message=f"bad token {SECRET}")
    run = rxstream("stream", "Hi", *headers, **answer_with(server, failed))
    assert run.returncode == 1
    assert SECRET not in run.stdout + run.stderr


def test_an_authorization_header_needs_no_key(server: LocalServer) -> None:
    server.say(answers.text("Hello"))
    run = rxstream("stream", "Hi", "--header", f"Authorization: Bearer {SECRET}", OPENAI_BASE_URL=server.base_url)
    assert run.returncode == 0, run.stderr
    assert server.log[-1].headers["authorization"] == f"Bearer {SECRET}"


def test_a_schema_is_made_strict_and_the_answer_is_printed_as_it_grows(server: LocalServer, tmp_path: Path) -> None:
    path = tmp_path / "city.schema.json"
    path.write_text(json.dumps(SCHEMA), "utf-8")
    body = ("--body", '{"text": {"verbosity": "low"}}')
    answer = answers.text('{"name":"Oslo","size":7}')
    run = rxstream("stream", "Hi", "--schema", str(path), *body, **answer_with(server, answer))
    assert (run.returncode, run.stdout, run.stderr) == (0, '{"name":"Oslo","size":7}\n', "")
    text = server.log[-1].json["text"]
    assert text["verbosity"] == "low"
    assert {name: text["format"][name] for name in ("type", "name", "strict")} == {
        "type": "json_schema",
        "name": "A_city",
        "strict": True,
    }
    assert text["format"]["schema"]["required"] == ["name", "size"]
    assert text["format"]["schema"]["additionalProperties"] is False


def test_a_format_of_the_api_is_sent_as_it_is(server: LocalServer, tmp_path: Path) -> None:
    path = tmp_path / "city.schema.json"
    path.write_text(json.dumps({"schema": SCHEMA, "strict": False}), "utf-8")
    text = sent(server, "stream", "Hi", "--schema", str(path))["text"]
    assert text == {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA, "strict": False}}


def test_a_whole_answer_is_indented_json(server: LocalServer) -> None:
    run = rxstream("stream", "Hi", "--whole", **answer_with(server, answers.text('{"name":"Malmö","size":[7]}')))
    expected = '{\n  "name": "Malmö",\n  "size": [\n    7\n  ]\n}\n'
    assert (run.returncode, run.stdout, run.stderr) == (0, expected, "")


@pytest.mark.parametrize(
    "answer", [answers.text("no JSON"), answers.incomplete('{"a": 1', "max_output_tokens")], ids=["text", "cut"]
)
def test_a_whole_answer_that_is_not_json_prints_nothing(server: LocalServer, answer: answers.Answer) -> None:
    run = rxstream("stream", "Hi", "--whole", **answer_with(server, answer))
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.splitlines()[-1].startswith("rxstream: ")


WRONG = {
    "no prompt": ([], "expected a prompt"),
    "body is not JSON": (["Hi", "--body", "{oops"], "--body: expected JSON"),
    "body has NaN": (["Hi", "--body", '{"temperature": NaN}'], "NaN, which JSON does not have"),
    "body is a list": (["Hi", "--body", "[1]"], "expected a JSON object, got a list"),
    "body does not stream": (["Hi", "--body", '{"stream": false}'], "rxstream always streams"),
    "file of the body": (["Hi", "--body", "@FOLDER/list.json"], "expected a JSON object, got a list"),
    "file is not UTF-8": (["Hi", "--body", "@FOLDER/bytes.json"], "expected JSON in UTF-8"),
    "text is not an object": (["Hi", "--body", '{"text": 1}', "--schema", "FOLDER/any.json"], "object in text"),
    "schema cannot be strict": (["Hi", "--schema", "FOLDER/any.json"], '"strict": false'),
    "schema of a format": (["Hi", "--schema", "FOLDER/format.json"], "expected an object in schema"),
    "header without a colon": (["Hi", "--header", SECRET], "expected NAME:VALUE"),
    "header in two words": (["Hi", "--header", "X-Key:", SECRET], "expected NAME:VALUE"),
    "header's name": (["Hi", "--header", f"X Key: {SECRET}"], "a header's name"),
    "header's value": (["Hi", "--header", f"X-Key: {SECRET}\n"[:-1] + "\x01"], "printable ASCII"),
}


@pytest.mark.parametrize("command", ["stream", "record"])
@pytest.mark.parametrize("name", WRONG)
def test_an_argument_that_cannot_be_used_exits_2_and_sends_nothing(
    server: LocalServer, tmp_path: Path, command: str, name: str
) -> None:
    (tmp_path / "list.json").write_text("[1]", "utf-8")
    (tmp_path / "any.json").write_text('{"type": "object", "additionalProperties": true}', "utf-8")
    (tmp_path / "format.json").write_text('{"type": "json_schema", "schema": 1}', "utf-8")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe{}")
    arguments, text = WRONG[name]
    words = [word.replace("FOLDER", str(tmp_path)) for word in arguments]
    tape = [str(tmp_path / "a.tape")] if command == "record" else []
    run = rxstream(command, *tape, *words, **answer_with(server, answers.text("Hello")))
    assert run.returncode == 2, run.stderr
    assert text in " ".join(run.stderr.split())
    assert SECRET not in run.stdout + run.stderr
    assert server.log == []


def test_a_file_that_is_missing_is_one_line(server: LocalServer) -> None:
    for arguments in (["--schema", "nowhere.json"], ["--body", "@nowhere.json"]):
        run = rxstream("stream", "Hi", *arguments, **answer_with(server, answers.text("Hello")))
        assert (run.returncode, run.stderr) == (1, "rxstream: nowhere.json: No such file or directory\n")
