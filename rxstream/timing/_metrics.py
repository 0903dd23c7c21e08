"""Metrics of a stream."""

from __future__ import annotations

from dataclasses import dataclass
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
