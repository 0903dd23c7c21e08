"""Ways in which a text that is flagged might come out all the same. Each is tried in `hold`; none may work."""

import pytest

from rxstream.events import ResponseOutputTextDeltaEvent
from rxstream.moderation import Blocklist
from tests.event_builders import completed, created
from tests.moderation._attacks import ATTACKS
from tests.moderation._moderated import (
    GOOD,
    SECRET,
    assert_hidden,
    flagged,
    last,
    moderated,
    of_type,
    split_in,
    types,
    whole_answer,
)


@pytest.mark.parametrize("action", ["cut", "error", "replace"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_piece_of_a_flagged_text_is_emitted(attack: str, action: str):
    events, options = ATTACKS[attack]
    seen = moderated(events, on_flag=action, **options)
    assert_hidden(seen)
    actions = {event.action for event in of_type(seen, "rxstream.moderation.flagged")}
    assert seen.ended == ("#" if "error" in actions else "|")


_QUIET = {
    "in the part's added",
    "in the item's added",
    "in a snapshot in the middle",
    "in the header",
    "in the padding",
    "in an unknown field, of a delta",
}
"""Here the text is left out without any check: it may not come so early, or not there at all."""


@pytest.mark.parametrize("attack", sorted(ATTACKS.keys() - _QUIET))
def test_an_attack_is_flagged_and_the_stream_is_cut(attack: str):
    events, options = ATTACKS[attack]
    seen = moderated(events, **options)
    events = of_type(seen, "rxstream.moderation.flagged")
    assert events, types(seen)
    assert events[-1].verdict.categories == ("blocklist",)
    if events[-1].action == "cut":
        assert last(seen).type in ("response.incomplete", "rxstream.moderation.flagged")


def test_text_before_a_flag_is_released():
    for name in ("split over two deltas", "at the very end", "only in the text's done", "in a second part"):
        seen = moderated(ATTACKS[name][0], gap=0.3)
        assert seen.texts()[0, 0, "text"].startswith(GOOD[: len(GOOD) - len(SECRET) + 1]), name


@pytest.mark.parametrize("number", range(2, len(SECRET) + 1))
@pytest.mark.parametrize("gap", [0.001, 0.3, 1.2])
def test_a_secret_split_over_n_deltas_is_not_emitted(number: int, gap: float):
    assert_hidden(moderated(whole_answer(GOOD, *split_in(SECRET, number), GOOD), gap=gap))


def test_a_secret_split_over_a_surrogate_pair_is_seen_whole():
    secret = "key 😀 PLUGH-42"
    halves = [
        ResponseOutputTextDeltaEvent.model_construct(type="response.output_text.delta", delta=text)
        for text in ("the key \ud83d", "\ude00 PLU", "GH-42 ok")
    ]
    seen = moderated([created(), *halves, completed()], Blocklist([secret]), gap=0.5)
    assert flagged(seen).action == "cut"
    assert_hidden(seen, "PLUGH-42")


@pytest.mark.parametrize("gap", [0.001, 0.5])
def test_a_secret_split_over_a_combining_mark_is_seen_whole(gap: float):
    secret = "cafe\u0301-PLUGH"
    for listed in (secret, "caf\u00e9-PLUGH"):
        seen = moderated(whole_answer("my caf", "e", "\u0301-PL", "UGH now"), Blocklist([listed]), gap=gap)
        assert flagged(seen).action == "cut"
        assert_hidden(seen, "\u0301-PLUGH", 3)


def test_no_delta_splits_a_grapheme():
    text = "e\u0301👨‍👩‍👧‍👦🇫🇷🇩🇪각👍🏽\r\n" * 9
    for first in range(1, 12):
        seen = moderated(whole_answer(*text), lambda window: False, first_chars=first, max_chars=first, boundary=None)
        assert seen.texts()[0, 0, "text"] == text
        for event in of_type(seen, "response.output_text.delta"):
            assert event.delta[0] not in "\u0301\u200d\n🏽"
            assert not event.delta.endswith("\u200d")
