"""Each law finds the operator that breaks it, and lets the ones that keep it pass."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex import operators as rx
from reactivex.disposable import Disposable
from reactivex.scheduler import TimeoutScheduler
from reactivex.subject import ReplaySubject

from rxstream import events as ev
from rxstream.operators import lift
from rxstream.testing import LAWS, answers, marbles, operator_laws

Subscribe = Callable[[Observable[Any], abc.ObserverBase[Any], Any], abc.DisposableBase]


def made_of(subscribe: Subscribe) -> Callable[[Observable[Any]], Observable[Any]]:
    """An operator from its bare subscribe function."""
    return lambda source: Observable(lambda observer, scheduler=None: subscribe(source, observer, scheduler))


def is_text(event: object) -> bool:
    return isinstance(event, ev.ResponseOutputTextDeltaEvent)


def texts() -> Callable[[Observable[Any]], Observable[str]]:
    return lambda source: source.pipe(rx.filter(is_text), rx.map(lambda event: event.delta))


class Words:
    def __init__(self) -> None:
        self.tail = ""

    def feed(self, event: Any) -> Iterable[str]:
        if is_text(event):
            *whole, self.tail = (self.tail + event.delta).split(" ")
            yield from (word + " " for word in whole)

    def finish(self) -> Iterable[str]:
        yield self.tail


@pytest.mark.parametrize(
    "make",
    [
        texts,
        lambda: lift(Words),
        lambda: rx.filter(lambda event: True),
        lambda: rx.delay(0.02),
        lambda: rx.group_by(lambda event: getattr(event, "output_index", None)),
    ],
)
def test_operators_that_keep_the_laws_pass(make: Callable[[], Any]):
    operator_laws(make)


def test_operators_on_text_bytes_and_frames_too():
    operator_laws(lambda: rx.map(str.upper), of="texts")
    operator_laws(lambda: rx.filter(bool), of="bytes", skip=["unknown events are harmless"])
    operator_laws(lambda: rx.filter(lambda frame: bool(frame.data)), of="frames")


def test_the_answers_and_what_is_joined_may_be_given():
    final = lambda: rx.last()  # noqa: E731
    operator_laws(final, answers=[answers.structured({"a": 1})])
    with pytest.raises(AssertionError, match="splitting changes nothing"):
        operator_laws(texts, answers=[answers.text("a b c")], joined=list)


def test_a_law_to_skip_must_exist():
    with pytest.raises(ValueError, match="there is no such law: gravity; there are: cold, "):
        operator_laws(texts, skip=["gravity"])


# One that breaks each


def eager() -> Any:
    def operator(source: Observable[Any]) -> Observable[Any]:
        subject: ReplaySubject[Any] = ReplaySubject()
        source.subscribe(subject)
        return subject

    return operator


def sharing() -> Any:
    counted = iter(range(10**6))
    return lambda source: source.pipe(rx.map(lambda event: next(counted)))


def swallowing() -> Any:
    return rx.catch(reactivex.empty())


def wrapping() -> Any:
    return rx.catch(lambda error, source: reactivex.throw(RuntimeError(str(error))))


def endless() -> Any:
    return made_of(lambda source, observer, scheduler: source.subscribe(observer.on_next, observer.on_error))


def twice() -> Any:
    def subscribe(source: Observable[Any], observer: abc.ObserverBase[Any], scheduler: Any) -> abc.DisposableBase:
        def complete() -> None:
            observer.on_completed()
            observer.on_completed()

        return source.subscribe(observer.on_next, observer.on_error, complete, scheduler=scheduler)

    return made_of(subscribe)


def talking_on() -> Any:
    def subscribe(source: Observable[Any], observer: abc.ObserverBase[Any], scheduler: Any) -> abc.DisposableBase:
        def complete() -> None:
            observer.on_completed()
            observer.on_next("one more thing")

        return source.subscribe(observer.on_next, observer.on_error, complete, scheduler=scheduler)

    return made_of(subscribe)


def clinging() -> Any:
    def subscribe(source: Observable[Any], observer: abc.ObserverBase[Any], scheduler: Any) -> abc.DisposableBase:
        source.subscribe(observer, scheduler=scheduler)
        return Disposable()

    return made_of(subscribe)


def leaving_a_timer() -> Any:
    def subscribe(source: Observable[Any], observer: abc.ObserverBase[Any], scheduler: Any) -> abc.DisposableBase:
        scheduler.schedule_relative(5.0, lambda *_: None)
        return source.subscribe(observer, scheduler=scheduler)

    return made_of(subscribe)


def afraid() -> Any:
    def check(event: Any) -> Any:
        if isinstance(event, ev.UnknownEvent):
            raise TypeError("what is that?")
        return event

    return rx.map(check)


def counting() -> Any:
    return lambda source: source.pipe(rx.count())


def cutting() -> Any:
    return lambda source: source.pipe(texts(), rx.map(lambda text: text[:2]))


def deaf() -> Any:
    return made_of(lambda source, observer, scheduler: source.subscribe(observer))


def threaded() -> Any:
    return rx.delay(0.001, scheduler=TimeoutScheduler())


BROKEN = [
    ("cold", eager, "before the result was"),
    ("two subscribers share nothing", sharing, "does not get what it would get alone"),
    ("an error passes", swallowing, "the source failed, and the result completed"),
    ("an error passes", wrapping, "but the result with RuntimeError"),
    ("completes once", endless, "the result ended 0 times"),
    ("completes once", twice, "the result ended 2 times"),
    ("nothing after the end", talking_on, "1 more notifications came after the end"),
    ("dispose reaches upstream", clinging, "still subscribed to"),
    ("dispose reaches upstream", leaving_a_timer, "a timer is still armed"),
    ("unknown events are harmless", afraid, "unknown events came, and the result failed with TypeError"),
    ("unknown events are harmless", counting, "changes if unknown events are between them"),
    ("splitting changes nothing", cutting, "if the input comes character by character"),
    ("the scheduler goes upstream", deaf, "was not passed to the source"),
    ("the scheduler goes upstream", threaded, "a thread was started"),
]


@pytest.mark.parametrize(("law", "make", "why"), BROKEN)
def test_the_law_finds_the_operator_that_breaks_it(law: str, make: Callable[[], Any], why: str):
    with pytest.raises(AssertionError, match=why):
        LAWS[law](marbles.Trial(make))
    with pytest.raises(AssertionError):
        operator_laws(make)
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()
            thread.join()


def test_every_law_is_broken_by_one_of_these():
    assert {law for law, _, _ in BROKEN} == set(LAWS)


def test_answers_may_be_cut():
    trial = marbles.Trial(texts, answers=[answers.truncated(answers.text("a b c"), 6)])
    assert [len(events) for events in trial.events()] == [6]


def test_an_operator_may_be_tried_as_its_picture_draws_it():
    def louder(mark: str) -> Any:
        """Shout.

        Marbles with louder("!")::

            texts   a-b|
            result  x-b!|
            where x = "a!"
        """
        return rx.map(lambda text: f"{text}{mark}")

    trial = marbles.trial_of(louder)
    assert trial.of == "texts"
    LAWS["cold"](trial)
    assert trial.run(["a"]).values() == ["a!"]
    assert marbles.trial_of(texts).of == "events"
