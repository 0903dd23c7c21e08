"""What holds for a source that is not a session's, and that several threads feed: see docs/how-to/plug-into-rx.md."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest
from reactivex import operators as ops
from reactivex.scheduler import EventLoopScheduler
from reactivex.subject import Subject

from rxstream import operators as rxs
from tests.waiting import BOUND

THREADS, VALUES = 4, 300


class Inside:
    """A core that notices two calls at a time, and counts in a way that these would break."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def feed(self, value: object, *_: object) -> Iterable[int]:
        assert self._lock.acquire(blocking=False), "two calls at a time"
        self.count += 1
        self._lock.release()
        return [self.count]

    def finish(self, *_: object) -> Iterable[int]:
        return ()


class TimedInside(Inside):
    due = None

    def tick(self, now: float) -> Iterable[int]:
        return ()

    def fail(self, now: float) -> Iterable[int]:
        return ()


def feed_from_threads(subject: Subject[tuple[int, int]]) -> None:
    start = threading.Barrier(THREADS)

    def feed(name: int) -> None:
        start.wait(BOUND)
        for number in range(VALUES):
            subject.on_next((name, number))

    threads = [threading.Thread(target=feed, args=(name,)) for name in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    subject.on_completed()


@pytest.mark.parametrize("timed", [False, True])
def test_behind_observe_on_calls_are_one_at_a_time(timed: bool) -> None:
    subject: Subject[tuple[int, int]] = Subject()
    operator = rxs.lift_timed(lambda now: TimedInside()) if timed else rxs.lift(Inside)
    scheduler = EventLoopScheduler()
    values: list[int] = []
    ended = threading.Event()
    subject.pipe(ops.observe_on(scheduler), operator).subscribe(values.append, lambda error: None, ended.set)
    feed_from_threads(subject)
    assert ended.wait(BOUND)
    scheduler.dispose()
    assert values == list(range(1, THREADS * VALUES + 1))


def test_a_timed_operator_takes_values_of_several_threads_by_itself() -> None:
    subject: Subject[tuple[int, int]] = Subject()
    values: list[int] = []
    ended = threading.Event()
    subject.pipe(rxs.lift_timed(lambda now: TimedInside())).subscribe(values.append, lambda error: None, ended.set)
    feed_from_threads(subject)
    assert ended.wait(BOUND)
    assert values == list(range(1, THREADS * VALUES + 1))
