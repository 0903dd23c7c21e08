"""How a stream went: the figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rxstream.events import Usage

Outcome: TypeAlias = Literal["running", "completed", "incomplete", "failed", "cut", "broken", "disposed"]
"""`completed`, `incomplete`, `failed` are the API's own; `cut`: the stream completed before the response did; `broken`:
it ended with an error that is not the API's; `disposed`: the subscriber left."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """The times between one text delta and the next, in seconds; 0 where there were none."""

    count: int
    p50: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True, slots=True)
class ItemMetrics:
    """How one output item went. Times are seconds from the subscription."""

    output_index: int
    type: str
    """The item's type; empty where the item never came."""
    started: float
    first_text: float | None
    """When the first of its text came, whatever kind of text that is: also arguments, code, reasoning."""
    ended: float | None
    """When its `output_item.done` came."""
    events: int
    characters: int
    gaps: Gaps


@dataclass(frozen=True, slots=True)
class Metrics:
    """How a stream goes, or went. Times are seconds from the subscription."""

    outcome: Outcome
    elapsed: float
    response_id: str | None
    events: int
    characters: int
    """All that the model wrote: text, refusals, reasoning, arguments, inputs, code, patches."""
    first_event: float | None
    first_text: float | None
    """When the first of the answer's text, or of a refusal, came."""
    events_per_second: float
    """The events after the first one, over the time from the first to the last."""
    characters_per_second: float
    """The characters after the first delta, over the time from the first delta to the last."""
    gaps: Gaps
    """Between tokens: from one text delta to the next, whatever item they belong to."""
    stalls: int
    """How many silences were at least as long as `stall` said; one that goes on counts."""
    stalled: float
    """How long they were, together."""
    usage: Usage | None
    items: tuple[ItemMetrics, ...]
    """One for each output item, in order of their index."""

    @property
    def tokens_per_second(self) -> float | None:
        """The output tokens that the API billed, over the time from the first event on; None where it told none."""
        if self.usage is None or self.first_event is None or self.elapsed <= self.first_event:
            return None
        return self.usage.output_tokens / (self.elapsed - self.first_event)
