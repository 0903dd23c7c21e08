"""What `stream` and `replay` show beside the text: reasoning, hosted tools, other items, refusals, sources."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rxstream.testing import answers
from tests.cli.test_cli import rxstream

RECORDED = Path(__file__).parents[3] / "shared" / "streams"

SOURCES = [
    {"type": "url_citation", "url": "https://a.example/x", "title": "A\x1b[2J", "start_index": 0, "end_index": 2},
    {"type": "url_citation", "url": "https://a.example/x", "title": "A\x1b[2J", "start_index": 3, "end_index": 4},
    {"type": "file_citation", "file_id": "file-1", "filename": "b.txt", "index": 2},
    {"type": "brand_new", "place": "page 7"},
]


def item(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


def message(index: int, text: str, **part: Any) -> list[dict[str, Any]]:
    content = {"type": "output_text", "text": text, **part}
    start = item("message", id=f"i{index}", role="assistant", content=[])
    end = {**start, "status": "completed", "content": [content]}
    delta = {"type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": text}
    return [
        {"type": "response.output_item.added", "output_index": index, "item": start},
        delta,
        {"type": "response.output_item.done", "output_index": index, "item": end},
    ]


def done(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "response.output_item.done",
        "output_index": index,
        "item": item(kind, **{"id": f"i{index}", **fields}),
    }


def completed(events: list[dict[str, Any]]) -> str:
    """The bytes of a stream."""
    start = {"type": "response.created", "response": {"id": "r"}}
    end = {"type": "response.completed", "response": {"id": "r", "status": "completed"}}
    return b"".join(answers.events([start, *events, end]).all_frames()).decode()


def replay(*events: dict[str, Any]) -> tuple[str, str]:
    """What goes to stdout and to stderr."""
    run = rxstream("replay", "-", stdin=completed(list(events)))
    assert run.returncode == 0, run.stderr
    return run.stdout, run.stderr


LINES = [
    (
        done(0, "web_search_call", status="completed", action={"type": "search", "query": "rx", "sources": [{}, {}]}),
        "[web_search_call completed] rx (2 sources)",
    ),
    (
        done(0, "web_search_call", action={"type": "find_in_page", "pattern": "rx", "url": "https://a.example"}),
        "[web_search_call] rx in https://a.example",
    ),
    (done(0, "web_search_call", status="failed"), "[web_search_call failed]"),
    (done(0, "file_search_call", queries=["a", "b"], results=[{}]), "[file_search_call] a b (1 result)"),
    (
        done(0, "code_interpreter_call", code="x = 1\nx", outputs=[{"type": "logs", "logs": "1\n"}, {"type": "image"}]),
        "[code_interpreter_call] x = 1 x -> 1",
    ),
    (
        done(0, "image_generation_call", result="AAAA", output_format="png", revised_prompt="a cat"),
        "[image_generation_call] png, 3 bytes a cat",
    ),
    (
        done(0, "image_generation_call", status="failed", error={"message": "no"}),
        "[image_generation_call failed] -> no",
    ),
    (
        done(0, "mcp_call", server_label="dice", name="roll", arguments='{"n":2}', output="7"),
        '[mcp_call] dice.roll({"n":2}) -> 7',
    ),
    (
        done(0, "mcp_call", server_label="dice", name="roll", arguments="{}", error={"message": "424"}),
        "[mcp_call failed] dice.roll({}) -> 424",
    ),
    (
        done(0, "mcp_list_tools", server_label="dice", tools=[{"name": "roll"}, {"name": "toss"}]),
        "[mcp_list_tools] dice: roll, toss",
    ),
    (
        done(0, "mcp_approval_request", server_label="dice", name="roll", arguments="{}"),
        "[mcp_approval_request] dice.roll({})",
    ),
    (
        done(0, "computer_call", call_id="c", status="completed", action={"type": "click", "x": 1}),
        '[computer_call completed] [{"type": "click", "x": 1}]',
    ),
    (done(0, "shell_call", call_id="c", action={"commands": ["ls -a", "pwd"]}), "[shell_call] ls -a pwd"),
    (
        done(0, "shell_call_output", call_id="c", output=[{"stdout": "a\nb\n", "stderr": "oh"}]),
        "[shell_call_output] a b oh",
    ),
    (
        done(0, "apply_patch_call", operation={"type": "update_file", "path": "a.py", "diff": "+1"}),
        "[apply_patch_call] update_file a.py",
    ),
    (done(0, "compaction", encrypted_content="xxx"), "[compaction]"),
    (done(0, "program", code="a()\nb()"), "[program] a() b()"),
    (done(0, "acme:brand_new", why="so"), '[acme:brand_new] {"why":"so"}'),
    (done(0, "brand_new_call", why="so"), '[brand_new_call] {"why":"so"}'),
    (done(0, "program", code="x" * 9_000), f"[program] {'x' * 240} ..."),
    (done(0, "program", code="\x1b[2J\u202ex"), "[program] [2J x"),
]


@pytest.mark.parametrize(("event", "line"), LINES, ids=[f"{n} {line[:28]}" for n, (_, line) in enumerate(LINES)])
def test_each_tool_and_item_is_one_line_on_stderr(event: dict[str, Any], line: str) -> None:
    assert replay(event) == ("", line + "\n")


def test_calls_that_a_program_answers_are_on_stdout() -> None:
    custom = done(0, "custom_tool_call", call_id="c", name="sql", input="select 1")
    function = done(1, "function_call", call_id="d", name="look", arguments='{"a":1}')
    assert replay(custom, function) == ('sql(select 1)\nlook({"a":1})\n', "")


def test_reasoning_is_on_stderr() -> None:
    summary = {"type": "response.reasoning_summary_text.delta", "output_index": 0}
    out, err = replay(
        {**summary, "summary_index": 0, "delta": "\n**So"},
        {**summary, "summary_index": 0, "delta": "**"},
        {**summary, "summary_index": 1, "delta": "then"},
        done(0, "reasoning", summary=[{"type": "summary_text", "text": t} for t in ("\n**So**", "then")]),
        {"type": "response.reasoning_text.delta", "output_index": 1, "content_index": 0, "delta": "hm"},
        *message(2, "Hello"),
    )
    assert out == "Hello\n"
    assert err == "[reasoning] **So**\n\nthen\n[reasoning] hm\n"


def test_reasoning_that_a_server_repeats_as_its_summary_is_shown_once() -> None:
    delta = {"type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0}
    events = [{**delta, "delta": "so "}, {**delta, "delta": "be it"}]
    _, err = replay(*events, done(0, "reasoning", summary=[{"type": "summary_text", "text": "so be it"}]))
    assert err == "[reasoning] so be it\n"


def test_a_refusal_is_the_answer_and_is_named_on_stderr() -> None:
    refusal = {"type": "response.refusal.delta", "output_index": 0, "content_index": 0}
    assert replay({**refusal, "delta": "I"}, {**refusal, "delta": " can't"}) == ("I can't\n", "[refusal]\n")


def test_sources_come_after_their_message_each_once() -> None:
    out, err = replay(*message(0, "so it is", annotations=SOURCES), *message(1, "then"))
    assert out == "so it is\nthen\n"
    assert err.splitlines() == [
        "[url_citation] A [2J https://a.example/x",
        "[file_citation] b.txt file-1",
        '[brand_new] {"place":"page 7"}',
    ]


def test_a_call_that_was_cut_is_incomplete() -> None:
    added = {"type": "response.output_item.added", "output_index": 0, "item": item("web_search_call")}
    end = {"type": "response.incomplete", "response": {"id": "r", "status": "incomplete"}}
    stream = b"".join(answers.events([added, end]).all_frames()).decode()
    run = rxstream("replay", "-", stdin=stream)
    assert run.stderr.splitlines() == [
        "rxstream: the answer was cut short (without a reason)",
        "[web_search_call incomplete]",
    ] or run.stderr.splitlines() == [
        "[web_search_call incomplete]",
        "rxstream: the answer was cut short (without a reason)",
    ]


def terminal(path: Path, redirection: str = "", **environment: str) -> str:
    """What a terminal shows, with stdout or stderr redirected as a shell would."""
    screen, child = pty.openpty()
    command = f'"{sys.executable}" -m rxstream.cli replay "{path}" {redirection}'
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    run = subprocess.Popen(
        ["sh", "-c", command], stdin=child, stdout=child, stderr=child, env=kept | {"TERM": "xterm"} | environment
    )
    os.close(child)
    shown = b""
    try:
        while data := os.read(screen, 4096):
            shown += data
    except OSError:  # the other end was closed
        pass
    os.close(screen)
    assert run.wait(60) == 0
    return shown.decode().replace("\r\n", "\n")


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "a.sse"
    delta = {"type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0, "delta": "so"}
    text = {"type": "response.output_text.delta", "output_index": 1, "content_index": 0}
    call = done(2, "web_search_call", action={"type": "search", "query": "rx"})
    path.write_text(completed([delta, {**text, "delta": "Hel"}, call, {**text, "delta": "lo"}]), "utf-8")
    return path


DIM_SEARCH = "\x1b[2m[web_search_call] rx\x1b[0m\n"


def test_on_a_terminal_each_begins_on_its_own_line_and_notes_are_dim(tape: Path) -> None:
    assert terminal(tape) == f"\x1b[2m[reasoning] so\x1b[0m\nHel\n{DIM_SEARCH}lo\n"


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_nothing_is_dim_where_colors_are_not_wanted(tape: Path, environment: dict[str, str]) -> None:
    assert terminal(tape, **environment) == "[reasoning] so\nHel\n[web_search_call] rx\nlo\n"


def test_a_file_gets_the_text_alone_while_the_terminal_shows_the_rest(tape: Path, tmp_path: Path) -> None:
    assert terminal(tape, f'> "{tmp_path}/out"') == f"\x1b[2m[reasoning] so\x1b[0m\n{DIM_SEARCH}"
    assert (tmp_path / "out").read_text() == "Hello\n"


def test_one_file_for_both_has_lines_that_do_not_run_into_each_other(tape: Path, tmp_path: Path) -> None:
    assert terminal(tape, f'> "{tmp_path}/both" 2>&1') == ""
    assert (tmp_path / "both").read_text() == "[reasoning] so\nHel\n[web_search_call] rx\nlo\n"


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded streams of other projects are not here")
def test_recorded_calls_of_hosted_tools_are_all_shown() -> None:
    for path in RECORDED.glob("*.sse"):
        text = path.read_text("utf-8", "replace")
        if '"web_search_call"' in text and "response.completed" in text and "output_item.done" in text:
            assert "[web_search_call" in rxstream("replay", str(path)).stderr, path.name
