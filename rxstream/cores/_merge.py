"""Adjacent deltas of one part become one."""

from collections.abc import Sequence
from typing import Any, TypeVar

from rxstream.events import Event, ResponseAudioDeltaEvent

_T = TypeVar("_T")

_PLACE = ("output_index", "content_index", "summary_index", "command_index")


def mergeable(first: object, second: object) -> bool:
    """Whether `second` merely goes on where `first` stopped: two `str`, or two text deltas of the same part.

    Deltas with log probabilities are merged too, their lists joined. Shell output, whose delta is no `str`, and audio,
    whose pieces are base64 each for itself, are left alone. The item id is not looked at: one server changes it in
    every event.
    """
    if isinstance(first, str):
        return isinstance(second, str)
    if type(first) is not type(second) or not isinstance(first, Event) or isinstance(first, ResponseAudioDeltaEvent):
        return False
    before, after = getattr(first, "delta", None), getattr(second, "delta", None)
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    return all(getattr(first, name, None) == getattr(second, name, None) for name in _PLACE)


def merge(run: Sequence[_T]) -> _T:
    """One value for a run of mergeable ones; an event takes the place and number of the last."""
    last: Any = run[-1]
    if isinstance(last, str):
        return "".join(run)  # type: ignore[arg-type, return-value]  # a run is of one kind
    fields: dict[str, Any] = {"delta": "".join(event.delta for event in run)}  # type: ignore[attr-defined]
    logprobs = [entry for event in run for entry in getattr(event, "logprobs", None) or ()]
    if logprobs:
        fields["logprobs"] = logprobs
    return last.model_copy(update=fields)
