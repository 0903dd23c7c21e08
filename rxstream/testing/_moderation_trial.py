"""A moderated stream on trial: what the model says and when, how the checks answer, and what was seen of it all."""

import json
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable

from rxstream._context import RUNTIME
from rxstream._typing import Operator
from rxstream.events import Event, StreamingEvent, parse_event
from rxstream.operators import ModerationRetractedEvent, Verdict, Window, debounce_moderation
from rxstream.testing._answer import JsonObject
from rxstream.testing._clock import VirtualClock

LanePlace: TypeAlias = tuple[int, int, str]
"""Output index, content index, kind: `text`, `refusal` or `function_args`."""

Misbehaviour: TypeAlias = Literal["raises", "hangs", "rubbish"]
Judge: TypeAlias = Callable[[Window], Any]

HANGS: Final = object()
"""The answer of a check that never answers."""


@dataclass(frozen=True)
class Said:
    """One delta, `at` seconds after the subscription."""

    at: float
    place: LanePlace
    text: str


def split(text: str, rng: random.Random, longest: int = 12) -> list[str]:
    """The text in random pieces."""
    pieces: list[str] = []
    at = 0
    while at < len(text):
        size = rng.randint(1, longest)
        pieces.append(text[at : at + size])
        at += size
    return pieces


def spoken(texts: Mapping[LanePlace, str], rng: random.Random, *, gap: float = 0.02, longest: int = 12) -> list[Said]:
    """Each text in random pieces, the texts interleaved as they like, with pauses of up to twice `gap`."""
    waiting = {place: split(text, rng, longest) for place, text in texts.items()}
    said: list[Said] = []
    at = 0.0
    while waiting:
        place = rng.choice(list(waiting))
        at += rng.uniform(0, 2 * gap)
        said.append(Said(round(at, 4), place, waiting[place].pop(0) if waiting[place] else ""))
        if not waiting[place]:
            del waiting[place]
    return said


def answer_of(said: Sequence[Said], *, copies: bool = False, end: float = 0.01) -> list[tuple[float, StreamingEvent]]:
    """The events of a whole answer that says this, and when each comes; with `copies`, in every place there is.

    The places that only `copies` fills: log probabilities, the title of an annotation, a field and an event that
    nobody knows. They repeat the text of the lane so far.
    """
    return list(_Teller(said, copies, end).tell())


