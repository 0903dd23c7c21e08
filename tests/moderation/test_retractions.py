"""What was shown before its verdict, and is taken back."""

from collections.abc import Sequence
from typing import Any

from rxstream.moderation import ModerationRetractedEvent, Verdict, Window
from rxstream.testing import ModerationTrial
from rxstream.testing.laws._moderation_seen import Seen
from tests.event_builders import completed, created, item_added, item_done, message, text_deltas, text_part
from tests.moderation._moderated import (
    GOOD,
    SECRET,
    bad,
    events_of,
    flagged,
    last,
    moderated,
    of_type,
    types,
    whole_answer,
)


def test_in_optimistic_mode_text_is_released_at_once_and_retracted():
    seen = moderated(whole_answer(GOOD, "a bad ending"), bad, gap=0.3, delay=0.25, mode="optimistic")
    assert seen.texts()[0, 0, "text"] == GOOD + "a bad ending"
    at = types(seen).index("rxstream.moderation.retracted")
    back = events_of(seen)[at]
    assert isinstance(back, ModerationRetractedEvent)
    assert (back.output_index, back.content_index, back.kind) == (0, 0, "text")
    assert (back.start, back.end) == (len(GOOD), len(GOOD + "a bad ending"))
    assert types(seen)[at + 1] == "rxstream.moderation.flagged"
    assert flagged(seen).released == len(GOOD)
    assert last(seen).type == "response.incomplete"
    assert last(seen).response.output_text == GOOD


def test_in_optimistic_mode_the_same_event_objects_are_emitted():
    events = whole_answer(GOOD, GOOD)
    seen = moderated(events, lambda window: False, mode="optimistic")
    assert all(one is other for one, other in zip(events_of(seen), events, strict=True))


def test_in_bounded_mode_at_most_max_exposure_is_released_and_retracted():
    text = "abcdefghij" * 9
    seen = moderated(whole_answer(*text), lambda window: "j" in window.text, delay=3.0, mode="bounded", max_exposure=25)
    assert seen.texts()[0, 0, "text"] == text[:25]
    (back,) = of_type(seen, "rxstream.moderation.retracted")
    assert (back.start, back.end) == (0, 25)
    assert last(seen).response.output_text == ""


def test_in_bounded_mode_events_that_repeat_the_text_wait_for_the_verdict():
    seen = moderated(whole_answer(GOOD), lambda window: False, delay=1.0, mode="bounded")
    moments = {event.type: at for _, at, event in seen.emitted}
    assert moments["response.output_text.delta"] < 0.1
    assert moments["response.output_text.done"] >= 1.0


def test_after_a_flag_behind_a_running_check_no_more_is_released():
    waits = {"a": 1.0, "b": 0.01}

    def slow_then_fast(window: Window) -> Any:
        return "b" in window.text

    timed = [
        (0.1 * number, event) for number, event in enumerate([created(), *text_deltas("aaaa", "bbbb", "cccc", "dddd")])
    ]
    options = {"mode": "bounded", "first_chars": 4, "max_chars": 4, "boundary": None, "include": ("text",)}
    seen = ModerationTrial(
        timed, slow_then_fast, delay=lambda n: list(waits.values())[min(n, 1)], options=options
    ).run()
    assert "cccc" not in seen.texts()[0, 0, "text"]


def test_offsets_of_a_retraction_are_those_of_the_emitted_text():
    def check(window: Window) -> Verdict:
        if "END" in window.text:
            return Verdict(True)
        at = window.text.find(SECRET)
        return Verdict(at >= 0, spans=((at, at + len(SECRET)),) if at >= 0 else ())

    events = [created(), *text_deltas(f"one {SECRET} two. ", "three ", "END")]
    seen = moderated(
        events,
        check,
        gap=0.5,
        mode="bounded",
        max_exposure=6,
        on_flag=lambda verdict: "replace" if verdict.spans else "cut",
    )
    shown = seen.texts()[0, 0, "text"]
    back = of_type(seen, "rxstream.moderation.retracted")
    assert SECRET not in shown
    if back:
        assert back[0].end == len(shown)
    assert flagged_last(seen).released == (back[0].start if back else len(shown))


def flagged_last(seen: Any) -> Any:
    return of_type(seen, "rxstream.moderation.flagged")[-1]


def two_responses(first: str, second: str, delays: Sequence[float]) -> Seen:
    """The second response is not ended. `delays`: of the check of each."""
    events = [created(id="resp_1"), item_added(), *text_deltas(first), item_done(0, text_part(first))]
    events += [completed(message(text_part(first)), id="resp_1"), created(id="resp_2"), item_added()]
    events += text_deltas(second, "…")
    timed = [(0.1 * number, event) for number, event in enumerate(events)]
    options = {"mode": "optimistic", "include": ("text",), "quiet": 0.05}
    return ModerationTrial(timed, bad, delay=lambda number: delays[min(number, 1)], options=options).run()


def test_a_cut_retracts_the_unverified_text_of_earlier_responses_too():
    seen = two_responses(GOOD, "a bad text", [2.9, 0.0])
    retracted = [(back.response_id, back.start, back.end) for back in of_type(seen, "rxstream.moderation.retracted")]
    assert retracted == [("resp_1", 0, len(GOOD)), ("resp_2", 0, len("a bad text"))]
    assert flagged(seen).response_id == "resp_2"
    assert last(seen).response.id == "resp_2"


def test_a_flag_on_an_earlier_response_ends_the_one_that_is_open():
    seen = two_responses("a bad text", GOOD, [0.75, 2.9])
    retracted = [(back.response_id, back.start) for back in of_type(seen, "rxstream.moderation.retracted")]
    assert retracted == [("resp_1", 0), ("resp_2", 0)]
    assert flagged(seen).response_id == "resp_1"
    assert [event.response.id for event in of_type(seen, "response.incomplete")] == ["resp_2"]
    assert last(seen).response.output_text == ""
    assert seen.ended == "|"
