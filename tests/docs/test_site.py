"""The site names every page, and its links lead somewhere. `mkdocs build --strict` looks closer."""

import re
import runpy
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rxstream import operators
from rxstream.testing import marbles
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


@pytest.fixture(scope="module")
def hook() -> dict[str, Any]:
    """What `.site/operators_page.py` defines."""
    sys.path.insert(0, str(ROOT / ".site"))
    try:
        return runpy.run_path(str(ROOT / ".site" / "operators_page.py"))
    finally:
        sys.path.pop(0)


def test_the_page_of_operators_has_what_the_code_says_of_each(hook: dict[str, Any]) -> None:
    text = hook["with_code"]((DOCS / hook["PAGE"]).read_text("utf-8"))
    sections = dict(zip(*[iter(re.split(r"^### (\w+)\n", text, flags=re.MULTILINE)[1:])] * 2, strict=True))
    assert {*sections} == {*operators.__all__}
    for name, section in sections.items():
        doc = getattr(operators, name).__doc__ or ""
        drawings = re.findall(r"<svg.*?</svg>", section, flags=re.DOTALL)
        assert len(drawings) == len(marbles.pictures(doc)), name
        for drawing, picture in zip(drawings, marbles.pictures(doc), strict=True):
            labels = [each.text for each in ElementTree.fromstring(drawing).iter("text")]
            assert {row.label for row in picture.rows} <= {*labels}, name
        assert section.startswith(f"\n```python\n{name}("), name
        assert doc.split("\n")[0].rstrip(".") in section.replace("\n    ", "\n"), name


def test_a_drawing_has_a_marble_for_each_value_and_a_sign_for_each_end(hook: dict[str, Any]) -> None:
    picture = "One.\n\nMarbles::\n\n    source   -a-`<b>`-|\n    result   --(a,c#)\n    upstream ^-!\n\nEnd."
    (drawing,) = hook["drawings"](picture)
    svg = ElementTree.fromstring(drawing).find(".//svg")
    assert svg is not None
    assert [each.text for each in svg.iter("text")] == ["source", "a", "<b>", "result", "a", "c", "upstream"]
    assert [title.text for title in svg.iter("title")] == ["complete", "error", "subscribe", "dispose"]


def test_a_docstring_becomes_markdown(hook: dict[str, Any]) -> None:
    def operator() -> None:
        """One line.

        Marbles::

            source   -a-|

        As here::

            operator()

        Emits: this. Completes: with the source.
        Errors: none.

        Args:
            one: the first,
                in two lines.
        """

    assert hook["docstring"](operator).split("\n") == [
        *("One line.", "", "As here:", "", "```python", "operator()", "```", ""),
        *("**Emits**: this. ", "", "**Completes**: with the source.", "", "", "**Errors**: none.", ""),
        *("**Parameters**", "", "- `one`: the first,", "    in two lines."),
    ]
