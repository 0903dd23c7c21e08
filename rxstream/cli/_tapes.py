"""Tapes to timelines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rxstream.cli._stream import stdin
from rxstream.errors import RxStreamError
from rxstream.errors._redaction import one_line
from rxstream.events import ResponseCreatedEvent, StreamingEvent, UnknownEvent
from rxstream.response._ending import Ending
from rxstream.response.decoding._frames_to_events import FramesToEvents
from rxstream.response.decoding._normalize import Normalize
from rxstream.timeline import Inspection, TimedEvent, timelines_of
from rxstream.transport.tape._replay import Tape, read_damaged_tape

_EVEN_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class DecodedTape:
    """The events of a tape, and how its stream ended."""

    name: str
    tape: Tape
    entries: list[TimedEvent]
    """Normalized."""
    counts: Counter[str]
    unknown: frozenset[str]
    error: RxStreamError | None
    """What ended the stream, of the transport or of the decoder."""

    @property
    def last(self) -> float:
        """When the stream ended."""
        times = [self.tape.ended_at or 0.0, *(entry.at for entry in self.entries[-1:])]
        return max(times)

    @property
    def verdict(self) -> RxStreamError | None:
        """The error that a subscriber gets, None if the stream completes."""
        ending = Ending()
        for _, event in self.entries:
            if isinstance(event, ResponseCreatedEvent):  # of a run, the last response counts
                ending = Ending()
            ending.feed(event)  # type: ignore[arg-type]  # other events change nothing
        return self.error if ending.open and self.error is not None else ending.verdict()


def decode(file: str) -> DecodedTape:
    """Read a tape or an `.sse` file; `-` is stdin. Raises: ProtocolError, OSError."""
    tape = read_damaged_tape(stdin() if file == "-" else file)
    entries: list[TimedEvent] = []
    counts: Counter[str] = Counter()
    unknown: set[str] = set()
    normalize, error = Normalize(), tape.error
    try:
        for at, event in _events(tape):
            counts[event.type] += 1
            if isinstance(event, UnknownEvent) and not event.type.startswith("rxstream."):
                unknown.add(event.type)
            entries += (TimedEvent(at, repaired) for repaired in normalize.feed_all((event,)))
    except RxStreamError as broken:
        error = broken
    name = "stdin" if file == "-" else file
    return DecodedTape(one_line(name, 200), tape, entries, counts, frozenset(unknown), error)


def inspection_of(decoded: DecodedTape, stall: float) -> Inspection:
    """The timelines of a decoded tape."""
    timelines = timelines_of(
        decoded.entries, end=decoded.tape.ended_at, error=decoded.error, left=decoded.tape.left, stall=stall
    )
    return Inspection(decoded.name, timelines, decoded.counts, decoded.unknown, decoded.tape.has_times)


def _events(tape: Tape) -> Iterator[tuple[float, StreamingEvent]]:
    """The events as they came, with their times. Raises: ProtocolError."""
    frames, number = FramesToEvents(), 0
    for batch in tape.batches:
        for frame in batch.frames:
            at = number * _EVEN_SECONDS if batch.at is None else batch.at
            number += 1
            for event in frames.feed(frame):
                yield at, event
