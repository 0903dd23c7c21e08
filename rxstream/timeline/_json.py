"""Timelines as JSON. `docs/reference/cli.md` documents the fields."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rxstream.timeline._compare import Difference
from rxstream.timeline._model import Inspection, Timeline, TimelineLane

VERSION = 1


def as_json(inspections: Sequence[Inspection], differences: Sequence[Difference] | None = None) -> str:
    """One JSON object, in one line."""
    value: dict[str, Any] = {"rxstream_inspect": VERSION, "tapes": [_inspection(tape) for tape in inspections]}
    if differences is not None:
        value["differences"] = [asdict(row) for row in differences]
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _inspection(inspection: Inspection) -> dict[str, Any]:
    return {
        "name": inspection.name,
        "has_times": inspection.has_times,
        "counts": dict(sorted(inspection.counts.items())),
        "unknown": sorted(inspection.unknown),
        "responses": [_timeline(timeline) for timeline in inspection.timelines],
    }


def _timeline(timeline: Timeline) -> dict[str, Any]:
    metrics = asdict(timeline.metrics)
    usage = timeline.metrics.usage
    for name in ("usage", "items", "elapsed", "flags", "events"):
        del metrics[name]
    return {
        "turn": timeline.turn,
        "model": timeline.model,
        **metrics,
        "error": timeline.error,
        "reason": timeline.reason,
        "start": _rounded(timeline.start),
        "end": _rounded(timeline.end),
        "events": len(timeline.entries),
        "usage": None if usage is None else usage.model_dump(mode="json"),
        "text": timeline.text,
        "lanes": [_lane(lane) for lane in timeline.lanes],
        "silences": [
            {"start": _rounded(start), "end": _rounded(end), "stall": stall} for start, end, stall in timeline.silences
        ],
    }


def _lane(lane: TimelineLane) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "role": lane.role,
        "title": lane.title,
        "type": lane.type,
        "output_index": lane.output_index,
        "start": _rounded(lane.start),
        "end": None if lane.end is None else _rounded(lane.end),
        "status": lane.status,
        "detail": lane.detail,
        "text": lane.text,
        "events": len(lane.marks),
        "characters": lane.characters,
    }
    if lane.role == "operator":
        fields["values"] = [{"at": _rounded(mark.at), "kind": mark.kind, "text": mark.text} for mark in lane.marks]
    return fields


def _rounded(seconds: float) -> float:
    return round(seconds, 6)
