"""The recorded streams as events, each read once."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import reactivex

from rxstream import operators as rxs
from rxstream.events import Response, ResponseCompletedEvent, StreamingEvent
from rxstream.sse import Decoder
from rxstream.typing import Operator
from tests._given import manifest, stream_bytes

_T = TypeVar("_T")

NAMES = sorted(manifest())
WHOLE = [
    name
    for name in NAMES
    if not manifest()[name]["stream_invariants_broken"] and manifest()[name]["terminal_event"] == "response.completed"
]
"""Those that completed and keep the order of the wire."""


def run(events: Iterable[Any], operator: Operator[Any, _T]) -> list[_T]:
    """What an operator makes of the events. Raises the error it ends with."""
    values: list[_T] = []
    errors: list[Exception] = []
    reactivex.from_iterable(events).pipe(operator).subscribe(values.append, errors.append)
    if errors:
        raise errors[0]
    return values


def failing(events: Iterable[Any], operator: Operator[Any, _T]) -> tuple[list[_T], Exception | None]:
    """What an operator makes of the events, and the error it ends with."""
    values: list[_T] = []
    errors: list[Exception] = []
    reactivex.from_iterable(events).pipe(operator).subscribe(values.append, errors.append)
    return values, errors[0] if errors else None


@cache
def recorded(name: str) -> Sequence[StreamingEvent]:
    """The events of a recorded stream, as a session gives them."""
    return run(Decoder(at_eof="whole_json").feed(stream_bytes(name)), _reading)


def events_of(path: Path) -> Sequence[StreamingEvent]:
    """The events of a stream that was recorded for this project, as a session gives them."""
    return run(Decoder(at_eof="whole_json").feed(path.read_bytes()), _reading)


def final(name: str) -> Response:
    """The response that a whole stream ends with."""
    last = recorded(name)[-1]
    assert isinstance(last, ResponseCompletedEvent)
    return last.response


def _reading(source: Any) -> Any:
    return source.pipe(rxs.parse_events(), rxs.normalize())
