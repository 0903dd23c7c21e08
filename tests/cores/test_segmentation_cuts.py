"""Where a window is cut."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxstream.cores._cuts import Boundary, Cuts, cut_point
from rxstream.cores._graphemes import is_boundary

TEXT = "One two. Three four! Five\nsix seven"


@pytest.mark.parametrize(
    ("boundary", "limit", "taken"),
    [
        ("sentence", None, "One two. Three four!"),
        ("sentence", 20, "One two. Three four!"),
        ("sentence", 19, "One two."),
        ("sentence", 8, "One two."),
        ("sentence", 7, "One two"[:3]),  # no sentence end within reach: a word end
        ("sentence", 2, "On"),  # nor a word end: a cluster
        ("word", None, "One two. Three four! Five\nsix"),
        ("word", 12, "One two."),
        ("word", 14, "One two. Three"),
        ("line", None, "One two. Three four! Five\n"),
        ("line", 25, "One two. Three four! Five"),
        (None, None, TEXT[:-1]),  # the last cluster may still grow
        (None, 5, "One t"),
        (lambda text: text.find("!"), None, "One two. Three four"),
        (lambda text: None, 14, "One two. Three"),
        (lambda text: len(text) + 9, 5, "One t"),
        (lambda text: -3, 5, "One"),
    ],
)
def test_the_best_place_within_reach(boundary: Boundary, limit: int | None, taken: str):
    assert TEXT[: cut_point(TEXT, boundary, limit)] == taken


def test_a_cut_below_the_least_is_passed_over():
    assert cut_point("Hi. a longer one", "sentence", 12, at_least=6) == len("Hi. a longer")
    assert cut_point("Hi. " + "x" * 20, "sentence", 12, at_least=6) == 12


def test_when_the_text_is_finished_all_of_it_goes():
    assert cut_point(TEXT, "sentence", final=True) == len(TEXT)
    assert cut_point(TEXT, "sentence", 20, final=True) == 20
    assert cut_point("", "sentence", final=True) == 0


@pytest.mark.parametrize("boundary", ["sentence", "word", "line", None, len])
def test_never_inside_a_cluster(boundary: Boundary):
    family = "👩‍👩‍👧"
    assert cut_point("ab" + family, boundary, 4) == 2
    assert cut_point("ab" + family, boundary) == 2
    assert cut_point(family + "x", boundary, 3) == 0
    assert cut_point("e\u0301", boundary, 1) == 0


def test_an_unknown_boundary_is_refused_at_once():
    with pytest.raises(ValueError, match="'sentence', 'word', 'line'"):
        Cuts("paragraph")  # type: ignore[arg-type]


def test_cuts_follow_a_text_that_is_taken_in_windows():
    cuts = Cuts("sentence")
    held = ""
    taken: list[str] = []
    for piece in ("It is `a. B", "`. Dr. Smi", "th came. And we", "nt. He"):
        cuts.feed(piece)
        held += piece
        at = cuts.cut(held, 14)
        taken.append(held[:at])
        held = held[at:]
        cuts.take(at)
    cuts.finish()
    while held:
        at = cuts.cut(held, 14)
        taken.append(held[:at])
        held = held[at:]
        cuts.take(at)
    assert taken == ["It is `a.", " B`.", " Dr. Smith", " came.", " And went. He"]


texts = st.text(st.sampled_from("aB .!?\n\r。你`-\u0301👩\u200d🇩1"), max_size=60)
boundary_names = st.sampled_from(["sentence", "word", "line", None])


@given(texts, boundary_names, st.integers(1, 20), st.integers(1, 8), st.integers(1, 9))
@settings(max_examples=300, deadline=None)
def test_windows_never_exceed_the_limit_lose_nothing_and_cut_no_cluster(
    text: str, boundary: Boundary, limit: int, at_least: int, size: int
):
    cuts = Cuts(boundary)
    mark = fed = 0

    def take() -> None:
        nonlocal mark
        at = cuts.cut(text[mark : min(fed, mark + limit + 1)], limit, at_least=at_least)
        assert 0 <= at <= limit
        assert is_boundary(text, mark + at)
        cuts.take(at)
        mark += at

    for start in range(0, len(text), size):
        cuts.feed(text[start : start + size])
        fed = min(start + size, len(text))
        take()
    cuts.finish()
    for _ in text:
        take()
    if max(map(len, _clusters(text)), default=0) <= limit:
        assert mark == len(text)


def _clusters(text: str) -> list[str]:
    ends = [index for index in range(len(text) + 1) if is_boundary(text, index)]
    return [text[start:end] for start, end in pairwise(ends)]
