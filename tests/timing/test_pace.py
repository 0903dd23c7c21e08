"""Even output out of bursts, and the units it is made of."""

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstream.events import StreamingEvent
from rxstream.segmentation._units import splitter_of
from rxstream.timing._pace import Pace
from tests.event_builders import make_event, say

# ---------------------------------------------------------------------- units


def units(unit: Any, *pieces: str) -> list[str]:
    splitter = splitter_of(unit)()
    return [one for piece in pieces for one in splitter.feed(piece)] + splitter.finish()


@pytest.mark.parametrize(
    ("unit", "pieces", "expected"),
    [
        ("word", ["one t", "wo  three"], ["one", " two", "  three"]),
        ("word", ["東京", "です。"], ["東", "京", "で", "す。"]),
        ("char", ["ae\u0301", "👩\u200d", "👧!"], ["a", "e\u0301", "👩\u200d👧", "!"]),
        ("line", ["a\nb", "c\r\n", "d"], ["a\n", "bc\r\n", "d"]),
        (r"\S+\s*", ["ab c", "d  e"], ["ab ", "cd  ", "e"]),
        (re.compile(r"[.!?]"), ["Hm. Ye", "s! No"], ["Hm.", " Yes!", " No"]),
        (re.compile(r"x*"), ["axxb"], ["axx", "b"]),
        (lambda text: 2 if len(text) >= 2 else None, ["abc", "de"], ["ab", "cd", "e"]),
        (lambda text: text.find(",") + 1, ["a,b", "c,d"], ["a,", "bc,", "d"]),
    ],
)
def test_text_is_cut_into_units(unit: Any, pieces: list[str], expected: list[str]):
    assert units(unit, *pieces) == expected


@given(
    st.lists(st.text("ab \n.,👩\u200d👧e\u0301東", max_size=5), max_size=12),
    st.sampled_from(["word", "char", "line", r"\w+\W*", r"[.,]"]),
)
def test_the_units_join_to_the_text(pieces: list[str], unit: str):
    assert "".join(units(unit, *pieces)) == "".join(pieces)


def test_a_unit_without_an_end_is_cut_for_the_cost_of_it():
    assert [len(one) for one in units("\n", "x" * 10_000)] == [4096, 4096, 1808]


def test_a_unit_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="'word', 'char', 'line'"):
        splitter_of("words")
    with pytest.raises(ValueError, match="is not a regular expression"):
        splitter_of("[a")
    with pytest.raises(TypeError):
        splitter_of(3)  # type: ignore[arg-type]


def test_a_function_that_lies_about_the_length_is_told_so():
    splitter = splitter_of(lambda text: len(text) + 1)()
    with pytest.raises(ValueError, match=r"the unit function must return a length.*got 4"):
        splitter.feed("abc")


# ---------------------------------------------------------------------- time


def play(core: Pace[Any], timed: list[tuple[float, Any]], *, end: float | None = None) -> list[tuple[float, Any]]:
    """What a core says when values come at their times, its timer fires when it is due, and the source completes."""
    seen: list[tuple[float, Any]] = []

    def until(moment: float) -> None:
        while core.due is not None and core.due <= moment:
            due = core.due
            seen.extend((round(due, 6), output) for output in core.tick(due))

    for now, value in timed:
        until(now)
        seen += [(now, output) for output in core.feed(value, now)]
    over = timed[-1][0] if end is None and timed else end or 0.0
    until(over)
    seen += [(over, output) for output in core.finish(over)]
    until(float("inf"))
    return seen


def pace(unit: Any = "word", rate: float = 10, max_lag: float = 10, **options: bool) -> Pace[Any]:
    return Pace(splitter_of(unit), rate, max_lag, **options)


def test_a_burst_leaves_at_the_rate():
    assert play(pace(), [(0.0, "one two three four ")], end=1.0) == [
        (0.0, "one"),
        (0.1, " two"),
        (0.2, " three"),
        (0.3, " four"),
        (1.0, " "),
    ]


