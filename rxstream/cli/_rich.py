"""Styled lines and Markdown in colors, by `rich` (extra `cli`)."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from rxstream.errors._redaction import visible
from rxstream.timeline._layout import Style, StyledLine

_STYLES: dict[Style, str] = {
    "": "",
    "dim": "dim",
    "bold": "bold",
    "title": "bold cyan",
    "good": "bold green",
    "bad": "bold red",
    "warn": "yellow",
    "item": "blue",
    "delta": "cyan",
    "tool": "magenta",
    "marble": "bold magenta",
}


def in_colors(lines: Sequence[StyledLine]) -> str:
    """The lines with the escape sequences of their styles. All text is `visible`, so there are no others."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, highlight=False, markup=False, emoji=False, width=10_000)
    for line in lines:
        text = Text()
        for run in line:
            text.append(visible(run.text), _STYLES[run.style])
        text.rstrip()
        console.print(text, soft_wrap=True)
    return written.getvalue()


def in_markdown(block: str, *, width: int, colors: bool) -> str:
    """A block of Markdown as it looks. All text is `visible`, and an address is written out instead of a link."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, no_color=not colors, emoji=False, width=width)
    console.print(Markdown(visible(block), hyperlinks=False, code_theme="ansi_dark"))
    return written.getvalue().strip("\n") + "\n"
