"""Print a stream on the terminal."""

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

    Returns 0, also if the answer was cut short; then stderr has a line with the reason.
    """
    if as_json:
        for event in iterate(events):
            print(visible_json(event.model_dump_json()), flush=True)
        return 0
    output = _Output()
    try:
        for piece in iterate(events.pipe(ops.publish(_printed_values))):
            if isinstance(piece, FunctionCall):
                output.line(f"{piece.name}({piece.arguments})")
            elif isinstance(piece, str):
                output.write(piece)
            else:
                output.end_line()
                details = piece.response.incomplete_details
                reason = details.reason if details is not None else None
                reason = one_line(reason or "without a reason", 200)
                print(f"rxstream: the answer was cut short ({reason})", file=sys.stderr)
    finally:
        output.end_line()
    return 0


def _printed_values(
    events: Observable[StreamingEvent],
) -> Observable[str | FunctionCall | ResponseIncompleteEvent]:
    return reactivex.merge(
        events.pipe(rxs.text_only()),
        events.pipe(rxs.refusals()),
        events.pipe(rxs.accumulate_function_args()),
        events.pipe(rxs.of_type(ResponseIncompleteEvent)),
    )


class _Output:
    """Stdout. Knows whether the last line has text, and ends it before a new one."""

    def __init__(self) -> None:
        self._in_line = False

    def write(self, text: str) -> None:
        print(text, end="", flush=True)
        self._in_line = not text.endswith("\n")

    def line(self, text: str) -> None:
        self.end_line()
        print(text, flush=True)

    def end_line(self) -> None:
        if self._in_line:
            print(flush=True)
            self._in_line = False


def print_error(error: Exception) -> None:
    """Print the error as one line on stderr."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        text = f"{error.filename}: {error.strerror}"
    text = " ".join(text.split()) or type(error).__name__
    print(f"rxstream: {text}", file=sys.stderr)
