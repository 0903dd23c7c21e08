"""The numbers of a timeline in words. The text and the page have the same lines."""

from __future__ import annotations

from rxstream.errors._redaction import one_line, visible
from rxstream.events import Usage
from rxstream.timeline._compare import duration
from rxstream.timeline._model import Inspection, Timeline, TimelineLane


def heading(inspection: Inspection, number: int) -> str:
    """What names one response: the tape, its number and its model."""
    timeline = inspection.timelines[number]
    parts = [inspection.name]
    if timeline.turn is not None:
        parts.append(f"turn {timeline.turn}")
    elif len(inspection.timelines) > 1:
        parts.append(f"response {number + 1} of {len(inspection.timelines)}")
    return visible(" · ".join(filter(None, (*parts, timeline.model)))).replace("\n", " ")


def numbers(timeline: Timeline) -> list[str]:
    """Events and times, one subject a line."""
    metrics = timeline.metrics
    added = sum(event.synthetic for _, event in timeline.entries if not event.type.startswith("rxstream."))
    repairs = f" ({added:,} added to repair the dialect)" if added else ""
    lines = [
        f"{len(timeline.entries):,} events{repairs}, {metrics.characters:,} characters in {duration(timeline.span)}"
    ]
    times = [
        f"{name} after {duration(time)}"
        for name, time in (("first event", metrics.first_event), ("first text", metrics.first_text))
        if time is not None
    ]
    if times:
        lines.append(" · ".join(times))
    if metrics.gaps.count:
        gaps = metrics.gaps
        between = f"p50 {duration(gaps.p50)}, p95 {duration(gaps.p95)}, longest {duration(gaps.longest)}"
        lines.append(f"between deltas: {between}")
    stalls = [silence for silence in timeline.silences if silence.stall]
    if stalls:
        total = duration(sum(silence.seconds for silence in stalls))
        lines.append(f"{_counted(len(stalls), 'stall')}, {total} in all")
    if metrics.usage is not None:
        lines.append(usage_line(metrics.usage))
    if metrics.response_id:
        lines.append(one_line(metrics.response_id, 100))
    return lines


def usage_line(usage: Usage) -> str:
    """The tokens in one line."""
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    reasoning = f" ({usage.reasoning_tokens:,} of reasoning)" if usage.reasoning_tokens else ""
    return f"{usage.input_tokens:,} tokens in{cached}, {usage.output_tokens:,} tokens out{reasoning}"


def label(lane: TimelineLane) -> str:
    """The name of a lane, with the number of its item."""
    match lane.role:
        case "item":
            return f"{lane.output_index} {lane.title}"
        case "part":
            return f"  {lane.title}"
        case "tool":
            return f"tool {lane.title}"
        case _:
            return lane.title


def time_range(timeline: Timeline, lane: TimelineLane) -> str:
    """From when to when, since the start of the response."""
    open_end = "" if lane.end is not None else ", no end"
    return f"{duration(lane.start - timeline.start)} to {duration(lane.last - timeline.start)}{open_end}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
