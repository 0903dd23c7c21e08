"""The laws of `debounce_moderation`: what must hold whatever the model says and the checks answer.

    from rxstream.testing import moderation_laws
    moderation_laws(my_check, secrets=["hunter2"])

Or one by one, over a stream of your own: `MODERATION_LAWS[name](ModerationTrial(events, judge, options=…))`.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rxstream._typing import Operator
from rxstream.events import Event, StreamingEvent
from rxstream.operators import Verdict, Window, debounce_moderation
from rxstream.testing._moderation_trial import (
    HANGS,
    Asked,
    LanePlace,
    ModerationTrial,
    Said,
    Seen,
    answer_of,
    place_of,
    spoken,
)

Law = Callable[[ModerationTrial], None]

_UNTIMED: Mapping[str, Any] = {"quiet": float("inf"), "max_delay": float("inf")}
_EARLY = 2e-6


def chunk_invariance(trial: ModerationTrial) -> None:
    """For a deterministic check and no timers, the released text does not depend on how the input was split."""
    texts = {place: text for place, text in trial.given().items() if text}
    whole = [Said(0.01 * number, place, text) for number, (place, text) in enumerate(texts.items())]
    single = [Said(one.at, one.place, char) for one in whole for char in one.text]
    rng = random.Random(len(str(texts)))
    parts = [part for one in whole for part in spoken({one.place: one.text}, rng)]
    released: dict[str, dict[LanePlace, str]] = {}
    for how, said in (("at once", whole), ("character by character", single), ("in pieces", parts)):
        timed = [Said(0.01 * number, one.place, one.text) for number, one in enumerate(said)]
        again = _with(trial, answer_of(timed), **_UNTIMED, mode="hold")
        again.delay = None
        released[how] = {place: text for place, text in again.run().texts().items() if text}
    first = released["at once"]
    for how, texts in released.items():
        _hold(texts == first, f"what is released depends on the split: {_sizes(texts)} {how}, {_sizes(first)} at once")


def no_early_release(trial: ModerationTrial) -> None:
    """In `hold`, at every moment released <= verified - holdback, unless the lane has ended with a pass."""
    trial = _with(trial, mode="hold")
    holdback = max(trial.options.get("holdback", 0), getattr(trial.judge, "holdback", 0))
    for place, order, released, verified, passed in _marks(trial, trial.run()):
        _hold(
            released <= verified - holdback or (passed and released <= verified) or released == 0,
            f"{released} characters of {place} were released when {verified} were verified (holdback {holdback})",
        )


def exposure(trial: ModerationTrial) -> None:
    """In `bounded`, released - verified <= max_exposure, always."""
    trial = _with(trial, mode="bounded")
    most = trial.options.get("max_exposure", 300)
    for place, order, released, verified, passed in _marks(trial, trial.run()):
        _hold(
            released - verified <= most,
            f"{released} characters of {place} were released when {verified} were verified (max_exposure {most})",
        )


def no_second_way_out(trial: ModerationTrial) -> None:
    """No unreleased piece of a lane stands in any emitted event, of any type, in any field, in the error or the log.

    Looked for: every run of eight characters behind what was released that the released text does not hold itself.
    """
    trial = _with(trial, mode="hold")
    seen = trial.run()
    released = seen.texts()
    said = seen.json()
    shown = "\n".join(released.values())
    for place, text in trial.given().items():
        out = released.get(place, "")
        if not text.startswith(out):
            continue  # something was replaced: `replaced_text_is_gone` looks at that
        for start in range(len(out), len(text) - 7):
            piece = text[start : start + 8]
            if piece.isascii() and '"' not in piece and "\\" not in piece and piece.isprintable() and piece not in shown:
                _hold(piece not in said, f"characters {start} to {start + 8} of {place} came out another way")


def monotone_marks(trial: ModerationTrial) -> None:
    """What was released of a lane only grows, is the beginning of its text, and says nothing twice."""
    seen = trial.run()
    given = trial.given()
    texts: dict[LanePlace, str] = {}
    replaced = trial.options.get("on_flag") == "replace" or callable(trial.options.get("on_flag"))
    for _, _, event in seen.emitted:
        place = place_of(event)
        if place is not None:
            texts[place] = texts.get(place, "") + event.delta  # type: ignore[attr-defined]
            true = replaced or given[place].startswith(texts[place])
            _hold(true, f"what was released of {place} is not the beginning of its text")
    _hold(not seen.left_open, "the stream ended, but a timer is armed or the source still subscribed to")


def conservation(trial: ModerationTrial) -> None:
    """With a check that passes everything, the output equals the input but for the grouping of deltas."""
    all_pass = _with(trial)
    all_pass.judge = lambda window: False
    seen = all_pass.run()
    _hold(seen.ended == "|", f"all was passed and the source completed, but the stream ended with {seen.ended or 'nothing'}")
    given, released = all_pass.given(), seen.texts()
    for place, text in given.items():
        _hold(released.get(place, "") == text, f"the text of {place} is not what came: {_sizes(released)}")
    came = sorted(_said(event) for _, event in all_pass.events if place_of(event) is None)
    left = sorted(_said(event) for _, _, event in seen.emitted if place_of(event) is None)
    _hold(came == left, "an event is missing, added or changed although everything passed")


def latency(trial: ModerationTrial) -> None:
    """No character is older than `max_delay` without a check under way, unless `in_flight` checks already are."""
    seen = trial.run()
    most = trial.options.get("max_delay", 1.0)
    slots = trial.options.get("in_flight", 2)
    ended = [order for order, _, _ in seen.emitted][-1:] or [0]
    for place, asked in _windows(trial, seen).items():
        for end, arrived in _arrivals(trial, place):
            ask = next((one for start, stop, one in asked if start < end <= stop), None)
            begun = ask.at if ask is not None else None
            if begun is None or begun <= arrived + most + _EARLY:
                continue
            for moment in (arrived + most + _EARLY, begun - _EARLY):
                running = sum(1 for _, _, one in asked if one.at <= moment and not _over(one, moment))
                _hold(
                    running >= slots or seen.ended != "",
                    f"character {end} of {place} came at {arrived:g} s and was not sent to a check before {begun:g} s",
                )
    del ended


def dispose_is_silent(trial: ModerationTrial) -> None:
    """After a dispose nothing is emitted, no check is asked, and nothing stays open; checks under way are cancelled."""
    last = trial.events[-1][0] if trial.events else 0.0
    for part in (0.0, 0.3, 0.7, 0.95):
        moment = last * part + 0.0005
        seen = trial.run(dispose_at=moment)
        _hold(all(at <= moment + _EARLY for _, at, _ in seen.emitted), "an event came after the dispose")
        _hold(all(one.at <= moment + _EARLY for one in seen.asked), "a check was asked after the dispose")
        _hold(not seen.left_open, "the stream was disposed, but a timer is armed or the source still subscribed to")
        under_way = [one for one in seen.asked if one.answered is None]
        _hold(all(one.cancelled for one in under_way) or seen.ended != "", "a check under way was not cancelled")


def fails_closed(trial: ModerationTrial) -> None:
    """A check that raises, hangs or answers rubbish releases nothing beyond the windows that passed."""
    for misbehave in (_raise, lambda window: HANGS, lambda window: None, lambda window: "no"):
        for good in (0, 2):
            failing = _with(trial, mode="hold", on_check_error="cut", retries=1)
            count = [0]

            def judge(window: Window, misbehave: Callable[[Window], Any] = misbehave, good: int = good) -> Any:
                count[0] += 1
                return False if count[0] <= good else misbehave(window)

            failing.judge = judge
            failing.delay = None
            seen = failing.run()
            _hold(seen.ended != "", "a check did not answer, and the stream never ended")
            for place, _, released, verified, passed in _marks(failing, seen):
                _hold(released <= verified, f"a check failed, and {released} characters of {place} were released")


def linear_cost(trial: ModerationTrial) -> None:
    """Characters sent to checks <= (1 + context / max_chars) x text, and `context` more for each window that a timer
    or the end of its text cut short."""
    seen = trial.run()
    context = max(trial.options.get("context", 400), trial.options.get("holdback", 0))
    context = max(context, getattr(trial.judge, "holdback", 0))
    ratio = context / trial.options.get("max_chars", 800)
    for place, asked in _windows(trial, seen).items():
        windows = [one.window for _, _, one in asked]
        text = sum(len(window.text) for window in windows)
        short = sum(1 for window in windows if len(window.text) < trial.options.get("first_chars", 60) // 2)
        sent = sum(len(window.text) + len(window.context) for window in windows)
        _hold(text <= len(trial.given()[place]), f"text of {place} was sent twice beyond the context")
        most = (1 + ratio) * text + context * (1 + short) + _forced(trial, windows) * context
        _hold(sent <= most, f"{sent} characters were sent to judge {text} of {place}; {most:g} would do")


MODERATION_LAWS: Mapping[str, Law] = {
    law.__name__.replace("_", " "): law
    for law in (
        chunk_invariance,
        no_early_release,
        exposure,
        no_second_way_out,
        monotone_marks,
        conservation,
        latency,
        dispose_is_silent,
        fails_closed,
        linear_cost,
    )
}
"""Name of each law -> the function that checks it."""