class _Teller:
    def __init__(self, said: Sequence[Said], copies: bool, end: float) -> None:
        self._said = said
        self._copies = copies
        self._end = end
        self._texts: dict[LanePlace, str] = {}
        self._number = 0
        self._items: dict[int, JsonObject] = {}
        self._parts: dict[int, dict[int, JsonObject]] = {}

    def tell(self) -> Iterable[tuple[float, StreamingEvent]]:
        left: dict[LanePlace, int] = {}
        for one in self._said:
            left[one.place] = left.get(one.place, 0) + 1
        lanes_left: dict[int, int] = {}
        for place in left:
            lanes_left[place[0]] = lanes_left.get(place[0], 0) + 1
        yield 0.0, self._event("response.created", response=self._response("in_progress"))
        at = 0.0
        for one in self._said:
            at = one.at
            for event in (*self._opening(one.place), *self._delta(one)):
                yield at, event
            left[one.place] -= 1
            if not left[one.place]:
                for event in self._closing(one.place):
                    yield at, event
                lanes_left[one.place[0]] -= 1
                if not lanes_left[one.place[0]]:
                    item = {**self._items[one.place[0]], "status": "completed"}
                    self._items[one.place[0]] = item
                    yield at, self._event("response.output_item.done", output_index=one.place[0], item=item)
        yield at + self._end, self._event("response.completed", response=self._response("completed"))

    def _event(self, kind: str, **fields: Any) -> StreamingEvent:
        self._number += 1
        return parse_event(json.dumps({"type": kind, "sequence_number": self._number - 1, **fields}))

    def _response(self, status: str) -> JsonObject:
        output = [self._items[index] for index in sorted(self._items)] if status == "completed" else []
        return {"id": "resp_1", "object": "response", "status": status, "output": output}

    def _opening(self, place: LanePlace) -> Iterable[StreamingEvent]:
        index, _, kind = place
        if index not in self._items:
            self._items[index] = (
                {"type": "function_call", "id": f"fc_{index}", "call_id": f"call_{index}", "name": "f", "arguments": ""}
                if kind == "function_args"
                else {"type": "message", "id": f"msg_{index}", "role": "assistant", "content": []}
            )
            item = {**self._items[index], "status": "in_progress"}
            yield self._event("response.output_item.added", output_index=index, item=item)
        if place not in self._texts:
            self._texts[place] = ""
            if kind != "function_args":
                yield self._event("response.content_part.added", **self._where(place), part=self._part(place, ""))

    def _delta(self, one: Said) -> Iterable[StreamingEvent]:
        names = {"text": "output_text", "refusal": "refusal", "function_args": "function_call_arguments"}
        self._texts[one.place] += one.text
        more: JsonObject = {}
        if self._copies and one.place[2] == "text":
            more = {"logprobs": _logprobs(one.text), "obfuscation": "x" * 7, "so_far": self._texts[one.place]}
        yield self._event(f"response.{names[one.place[2]]}.delta", **self._where(one.place), delta=one.text, **more)
        if self._copies:
            yield self._event("acme:trace", output_index=one.place[0], snapshot=self._texts[one.place])

    def _closing(self, place: LanePlace) -> Iterable[StreamingEvent]:
        index, _, kind = place
        text, where = self._texts[place], self._where(place)
        more: JsonObject = {"echo": text} if self._copies else {}
        if kind == "function_args":
            self._items[index]["arguments"] = text
            yield self._event("response.function_call_arguments.done", **where, arguments=text, **more)
            return
        part = self._part(place, text)
        if kind == "refusal":
            yield self._event("response.refusal.done", **where, refusal=text, **more)
        else:
            if self._copies:
                part |= {"annotations": [_annotation(text)], "logprobs": _logprobs(text), **more}
                yield self._event(
                    "response.output_text.annotation.added", **where, annotation_index=0, annotation=_annotation(text)
                )
            yield self._event(
                "response.output_text.done", **where, text=text, logprobs=part.get("logprobs", []), **more
            )
        yield self._event("response.content_part.done", **where, part=part)
        parts = self._parts.setdefault(index, {})
        parts[place[1]] = part
        self._items[index] = {**self._items[index], "content": [parts[at] for at in sorted(parts)]}

    def _where(self, place: LanePlace) -> JsonObject:
        where: JsonObject = {"output_index": place[0], "item_id": f"item_{place[0]}"}
        return where if place[2] == "function_args" else {**where, "content_index": place[1]}

    def _part(self, place: LanePlace, text: str) -> JsonObject:
        if place[2] == "refusal":
            return {"type": "refusal", "refusal": text}
        return {"type": "output_text", "text": text, "annotations": []}


def _logprobs(text: str) -> list[JsonObject]:
    half = len(text) // 2
    return [{"token": token, "logprob": -0.1} for token in (text[:half], text[half:]) if token]


def _annotation(text: str) -> JsonObject:
    return {"type": "url_citation", "url": "https://a.test/", "title": text, "start_index": 0, "end_index": len(text)}


# ---------------------------------------------------------------------- what was seen


@dataclass
class Asked:
    """One window that a check was asked about. Orders count everything that happened, in order."""

    order: int
    at: float
    window: Window
    answered: int | None = None
    answered_at: float | None = None
    judged: bool = False
    """Whether the answer was a verdict, and not one that asks for a second look."""
    passed: bool = False
    cancelled: bool = False
    let_go_at: float | None = None

    def under_way(self, moment: float) -> bool:
        """Whether an answer was being waited for at that moment."""
        over = self.answered_at if self.answered_at is not None else self.let_go_at
        return self.at <= moment and (over is None or over > moment)


