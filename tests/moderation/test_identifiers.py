"""Identifiers leave without a verdict only if they are short and look like one."""

from typing import Any

import pytest

from rxstream.moderation import Blocklist, Window
from tests.event_builders import completed, created, item_added, make_event, text_delta
from tests.moderation._moderated import GOOD, assert_hidden, blocklist, moderated, of_type, passes

LONG = "k3Y" * 24
"""Longer than an identifier."""
BASE64 = "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
"""No identifier has these characters."""

check = Blocklist([LONG, BASE64])


@pytest.mark.parametrize("secret", [LONG, BASE64])
@pytest.mark.parametrize(
    "event",
    [
        lambda secret: make_event("response.output_item.added", output_index=0, item={"type": "message", "id": secret}),
        lambda secret: make_event("response.output_item.added", output_index=0, item={"type": secret, "id": "x"}),
        lambda secret: item_added(0, type="function_call", id="fc", call_id=secret, arguments=""),
        lambda secret: make_event("response.created", response={"id": secret}),
        lambda secret: make_event("response.in_progress", response={"id": "resp_1", "model": secret + "/x" * 8}),
        lambda secret: make_event("response.web_search_call.searching", output_index=0, item_id=secret),
        lambda secret: make_event(secret, output_index=0),
        lambda secret: make_event("acme:trace", id=secret),
        lambda secret: make_event("acme:trace", model=secret),
        lambda secret: text_delta("fine", item_id=secret),
    ],
    ids=[
        "item",
        "item type",
        "call",
        "response",
        "model",
        "item_id",
        "event type",
        "unknown id",
        "unknown model",
        "delta",
    ],
)
def test_what_does_not_look_like_an_identifier_is_judged(event: Any, secret: str):
    seen = moderated([event(secret), text_delta(GOOD, 1), completed()], check, include="all")
    assert_hidden(seen, secret, 8)


@pytest.mark.parametrize(
    ("type", "fields"),
    [
        ("acme:trace", {"id": "XYZZY-PLUGH-42"}),
        ("acme:trace", {"item_id": "XYZZY-PLUGH-42"}),
        ("acme:trace", {"model": "XYZZY-PLUGH-42"}),
        ("acme:trace", {"object": "XYZZY-PLUGH-42"}),
        ("acme:trace", {"note": {"id": "XYZZY-PLUGH-42"}}),
        ("XYZZY-PLUGH-42", {}),
    ],
)
def test_in_an_unknown_event_only_its_type_and_ids_of_earlier_events_are_structure(type: str, fields: Any):
    seen = moderated([created(), make_event(type, **fields), text_delta(GOOD, 1), completed()], blocklist)
    assert_hidden(seen)


def test_an_unknown_event_may_name_the_items_of_earlier_events():
    windows: list[Window] = []

    def check(window: Window) -> bool:
        windows.append(window)
        return False

    events = [
        created(),
        item_added(0, type="message", id="msg_1", content=[]),
        make_event("acme:trace", item_id="msg_1", response_id="resp_1", output_index=0),
        text_delta("", item_id="item_2"),
        make_event("acme:trace", item_id="item_2"),
    ]
    seen = moderated(events, check)
    assert "msg_1" not in "".join(window.text for window in windows)
    assert len(of_type(seen, "acme:trace")) == 2
    assert "response_id" not in "".join(window.text for window in windows)


def test_deltas_keep_a_long_id_that_passed():
    """Some servers make ids of a few hundred characters of Base64."""
    ids = BASE64 * 8
    events = [created(), item_added(0, type="message", id=ids, content=[]), text_delta(GOOD, item_id=ids), completed()]
    seen = moderated(events, passes)
    assert [event.item_id for event in of_type(seen, "response.output_text.delta")] == [ids]
    seen = moderated(events, Blocklist([BASE64]), on_flag="replace")
    assert [event.item_id for event in of_type(seen, "response.output_text.delta")] == [""]
    assert_hidden(seen, BASE64, 8)
