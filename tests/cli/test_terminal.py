"""What a model or a server writes cannot take over the terminal."""

from __future__ import annotations

import io
import json
import re
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest

from rxstream.cli import main
from rxstream.testing import LocalServer, answers

EVIL = "\x1b]52;c;aGk=\x07\x1b[2J\x9b31m\x7f\x00\r\u202e\u2028"
STREAM = [
    {"type": "response.created", "response": {"id": EVIL}},
    {"type": f"x{EVIL}"},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": f"a\tb\n{EVIL}c"},
    {"type": "response.refusal.delta", "output_index": 0, "content_index": 1, "delta": f"no{EVIL}"},
    {
        "type": "response.output_item.done",
        "output_index": 1,
        "item": {"type": "function_call", "name": f"f{EVIL}", "call_id": f"c{EVIL}", "arguments": f'{{"a":"{EVIL}"}}'},
    },
]
ENDS = {
    "incomplete": {
        "type": "response.incomplete",
        "response": {"id": "r", "status": "incomplete", "incomplete_details": {"reason": EVIL}},
    },
    "failed": {"type": "response.failed", "response": {"id": "r", "error": {"code": EVIL, "message": f"oh{EVIL}"}}},
    "error": {"type": "error", "message": f"oh{EVIL}", "code": EVIL},
    "truncated": {"type": f"last{EVIL}"},
    "http": None,
}
COMMANDS = {
    "stream": ["stream", "Hi"],
    "stream --json": ["stream", "Hi", "--json"],
    "record": ["record", "TAPE", "Hi"],
    "replay": ["replay", "SSE"],
    "replay --json": ["replay", "SSE", "--json"],
    "replay --markdown --times": ["replay", "SSE", "--markdown", "--times"],
    "inspect": ["inspect", "SSE"],
}


class File(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def run(command: Sequence[str], end: str, folder: Path, *, terminal: bool) -> tuple[str, str]:
    """What the command writes to stdout and to stderr."""
    last = ENDS[end]
    answer = answers.events([*STREAM, *([last] if last else [])])
    (folder / "a.sse").write_bytes(b"".join(answer.all_frames()))
    out, err = File(terminal), File(terminal)
    with (
        LocalServer([answers.http_error(400, message=f"no{EVIL}", code=EVIL) if last is None else answer]) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("OPENAI_BASE_URL", server.base_url)
        patch.setenv("OPENAI_API_KEY", "sk")
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        names = {"TAPE": str(folder / "tape"), "SSE": str(folder / "a.sse")}
        main([names.get(word, word) for word in command])
    return out.getvalue(), err.getvalue()


def controls(text: str) -> set[str]:
    harmful = {"Cc", "Cf", "Zl", "Zp", "Cs"}
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)  # the command's own: colors, dim and normal; EVIL has none of this form
    return {c for c in text if unicodedata.category(c) in harmful} - {"\n", "\t"}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("end", ENDS)
def test_no_control_character_reaches_a_terminal(command: str, end: str, tmp_path: Path) -> None:
    out, err = run(COMMANDS[command], end, tmp_path, terminal=True)
    assert controls(out) == set()
    assert controls(err) == set()
    if command in ("stream", "replay") and end != "http":
        assert "a\tb\n\\x1b]52;c;aGk=\\x07" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_gets_the_text_as_it_came_and_nothing_else_raw(command: str, tmp_path: Path) -> None:
    out, err = run(COMMANDS[command], "failed", tmp_path, terminal=False)
    assert controls(err) == set()
    if command in ("stream", "replay", "replay --markdown --times"):
        assert f"a\tb\n{EVIL}c" in out
    else:
        assert controls(out) == set()


def test_json_says_the_same_with_escapes(tmp_path: Path) -> None:
    out, _ = run(COMMANDS["replay --json"], "failed", tmp_path, terminal=True)
    lines = [json.loads(line) for line in out.splitlines()]
    assert f"a\tb\n{EVIL}c" in [line.get("delta") for line in lines]
    assert f"x{EVIL}" in [line["type"] for line in lines]
