"""`Blocklist`: its matches, their spans, and its holdback."""

import random
import re
from typing import Any

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from rxstream.moderation import Blocklist, Verdict, Window
from rxstream.testing import moderation_laws
from tests.event_builders import make_event
from tests.moderation._moderated import moderated, of_type, whole_answer
from tests.thinned import tries

keepalive = make_event("keepalive")


@pytest.mark.parametrize(
    ("entry", "text", "kept"),
    [
        ("hunter2", "it is hunter", "hunter"),
        ("hunter2", "it is HUNTER", "HUNTER"),
        ("hunter2", "it is hunting", ""),
        ("secretary", "my secr", "secr"),
        ("é", "cafe", "e"),  # two characters where the accent is written apart
        (re.compile(r"sk-[A-Za-z0-9]{8,64}"), "ask", "sk"),
        (re.compile(r"\d{3}-\d{4}"), "12 or 345-67", "345-67"),
        (re.compile(r"\d+"), "12 or 345", "345"),
        (re.compile(r"a.*b"), "b\nsay ca", "ay ca"),
        (re.compile(r"(ab|c){2}\1"), "cabc", "abc"),
        (re.compile(r"(?i:straße)"), "STRA", "STRA"),
        (re.compile(r"(?<=user: )\w{1,20}"), "all user: ", "user: "),
        (re.compile(r"key(?!=x{3})"), "my key=", "key="),
        (re.compile(r"\bass\b"), "no ", " "),  # it may be what is before a match
        (re.compile(r"\bass\b"), "my ass", " ass"),
        (regex.compile(r"\p{Lu}{3,}"), "the AB", "AB"),
    ],
)
def test_the_beginning_of_a_possible_match_is_held_back(entry: Any, text: str, kept: str):
    verdict = Blocklist([entry])(Window(text))
    assert text[len(text) - verdict.holdback :] == kept
    assert Blocklist(["x" * 100, entry])(Window(text)).holdback == len(kept)
    assert Blocklist([entry])(Window(text, final=True)).holdback == 0


def test_an_empty_list_flags_nothing_and_holds_back_nothing():
    assert Blocklist([])(Window("anything")) == Verdict(False)


@pytest.mark.parametrize("pattern", [r"(?=a*)b", r"(?=\d+x)\d", r"a(?!.{3,}b)", r"(a)b(?=\1)"])
def test_an_assertion_without_a_greatest_length_is_an_error(pattern: str):
    with pytest.raises(ValueError, match=r"no greatest length|without a greatest length.*\\d\{1,20\}"):
        Blocklist(["fine", re.compile(pattern)])


@pytest.mark.parametrize(
    "pattern", [r"a\Kb", r"\X", r"a(?R)?b", r"(?:abc){e<=1}", r"(?|a|b)", r"\mword", r"(?<=a+)b", r"a(*SKIP)b"]
)
def test_syntax_that_only_regex_has_is_an_error(pattern: str):
    with pytest.raises(ValueError, match=r"expected the syntax of re|without a greatest length"):
        Blocklist([regex.compile(pattern)])


@pytest.mark.parametrize("flag", [regex.REVERSE, regex.VERSION1, regex.BESTMATCH, regex.WORD, regex.FULLCASE])
def test_flags_that_only_regex_has_are_errors(flag: int):
    with pytest.raises(ValueError, match="use the flags of re"):
        Blocklist([regex.compile("ab", flag)])


@pytest.mark.parametrize("pattern", [r"^a", r"a$", r"\Aa", r"a\Z", r"(?m)^a"])
def test_an_anchor_is_an_error(pattern: str):
    with pytest.raises(ValueError, match="a window has no edge of the text"):
        Blocklist([re.compile(pattern)])


@pytest.mark.parametrize("entries", [[""], [re.compile("")], [re.compile(r"\b")]])
def test_an_empty_entry_is_an_error(entries: Any):
    with pytest.raises(ValueError, match=r"is empty|matches no text"):
        Blocklist(entries)


