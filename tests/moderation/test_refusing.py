"""`on_flag="refuse"`: the message ends with a text of the application, as a legal stream."""

from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from tests.event_builders import created, item_added, make_event, part_added, text_delta
from tests.moderation._moderated import (
    GOOD,
    SECRET,
    assert_hidden,
    bad,
    events_of,
    flagged,
    moderated,
    types,
    whole_answer,
)

WHERE: dict[str, Any] = {"output_index": 0, "content_index": 0, "item_id": ""}
REFUSAL = "I would rather not say that."


@pytest.mark.parametrize("mode", ["hold", "optimistic"])
def test_the_message_ends_with_the_refusal(mode: str):
    seen = moderated(whole_answer(GOOD, SECRET), on_flag="refuse", refusal=REFUSAL, gap=0.3, mode=mode)
    assert flagged(seen).action == "refuse"
    response = seen.emitted[-1][2].response  # type: ignore[attr-defined]
    assert [part.type for part in response.output[0].content] == ["output_text", "refusal"]
    assert response.output[0].content[0].text == GOOD
    assert response.output[0].content[1].refusal == REFUSAL
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "content_filter")
    refusals: list[Any] = []
    reactivex.from_iterable(events_of(seen)).pipe(rxs.refusals()).subscribe(refusals.append)
    assert "".join(map(str, refusals)) == REFUSAL
    assert seen.texts()[0, 1, "refusal"] == REFUSAL
    assert seen.ended == "|"
    if mode == "hold":
        assert_hidden(seen)


def test_the_stream_is_well_formed():
    for events in (whole_answer(GOOD, SECRET), whole_answer(SECRET), [created(), make_event("acme:x", text=SECRET)]):
        seen = moderated(events, on_flag="refuse", refusal=REFUSAL, gap=0.3)
        formed: list[Any] = []
        reactivex.from_iterable(events_of(seen)).pipe(rxs.well_formed()).subscribe(formed.append)
        assert formed == events_of(seen)
        assert types(seen)[-1] == "response.incomplete"
        for opened, closed in (("output_item.added", "output_item.done"), ("content_part.added", "content_part.done")):
            kinds = types(seen)
            assert kinds.count(f"response.{opened}") == kinds.count(f"response.{closed}"), events
        assert seen.texts()[max(seen.texts())] == REFUSAL


@pytest.mark.parametrize("kind", ["text", "refusal", "two messages"])
def test_the_other_parts_end_before_the_refusal_begins(kind: str):
    first = [text_delta(GOOD)] if kind != "refusal" else [make_event("response.refusal.delta", **WHERE, delta=GOOD)]
    more = [item_added(1), part_added(1), text_delta(GOOD, 1)] if kind == "two messages" else []
    seen = moderated(
        [created(), item_added(), part_added(), *first, *more, text_delta("bad", len(more) and 1)],
        bad,
        on_flag="refuse",
    )
    types = [event.type.removeprefix("response.") for event in events_of(seen) if event.synthetic]
    begins = types.index("content_part.added")
    assert types[begins:] == [
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
    ]
    assert "content_part.done" in types[:begins]
