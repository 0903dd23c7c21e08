"""The audit trail: `on_verdict` gets a record of each verdict."""

import logging
from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.moderation import Verdict, VerdictRecord, Window
from rxstream.results import Metrics
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
