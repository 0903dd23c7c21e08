"""Styled lines in colors, by `rich` (extra `cli`)."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console
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
