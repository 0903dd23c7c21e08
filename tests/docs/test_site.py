"""The site names every page, and its links lead somewhere. `mkdocs build --strict`, where it is there, looks closer."""

import re
from pathlib import Path

import pytest

from tests.docs.moderation_page import PAGE, page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
DECISIONS = [page for page in PAGES if page.startswith("decisions/") and page != "decisions/README.md"]


def in_nav() -> list[str]:
    return re.findall(r"^ +- [^\n]*?: (\S+\.md)$", (ROOT / ".mkdocs.yml").read_text("utf-8"), flags=re.MULTILINE)


def test_every_page_is_in_the_navigation_once():
    assert sorted(in_nav()) == [page for page in PAGES if page not in DECISIONS]


def test_every_decision_is_in_the_list_of_decisions_once():
    listed = re.findall(r"^\* \[.+\]\((.+)\)$", (DOCS / "decisions" / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(f"decisions/{name}" for name in listed) == DECISIONS


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str):
    text = re.sub(r"^```.*?^```|`[^`\n]+`(?!\])", "", (DOCS / page).read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        if "://" in file:
            continue
        linked = (DOCS / page).parent / file if file else DOCS / page
        assert linked.is_file(), f"{page} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), flags=re.MULTILINE)
            slugs = [re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-") for heading in headings]
            assert anchor in slugs, f"{page} links to {target}"


def test_the_page_of_kinds_and_fields_is_made_from_the_code():
    assert PAGE.read_text("utf-8") == page(), "write it anew: python -m tests.docs.moderation_page"
