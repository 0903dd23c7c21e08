"""The registry is bounded, and forgets what has ended."""

from __future__ import annotations

import dataclasses

import pytest

from rxstream.probes._counts import StageCounts
from rxstream.probes._registry import ProbedStream, ProbeRegistry


class Registry:
    """A registry whose time stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.registry = ProbeRegistry(lambda: self.now)

    def begin(self, name: str = "a", within: ProbedStream | None = None) -> tuple[ProbedStream, StageCounts]:
        counts = StageCounts(name, self.now)
        return self.registry.begin(counts, lambda: self.now, within), counts

    def end(self, stream: ProbedStream, counts: StageCounts) -> None:
        counts.end("completed", self.now)
        self.registry.ended(stream)

    @property
    def numbers(self) -> list[int]:
        return [stream.number for stream in self.registry.read()]


def test_a_stream_that_has_ended_is_kept_for_a_minute() -> None:
    time = Registry()
    stream, counts = time.begin()
    running, _ = time.begin()
    time.end(stream, counts)
    time.now = 60
    assert time.numbers == [stream.number, running.number]
    time.now = 60.5
    assert time.numbers == [running.number]


def test_a_stream_ends_with_its_last_stage() -> None:
    time = Registry()
    stream, first = time.begin("a")
    again, second = time.begin("b", within=stream)
    assert again is stream
    time.end(stream, first)
    time.now = 100
    assert time.numbers == [1]
    time.end(stream, second)
    other, _ = time.begin("c", within=stream)
    assert other is not stream


def test_a_hundred_that_have_ended_and_a_thousand_that_run_are_kept() -> None:
    time = Registry()
    for _ in range(150):
        time.end(*time.begin())
    assert time.numbers == [*range(51, 151)]
    for _ in range(1100):
        time.begin()
    assert len([stream for stream in time.registry.read() if stream.state == "running"]) == 1000
    assert time.numbers[-1] == 1250


def test_snapshots_are_frozen() -> None:
    time = Registry()
    time.begin()
    (stream,) = time.registry.read()
    with pytest.raises(dataclasses.FrozenInstanceError):
        stream.number = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        stream.stages[0].events_in = 2  # type: ignore[misc]


def test_a_stage_looks_for_a_bounded_number_of_values() -> None:
    counts = StageCounts("a", 0.0)
    for number in range(20_000):
        counts.enter(object(), number)
    assert counts.read(1.0).held == 4096
    assert counts.read(1.0).dropped == 20_000 - 4096
    counts.end("completed", 1.0)
    assert (counts.read(2.0).held, counts.read(2.0).dropped) == (0, 20_000)
