"""Trials of a moderated stream for the laws: its input, and how the checks answer."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable

from rxstream.events import StreamingEvent
from rxstream.moderation import Verdict, Window
from rxstream.operators import debounce_moderation
from rxstream.rx._context import RUNTIME
from rxstream.testing.laws._moderation_script import ScriptPlace, place_of
from rxstream.testing.laws._moderation_seen import CheckCall, Seen
from rxstream.testing.laws._moderation_surroundings import CountingClock, ImmediateSession, LogLines
from rxstream.typing import Operator

Judge: TypeAlias = Callable[[Window], Any]
JudgeEntry: TypeAlias = Judge | tuple[Judge, str | None]

HANGS: Final = object()
"""The answer of a check that never answers."""


class ModerationTrial:
    """A stream, a check and the options of the operator. It can be run any number of times, in virtual time.

    Args:
        events: the events of the source, and the time of each: see `answer_of`.
        judge: what the check answers. It may raise. `HANGS` as an answer means that it never answers. A list: what
            each check of a list answers; an entry may be a pair of that and the action of this check.
        delay: a function from the number of a call to the seconds that its answer takes. Without it, checks answer at
            once.
        options: the options of the operator.
        operator: makes the operator under trial.
    """

    def __init__(
        self,
        events: Sequence[tuple[float, StreamingEvent]],
        judge: Judge | Sequence[JudgeEntry],
        *,
        delay: Callable[[int], float] | None = None,
        options: Mapping[str, Any] | None = None,
        operator: Callable[..., Operator[StreamingEvent, StreamingEvent]] = debounce_moderation,
    ) -> None:
        self.events = list(events)
        entries: Sequence[JudgeEntry] = (judge,) if callable(judge) else judge
        pairs: list[tuple[Judge, str | None]] = [
            entry if isinstance(entry, tuple) else (entry, None) for entry in entries
        ]
        self.judges: tuple[Judge, ...] = tuple(judge for judge, _ in pairs)
        self.actions: tuple[str | None, ...] = tuple(action for _, action in pairs)
        """What is done with what each check flags; None: what the option `on_flag` says."""
        self.delay = delay
        self.options: dict[str, Any] = {"include": ("text", "refusal", "function_args"), **(options or {})}
        self.operator = operator

    def holdback(self, tier: int = 0) -> int:
        """How many verified characters a check holds back: the option, or what it needs itself if that is more."""
        option = self.options.get("holdback", "word")
        return max(option if isinstance(option, int) else 0, getattr(self.judges[tier], "holdback", 0))

    def but(
        self,
        *,
        events: Sequence[tuple[float, StreamingEvent]] | None = None,
        judge: Judge | Sequence[JudgeEntry] | None = None,
        at_once: bool = False,
        **options: Any,
    ) -> "ModerationTrial":
        """A copy of the trial with other events, another check or options. With `at_once` checks have no delay."""
        return ModerationTrial(
            self.events if events is None else events,
            judge or tuple(zip(self.judges, self.actions, strict=True)),
            delay=None if at_once else self.delay,
            options={**self.options, **options},
            operator=self.operator,
        )

    def source_texts(self) -> dict[ScriptPlace, str]:
        """The text of each lane in the events of the source."""
        texts: dict[ScriptPlace, str] = {}
        for _, event in self.events:
            place = place_of(event)
            if place is not None:
                texts[place] = texts.get(place, "") + event.delta  # type: ignore[union-attr]  # only deltas have a place
        return texts

    def run(
        self, *, dispose_at: float | None = None, error: Exception | None = None, seconds_an_event: float = 0.0
    ) -> Seen:
        """One subscription, from its beginning until long after its end.

        `seconds_an_event`: how long the subscriber is busy with each event. What comes meanwhile (events, verdicts,
        timers) waits in a queue of the operator.
        """
        return _Running(self, dispose_at, error, seconds_an_event).run()


class _Running:
    def __init__(
        self, trial: ModerationTrial, dispose_at: float | None, error: Exception | None, seconds_an_event: float
    ) -> None:
        self._trial = trial
        self._dispose_at = dispose_at
        self._error = error
        self._seconds_an_event = seconds_an_event
        self._clock = CountingClock()
        self._seen = Seen()
        self._orders = 0
        self._subscribed = 0

    def run(self) -> Seen:
        seen, clock = self._seen, self._clock
        log = LogLines(seen.log)
        logger = logging.getLogger("rxstream")
        level = logger.level
        logger.addHandler(log)
        logger.setLevel(logging.DEBUG)
        token = RUNTIME.set(ImmediateSession(clock.scheduler))
        try:
            recorders = [_Check(self._judge, tier, judge) for tier, judge in enumerate(self._trial.judges)]
            actions = self._trial.actions
            checks: Any = [
                (check, action) if action else check for check, action in zip(recorders, actions, strict=True)
            ]
            moderated = self._trial.operator(checks, **self._trial.options)(Observable(self._subscribe))
            subscription = moderated.subscribe(
                self._on_next, self._on_error, self._on_completed, scheduler=clock.scheduler
            )
            if self._dispose_at is not None:
                clock.at(self._dispose_at, subscription.dispose)
            last = self._trial.events[-1][0] if self._trial.events else 0.0
            clock.advance(last + 7200.0)
            seen.left_open = clock.waiting or self._subscribed > 0
            seen.most_timers = clock.counting.most
        finally:
            RUNTIME.reset(token)
            logger.removeHandler(log)
            logger.setLevel(level)
        return seen

    def _order(self) -> int:
        self._orders += 1
        return self._orders

    # the source

    def _subscribe(
        self, observer: abc.ObserverBase[StreamingEvent], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        self._subscribed += 1
        events = self._trial.events
        timers = [
            self._clock.at(time, lambda time=time, event=event: self._feed(observer, time, event))
            for time, event in events
        ]
        end = events[-1][0] if events else 0.0
        failure = self._error
        timers.append(
            self._clock.at(end, observer.on_completed if failure is None else lambda: observer.on_error(failure))
        )

        def leave() -> None:
            self._subscribed -= 1

        return CompositeDisposable([*timers, Disposable(leave)])

    def _feed(self, observer: abc.ObserverBase[StreamingEvent], time: float, event: StreamingEvent) -> None:
        self._seen.fed.append((self._order(), time, event))
        observer.on_next(event)

    # the subscriber

    def _on_next(self, event: StreamingEvent) -> None:
        assert not self._seen.ended, "an event was emitted after the end"
        self._seen.emitted.append((self._order(), self._clock.now, event))
        if self._seconds_an_event:
            self._clock.advance(self._seconds_an_event)

    def _on_error(self, error: Exception) -> None:
        assert not self._seen.ended, "the stream ended twice"
        self._seen.ended, self._seen.ended_at, self._seen.error = "#", self._clock.now, error

    def _on_completed(self) -> None:
        assert not self._seen.ended, "the stream ended twice"
        self._seen.ended, self._seen.ended_at = "|", self._clock.now

    # the check

    def _judge(self, window: Window, tier: int) -> Any:
        number = len(self._seen.calls)
        call = CheckCall(self._order(), self._clock.now, window, tier)
        self._seen.calls.append(call)
        delay = self._trial.delay(number) if self._trial.delay is not None else 0.0
        if delay <= 0:
            try:
                verdict = self._trial.judges[tier](window)
            except Exception:
                self._note_answer(call, None)
                raise
            if verdict is HANGS:
                return self._answer_never(call)
            self._note_answer(call, verdict)
            return verdict
        return self._answer_later(call, delay)

    def _note_answer(self, call: CheckCall, verdict: Any) -> None:
        call.answered, call.answered_at = self._order(), self._clock.now
        if isinstance(verdict, Verdict):
            call.judged = verdict.flagged or not verdict.suspect
            call.passed = call.judged and not verdict.flagged
            call.holdback = verdict.holdback
            call.suspected = verdict.suspect
        else:
            call.judged, call.passed = isinstance(verdict, bool), verdict is False
        call.passed |= call.judged and self._trial.actions[call.tier] == "annotate"

    def _answer_never(self, call: CheckCall) -> Observable[Any]:
        def cancel() -> None:
            call.cancelled, call.cancelled_at = True, self._clock.now

        return Observable(lambda observer, scheduler=None: Disposable(cancel))

    def _answer_later(self, call: CheckCall, delay: float) -> Observable[Any]:
        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            def answer() -> None:
                try:
                    verdict = self._trial.judges[call.tier](call.window)
                except Exception as error:
                    self._note_answer(call, None)
                    observer.on_error(error)
                    return
                if verdict is not HANGS:
                    self._note_answer(call, verdict)
                    observer.on_next(verdict)

            def cancel() -> None:
                call.cancelled = call.answered is None
                call.cancelled_at = self._clock.now

            return CompositeDisposable([self._clock.at(self._clock.now + delay, answer), Disposable(cancel)])

        return Observable(subscribe)


class _Check:
    """The recorder of one check, with the holdback of that check if it has one."""

    def __init__(self, record: Callable[[Window, int], Any], tier: int, judge: Judge) -> None:
        self._record = record
        self._tier = tier
        self.holdback: int | None = getattr(judge, "holdback", None)
        self.__name__ = str(getattr(judge, "__name__", type(judge).__name__))

    def __call__(self, window: Window) -> Any:
        return self._record(window, self._tier)
