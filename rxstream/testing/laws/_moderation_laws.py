"""The laws of `debounce_moderation`: what must hold for every text of the model and every answer of a check.

One by one, over a stream of your own: `MODERATION_LAWS[name](ModerationTrial(events, judge, options=…))`.
"""

import random
import re
from collections.abc import Callable, Mapping
from typing import Any

from rxstream.errors import TruncatedError
from rxstream.events import parse_event
from rxstream.testing.answers._answer import compact
from rxstream.testing.laws._moderation_judges import fail_after, pass_all
from rxstream.testing.laws._moderation_reading import arrivals, offsets, verified, windows
from rxstream.testing.laws._moderation_script import ScriptPlace, TimedDelta, answer_of, interleave, place_of
from rxstream.testing.laws._moderation_seen import Seen
from rxstream.testing.laws._moderation_trial import HANGS, ModerationTrial

Law = Callable[[ModerationTrial], None]

_UNTIMED: Mapping[str, Any] = {"quiet": float("inf"), "max_delay": float("inf")}
_EARLY = 2e-6
_TERMINAL = ("response.completed", "response.incomplete", "response.failed")


def chunk_invariance(trial: ModerationTrial) -> None:
    """For a deterministic check and no timers, the released text does not depend on how the input was split."""
    texts = {place: text for place, text in trial.source_texts().items() if text}
    whole_texts = [TimedDelta(0.0, place, text) for place, text in texts.items()]
    characters = [TimedDelta(0.0, delta.place, character) for delta in whole_texts for character in delta.text]
    rng = random.Random(len(str(texts)))
    pieces = [piece for place, text in texts.items() for piece in interleave({place: text}, rng)]
    released: dict[str, dict[ScriptPlace, str]] = {}
    for split, deltas in (("at once", whole_texts), ("character by character", characters), ("in pieces", pieces)):
        timed = [TimedDelta(0.01 * number, delta.place, delta.text) for number, delta in enumerate(deltas)]
        split_trial = trial.but(events=answer_of(timed), at_once=True, mode="hold", **_UNTIMED)
        released[split] = {place: text for place, text in split_trial.run().texts().items() if text}
    expected = released["at once"]
    for split, texts in released.items():
        hold(
            texts == expected,
            f"what is released depends on the split: {_sizes(texts)} {split}, {_sizes(expected)} at once",
        )


def no_early_release(trial: ModerationTrial) -> None:
    """In `hold`, at every moment released <= verified - holdback, for each check, unless the lane ended with a pass.

    `on_flag` is `cut`, because with `annotate` flagged text passes.
    """
    trial = trial.but(mode="hold", on_flag="cut")
    for place, released, verified_end, held_back_from, ended in offsets(trial, trial.run()):
        hold(
            released <= held_back_from or (ended and released <= verified_end),
            f"{released} characters of {place} were released when {verified_end} were verified, "
            f"and held back from {held_back_from} on",
        )


def exposure(trial: ModerationTrial) -> None:
    """In `bounded`, released - verified <= max_exposure, always. After a cut, what was not verified is retracted."""
    bounded = trial.but(mode="bounded", on_flag="cut")
    limit = trial.options.get("max_exposure", 300)
    for place, released, verified_end, _, _ in offsets(bounded, bounded.run()):
        hold(
            released - verified_end <= limit,
            f"{released} characters of {place} were released when {verified_end} were verified (max_exposure {limit})",
        )
    for unheld in (bounded, trial.but(mode="optimistic", on_flag="cut")):
        seen = unheld.run()
        if not any(event.type == "rxstream.moderation.flagged" for _, _, event in seen.emitted):
            continue
        ends = verified(unheld, seen)
        for place, size in seen.kept_sizes().items():
            hold(size <= ends[place], f"{size} characters of {place} stay, and {ends[place]} were verified")


def no_second_way_out(trial: ModerationTrial) -> None:
    """No unreleased piece of a lane is in any emitted event, of any type, in any field, in the error or the log.

    A piece is eight characters after the released text that are not in the released text as well.
    """
    trial = trial.but(mode="hold")
    seen = trial.run()
    released = seen.texts()
    everything, all_released = seen.json(), "\n".join(released.values())
    for place, text in trial.source_texts().items():
        released_text = released.get(place, "")
        if not text.startswith(released_text):
            continue  # a part was replaced, so its length does not tell where the unreleased text begins
        for start in range(len(released_text), len(text) - 7):
            piece = text[start : start + 8]
            plain = piece.isascii() and piece.isprintable() and not {'"', "\\"} & {*piece}
            if plain and piece not in all_released:
                hold(piece not in everything, f"characters {start} to {start + 8} of {place} were emitted another way")


