"""How a stream is shown on a terminal."""

from __future__ import annotations

import sys

import reactivex
from reactivex import Observable
from reactivex import operators as ops

from rxstream import operators as rxs
from rxstream.events import Event, ResponseIncompleteEvent, StreamingEvent
from rxstream.sinks import iterate


def show(events: Observable[StreamingEvent], *, as_json: bool) -> int:
    """Print a stream as it arrives: its text and its function calls, or each event as a line of JSON.

    Returns 0, also for an answer that was cut short, which is said on stderr.
    """
    if as_json:
        for event in iterate(events):
            print(event.model_dump_json(), flush=True)
        return 0
    column = 0
    for piece in iterate(events.pipe(ops.publish(_shown))):
        if isinstance(piece, Event):
            details = piece.response.incomplete_details
            reason = details.reason if details is not None else None
            print(f"\nrxstream: the answer was cut short ({reason or 'no reason given'})", file=sys.stderr)
            continue
        print(piece, end="", flush=True)
        column = len(piece) - piece.rfind("\n") - 1 if "\n" in piece else column + len(piece)
    if column:
        print(flush=True)
    return 0


def _shown(events: Observable[StreamingEvent]) -> Observable[str | ResponseIncompleteEvent]:
    return reactivex.merge(
        events.pipe(rxs.text_only()),
        events.pipe(rxs.refusals()),
        events.pipe(rxs.accumulate_function_args(), ops.map(lambda call: f"{call.name}({call.arguments})\n")),
        events.pipe(rxs.of_type(ResponseIncompleteEvent)),
    )


def complain(error: Exception) -> None:
    """One line on stderr."""
    text = " ".join(str(error).split()) or type(error).__name__
    print(f"rxstream: {text}", file=sys.stderr)
