"""What a run of a moderated stream shows: its windows, its offsets, and when its text arrived."""

from collections.abc import Iterable, Iterator
from typing import Final

from rxstream.testing.laws._moderation_script import ScriptPlace, place_of
from rxstream.testing.laws._moderation_seen import CheckCall, Seen
from rxstream.testing.laws._moderation_trial import ModerationTrial


def windows(trial: ModerationTrial, seen: Seen, tier: int = 0) -> dict[ScriptPlace, list[tuple[int, int, CheckCall]]]:
    """Each window of each lane that one check got: its start and end in the text, and its call; of several, the last.

    Raises: AssertionError: a window is not a part of its lane's text, or is out of order.
    """
    source_texts = trial.source_texts()
    windows_by_place: dict[ScriptPlace, list[tuple[int, int, CheckCall]]] = {}
    for call in seen.calls:
        window = call.window
        place = call.place
        if place not in source_texts or call.tier != tier:
            continue
        lane_windows, text = windows_by_place.setdefault(place, []), source_texts[place]
        start, end = window.start, window.start + len(window.text)
        number = next((number for number, known in enumerate(lane_windows) if known[0] == start), None)
        if number is not None:
            lane_windows[number] = (start, end, call)
            continue
        previous_end = lane_windows[-1][1] if lane_windows else 0
        if start < previous_end or text[previous_end:start].strip() or text[start:end] != window.text:
            raise AssertionError(f"a window of {place} is not a part of its text, or is out of order")
        lane_windows.append((start, end, call))
    return windows_by_place


def offsets(trial: ModerationTrial, seen: Seen) -> Iterator[tuple[ScriptPlace, int, int, int, bool]]:
    """For each emitted delta: its place; the ends of the released text, of the text that all checks have verified, and
    of that which none of them holds back; and whether the lane had ended and passed.

    White space that is in no window counts as verified.
    """
    source_texts = trial.source_texts()
    calls = [windows(trial, seen, tier) for tier in range(len(trial.judges))]
    last = seen.fed[-1][0] if seen.fed else 0
    ends: dict[ScriptPlace, int] = {}
    for order, _, event in seen.fed:
        if event.type in _DONE:
            place = (getattr(event, "output_index", 0), getattr(event, "content_index", 0), _DONE[event.type])
            ends.setdefault(place, order)
    released: dict[ScriptPlace, int] = {}
    for order, _, event in seen.emitted:
        place = place_of(event)
        if place is None or event.synthetic:
            continue
        released[place] = released.get(place, 0) + len(event.delta)  # type: ignore[attr-defined]  # only deltas have a place
        verified = held_back_from = len(source_texts[place])
        for tier, tier_calls in enumerate(calls):
            end, held_back = _verified(source_texts[place], tier_calls.get(place, ()), order)
            verified = min(verified, end)
            held_back_from = min(held_back_from, held_back, end - trial.holdback(tier))
        ended = ends.get(place, last) < order and verified == len(source_texts[place])
        yield place, released[place], verified, held_back_from, ended


def verified(trial: ModerationTrial, seen: Seen) -> dict[ScriptPlace, int]:
    """The end of the text of each lane that all checks have verified, at the end of the run."""
    calls = [windows(trial, seen, tier) for tier in range(len(trial.judges))]
    return {
        place: min(_verified(text, tier_calls.get(place, ()), None)[0] for tier_calls in calls)
        for place, text in trial.source_texts().items()
    }


def _verified(text: str, calls: Iterable[tuple[int, int, CheckCall]], order: int | None) -> tuple[int, int]:
    """The end of the verified text at the time of `order`, and from where the last verdict holds it back."""
    verified = holdback = 0
    for start, end, call in calls:
        answered = call.answered is not None and (order is None or call.answered < order)
        if text[verified:start].strip() or not call.passed or not answered:
            break
        verified, holdback = end, call.holdback
    space = len(text[verified:]) - len(text[verified:].lstrip())
    return verified + space, verified - holdback if holdback else verified + space


_DONE: Final = {
    "response.output_text.done": "text",
    "response.refusal.done": "refusal",
    "response.function_call_arguments.done": "function_args",
}


def arrivals(trial: ModerationTrial, place: ScriptPlace) -> Iterator[tuple[int, float]]:
    """For each delta of a lane: the end of its text so far, without white space at the end, and the time."""
    text = trial.source_texts()[place]
    length = 0
    for time, event in trial.events:
        if place_of(event) == place:
            length += len(event.delta)  # type: ignore[union-attr]  # only deltas have a place
            end = len(text[:length].rstrip())
            if end:
                yield end, time
