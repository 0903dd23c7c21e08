"""Adjacent deltas of one part become one."""

from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

from rxstream.events import Event, ResponseAudioDeltaEvent, ResponseOutputTextDeltaEvent

_T = TypeVar("_T")

LONGEST_RUN = 1024
"""So many values at most become one where a reader is behind its stream."""

_PLACE = ("output_index", "content_index", "summary_index", "command_index")


def mergeable(first: object, second: object) -> bool:
    """Whether `second` continues `first`: two `str`, or two text deltas of the same part.

    Deltas with log probabilities are merged too, their lists joined. Shell output, whose delta is not a `str`, and
    audio, whose deltas are base64 each, are not merged. The item id is not compared, because one server
    changes it in every event.
    """
    kind = type(first)
    if kind is not type(second):
        return isinstance(first, str) and isinstance(second, str)
    place = _place_of(kind)
    return place is not None and place(first) == place(second)


@cache
def _place_of(kind: type) -> Callable[[Any], object] | None:
    """A function that returns the place of a text delta of this class. None for other classes.

    Cached, because looking for a field that a model does not have costs a hundred times as much.
    """
    if issubclass(kind, str):
        return lambda _: None  # all text is in one place
    if not issubclass(kind, Event) or issubclass(kind, ResponseAudioDeltaEvent):
        return None
    fields = kind.model_fields
    if "delta" not in fields or fields["delta"].annotation is not str:
        return None
    return attrgetter("type", *(name for name in _PLACE if name in fields))


def merge(run: Sequence[_T]) -> _T:
    """One value for a run of mergeable values. An event gets the place and the number of the last one."""
    last: Any = run[-1]
    if isinstance(last, str):
        return "".join(run)  # type: ignore[arg-type, return-value]  # a run is of one kind
    events: Sequence[Any] = run
    fields: dict[str, Any] = {"delta": "".join(event.delta for event in events)}
    if type(events[-1]) is ResponseOutputTextDeltaEvent:
        logprobs = [entry for event in events for entry in event.logprobs]
        if logprobs:
            fields["logprobs"] = logprobs
    return last.model_copy(update=fields)
