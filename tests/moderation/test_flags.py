"""What happens when a check flags: cut, error, replace, annotate; what is taken back; and how a cut stream ends."""

import json
import re
from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.errors import ModerationError, ResponseIncompleteError
from rxstream.events import StreamingEvent
from rxstream.moderation import Blocklist, ModerationFlaggedEvent, ModerationRetractedEvent, Verdict, Window
from tests.moderation._moderated import (
    SECRET,
    added,
    assert_hidden,
    completed,
    created,
    delta,
    deltas,
    ev,
    events_of,
    flagged,
    item_done,
    last,
    message,
    moderated,
    of_type,
    part_added,
    part_done,
    split_in,
    text_done,
    text_part,
    types,
    whole_answer,
)

GOOD = "All is well here. "
NO_HOLDBACK = {"first_chars": len(GOOD), "max_chars": len(GOOD), "boundary": None, "growth": 1}


def bad(window: Window) -> Verdict:
    """Flags a window with the word in it, says nothing about where."""
    return Verdict("bad" in window.text, ("bad",) if "bad" in window.text else (), {"bad": 0.9})


def run(events: Any, operator: Any) -> list[Any]:
    values: list[Any] = []
    reactivex.from_iterable(events).pipe(operator).subscribe(values.append, values.append)
    return values


# ---------------------------------------------------------------------- cut


def test_a_cut_lane_stops_at_its_last_verified_character_and_the_stream_ends_as_a_stream_ends():
    seen = moderated(whole_answer(GOOD, "a bad ending"), bad, gap=0.3)
    assert types(seen) == [
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "rxstream.moderation.flagged",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
    ]
    said = flagged(seen)
    assert (said.action, said.cause, said.released) == ("cut", "flag", len(GOOD))
    assert (said.output_index, said.content_index, said.kind) == (0, 0, "text")
    assert said.verdict == Verdict(True, ("bad",), {"bad": 0.9})
    _, text, part, item, end = events_of(seen)[-5:]
    assert text.text == GOOD
    assert part.part.text == GOOD
    assert item.item.status == "incomplete"
    assert item.item.content[0].text == GOOD
    assert end.response.status == "incomplete"
    assert end.response.incomplete_details.reason == "content_filter"
    assert end.response.output_text == GOOD
    assert all(event.synthetic for event in events_of(seen)[-4:])
    assert seen.ended == "|"


def test_a_cut_stream_is_a_legal_stream_for_those_who_follow():
    seen = moderated(whole_answer(GOOD, "a bad ending"), bad, gap=0.3)
    events = events_of(seen)
    assert "".join(run(events, rxs.text_only())) == GOOD
    assert run(events, rxs.snapshots())[-1].response.output_text == GOOD
    (failure,) = run(events, rxs.final_response())
    assert isinstance(failure, ResponseIncompleteError)
    assert failure.reason == "content_filter"
    assert run(events, rxs.well_formed()) == events
    groups: list[Any] = []
    reactivex.from_iterable(events).pipe(rxs.group_by_output_index()).subscribe(groups.append)
    assert [group.key for group in groups] == [0]


def test_items_that_are_open_elsewhere_are_closed_and_a_call_that_was_cut_is_not_made():
    events = [
        created(),
        added(0, type="function_call", name="f", call_id="c", arguments=""),
        ev("response.function_call_arguments.delta", output_index=0, item_id="item_0", delta='{"a":'),
        added(1),
        part_added(1),
        delta("a bad ending", 1),
        completed(),
    ]
    seen = moderated(events, bad, gap=0.3)
    closed = {event.output_index: event.item for event in of_type(seen, "response.output_item.done")}
    assert closed[0].status == closed[1].status == "incomplete"
    assert closed[0].arguments == '{"a":'
    assert run(events_of(seen), rxs.accumulate_function_args()) == []
    assert [item.type for item in last(seen).response.output] == ["function_call", "message"]