def test_an_entry_of_another_type_is_an_error():
    with pytest.raises(TypeError, match="entry 1 of the blocklist must be a str or a compiled pattern, got bytes"):
        Blocklist(["fine", b"bytes"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="got one str"):
        Blocklist("hunter2")
    for compiled in (re.compile(b"ab"), regex.compile(b"ab")):
        with pytest.raises(TypeError, match="compile it from a str"):
            Blocklist([compiled])  # type: ignore[list-item]


def test_words_are_found_anywhere_in_any_case_and_either_form():
    block = Blocklist(["hunter2", "café"])
    assert block(Window("myHUNTER2!")).spans == ((2, 9),)
    assert block(Window("un cafe\u0301 noir")).spans == ((3, 8),)
    assert block(Window("un caf\u00e9 noir")).spans == ((3, 7),)
    assert not block(Window("hunter 2")).flagged
    assert not Blocklist(["Hunter"], ignore_case=False)(Window("hunter")).flagged


HIDDEN = {
    "zero-width": "hun\u200bt\u200de\u2060r\ufeff2",
    "soft hyphens": "hun\u00adter\u00ad2",
    "full-width": "\uff28\uff35\uff2e\uff34\uff25\uff32\uff12",
    "mathematical": "\U0001d421\U0001d42e\U0001d427\U0001d42d\U0001d41e\U0001d42b\U0001d7d0",
    "circled and superscript": "\u24d7unter\u00b2",
}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize("gap", [0.001, 0.5])
def test_a_word_is_found_in_forms_that_hide_it_at_every_split(hidden: str, gap: float):
    block = Blocklist(["hunter2"])
    text = f"\u00adit is \u200b{hidden}\u200b, ok"
    start = text.index(hidden)
    assert block(Window(text, final=True)).spans == ((start, start + len(hidden)),)
    for at in range(1, len(text)):
        seen = moderated(whole_answer(text[:at], text[at:]), block, on_flag="replace", replacement="*", gap=gap)
        assert seen.texts() == {(0, 0, "text"): text.replace(hidden, "*")}, at


def test_a_zero_width_character_at_the_end_is_held_back_with_what_may_begin_a_match():
    block = Blocklist(["hunter2"])
    assert block(Window("it is hun\u200b")).holdback == 4
    assert block(Window("it is\u200b")).holdback == 0
    assert block(Window("r2", context="hunte\u00ad", start=6)).spans == ((-6, 2),)


def test_a_ligature_is_one_character_of_the_span():
    block = Blocklist(["fin"])
    assert block(Window("a \ufb01n.")).spans == ((2, 4),)
    assert block(Window("a \ufb01")).holdback == 1
    assert Blocklist(["igh"])(Window("\ufb01gh")).spans == ((0, 3),)


def test_a_word_with_characters_that_are_folded_is_found_too():
    for word in ("\uff41bc", "a\u00adbc", "abc"):
        assert Blocklist([word])(Window("x abc")).spans == ((2, 5),)
    both = Blocklist(["\u00e9t\u00e9"])
    for text in ("\u00e9t\u00e9", "e\u0301te\u0301", "\u00e9te\u0301", "e\u0301t\u00e9"):
        assert both(Window(text)).spans == ((0, len(text)),)
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert Blocklist([family])(Window(f"a {family}!")).spans == ((2, 7),)


def test_a_word_of_characters_without_a_form_is_an_error():
    with pytest.raises(ValueError, match="entry 0 of the blocklist is empty, or has no visible character"):
        Blocklist(["\u200b\u00ad"])


def test_patterns_match_the_text_as_it_is():
    assert not Blocklist([re.compile("hunter")])(Window("hun\u00adter")).flagged
    assert Blocklist([re.compile("hun\u00adter")])(Window("hun\u00adter")).flagged


@pytest.mark.parametrize(
    ("pattern", "text", "shown"),
    [
        (r"(?<=user: )\w{1,20}(?=;)", "user: anna; user: bob", "user: *; user: bob"),
        (r"key(?!=x{3})", "my key=xxx or key=xx.", "my key=xxx or *=xx."),
        (r"(?<!un)safe", "unsafe, safe", "unsafe, *"),
        (r"\bass\b", "an ass, an assistant", "an *, an assistant"),
        (r"(?=secret)s\w{2}", "a secret", "a *ret"),
        (r"\d+(?!\d|%)", "12, 50%", "*, 50%"),
    ],
)
@pytest.mark.parametrize("gap", [0.001, 0.3])
def test_what_a_lookaround_looks_at_is_not_redacted(pattern: str, text: str, shown: str, gap: float):
    block = Blocklist([re.compile(pattern)])
    if pattern.startswith(r"\d+"):
        shown = re.sub(pattern, "*", text)  # of "50%" it matches the 5
    for size in range(1, 8):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        seen = moderated(whole_answer(*pieces), block, on_flag="replace", replacement="*", gap=gap)
        assert seen.texts() == {(0, 0, "text"): shown}, size


def test_spans_count_from_the_new_text_and_may_reach_back():
    block = Blocklist(["hunter2"])
    assert block(Window("ter2 is it", context="my hun")).spans == ((-3, 4),)


def test_a_match_of_an_earlier_window_is_not_reported_again():
    assert not Blocklist(["hunter2"])(Window(" and more", context="hunter2")).flagged


def test_all_overlapping_matches_are_reported():
    assert Blocklist(["aba"])(Window("ababa")).spans == ((0, 3), (2, 5))


def test_a_match_that_may_still_change_is_suspect():
    block = Blocklist([re.compile(r"\bass\b")])
    undecided = block(Window("my ass"))
    assert (undecided.flagged, undecided.suspect, undecided.spans) == (False, True, ((3, 6),))
    assert block(Window("my ass", final=True)).flagged
    for window in (Window("my assistant"), Window("istant", context="my ass", start=6)):
        assert block(window) == Verdict(False, holdback=1)
    assert block(Window(" it is", context="my ass")).spans == ((-3, 0),)


def test_a_match_that_cannot_change_waits_for_one_that_may():
    block = Blocklist([re.compile(r"\bass\b"), "secret"])
    undecided = block(Window("secret ass"))
    assert (undecided.flagged, undecided.suspect) == (False, True)
    assert block(Window("secret ass", final=True)).spans == ((0, 6), (7, 10))
    for gap in (0.001, 0.5):
        seen = moderated(whole_answer("secret ass", "istant"), block, on_flag="replace", replacement="*", gap=gap)
        assert seen.texts() == {(0, 0, "text"): "* assistant"}


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


CASES = {
    r"secret": "a secret, secretly sec",
    r"sk-[a-z0-9]{4,12}": "ask sk-abcd12 or sk-abc",
    r"\b\d{3}-\d{4}\b": "1555-1234 555-12345 555-1234",
    r"\d+": "a 12 or 3",
    r"<b>.*?</b>": "<b>one\n<b>bold</b> <b>two",
    r"(?i)pass(?:word|code)?": "pas PassWord passcode",
    r"(?<=user: )\w{1,5}": "user:anna user: anna, user: ",
    r"(?<!un)safe": "unsafe safe",
    r"key(?!=x{3})": "key=xxx key=xx key",
    r"\Bar\B": "car are cars",
    r"(a|b)\1": "abab aabb",
    r"(<)?a(?(1)>|;)": "a <a; <a> a;",
    r"[^\W\d_]{2,3}\s\w++-": "ab cd abc d--",
    r"(?x) a [ #] b  # a comment $ (": "a  ba b a#b a",
    r"x{2}{y}": "x{y}xx{y} xx{",
    r"zebra": "ze bra zebr a zeb",
}


@pytest.mark.parametrize("pattern", CASES)
@pytest.mark.parametrize("context", [0, 400])
def test_at_every_split_no_part_of_a_match_is_released(pattern: str, context: int):
    entry, text = re.compile(pattern), CASES[pattern]
    first = next((found.start() for found in entry.finditer(text) if found[0]), None)
    for at in range(1, len(text)):
        seen = moderated(whole_answer(text[:at], text[at:]), Blocklist([entry]), context=context, gap=0.5)
        shown = seen.texts().get((0, 0, "text"), "")
        assert shown == text if first is None else text[:first].startswith(shown), at


@pytest.mark.parametrize("pattern", [*CASES, r"[\s\S]{2}é", r"(?i:straße|ſ|K)", r"(?s:a.c)|(?a:\w+)", r"\x41\u0042\t?"])
def test_a_pattern_matches_what_it_matches_in_re(pattern: str):
    entry = re.compile(pattern)
    for text in [*CASES.values(), "CAFÉ café abé", "STRASSE straße STRAßE S s k", "a\nc über ABAB\t"]:
        every = [entry.match(text, at) for at in range(len(text))]
        spans = tuple(found.span() for found in every if found and found[0])
        assert Blocklist([entry])(Window(text, final=True)).spans == spans
        own = regex.compile(pattern.replace("{y", r"\{y"))
        assert Blocklist([own])(Window(text, final=True)).spans == spans


def test_the_text_before_a_context_is_not_guessed():
    block = Blocklist([re.compile(r"(?<!g)las")])
    assert block(Window("s", context="la", start=2)).flagged
    assert not block(Window("s", context="la", start=3)).flagged


def test_a_search_that_exceeds_its_timeout_is_a_failed_check():
    block = Blocklist([re.compile("(a|aa)+b")], timeout=0.01)
    text = "ab" + "a" * 60
    with pytest.raises(TimeoutError):
        block(Window(text, final=True))
    seen = moderated(whole_answer(text), block)
    (flagged,) = of_type(seen, "rxstream.moderation.flagged")
    assert flagged.cause == "check_error"
    assert seen.texts() == {}


def test_a_match_without_a_greatest_length_is_held_until_its_end():
    for pieces in (["id ", *"1" * 50, ", ok"], ["id ", "1" * 300, "2" * 900, ", ok"]):
        block = Blocklist([re.compile(r"\d+")])
        seen = moderated(whole_answer(*pieces), block, on_flag="replace", replacement="*", gap=0.5)
        assert seen.texts() == {(0, 0, "text"): "id *, ok"}


def test_more_than_max_buffer_is_not_held():
    block = Blocklist([re.compile(r"<b>[^<]*</b>")])
    seen = moderated(whole_answer("so <b>", *["x" * 100] * 30), block, max_chars=100, max_buffer=500)
    (flagged,) = of_type(seen, "rxstream.moderation.flagged")
    assert flagged.cause == "overflow"
    assert seen.texts() == {(0, 0, "text"): "so "}


def test_its_representation_and_verdicts_hold_no_entry_and_no_text():
    block = Blocklist(["hunter2", re.compile("swordfish")])
    assert repr(block) == "<Blocklist of 2 entries>"
    assert "hunter2" not in repr(block(Window("hunter2")))


ENTRIES: list[Any] = ["secret", "cafe\u0301", re.compile(r"sk-[a-z0-9]{4,12}"), re.compile(r"\b\d{3}-\d{4}\b")]
SECRETS = ["secret", "cafe\u0301", "sk-abcd1234", "555-1234"]


@settings(max_examples=tries(100, 300), deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(SECRETS), st.text(alphabet="abc sk-5. \u0301", max_size=12)), max_size=8),
    st.integers(1, 40),
    st.integers(0, 1 << 30),
)
def test_a_replaced_text_is_that_of_the_whole_text(pieces: list[str], size: int, seed: int):
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
    moderation_laws(
        Blocklist(["secret", re.compile(r"sk-[a-z0-9]{4,12}")]), secrets=["secret", "sk-abcd12"], runs=tries(2, 6)
    )


def test_the_larger_holdback_of_option_and_check_counts():
    for text, option, kept in (("abcdefgxxx", 0, 3), ("abcdefgxxx", 5, 5), ("abcdefgxxx", 1, 3), ("abcdefghij", 1, 1)):
        seen = moderated(
            [*whole_answer(text)[:4], keepalive, keepalive],
            Blocklist(["x" * 6]),
            holdback=option,
            first_chars=10,
            max_chars=10,
        )
        during = [event.delta for _, at, event in seen.emitted if event.type.endswith("delta") and at < 0.035]
        assert "".join(during) == text[: len(text) - kept]
