"""Sources for the tests of operators and sinks."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
from reactivex import Observable, abc
from reactivex.disposable import Disposable

from rxstream.sse import Decoder, Frame
from rxstream.testing import answers
from rxstream.transport import MemoryTransport, Request, Wire


def spoken(*words: str) -> MemoryTransport:
    """A transport that answers with these text deltas."""
    return MemoryTransport(batches(words))


def batches(words: Sequence[str]) -> list[Sequence[Frame]]:
    """The Frames of an answer, each arriving alone."""
    return [Decoder().feed(piece) for piece in answers.text(words).all_frames()]


_CREATED = batches(["word "])[0]
_DELTA = next(batch[0] for batch in batches(["word "]) if batch[0].event == "response.output_text.delta")


def _delta(number: int) -> Frame:
    return _DELTA._replace(data=json.dumps({**json.loads(_DELTA.data), "sequence_number": number}))


class EndlessTransport:
    """Goes on for ever, a word a step, and counts what was read of it."""

    def __init__(self) -> None:
        self.read = 0
        self.open_wires = 0

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[Wire]:
        self.open_wires += 1
        try:
            async with aclosing(self._batches()) as batches:
                yield Wire(batches)
        finally:
            self.open_wires -= 1

    async def _batches(self) -> AsyncIterator[Sequence[Frame]]:
        yield _CREATED
        while True:
            await anyio.lowlevel.checkpoint()
            self.read += 1
            yield [_delta(self.read)]


class FakeFlow:
    """A `Flow` that only counts."""

    def __init__(self) -> None:
        self.pauses = 0
        self.paused_in_all = 0
        self.aborted: Exception | None = None

    def pause(self) -> None:
        self.pauses += 1
        self.paused_in_all += 1

    def resume(self) -> None:
        self.pauses -= 1

    def abort(self, error: Exception) -> None:
        self.aborted = error


class Source(Observable[Any]):
    """A hot source that tells how many are subscribed."""

    def __init__(self) -> None:
        super().__init__()
        self.observers: list[abc.ObserverBase[Any]] = []
        self.subscribed_in_all = 0

    def _subscribe_core(
        self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        self.observers.append(observer)
        self.subscribed_in_all += 1
        return Disposable(lambda: self.observers.remove(observer))

    def emit(self, *values: Any) -> None:
        for value in values:
            for observer in tuple(self.observers):
                observer.on_next(value)

    def fail(self, error: Exception) -> None:
        for observer in tuple(self.observers):
            observer.on_error(error)

    def complete(self) -> None:
        for observer in tuple(self.observers):
            observer.on_completed()


class Seen(abc.ObserverBase[Any]):
    """Records what it is notified of."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.error: Exception | None = None
        self.completed = False

    @property
    def over(self) -> bool:
        return self.completed or self.error is not None

    def on_next(self, value: Any) -> None:
        assert not self.over
        self.values.append(value)

    def on_error(self, error: Exception) -> None:
        assert not self.over
        self.error = error

    def on_completed(self) -> None:
        assert not self.over
        self.completed = True
