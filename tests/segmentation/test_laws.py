"""What holds for every machine that takes text in pieces: split as you like, nothing lost, no cluster cut, linear."""

import sys
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from typing import Protocol

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rxstream.segmentation._graphemes import Graphemes
from rxstream.segmentation._lines import Lines
from rxstream.segmentation._sentences import Sentences
from rxstream.segmentation._words import Words
from tests.thinned import tries


class Machine(Protocol):
    def feed(self, text: str) -> list[str]: ...
    def finish(self) -> list[str]: ...


LOSSLESS: dict[str, Callable[[], Machine]] = {
    "graphemes": Graphemes,
    "words": partial(Words, keep_space=True),
    "lines": partial(Lines, keep_ends=True),
    "sentences": partial(Sentences, keep_space=True),
}
BARE: dict[str, Callable[[], Machine]] = {"words": Words, "lines": Lines, "sentences": Sentences}
EVERY = [*(pytest.param(make, id=f"{name}-lossless") for name, make in LOSSLESS.items())]
EVERY += [*(pytest.param(make, id=f"{name}-bare") for name, make in BARE.items())]

TOKENS = [
    *"aAbBI1. !?…。！？।\"'`*_~#|>-+()[]「」«»”“",
    *"\n\r\t你好かカーกำเក한\u0301\u0903\ufe0f\u200d\u200c\u200b\u0600\u00a0क",
    *("Dr.", "e.g.", "U.S.", "The ", "3.14", "No. ", "etc", "...", "```", "~~~", "- ", "1. ", "a) ", "## "),
    *("\r\n", "\n\n", "  ", "Hello", " world", "iPhone", "क्ष", "\u094d", "👩‍👩‍👧", "🇩🇪", "🇫", "👍🏽"),
    *("\ud83d", "\ude00", "http://a.b/c?d"),
    *("<", "<b", "<b>", "</i>", "</p>", "<br/>", ' c="d. E">', "is.The "),
]  # fmt: skip
texts = st.lists(st.sampled_from(TOKENS), max_size=20).map("".join)
splits = st.lists(st.integers(0, 40), max_size=12)


def pieces(text: str, cuts: list[int]) -> list[str]:
    ends = sorted({cut for cut in cuts if cut < len(text)} | {len(text)})
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def run(make: Callable[[], Machine], parts: list[str]) -> list[str]:
    machine = make()
    return [segment for part in parts for segment in machine.feed(part)] + machine.finish()


@pytest.mark.parametrize("make", EVERY)
@given(text=texts, cuts=splits)
@example(text="। ्क", cuts=[1, 2, 3])
@example(text="a\r\n\r\nb", cuts=[2, 4])
@example(text="- \n```` a`b\n```` \nU.S. The.", cuts=[1, 5])
@settings(max_examples=tries(80, 250), deadline=None)
def test_the_segments_do_not_depend_on_the_split(make: Callable[[], Machine], text: str, cuts: list[int]):
    whole = run(make, [text])
    assert run(make, pieces(text, cuts)) == whole
    assert run(make, list(text)) == whole
    assert all(whole) or make in (Lines, LOSSLESS["lines"])


@pytest.mark.parametrize("make", LOSSLESS.values(), ids=LOSSLESS.keys())
@given(text=texts)
@settings(max_examples=tries(80, 250), deadline=None)
@example(text="One.</p>\u0301 Two. </p>\u0301Three.")
def test_nothing_is_lost_and_no_cluster_is_split(make: Callable[[], Machine], text: str):
    segments = run(make, [text])
    assert "".join(segments) == text
    if not regex.search(r"[\ud800-\udfff]", text):  # of which the annex, and the regex module, do not speak
        assert {0, *accumulate(map(len, segments))} <= {0, *(match.end() for match in regex.finditer(r"\X", text))}


@pytest.mark.parametrize("name", ["words", "sentences"])
@given(text=texts)
@settings(max_examples=tries(80, 250), deadline=None)
def test_the_bare_form_is_the_lossless_one_without_white_space_around(name: str, text: str):
    bare = run(BARE[name], [text])
    full = [segment for segment in run(LOSSLESS[name], [text]) if segment.strip(" \n\r\t\u200b\u00a0")]
    assert [segment.strip(" \n\r\t\u200b\u00a0") for segment in bare if segment.strip(" \n\r\t\u200b\u00a0")] == [
        segment.strip(" \n\r\t\u200b\u00a0") for segment in full
    ]


@given(text=texts, more=texts)
@settings(deadline=None)
def test_emitted_segments_do_not_change(text: str, more: str):
    for make in LOSSLESS.values():
        machine = make()
        given_out = machine.feed(text)
        assert run(make, [text + more])[: len(given_out)] == given_out


LONG = {
    "a word": "a",
    "spaces": " ",
    "dots": ".",
    "spaced dots": ". ",
    "exclamations": "!",
    "quotes": '"',
    "brackets": "(",
    "ticks": "`",
    "line feeds": "\n",
    "carriage returns": "\r",
    "marks": "\u0301",
    "emoji": "👩\u200d",
    "flags": "🇩",
    "ideographs": "你",
    "wide stops": "。",
    "conjuncts": "क\u094d",
    "numbers": "1",
    "list marks": "- ",
    "stars": "*",
    "angles": "<",
    "tags": "<b>",
    "tags after a stop": ".</b>",
    "lines of tags": ". <br>\n",
    "an open tag": "<a b=' ",
    "prose": "The U.S. army e.g. is here. ",
}


@pytest.mark.parametrize("unit", LONG.values(), ids=LONG.keys())
@pytest.mark.parametrize("make", EVERY)
def test_the_work_for_a_character_does_not_grow(make: Callable[[], Machine], unit: str):
    """Counted: calls, and the length of every text the machine carries from one piece to the next as one string."""
    prefix = "```\n" if unit == "`" else "x"

    def calls(length: int) -> int:
        text = prefix + unit * (length // len(unit))
        machine = make()
        count = 0

        def note(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(note)
        try:
            for character in text:
                machine.feed(character)
        finally:
            sys.setprofile(None)
        assert all(len(value) <= 24 for value in vars(machine).values() if isinstance(value, str))
        assert all(len(piece) <= 32 for value in vars(machine).values() if isinstance(value, list) for piece in value)
        return count

    calls(400)  # the caches are filled
    assert calls(1600) <= 2.2 * calls(800)


@pytest.mark.parametrize("make", LOSSLESS.values(), ids=LOSSLESS.keys())
def test_a_text_without_an_end_one_character_at_a_time(make: Callable[[], Machine]):
    """250,000 characters, and with `RXSTREAM_ALL` a million. If each cost as much as all before, neither would end."""
    machine = make()
    length = tries(250_000, 1_000_000)
    if isinstance(machine, Graphemes):
        machine.feed("a")
        text = "\u0301" * length
    else:
        text = "a" * length
    for character in text:
        machine.feed(character)
    assert sum(map(len, machine.finish())) >= len(text)