@dataclass
class Seen:
    """All that could be seen of one moderated stream."""

    emitted: list[tuple[int, float, Event]] = field(default_factory=list[tuple[int, float, Event]])
    asked: list[Asked] = field(default_factory=list[Asked])
    fed: list[tuple[int, float, StreamingEvent]] = field(default_factory=list[tuple[int, float, StreamingEvent]])
    ended: str = ""
    """`|` completed, `#` failed."""
    ended_at: float | None = None
    error: Exception | None = None
    log: list[str] = field(default_factory=list[str])
    left_open: bool = False
    """A timer was still armed, or the source still subscribed to, at the very end."""

    def texts(self) -> dict[LanePlace, str]:
        """What the deltas of each lane said."""
        texts: dict[LanePlace, str] = {}
        for _, _, event in self.emitted:
            place = place_of(event)
            if place is not None:
                texts[place] = texts.get(place, "") + event.delta  # type: ignore[attr-defined]
        return texts

    def passed(self, place: LanePlace) -> int:
        """How many characters of a lane were passed in all, white space not counted."""
        windows = [one.window for one in self.asked if one.passed]
        mine = [one for one in windows if (one.output_index, one.content_index, one.kind) == place]
        return sum(len("".join(window.text.split())) for window in mine)

    def kept(self) -> dict[LanePlace, int]:
        """How many characters of each lane the subscriber has in the end: the deltas', less those taken back."""
        kept = {place: len(text) for place, text in self.texts().items()}
        for _, _, event in self.emitted:
            if isinstance(event, ModerationRetractedEvent):
                kept[event.output_index, event.content_index, event.kind] = event.start
        return kept

    def json(self) -> str:
        """Everything that was emitted or logged, and the error."""
        pieces = [event.model_dump_json() for _, _, event in self.emitted]
        if self.error is not None:
            pieces.append(f"{self.error!r} {self.error} {self.error.__cause__!r}")
        return "\n".join([*pieces, *self.log])


_KINDS: Final = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.function_call_arguments.delta": "function_args",
}


def place_of(event: Event) -> LanePlace | None:
    """The lane that a delta belongs to; None for any other event."""
    kind = _KINDS.get(event.type)
    if kind is None:
        return None
    return getattr(event, "output_index", 0), getattr(event, "content_index", 0), kind


class ModerationTrial:
    """A stream, a check and the options of the operator, run as often as a law likes, in virtual time.

    Args:
        events: what the source says, and when: see `answer_of`.
        judge: what the check answers; it may raise, and `HANGS` is an answer too.
        delay: how long its n-th answer takes, in seconds; without, it answers at once.
        options: of the operator.
        operator: makes the operator under trial.
    """

    def __init__(
        self,
        events: Sequence[tuple[float, StreamingEvent]],
        judge: Judge,
        *,
        delay: Callable[[int], float] | None = None,
        options: Mapping[str, Any] | None = None,
        operator: Callable[..., Operator[StreamingEvent, StreamingEvent]] = debounce_moderation,
    ) -> None:
        self.events = list(events)
        self.judge = judge
        self.delay = delay
        self.options: dict[str, Any] = {"include": ("text", "refusal", "function_args"), **(options or {})}
        self.operator = operator

    @property
    def holdback(self) -> int:
        """What is kept behind the verified mark: the option, or what the check itself needs."""
        return max(self.options.get("holdback", 0), getattr(self.judge, "holdback", 0))

    def but(
        self,
        *,
        events: Sequence[tuple[float, StreamingEvent]] | None = None,
        judge: Judge | None = None,
        at_once: bool = False,
        **options: Any,
    ) -> "ModerationTrial":
        """The same trial, but for what is named. `at_once`: checks answer without delay."""
        return ModerationTrial(
            self.events if events is None else events,
            judge or self.judge,
            delay=None if at_once else self.delay,
            options={**self.options, **options},
            operator=self.operator,
        )

    def given(self) -> dict[LanePlace, str]:
        """The text of each lane, as the source says it."""
        texts: dict[LanePlace, str] = {}
        for _, event in self.events:
            place = place_of(event)
            if place is not None:
                texts[place] = texts.get(place, "") + event.delta  # type: ignore[union-attr]
        return texts

    def run(self, *, dispose_at: float | None = None, error: Exception | None = None) -> Seen:
        """One subscription, from its beginning until long after its end."""
        return _Running(self, dispose_at, error).run()


