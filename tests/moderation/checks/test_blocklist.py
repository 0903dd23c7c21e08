"""`Blocklist`: what it finds, where, and how much it needs held back."""

import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxstream.moderation import Blocklist, Verdict, Window
from rxstream.testing import moderation_laws
from tests.event_builders import make_event
from tests.moderation._moderated import moderated, whole_answer

keepalive = make_event("keepalive")


@pytest.mark.parametrize(
    ("entry", "needed"),
    [
        ("hunter2", 6),
        ("a", 0),
        ("é", 1),  # two characters where the accent is written apart
        (re.compile(r"sk-[A-Za-z0-9]{8,64}"), 66),
        (re.compile(r"\d{3}-\d{4}"), 7),
        (re.compile(r"\bass\b"), 4),
        (re.compile(r"(?<=user: )\w{1,20}"), 25),
        (re.compile(r"key(?!=x{3})"), 6),
        (re.compile(r"(ab|c){2}\1"), 5),
        (re.compile(r"a?b"), 1),
        (re.compile(r"(?i:straße)"), 5),
    ],
)
def test_the_holdback_is_what_the_longest_match_needs_less_one(entry: Any, needed: int):
    assert Blocklist([entry]).holdback == needed
    assert Blocklist(["x" * 100, entry]).holdback == max(99, needed)


def test_an_empty_list_flags_nothing_and_needs_nothing():
    assert Blocklist([]).holdback == 0
    assert Blocklist([])(Window("anything")) == Verdict(False)


@pytest.mark.parametrize("pattern", [r"\d+", r"a.*b", r"(?:x{1,3})*", r"x{2,}", r"(?=a*)b", r"(?<!x)y+"])
def test_a_pattern_without_a_greatest_length_is_refused(pattern: str):
    with pytest.raises(ValueError, match=r"no greatest length.*\\d\{1,20\}"):
        Blocklist(["fine", re.compile(pattern)])


@pytest.mark.parametrize("pattern", [r"^a", r"a$", r"\Aa", r"a\Z", r"(?m)^a"])
def test_a_pattern_that_is_anchored_at_the_edge_of_a_text_is_refused(pattern: str):
    with pytest.raises(ValueError, match="a window has no such edge"):
        Blocklist([re.compile(pattern)])


@pytest.mark.parametrize("entries", [[""], [re.compile("")], [re.compile(r"\b")]])
def test_an_entry_that_says_nothing_is_refused(entries: Any):
    with pytest.raises(ValueError, match=r"is empty|matches no text"):
        Blocklist(entries)


def test_an_entry_of_another_type_is_refused():
    with pytest.raises(TypeError, match="entry 1 of the blocklist is a bytes"):
        Blocklist(["fine", b"bytes"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="not one str"):
        Blocklist("hunter2")


def test_words_are_found_anywhere_in_any_case_and_either_form():
    block = Blocklist(["hunter2", "café"])
    assert block(Window("myHUNTER2!")).spans == ((2, 9),)
    assert block(Window("un cafe\u0301 noir")).spans == ((3, 8),)
    assert block(Window("un caf\u00e9 noir")).spans == ((3, 7),)
    assert not block(Window("hunter 2")).flagged
    assert not Blocklist(["Hunter"], ignore_case=False)(Window("hunter")).flagged


def test_spans_count_from_the_new_text_and_may_reach_back():
    block = Blocklist(["hunter2"])
    assert block(Window("ter2 is it", context="my hun")).spans == ((-3, 4),)


def test_what_an_earlier_window_had_whole_is_not_said_again():
    assert not Blocklist(["hunter2"])(Window(" and more", context="hunter2")).flagged


def test_matches_that_overlap_are_all_said():
    assert Blocklist(["aba"])(Window("ababa")).spans == ((0, 3), (2, 5))


def test_a_match_whose_end_is_not_decided_yet_is_suspect():
    block = Blocklist([re.compile(r"\bass\b")])
    undecided = block(Window("my ass"))
    assert (undecided.flagged, undecided.suspect, undecided.spans) == (False, True, ((3, 6),))
    assert block(Window("my ass", final=True)).flagged
    assert block(Window("my assistant")) == Verdict(False)
    assert block(Window("istant", context="my ass")) == Verdict(False)
    assert block(Window(" it is", context="my ass")).spans == ((-3, 0),)


def test_a_match_that_is_not_decided_is_acted_on_where_another_is():
    block = Blocklist([re.compile(r"\bass\b"), "secret"])
    assert block(Window("secret ass")).spans == ((0, 6), (7, 10))


@pytest.mark.parametrize("text", ["my assistant is here", "ass", "an ass", "classic", "ass."])
def test_whole_words_are_decided_whatever_the_windows(text: str):
    block = Blocklist([re.compile(r"\bass\b")])
    flagged = re.search(r"\bass\b", text) is not None
    for size in range(1, 9):
        for gap in (0.001, 0.5):
            seen = moderated(whole_answer(*text), block, on_flag="replace", first_chars=size, max_chars=size, gap=gap)
            shown = seen.texts().get((0, 0, "text"), "")
            assert re.search(r"\bass\b", shown) is None
            if not flagged:
                assert shown == text, size


def test_it_shows_neither_its_entries_nor_the_text():
    block = Blocklist(["hunter2", re.compile("swordfish")])
    assert repr(block) == "<Blocklist of 2 entries>"
    assert "hunter2" not in repr(block(Window("hunter2")))


ENTRIES: list[Any] = ["secret", "cafe\u0301", re.compile(r"sk-[a-z0-9]{4,12}"), re.compile(r"\b\d{3}-\d{4}\b")]
SECRETS = ["secret", "cafe\u0301", "sk-abcd1234", "555-1234"]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(SECRETS), st.text(alphabet="abc sk-5. \u0301", max_size=12)), max_size=8),
    st.integers(1, 40),
    st.integers(0, 1 << 30),
)
def test_replacing_leaves_nothing_that_the_whole_text_would_have_shown(pieces: list[str], size: int, seed: int):
    text = " ".join(pieces)
    rng = random.Random(seed)
    cuts = sorted(rng.choices(range(len(text) + 1), k=rng.randint(0, 12)))
    deltas = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    block = Blocklist(ENTRIES)
    seen = moderated(
        whole_answer(*deltas),
        block,
        on_flag="replace",
        replacement="*",
        first_chars=size,
        max_chars=max(size, 20),
        gap=rng.choice([0.001, 0.3]),
    )
    shown = seen.texts().get((0, 0, "text"), "")
    assert not block(Window(shown, final=True)).flagged
    if not block(Window(text, final=True)).flagged:
        assert shown == text


def test_the_laws_hold_for_it():
    moderation_laws(Blocklist(["secret", re.compile(r"sk-[a-z0-9]{4,12}")]), secrets=["secret", "sk-abcd12"], runs=6)


def test_the_operator_holds_back_what_the_checks_need_or_more_if_it_was_told_so():
    text = "abcdefghijklmnopqrst"
    for own, asked, kept in ((5, 0, 5), (5, 9, 9), (1, 0, 1)):
        check = Blocklist(["x" * (own + 1)])
        seen = moderated(
            [*whole_answer(text)[:4], keepalive, keepalive], check, holdback=asked, first_chars=10, max_chars=10
        )
        during = [event.delta for _, at, event in seen.emitted if event.type.endswith("delta") and at < 0.035]
        assert "".join(during) == text[: len(text) - kept]
