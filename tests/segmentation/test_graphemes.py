"""Grapheme clusters, held against the `\\X` of the regex module."""

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from rxstream.segmentation._graphemes import (
    Clusters,
    Graphemes,
    boundaries,
    boundary_before,
    is_boundary,
    last_boundary,
)
from tests.thinned import tries

# One or more of every kind the rules speak of, and what stands beside them in real text.
ALPHABET = (
    "a1 .\r\n\t\u200b\u0301\u0327\u20dd\u0903\u093f\u0e33\ufe0f\ufe0e\u20e3\u200d\u200c\u0600\u06dd\u0d4e"
    "\u0915\u0937\u094d\u09cd\u0995\u1000\u1039\u1780\u17d2\u1cf5\U00011a3a\u102b\u1100\u1160\u11a8\uac00\uac01한글"
    "❤☁✈©👩👨💻🏽🏳🌈🇩🇪🇫\U000e0067\U000e007f你か゚"
)
texts = st.text(st.sampled_from(ALPHABET), max_size=24) | st.text(st.characters(exclude_categories=["Cs", "Cn"]))


def by_regex(text: str) -> list[str]:
    return regex.findall(r"\X", text)


@pytest.mark.parametrize(
    "cluster",
    [
        "e\u0301", "a\u0327\u0301\u0302", "\r\n", "한", "\u1112\u1161\u11ab", "👍🏽", "🇩🇪", "👩‍👩‍👧‍👦", "🏳️‍🌈", "❤️", "1️⃣",
        "🏴\U000e0067\U000e0062\U000e007f",
        "क्षि", "ก็", "กำ", "க்", "\u0600٣", "か゚", "\ud83d\ude00",
    ],
)  # fmt: skip
def test_a_cluster_is_never_split(cluster: str):
    text = f"a{cluster}b"
    assert [index for index in range(len(text) + 1) if is_boundary(text, index)] == [0, 1, len(text) - 1, len(text)]
    assert list(boundaries(text)) == [0, 1, len(text) - 1, len(text)]


@pytest.mark.parametrize(
    "pair", ["ab", "\n\u0301", "\na", "a\n", "\n\r", "🇪🇫"[1] + "a", "❤👍", "你好", "क\u200cक", "\ude00\ud83d"]
)
def test_characters_of_two_clusters_are_split(pair: str):
    assert is_boundary(pair, len(pair) - 1)


def test_three_flags_are_three_pairs():
    assert list(boundaries("🇩🇪🇫🇷🇮🇹")) == [0, 2, 4, 6]


@given(texts)
@settings(max_examples=tries(200, 600), deadline=None)
def test_the_clusters_are_those_of_regex(text: str):
    ends = [0] if text else []
    for cluster in by_regex(text):
        ends.append(ends[-1] + len(cluster))
    assert list(boundaries(text)) == ends
    assert [index for index in range(len(text) + 1) if text and is_boundary(text, index)] == ends
    machine = Graphemes()
    assert machine.feed(text) + machine.finish() == by_regex(text)


@given(texts, texts)
@settings(deadline=None)
def test_text_before_the_last_boundary_is_split_the_same_whatever_follows(text: str, more: str):
    safe = last_boundary(text)
    assert safe in (0, *(match.end() for match in regex.finditer(r"\X", text + more)))


@given(texts)
@settings(deadline=None)
def test_only_the_last_cluster_stays_back(text: str):
    safe = last_boundary(text)
    assert len(by_regex(text[safe:])) <= 1
    assert safe == len(text) or [match.start() for match in regex.finditer(r"\X", text)][-1] == safe


@given(texts, st.integers(0, 30))
@settings(deadline=None)
def test_the_boundary_before_an_index_is_the_nearest(text: str, index: int):
    assert boundary_before(text, index) == max((b for b in boundaries(text) if b <= index), default=0)


@given(texts, st.data())
@settings(deadline=None)
def test_after_a_boundary_clusters_do_not_depend_on_the_text_before(text: str, data: st.DataObject):
    cut = data.draw(st.sampled_from([0, *boundaries(text)]))
    assert [cut + end for end in boundaries(text[cut:])] == [end for end in boundaries(text) if end >= cut][
        : None if text[cut:] else 0
    ]


def test_a_line_feed_completes_its_cluster_and_a_carriage_return_waits():
    assert last_boundary("abc\n") == 4
    assert last_boundary("abc\r") == 3
    machine = Graphemes()
    assert machine.feed("ab") == ["a"]
    assert machine.feed("\r") == ["b"]
    assert machine.feed("\n") == ["\r\n"]
    assert machine.finish() == []


def test_an_emoji_family_in_pieces_is_one_cluster():
    machine = Graphemes()
    assert [cluster for character in "👩‍👩‍👧!" for cluster in machine.feed(character)] == ["👩‍👩‍👧"]
    assert machine.finish() == ["!"]


LONG = "a\u0301\u0903\u200d\u200c\u0915\u094d\u0995\u1cf5👩🇩🇪\u0600\r\n\ud83d\ude00\u1100\u1160\uac00"


@given(st.lists(st.tuples(st.sampled_from(LONG), st.sampled_from([1, 2, 3, 40, 300])), max_size=6), st.integers(1, 600))
@settings(max_examples=tries(100, 300), deadline=None)
def test_a_cluster_of_any_length_is_found_in_pieces_of_any_length(runs: list[tuple[str, int]], size: int):
    text = "".join(character * count for character, count in runs)
    pairs = r"\p{GCB=Prepend}*[\ud800-\udbff][\udc00-\udfff][\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*"
    clusters = regex.findall(rf"{pairs}|\X", text)
    machine = Graphemes()
    found = [one for at in range(0, len(text), size) for one in machine.feed(text[at : at + size])]
    assert found + machine.finish() == clusters


def test_indices_outside_the_text():
    assert not is_boundary("ab", 3)
    assert not is_boundary("ab", -1)
    assert (boundary_before("ab", 9), boundary_before("ab", -3), last_boundary("")) == (2, 0, 0)


def test_clusters_can_restart_after_a_character():
    clusters = Clusters()
    clusters.restart_after("e")
    assert clusters.starts("\u0301b") == [1]