class _Running:
    def __init__(self, trial: ModerationTrial, dispose_at: float | None, error: Exception | None) -> None:
        self._trial = trial
        self._dispose_at = dispose_at
        self._error = error
        self._clock = VirtualClock()
        self._seen = Seen()
        self._orders = 0
        self._subscribed = 0

    def run(self) -> Seen:
        seen, clock = self._seen, self._clock
        log = _Log(seen.log)
        logger = logging.getLogger("rxstream")
        level = logger.level
        logger.addHandler(log)
        logger.setLevel(logging.DEBUG)
        token = RUNTIME.set(_AtOnce(clock.scheduler))
        try:
            check = _Check(self._judge, getattr(self._trial.judge, "holdback", 0))
            moderated = self._trial.operator(check, **self._trial.options)(Observable(self._subscribe))
            subscription = moderated.subscribe(
                self._on_next, self._on_error, self._on_completed, scheduler=clock.scheduler
            )
            if self._dispose_at is not None:
                clock.at(self._dispose_at, subscription.dispose)
            last = self._trial.events[-1][0] if self._trial.events else 0.0
            clock.advance(last + 7200.0)
            seen.left_open = clock.waiting or self._subscribed > 0
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
            self._clock.at(at, lambda at=at, event=event: self._feed(observer, at, event)) for at, event in events
        ]
        end = events[-1][0] if events else 0.0
        failure = self._error
        timers.append(
            self._clock.at(end, observer.on_completed if failure is None else lambda: observer.on_error(failure))
        )

        def leave() -> None:
            self._subscribed -= 1

        return CompositeDisposable([*timers, Disposable(leave)])

    def _feed(self, observer: abc.ObserverBase[StreamingEvent], at: float, event: StreamingEvent) -> None:
        self._seen.fed.append((self._order(), at, event))
        observer.on_next(event)

    # the subscriber

    def _on_next(self, event: StreamingEvent) -> None:
        assert not self._seen.ended, "an event came after the end"
        self._seen.emitted.append((self._order(), self._clock.now, event))

    def _on_error(self, error: Exception) -> None:
        assert not self._seen.ended, "the stream ended twice"
        self._seen.ended, self._seen.ended_at, self._seen.error = "#", self._clock.now, error

    def _on_completed(self) -> None:
        assert not self._seen.ended, "the stream ended twice"
        self._seen.ended, self._seen.ended_at = "|", self._clock.now

    # the check

    def _judge(self, window: Window) -> Any:
        number = len(self._seen.asked)
        asked = Asked(self._order(), self._clock.now, window)
        self._seen.asked.append(asked)
        delay = self._trial.delay(number) if self._trial.delay is not None else 0.0
        if delay <= 0:
            try:
                verdict = self._trial.judge(window)
            except Exception:
                self._note(asked, None)
                raise
            if verdict is HANGS:
                return self._hanging(asked)
            self._note(asked, verdict)
            return verdict
        return self._delayed(asked, delay)

    def _note(self, asked: Asked, verdict: Any) -> None:
        asked.answered, asked.answered_at = self._order(), self._clock.now
        if isinstance(verdict, Verdict):
            asked.judged = verdict.flagged or not verdict.suspect
            asked.passed = asked.judged and not verdict.flagged
        else:
            asked.judged, asked.passed = isinstance(verdict, bool), verdict is False

    def _hanging(self, asked: Asked) -> Observable[Any]:
        def let_go() -> None:
            asked.cancelled, asked.let_go_at = True, self._clock.now

        return Observable(lambda observer, scheduler=None: Disposable(let_go))

    def _delayed(self, asked: Asked, delay: float) -> Observable[Any]:
        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            def answer() -> None:
                try:
                    verdict = self._trial.judge(asked.window)
                except Exception as error:
                    self._note(asked, None)
                    observer.on_error(error)
                    return
                if verdict is not HANGS:
                    self._note(asked, verdict)
                    observer.on_next(verdict)

            def cancel() -> None:
                asked.cancelled = asked.answered is None
                asked.let_go_at = self._clock.now

            return CompositeDisposable([self._clock.at(self._clock.now + delay, answer), Disposable(cancel)])

        return Observable(subscribe)


class _Check:
    """The recorder, with the holdback of the check that it records."""

    def __init__(self, judge: Judge, holdback: int) -> None:
        self._judge = judge
        self.holdback = holdback

    def __call__(self, window: Window) -> Any:
        return self._judge(window)


