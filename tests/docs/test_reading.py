"""The harness itself: which blocks of a page are programs, and what they print."""

import pytest

from tests.docs._blocks import CONTINUED, ROOT, blocks_of, programs
from tests.docs.test_blocks import at_most, execute

PAGE = ROOT / "page.md"


def test_only_a_text_block_right_after_a_program_is_its_output():
    page = "```python\nprint(1)\n```\n\n```text\n1\n```\n\n```python\nprint(2)\n```\nwords\n```text\nno output\n```\n"
    python = [block for block in blocks_of(PAGE, page) if block.language == "python"]
    assert [(block.line, block.code, block.prints) for block in python] == [
        (2, "print(1)\n", "1\n"),
        (10, "print(2)\n", None),
    ]


def test_a_block_in_a_list_loses_its_indent_and_one_of_four_ticks_may_hold_three():
    page = "* so:\n\n  ```python\n  if 1:\n      print(1)\n  ```\n\n````markdown\n```python\nnot run\n```\n````\n"
    assert [(block.language, block.code) for block in blocks_of(PAGE, page)] == [
        ("python", "if 1:\n    print(1)\n"),
        ("markdown", "```python\nnot run\n```\n"),
    ]


def test_a_block_that_is_never_closed_is_an_error():
    with pytest.raises(ValueError, match="never closed"):
        blocks_of(PAGE, "```python\nprint(1)\n")


def test_blocks_are_programs_of_their_own_unless_the_page_says_otherwise(tmp_path):
    page = tmp_path / "page.md"
    blocks = "```python\na = 1\n```\n```python\nprint(a)\n```\n"
    page.write_text(blocks)
    assert [len(program) for program in programs(page)] == [1, 1]
    page.write_text(CONTINUED + "\n" + blocks)
    assert [len(program) for program in programs(page)] == [2]


def test_await_may_stand_outside_functions():
    (block,) = blocks_of(PAGE, "```python\nimport anyio\nawait anyio.sleep(0)\ndone = True\n```\n")
    names: dict[str, object] = {}
    execute(block, names)
    assert names["done"]


def test_an_error_points_at_the_line_of_the_page():
    (block,) = blocks_of(PAGE, "# Page\n\n```python\n\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as raised:
        execute(block, {})
    assert (str(raised.traceback[-1].path), raised.traceback[-1].lineno + 1) == ("page.md:4", 5)


def test_nothing_may_hang():
    (block,) = blocks_of(PAGE, "```python\nimport time\ntime.sleep(60)\n```\n")
    with pytest.raises(TimeoutError, match=r"page\.md:2"), at_most(0.05, str(block)):
        execute(block, {})
