"""A list of checks: each sees the text, as those before it left it, and each has its own action."""

import re
from typing import Any

import pytest

from rxstream.moderation import Blocklist, Verdict, Window
from rxstream.operators import debounce_moderation
from tests.moderation._moderated import GOOD, SECRET, assert_hidden, blocklist, moderated, of_type, passes, whole_answer


class Sees:
    """Passes everything, and keeps what it was given."""

    def __init__(self, holdback: int | None = 0) -> None:
        self.windows: list[Window] = []
        self.holdback = holdback

    def __call__(self, window: Window) -> bool:
        self.windows.append(window)
        return False

    @property
    def text(self) -> str:
        return "".join(window.text for window in self.windows)


def flags_cities(window: Window) -> Verdict:
    """Flags Paris and Rome, with spans."""
    spans = tuple(match.span() for match in re.finditer("Paris|Rome", window.text))
    return Verdict(bool(spans), ("city",) if spans else (), spans=spans)


@pytest.mark.parametrize("gap", [0.001, 0.3])
def test_a_check_sees_what_the_ones_before_it_replaced(gap: float):
    second = Sees()
    seen = moderated(whole_answer("I was in ", "Paris ", "and Rome. "), [(flags_cities, "replace"), second], gap=gap)
    assert second.text == "I was in [removed] and [removed]. "
    assert seen.texts()[0, 0, "text"] == second.text


def test_what_the_second_check_flags_in_a_replaced_text_is_found_there():
    flags_and = Blocklist(["] and"])
    seen = moderated(
        whole_answer("I was in Paris and Rome. "),
        [(flags_cities, "replace"), (flags_and, "replace")],
        replacement="[x]",
    )
    assert seen.texts()[0, 0, "text"] == "I was in [x] [x]. "


@pytest.mark.parametrize(
    ("first", "options"),
    [
        ((flags_cities, "annotate"), {}),
        (lambda window: Verdict(False, suspect=window.text.endswith("Paris ")), {}),
        (lambda window: 1 / 0, {"on_check_error": "pass"}),
        (lambda window: "no verdict", {"on_check_error": "pass", "retries": 0}),
    ],
    ids=["annotates", "suspects", "fails", "returns no verdict"],
)
@pytest.mark.parametrize("mode", ["hold", "bounded", "optimistic"])
def test_no_check_ends_the_checks_after_it(first: Any, options: dict[str, Any], mode: str):
    second = Sees()
    text = "I was in Paris and it was good. "
    seen = moderated(whole_answer(*re.findall(r"\S+\s", text)), [first, second], gap=0.3, mode=mode, **options)
    assert second.text == text
    assert seen.texts()[0, 0, "text"] == text
    cut = moderated(whole_answer(GOOD, "Paris ", SECRET), [first, Blocklist([SECRET])], gap=0.3, mode=mode, **options)
    assert of_type(cut, "response.incomplete")


def test_each_check_has_its_own_action():
    for text, action, ended in (
        ("in Paris ", "replace", "|"),
        (f"a {SECRET} ", "error", "#"),
        (f"in Paris a {SECRET} ", "error", "#"),
    ):
        seen = moderated(whole_answer(text), [(flags_cities, "replace"), (Blocklist([SECRET]), "error")])
        flags = of_type(seen, "rxstream.moderation.flagged")
        assert flags[-1].action == action
        assert flags[-1].check == ("flags_cities" if action == "replace" else "Blocklist")
        assert seen.ended == ended
        assert_hidden(seen)


def test_text_before_a_flag_is_released_once_later_checks_passed_it():
    """A cut of the first check waits for what the second still judges: what it releases does not depend on time."""
    options: dict[str, Any] = {"gap": 0.01, "first_chars": 20, "max_chars": 40, "holdback": 0}
    events = whole_answer(GOOD * 10, SECRET, GOOD)
    texts = [moderated(events, [blocklist, passes], delay=delay, **options).texts() for delay in (0.0, 0.3, 0.5)]
    assert texts[0][0, 0, "text"].startswith(GOOD * 7)
    assert texts[0] == texts[1] == texts[2]


def test_a_suspect_text_keeps_its_categories_though_the_next_check_passes_it():
    def suspects(window: Window) -> Verdict:
        return Verdict(False, ("odd",), suspect="hm" in window.text)

    seen = moderated(whole_answer("ok. ", "hm ", "hm "), [suspects, passes], gap=0.5)
    (flag,) = of_type(seen, "rxstream.moderation.flagged")
    assert flag.verdict.categories == ("odd",)
    assert flag.check == "suspects"


def test_a_pair_that_is_no_list_is_an_error_that_says_so():
    with pytest.raises(TypeError, match=r"stands in a list: write \[\(check, 'replace'\)\]"):
        debounce_moderation((flags_cities, "replace"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="on_flag must be one of"):
        moderated(whole_answer(GOOD), [(flags_cities, "remove")])
