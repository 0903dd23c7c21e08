"""Inspections as lines for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rxstream.timeline._compare import Difference
from rxstream.timeline._layout import StyledLine, StyledText, columns_of, crop, fit, pad, picture, wrap
from rxstream.timeline._model import Inspection, Timeline, TimelineLane
from rxstream.timeline._summary import heading, label, numbers, time_range

_MOST_LINES = 12
"""Lines of one text. `--json` has it whole."""


def lines_of(
    inspections: Sequence[Inspection], width: int, differences: Sequence[Difference] | None = None
) -> Iterator[StyledLine]:
    """All lines, none wider than `width`. With `differences` the two tapes are on one scale, without their contents."""
    return (crop(line, width) for line in _lines(inspections, width, differences))


def _lines(
    inspections: Sequence[Inspection], width: int, differences: Sequence[Difference] | None
) -> Iterator[StyledLine]:
    span = max((tape.span for tape in inspections), default=0.0) if differences is not None else None
    for place, inspection in enumerate(inspections):
        if place:
            yield []
        for number, timeline in enumerate(inspection.timelines):
            if number:
                yield []
            yield from _response(inspection, number, timeline, width, span)
            if differences is None:
                yield from _contents(timeline, width)
        if differences is None:
            yield []
            yield from _counts(inspection)
    if differences is not None:
        yield []
        yield from _table(differences, width)


def _response(
    inspection: Inspection, number: int, timeline: Timeline, width: int, span: float | None
) -> Iterator[StyledLine]:
    yield [StyledText(fit(heading(inspection, number), width), "title")]
    style = "bad" if timeline.error else "good" if timeline.metrics.outcome == "completed" else "warn"
    for line in wrap(timeline.ending, width, 4):
        yield [StyledText(line, style)]
    for line in numbers(timeline):
        for part in wrap(line, width, 3):
            yield [StyledText(part)]
    if not inspection.has_times:
        yield [StyledText("The file has no times: its events are drawn evenly, 20 ms apart.", "warn")]
    yield []
    yield from picture(timeline, width, span)


def _contents(timeline: Timeline, width: int) -> Iterator[StyledLine]:
    for lane in timeline.lanes:
        if lane.role == "operator":
            yield []
            yield from _operator(lane, width)
        elif lane.text or lane.detail:
            yield []
            yield [
                StyledText(fit(label(lane).strip(), width // 2), "bold"),
                StyledText(f"  {time_range(timeline, lane)}", "dim"),
            ]
            if lane.detail:
                for line in wrap(lane.detail, width - 2, _MOST_LINES):
                    yield [StyledText(f"  {line}")]
            if lane.text and not _is_in(lane.text, lane.detail):
                for line in wrap(lane.text.strip("\n"), width - 2, _MOST_LINES):
                    yield [StyledText(f"  {line}")]


def _is_in(text: str, detail: str) -> bool:
    return " ".join(text.split()) in detail


def _operator(lane: TimelineLane, width: int) -> Iterator[StyledLine]:
    values = [mark for mark in lane.marks if mark.kind == "value"]
    yield [
        StyledText(fit(lane.title, width // 2), "bold"),
        StyledText(f"  {len(values):,} values; {lane.status}", "dim"),
    ]
    for mark in values[:_MOST_LINES]:
        time = f"{mark.at:9.3f} s  "
        yield [StyledText(time, "dim"), StyledText(fit(mark.text, width - len(time)))]
    if len(values) > _MOST_LINES:
        yield [StyledText(f"  … {len(values) - _MOST_LINES:,} more values", "dim")]


def _counts(inspection: Inspection) -> Iterator[StyledLine]:
    """The events of each type as they came, and how the last response ended."""
    for kind, count in sorted(inspection.counts.items()):
        unknown = "  (unknown)" if kind in inspection.unknown else ""
        yield [StyledText(f"{count:7}  {fit(kind, 200) or '(no type)'}"), StyledText(unknown, "warn")]
    last = inspection.timelines[-1]
    ending = last.error or last.ending
    yield [StyledText(f"{sum(inspection.counts.values()):7}  events; {ending}", "bold")]


def _table(rows: Sequence[Difference], width: int) -> Iterator[StyledLine]:
    cells = [("", "first", "second", "difference"), *((r.what, r.first, r.second, r.change or "equal") for r in rows)]
    most = max(12, (width - 26) // 3)
    widths = [
        min(most if column else 24, max(columns_of(fit(row[column], 1000)) for row in cells)) for column in range(4)
    ]
    for number, row in enumerate(cells):
        style = "bold" if not number else "dim" if row[3] == "equal" else "warn"
        texts = [pad(fit(text, size), size) for text, size in zip(row, widths, strict=True)]
        yield [StyledText("  ".join(texts[:3]) + "  "), StyledText(texts[3].rstrip(), style)]
