"""Each promise of the page about reliability names a test, and that test exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/reliability.md").read_text("utf-8")


def test_each_named_test_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) >= 20
    for file, name in named:
        assert f"def {name}(" in (ROOT / file).read_text("utf-8"), f"{file}::{name}"


def test_each_row_of_promises_names_one():
    rows = [row for row in PAGE.splitlines() if row.startswith("| ") and "promise" not in row]
    promises = [row for row in rows if row.count("|") == 3]
    assert promises
    assert all("::" in row for row in promises)
