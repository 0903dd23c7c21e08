"""How a stream is shown on a terminal."""

from __future__ import annotations

import sys

import reactivex
from reactivex import Observable
from reactivex import operators as ops

from rxstream import operators as rxs
from rxstream.cli._terminal import visible_json
from rxstream.errors._redaction import one_line
from rxstream.events import ResponseIncompleteEvent, StreamingEvent
from rxstream.results import FunctionCall
from rxstream.sinks import iterate


def show(events: Observable[StreamingEvent], *, as_json: bool) -> int:
    """Print a stream as it arrives: its text and its function calls, or each event as a line of JSON.

    Returns 0, also for an answer that was cut short, which is said on stderr.
    """
    if as_json:
        for event in iterate(events):
            print(visible_json(event.model_dump_json()), flush=True)
        return 0
    paper = _Paper()
    try:
        for piece in iterate(events.pipe(ops.publish(_shown))):
            if isinstance(piece, FunctionCall):
                paper.line(f"{piece.name}({piece.arguments})")
            elif isinstance(piece, str):
                paper.write(piece)
            else:
                paper.end_line()
                details = piece.response.incomplete_details
                reason = details.reason if details is not None else None
                print(
                    f"rxstream: the answer was cut short ({one_line(reason or 'no reason given', 200)})",
                    file=sys.stderr,
                )
    finally:
        paper.end_line()
    return 0


def _shown(
    events: Observable[StreamingEvent],
) -> Observable[str | FunctionCall | ResponseIncompleteEvent]:
    return reactivex.merge(
        events.pipe(rxs.text_only()),
        events.pipe(rxs.refusals()),
        events.pipe(rxs.accumulate_function_args()),
        events.pipe(rxs.of_type(ResponseIncompleteEvent)),
    )


class _Paper:
    """Stdout, and whether its line has begun."""

    def __init__(self) -> None:
        self._begun = False

    def write(self, text: str) -> None:
        print(text, end="", flush=True)
        self._begun = not text.endswith("\n")

    def line(self, text: str) -> None:
        self.end_line()
        print(text, flush=True)

    def end_line(self) -> None:
        if self._begun:
            print(flush=True)
            self._begun = False


def complain(error: Exception) -> None:
    """One line on stderr."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        text = f"{error.filename}: {error.strerror}"
    text = " ".join(text.split()) or type(error).__name__
    print(f"rxstream: {text}", file=sys.stderr)
