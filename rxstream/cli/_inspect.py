"""`rxstream inspect`: the timeline of a tape."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence

from rxstream.cli._output import print_line
from rxstream.cli._tapes import DecodedTape, decode, inspection_of
from rxstream.cli._terminal import print_styled, screen_width, visible_json
from rxstream.timeline import Inspection
from rxstream.timeline._compare import Difference, compare


def inspect(
    files: Sequence[str],
    *,
    through: Sequence[str] = (),
    side_by_side: bool = False,
    as_json: bool = False,
    html: str | None = None,
    stall: float,
) -> int:
    """Print the timelines of tapes, or write them to a page. Returns 1 if a response ended with an error, else 0.

    A response that was cut short is `incomplete`, with the reason; it is not an error.

    Raises: ArgumentTypeError: the arguments do not fit together. ProtocolError, OSError: a tape cannot be read.
    """
    if files.count("-") > 1:
        raise ArgumentTypeError("stdin can be read only once: expected one - among the tapes")
    inspections = [_inspect_one(tape, through, stall) for file in files for tape in decode(file)]
    if side_by_side and len(inspections) != 2:
        raise ArgumentTypeError(f"--compare expects two tapes, got {len(inspections)}")
    differences = compare(*inspections) if side_by_side else None
    if html is not None:
        _write_page(html, inspections, differences)
    elif as_json:
        from rxstream.timeline._json import as_json as json_of

        print(visible_json(json_of(inspections, differences)))
    else:
        from rxstream.timeline._text import lines_of

        print_styled(list(lines_of(inspections, screen_width(), differences)))
    sys.stdout.flush()
    for inspection in inspections:
        for timeline in inspection.timelines:
            if timeline.error:
                where = f"{inspection.name}: " if len(inspections) > 1 else ""
                print_line(f"{where}{timeline.reason}")
    return 1 if any(inspection.failed for inspection in inspections) else 0


def _inspect_one(decoded: DecodedTape, through: Sequence[str], stall: float) -> Inspection:
    inspection = inspection_of(decoded, stall)
    if through:
        from rxstream.cli._through import with_operators

        inspection = with_operators(inspection, decoded, through)
    return inspection


def _write_page(path: str, inspections: Sequence[Inspection], differences: Sequence[Difference] | None) -> None:
    from rxstream.timeline._html import page

    text = page(inspections, differences)
    private = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # it holds what the tape holds
    with open(private, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    events = sum(len(timeline.entries) for tape in inspections for timeline in tape.timelines)
    print(f"{path}: {events:,} events, {os.path.getsize(path):,} bytes")
