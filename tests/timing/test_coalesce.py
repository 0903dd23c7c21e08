"""Fewer and larger pieces of the same text."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rxstream.events import StreamingEvent
from rxstream.timing._coalesce import Coalesce
from rxstream.timing._merge import merge, mergeable
from tests.event_builders import make_event, say


def texts(values: list[Any]) -> list[str]:
    return [getattr(value, "delta", value if isinstance(value, str) else value.type) for value in values]


def play(core: Coalesce[Any], timed: list[tuple[float, Any]]) -> list[tuple[float, Any]]:
    """What a core says when values come at their times and its timer fires when it is due."""
    seen: list[tuple[float, Any]] = []
    for now, value in timed:
        while core.due is not None and core.due <= now:
            due = core.due
            seen += [(due, output) for output in core.tick(due)]
        seen += [(now, output) for output in core.feed(value, now)]
    end = timed[-1][0] if timed else 0.0
    return seen + [(end, output) for output in core.finish(end)]


# ---------------------------------------------------------------------- what may be merged


def test_only_text_deltas_of_one_part_merge():
    a, b, other_part, other_item, refusal = say("a b 0.1:c 1:d r:e")
    assert mergeable(a, b)
    assert not mergeable(a, other_part)
    assert not mergeable(a, other_item)
    assert not mergeable(a, refusal)
    assert mergeable("a", "b")
    assert not mergeable("a", a)
    assert not mergeable(3, 4)


def test_what_is_no_text_does_not_merge_with_its_like():
    audio = make_event("response.audio.delta", delta="QUJD")
    printed = make_event(
        "response.shell_call_output_content.delta", output_index=0, command_index=0, delta={"stdout": "a"}
    )
    keepalive, unknown = say("H U:acme:delta")
    for value in (audio, printed, keepalive, unknown):
        assert not mergeable(value, value)


def test_a_merged_delta_is_the_last_with_all_the_text_and_logprobs():
    def delta(number: int, text: str) -> StreamingEvent:
        logprobs = [{"token": text, "logprob": -0.5, "bytes": [], "top_logprobs": []}]
        return make_event(
            "response.output_text.delta", sequence_number=number, item_id="m", delta=text, logprobs=logprobs
        )

    merged: Any = merge([delta(4, "a"), delta(5, "b")])
    assert (merged.sequence_number, merged.delta, [entry.token for entry in merged.logprobs]) == (5, "ab", ["a", "b"])


# ---------------------------------------------------------------------- when it lets go


def test_the_time_runs_from_the_first_delta_and_is_not_put_off():
    core: Coalesce[Any] = Coalesce(1.0, None)
    seen = play(core, [(0.0, "a"), (0.9, "b"), (1.1, "c"), (5.0, "d")])
    assert seen == [(1.0, "ab"), (2.1, "c"), (5.0, "d")]


def test_one_delta_alone_is_the_very_one_that_came():
    (one,) = say("a")
    ((_, seen),) = play(Coalesce(1.0, None), [(0.0, one)])
    assert seen is one


def test_whatever_is_no_delta_passes_at_once_behind_what_is_held():
    core: Coalesce[Any] = Coalesce(1.0, None)
    created, a, b, done, keepalive = say("C a b D H")
    assert texts(list(core.feed(created, 0.0))) == ["response.created"]
    assert not core.feed(a, 0.1)
    assert not core.feed(b, 0.2)
    assert texts(list(core.feed(done, 0.3))) == ["ab", "response.output_text.done"]
    assert core.due is None
    assert texts(list(core.feed(keepalive, 0.4))) == ["keepalive"]


def test_parts_that_interleave_keep_their_order():
    seen = play(Coalesce(1.0, None), [(0.0, one) for one in say("a b 1:c 1:d e r:f")])
    assert texts([value for _, value in seen]) == ["ab", "cd", "e", "f"]


def test_no_merged_delta_is_longer_than_max_chars():
    seen = play(Coalesce(1.0, 4), [(0.0, "ab"), (0.0, "c"), (0.0, "de"), (0.0, "fgh"), (0.0, "ijklmn"), (0.0, "o")])
    assert texts([value for _, value in seen]) == ["abc", "de", "fgh", "ijklmn", "o"]


def test_max_chars_do_not_wait():
    core: Coalesce[Any] = Coalesce(1.0, 3)
    assert not core.feed("ab", 0.0)
    assert list(core.feed("c", 0.0)) == ["abc"]
    assert core.due is None


def test_an_error_is_preceded_by_what_is_held():
    core: Coalesce[Any] = Coalesce(1.0, None)
    core.feed("a", 0.0)
    assert list(core.fail(0.1)) == ["a"]
    assert core.due is None


tokens = st.lists(st.sampled_from(["a", "bb", "1:c", "r:d", "H", "D", "1D", "s:e"]), max_size=30)


@given(tokens, st.lists(st.floats(0, 0.5), min_size=30, max_size=30), st.sampled_from([None, 1, 3]))
def test_nothing_is_lost_and_nothing_overtakes(row: list[str], gaps: list[float], max_chars: int | None):
    now = 0.0
    timed: list[tuple[float, Any]] = []
    for gap, one in zip(gaps, say(" ".join(row)), strict=False):
        now += gap
        timed.append((now, one))
    seen = play(Coalesce(0.4, max_chars), timed)
    assert joined([value for _, value in seen]) == joined([value for _, value in timed])
    assert [at for at, _ in seen] == sorted(at for at, _ in seen)
    came = {one.sequence_number: at for at, one in timed}
    for at, one in seen:
        assert at - came[one.sequence_number] <= 0.4 + 1e-9
        assert max_chars is None or len(getattr(one, "delta", "")) <= max(max_chars, 2)


def joined(values: list[StreamingEvent]) -> list[object]:
    """The stream with runs of deltas of one part written as one."""
    runs: list[Any] = []
    for value in values:
        place = (value.type, getattr(value, "output_index", None))
        if runs and hasattr(value, "delta") and runs[-1][0] == place:
            runs[-1] = (place, runs[-1][1] + value.delta)
        else:
            runs.append((place, getattr(value, "delta", None)))
    return runs