def test_what_was_whole_before_the_cut_stays_whole():
    events = [
        *whole_answer(GOOD)[:7],
        added(1),
        part_added(1),
        delta("a bad ending", 1),
        completed(),
    ]
    seen = moderated(events, bad, gap=0.3)
    assert [item.status for item in last(seen).response.output] == ["completed", "incomplete"]
    assert last(seen).response.output[0].content[0].text == GOOD


def test_a_cut_of_nothing_but_deltas_still_ends_as_incomplete():
    seen = moderated(deltas("a bad beginning"), bad)
    assert types(seen) == ["rxstream.moderation.flagged", "response.incomplete"]
    assert seen.ended == "|"


def test_a_cut_leaves_the_source():
    seen = moderated([*whole_answer(GOOD, "bad"), *deltas(*["more"] * 100)], bad, gap=0.3)
    assert seen.fed[-1][1] < 3.0
    assert not seen.left_open


def test_an_error_follows_the_same_ending():
    seen = moderated(whole_answer(GOOD, "a bad ending"), bad, gap=0.3, on_flag="error")
    assert types(seen)[-1] == "response.incomplete"
    assert flagged(seen).action == "error"
    assert isinstance(seen.error, ModerationError)
    assert seen.error.verdict == Verdict(True, ("bad",), {"bad": 0.9})
    assert seen.error.response_id == "resp_1"
    assert "bad" in str(seen.error)


# ---------------------------------------------------------------------- replace


def test_what_a_span_names_is_replaced_wherever_the_text_is_said():
    seen = moderated(
        whole_answer(GOOD, *split_in(SECRET, 3), " and ", *split_in(SECRET, 2), ".", GOOD), on_flag="replace"
    )
    text = f"{GOOD}[removed] and [removed].{GOOD}"
    assert seen.texts()[0, 0, "text"] == text
    assert of_type(seen, "response.output_text.done")[0].text == text
    assert of_type(seen, "response.content_part.done")[0].part.text == text
    assert of_type(seen, "response.output_item.done")[0].item.content[0].text == text
    assert last(seen).type == "response.completed"
    assert last(seen).response.output_text == text
    assert_hidden(seen)


def test_a_replaced_text_loses_its_log_probabilities_and_its_annotations_move_with_it():
    text = f"See {SECRET} and here."
    notes = [
        {"type": "url_citation", "url": "https://a.test", "title": "before", "start_index": 0, "end_index": 3},
        {"type": "url_citation", "url": "https://b.test", "title": "inside", "start_index": 2, "end_index": 9},
        {"type": "url_citation", "url": "https://c.test", "title": "after", "start_index": 23, "end_index": 27},
        {"type": "file_citation", "file_id": "f", "filename": "g", "index": 24},
    ]
    assert text[23:27] == "here"
    part = text_part(text, annotations=notes, logprobs=[{"token": text, "logprob": 0}])
    events = [
        created(),
        added(),
        part_added(),
        *deltas(*split_in(text, 4)),
        *[
            ev("response.output_text.annotation.added", output_index=0, content_index=0, annotation=note)
            for note in notes
        ],
        text_done(text, logprobs=[{"token": text, "logprob": 0}]),
        ev("response.content_part.done", output_index=0, content_index=0, part=part),
        item_done(part),
        completed(message(part)),
    ]
    seen = moderated(events, on_flag="replace", replacement="***")
    shown = "See *** and here."
    assert of_type(seen, "response.output_text.done")[0].logprobs == []
    for found in (
        of_type(seen, "response.content_part.done")[0].part,
        of_type(seen, "response.output_item.done")[0].item.content[0],
        last(seen).response.output[0].content[0],
    ):
        assert found.text == shown
        assert not found.logprobs
        assert [note.model_dump().get("title") for note in found.annotations] == ["before", "after", None]
        assert shown[found.annotations[1].start_index : found.annotations[1].end_index] == "here"
        assert found.annotations[2].index == shown.index("here") + 1
    added_notes = [event.annotation for event in of_type(seen, "response.output_text.annotation.added")]
    assert [note.model_dump().get("title") for note in added_notes] == ["before", "after", None]


