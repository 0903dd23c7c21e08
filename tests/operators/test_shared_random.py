"""shared with random schedules: each subscriber gets what its policy promises, and the source never waits."""

import os
import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from rxstream.errors import BufferOverflowError, TruncatedError
from rxstream.operators import shared
from rxstream.rx._context import FLOW
from rxstream.testing import VirtualClock
from rxstream.timing._overflow import Overflow
from tests.operators._wires import FakeFlow, Seen, Source

SCHEDULES = int(os.environ.get("RXSTREAM_SCHEDULES", "400"))
LINGER = 5.0


@dataclass(eq=False)
class Reader(Seen):
    """Pauses at random, is resumed at random, may raise."""

    chance: random.Random
    pauses: float
    raises_at: int
    live_from: int
    """How many values there were before it."""
    flow: Any = None
    paused: int = 0
    busy: bool = False
    subscription: Any = None
    disposed: bool = False
    values: list[Any] = field(default_factory=list[Any])

    def __post_init__(self) -> None:
        Seen.__init__(self)

    def on_next(self, value: Any) -> None:
        assert not self.busy, "two notifications at a time"
        assert not self.disposed
        assert self.flow is None or self.paused == 0, "a value came during a pause"
        self.busy = True
        super().on_next(value)
        if len(self.values) == self.raises_at:
            self.busy = False
            raise LookupError("reader")
        if self.chance.random() < self.pauses:
            self.flow = FLOW.get()
            self.flow.pause()
            self.paused += 1
        self.busy = False

    def resume(self) -> None:
        if self.paused:
            self.paused -= 1
            self.flow.resume()


class Trial:
    def __init__(self, seed: int, overflow: Overflow) -> None:
        self.chance = random.Random(seed)
        self.overflow = overflow
        self.buffer = self.chance.choice([1, 2, 5])
        self.clock, self.source, self.wire = VirtualClock(), Source(), FakeFlow()
        self.stream = self.source.pipe(shared(linger=LINGER, buffer=self.buffer, overflow=overflow))
        self.readers: list[Reader] = []
        self.sent: list[Any] = []
        self.end: Exception | bool | None = None

    def subscribe(self) -> None:
        chance = self.chance
        raises_at = chance.choice([0, 0, 0, 3])
        reader = Reader(chance, chance.choice([0.0, 0.3, 0.9]), raises_at, len(self.sent))
        self.readers.append(reader)
        reader.subscription = self.stream.subscribe(reader, scheduler=self.clock.scheduler)

    def send(self) -> None:
        value = self.chance.choice(["a", "b", "c", len(self.sent)])
        self.sent.append(value)
        token = FLOW.set(self.wire)
        self.source.emit(value)
        FLOW.reset(token)

    def step(self) -> None:
        action = self.chance.choices(["send", "resume", "subscribe", "dispose", "wait"], [12, 6, 1, 0.5, 1])[0]
        if action == "send":
            self.send()
        elif action == "subscribe":
            self.subscribe()
        elif action == "wait":
            self.clock.advance(LINGER / 3)
        elif self.readers:
            reader = self.chance.choice(self.readers)
            if action == "resume":
                reader.resume()
            elif not reader.over:
                reader.disposed = True
                reader.subscription.dispose()

    def run(self) -> None:
        self.subscribe()
        while len(self.sent) < 60 and self.source.observers:
            self.step()
        if self.source.observers:
            if self.chance.random() < 0.5:
                self.end = True
                self.source.complete()
            else:
                self.end = TruncatedError("cut")
                self.source.fail(self.end)
            self.subscribe()
        while any(reader.paused for reader in self.readers):
            for reader in self.readers:
                reader.resume()
        self.clock.advance(LINGER + 1)

    def check(self) -> None:
        assert self.source.observers == []
        assert self.wire.paused_in_all == 0
        assert self.source.subscribed_in_all == 1
        assert not self.clock.waiting
        for reader in self.readers:
            self.check_reader(reader)

    def check_reader(self, reader: Reader) -> None:
        got = reader.values
        if reader.raises_at and len(got) == reader.raises_at:
            assert isinstance(reader.error, LookupError)
        elif reader.disposed:
            assert not reader.over
        elif isinstance(reader.error, BufferOverflowError):
            assert self.overflow == "error"
        elif self.end is not None:
            assert reader.completed is (self.end is True)
            assert reader.error is (None if self.end is True else self.end)
            if self.overflow == "conflate":
                assert joined(got) == joined(self.sent)
            elif self.overflow == "drop_oldest":
                assert got[-1] == self.sent[-1]
            else:
                assert got == self.sent
        if self.overflow == "error":
            assert got == self.sent[: len(got)]
        elif self.overflow == "drop_oldest":
            assert got[: reader.live_from] == self.sent[: min(len(got), reader.live_from)]
            rest = iter(self.sent)
            assert all(value in rest for value in got), "other values, or another order"
        else:
            assert flat(joined(self.sent)).startswith(flat(joined(got)))


def joined(values: list[Any]) -> list[Any]:
    runs: list[Any] = []
    for value in values:
        if runs and isinstance(runs[-1], str) and isinstance(value, str):
            runs[-1] += value
        else:
            runs.append(value)
    return runs


def flat(values: list[Any]) -> str:
    return "".join(value if isinstance(value, str) else f"<{value}>" for value in values)


@pytest.mark.parametrize("overflow", ["error", "drop_oldest", "conflate"])
def test_each_gets_what_its_policy_promises(overflow: Overflow):
    overflown = 0
    for seed in range(SCHEDULES):
        trial = Trial(seed, overflow)
        try:
            trial.run()
            trial.check()
        except AssertionError as failure:
            failure.add_note(f"seed {seed}")
            raise
        overflown += any(isinstance(reader.error, BufferOverflowError) for reader in trial.readers)
    assert (overflown > 0) is (overflow == "error")
