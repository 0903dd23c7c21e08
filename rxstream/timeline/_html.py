"""Inspections as one page that needs no network.

All of a stream is text here: it is escaped in the markup, in JSON no `<` is left, and the script writes it as text. If
a hole were left, the page's own policy would still run no script and load no file but the one it has.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

from rxstream.errors._redaction import visible
from rxstream.timeline._compare import Difference, duration
from rxstream.timeline._model import MARK_KINDS, Inspection, Timeline, TimelineLane
from rxstream.timeline._summary import heading, label, numbers

CHUNK = 500
"""Events in one block of JSON. The page reads a block when one of its events is looked at."""

_UNSAFE = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)  # in JSON they occur in strings only


def page(inspections: Sequence[Inspection], differences: Sequence[Difference] | None = None) -> str:
    """The page. With `differences`, all responses are drawn on one scale."""
    style, script = _asset("page.css"), _asset("page.js") + _asset("draw.js")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    )
    span = max((tape.span for tape in inspections), default=0.0) if differences is not None else None
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{_text(' and '.join(tape.name for tape in inspections))}</title>",
            f"<style>{style}</style>\n</head>\n<body>\n<main>",
            *([_table_of_differences(differences)] if differences is not None else []),
            *_sections(inspections, span),
            "</main>",
            '<aside id="panel" aria-label="The chosen event" hidden><header><h2 id="panel-title"></h2>'
            '<button type="button" id="close" aria-label="Close">×</button></header>'
            '<p id="panel-about"></p><pre id="panel-json" tabindex="0"></pre></aside>',
            '<p id="live" class="hidden" aria-live="polite"></p>',
            f"<script>{script}</script>\n</body>\n</html>\n",
        ]
    )


def _sections(inspections: Sequence[Inspection], span: float | None) -> Iterator[str]:
    number = 0
    for inspection in inspections:
        for place, timeline in enumerate(inspection.timelines):
            yield _section(inspection, place, number, timeline, span or timeline.span)
            number += 1
        yield _counts(inspection)


def _section(inspection: Inspection, place: int, number: int, timeline: Timeline, span: float) -> str:
    state = "bad" if timeline.error else "good" if timeline.metrics.outcome == "completed" else "warn"
    data = {
        "span": _milliseconds(span) or 1.0,
        "end": _milliseconds(timeline.span),
        "events": len(timeline.entries),
        "chunk": CHUNK,
        "kinds": MARK_KINDS,
        "lanes": [_lane(lane, timeline.start) for lane in timeline.lanes],
        "silences": [
            [_milliseconds(start - timeline.start), _milliseconds(end - timeline.start), duration(end - start), stall]
            for start, end, stall in timeline.silences
        ],
    }
    times = "" if inspection.has_times else "<li>no times in the file: events are drawn evenly, 20 ms apart</li>"
    return "\n".join(
        [
            f'<section class="response" id="r{number}" data-number="{number}">',
            f"<h2>{_text(heading(inspection, place))}</h2>",
            f'<p class="ending {state}">{_text(timeline.ending)}</p>',
            f'<ul class="numbers">{"".join(f"<li>{_text(line)}</li>" for line in numbers(timeline))}{times}</ul>',
            '<div class="tools"></div><div class="timeline"></div>',
            f'<div class="table" hidden>{_table_of_lanes(timeline)}<div class="events"></div></div>',
            *_texts(timeline),
            _json_block(f"data{number}", json.dumps(data, ensure_ascii=False)),
            *_events(number, timeline),
            "</section>",
        ]
    )


def _events(number: int, timeline: Timeline) -> Iterator[str]:
    for start in range(0, len(timeline.entries), CHUNK):
        events = ",".join(entry.event.model_dump_json() for entry in timeline.entries[start : start + CHUNK])
        yield _json_block(f"events{number}-{start // CHUNK}", f"[{events}]")


def _lane(lane: TimelineLane, start: float) -> dict[str, object]:
    fields: dict[str, object] = {
        "label": visible(label(lane)),
        "role": lane.role,
        "type": lane.type,
        "status": lane.status,
        "start": _milliseconds(lane.start - start),
        "end": None if lane.end is None else _milliseconds(lane.end - start),
        "at": [_milliseconds(mark.at - start) for mark in lane.marks],
        "kind": [MARK_KINDS.index(mark.kind) for mark in lane.marks],
    }
    if lane.role == "operator":
        fields["text"] = [mark.text for mark in lane.marks]
    else:
        fields["entry"] = [mark.entry for mark in lane.marks]
        fields["size"] = [mark.size for mark in lane.marks]
    return fields


def _table_of_lanes(timeline: Timeline) -> str:
    rows = [
        (
            label(lane).strip(),
            lane.status or lane.type,
            duration(lane.start - timeline.start),
            "none" if lane.end is None else duration(lane.end - timeline.start),
            f"{len(lane.marks):,}",
            f"{lane.characters:,}",
        )
        for lane in timeline.lanes
    ]
    return _table("Lanes", ("lane", "status", "start", "end", "events", "characters"), rows)


def _table_of_differences(rows: Sequence[Difference]) -> str:
    cells = [(row.what, row.first, row.second, row.change or "equal") for row in rows]
    return (
        f'<section class="differences"><h2>Differences</h2>{_table("", ("", "first", "second", ""), cells)}</section>'
    )


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    first = "".join(f'<th scope="col">{_text(name)}</th>' if name else "<td></td>" for name in head)
    body = "".join(
        f'<tr class="{"equal" if row[-1] == "equal" else ""}"><th scope="row">{_text(row[0])}</th>'
        + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    name = f"<caption>{_text(caption)}</caption>" if caption else ""
    return f'<div class="scroll"><table>{name}<thead><tr>{first}</tr></thead><tbody>{body}</tbody></table></div>'


def _texts(timeline: Timeline) -> Iterator[str]:
    """What the model wrote, lane by lane."""
    for lane in timeline.lanes:
        if lane.role != "operator" and (lane.text or lane.detail):
            opened = " open" if lane.role == "part" and lane.type in ("text", "refusal") else ""
            text = f"<pre>{_text(lane.text)}</pre>" if lane.text else ""
            about = f" <span>{_text(lane.detail)}</span>" if lane.detail else ""
            name = _text(label(lane).strip())
            yield f'<details class="content"{opened}><summary>{name}{about}</summary>{text}</details>'


def _counts(inspection: Inspection) -> str:
    rows = [
        (kind or "(no type)", f"{count:,}", "unknown" if kind in inspection.unknown else "")
        for kind, count in sorted(inspection.counts.items())
    ]
    return (
        f"<details class='counts'><summary>{sum(inspection.counts.values()):,} events of {_text(inspection.name)}, "
        f"by type</summary>{_table('', ('type', 'events', ''), rows)}</details>"
    )


def _json_block(name: str, text: str) -> str:
    return f'<script type="application/json" id="{name}">{text.translate(_UNSAFE)}</script>'


def _text(text: str) -> str:
    return escape(visible(text))


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _asset(name: str) -> str:
    return files("rxstream.timeline").joinpath("page", name).read_text("utf-8")


def _hash(text: str) -> str:
    """The source expression of the policy for one inline script or style (CSP 3, section 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
