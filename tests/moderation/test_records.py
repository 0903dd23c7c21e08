"""The audit trail: `on_verdict` gets a record of each verdict."""

import logging
from typing import Any

import pytest
import reactivex
from reactivex.disposable import SerialDisposable

from rxstream import operators as rxs
from rxstream.moderation import Verdict, VerdictRecord, Window
from rxstream.results import Metrics
from rxstream.testing import ModerationTrial
from rxstream.testing.laws._moderation_trial import HANGS
from tests.moderation._moderated import GOOD, SECRET, blocklist, moderated, passes, whole_answer


def records_of(events: Any, judge: Any, **options: Any) -> list[VerdictRecord]:
    records: list[VerdictRecord] = []
    moderated(events, judge, on_verdict=records.append, **options)
    return records


def test_each_verdict_has_a_record_passes_too():
    records = records_of(whole_answer(GOOD, SECRET), blocklist, gap=0.3, delay=0.1)
    assert [(record.outcome, record.action) for record in records] == [("passed", ""), ("flagged", "cut")]
    assert [(record.start, record.end) for record in records] == [(0, len(GOOD)), (len(GOOD), len(GOOD + SECRET))]
    assert [record.seconds for record in records] == pytest.approx([0.1, 0.1])
    assert {(record.check, record.tier, record.kind, record.output_index) for record in records} == {
        ("Blocklist", 0, "text", 0)
    }
    assert records[1].categories == ("blocklist",)
    assert records[1].response_id == "resp_1"
    assert not any(SECRET in repr(record) or record.text is not None for record in records)


def test_the_text_is_in_a_record_only_if_that_was_chosen():
    (first, second) = records_of(whole_answer(GOOD, SECRET), blocklist, gap=0.3, record_text=True)
    assert (first.text, second.text) == (GOOD, SECRET)
    assert SECRET not in repr(second)


def test_retries_and_failures_say_their_class():
    def raises(window: Window) -> bool:
        raise LookupError(window.text)

    for judge, failure in (
        (raises, "LookupError"),
        (lambda window: None, "no verdict"),
        (lambda window: HANGS, "timeout"),
    ):
        records = records_of(whole_answer(GOOD), judge, on_check_error="pass")
        assert [(record.outcome, record.action, record.attempt, record.failure) for record in records] == [
            ("failed", "retry", 0, failure),
            ("failed", "pass", 1, failure),
        ]


def test_each_check_of_a_list_and_each_action_has_its_record():
    def suspects(window: Window) -> Verdict:
        return Verdict(False, ("odd",), {"odd": 0.6}, suspect=True)

    records = records_of(whole_answer(GOOD), [passes, (suspects, "annotate"), (blocklist, "replace")])
    assert [(record.check, record.tier, record.outcome, record.action) for record in records] == [
        ("passes", 0, "passed", ""),
        ("suspects", 1, "suspect", ""),
        ("suspects", 1, "flagged", "annotate"),
        ("Blocklist", 2, "passed", ""),
    ]
    assert records[1].scores == {"odd": 0.6}


def test_a_function_that_raises_does_not_end_the_stream(caplog: pytest.LogCaptureFixture):
    def broken(record: VerdictRecord) -> None:
        raise LookupError(SECRET)

    with caplog.at_level(logging.ERROR, "rxstream.moderation"):
        seen = moderated(whole_answer(GOOD), passes, on_verdict=broken)
    assert seen.texts()[0, 0, "text"] == GOOD
    assert "on_verdict raised LookupError" in seen.log[0]
    assert SECRET not in "".join(seen.log)


def test_measure_counts_flags():
    metrics: list[Metrics] = []
    reactivex.from_iterable(whole_answer(GOOD, "bad ", GOOD, "bad ")).pipe(
        rxs.debounce_moderation(lambda window: "bad" in window.text, on_flag="annotate", first_chars=20, max_chars=20),
        rxs.measure(metrics.append),
    ).subscribe()
    assert metrics[-1].flags == 2


def cancelled(records: list[VerdictRecord]) -> list[tuple[str, str, int, int]]:
    return [
        (record.outcome, record.action, record.start, record.end) for record in records if record.failure == "cancelled"
    ]


def test_a_check_that_is_cancelled_has_a_record():
    """By a dispose; by a flag of another window; because its window became part of another; by an error of the source;
    by an observer that raises."""
    size = len(GOOD)
    answer = whole_answer(GOOD, deltas=[GOOD])
    disposed = records_of(answer, passes, delay=1.0, dispose_at=0.5)
    assert cancelled(disposed) == [("failed", "", 0, size)]
    assert disposed[0].seconds == pytest.approx(0.5 - 0.07, abs=0.05)

    def first_is_bad(window: Window) -> bool:
        return window.start == 0

    trial_records: list[VerdictRecord] = []
    events = whole_answer(GOOD, GOOD)
    trial = ModerationTrial(
        [(0.0, event) for event in events],
        first_is_bad,
        delay=lambda number: 0.1 + number,
        options={"first_chars": size, "max_chars": size, "on_verdict": trial_records.append, "timeout": 60},
    )
    trial.run()
    assert [(record.outcome, record.failure) for record in trial_records] == [("flagged", ""), ("failed", "cancelled")]

    def suspects(window: Window) -> Verdict:
        return Verdict(False, suspect=len(window.text) == size)

    options: dict[str, Any] = {"first_chars": size, "max_chars": size, "on_verdict": trial_records.append}
    trial_records.clear()
    ModerationTrial(
        [(0.0, event) for event in events], suspects, delay=lambda number: 0.1 + number, options=options
    ).run()
    assert [record.outcome for record in trial_records] == ["suspect", "failed", "passed"]
    assert cancelled(trial_records) == [("failed", "", size, 2 * size)]

    failed = records_of(answer[:4], passes, delay=1.0, quiet=0.0, error=ConnectionError())
    assert ("failed", "", 0, size) in cancelled(failed)


def test_a_time_out_is_not_recorded_as_cancelled_too():
    records = records_of(whole_answer(GOOD), lambda window: HANGS, retries=0)
    assert [(record.failure, record.action) for record in records] == [("timeout", "cut")]


def test_each_call_has_one_record_wherever_the_observer_raises_or_disposes():
    events = whole_answer(GOOD, GOOD, "bad ", GOOD)
    for number in range(len(events)):
        for how in ("raise", "dispose"):
            calls: list[Window] = []
            records: list[VerdictRecord] = []

            def check(window: Window, calls: list[Window] = calls) -> Verdict:
                calls.append(window)
                return Verdict("bad" in window.text)

            left = [number]
            subscription = SerialDisposable()

            def on_next(
                event: Any, left: list[int] = left, how: str = how, subscription: SerialDisposable = subscription
            ) -> None:
                left[0] -= 1
                if left[0] < 0 and how == "raise":
                    raise LookupError
                if left[0] < 0:
                    subscription.dispose()

            subscription.disposable = (
                reactivex.from_iterable(events)
                .pipe(rxs.debounce_moderation([check, check], first_chars=10, max_chars=20, on_verdict=records.append))
                .subscribe(on_next, lambda error: None)
            )
            assert len(records) == len(calls)
