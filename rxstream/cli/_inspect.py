"""`rxstream inspect`: the events of a tape."""

from __future__ import annotations

from collections import Counter

from rxstream.cli._output import print_error
from rxstream.cli._stream import stdin
from rxstream.errors import RxStreamError
from rxstream.errors._redaction import one_line
from rxstream.events import Response, UnknownEvent
from rxstream.events._fields import TERMINAL
from rxstream.session import Session
from rxstream.sinks import iterate


def inspect(file: str) -> int:
    """Print the number of events of each type, and how the tape ends. Returns 1 if it ends with an error, else 0.

    A response that was cut short is `incomplete`, with the reason; it is not an error.
    """
    counts: Counter[str] = Counter()
    unknown: set[str] = set()
    ending, failed = "completed", False
    with Session(normalize=False) as session:
        try:
            for event in iterate(session.replay(stdin() if file == "-" else file, speed=None)):
                counts[event.type] += 1
                if isinstance(event, UnknownEvent):
                    unknown.add(event.type)
                elif isinstance(event, TERMINAL):
                    ending = _ending_of(event.response)
        except RxStreamError as error:
            ending, failed = type(error).__name__, True
            print_error(error)
    for kind, count in sorted(counts.items()):
        print(f"{count:7}  {one_line(kind, 200) or '(no type)'}{'  (unknown)' if kind in unknown else ''}")
    print(f"{counts.total():7}  events; {ending}")
    return 1 if failed else 0


def _ending_of(response: Response) -> str:
    details = response.incomplete_details
    if response.status != "incomplete" and details is None:
        return "completed"
    reason = details.reason if details is not None else None
    return f"incomplete ({one_line(reason, 200)})" if reason else "incomplete"
