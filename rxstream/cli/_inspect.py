"""`rxstream inspect`: what is on a tape."""

from __future__ import annotations

import sys
from collections import Counter

from rxstream.cli._output import complain
from rxstream.errors import RxStreamError
from rxstream.errors._redaction import one_line
from rxstream.events import UnknownEvent
from rxstream.session import Session
from rxstream.sinks import iterate


def inspect(file: str) -> int:
    """Count the events of a tape by type, and say how it ends. Returns 1 where it ends in an error."""
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
            complain(error)
    for kind, count in sorted(counts.items()):
        print(f"{count:7}  {one_line(kind, 200) or '(no type)'}{'  (unknown)' if kind in unknown else ''}")
    print(f"{counts.total():7}  events; {ending}")
    return 0 if ending == "completed" else 1
