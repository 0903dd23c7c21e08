"""`rxstream inspect`: tapes, operators, comparisons, JSON, colors."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rxstream.cli import main
from rxstream.errors import DisconnectedError
from tests.timeline._streams import STREAM, delta, response, write_tape

EVIL = "\x1b]52;c;aGk=\x07\x1b[2J\x9b31m\x7f\r\u202e"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def tape(tmp_path: Path) -> str:
    return str(write_tape(tmp_path / "a.tape", STREAM))


def inspect_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    main(["inspect", *arguments, "--json"])
    return json.loads(capsys.readouterr().out)


def on_terminal(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for name in ("NO_COLOR", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    main(["inspect", *arguments])
    return out.getvalue()


def test_json_has_what_the_reference_documents(tape: str, capsys: pytest.CaptureFixture[str]) -> None:
    got = inspect_json(capsys, tape, "--through", "text_only")
    assert got["rxstream_inspect"] == 1
    (inspection,) = got["tapes"]
    assert set(inspection) == {"name", "has_times", "counts", "unknown", "responses"}
    (only,) = inspection["responses"]
    assert (only["outcome"], only["first_text"], only["text"]) == ("completed", 1.0, "It is cold, very cold.")
    assert only["silences"] == [{"start": 1.1, "end": 4.1, "stall": True}]
    assert only["usage"]["output_tokens"] == 7
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md").read_text("utf-8")
    documented = set(re.findall(r"`(\w+)`", page.partition("### The fields of the JSON")[2].partition("\n## ")[0]))
    fields = {*got, "differences", *inspection, *only, *only["gaps"], *only["silences"][0]}
    fields |= {name for lane in only["lanes"] for name in lane} | set(only["lanes"][-1]["values"][0])
    assert fields <= documented, "a field is not documented"


def test_an_operator_has_a_lane_of_its_values_in_virtual_time(tape: str, capsys: pytest.CaptureFixture[str]) -> None:
    got = inspect_json(capsys, tape, "--through", "text_only", "--through", "debounce_moderation:hold | text_only")
    only, held = got["tapes"][0]["responses"][0]["lanes"][-2:]
    assert only["title"] == "text_only"
    assert [(value["at"], value["kind"], value["text"]) for value in only["values"]] == [
        (1.0, "value", "It is"),
        (1.1, "value", "cold,"),
        (4.1, "value", "very cold."),
        (4.3, "end", ""),
    ]
    first = held["values"][0]
    assert first["at"] > 1.1
    assert first["text"].startswith("It is")


@pytest.mark.parametrize(
    ("through", "part"),
    [
        ("nonsense", "expected NAME or NAME:ARGUMENTS"),
        ("run_tools", "missing a required argument: 'tools'"),
        ("text_only:3", "text_only:3: too many positional arguments"),
        ("coalesce:-1", "coalesce:-1: "),
        ("words:__import__('os')", "literals of Python"),
        ("", "expected NAME or NAME:ARGUMENTS"),
    ],
)
def test_what_is_no_operator_is_said_so(tape: str, through: str, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", tape, "--through", through]) == 2
    assert part in capsys.readouterr().err


@pytest.mark.parametrize(
    ("through", "text"),
    [
        ("coalesce:0.05", "created"),
        ("debounce_moderation:bounded,block='very'", "rxstream.moderation.flagged"),
        ("of_type:ResponseCreatedEvent", "created"),
        ("accumulate_function_args", 'get_weather({"city":"Oslo"})'),
    ],
)
def test_operators_take_arguments(tape: str, through: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    lane = inspect_json(capsys, tape, "--through", through)["tapes"][0]["responses"][0]["lanes"][-1]
    assert text in [value["text"] for value in lane["values"]]


def test_an_operator_gets_the_error_of_the_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tape = write_tape(tmp_path / "a.tape", STREAM[:7], error=DisconnectedError("reset by peer"))
    only = inspect_json(capsys, str(tape), "--through", "text_only")["tapes"][0]["responses"][0]
    assert only["lanes"][-1]["values"][-1]["text"] == "DisconnectedError: reset by peer"
    assert (only["outcome"], only["error"], only["reason"]) == ("cut", "DisconnectedError", "reset by peer")


def test_several_tapes_follow_each_other(
    tape: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # a long path is cut to the width
    assert main(["inspect", tape, tape]) == 0
    assert capsys.readouterr().out.count(f"{tape} · tiny") == 2


def test_two_tapes_are_compared(tape: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_tape(
        tmp_path / "b.tape", [(0.1, response("created")), (0.2, delta("Hi")), (9.0, response("completed"))]
    )
    assert main(["inspect", "--compare", tape, str(other)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^first event +400 ms +100 ms +−300 ms, × 0\.25$", out, flags=re.MULTILINE)
    rows = inspect_json(capsys, "--compare", tape, str(other))["differences"]
    assert {"what": "ending", "first": "completed", "second": "completed", "change": ""} in rows
    assert main(["inspect", "--compare", tape]) == 2
    assert "--compare expects two tapes, got 1" in capsys.readouterr().err


def test_a_tape_that_its_reader_left_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(write_tape(tmp_path / "a.tape", STREAM[:7], left=True))]) == 0
    assert "disposed (the reader stopped here)" in capsys.readouterr().out


def test_a_damaged_line_ends_the_picture_and_loses_nothing_before_it(
    tape: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Path(tape).read_text("utf-8").splitlines(keepends=True)
    Path(tape).write_text("".join([*lines[:6], "damaged\n", *lines[6:]]), "utf-8")
    assert main(["inspect", tape]) == 1
    out, err = capsys.readouterr()
    assert "      5  events; ProtocolError" in out
    assert "6 events (1 added to repair the dialect)" in out
    assert "line 7" in err


def test_a_plain_file_without_times_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.sse"
    file.write_text("".join(f"data: {json.dumps(event)}\n\n" for _, event in STREAM), "utf-8")
    main(["inspect", str(file)])
    assert "The file has no times" in capsys.readouterr().out
    assert inspect_json(capsys, str(file))["tapes"][0]["has_times"] is False


def test_a_terminal_gets_colors_and_its_width(tape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich", reason="the extra cli is not installed")
    out = on_terminal([tape], monkeypatch, COLUMNS="60")
    assert "\x1b[" in out
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) == 60


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_color_a_terminal_gets_the_plain_text(
    tape: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b" not in on_terminal([tape], monkeypatch, **environment)


def test_without_rich_a_terminal_gets_the_plain_text(tape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.delitem(sys.modules, "rxstream.cli._rich", raising=False)
    out = on_terminal([tape], monkeypatch)
    assert "get_weather" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}])
def test_no_escape_sequence_of_a_model_reaches_the_terminal(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = [
        (0.1, response("created", model=EVIL)),
        (0.2, delta(EVIL)),
        (0.3, {"type": EVIL}),
        (0.4, delta(f"[red]{EVIL}")),
    ]
    tape = write_tape(tmp_path / "a.tape", stream, error=DisconnectedError(EVIL))
    out = on_terminal([str(tape), "--through", "text_only"], monkeypatch, **environment)
    rest = re.sub(r"\x1b\[[0-9;]*m", "", out)  # the colors
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", rest)
    assert "31m" not in re.findall(r"\x1b\[[0-9;]*m", out)
    assert "[red]" in out


def test_only_the_owner_can_read_the_page(tape: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert main(["inspect", tape, "--html", str(page)]) == 0
    assert page.stat().st_mode & 0o077 == 0


def test_a_page_that_cannot_be_written_is_one_line(tape: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", tape, "--html", "/no/such/folder/page.html"]) == 1
    assert capsys.readouterr().err == "rxstream: /no/such/folder/page.html: No such file or directory\n"