def monotone_marks(trial: ModerationTrial) -> None:
    """What was released of a lane only grows, and is the beginning of its text: nothing is released twice."""
    seen = trial.run()
    source_texts = trial.source_texts()
    texts: dict[ScriptPlace, str] = {}
    replaced = trial.options.get("on_flag", "cut") not in ("cut", "error", "annotate")
    for _, _, event in seen.emitted:
        place = place_of(event)
        if place is not None:
            texts[place] = texts.get(place, "") + event.delta  # type: ignore[attr-defined]  # only deltas have a place
            is_beginning = replaced or source_texts[place].startswith(texts[place])
            hold(is_beginning, f"what was released of {place} is not the beginning of its text")
    hold(not seen.left_open, "the stream ended, but a timer is armed or the source still subscribed to")


def conservation(trial: ModerationTrial) -> None:
    """With a check that passes everything, the output equals the input but for the grouping of deltas."""
    trial = trial.but(judge=[pass_all] * len(trial.judges))
    seen = trial.run()
    hold(seen.ended == "|", f"all was passed and the source completed, but the stream {seen.ended or 'did not'} end")
    source_texts, released = trial.source_texts(), seen.texts()
    for place, text in source_texts.items():
        hold(released.get(place, "") == text, f"the text of {place} is not the source's: {_sizes(released)}")
    source_events = sorted(event.model_dump_json() for _, event in trial.events if place_of(event) is None)
    emitted_events = sorted(event.model_dump_json() for _, _, event in seen.emitted if place_of(event) is None)
    hold(source_events == emitted_events, "an event is missing, added or changed although everything passed")


def latency(trial: ModerationTrial) -> None:
    """A check is called for each character within `max_delay`, unless `in_flight` checks are under way already.

    That is said of the first check of a list. Each other one gets what the one before it let through.
    """
    seen = trial.run()
    max_delay, in_flight = trial.options.get("max_delay", 1.0), trial.options.get("in_flight", 2)
    ended = seen.ended_at if seen.ended_at is not None else float("inf")
    for place, lane_windows in windows(trial, seen).items():
        calls = [call for _, _, call in lane_windows]
        for offset, arrival in arrivals(trial, place):
            called = next((call.time for start, end, call in lane_windows if start < offset <= end), float("inf"))
            deadline = arrival + max_delay + _EARLY
            if min(called, ended) <= deadline:
                continue
            later = (call.time + _EARLY for call in calls if deadline < call.time < min(called, ended))
            for time in (deadline, *later):
                hold(
                    sum(call.under_way(time) for call in calls) >= in_flight,
                    f"character {offset} of {place} arrived at {arrival:g} s; no check got it until {deadline:g} s",
                )


def dispose_is_silent(trial: ModerationTrial) -> None:
    """After a dispose nothing is emitted, no check is called or left under way, and nothing stays open."""
    last = trial.events[-1][0] if trial.events else 0.0
    for part in (0.0, 0.3, 0.7, 0.95):
        dispose_at = last * part + 0.0005
        seen = trial.run(dispose_at=dispose_at)
        hold(all(time <= dispose_at + _EARLY for _, time, _ in seen.emitted), "an event was emitted after the dispose")
        hold(all(call.time <= dispose_at + _EARLY for call in seen.calls), "a check was called after the dispose")
        hold(not seen.left_open, "the stream was disposed, but a timer is armed or the source still subscribed to")
        under_way = [call for call in seen.calls if call.answered is None]
        hold(all(call.cancelled for call in under_way), "a check under way was not cancelled")


