"""Checks that misbehave: without a verdict nothing is released, and late verdicts do not reorder the text."""

import asyncio
import random
from typing import Any

import pytest
from reactivex import empty, throw
from reactivex import just as just_one

from rxstream.errors import ModerationError
from rxstream.moderation import Verdict, Window
from rxstream.testing import ModerationTrial
from rxstream.testing.laws._moderation_trial import HANGS
from tests.moderation._moderated import GOOD, SECRET, assert_hidden, flagged, moderated, split_in, whole_answer


def raises(window: Window) -> bool:
    raise ValueError(f"cannot judge {window.text}")


MISBEHAVIOURS: dict[str, Any] = {
    "raises": raises,
    "hangs": lambda window: HANGS,
    "answers None": lambda window: None,
    "answers a text": lambda window: "fine",
    "answers a number": lambda window: 0,
    "answers an Observable of nothing": lambda window: empty(),
    "answers an Observable of rubbish": lambda window: just_one("fine"),
    "answers an Observable that fails": lambda window: throw(ValueError(window.text)),
    "answers a verdict that is none": lambda window: Verdict(flagged=None),  # type: ignore[arg-type]
    "answers a verdict of rubbish": lambda window: Verdict(False, categories=None),  # type: ignore[arg-type]
    "answers a verdict with texts for scores": lambda window: Verdict(False, scores={"a": window.text}),  # type: ignore[dict-item]
    "answers a verdict with spans of nothing": lambda window: Verdict(False, spans=((1,),)),  # type: ignore[arg-type]
    "answers a verdict with an infinite span": lambda window: Verdict(False, spans=((0, float("inf")),)),  # type: ignore[arg-type]
    "answers a verdict that cannot be read": lambda window: Verdict(False, categories=(Unreadable(window.text),)),  # type: ignore[arg-type]
    "answers an awaitable that was cancelled": lambda window: _cancelled(window),
    "answers an awaitable that fails": lambda window: _failing(window),
    "answers an awaitable of rubbish": lambda window: _rubbish(window),
}


class Unreadable:
    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        raise ValueError(self._text)


async def _cancelled(window: Window) -> bool:
    raise asyncio.CancelledError(window.text)


async def _failing(window: Window) -> bool:
    raise ValueError(window.text)


async def _rubbish(window: Window) -> Any:
    return window.text


@pytest.mark.parametrize("mode", ["hold", "bounded", "optimistic"])
@pytest.mark.parametrize("misbehaviour", MISBEHAVIOURS)
def test_a_check_without_a_verdict_releases_nothing(misbehaviour: str, mode: str):
    answer = MISBEHAVIOURS[misbehaviour]
    seen = moderated(whole_answer(GOOD, SECRET, " bye"), answer, mode=mode, max_exposure=4)
    event = flagged(seen)
    assert (event.cause, event.action) == ("check_error", "cut")
    assert seen.ended == "|"
    if mode == "hold":
        assert_hidden(seen)
        assert not seen.texts()
    else:
        assert sum(seen.kept_sizes().values()) == 0
    assert "PLUGH" not in "\n".join(seen.log), "the text is in the log"


def test_a_failed_check_is_retried():
    answers = iter([None, False])
    seen = moderated(whole_answer(GOOD), lambda window: next(answers))
    assert seen.texts()[0, 0, "text"] == GOOD
    assert len(seen.calls) == 2
    assert seen.calls[0].window == seen.calls[1].window


def test_on_check_error_pass_releases_unchecked_text():
    seen = moderated(whole_answer(GOOD), raises, on_check_error="pass")
    assert seen.texts()[0, 0, "text"] == GOOD
    seen = moderated(whole_answer(GOOD), raises, on_check_error="error")
    assert isinstance(seen.error, ModerationError)
    assert seen.error.__cause__ is None
    assert GOOD not in f"{seen.error!r} {seen.error}"


def test_a_slow_check_releases_in_order_and_not_before_its_verdict():
    seen = moderated(
        whole_answer(*split_in(GOOD * 9, 30)), lambda window: False, delay=0.7, first_chars=20, max_chars=20
    )
    assert seen.texts()[0, 0, "text"] == GOOD * 9
    assert min(at for _, at, event in seen.emitted if event.type.endswith("delta")) >= 0.7


def test_checks_that_overtake_each_other_do_not_reorder_the_text():
    rng = random.Random(1)
    text = "".join(chr(97 + number % 26) for number in range(400))
    waits = [rng.uniform(0, 2) for _ in range(99)]
    timed = [(0.01 * number, event) for number, event in enumerate(whole_answer(*split_in(text, 40)))]
    options = {"first_chars": 20, "max_chars": 20, "in_flight": 6, "boundary": None}
    seen = ModerationTrial(timed, lambda window: False, delay=lambda n: waits[n], options=options).run()
    assert seen.texts()[0, 0, "text"] == text


def test_a_retry_does_not_reorder_the_text():
    failed: set[str] = set()

    def once(window: Window) -> bool | None:
        if window.text in failed:
            return False
        failed.add(window.text)
        return None

    text = "".join(chr(97 + number % 26) for number in range(200))
    seen = moderated(whole_answer(*split_in(text, 20)), once, delay=0.2, first_chars=20, max_chars=20, boundary=None)
    assert seen.texts()[0, 0, "text"] == text


def test_what_a_verdict_means_is_understood():
    for verdict, categories in (
        (Verdict(True, "pii"), ("pii",)),
        (Verdict(numpy_bool(True)), ()),
        (numpy_bool(True), ()),
    ):  # type: ignore[arg-type]
        seen = moderated(whole_answer(GOOD), lambda window, verdict=verdict: verdict)
        assert flagged(seen).cause == "flag"
        assert flagged(seen).verdict.categories == categories
    assert moderated(whole_answer(GOOD), lambda window: numpy_bool(False)).texts()[0, 0, "text"] == GOOD


def numpy_bool(value: bool) -> Any:
    """A bool of numpy, as far as it can be told without numpy."""
    kind = type("bool_", (), {"__module__": "numpy", "__bool__": lambda self: value})
    return kind()
