"""Text of one lane that an event of another place repeats."""

from tests.event_builders import completed, created, item_added, make_event, text_delta, text_done
from tests.moderation._moderated import moderated, passes


def test_an_empty_delta_after_an_event_with_the_text_does_not_hang():
    seen = moderated([created(), text_done("ok"), text_delta(""), text_delta(" more"), text_delta("")], passes)
    assert seen.ended == "|"
    assert seen.texts()[0, 0, "text"] == " more"


def test_an_event_of_another_item_that_repeats_a_text_takes_nothing_away_from_its_deltas():
    """Item 0 has no deltas: its text is that of item 1, whose deltas wait for a text of their item."""
    events = [
        created(),
        item_added(),
        make_event("response.output_item.added", output_index=1, item={"type": "message", "content": [], "zz": "wait"}),
        make_event("response.output_text.delta", output_index=1, content_index=0, item_id="m1", delta="hello there"),
        make_event("response.output_text.done", output_index=0, content_index=0, item_id="m0", text="hello there"),
        text_delta("more", output_index=2),
        completed(),
    ]
    seen = moderated(events, passes, delay=0.1, gap=0.001, first_chars=5, max_chars=11, holdback=0)
    assert seen.texts()[1, 0, "text"] == "hello there"