class _AtOnce:
    """A session for checks that are written `async` and wait for nothing."""

    def __init__(self, scheduler: abc.SchedulerBase) -> None:
        self.scheduler = scheduler

    def on_loop_thread(self) -> bool:
        return True

    def watch(self, pull: object) -> None:
        """Nobody leaves it."""

    def spawn(self, job: Callable[[], Any]) -> abc.DisposableBase:
        coroutine = job()
        try:
            coroutine.send(None)
        except StopIteration:
            return Disposable()
        coroutine.close()
        raise AssertionError("a check that really waits cannot be tried in virtual time: give one that answers at once")


class _Log(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
        if record.exc_info:
            self._lines.append(repr(record.exc_info))


# ---------------------------------------------------------------------- what can be read off


def windows(trial: ModerationTrial, seen: Seen) -> dict[LanePlace, list[tuple[int, int, Asked]]]:
    """Each window of each lane, with the part of its text that it was about. One asked about again counts once.

    Raises: AssertionError: a window is no part of its lane's text, or comes out of order.
    """
    given = trial.given()
    found: dict[LanePlace, list[tuple[int, int, Asked]]] = {}
    for one in seen.asked:
        place = (one.window.output_index, one.window.content_index, str(one.window.kind))
        if place not in given:
            continue
        known, text = found.setdefault(place, []), given[place]
        failed = [(at, old) for at, (_, _, old) in enumerate(known) if not old.judged and not old.under_way(one.at)]
        again = [at for at, old in failed if old.window.text == one.window.text]
        if again:
            known[again[0]] = (*known[again[0]][:2], one)
            continue
        start = known[-1][1] if known else 0
        while not text.startswith(one.window.text, start):
            if not text[start : start + 1].isspace():
                raise AssertionError(f"a window of {place} is no part of its text, or comes out of order")
            start += 1
        known.append((start, start + len(one.window.text), one))
    return found


def marks(trial: ModerationTrial, seen: Seen) -> Iterator[tuple[LanePlace, int, int, bool]]:
    """At every delta emitted: its place, how much was released and verified, and whether the lane had ended and passed.

    White space that no check is asked about counts as verified.
    """
    given, asked = trial.given(), windows(trial, seen)
    last = seen.fed[-1][0] if seen.fed else 0
    ends: dict[LanePlace, int] = {}
    for order, _, event in seen.fed:
        if event.type in _DONE:
            place = (getattr(event, "output_index", 0), getattr(event, "content_index", 0), _DONE[event.type])
            ends.setdefault(place, order)
    released: dict[LanePlace, int] = {}
    for order, _, event in seen.emitted:
        place = place_of(event)
        if place is None:
            continue
        released[place] = released.get(place, 0) + len(event.delta)  # type: ignore[attr-defined]
        verified = _verified(given[place], asked.get(place, ()), order)
        yield place, released[place], verified, ends.get(place, last) < order and verified == len(given[place])


def verified(trial: ModerationTrial, seen: Seen) -> dict[LanePlace, int]:
    """How much of each lane was verified in the end."""
    given, asked = trial.given(), windows(trial, seen)
    return {place: _verified(text, asked.get(place, ()), None) for place, text in given.items()}


def _verified(text: str, asked: Iterable[tuple[int, int, Asked]], order: int | None) -> int:
    verified = 0
    for start, stop, one in asked:
        answered = one.answered is not None and (order is None or one.answered < order)
        if text[verified:start].strip() or not one.passed or not answered:
            break
        verified = stop
    return verified + len(text[verified:]) - len(text[verified:].lstrip())


_DONE: Final = {
    "response.output_text.done": "text",
    "response.refusal.done": "refusal",
    "response.function_call_arguments.done": "function_args",
}


def arrivals(trial: ModerationTrial, place: LanePlace) -> Iterator[tuple[int, float]]:
    """Up to which character the text of a lane had come, and when; white space at its end not counted."""
    text = trial.given()[place]
    length = 0
    for at, event in trial.events:
        if place_of(event) == place:
            length += len(event.delta)  # type: ignore[union-attr]
            end = len(text[:length].rstrip())
            if end:
                yield end, at