def test_a_slow_source_is_not_made_slower():
    seen = play(pace(), [(float(second), f"w{second} ") for second in range(4)], end=4.0)
    assert seen == [(0.0, "w0"), (1.0, " w1"), (2.0, " w2"), (3.0, " w3"), (4.0, " ")]


def test_a_unit_that_comes_early_waits_for_its_turn():
    seen = play(pace(), [(0.0, "a "), (0.03, "b "), (0.5, "c ")], end=1.0)
    assert [at for at, _ in seen] == [0.0, 0.1, 0.5, 1.0]


def test_no_character_leaves_later_than_max_lag():
    text = " ".join(f"w{number}" for number in range(101)) + " "
    seen = play(pace(max_lag=1.0), [(0.0, text)], end=5.0)
    times = [at for at, _ in seen[:-1]]
    assert times[-1] == pytest.approx(1.0)
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert min(steps) == pytest.approx(0.01, abs=1e-5)
    assert max(steps) == pytest.approx(0.01, abs=1e-5)


def test_once_the_backlog_is_gone_the_rate_is_as_before():
    burst = " ".join(["b"] * 50) + " "
    seen = play(pace(max_lag=1.0), [(0.0, burst), (3.0, "c d e ")], end=9.0)
    assert seen[50:] == [(1.0, " "), (3.0, "c"), (3.1, " d"), (3.2, " e"), (4.0, " ")]


def test_a_word_that_might_still_grow_waits_but_not_for_ever():
    core = pace(max_lag=0.5)
    assert play(core, [(0.0, "inter"), (0.2, "national")], end=3.0) == [(0.5, "international")]
    assert play(pace(max_lag=0.5), [(0.0, "inter"), (0.7, "national")], end=3.0) == [(0.5, "inter"), (1.2, "national")]


def test_at_the_end_what_waits_leaves_within_a_quarter_of_a_second():
    seen = play(pace(), [(0.0, "one two three four five six")], end=0.05)
    times = [at for at, _ in seen]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(0.3)
    assert "".join(text for _, text in seen) == "one two three four five six"


def test_at_the_end_the_rate_may_stay():
    seen = play(pace(keep_rate_at_end=True), [(0.0, "one two three four five six")], end=0.05)
    assert [at for at, _ in seen] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert "".join(text for _, text in seen) == "one two three four five six"


def test_the_rate_stays_at_the_end_within_max_lag():
    seen = play(pace(keep_rate_at_end=True, max_lag=0.4), [(0.0, "one two three four five six")], end=0.05)
    assert [at for at, _ in seen] == pytest.approx([0.0, 0.1, 0.175, 0.25, 0.325, 0.4])


@pytest.mark.parametrize("keep", [False, True])
def test_what_follows_the_text_at_the_end_waits_for_it(keep: bool):
    seen = play(pace(keep_rate_at_end=keep), [(0.0, one) for one in say("one_two_three K")], end=0.0)
    assert seen[-1][1].type == "response.completed"
    assert seen[-1][0] == seen[-2][0]


def test_the_end_does_not_make_anything_later_than_max_lag():
    seen = play(pace(rate=1, max_lag=0.2), [(0.0, "a b c d ")], end=0.15)
    assert seen[-2][0] <= 0.2 + 1e-6


def test_without_lag_it_only_cuts():
    assert play(pace(max_lag=0), [(0.0, "a b c")], end=1.0) == [(0.0, "a"), (0.0, " b"), (0.0, " c")]


def test_an_error_lets_everything_go():
    core = pace()
    core.feed("one two thr", 0.0)
    assert list(core.fail(0.01)) == [" two", " thr"]


def test_a_late_timer_catches_up_a_little_and_spreads_the_rest():
    core = pace(rate=100, max_lag=10)
    core.feed("w " * 30, 0.0)
    late = list(core.tick(1.0))
    assert len(late) == 6  # those of the last 0.05 s
    assert core.due == pytest.approx(1.01)


# ---------------------------------------------------------------------- events


def short(seen: list[tuple[float, Any]]) -> list[tuple[float, Any]]:
    return [(at, getattr(one, "delta", None) or one.type.removeprefix("response.")) for at, one in seen]