def fails_closed(trial: ModerationTrial) -> None:
    """If a check raises, hangs or returns no verdict, nothing is released but the windows that passed."""
    for answer in ("raise", HANGS, None, "no"):
        for passes in (0, 2):
            failing = trial.but(judge=fail_after(passes, answer), at_once=True, mode="hold", on_check_error="cut")
            seen = failing.run()
            hold(seen.ended != "", "a check did not answer, and the stream never ended")
            for place, text in seen.texts().items():
                released = len("".join(text.split()))
                passed = min(seen.passed(place, tier) for tier in range(len(failing.judges)))
                hold(
                    released <= passed,
                    f"checks failed after {passed} characters of {place}, and {released} were released",
                )


def failed_source(trial: ModerationTrial) -> None:
    """A source that fails ends with its error. What came before is verified, and no `response.completed` is shortened.

    The text that a subscriber keeps is verified in every mode. A terminal event is one that the source sent, and a
    `response.completed` is the one that the same source gives without the error. `on_flag` is `cut`.
    """
    for mode in ("hold", "bounded", "optimistic"):
        tried = trial.but(mode=mode, on_flag="cut")
        completed = [event.model_dump_json() for _, _, event in tried.run().emitted if event.type in _TERMINAL]
        for count in (len(trial.events) // 2, len(trial.events)):
            failing = tried.but(events=trial.events[:count])
            seen = failing.run(error=TruncatedError("the source failed"))
            hold(not seen.left_open, "the source failed, but a timer is armed or it is still subscribed to")
            kept, ends = seen.kept_sizes(), verified(failing, seen)
            for place, size in kept.items():
                hold(
                    size <= ends[place], f"{size} characters of {place} stay, and {ends[place]} were verified ({mode})"
                )
            if any(event.type == "rxstream.moderation.flagged" for _, _, event in seen.emitted):
                continue
            hold(isinstance(seen.error, TruncatedError), f"the source failed, and the end is {seen.error!r} ({mode})")
            for _, _, event in seen.emitted:
                if event.type in _TERMINAL:
                    sent = event.model_dump_json() in completed
                    hold(sent, f"the source failed, and a {event.type} that it did not send was emitted ({mode})")


def full_context(trial: ModerationTrial) -> None:
    """Each check sees `context` characters before its window, or all there are, whatever ended the last window.

    It sees more only after it was suspect, or if the verdict before it holds more back.
    """
    trial = trial.but(on_flag="cut")
    context = trial.options.get("context", 400)
    seen = trial.run()
    for tier in range(len(trial.judges)):
        for place, lane_windows in windows(trial, seen, tier).items():
            text = trial.source_texts()[place]
            for start, _, call in lane_windows:
                least = min(context, start)
                hold(
                    len(call.window.context) >= least and text[:start].endswith(call.window.context),
                    f"the check of {place} at {start} got {len(call.window.context)} characters before it, not {least}",
                )
            calls = [call for call in seen.calls if call.tier == tier and call.place == place]
            if not any(call.suspected or call.holdback for call in calls):  # also of a window that was checked again
                most = max(context, trial.holdback(tier)) + _spaces(text)
                for start, _, call in lane_windows:
                    hold(
                        len(call.window.context) <= most,
                        f"the check of {place} at {start} got {len(call.window.context)} characters before it",
                    )


def linear_cost(trial: ModerationTrial) -> None:
    """Characters sent to one check <= (1 + context / max_chars) x text + context, at the end of each full window.

    The `context` is for the windows that are not yet `max_chars` long. The last window is not full, and may have
    `context` more. That holds without timers: each window that a timer ends may have `context` more. If a verdict holds
    more than `context` back, the next window has all of it. White space that is in no window is context of one window.
    Each check after the first one gets windows of the same size, less what the one before it holds back at their ends.
    """
    trial = trial.but(**_UNTIMED)
    seen = trial.run()
    context = max(trial.options.get("context", 400), *map(trial.holdback, range(len(trial.judges))))
    ratio = context / trial.options.get("max_chars", 800)
    for tier in range(len(trial.judges)):
        for place, lane_windows in windows(trial, seen, tier).items():
            new = sum(len(call.window.text) for _, _, call in lane_windows)
            hold(new <= len(trial.source_texts()[place]), f"text of {place} was sent again as new text")
            sent = 0
            extra = context
            for _, length, call in lane_windows if tier == 0 else ():
                sent += len(call.window.text) + len(call.window.context)
                extra += trial.holdback(tier) + call.holdback
                limit = (1 + ratio) * length + extra + (context if length == lane_windows[-1][1] else 0)
                hold(sent <= limit, f"{sent} characters were sent to judge {length} of {place}; {limit:g} are enough")


def _spaces(text: str) -> int:
    """The longest white space in a text. It is in no window, and context of the next one if it is held back."""
    return max(map(len, re.findall(r"\s+", text)), default=0)


def responses_apart(trial: ModerationTrial) -> None:
    """Two responses in one stream: each has its own texts, its own end, and all of its events in order."""
    second = [
        (time + trial.events[-1][0] + 0.01, parse_event(event.model_dump_json().replace('"resp_1"', '"resp_2"')))
        for time, event in trial.events
    ]
    both = trial.but(events=[*trial.events, *second], judge=[pass_all] * len(trial.judges))
    seen = both.run()
    hold(seen.ended == "|", f"two responses passed, but the stream {seen.ended or 'did not'} end")
    ends = [number for number, (_, _, event) in enumerate(seen.emitted) if event.type == "response.completed"]
    hold(len(ends) == 2, f"two responses completed, and {len(ends)} ends were emitted")
    for first, last in ((0, ends[0]), (ends[0] + 1, ends[1])):
        texts = Seen(emitted=seen.emitted[first : last + 1]).texts()
        for place, text in trial.source_texts().items():
            hold(texts.get(place, "") == text, f"the text of {place} is not the source's: {_sizes(texts)}")


def repeated_text(trial: ModerationTrial) -> None:
    """An event of another item may repeat a text, before or after its deltas: it takes nothing away from them."""
    number = 90
    for place, text in trial.source_texts().items():
        if not text or place[2] == "function_args":
            continue
        field = "text" if place[2] == "text" else "refusal"
        fields = {"type": f"response.{place[2].replace('text', 'output_text')}.done", "content_index": 0, field: text}
        for position in (1, len(trial.events) // 2, len(trial.events) - 1):
            number += 1
            time = trial.events[position][0]
            repeated = parse_event(compact({**fields, "output_index": number, "item_id": f"msg_{number}"}))
            conservation(trial.but(events=[*trial.events[:position], (time, repeated), *trial.events[position:]]))


def slow_subscriber(trial: ModerationTrial) -> None:
    """While the subscriber is busy, events, verdicts and timers wait: nothing is lost, no earlier than a verdict.

    A check that answers at once is never the reason that too much is held, however many events wait.
    """
    passing = trial.but(judge=[pass_all] * len(trial.judges))
    for tried in (passing, passing.but(at_once=True, max_buffer=2_500)):
        if tried.run().ended != "|":
            continue  # more is held than this, with a subscriber that is never busy
        for seconds in (0.003, 0.7):
            seen = tried.run(seconds_an_event=seconds)
            hold(seen.ended == "|", f"the subscriber was slow, and the stream {seen.ended or 'did not'} end")
            for place, text in trial.source_texts().items():
                hold(seen.texts().get(place, "") == text, f"the text of {place} is not the source's")
            hold(not seen.left_open, "the stream ended, but a timer is armed or the source still subscribed to")


def one_timer(trial: ModerationTrial) -> None:
    """At most one timer is armed at a time, and the one that takes its place: with some schedulers each is a thread."""
    for seconds in (0.0, 0.3):
        most = trial.run(seconds_an_event=seconds).most_timers
        hold(most <= 2, f"{most} timers were armed at one time")


def complete_records(trial: ModerationTrial) -> None:
    """`on_verdict` gets one record for each call of a check, also for one that was cancelled or came to nothing."""
    last = trial.events[-1][0] if trial.events else 0.0
    for dispose_at in (None, 0.3 * last, 0.8 * last):
        records: list[Any] = []
        calls = trial.but(on_verdict=records.append).run(dispose_at=dispose_at).calls
        hold(len(records) == len(calls), f"{len(calls)} calls of checks have {len(records)} records")


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
        failed_source,
        full_context,
        linear_cost,
        responses_apart,
        repeated_text,
        slow_subscriber,
        one_timer,
        complete_records,
    )
}
"""Name of each law -> the function that checks it."""


def _sizes(texts: Mapping[ScriptPlace, str]) -> str:
    return ", ".join(f"{len(text)} of {place}" for place, text in texts.items()) or "nothing"


def hold(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
