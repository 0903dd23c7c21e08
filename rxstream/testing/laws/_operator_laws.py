"""The laws that every operator keeps, as plain functions that raise `AssertionError` and say what was broken.

    from rxstream.testing import operator_laws
    operator_laws(lambda: shout(loud=True))

Or one by one, for a test each: `LAWS[name](Trial(lambda: shout(loud=True)))`.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from reactivex.disposable import CompositeDisposable

from rxstream.testing._clock import VirtualClock
from rxstream.testing.answers._answer import Answer
from rxstream.testing.marbles._sources import SourceError
from rxstream.testing.marbles._trial import InputKind, Trial, TrialRun, joined, plain, unknowns_between
from rxstream.typing import Operator

Law = Callable[[Trial], None]


def cold(trial: Trial) -> None:
    """Applying the operator does not subscribe to the source. Each subscription to the result does, once."""
    for inputs in trial.inputs():
        clock = VirtualClock()
        source = trial.source(clock, inputs)
        result = trial.make()(source)
        clock.advance(1)
        _hold(not source.subscriptions, "the source was subscribed to before the result was")
        subscriptions = CompositeDisposable()
        for number in (1, 2):
            subscriptions.add(result.subscribe(on_error=lambda _: None, scheduler=clock.scheduler))
            count = len(source.subscriptions)
            _hold(count == number, f"{number} subscriptions to the result made {count} subscriptions to the source")
        subscriptions.dispose()


def two_subscribers_share_nothing(trial: Trial) -> None:
    """Each of two subscribers gets what it would get alone, also the later one. So do two uses of one operator."""
    for inputs in trial.inputs():
        alone = trial.run(inputs)
        clock, operator = VirtualClock(), trial.make()
        sources = [trial.source(clock, inputs) for _ in range(2)]
        results = [operator(source) for source in sources]
        first, later = TrialRun(clock, results[0]), TrialRun(clock, results[0])
        other_source = TrialRun(clock, results[1])
        first.subscribe()
        clock.advance(0.035)
        later.subscribe()
        other_source.subscribe()
        clock.advance(alone.seconds + 1)
        for name, run in (
            ("the first subscriber", first),
            ("a later subscriber", later),
            ("another source's subscriber", other_source),
        ):
            _same(run.timed(), alone.timed(), f"{name} does not get what it would get alone")


def an_error_passes(trial: Trial) -> None:
    """The source's error object ends the result."""
    error = SourceError("the source failed")
    for inputs in trial.inputs():
        for events in (inputs[: len(inputs) // 2], ()):
            run = trial.run(events, error=error)
            _hold(run.ended == "#", f"the source failed, and the result {run.described_end}")
            _hold(run.error is error, f"the source failed with {error!r}, but the result with {run.error!r}")


def completes_once(trial: Trial) -> None:
    """When the source completes, the result ends, once."""
    for inputs in (*trial.inputs(), ()):
        run = trial.run(inputs, guarded=False)
        ends = [sign for _, sign, _ in run.seen if sign]
        _hold(len(ends) == 1, f"the source completed, and the result ended {len(ends)} times {''.join(ends)}")
        if inputs:
            _hold(ends == ["|"], f"the source of a whole answer completed, but the result failed with {run.error!r}")


def nothing_after_the_end(trial: Trial) -> None:
    """After it has completed or failed, the operator emits nothing, not even by a timer."""
    for inputs in trial.inputs():
        for events, error in ((inputs, None), (inputs[: len(inputs) // 2], SourceError("the source failed"))):
            signs = [sign for _, sign, _ in trial.run(events, error=error, guarded=False).seen]
            end = next((number for number, sign in enumerate(signs) if sign), len(signs))
            extra = len(signs) - end - 1
            _hold(extra <= 0, f"{extra} more notifications came after the end")


def dispose_reaches_upstream(trial: Trial) -> None:
    """Disposing disposes the source at once. Then nothing is emitted, and no timer stays armed."""
    for inputs in trial.inputs():
        for part in (0, len(inputs) // 2, len(inputs) - 1):
            clock = VirtualClock()
            source = trial.source(clock, inputs, end="")
            run = TrialRun(clock, trial.make()(source))
            run.subscribe()
            clock.advance(part * 0.01 + 0.005)
            if run.ended:
                continue
            run.dispose()
            seen = len(run.seen)
            ends = [end for _, end in source.subscriptions]
            _hold(None not in ends, "the result was disposed, and the source is still subscribed to")
            _hold(not clock.waiting, "the result was disposed, and a timer is still armed")
            clock.advance(10)
            _hold(len(run.seen) == seen, f"{len(run.seen) - seen} notifications came after the dispose")


def unknown_events_are_harmless(trial: Trial) -> None:
    """Events of unknown types, anywhere in the stream, do not change the output of the known ones."""
    if trial.of == "texts":
        return
    for events in trial.events():
        usual = trial.run(trial.as_inputs(events))
        disturbed = trial.run(trial.as_inputs(unknowns_between(events)))
        _hold(disturbed.ended == usual.ended, f"unknown events came, and the result {disturbed.described_end}")
        message = "the output of the known events changes if unknown events are between them"
        _same(trial.joined(disturbed.values()), trial.joined(usual.values()), message)


def splitting_changes_nothing(trial: Trial) -> None:
    """However the input is split, the joined output is the same."""
    for events in trial.events():
        usual = trial.joined(trial.run(trial.as_inputs(events)).values())
        for split, inputs in trial.resplit(events):
            output = trial.joined(trial.run(inputs).values())
            _same(output, usual, f"the joined output changes if the input comes {split}")


def the_scheduler_goes_upstream(trial: Trial) -> None:
    """The subscriber's scheduler is passed to the source, and no timer thread is started."""
    for inputs in trial.inputs():
        clock = VirtualClock()
        source = trial.source(clock, inputs)
        threads = set(threading.enumerate())
        run = TrialRun(clock, trial.make()(source))
        run.subscribe()
        clock.advance(len(inputs) * 0.01 + 1)
        started = set(threading.enumerate()) - threads
        _hold(not started, f"a thread was started: {', '.join(thread.name for thread in started)}")
        passed = source.schedulers[:1] == [clock.scheduler]
        _hold(passed, "the subscriber's scheduler was not passed to the source")


LAWS: Mapping[str, Law] = {
    law.__name__.replace("_", " "): law
    for law in (
        cold,
        two_subscribers_share_nothing,
        an_error_passes,
        completes_once,
        nothing_after_the_end,
        dispose_reaches_upstream,
        unknown_events_are_harmless,
        splitting_changes_nothing,
        the_scheduler_goes_upstream,
    )
}
"""Name of each law -> the function that checks it."""


def operator_laws(
    make: Callable[[], Operator[Any, Any]],
    *,
    of: InputKind = "events",
    answers: Iterable[Answer] | None = None,
    joined: Callable[[Sequence[Any]], object] = joined,
    skip: Iterable[str] = (),
) -> None:
    """Check every law on an operator.

    Args:
        make: makes the operator; called many times.
        of: what the operator takes: `"events"`, `"frames"`, `"bytes"` or `"texts"`.
        answers: what the source emits. By default a text with function calls and a reasoning summary, interleaved, and
            a refusal. Pass others if the operator needs them, as `structured(…)`.
        joined: makes one value of all outputs, which must not depend on how the input was split.
        skip: names of laws that the operator breaks on purpose.

    Raises `AssertionError`, which names the law. Raises `ValueError` for a law to skip that does not exist.
    """
    if unknown := set(skip) - set(LAWS):
        raise ValueError(f"there is no such law: {', '.join(sorted(unknown))}; there are: {', '.join(LAWS)}")
    trial = Trial(make, of=of, answers=answers, joined=joined)
    for name, law in LAWS.items():
        if name in skip:
            continue
        try:
            law(trial)
        except AssertionError as broken:
            raise AssertionError(f"{name}: {broken}") from None


def _hold(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _same(actual: object, expected: object, message: str) -> None:
    if actual == expected:
        return
    texts = repr(plain(expected)), repr(plain(actual))
    difference = next((offset for offset, pair in enumerate(zip(*texts, strict=False)) if len({*pair}) > 1), 0)
    start = max(0, difference - 60)
    expected_text, actual_text = (text[start : start + 300] for text in texts)
    raise AssertionError(f"{message}\n    expected …{expected_text}\n    seen     …{actual_text}")
