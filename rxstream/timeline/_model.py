"""What a timeline holds. Times are seconds since the request; those of a lane and of a mark too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from rxstream.events import Event
from rxstream.timing._metrics import Metrics

LaneRole: TypeAlias = Literal["response", "item", "part", "tool", "operator"]
MarkKind: TypeAlias = Literal["event", "start", "delta", "done", "progress", "end", "error", "flag", "value"]
MARK_KINDS: tuple[MarkKind, ...] = ("event", "start", "delta", "done", "progress", "end", "error", "flag", "value")


class TimedEvent(NamedTuple):
    """An event, and when it came."""

    at: float
    event: Event


class Mark(NamedTuple):
    """Something at one time on a lane."""

    at: float
    kind: MarkKind
    entry: int
    """The number of the event in the timeline; of an operator's value the number of the value."""
    size: int = 0
    """The characters of a delta."""
    text: str = ""
    """What the value of an operator is, in one line."""


@dataclass(slots=True)
class TimelineLane:
    """A row of the picture: the response, an item, a part of an item, a tool that runs, or what an operator emits."""

    role: LaneRole
    title: str
    """The type or the name; one line, without control characters."""
    start: float
    output_index: int | None = None
    type: str = ""
    """The type of the item or of the part, as the API has it."""
    end: float | None = None
    """None if no event ended it."""
    status: str = ""
    detail: str = ""
    """One line about a call or an item: what it was for, and what came out of it."""
    text: str = ""
    """The text, the arguments or the code that the model wrote, whole, as it came; of a tool its output."""
    marks: list[Mark] = field(default_factory=list[Mark])

    @property
    def last(self) -> float:
        """The end, or else the time of the last mark."""
        return self.end if self.end is not None else max(self.start, self.marks[-1].at if self.marks else self.start)

    @property
    def is_call(self) -> bool:
        """Whether the item calls a tool."""
        return self.role == "item" and (self.type.endswith("_call") or self.type == "mcp_approval_request")

    @property
    def characters(self) -> int:
        """How many characters came as deltas."""
        return sum(mark.size for mark in self.marks)


class Silence(NamedTuple):
    """A time without events that is long beside the others of this stream."""

    start: float
    end: float
    stall: bool
    """Whether it is as long as the limit for stalls."""

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Timeline:
    """One response: its events on lanes, its numbers, and how it ended."""

    start: float
    """When the request was sent: 0, or in a run the start of the turn."""
    end: float
    entries: Sequence[TimedEvent]
    """The events in the order in which they came, normalized. Each is a mark of exactly one lane."""
    lanes: Sequence[TimelineLane]
    silences: Sequence[Silence]
    metrics: Metrics
    """As the operator `measure` has them. Times are seconds since `start`."""
    model: str
    turn: int | None
    """The number of the turn in a run."""
    reason: str
    """Why the response was cut short, or why the stream ended as it did; empty if it completed."""
    error: str
    """The class of the error that the stream ended with; empty if there is none."""

    @property
    def span(self) -> float:
        return self.end - self.start

    @property
    def text(self) -> str:
        """The text of the answer, and of refusals."""
        return "".join(lane.text for lane in self.lanes if lane.role == "part" and lane.type in ("text", "refusal"))

    @property
    def calls(self) -> list[TimelineLane]:
        return [lane for lane in self.lanes if lane.is_call]

    @property
    def ending(self) -> str:
        """How it ended, in a few words."""
        if self.error:
            return f"{self.metrics.outcome} ({self.error}: {self.reason})"
        return f"{self.metrics.outcome} ({self.reason})" if self.reason else self.metrics.outcome


@dataclass(frozen=True, slots=True)
class Inspection:
    """A tape: its responses one after the other."""

    name: str
    timelines: Sequence[Timeline]
    counts: Mapping[str, int]
    """Type -> number of events, as they came over the wire, before normalizing."""
    unknown: frozenset[str]
    """The types that this version does not know."""
    has_times: bool = True
    """False for a plain `.sse` file without times, whose events are drawn evenly."""

    @property
    def span(self) -> float:
        """The longest of the responses, in seconds."""
        return max((timeline.span for timeline in self.timelines), default=0.0)

    @property
    def failed(self) -> bool:
        """Whether a response ended with an error."""
        return any(timeline.error for timeline in self.timelines)