def test_a_span_that_is_out_already_cannot_be_replaced_and_is_cut():
    def late(window: Window) -> Verdict:
        text = window.context + window.text
        at = text.find("well")
        return Verdict("BAD" in text, spans=((at - len(window.context), at - len(window.context) + 4),))

    seen = moderated(whole_answer(GOOD, "BAD"), late, gap=0.3, on_flag="replace")
    assert flagged(seen).action == "cut"
    assert last(seen).type == "response.incomplete"
    assert seen.texts()[0, 0, "text"] == GOOD


def test_without_spans_there_is_nothing_to_replace_and_it_is_cut():
    seen = moderated(whole_answer(GOOD, "bad"), bad, on_flag="replace")
    assert flagged(seen).action == "cut"


@pytest.mark.parametrize("first", [1, 3, 5, 8, 21])
def test_a_match_that_goes_on_in_the_next_window_is_replaced_whole(first: int):
    import re

    digits = Blocklist([re.compile(r"\d{4,16}")])
    text = f"card {4111_1111_1111_1111} please"
    for number in (3, 7, len(text)):
        seen = moderated(
            whole_answer(*split_in(text, number)), digits, on_flag="replace", first_chars=first, max_chars=first
        )
        assert seen.texts()[0, 0, "text"] == "card [removed] please"


# ---------------------------------------------------------------------- annotate


def test_annotate_passes_the_text_after_the_event_that_warns_of_it():
    seen = moderated(whole_answer(GOOD, "a bad ending"), bad, gap=0.3, on_flag="annotate")
    assert seen.texts()[0, 0, "text"] == GOOD + "a bad ending"
    assert last(seen).type == "response.completed"
    at = types(seen).index("rxstream.moderation.flagged")
    assert flagged(seen).action == "annotate"
    assert "".join(event.delta for event in events_of(seen)[:at] if event.type.endswith("delta")) == GOOD


def test_a_function_decides_verdict_by_verdict():
    def decide(verdict: Verdict) -> Any:
        return "annotate" if verdict.scores.get("bad", 0) < 0.5 else "cut"

    def check(window: Window) -> Verdict:
        return Verdict(True, scores={"bad": 0.9 if "worse" in window.text else 0.1})

    seen = moderated(whole_answer(GOOD, "bad. ", "worse"), check, gap=0.3, on_flag=decide)
    assert [event.action for event in of_type(seen, "rxstream.moderation.flagged")] == ["annotate", "annotate", "cut"]
    assert seen.texts()[0, 0, "text"] == GOOD + "bad. "


@pytest.mark.parametrize("decide", [lambda verdict: None, lambda verdict: "pass", lambda verdict: 1 / 0])
def test_a_function_that_decides_nothing_cuts(decide: Any):
    assert flagged(moderated(whole_answer("bad"), bad, on_flag=decide)).action == "cut"


# ---------------------------------------------------------------------- taken back


def test_in_optimistic_mode_everything_leaves_at_once_and_is_taken_back():
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


def test_in_optimistic_mode_events_are_the_very_ones_that_came():
    events = whole_answer(GOOD, GOOD)
    seen = moderated(events, lambda window: False, mode="optimistic")
    assert all(one is other for one, other in zip(events_of(seen), events, strict=True))


def test_in_bounded_mode_no_more_than_the_exposure_is_out_and_it_is_taken_back():
    text = "abcdefghij" * 9
    seen = moderated(whole_answer(*text), lambda window: "j" in window.text, delay=3.0, mode="bounded", max_exposure=25)
    assert seen.texts()[0, 0, "text"] == text[:25]
    (back,) = of_type(seen, "rxstream.moderation.retracted")
    assert (back.start, back.end) == (0, 25)
    assert last(seen).response.output_text == ""


def test_in_bounded_mode_the_copies_wait_for_the_verdict():
    seen = moderated(whole_answer(GOOD), lambda window: False, delay=1.0, mode="bounded")
    moments = {event.type: at for _, at, event in seen.emitted}
    assert moments["response.output_text.delta"] < 0.1
    assert moments["response.output_text.done"] >= 1.0


