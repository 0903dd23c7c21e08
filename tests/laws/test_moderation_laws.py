"""The laws of a moderated stream, over random streams in virtual time."""

from collections.abc import Sequence
from typing import Any

import pytest
import reactivex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reactivex import Observable
from reactivex import operators as ops

from rxstream.events import StreamingEvent
from rxstream.moderation import Verdict, Window
from rxstream.operators import debounce_moderation
from rxstream.testing import MODERATION_LAWS, ModerationTrial, moderation_laws
from rxstream.testing.laws._moderation_judges import secret_judge
from rxstream.testing.laws._moderation_runs import TEXTS
from rxstream.testing.laws._moderation_script import TimedDelta, answer_of, place_of
from rxstream.typing import Operator
from tests.thinned import tries

SECRET = "hunter2 swordfish"
PLACES = [(0, 0, "text"), (0, 1, "text"), (1, 0, "refusal"), (2, 0, "function_args"), (3, 0, "text")]

pieces = st.one_of(
    st.sampled_from(
        ["", " ", "a", "e\u0301", ". ", "3.14", "\n\n", "👨‍👩‍👧", "🇫🇷", "你好。", SECRET[:9], SECRET[9:], SECRET]
    ),
    st.text(min_size=0, max_size=20, alphabet=st.characters(exclude_categories=["Cs"])),
    st.sampled_from(TEXTS),
)
said = st.builds(
    lambda steps: _timed(steps),
    st.lists(st.tuples(st.sampled_from(PLACES), pieces, st.sampled_from([0.0, 0.01, 0.3, 1.5])), max_size=14),
)
options = st.fixed_dictionaries(
    {
        "first_chars": st.sampled_from([1, 7, 40]),
        "max_chars": st.sampled_from([40, 90, 800]),
        "growth": st.sampled_from([1.0, 2.0, 3.7]),
        "boundary": st.sampled_from(["sentence", "word", "line", None, lambda text: len(text) // 2 + 1]),
        "context": st.sampled_from([0, 10, 400]),
        "holdback": st.sampled_from([0, 5, 30, "word"]),
        "in_flight": st.sampled_from([1, 2, 5]),
        "max_exposure": st.sampled_from([0, 10, 300]),
        "quiet": st.sampled_from([0.0, 0.2, 5.0]),
        "max_delay": st.sampled_from([0.05, 1.0]),
        "mode": st.sampled_from(["hold", "bounded", "optimistic"]),
        "on_flag": st.sampled_from(["cut", "error", "annotate"]),
    }
)
judges = st.sampled_from(
    [
        secret_judge(SECRET),
        lambda window: SECRET in window.context + window.text,
        lambda window: False,
        lambda window: len(window.text) % 7 == 6,
        lambda window: Verdict(False, suspect="e" in window.text and len(window.context) % 3 == 1),
        [lambda window: False, secret_judge(SECRET)],
        [secret_judge(SECRET), lambda window: len(window.text) % 7 == 6],
        [(lambda window: len(window.text) % 2 == 1, "annotate"), secret_judge(SECRET)],
        [lambda window: Verdict(False, suspect="o" in window.text), lambda window: Verdict(False, holdback=3)],
    ]
)
delays = st.lists(st.sampled_from([0.0, 0.0, 0.01, 0.4, 1.1]), min_size=1, max_size=12)


def _timed(steps: Sequence[tuple[Any, str, float]]) -> list[TimedDelta]:
    at = 0.0
    timed: list[TimedDelta] = []
    for place, text, pause in steps:
        at = round(at + pause, 4)
        timed.append(TimedDelta(at, place, text))
    return timed


@pytest.mark.parametrize("law", MODERATION_LAWS)
def test_the_law_holds_over_random_texts_splits_delays_and_flags(law: str):
    @settings(max_examples=tries(12, 40), deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(said, judges, delays, options)
    def holds(said: list[TimedDelta], judge: Any, delays: list[float], options: dict[str, Any]) -> None:
        if law in ("latency", "linear cost", "no early release", "exposure"):
            judge = _without_suspects(judge)  # a window that is looked at twice is sent twice
        trial = ModerationTrial(
            answer_of(said), judge, delay=lambda number: delays[number % len(delays)], options=options
        )
        MODERATION_LAWS[law](trial)

    holds()


def test_a_window_that_is_checked_again_may_see_more_context():
    def judge(window: Window) -> Verdict:
        return Verdict(False, suspect=window.text.startswith("https") and len(window.context) == 10)

    text = "Pi is 3.14, e.g. on https://example.com/a.b?c=d. Dr. Smith agrees! Does she? Yes."
    options = {"first_chars": 1, "max_chars": 40, "growth": 1.0, "context": 10, "in_flight": 1, "quiet": 0.0}
    trial = ModerationTrial(answer_of([TimedDelta(0.0, PLACES[0], text)]), judge, options=options | {"holdback": 0})
    assert [len(call.window.context) for call in trial.run().calls][-2:] == [10, 20]
    MODERATION_LAWS["full context"](trial)


def _without_suspects(judge: Any) -> Any:
    if isinstance(judge, list):
        return [_without_suspects(entry) for entry in judge]
    if isinstance(judge, tuple):
        return _without_suspects(judge[0]), judge[1]

    def plain(window: Window) -> Any:
        answer = judge(window)
        return answer if not isinstance(answer, Verdict) or not answer.suspect else False

    plain.holdback = getattr(judge, "holdback", 0)  # type: ignore[attr-defined]
    return plain


@pytest.mark.parametrize("seed", range(3))
def test_the_laws_hold_over_their_own_random_streams(seed: int):
    moderation_laws(runs=tries(2, 6), seed=seed)


# ---------------------------------------------------------------------- the laws catch those who break them


def releasing_everything(check: Any, **_: Any) -> Operator[StreamingEvent, StreamingEvent]:
    return lambda source: source


def holding_only_deltas(check: Any, **_: Any) -> Operator[StreamingEvent, StreamingEvent]:
    """As proxies do it: the deltas are judged, and the whole text stands in the `.done` events."""

    def passes(event: StreamingEvent) -> bool:
        return place_of(event) is None

    return lambda source: source.pipe(ops.filter(passes))


def judging_each_delta(check: Any, **_: Any) -> Operator[StreamingEvent, StreamingEvent]:
    """A secret that is split over two deltas is seen by no check."""

    def operator(source: Observable[StreamingEvent]) -> Observable[StreamingEvent]:
        def ok(event: Any) -> bool:
            place = place_of(event)
            return place is None or not check(Window(event.delta, "", place[0], place[1], place[2])).flagged

        return source.pipe(ops.take_while(ok))

    return operator


@pytest.mark.parametrize("broken", [releasing_everything, holding_only_deltas, judging_each_delta])
def test_an_operator_that_leaks_is_caught(broken: Any):
    skip = set(MODERATION_LAWS) - {"no second way out"}
    with pytest.raises(AssertionError, match="no second way out"):
        moderation_laws(secret_judge(SECRET), secrets=[SECRET], operator=broken, runs=8, skip=skip)


def ending_well(check: Any, **options: Any) -> Operator[StreamingEvent, StreamingEvent]:
    """The source's error is lost: what came of the answer looks like all of it."""
    moderate = debounce_moderation(check, **options)
    return lambda source: source.pipe(moderate, ops.catch(lambda error, _: reactivex.empty()))


def completing_what_failed(check: Any, **options: Any) -> Operator[StreamingEvent, StreamingEvent]:
    """The error comes, and before it an end that the source never sent."""
    moderate = debounce_moderation(check, **options)

    def end(error: Exception, _: Any) -> Observable[StreamingEvent]:
        completed = answer_of([])[-1][1]
        return reactivex.concat(reactivex.just(completed), reactivex.throw(error))

    return lambda source: source.pipe(moderate, ops.catch(end))


@pytest.mark.parametrize("broken", [ending_well, completing_what_failed])
def test_an_operator_that_hides_how_its_source_failed_is_caught(broken: Any):
    with pytest.raises(AssertionError, match="failed source"):
        moderation_laws(operator=broken, runs=2, skip=set(MODERATION_LAWS) - {"failed source"})


def test_a_check_of_ones_own_is_held_against_the_laws():
    moderation_laws(secret_judge("open sesame"), secrets=["open sesame"], runs=tries(2, 4))


def test_a_check_that_does_not_say_what_it_needs_held_back_is_caught():
    def forgetful(window: Window) -> bool:
        return "open sesame" in window.text

    with pytest.raises(AssertionError, match="no second way out"):
        moderation_laws(forgetful, secrets=["open sesame"], options={"max_chars": 15, "first_chars": 15}, runs=8)


def test_there_is_no_law_to_skip_by_another_name():
    with pytest.raises(ValueError, match="there is no such law: gravity"):
        moderation_laws(skip=["gravity"])
