"""`rxstream inspect`: the events of a tape."""

from __future__ import annotations

import sys
from collections import Counter

from rxstream.cli._output import print_error
from rxstream.errors import RxStreamError
from rxstream.errors._redaction import one_line
from rxstream.events import UnknownEvent
from rxstream.session import Session
from rxstream.sinks import iterate


def inspect(file: str) -> int:
    """Print the number of events of each type, and how the tape ends. Returns 1 if it ends with an error, else 0."""
    counts: Counter[str] = Counter()
    unknown: set[str] = set()
    ending = "completed"
    with Session(normalize=False) as session:
        try:
            for event in iterate(session.replay(sys.stdin.buffer if file == "-" else file, speed=None)):
                counts[event.type] += 1
                if isinstance(event, UnknownEvent):
                    unknown.add(event.type)
        except RxStreamError as error:
            ending = type(error).__name__
            print_error(error)
    for kind, count in sorted(counts.items()):
        print(f"{count:7}  {one_line(kind, 200) or '(no type)'}{'  (unknown)' if kind in unknown else ''}")
    print(f"{counts.total():7}  events; {ending}")
    return 0 if ending == "completed" else 1
