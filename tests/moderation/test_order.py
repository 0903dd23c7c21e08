"""The order of moderated events."""

from tests.event_builders import (
    completed,
    created,
    item_added,
    item_done,
    make_event,
    message,
    part_added,
    part_done,
    text_delta,
    text_done,
    text_part,
)
from tests.moderation._moderated import GOOD, events_of, moderated, of_type, passes, types, whole_answer


def test_unchanged_events_are_the_same_objects():
    events = whole_answer(GOOD)
    seen = moderated(events, passes)
    assert all(one is other for one, other in zip(events_of(seen), events, strict=True))


def test_held_text_is_one_delta_in_the_place_of_its_last():
    numbered = [text_delta(text, sequence_number=number, obfuscation="zz") for number, text in enumerate("abc", 7)]
    seen = moderated([created(), *numbered, text_done("abc"), completed()], passes)
    (delta,) = of_type(seen, "response.output_text.delta")
    assert delta.model_dump() == {
        "type": "response.output_text.delta",
        "sequence_number": 9,
        "output_index": 0,
        "content_index": 0,
        "item_id": "item_0",
        "delta": "abc",
    }


def test_structural_events_of_a_lane_wait_for_its_text_and_other_items_do_not():
    events = [
        created(),
        item_added(0),
        part_added(0),
        text_delta("held", 0),
        item_added(1, type="function_call", name="f", call_id="c", arguments=""),
        make_event("response.function_call_arguments.delta", output_index=1, item_id="item_1", delta="{}"),
        make_event("response.function_call_arguments.done", output_index=1, item_id="item_1", arguments="{}"),
        text_done("held", 0),
        part_done("held", 0),
        item_done(0, text_part("held")),
        completed(),
    ]
    seen = moderated(events, passes, delay=1.0)
    order = types(seen)
    assert order.index("response.function_call_arguments.done") < order.index("response.output_text.delta")
    own = [event.type for event in events_of(seen) if getattr(event, "output_index", None) == 0]
    assert own == [event.type for event in events if getattr(event, "output_index", None) == 0]
    assert order[-1] == "response.completed"


def test_parts_of_one_item_do_not_wait_for_each_other():
    events = [
        created(),
        item_added(),
        part_added(0, 0),
        text_delta("slow ", 0, 0),
        part_added(0, 1),
        text_delta("fast", 0, 1),
        text_done("fast", 0, 1),
    ]
    seen = moderated(events, lambda window: False, gap=0.01, holdback=10)
    assert [event.delta for event in of_type(seen, "response.output_text.delta")] == ["fast", "slow "]


def test_unmoderated_events_keep_their_place_in_the_item():
    events = [
        created(),
        item_added(),
        text_delta("one ", 0, 0),
        make_event("response.refusal.delta", output_index=0, content_index=0, delta="no"),
        text_delta("two", 0, 0),
        completed(),
    ]
    seen = moderated(events, passes, delay=0.5, include=("text",))
    assert [event.delta for event in events_of(seen) if event.type.endswith("delta")] == ["one ", "no", "two"]


def test_an_annotation_keeps_its_place_between_texts():
    note = {"type": "url_citation", "url": "https://a.test", "title": "A", "start_index": 0, "end_index": 3}
    events = [
        created(),
        text_delta("one "),
        make_event("response.output_text.annotation.added", output_index=0, content_index=0, annotation=note),
        text_delta("two"),
        completed(),
    ]
    seen = moderated(events, passes, delay=0.5)
    assert [event.type.split(".")[-1] for event in events_of(seen)] == [
        "created",
        "delta",
        "added",
        "delta",
        "completed",
    ]


def test_a_title_is_checked_once_although_it_is_repeated():
    note = {"type": "url_citation", "url": "https://a.test", "title": "A title", "start_index": 0, "end_index": 3}
    part = text_part(GOOD, annotations=[note])
    events = [
        created(),
        text_delta(GOOD),
        make_event("response.output_text.annotation.added", output_index=0, content_index=0, annotation=note),
        part_done(GOOD, annotations=[note]),
        item_done(0, part),
        completed(message(part)),
    ]
    seen = moderated(events, passes)
    texts = [one.window.text.strip() for one in seen.calls if one.window.kind == "other"]
    assert sorted("\n".join(texts).split("\n")) == ["A title", "https://a.test"]
    assert seen.ended == "|"


def test_log_probabilities_wait_for_the_end_of_their_text():
    first, second = [{"token": text, "logprob": -0.5} for text in ("All ", "well")]
    events = [
        created(),
        text_delta("All ", logprobs=[first]),
        text_delta("well", logprobs=[second]),
        text_done("All well"),
        completed(),
    ]
    seen = moderated(events, passes)
    assert [event.logprobs for event in of_type(seen, "response.output_text.delta")] == [[]]
    kept = of_type(seen, "response.output_text.done")[0].logprobs
    assert [entry.model_dump() for entry in kept] == [first, second]


def test_events_after_the_terminal_one_follow_it():
    seen = moderated([*whole_answer(GOOD), make_event("keepalive"), text_delta("more", 5)], passes, delay=0.5)
    assert types(seen)[-3:] == ["response.completed", "keepalive", "response.output_text.delta"]
    assert seen.ended == "|"


def test_a_source_that_completes_without_an_ending_gets_none():
    seen = moderated(whole_answer(GOOD)[:5], passes, delay=0.5)
    assert seen.texts()[0, 0, "text"] == GOOD
    assert types(seen)[-1] == "response.output_text.done"
    assert seen.ended == "|"


def test_a_snapshot_in_the_middle_has_the_released_text():
    now = {"id": "r", "status": "in_progress", "output": [message(text_part("All well"))]}
    seen = moderated(
        [
            created(),
            item_added(),
            text_delta("All "),
            make_event("keepalive"),
            make_event("keepalive"),
            text_delta("well"),
            make_event("response.in_progress", response=now),
        ],
        passes,
        gap=0.15,
    )
    (snapshot,) = of_type(seen, "response.in_progress")
    assert snapshot.response.output_text == "All "
