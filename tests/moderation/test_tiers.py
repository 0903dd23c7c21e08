"""What a verdict holds back; suspect windows, tiers of checks, and the events of moderation themselves."""

import json
import re
from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.moderation import Blocklist, ModerationFlaggedEvent, ModerationRetractedEvent, Verdict, Window
from tests.event_builders import completed, created, item_added, part_added, part_done, text_delta
from tests.moderation._moderated import GOOD, SECRET, bad, events_of, flagged, moderated, of_type, run, whole_answer

# ---------------------------------------------------------------------- holdback, suspect, tiers


def keeps(window: Window) -> Verdict:
    """Keeps back from the last `<` on, and flags what stands in `<…>`."""
    text = window.context + window.text
    flagged = re.search("<[^>]*>", text) is not None
    return Verdict(flagged, holdback=0 if "<" not in text else len(text) - text.rindex("<"))


@pytest.mark.parametrize("in_flight", [1, 2, 5])
@pytest.mark.parametrize("delay", [0.0, 0.3])
@pytest.mark.parametrize("context", [0, 2, 400])
def test_text_that_a_verdict_holds_back_is_in_the_next_context_and_released_with_it(
    in_flight: int, delay: float, context: int
):
    options: dict[str, Any] = {"in_flight": in_flight, "context": context, "first_chars": 2, "max_chars": 2}
    for texts, kept in (
        (("it is <", "> no"), "it is "),
        (("a <b", "   ", "d>"), "a "),
        (("a <", "b", "c", "d", "> e"), "a "),
    ):
        seen = moderated(whole_answer(*texts), keeps, delay=delay, gap=0.1, **options)
        assert seen.texts() == {(0, 0, "text"): kept}
    seen = moderated(whole_answer("a <", "b", "c", " d"), keeps, delay=delay, gap=0.1, **options)
    assert seen.texts() == {(0, 0, "text"): "a <bc d"}


def test_a_window_that_was_checked_with_too_little_context_is_checked_again():
    seen = moderated(
        whole_answer("0123<5", "6789ab"), keeps, delay=0.3, context=0, first_chars=6, max_chars=6, boundary=None
    )
    windows = [(one.window.context, one.window.text, one.cancelled) for one in seen.calls]
    assert windows == [("", "0123<5", False), ("", "6789ab", True), ("<5", "6789ab", False)]


def test_a_suspect_window_is_checked_again_with_the_next_one_and_twice_the_context():
    windows: list[Window] = []

    def check(window: Window) -> Verdict:
        windows.append(window)
        return Verdict(False, suspect=window.text.endswith("hm"))

    text = ["0123456789" * 5, "hm", "it is fine"]
    seen = moderated(whole_answer(*text), check, gap=0.5, context=10, first_chars=400, max_chars=400)
    assert [window.text for window in windows] == [text[0], "hm", "hmit is fine"]
    assert [len(window.context) for window in windows] == [0, 10, 20]
    assert seen.texts()[0, 0, "text"] == "".join(text)


def test_suspect_twice_in_a_row_is_flagged():
    seen = moderated(
        whole_answer("ok. ", "hm", "hm"), lambda window: Verdict(False, suspect="hm" in window.text), gap=0.5
    )
    assert flagged(seen).action == "cut"
    assert seen.texts()[0, 0, "text"] == "ok. "


def test_a_suspect_window_at_the_end_of_its_lane_is_checked_again_alone():
    answers = iter([Verdict(False, suspect=True), Verdict(False)])
    seen = moderated(whole_answer("hm"), lambda window: next(answers))
    assert seen.texts()[0, 0, "text"] == "hm"
    assert [one.window.final for one in seen.calls] == [True, True]


def test_a_later_tier_gets_only_windows_that_the_earlier_ones_passed():
    for text, remote in ((GOOD, [GOOD]), (SECRET, [])):
        windows: list[str] = []

        def expensive(window: Window, windows: list[str] = windows) -> bool:
            windows.append(window.text)
            return False

        out = run(whole_answer(text), rxs.debounce_moderation([Blocklist([SECRET]), expensive]))
        assert windows == remote
        assert out[-1].type == ("response.completed" if remote else "response.incomplete")


def test_every_tier_must_pass_and_each_has_its_own_retries():
    calls: list[str] = []

    def tier(name: str, answers: list[Any]) -> Any:
        def check(window: Window) -> Any:
            calls.append(name)
            return answers.pop(0)

        return check

    out: list[Any] = []
    reactivex.from_iterable(whole_answer(GOOD)).pipe(
        rxs.debounce_moderation([tier("one", [None, False]), tier("two", [None, True])])
    ).subscribe(out.append)
    assert calls == ["one", "one", "two", "two"]
    assert out[-1].type == "response.incomplete"


# ---------------------------------------------------------------------- the events themselves


def test_the_events_of_moderation_are_json_and_hold_no_text():
    seen = moderated(whole_answer(GOOD, SECRET), gap=0.3)
    event = json.loads(flagged(seen).model_dump_json())
    assert event["type"] == "rxstream.moderation.flagged"
    assert event["synthetic"] is True
    assert event["verdict"]["categories"] == ["blocklist"]
    assert SECRET not in json.dumps(event)
    assert (
        json.loads(ModerationRetractedEvent(start=1, end=2).model_dump_json())["type"]
        == "rxstream.moderation.retracted"
    )
    assert isinstance(flagged(seen), ModerationFlaggedEvent)


def test_other_operators_ignore_the_events_of_moderation():
    seen = moderated(whole_answer(GOOD, SECRET), gap=0.3, mode="optimistic")
    events: list[StreamingEvent] = events_of(seen)  # type: ignore[assignment]
    assert any(isinstance(event, ModerationFlaggedEvent | ModerationRetractedEvent) for event in events)
    for make in (
        rxs.text_only,
        rxs.accumulate_text,
        rxs.normalize,
        rxs.tool_calls,
        rxs.snapshots,
        rxs.usage,
        rxs.words,
        rxs.sentences,
        rxs.well_formed,
        rxs.shared,
    ):
        values = run(events, make())
        assert not any(isinstance(value, Exception) for value in values), make.__name__
    assert len(run(events, rxs.of_type(ModerationFlaggedEvent))) == 1


def test_windows_and_errors_do_not_show_text_in_their_representation():
    window = Window(SECRET, "context " + SECRET)
    assert SECRET not in f"{window!r} {window}"
    assert SECRET not in repr(Blocklist([SECRET]))


def test_part_done_of_a_kept_part_is_unchanged():
    seen = moderated([created(), item_added(), part_added(), text_delta(GOOD), part_done(GOOD), completed()], bad)
    assert of_type(seen, "response.content_part.done")[0].part.text == GOOD
