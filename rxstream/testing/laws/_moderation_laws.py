"""The laws of `debounce_moderation`: what must hold whatever the model says and the checks answer.

    from rxstream.testing import moderation_laws
    moderation_laws(my_check, secrets=["hunter2"])

Or one by one, over a stream of your own: `MODERATION_LAWS[name](ModerationTrial(events, judge, options=…))`.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rxstream.events import StreamingEvent
from rxstream.moderation import Verdict, Window
from rxstream.operators import debounce_moderation
from rxstream.testing.laws._moderation_reading import arrivals, marks, verified, windows
from rxstream.testing.laws._moderation_script import ScriptPlace, TimedDelta, answer_of, interleave, place_of
from rxstream.testing.laws._moderation_trial import HANGS, ModerationTrial
from rxstream.typing import Operator

Law = Callable[[ModerationTrial], None]

_UNTIMED: Mapping[str, Any] = {"quiet": float("inf"), "max_delay": float("inf")}
_EARLY = 2e-6


def chunk_invariance(trial: ModerationTrial) -> None:
    """For a deterministic check and no timers, the released text does not depend on how the input was split."""
    texts = {place: text for place, text in trial.source_texts().items() if text}
    whole = [TimedDelta(0.0, place, text) for place, text in texts.items()]
    single = [TimedDelta(0.0, one.place, char) for one in whole for char in one.text]
    rng = random.Random(len(str(texts)))
    parts = [part for one in whole for part in interleave({one.place: one.text}, rng)]
    released: dict[str, dict[ScriptPlace, str]] = {}
    for how, said in (("at once", whole), ("character by character", single), ("in pieces", parts)):
        timed = [TimedDelta(0.01 * number, one.place, one.text) for number, one in enumerate(said)]
        again = trial.but(events=answer_of(timed), at_once=True, mode="hold", **_UNTIMED)
        released[how] = {place: text for place, text in again.run().texts().items() if text}
    first = released["at once"]
    for how, texts in released.items():
        _hold(texts == first, f"what is released depends on the split: {_sizes(texts)} {how}, {_sizes(first)} at once")


def no_early_release(trial: ModerationTrial) -> None:
    """In `hold`, at every moment released <= verified - holdback, unless the lane has ended with a pass.

    What is flagged is cut: to annotate it is to let it pass.
    """
    trial = trial.but(mode="hold", on_flag="cut")
    for place, out, passed, decided, whole in marks(trial, trial.run()):
        kept = max(trial.holdback, passed - decided)
        _hold(
            out <= passed - kept or (whole and out <= passed),
            f"{out} characters of {place} were released when {passed} were verified (holdback {kept})",
        )


def exposure(trial: ModerationTrial) -> None:
    """In `bounded`, released - verified <= max_exposure, always. After a cut, what was not verified is taken back."""
    bounded = trial.but(mode="bounded", on_flag="cut")
    most = trial.options.get("max_exposure", 300)
    for place, out, passed, _, _ in marks(bounded, bounded.run()):
        _hold(
            out - passed <= most,
            f"{out} characters of {place} were released when {passed} were verified (max_exposure {most})",
        )
    for early in (bounded, trial.but(mode="optimistic", on_flag="cut")):
        seen = early.run()
        if not any(event.type == "rxstream.moderation.flagged" for _, _, event in seen.emitted):
            continue
        judged = verified(early, seen)
        for place, kept in seen.kept().items():
            _hold(kept <= judged[place], f"{kept} characters of {place} stay, and {judged[place]} were verified")


def no_second_way_out(trial: ModerationTrial) -> None:
    """No unreleased piece of a lane stands in any emitted event, of any type, in any field, in the error or the log.

    Looked for: every run of eight characters behind what was released that the released text does not hold itself.
    """
    trial = trial.but(mode="hold")
    seen = trial.run()
    released = seen.texts()
    said, shown = seen.json(), "\n".join(released.values())
    for place, text in trial.source_texts().items():
        out = released.get(place, "")
        if not text.startswith(out):
            continue  # something was replaced, and the offsets are not those of the text
        for start in range(len(out), len(text) - 7):
            piece = text[start : start + 8]
            plain = piece.isascii() and piece.isprintable() and not {'"', "\\"} & {*piece}
            if plain and piece not in shown:
                _hold(piece not in said, f"characters {start} to {start + 8} of {place} came out another way")


def monotone_marks(trial: ModerationTrial) -> None:
    """What was released of a lane only grows, is the beginning of its text, and says nothing twice."""
    seen = trial.run()
    source_texts = trial.source_texts()
    texts: dict[ScriptPlace, str] = {}
    replaced = trial.options.get("on_flag", "cut") not in ("cut", "error", "annotate")
    for _, _, event in seen.emitted:
        place = place_of(event)
        if place is not None:
            texts[place] = texts.get(place, "") + event.delta  # type: ignore[attr-defined]
            true = replaced or source_texts[place].startswith(texts[place])
            _hold(true, f"what was released of {place} is not the beginning of its text")
    _hold(not seen.left_open, "the stream ended, but a timer is armed or the source still subscribed to")


def conservation(trial: ModerationTrial) -> None:
    """With a check that passes everything, the output equals the input but for the grouping of deltas."""
    trial = trial.but(judge=lambda window: False)
    seen = trial.run()
    _hold(seen.ended == "|", f"all was passed and the source completed, but the stream {seen.ended or 'did not'} end")
    source_texts, released = trial.source_texts(), seen.texts()
    for place, text in source_texts.items():
        _hold(released.get(place, "") == text, f"the text of {place} is not what came: {_sizes(released)}")
    came = sorted(event.model_dump_json() for _, event in trial.events if place_of(event) is None)
    left = sorted(event.model_dump_json() for _, _, event in seen.emitted if place_of(event) is None)
    _hold(came == left, "an event is missing, added or changed although everything passed")


def latency(trial: ModerationTrial) -> None:
    """No character is older than `max_delay` without a check under way, unless `in_flight` checks already are."""
    seen = trial.run()
    most, slots = trial.options.get("max_delay", 1.0), trial.options.get("in_flight", 2)
    ended = seen.ended_at if seen.ended_at is not None else float("inf")
    for place, asked in windows(trial, seen).items():
        for end, arrived in arrivals(trial, place):
            first = next((one.at for start, stop, one in asked if start < end <= stop), float("inf"))
            late = arrived + most + _EARLY
            if min(first, ended) <= late:
                continue
            for moment in (late, *(one.at + _EARLY for _, _, one in asked if late < one.at < min(first, ended))):
                running = sum(1 for _, _, one in asked if one.under_way(moment))
                _hold(
                    running >= slots, f"character {end} of {place} came at {arrived:g} s; no check saw it at {late:g} s"
                )


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
        _hold(all(one.cancelled for one in under_way), "a check under way was not cancelled")


def fails_closed(trial: ModerationTrial) -> None:
    """A check that raises, hangs or answers rubbish releases nothing beyond the windows that passed."""
    for answer in ("raise", HANGS, None, "no"):
        for good in (0, 2):
            failing = trial.but(judge=_failing(good, answer), at_once=True, mode="hold", on_check_error="cut")
            seen = failing.run()
            _hold(seen.ended != "", "a check did not answer, and the stream never ended")
            for place, text in seen.texts().items():
                out, passed = len("".join(text.split())), seen.passed(place)
                _hold(out <= passed, f"checks failed after {passed} characters of {place}, and {out} were released")


def linear_cost(trial: ModerationTrial) -> None:
    """Characters sent to checks <= (1 + context / max_chars) x text, and once `context` for the last window of a lane.

    Without timers; each window that one cuts short may show `context` more. Where more than `context` is held back,
    each window shows at least that. White space that no check is asked about is shown as context, once.
    """
    trial = trial.but(**_UNTIMED)
    context = max(trial.options.get("context", 400), trial.holdback)
    ratio = context / trial.options.get("max_chars", 800)
    for place, asked in windows(trial, trial.run()).items():
        text = asked[-1][1]
        new = sum(len(one.window.text) for _, _, one in asked)
        sent = new + sum(len(one.window.context) for _, _, one in asked)
        most = (1 + ratio) * text + context + sum(max(trial.holdback, one.holdback) for _, _, one in asked)
        _hold(new <= len(trial.source_texts()[place]), f"text of {place} was sent again as new text")
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

TEXTS: Sequence[str] = (
    "Pi is 3.14, e.g. on https://example.com/a.b?c=d. Dr. Smith agrees! Does she? Yes… (Quite.) ",
    "def f(x):\n    return x.y  # a comment. And more.\n\n- one\n- two\n",
    "你好。今天天气很好！真的吗？「是的。」我们走吧。",
    "Cafe\u0301 cre\u0300me, a family 👨‍👩‍👧‍👦, flags 🇫🇷🇩🇪, a thumb 👍🏽, नमस्ते, 각. ",
    "A long sentence without any end that goes on and on and on " * 8,
    "   \n\n   \t  ",
)
"""What the model says: abbreviations, numbers, addresses, code, scripts without spaces, graphemes, white space."""


def moderation_laws(
    check: Callable[[Window], Any] | None = None,
    *,
    secrets: Sequence[str] = (),
    texts: Sequence[str] = TEXTS,
    options: Mapping[str, Any] | None = None,
    operator: Callable[..., Operator[StreamingEvent, StreamingEvent]] = debounce_moderation,
    runs: int = 20,
    seed: int = 0,
    skip: Iterable[str] = (),
) -> None:
    """Hold every law against random streams: those of `debounce_moderation`, with a check of yours or without.

    Args:
        check: what judges; asked in virtual time, so it must answer at once (an `async` one that waits for nothing
            will do). Without, checks are made up: some that pass, some that flag a secret, fast and slow ones.
        secrets: texts that `check` must flag wherever they stand. They are hidden in the streams, split at random, and
            repeated in every place where an event can hold text: none may come out.
        texts: what the model says otherwise; by default all that is difficult.
        options: for the operator, as you use it.
        operator: another operator with the same contract.
        runs: how many random streams.
        seed: which ones.
        skip: names of laws to leave out.

    Raises: AssertionError: a law was broken; it names the law and the run. ValueError: there is no such law to skip.
    """
    if strange := set(skip) - set(MODERATION_LAWS):
        raise ValueError(f"there is no such law: {', '.join(sorted(strange))}; there are: {', '.join(MODERATION_LAWS)}")
    for number in range(runs):
        rng = random.Random(f"{seed} {number}")
        secret = rng.choice(secrets) if secrets else "" if check is not None else "hunter2 swordfish"
        trial = _random_trial(rng, check, secret, texts, dict(options or {}), operator)
        for name, law in MODERATION_LAWS.items():
            if name in skip:
                continue
            try:
                law(trial)
                if secret and law is no_second_way_out:
                    _hidden(trial, secret)
            except AssertionError as broken:
                raise AssertionError(f"{name} (run {number} of seed {seed}): {broken}") from None


def secret_judge(secret: str) -> Callable[[Window], Verdict]:
    """A check that flags one text, says where, and needs it held back."""

    class SecretCheck:
        holdback = len(secret) - 1

        def __call__(self, window: Window) -> Verdict:
            text, shown = window.context + window.text, len(window.context)
            spans: list[tuple[int, int]] = []
            at = text.find(secret)
            while at >= 0:
                if at + len(secret) > shown:
                    spans.append((at - shown, at - shown + len(secret)))
                at = text.find(secret, at + 1)
            return Verdict(bool(spans), ("secret",) if spans else (), spans=tuple(spans))

    return SecretCheck()


def _random_trial(
    rng: random.Random,
    check: Callable[[Window], Any] | None,
    secret: str,
    texts: Sequence[str],
    options: dict[str, Any],
    operator: Callable[..., Operator[StreamingEvent, StreamingEvent]],
) -> ModerationTrial:
    places: list[ScriptPlace] = [(0, 0, "text"), (0, 1, "text"), (1, 0, "refusal"), (2, 0, "function_args")]
    said = {place: "".join(rng.choices(texts, k=rng.randint(0, 5))) for place in rng.sample(places, rng.randint(1, 3))}
    if secret:
        place = rng.choice(list(said))
        at = rng.randint(0, len(said[place]))
        said[place] = said[place][:at] + secret + said[place][at:]
    if check is None:
        options.setdefault("max_chars", rng.choice([40, 200, 800]))
        options.setdefault("first_chars", min(options["max_chars"], rng.choice([1, 20, 60])))
        options.setdefault("boundary", rng.choice(["sentence", "word", "line", None]))
        options.setdefault("context", rng.choice([20, 400]))
        options.setdefault("in_flight", rng.choice([1, 2, 4]))
        check = secret_judge(secret) if rng.random() < 0.7 else _passes
    slow = rng.choice([0.0, 0.0, 0.3])
    delays = [rng.uniform(0, slow) for _ in range(512)]
    events = answer_of(interleave(said, rng, gap=rng.choice([0.005, 0.1])))
    return ModerationTrial(events, check, delay=lambda number: delays[number % 512], options=options, operator=operator)


def _hidden(trial: ModerationTrial, secret: str) -> None:
    """Where the check flags the secret, nothing that comes out holds it, though every copy there is repeats it."""
    if trial.judge is _passes:
        return
    rng = random.Random(len(secret))
    said = [
        one
        for place, text in trial.source_texts().items()
        for one in interleave({place: text}, rng, gap=0.0, longest=4)
    ]
    timed = [TimedDelta(0.01 * number, one.place, one.text) for number, one in enumerate(said)]
    for action in ("cut", "error", "replace"):
        seen = trial.but(events=answer_of(timed, copies=True), mode="hold", on_flag=action).run()
        _hold(secret not in seen.json(), f"the secret came out, with on_flag={action!r}")


def _passes(window: Window) -> bool:
    return False


def _failing(good: int, answer: object) -> Callable[[Window], Any]:
    """A check that passes `good` windows, and ever after raises or answers something that is no verdict."""
    passes = iter(range(good))

    def judge(window: Window) -> Any:
        if next(passes, None) is not None:
            return False
        if answer == "raise":
            raise RuntimeError(f"broken on {window.text}")
        return answer

    return judge


def _sizes(texts: Mapping[ScriptPlace, str]) -> str:
    return ", ".join(f"{len(text)} of {place}" for place, text in texts.items()) or "nothing"


def _hold(true: bool, what: str) -> None:
    if not true:
        raise AssertionError(what)
