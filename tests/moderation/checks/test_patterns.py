"""`undecided`, compared with every text that can follow."""

import itertools
import re

from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from rxstream.moderation.checks._patterns import search_pattern
from tests.thinned import tries

ALPHABET = "ab "
ENDINGS = ["".join(letters) for size in range(1, 4) for letters in itertools.product(ALPHABET, repeat=size)]

atoms = st.sampled_from(["a", "b", " ", "ab", ".", "[ab]", "[^a]", r"\w", r"\W", r"\s", "[A-Z]", r"\b", r"\B"])
behind = st.sampled_from(["(?<=a)", "(?<!b)", "(?<=ab)", r"(?<=\ba)", r"(?<!\B )", "(?<=(?=ab)a)"])


def larger(patterns: st.SearchStrategy[str], *, bounded: bool) -> st.SearchStrategy[str]:
    counts = ["?", "{1,2}", "{0,2}?", "{1,2}+", *([] if bounded else ["*", "+", "*?", "++", "{2,}"])]
    return st.one_of(
        st.builds("{}{}".format, patterns, patterns),
        st.builds("(?:{}|{})".format, patterns, patterns),
        st.builds("(?:{}){}".format, patterns, st.sampled_from(counts)),
        st.builds("(?>{})".format, patterns),
        st.builds("(?i:{})".format, patterns),
    )


assertion = st.recursive(atoms, lambda inner: larger(inner, bounded=True), max_leaves=4)
ahead = st.builds("(?{}{})".format, st.sampled_from("=!"), assertion)
plain = st.recursive(st.one_of(atoms, ahead, behind), lambda inner: larger(inner, bounded=False), max_leaves=6)
grouped = st.builds("({}){}(?:\\1|{})".format, plain, plain, plain)
conditional = st.builds("({})?{}(?(1){}|{})".format, plain, plain, plain, plain)


def match_at(pattern: re.Pattern[str], text: str, at: int) -> tuple[int, int] | None:
    found = pattern.match(text, at)
    return found.span() if found and found[0] else None


@settings(max_examples=tries(150, 500), deadline=None)
@example(r"(a)a(?:\1|(?:.)*?(?<=ab))", 0, "aa ")  # a lazy repeat before a lookbehind
@given(st.one_of(plain, grouped, conditional), st.sampled_from([0, re.IGNORECASE]), st.text(ALPHABET, max_size=6))
def test_no_text_that_follows_changes_a_decided_match(source: str, flags: int, text: str):
    pattern = re.compile(source, flags)
    try:
        found = search_pattern(pattern, "it")
    except ValueError:  # it matches no text
        reject()
    matches = [match_at(pattern, text, at) for at in range(len(text))]
    assert list(found.spans(text, 10)) == [span for span in matches if span]
    undecided = found.undecided(text, 10)
    for ending in ENDINGS:
        for at, span in enumerate(matches):
            later = match_at(pattern, text + ending, at)
            if at < undecided:
                assert later == span, ending
            elif found.stable and span:
                assert later, ending
