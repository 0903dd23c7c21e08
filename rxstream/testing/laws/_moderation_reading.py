"""What can be read off a moderated stream: its windows, its marks, and when its text came."""

from collections.abc import Iterable, Iterator
from typing import Final

from rxstream.testing.laws._moderation_script import ScriptPlace, place_of
from rxstream.testing.laws._moderation_trial import CheckCall, ModerationTrial, Seen


def windows(trial: ModerationTrial, seen: Seen) -> dict[ScriptPlace, list[tuple[int, int, CheckCall]]]:
    """Each window of each lane, with the part of its text that it was about. One asked about again counts once.

    Raises: AssertionError: a window is no part of its lane's text, or comes out of order.
    """
    source_texts = trial.source_texts()
    found: dict[ScriptPlace, list[tuple[int, int, CheckCall]]] = {}
    for one in seen.asked:
        place = (one.window.output_index, one.window.content_index, str(one.window.kind))
        if place not in source_texts:
            continue
        known, text = found.setdefault(place, []), source_texts[place]
        start, stop = one.window.start, one.window.start + len(one.window.text)
        again = [at for at, (other, _, _) in enumerate(known) if other == start]
        if again:
            known[again[0]] = (start, stop, one)
            continue
        before = known[-1][1] if known else 0
        if start < before or text[before:start].strip() or text[start:stop] != one.window.text:
            raise AssertionError(f"a window of {place} is no part of its text, or comes out of order")
        known.append((start, stop, one))
    return found


def marks(trial: ModerationTrial, seen: Seen) -> Iterator[tuple[ScriptPlace, int, int, int, bool]]:
    """At every delta emitted: its place; how much was released, verified, and verified without being held back by a
    verdict; and whether the lane had ended and passed.

    White space that no check is asked about counts as verified.
    """
    source_texts, calls = trial.source_texts(), windows(trial, seen)
    last = seen.fed[-1][0] if seen.fed else 0
    ends: dict[ScriptPlace, int] = {}
    for order, _, event in seen.fed:
        if event.type in _DONE:
            place = (getattr(event, "output_index", 0), getattr(event, "content_index", 0), _DONE[event.type])
            ends.setdefault(place, order)
    released: dict[ScriptPlace, int] = {}
    for order, _, event in seen.emitted:
        place = place_of(event)
        if place is None:
            continue
        released[place] = released.get(place, 0) + len(event.delta)  # type: ignore[attr-defined]
        verified, decided = _verified(source_texts[place], calls.get(place, ()), order)
        yield (
            place,
            released[place],
            verified,
            decided,
            ends.get(place, last) < order and verified == len(source_texts[place]),
        )


def verified(trial: ModerationTrial, seen: Seen) -> dict[ScriptPlace, int]:
    """How much of each lane was verified in the end."""
    source_texts, calls = trial.source_texts(), windows(trial, seen)
    return {place: _verified(text, calls.get(place, ()), None)[0] for place, text in source_texts.items()}


def _verified(text: str, calls: Iterable[tuple[int, int, CheckCall]], order: int | None) -> tuple[int, int]:
    verified = held = 0
    for start, stop, one in calls:
        answered = one.answered is not None and (order is None or one.answered < order)
        if text[verified:start].strip() or not one.passed or not answered:
            break
        verified, held = stop, one.holdback
    space = len(text[verified:]) - len(text[verified:].lstrip())
    return verified + space, verified - held if held else verified + space


_DONE: Final = {
    "response.output_text.done": "text",
    "response.refusal.done": "refusal",
    "response.function_call_arguments.done": "function_args",
}


def arrivals(trial: ModerationTrial, place: ScriptPlace) -> Iterator[tuple[int, float]]:
    """Up to which character the text of a lane had come, and when; white space at its end not counted."""
    text = trial.source_texts()[place]
    length = 0
    for at, event in trial.events:
        if place_of(event) == place:
            length += len(event.delta)  # type: ignore[union-attr]
            end = len(text[:length].rstrip())
            if end:
                yield end, at
