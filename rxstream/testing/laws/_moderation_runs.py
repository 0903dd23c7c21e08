"""All laws of `debounce_moderation` on random streams.

from rxstream.testing import moderation_laws
moderation_laws(my_check, secrets=["hunter2"])
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rxstream.errors import TruncatedError
from rxstream.events import StreamingEvent, parse_event
from rxstream.moderation import Window
from rxstream.operators import debounce_moderation
from rxstream.testing.answers._answer import compact
from rxstream.testing.laws._moderation_fields import planted, secret_forms
from rxstream.testing.laws._moderation_judges import flag_all, pass_all, secret_judge
from rxstream.testing.laws._moderation_laws import MODERATION_LAWS, hold, no_second_way_out
from rxstream.testing.laws._moderation_script import ScriptPlace, TimedDelta, answer_of, interleave
from rxstream.testing.laws._moderation_trial import Judge, JudgeEntry, ModerationTrial
from rxstream.typing import Operator

TEXTS: Sequence[str] = (
    "Pi is 3.14, e.g. on https://example.com/a.b?c=d. Dr. Smith agrees! Does she? Yes… (Quite.) ",
    "def f(x):\n    return x.y  # a comment. And more.\n\n- one\n- two\n",
    "你好。今天天气很好！真的吗？「是的。」我们走吧。",
    "Cafe\u0301 cre\u0300me, a family 👨‍👩‍👧‍👦, flags 🇫🇷🇩🇪, a thumb 👍🏽, नमस्ते, 각. ",
    "A long sentence without any end that goes on and on and on " * 8,
    "   \n\n   \t  ",
)
"""Texts of the model: abbreviations, numbers, addresses, code, scripts without spaces, graphemes, white space."""


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
    """Check all laws of `debounce_moderation` on random streams.

    Args:
        check: your check. It is called in virtual time, so it must answer at once; it may be `async` if it waits for
            nothing. It is tried alone and as one of a list. Without it, checks are made: some pass, some flag a
            secret, some are slow, some are lists.
        secrets: texts that `check` must flag in any context. They are put into the streams, split at random, repeated
            in every place where an event can hold text, and put into fields of events of every type. None may be
            emitted.
        texts: the other texts of the model; by default `TEXTS`, which are difficult to split.
        options: the options of the operator.
        operator: another operator with the same contract.
        runs: how many random streams.
        seed: another seed makes other streams.
        skip: names of laws to leave out.

    Raises: AssertionError: a law was broken; it names the law and the run. ValueError: `skip` has an unknown name.
    """
    if unknown := set(skip) - set(MODERATION_LAWS):
        raise ValueError(f"there is no such law: {', '.join(sorted(unknown))}; there are: {', '.join(MODERATION_LAWS)}")
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
                    _hidden(trial, secret, rng)
            except AssertionError as broken:
                raise AssertionError(f"{name} (run {number} of seed {seed}): {broken}") from None


def _random_trial(
    rng: random.Random,
    check: Callable[[Window], Any] | None,
    secret: str,
    texts: Sequence[str],
    options: dict[str, Any],
    operator: Callable[..., Operator[StreamingEvent, StreamingEvent]],
) -> ModerationTrial:
    places: list[ScriptPlace] = [(0, 0, "text"), (0, 1, "text"), (1, 0, "refusal"), (2, 0, "function_args")]
    script = {
        place: "".join(rng.choices(texts, k=rng.randint(0, 5))) for place in rng.sample(places, rng.randint(1, 3))
    }
    if secret:
        place = rng.choice(list(script))
        offset = rng.randint(0, len(script[place]))
        script[place] = script[place][:offset] + secret + script[place][offset:]
    judge: Judge | Sequence[JudgeEntry]
    if check is None:
        options.setdefault("max_chars", rng.choice([40, 200, 800]))
        options.setdefault("first_chars", min(options["max_chars"], rng.choice([1, 20, 60])))
        options.setdefault("boundary", rng.choice(["sentence", "word", "line", None]))
        options.setdefault("context", rng.choice([20, 400]))
        options.setdefault("in_flight", rng.choice([1, 2, 4]))
        finds = secret_judge(secret)
        judge = rng.choice(
            [[finds], [finds], [pass_all, finds], [finds, pass_all], [(flag_all, "annotate"), finds], [pass_all]]
        )
    else:
        judge = rng.choice([[check], [check], [pass_all, check]])
    longest_delay = rng.choice([0.0, 0.0, 0.3])
    delays = [rng.uniform(0, longest_delay) for _ in range(512)]
    events = answer_of(interleave(script, rng, gap=rng.choice([0.005, 0.1, 0.4])))
    return ModerationTrial(events, judge, delay=lambda number: delays[number % 512], options=options, operator=operator)


def _hidden(trial: ModerationTrial, secret: str, rng: random.Random) -> None:
    """Nothing that is emitted holds the secret that the check flags: no copy of the text, and no field."""
    if all(judge in (pass_all, flag_all) for judge in trial.judges):
        return
    deltas = [
        delta
        for place, text in trial.source_texts().items()
        for delta in interleave({place: text}, rng, gap=0.0, longest=4)
    ]
    timed = [TimedDelta(0.01 * number, delta.place, delta.text) for number, delta in enumerate(deltas)]
    for action in ("cut", "error", "refuse", "replace"):
        seen = trial.but(events=answer_of(timed, copies=True), mode="hold", on_flag=action).run()
        hold(secret not in seen.json(), f"the secret was emitted, with on_flag={action!r}")
    for _ in range(8):
        place, stream = planted(secret, rng)
        times = [(rng.choice([0.01, 0.3]) * number, parse_event(compact(event))) for number, event in enumerate(stream)]
        times = sorted(times, key=lambda pair: pair[0])
        action = rng.choice(["cut", "error", "refuse", "replace"])
        error = rng.choice([None, ConnectionError(secret), TruncatedError(f"it ended after {secret}")])
        seen = trial.but(events=times, mode="hold", on_flag=action, include="all").run(error=error)
        hold(seen.ended != "", f"the stream never ended, with the secret {place}")
        hold(not any("moderation failed" in line for line in seen.log), f"moderation failed, with the secret {place}")
        for form in secret_forms(secret):
            hold(form not in seen.json(), f"the secret was emitted: it was {place}, with on_flag={action!r}")