def test_events_wait_for_the_text_before_them_and_take_no_time():
    events = [(0.0, one) for one in say("C one_two_three D E 1:next K")]
    seen = short(play(pace(), events, end=2.0))
    assert seen == [
        (0.0, "created"),
        (0.0, "one"),
        (0.1, " two"),
        (0.2, " three"),
        (0.2, "output_text.done"),
        (0.2, "content_part.done"),
        (0.3, "next"),
        (0.3, "completed"),
    ]


def test_units_of_one_delta_are_numbered_only_where_it_ends():
    def delta(number: int, text: str) -> StreamingEvent:
        logprobs = [{"token": text, "logprob": -0.5, "bytes": [], "top_logprobs": []}]
        return make_event(
            "response.output_text.delta", sequence_number=number, item_id="m", delta=text, logprobs=logprobs
        )

    deltas = [delta(1, "one"), delta(2, " tw"), delta(3, "o three four"), delta(4, " five")]
    seen = [one for _, one in play(pace(), [(0.0, one) for one in deltas], end=9.0)]
    told = [(one.delta, one.sequence_number, [entry.token for entry in one.logprobs]) for one in seen]
    assert told == [
        ("one", 1, ["one"]),
        (" two", None, [" tw"]),
        (" three", None, []),
        (" four", 3, ["o three four"]),
        (" five", 4, [" five"]),
    ]
    assert seen[0] is deltas[0]


def test_parts_are_paced_together_but_never_mixed():
    seen = short(play(pace(), [(0.0, one) for one in say("a_b 1:c_d e")], end=9.0))
    assert [text for _, text in seen] == ["a", " b", "c", " d", "e"]


def test_an_empty_delta_is_nothing():
    assert play(pace(), [(0.0, ""), (0.0, "a"), (0.0, "")], end=1.0) == [(1.0, "a")]


pieces = st.sampled_from(["a", "bb ", " c", "d e f ", "\n", "ghi jkl mno pqr stu vwx yz "])


@given(
    st.lists(st.tuples(st.floats(0, 0.3), pieces), min_size=1, max_size=40),
    st.sampled_from(["word", "char", "line"]),
    st.sampled_from([2.0, 20.0, 200.0]),
    st.sampled_from([0.1, 0.5, 2.0]),
)
def test_it_is_all_there_in_order_and_in_time(
    arrivals: list[tuple[float, str]], unit: str, rate: float, max_lag: float
):
    now = 0.0
    timed: list[tuple[float, Any]] = []
    came: list[float] = []
    for gap, text in arrivals:
        now += gap
        timed.append((now, text))
        came += [now] * len(text)
    seen = play(pace(unit, rate, max_lag), timed)
    assert "".join(text for _, text in seen) == "".join(text for _, text in timed)
    left = [at for at, text in seen for _ in text]
    assert left == sorted(left)
    for came_at, left_at in zip(came, left, strict=True):
        assert came_at - 1e-6 <= left_at <= came_at + max_lag + 1e-5


@given(st.lists(st.tuples(st.floats(0, 0.3), st.sampled_from(["a_", "b", "1:c_d_e", "r:f", "H", "D"])), max_size=40))
def test_events_keep_their_order(arrivals: list[tuple[float, str]]):
    now = 0.0
    timed: list[tuple[float, Any]] = []
    for (gap, _), one in zip(arrivals, say(" ".join(token for _, token in arrivals)), strict=True):
        now += gap
        timed.append((now, one))
    seen = [one for _, one in play(pace(max_lag=1.0), timed)]
    assert outline(seen) == outline([one for _, one in timed])


def outline(events: list[Any]) -> list[Any]:
    runs: list[Any] = []
    for one in events:
        place = (one.type, getattr(one, "output_index", None))
        if hasattr(one, "delta") and runs and runs[-1][0] == place:
            runs[-1] = (place, runs[-1][1] + one.delta)
        else:
            runs.append((place, getattr(one, "delta", None)))
    return runs
