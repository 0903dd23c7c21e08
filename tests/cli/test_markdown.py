"""Markdown that is drawn while it is written, and the times of what happens beside the answer."""

from __future__ import annotations

import io
import itertools
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstream.cli import main
from rxstream.cli._markdown import MarkdownBlocks
from rxstream.testing import LocalServer, answers

TEXT = "# Rivers\n\nThree *long* ones:\n\n1. **Nile**\n2. Amazon\n\n```python\nprint(1)\n\nprint(2)\n```\n\nThe `end`."
BLOCKS = [
    "# Rivers\n",
    "Three *long* ones:\n",
    "1. **Nile**\n2. Amazon\n",
    "```python\nprint(1)\n\nprint(2)\n```\n",
    "The `end`.",
]


def blocks_of(*pieces: str) -> list[str]:
    core = MarkdownBlocks()
    return [*(block for piece in pieces for block in core.feed(piece)), *core.finish()]


@given(st.lists(st.integers(0, len(TEXT)), max_size=8))
def test_blocks_do_not_depend_on_the_split(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(TEXT)]
    assert blocks_of(*(TEXT[begin:end] for begin, end in itertools.pairwise(places))) == BLOCKS


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("", []),
        ("\n\n \n", []),
        ("a\r\n\r\nb", ["a\r\n\r", "b"]),
        ("````\n```\n\n````\n\nb", ["````\n```\n\n````\n", "b"]),
        ("```\n\n``` no end\n\n", ["```\n\n``` no end\n\n"]),
        ("~~~\n```\n\n~~~\n\nb", ["~~~\n```\n\n~~~\n", "b"]),
    ],
)
def test_blocks(text: str, blocks: list[str]) -> None:
    assert blocks_of(text) == blocks


@given(st.text(alphabet="a`~ \n#", max_size=60))
def test_nothing_but_white_space_is_lost(text: str) -> None:
    assert "".join("".join(blocks_of(*text)).split()) == "".join(text.split())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def stream(monkeypatch: pytest.MonkeyPatch, *options: str, terminal: bool = True) -> tuple[int, str, str]:
    """The exit code, and what `rxstream stream` writes to stdout and to stderr."""
    out, err = (Terminal(), Terminal()) if terminal else (io.StringIO(), io.StringIO())
    answer = answers.reasoning_summary("Hm.", then=answers.text(TEXT))
    with LocalServer([answer]) as server, monkeypatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", server.base_url)
        patch.setenv("OPENAI_API_KEY", "sk")
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        code = main(["stream", "Hi", *options])
    return code, out.getvalue(), err.getvalue()


def test_markdown_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich", reason="the extra cli is not installed")
    code, out, _ = stream(monkeypatch, "--markdown")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert code == 0
    assert "\x1b[1" in out
    assert [line.strip() for line in plain.splitlines() if line.strip()] == [
        *("Rivers", "Three long ones:", "1 Nile", "2 Amazon", "print(1)", "print(2)", "The end."),
    ]


def test_without_a_terminal_the_text_passes_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich", reason="the extra cli is not installed")
    assert stream(monkeypatch, "--markdown", terminal=False)[:2] == (0, TEXT + "\n")


def test_without_rich_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "rxstream.cli._rich" or name.split(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    code, out, err = stream(monkeypatch, "--markdown")
    assert (code, out) == (2, "")
    assert "--markdown needs rich: pip install 'rxstream[cli]'" in err


def test_times_stand_before_each_line_and_a_last_line_has_the_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = stream(monkeypatch, "--times", terminal=False)
    reasoning, last = err.splitlines()
    assert (code, out) == (0, TEXT + "\n")
    assert re.fullmatch(r" +\d+\.\d\d s  \[reasoning\] Hm\.", reasoning)
    assert re.fullmatch(rf" +\d+\.\d\d s  \d+ events · first text after \d+ ms · {len(TEXT)} characters · .*", last)