def test_after_a_flag_that_waits_for_its_turn_no_more_is_exposed():
    waits = {"a": 1.0, "b": 0.01}

    def slow_then_fast(window: Window) -> Any:
        return "b" in window.text

    from rxstream.testing import ModerationTrial

    timed = [(0.1 * number, event) for number, event in enumerate([created(), *deltas("aaaa", "bbbb", "cccc", "dddd")])]
    options = {"mode": "bounded", "first_chars": 4, "max_chars": 4, "boundary": None, "include": ("text",)}
    seen = ModerationTrial(
        timed, slow_then_fast, delay=lambda n: list(waits.values())[min(n, 1)], options=options
    ).run()
    assert "cccc" not in seen.texts()[0, 0, "text"]


def test_offsets_of_what_is_taken_back_count_what_was_shown():
    def check(window: Window) -> Verdict:
        if "END" in window.text:
            return Verdict(True)
        at = window.text.find(SECRET)
        return Verdict(at >= 0, spans=((at, at + len(SECRET)),) if at >= 0 else ())

    events = [created(), *deltas(f"one {SECRET} two. ", "three ", "END")]
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


# ---------------------------------------------------------------------- holdback, suspect, tiers


def keeps(window: Window) -> Verdict:
    """Keeps back from the last `<` on, and flags what stands in `<…>`."""
    text = window.context + window.text
    flagged = re.search("<[^>]*>", text) is not None
    return Verdict(flagged, holdback=0 if "<" not in text else len(text) - text.rindex("<"))


@pytest.mark.parametrize("in_flight", [1, 2, 5])
@pytest.mark.parametrize("delay", [0.0, 0.3])
@pytest.mark.parametrize("context", [0, 2, 400])
def test_what_a_verdict_holds_back_is_shown_to_the_next_and_leaves_with_it(in_flight: int, delay: float, context: int):
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


def test_a_window_that_was_asked_about_with_too_little_context_is_asked_about_again():
    seen = moderated(
        whole_answer("0123<5", "6789ab"), keeps, delay=0.3, context=0, first_chars=6, max_chars=6, boundary=None
    )
    asked = [(one.window.context, one.window.text, one.cancelled) for one in seen.asked]
    assert asked == [("", "0123<5", False), ("", "6789ab", True), ("<5", "6789ab", False)]


def test_a_suspect_window_waits_for_one_more_and_is_seen_again_with_twice_the_context():
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


def test_a_suspect_at_the_end_of_its_lane_is_seen_again_alone():
    answers = iter([Verdict(False, suspect=True), Verdict(False)])
    seen = moderated(whole_answer("hm"), lambda window: next(answers))
    assert seen.texts()[0, 0, "text"] == "hm"
    assert [one.window.final for one in seen.asked] == [True, True]


def test_a_remote_tier_sees_only_what_the_cheap_one_passed():
    for text, remote in ((GOOD, [GOOD]), (SECRET, [])):
        asked: list[str] = []

        def expensive(window: Window, asked: list[str] = asked) -> bool:
            asked.append(window.text)
            return False

        out = run(whole_answer(text), rxs.debounce_moderation([Blocklist([SECRET]), expensive]))
        assert asked == remote
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
    said = json.loads(flagged(seen).model_dump_json())
    assert said["type"] == "rxstream.moderation.flagged"
    assert said["synthetic"] is True
    assert said["verdict"]["categories"] == ["blocklist"]
    assert SECRET not in json.dumps(said)
    assert (
        json.loads(ModerationRetractedEvent(start=1, end=2).model_dump_json())["type"]
        == "rxstream.moderation.retracted"
    )
    assert isinstance(flagged(seen), ModerationFlaggedEvent)


def test_other_operators_pass_the_events_of_moderation_by():
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


def test_part_done_of_a_kept_part_is_untouched():
    seen = moderated([created(), added(), part_added(), delta(GOOD), part_done(GOOD), completed()], bad)
    assert of_type(seen, "response.content_part.done")[0].part.text == GOOD
