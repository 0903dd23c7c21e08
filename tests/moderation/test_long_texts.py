"""Long streams of short deltas, and graphemes without an end: linear, and decided by `max_buffer` alone."""

from typing import Any

import pytest

from tests.moderation._moderated import PIECE, SECRET, assert_hidden, flagged, last, moderated, passes, whole_answer
from tests.thinned import tries

MARKS = "a" + "\u0301" * 16_000


@pytest.mark.parametrize("mode", ["hold", "bounded", "optimistic"])
@pytest.mark.parametrize("pieces", [1, 300, len(MARKS)])
def test_a_grapheme_of_16000_marks_passes_as_it_is(mode: Any, pieces: int):
    size = -(-len(MARKS) // pieces)
    texts = [MARKS[start : start + size] for start in range(0, len(MARKS), size)]
    seen = moderated(whole_answer(*texts), passes, mode=mode, gap=0.0001)
    assert seen.ended == "|"
    assert seen.texts()[0, 0, "text"] == MARKS


def test_a_secret_behind_a_grapheme_without_an_end_does_not_get_out():
    assert_hidden(moderated(whole_answer(*MARKS[:9_000], *SECRET), gap=0.0001), size=PIECE)


@pytest.mark.parametrize(
    ("mode", "action", "size"),
    [("hold", "cut", tries(40_000, 100_000)), ("bounded", "error", 40_000), ("hold", "pass", 40_000)],
)
def test_with_many_deltas_and_late_verdicts_max_buffer_decides(mode: Any, action: Any, size: int):
    """The checks answer after the source has ended; the source cannot be paused."""
    many = "x " * (size // 2)
    seen = moderated(whole_answer(*many), passes, delay=2.5, gap=0.00001, mode=mode, on_check_error=action)
    text = seen.texts().get((0, 0, "text"), "")
    if action == "pass":
        assert text == many
        assert last(seen).type == "response.completed"
        return
    assert flagged(seen).cause == "overflow"
    assert len(text) == (300 if mode == "bounded" else 0)
    assert last(seen).type == "response.incomplete"
    assert seen.ended == ("#" if action == "error" else "|")
    assert last(seen).response.output_text == ""  # bounded: what was shown was retracted
