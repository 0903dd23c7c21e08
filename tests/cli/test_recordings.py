"""Recordings of other programs: HAR files, and cassettes of vcr."""

from __future__ import annotations

import base64
import gzip
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rxstream.testing import answers
from tests.cli.test_cli import rxstream

STREAMS = [b"".join(answers.text(text).all_frames()) for text in ("First", "Second")]
SSE = "text/event-stream; charset=utf-8"


def har(path: Path, *contents: dict[str, Any]) -> str:
    entries = [{"response": {"content": {"mimeType": SSE} | content}} for content in contents]
    path.write_text(json.dumps({"log": {"entries": entries}}), "utf-8")
    return str(path)


def test_the_streams_of_a_har_file(tmp_path: Path) -> None:
    file = har(
        tmp_path / "a.har",
        {"text": STREAMS[0].decode()},
        {"mimeType": "application/json", "text": "{}"},
        {"text": base64.b64encode(STREAMS[1]).decode(), "encoding": "base64"},
    )
    assert rxstream("replay", file).stdout == "First\nSecond\n"
    tapes = json.loads(rxstream("inspect", "--json", file).stdout)["tapes"]
    assert [response["text"] for tape in tapes for response in tape["responses"]] == ["First", "Second"]
    assert [tape["name"] for tape in tapes] == [f"{file} (1)", f"{file} (2)"]
    assert not tapes[0]["has_times"]
    assert rxstream("inspect", "--compare", file).returncode == 0


def test_the_streams_of_a_cassette(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    headers = {"Content-Type": [SSE]}
    responses = [
        {"headers": headers, "body": {"string": STREAMS[0].decode()}},
        {"headers": {"content-type": ["application/json"]}, "body": {"string": "{}"}},
        {"headers": headers | {"Content-Encoding": ["gzip"]}, "body": {"string": gzip.compress(STREAMS[1])}},
    ]
    cassette = tmp_path / "a.yaml"
    cassette.write_text(yaml.safe_dump({"interactions": [{"response": each} for each in responses]}), "utf-8")
    assert rxstream("replay", str(cassette)).stdout == "First\nSecond\n"
    assert rxstream("inspect", str(cassette)).returncode == 0


def test_a_cassette_without_pyyaml_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "a.yml").write_text("interactions: []", "utf-8")
    run = rxstream("replay", str(tmp_path / "a.yml"))
    assert run.returncode == 1
    assert "pip install pyyaml" in run.stderr


@pytest.mark.parametrize("command", ["replay", "inspect"])
@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"log": {"entries": []}}', '{"log": {"entries": [1]}}', "[" * 100_000],
)
def test_a_har_file_of_another_form_is_one_clear_line(tmp_path: Path, command: str, content: str) -> None:
    (tmp_path / "a.har").write_text(content, "utf-8")
    run = rxstream(command, str(tmp_path / "a.har"))
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "a.har: expected " in run.stderr


def test_base64_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    run = rxstream("replay", har(tmp_path / "a.har", {"text": "a", "encoding": "base64"}))
    assert run.returncode == 1
    assert "expected a HAR file" in run.stderr
    assert "base64" in run.stderr


def test_a_cassette_of_another_form_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # what PyYAML reads; the file itself does not matter
    def safe_load(_: bytes) -> Any:
        return {"interactions": [{"response": {"headers": {"content-type": []}}}]}

    monkeypatch.setitem(sys.modules, "yaml", SimpleNamespace(safe_load=safe_load, YAMLError=KeyError))
    (tmp_path / "a.yaml").write_text("", "utf-8")
    run = rxstream("replay", str(tmp_path / "a.yaml"))
    assert run.returncode == 1
    assert "expected a response of the type text/event-stream" in run.stderr


def test_a_missing_file_is_one_line() -> None:
    assert rxstream("replay", "nowhere.har").stderr == "rxstream: nowhere.har: No such file or directory\n"
