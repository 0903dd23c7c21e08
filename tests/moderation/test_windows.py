"""When a check starts, and its window."""

from datetime import timedelta
from typing import Any

import pytest

from tests.event_builders import created, make_event, text_delta, text_deltas
from tests.moderation._moderated import GOOD, moderated, passes, whole_answer


def test_windows_grow_from_first_chars_to_max_chars():
    text = "".join(chr(97 + number % 26) for number in range(4000))
    seen = moderated(whole_answer(text), passes, boundary=None)
    assert [len(one.window.text) for one in seen.calls] == [60, 120, 240, 480, 800, 800, 800, 700]


def test_the_first_text_is_released_after_first_chars():
    seen = moderated([created(), *text_deltas(*"x" * 60)], passes, gap=0.001, quiet=9.0, max_delay=9.0)
    first = next(at for _, at, event in seen.emitted if event.type.endswith("delta"))
    assert first == pytest.approx(0.060)


def test_the_first_text_is_released_after_max_delay():
    seen = moderated(
        [created(), *text_deltas(*["x "] * 30)], passes, gap=0.1, max_delay=timedelta(seconds=1), quiet=9.0
    )
    first = next(at for _, at, event in seen.emitted if event.type.endswith("delta"))
    assert first == pytest.approx(0.1 + 1.0)


def test_a_check_starts_after_quiet():
    seen = moderated(
        [created(), text_delta("a"), make_event("keepalive"), make_event("keepalive"), text_delta("b")],
        passes,
        gap=0.15,
    )
    assert [round(one.time, 3) for one in seen.calls] == [0.35, 0.6]


def test_white_space_alone_is_not_sent():
    seen = moderated(whole_answer("  \n", "word", " \t "), passes, gap=0.5)
    assert [one.window.text for one in seen.calls] == ["word"]
    assert seen.texts()[0, 0, "text"] == "  \nword \t "


def test_the_last_window_is_final():
    seen = moderated(whole_answer(GOOD * 10), passes)
    assert [one.window.final for one in seen.calls] == [False, False, True]


def test_at_most_in_flight_checks_run_at_once():
    events = whole_answer(*["0123456789"] * 60)
    for slots in (1, 2, 3):
        seen = moderated(events, passes, delay=0.5, first_chars=20, max_chars=20, in_flight=slots)
        running = max(sum(one.under_way(other.time) for one in seen.calls) for other in seen.calls)
        assert running == slots


def test_the_context_was_checked_before_and_is_at_most_as_long_as_its_option():
    text = "".join(chr(97 + number % 26) for number in range(3000))
    seen = moderated(whole_answer(text), passes, boundary=None, context=100)
    at = 0
    for one in seen.calls:
        assert text[:at].endswith(one.window.context)
        assert len(one.window.context) <= 100
        at += len(one.window.text)
    assert len(seen.calls[-1].window.context) == 100


def test_the_context_is_never_shorter_than_what_is_held_back():
    seen = moderated(whole_answer("abcdefghij" * 20), passes, boundary=None, context=0, holdback=15, first_chars=20)
    assert all(len(one.window.context) >= 15 for one in seen.calls[1:])


@pytest.mark.parametrize(
    ("boundary", "text", "first"),
    [
        ("sentence", "It is 3.14, e.g. here. And so it goes on", "It is 3.14, e.g. here."),
        ("sentence", "See https://a.b/c.d?e=f. Then go. Onwards to the next", "See https://a.b/c.d?e=f. Then go."),
        ("sentence", "你好。今天天气很好！我们走吧真的吗", "你好。今天天气很好！"),
        ("word", "one two three four fivesixseven", "one two three four "),
        ("line", "first line\nsecond line\nthird line of it", "first line\nsecond line\n"),
        (lambda text: text.index("|") + 1, "aaaaaaaaaaaaaaaaaaaaaaa|bbbbbbbbbbbbb", "aaaaaaaaaaaaaaaaaaaaaaa|"),
        (lambda text: 1 / 0, "whatever it may be", "whatever it may be"),
        (lambda text: "no", "whatever it may be", "whatever it may be"),
    ],
)
def test_a_window_ends_at_its_boundary(boundary: Any, text: str, first: str):
    size = len(text)
    seen = moderated(
        [created(), text_delta(text)], passes, boundary=boundary, first_chars=size, quiet=9.0, max_delay=9.0
    )
    assert seen.calls[0].window.text.strip() == first.strip()
