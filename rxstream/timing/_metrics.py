"""Metrics of a stream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from rxstream.events import Usage

Outcome: TypeAlias = Literal["running", "completed", "incomplete", "failed", "cut", "broken", "disposed"]
"""`completed`, `incomplete` and `failed` are words of the API. With `cut` the stream completed before the response did,
with `broken` it ended with an error that is not the API's, and with `disposed` the subscriber disposed."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """The times between one text delta and the next, in seconds. 0 if there were none."""

    count: int
    p50: float
    p95: float
    p99: float
    longest: float

    def __add__(self, other: Gaps) -> Gaps:
        """Those of both. The percentiles are means of the two, weighted by their counts."""
        return Gaps(
            self.count + other.count,
            _mean(self.p50, self.count, other.p50, other.count),
            _mean(self.p95, self.count, other.p95, other.count),
            _mean(self.p99, self.count, other.p99, other.count),
            max(self.longest, other.longest),
        )


@dataclass(frozen=True, slots=True)
class ItemMetrics:
    """Metrics of one output item. Times are seconds from the subscription."""

    output_index: int
    type: str
    """The item's type. Empty if no event had the item."""
    started: float
    first_text: float | None
    """The time of its first text of any kind: also arguments, code, reasoning."""
    ended: float | None
    """The time of its `output_item.done`."""
    events: int
    characters: int
    gaps: Gaps


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics of a stream, so far or at its end. Times are seconds from the subscription."""

    outcome: Outcome
    elapsed: float
    response_id: str | None
    events: int
    characters: int
    """Of everything that the model wrote: text, refusals, reasoning, arguments, inputs, code, patches."""
    first_event: float | None
    first_text: float | None
    """The time of the first text of the answer or of a refusal."""
    events_per_second: float
    """The events after the first one, over the time from the first to the last."""
    characters_per_second: float
    """The characters after the first delta, over the time from the first delta to the last."""
    gaps: Gaps
    """Between tokens: from one text delta to the next, whatever item they belong to."""
    stalls: int
    """How many times no event came for `stall` seconds or more; one that has not ended counts."""
    stalled: float
    """Their length in all."""
    flags: int
    """How many times a moderator before this operator flagged text. `on_verdict` of the moderator tells more."""
    usage: Usage | None
    items: tuple[ItemMetrics, ...]
    """One for each output item, in order of their index."""

    @property
    def tokens_per_second(self) -> float | None:
        """The output tokens of `usage`, over the time from the first event to the end; None without `usage`."""
        if self.usage is None or self.first_event is None or self.elapsed <= self.first_event:
            return None
        return self.usage.output_tokens / (self.elapsed - self.first_event)

    def __add__(self, other: Metrics) -> Metrics:
        """The metrics of this response and of the next one, as of one stream: `sum(rest, start=first)`.

        Counts and times are added, and the times of the next one begin at the end of this one. The rates are means,
        weighted by `elapsed`. The outcome and the id are those of the next one.
        """
        return Metrics(
            outcome=other.outcome,
            elapsed=_seconds(self.elapsed + other.elapsed),
            response_id=other.response_id,
            events=self.events + other.events,
            characters=self.characters + other.characters,
            first_event=_earlier(self.first_event, other.first_event, self.elapsed),
            first_text=_earlier(self.first_text, other.first_text, self.elapsed),
            events_per_second=_mean(self.events_per_second, self.elapsed, other.events_per_second, other.elapsed),
            characters_per_second=_mean(
                self.characters_per_second, self.elapsed, other.characters_per_second, other.elapsed
            ),
            gaps=self.gaps + other.gaps,
            stalls=self.stalls + other.stalls,
            stalled=_seconds(self.stalled + other.stalled),
            flags=self.flags + other.flags,
            usage=other.usage if self.usage is None else self.usage + other.usage,
            items=self.items + tuple(_later(item, self.elapsed) for item in other.items),
        )


def _seconds(time: float) -> float:
    return round(time, 6)


def _earlier(first: float | None, second: float | None, elapsed: float) -> float | None:
    return first if first is not None or second is None else _seconds(second + elapsed)


def _later(item: ItemMetrics, elapsed: float) -> ItemMetrics:
    return replace(
        item,
        started=_seconds(item.started + elapsed),
        first_text=_earlier(None, item.first_text, elapsed),
        ended=_earlier(None, item.ended, elapsed),
    )


def _mean(first: float, weight: float, second: float, other_weight: float) -> float:
    whole = weight + other_weight
    return round((first * weight + second * other_weight) / whole, 6) if whole else 0.0
