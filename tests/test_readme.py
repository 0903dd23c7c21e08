"""What the README shows is what is run (its programs: tests/docs)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_ci_runs_the_readmes_commands_word_for_word() -> None:
    commands = re.findall(r"```bash\n(.*?)\n```", README, re.DOTALL)
    assert commands == [
        "python -m pip install -e . && rxstream demo",
        "python -m pip install -e '.[dev]' && python -m pytest -n auto --dist worksteal",
    ]
    if not (ROOT / ".ci" / "run").is_file():
        pytest.skip(".ci/run is not in this copy of the sources")
    steps = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    for command in commands:
        assert command in steps


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"], ids=lambda path: path.name
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`(?!\])", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
