"""The text of a lane, its edits, and where both may be split."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstream.moderation.machine._boundaries import boundary_function, split_before
from rxstream.moderation.machine._edits import Edits, apply, source_offset
from rxstream.moderation.machine._text import Arrivals, Format, LaneText
from rxstream.segmentation._graphemes import boundaries


@given(st.lists(st.text(max_size=2000), max_size=20), st.data())
def test_a_text_in_pieces_reads_like_the_whole(pieces: list[str], data: st.DataObject):
    text, whole, forgotten = LaneText(), "", 0
    for piece in pieces:
        text.append(piece)
        whole += piece
        assert text.length == len(whole)
        start = data.draw(st.integers(forgotten, len(whole)))
        end = data.draw(st.integers(start, len(whole)))
        assert text.slice(start, end) == whole[start:end]
        forgotten = data.draw(st.integers(forgotten, len(whole)))
        text.forget(forgotten)
    text.close()
    assert text.full_raw() == whole
    assert text.full_raw() == whole


def test_halves_of_a_surrogate_pair_become_one_character():
    text = LaneText()
    for piece in ("a\ud83d", "\ude00b", "\ud83d", "", "\ude01", "\ud83d"):
        text.append(piece)
    assert text.full() == "a😀b😁"
    text.close()
    assert text.full() == text.full_raw() == "a😀b😁\ud83d"


def test_how_old_the_oldest_character_is():
    arrivals = Arrivals()
    for end, now in ((3, 1.0), (3, 1.5), (7, 2.0), (9, 3.0)):
        arrivals.note(end, now)
    assert [arrivals.oldest(start) for start in (0, 2, 3, 6, 7)] == [1.0, 1.0, 2.0, 2.0, 3.0]


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=8), st.data())
def test_edits_show_each_character_once_or_not_at_all(text: str, spans: list[tuple[int, int]], data: st.DataObject):
    edits = Edits()
    hidden: set[int] = set()
    for start, size in spans:
        end = min(start + size, len(text))
        if start < end:
            edits.add(start, end, "#")
            hidden.update(range(start, end))
    plain = "".join(char for at, char in enumerate(text) if at not in hidden)
    edited = apply(text, 0, list(edits))
    assert edited.replace("#", "") == plain.replace("#", "")
    assert [edit.start for edit in edits] == sorted(edit.start for edit in edits)
    cuts = sorted({edits.last_outside(data.draw(st.integers(0, len(text)))) for _ in range(4)} | {0, len(text)})
    pieces = [apply(text[start:end], start, edits.between(start, end)) for start, end in itertools.pairwise(cuts)]
    assert "".join(pieces) == edited
    for at in range(len(text)):
        assert bool(edits.between(at, at + 1)) == edits.cover(at, at + 1) == (at in hidden)
        if at not in hidden:
            shifted = edits.shifted(at)
            assert edited[shifted] == text[at]
            assert source_offset(shifted, 0, list(edits), is_end=False) == at
            assert source_offset(shifted + 1, 0, list(edits), is_end=True) == at + 1
    for edit in edits:
        at = edits.shifted(edit.start)
        assert source_offset(at, 0, list(edits), is_end=False) == edit.start
        assert source_offset(at + 1, 0, list(edits), is_end=True) == edit.end


@given(
    st.text(alphabet='ab"\\u0e9n{}:ï😀', max_size=30) | st.recursive(st.text(max_size=5), st.lists).map(json.dumps),
    st.data(),
)
def test_a_json_text_is_decoded_and_given_back_as_it_was_written(raw: str, data: st.DataObject):
    text, whole = LaneText(Format.JSON), LaneText(Format.JSON)
    whole.append(raw)
    whole.close()
    offset = 0
    while offset < len(raw):
        size = data.draw(st.integers(1, 7))
        text.append(raw[offset : offset + size])
        offset += size
        assert text.full_raw() == raw[:offset]
    text.close()
    assert text.full() == whole.full()
    cuts = sorted({data.draw(st.integers(0, text.length)) for _ in range(3)} | {0, text.length})
    assert "".join(text.raw(text.slice(*cut), cut[0]) for cut in itertools.pairwise(cuts)) == raw
    for at in range(text.length + 1):
        written = len(text.raw(text.slice(0, at), 0))
        assert text.offset_of_raw(written) == at


def test_escapes_in_the_strings_of_json_are_decoded():
    for raw, decoded in (
        (r'{"a":"na\u00efve\n\ud83d\ude00 \"x\" \/ \\n"}', '{"a":"naïve\n😀 "x" / \\n"}'),
        (r'{"a":"\ud83d","b":"\q"}', '{"a":"\ufffd","b":"\\q"}'),
        (r"[1] C:\new \u00ef", r"[1] C:\new \u00ef"),
        (r"[see] C:\new", r"[see] C:\new"),
        (r'["x\u00ef"]', '["xï"]'),
    ):
        text = LaneText(Format.UNKNOWN)
        for character in "  " + raw:
            text.append(character)
        text.close()
        assert text.full() == "  " + decoded
        assert text.full_raw() == "  " + raw


@given(st.text(alphabet="a\u0301\u200d👩👧🇫🇷각\r\n", max_size=20), st.integers(0, 20))
def test_split_before_finds_the_last_place_between_two_graphemes(text: str, at: int):
    at = min(at, len(text))
    whole = list(boundaries(text)) or [0]
    found = split_before(text, at, ended=False)
    assert found <= at
    if at < len(text):
        assert found == max(place for place in whole if place <= at)
    assert split_before(text[:at], at, ended=True) <= at


@pytest.mark.parametrize("open_end", ["👩\u200d", "🇫", "a🇫🇷🇩", "a\ud83d"])
def test_an_incomplete_grapheme_stays_back_although_the_text_has_ended_for_now(open_end: str):
    assert split_before(open_end, len(open_end), ended=True) < len(open_end)


def test_boundaries_have_names():
    text = "One sentence is here. Two are better"
    assert boundary_function(None) is None
    sentence, word, line = boundary_function("sentence"), boundary_function("word"), boundary_function("line")
    assert sentence is not None
    assert word is not None
    assert line is not None
    assert text[: sentence(text)].strip() == "One sentence is here."
    assert text[: word(text)] == "One sentence is here. Two are "
    assert text[: line(text)] == "One sentence is here. Two are "
    assert line("first\nsecond\nthird") == len("first\nsecond\n")
    assert word("x" * 40) == 0
