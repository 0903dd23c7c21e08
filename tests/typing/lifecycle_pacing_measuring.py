"""The result types of operators about the end, the pace and the figures of a stream. Checked, never run."""

import re
from typing import assert_type

from reactivex import Observable

from rxstream import operators as rxs
from rxstream.events import Response, StreamingEvent, Usage
from rxstream.results import HeartbeatEvent, Metrics, Snapshot


def lifecycle(events: Observable[StreamingEvent]) -> None:
    assert_type(events.pipe(rxs.snapshots()), Observable[Snapshot])
    assert_type(events.pipe(rxs.final_response()), Observable[Response])
    assert_type(events.pipe(rxs.usage()), Observable[Usage])
    assert_type(events.pipe(rxs.require_completed()), Observable[StreamingEvent])
    assert_type(events.pipe(rxs.well_formed(reason="stopped")), Observable[StreamingEvent])


def snapshot(one: Snapshot) -> None:
    assert_type(one.response, Response)
    assert_type(one.event, StreamingEvent)
    assert_type(one.text, str)


def pacing(events: Observable[StreamingEvent], texts: Observable[str]) -> None:
    assert_type(events.pipe(rxs.coalesce(0.05)), Observable[StreamingEvent])
    assert_type(texts.pipe(rxs.coalesce(0.05, 80)), Observable[str])
    assert_type(texts.pipe(rxs.heartbeat(15)), Observable[str | HeartbeatEvent])
    assert_type(events.pipe(rxs.heartbeat(15)), Observable[StreamingEvent | HeartbeatEvent])
    assert_type(events.pipe(rxs.shared(), rxs.heartbeat(15)), Observable[StreamingEvent | HeartbeatEvent])
    assert_type(events.pipe(rxs.heartbeat(15), rxs.text_only(), rxs.heartbeat(1)), Observable[str | HeartbeatEvent])
    assert_type(events.pipe(rxs.pace("word", rate=20, max_lag=0.5)), Observable[StreamingEvent])
    assert_type(texts.pipe(rxs.pace(re.compile(r"\S+\s*"))), Observable[str])
    assert_type(texts.pipe(rxs.pace(lambda text: text.find(",") + 1)), Observable[str])


def measuring(events: Observable[StreamingEvent]) -> None:
    assert_type(events.pipe(rxs.measure()), Observable[Metrics])
    assert_type(events.pipe(rxs.measure(print)), Observable[StreamingEvent])
    assert_type(events.pipe(rxs.measure(lambda metrics: metrics.gaps.p95)), Observable[StreamingEvent])
    figures: list[Metrics] = []
    assert_type(events.pipe(rxs.measure(figures.append)), Observable[StreamingEvent])
    assert_type(events.pipe(rxs.measure(figures.append, every=None), rxs.text_only()), Observable[str])


def in_one_chain(events: Observable[StreamingEvent]) -> None:
    assert_type(events.pipe(rxs.well_formed(), rxs.coalesce(0.1), rxs.snapshots()), Observable[Snapshot])
    assert_type(events.pipe(rxs.text_only(), rxs.pace("word")), Observable[str])
    assert_type(events.pipe(rxs.text_only(), rxs.coalesce(0.1)), Observable[str])
    assert_type(events.pipe(rxs.pace("word"), rxs.text_only(), rxs.coalesce(0.1), rxs.lines()), Observable[str])
