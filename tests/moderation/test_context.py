"""What a check sees before its window, and what of the text stays back behind it."""

import re
from typing import Any

import pytest

from rxstream.moderation import Verdict, Window
from tests.event_builders import created, text_deltas
from tests.moderation._moderated import assert_hidden, moderated, passes, whole_answer

KEY = "sk-" + "aB3dE5fG7h" * 4 + "xyz12"


def finds_key(window: Window) -> bool:
    """A check by regular expression, as people write it: it knows nothing of holdbacks."""
    return re.search(r"sk-[A-Za-z0-9]{40,}", window.context + window.text) is not None


@pytest.mark.parametrize("at", range(1, len(KEY), 3))
@pytest.mark.parametrize("pause", [0.25, 0.3, 1.2])
def test_a_key_with_a_pause_in_its_middle_is_seen_whole(at: int, pause: float):
    """All defaults: a timer cuts the window in the key, and neither the pause nor its end shows any of it."""
    before = "Here is the key that you asked for, keep it safe please: "
    pieces = [before, KEY[:at], KEY[at:], " and some more words after it."]
    seen = moderated(whole_answer(*pieces), finds_key, gap=pause)
    assert_hidden(seen, KEY)


def test_windows_that_timers_cut_take_no_context_from_the_next_ones():
    seen = moderated(
        [created(), *text_deltas(*["0123456789 "] * 30)], passes, gap=0.3, first_chars=20, max_chars=20, context=48
    )
    for call in seen.calls:
        assert len(call.window.context) == min(48, call.window.start)


def test_a_pause_shows_no_unfinished_word():
    seen = moderated([created(), *text_deltas("The key is ", KEY[:-2])], passes, gap=2.0)
    assert seen.texts()[0, 0, "text"] == "The key is " + KEY[:-2]  # the source has ended
    before_the_end = [event.delta for _, time, event in seen.emitted if hasattr(event, "delta") and time < 4.0]
    assert "".join(before_the_end) == "The key is "


@pytest.mark.parametrize(
    ("text", "shown"),
    [("one two thr", "one two "), ("今天天气", "今天天气"), ("สวัสดี", "สวัสดี"), ("x" * 500, "x" * 100), ("a\n", "a\n")],
)
def test_what_an_unfinished_word_is(text: str, shown: str):
    """In scripts without spaces there is none. It is at most as long as the context."""
    seen = moderated([created(), *text_deltas(text, "")], passes, gap=5.0, context=400, max_chars=800, first_chars=800)
    early = [event.delta for _, time, event in seen.emitted if hasattr(event, "delta") and time < 9.0]
    assert "".join(early) == shown


def test_a_check_with_its_own_holdback_holds_back_no_word():
    class Check:
        holdback = 3

        def __call__(self, window: Window) -> bool:
            return False

    for check, holdback, shown in (
        (Check(), "word", 7),
        (Check(), 0, 7),
        (Check(), 5, 5),
        (passes, 0, 10),
        (passes, 4, 6),
    ):
        seen = moderated([created(), *text_deltas("abcdefghij", "")], check, gap=5.0, holdback=holdback)
        early = [event.delta for _, time, event in seen.emitted if hasattr(event, "delta") and time < 9.0]
        assert len("".join(early)) == shown


def decoded(window: Window) -> Verdict:
    """Flags what only the decoded text has."""
    text = window.context + window.text
    start = text.find("naïve")
    spans = ((start - len(window.context), start - len(window.context) + 5),) if start >= 0 else ()
    return Verdict(start >= 0, spans=spans)


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize("action", ["cut", "replace"])
def test_arguments_and_structured_output_are_judged_decoded(size: int, action: str):
    raw = '{"a":"so na\\u00efve \\"you\\" are \\ud83d\\ude00","b":1}'
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    options: dict[str, Any] = {"on_flag": action, "replacement": 'a "quoted" word', "holdback": 8, "gap": 0.3}
    seen = moderated(whole_answer(*pieces), decoded, **options)
    text = seen.texts().get((0, 0, "text"), "")
    if action == "replace":
        assert text == raw.replace("na\\u00efve", 'a \\"quoted\\" word')
        assert seen.emitted[-1][2].response.output[0].text == text  # type: ignore[attr-defined]
    else:
        assert raw.startswith(text)
        assert "00ef" not in seen.json()


@pytest.mark.parametrize(
    ("span", "result"),
    [
        ('":4111', '{"card":null,"name":"x"}'),
        ("4111222233334444", '{"card":null,"name":"x"}'),
        ('4111222233334444,"na', '{"card":null,"[removed]me":"x"}'),
        ('name":"x"}', '{"card":4111222233334444,"[removed]":"[removed]"}'),
    ],
)
def test_a_replacement_in_json_leaves_json(span: str, result: str):
    raw = '{"card":4111222233334444,"name":"x"}'

    def flags(window: Window) -> Verdict:
        start = window.text.find(span)
        return Verdict(start >= 0, spans=((start, start + len(span)),) if start >= 0 else ())

    seen = moderated(whole_answer(raw), flags, on_flag="replace")
    assert seen.texts()[0, 0, "text"] == result
