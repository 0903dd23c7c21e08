"""A message of a type checker names the page and the line that a program of the documentation has there."""

from pathlib import Path

from tests.docs._blocks import ROOT, blocks_of
from tests.typing.pages import with_pages, write_modules

PAGE = "# Page\n\n```python\na = 1\n```\nwords\n```python\nb = a\n```\n"


def test_a_program_keeps_the_lines_of_its_page(tmp_path: Path) -> None:
    first, second = blocks_of(ROOT / "docs" / "page.md", PAGE)
    together, alone = write_modules(tmp_path, [[first, second], [second]])
    assert together.read_text("utf-8") == "\n\n\na = 1\n\n\n\nb = a\n"
    assert alone.read_text("utf-8") == "\n\n\n\n\n\n\nb = a\n"


def test_a_message_names_the_page(tmp_path: Path) -> None:
    modules = write_modules(tmp_path, [[block] for block in blocks_of(ROOT / "docs" / "page.md", PAGE)])
    second = list(modules)[1]
    assert with_pages(f"{second}:8: error: no", modules) == "docs/page.md:8: error: no"
