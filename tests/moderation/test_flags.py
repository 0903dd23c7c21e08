"""What happens when a check flags: cut, error, replace, annotate; and how a cut stream ends."""

import re
from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.errors import ModerationError, ResponseIncompleteError
from rxstream.moderation import Blocklist, Verdict, Window
from tests.event_builders import (
    completed,
    created,
    item_added,
    item_done,
    make_event,
    message,
    part_added,
    text_delta,
    text_deltas,
    text_done,
    text_part,
)
from tests.moderation._moderated import (
    GOOD,
    SECRET,
    assert_hidden,
    bad,
    events_of,
    flagged,
    last,
    moderated,
    of_type,
    run,
    split_in,
    types,
    whole_answer,
)

# ---------------------------------------------------------------------- cut


def test_a_cut_lane_ends_at_its_last_verified_character_with_a_whole_ending():
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
    event = flagged(seen)
    assert (event.action, event.cause, event.released) == ("cut", "flag", len(GOOD))
    assert (event.output_index, event.content_index, event.kind) == (0, 0, "text")
    assert event.verdict == Verdict(True, ("bad",), {"bad": 0.9})
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


def test_other_operators_accept_a_cut_stream():
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


def test_other_open_items_are_closed_and_a_cut_call_is_not_emitted():
    events = [
        created(),
        item_added(0, type="function_call", name="f", call_id="c", arguments=""),
        make_event("response.function_call_arguments.delta", output_index=0, item_id="item_0", delta='{"a":'),
        item_added(1),
        part_added(1),
        text_delta("a bad ending", 1),
        completed(),
    ]
    seen = moderated(events, bad, gap=0.3)
    closed = {event.output_index: event.item for event in of_type(seen, "response.output_item.done")}
    assert closed[0].status == closed[1].status == "incomplete"
    assert closed[0].arguments == '{"a":'
    assert run(events_of(seen), rxs.accumulate_function_args()) == []
    assert [item.type for item in last(seen).response.output] == ["function_call", "message"]


def test_items_that_were_complete_before_the_cut_stay_complete():
    events = [
        *whole_answer(GOOD)[:7],
        item_added(1),
        part_added(1),
        text_delta("a bad ending", 1),
        completed(),
    ]
    seen = moderated(events, bad, gap=0.3)
    assert [item.status for item in last(seen).response.output] == ["completed", "incomplete"]
    assert last(seen).response.output[0].content[0].text == GOOD


def test_a_cut_of_a_stream_of_deltas_only_ends_as_incomplete():
    seen = moderated(text_deltas("a bad beginning"), bad)
    assert types(seen) == ["rxstream.moderation.flagged", "response.incomplete"]
    assert seen.ended == "|"


def test_a_cut_disposes_the_source():
    seen = moderated([*whole_answer(GOOD, "bad"), *text_deltas(*["more"] * 100)], bad, gap=0.3)
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


def test_a_span_is_replaced_in_every_event_that_repeats_the_text():
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
        item_added(),
        part_added(),
        *text_deltas(*split_in(text, 4)),
        *[
            make_event("response.output_text.annotation.added", output_index=0, content_index=0, annotation=note)
            for note in notes
        ],
        text_done(text, logprobs=[{"token": text, "logprob": 0}]),
        make_event("response.content_part.done", output_index=0, content_index=0, part=part),
        item_done(0, part),
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


def test_a_span_that_was_released_cannot_be_replaced_and_is_cut():
    def late(window: Window) -> Verdict:
        text = window.context + window.text
        at = text.find("well")
        return Verdict("BAD" in text, spans=((at - len(window.context), at - len(window.context) + 4),))

    seen = moderated(whole_answer(GOOD, "BAD"), late, gap=0.3, on_flag="replace")
    assert flagged(seen).action == "cut"
    assert last(seen).type == "response.incomplete"
    assert seen.texts()[0, 0, "text"] == GOOD


def test_replace_without_spans_is_a_cut():
    seen = moderated(whole_answer(GOOD, "bad"), bad, on_flag="replace")
    assert flagged(seen).action == "cut"


@pytest.mark.parametrize("first", [1, 3, 5, 8, 21])
def test_a_match_that_goes_on_in_the_next_window_is_replaced_whole(first: int):
    digits = Blocklist([re.compile(r"\d{4,16}")])
    text = f"card {4111_1111_1111_1111} please"
    for number in (3, 7, len(text)):
        seen = moderated(
            whole_answer(*split_in(text, number)), digits, on_flag="replace", first_chars=first, max_chars=first
        )
        assert seen.texts()[0, 0, "text"] == "card [removed] please"


# ---------------------------------------------------------------------- annotate


def test_annotate_releases_the_text_after_the_flagged_event():
    seen = moderated(whole_answer(GOOD, "a bad ending"), bad, gap=0.3, on_flag="annotate")
    assert seen.texts()[0, 0, "text"] == GOOD + "a bad ending"
    assert last(seen).type == "response.completed"
    at = types(seen).index("rxstream.moderation.flagged")
    assert flagged(seen).action == "annotate"
    assert "".join(event.delta for event in events_of(seen)[:at] if event.type.endswith("delta")) == GOOD


def test_on_flag_may_be_a_function_of_the_verdict():
    def decide(verdict: Verdict) -> Any:
        return "annotate" if verdict.scores.get("bad", 0) < 0.5 else "cut"

    def check(window: Window) -> Verdict:
        return Verdict(True, scores={"bad": 0.9 if "worse" in window.text else 0.1})

    seen = moderated(whole_answer(GOOD, "bad. ", "worse"), check, gap=0.3, on_flag=decide)
    assert [event.action for event in of_type(seen, "rxstream.moderation.flagged")] == ["annotate", "annotate", "cut"]
    assert seen.texts()[0, 0, "text"] == GOOD + "bad. "


@pytest.mark.parametrize("decide", [lambda verdict: None, lambda verdict: "pass", lambda verdict: 1 / 0])
def test_an_on_flag_function_without_a_valid_action_cuts(decide: Any):
    assert flagged(moderated(whole_answer("bad"), bad, on_flag=decide)).action == "cut"


def test_a_suspect_window_that_holds_text_back_waits_until_the_text_ends():
    windows: list[Window] = []

    def undecided(window: Window) -> Verdict:
        windows.append(window)
        return Verdict(False, suspect=not window.final, holdback=3)

    seen = moderated(whole_answer("one ", "two ", "three ", "four"), undecided, gap=0.5)
    assert seen.texts() == {(0, 0, "text"): "one two three four"}
    assert len(windows) > 2, "it was checked again more than once"
    assert windows[-1].final


def test_a_window_that_stays_suspect_to_the_end_is_flagged():
    def never_sure(window: Window) -> Verdict:
        return Verdict(False, suspect=True, holdback=3)

    for options in (dict[str, Any](), {"first_chars": 20, "max_chars": 20, "max_buffer": 40}):
        seen = moderated(whole_answer(*["words and "] * 10), never_sure, gap=0.5, **options)
        assert flagged(seen).cause == "flag"
        assert seen.texts() == {}
