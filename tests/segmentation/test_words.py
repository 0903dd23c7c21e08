"""Words and lines."""

import pytest

from rxstream.segmentation._lines import Lines
from rxstream.segmentation._words import Words


def words(text: str, **options: bool) -> list[str]:
    machine = Words(**options)
    return machine.feed(text) + machine.finish()


def lines(*pieces: str, **options: bool) -> list[str]:
    machine = Lines(**options)
    return [line for piece in pieces for line in machine.feed(piece)] + machine.finish()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t ", []),
        ("Say it ten times, fast!", ["Say", "it", "ten", "times,", "fast!"]),
        ("  don't  e-mail (me) at 3.14 ", ["don't", "e-mail", "(me)", "at", "3.14"]),
        ("a\r\nb\rc\vd\u2028e\u3000f\u200bg", ["a", "b", "c", "d", "e", "f", "g"]),
        ("10\u00a0000\u202f€ is 1", ["10\u00a0000\u202f€", "is", "1"]),  # spaces that forbid a break
        ("Größe naïve Ελλάδα мир", ["Größe", "naïve", "Ελλάδα", "мир"]),
        ("안녕하세요 세계", ["안녕하세요", "세계"]),
        ("यह हिन्दी है", ["यह", "हिन्दी", "है"]),
        ("كيف حالك؟", ["كيف", "حالك؟"]),
        ("你好，世界。", ["你", "好，", "世", "界。"]),
        ("他说「你好」。", ["他", "说", "「你", "好」。"]),
        ("iPhone手机2024年ok", ["iPhone", "手", "机", "2024", "年", "ok"]),
        ("コンピュータです。", ["コンピュータ", "で", "す。"]),
        ("きょうは人々がラーメン", ["きょ", "う", "は", "人々", "が", "ラーメン"]),
        ('"你好" (你)', ['"你', '好"', "(你)"]),
        ("สวัสดี 2024", ["ส", "วั", "ส", "ดี", "2024"]),
        ("เพื่อน ทำนา", ["เพื่", "อ", "น", "ทำ", "นา"]),
        ("ខ្មែរ", ["ខ្មែ", "រ"]),
        ("好e\u0301 👩‍👩‍👧 好👍🏽", ["好", "e\u0301", "👩‍👩‍👧", "好👍🏽"]),
        ("a \u0301b", ["a", " \u0301b"]),  # the space carries the mark
    ],
)
def test_words(text: str, expected: list[str]):
    assert words(text) == expected


def test_keep_space_adds_the_space_before_a_word():
    for options in ({}, {"keep_space": True}):
        machine = Words(**options)
        assert machine.feed("hel") == []
        assert machine.feed("lo") == []
        assert machine.feed(" ") == ["hello"]
        assert machine.feed(" wor") == []
        assert machine.feed("ld") == []
        assert machine.finish() == (["  world"] if options else ["world"])


def test_an_ideograph_is_emitted_as_soon_as_the_next_one_begins():
    machine = Words()
    assert machine.feed("你") == []
    assert machine.feed("好") == ["你"]
    assert machine.feed("。") == []
    assert machine.feed("a") == ["好。"]


def test_white_space_at_the_end_is_a_piece_of_the_lossless_form():
    assert words(" a b \n", keep_space=True) == [" a", " b", " \n"]
    assert words(" \n", keep_space=True) == [" \n"]


def test_a_machine_can_be_used_again_after_its_end():
    machine = Words()
    assert machine.feed("好") + machine.finish() == ["好"]
    assert machine.feed("a b") + machine.finish() == ["a", "b"]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([""], []),
        (["a"], ["a"]),
        (["a\nb\r\nc\rd"], ["a", "b", "c", "d"]),
        (["a\r", "\nb"], ["a", "b"]),
        (["a\r", "b"], ["a", "b"]),
        (["a\r"], ["a"]),
        (["\r"], [""]),
        (["\r", "\r", "\n", "\n"], ["", "", ""]),
        (["\n\n"], ["", ""]),
        (["a\n"], ["a"]),
        (["a\vb\fc\x85d\u2028e\u2029f\x1cg"], ["a\vb\fc\x85d\u2028e\u2029f\x1cg"]),  # where str.splitlines would cut
    ],
)
def test_lines(pieces: list[str], expected: list[str]):
    assert lines(*pieces) == expected
    assert "".join(lines(*pieces, keep_ends=True)) == "".join(pieces)


def test_a_carriage_return_waits_for_its_line_feed():
    machine = Lines(keep_ends=True)
    assert machine.feed("a\r") == []
    assert machine.feed("") == []
    assert machine.feed("\nb\n") == ["a\r\n", "b\n"]
    assert machine.feed("c\r") == []
    assert machine.finish() == ["c\r"]
