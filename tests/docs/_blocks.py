"""The Python blocks of a Markdown page, and what the page says that they print."""

import importlib.util
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+) *(?P<language>[\w+-]*)[^`\n]*$")
CONTINUED = "<!-- blocks: each continues the one before -->"
"""In a page: its blocks share their names, from top to bottom. Elsewhere each block is a program of its own."""


@dataclass
class Block:
    """A fenced block."""

    page: Path
    line: int
    """Of its first line of code, from 1."""
    language: str
    lines: list[str] = field(default_factory=list[str])
    prints: str | None = None
    """What the `text` block that follows says that it prints; None where there is none."""

    @property
    def code(self) -> str:
        return "\n".join(self.lines) + "\n"

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def programs(page: Path) -> list[list[Block]]:
    """The programs of a page: each a list of blocks that run one after the other, in the same names."""
    text = page.read_text("utf-8")
    blocks = [block for block in blocks_of(page, text) if block.language == "python"]
    return [blocks] if CONTINUED in text and blocks else [[block] for block in blocks]


def blocks_of(page: Path, text: str) -> list[Block]:
    """Every fenced block. One of language `text` that comes right after a `python` block is what that one prints."""
    found: list[Block] = []
    open_block: Block | None = None
    ticks = indent = ""
    adjacent = False
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if open_block is None:
            if fence:
                open_block = Block(page, number + 1, fence["language"])
                ticks, indent = fence["ticks"], fence["indent"]
            elif line.strip():
                adjacent = False
        elif fence and fence["ticks"] == ticks and not fence["language"]:
            if open_block.language == "text" and adjacent and found:
                found[-1].prints = open_block.code
            found.append(open_block)
            adjacent = open_block.language == "python"
            open_block = None
        else:
            open_block.lines.append(line.removeprefix(indent))
    if open_block is not None:
        raise ValueError(f"{open_block}: the block is never closed")
    return found


FOREIGN = {
    "IPython": "ipython",
    "agents": "openai-agents",
    "azure.ai.contentsafety": "azure-ai-contentsafety",
    "boto3": "boto3",
    "guardrails": "openai-guardrails",
    "nemoguardrails": "nemoguardrails",
    "presidio_analyzer": "presidio-analyzer",
    "streamlit": "streamlit",
    "textual": "textual",
}
"""Module -> the package that has it. They take hundreds of megabytes, so `rxstream[dev]` leaves them out."""

HOSTS = ("IPython", "streamlit", "textual")
"""Those of `FOREIGN` that run a program themselves. `test_recipes.py` has them do it."""


def foreign(program: list[Block]) -> list[str]:
    """The modules of `FOREIGN` that a program imports."""
    code = "\n".join(block.code for block in program)
    return [module for module in FOREIGN if re.search(rf"^(?:import|from) {re.escape(module)}\b", code, re.MULTILINE)]


def hosted(program: list[Block]) -> list[str]:
    """The modules of `HOSTS` that a program imports."""
    return [module for module in foreign(program) if module in HOSTS]


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a parent is missing
        return False
