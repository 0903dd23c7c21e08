"""`debounce_moderation` as an operator: its laws, its subscribers, its limits, its arguments."""

import threading
from typing import Any

import pytest
import reactivex
from reactivex import Observable
from reactivex.disposable import Disposable
from reactivex.subject import Subject

from rxstream import operators as rxs
from rxstream.moderation import Blocklist, Verdict, Window
from rxstream.operators import debounce_moderation, debounce_moderation_text
from rxstream.rx._context import FLOW
from rxstream.testing import VirtualClock, operator_laws
from tests.event_builders import completed, created, item_done, make_event, text_delta, text_deltas
from tests.moderation._moderated import GOOD, flagged, flagged_in, moderated, passes, run, whole_answer
from tests.operators._wires import FakeFlow
from tests.waiting import BOUND

# ---------------------------------------------------------------------- laws


@pytest.mark.parametrize("mode", ["hold", "bounded", "optimistic"])
def test_the_laws_of_every_operator(mode: Any):
    include = ("text", "refusal", "reasoning_summary", "function_args")
    operator_laws(lambda: debounce_moderation(Blocklist(["zebra"]), mode=mode, quiet=0.05, include=include))


def test_the_laws_of_every_operator_on_text():
    operator_laws(lambda: debounce_moderation_text(Blocklist(["zebra"]), quiet=0.05), of="texts")


# ---------------------------------------------------------------------- subscriptions


def test_a_second_subscription_starts_afresh():
    moderate = debounce_moderation(lambda window: "bad" in window.text)
    source = reactivex.from_iterable(whole_answer(GOOD, "bad"))
    result = source.pipe(moderate)
    for _ in range(2):
        seen: list[Any] = []
        result.subscribe(seen.append)
        assert flagged_in(seen).action == "cut"


def test_a_held_stream_does_not_trip_an_idle_timeout_placed_before_it():
    clock = VirtualClock()
    seen: list[Any] = []
    source: Subject[Any] = Subject()
    slow = Observable(lambda observer, scheduler=None: clock.at(clock.now + 9.0, lambda: observer.on_next(False)))
    source.pipe(
        rxs.timeouts(between=1.0),
        debounce_moderation(lambda window: slow, timeout=20.0),
    ).subscribe(seen.append, seen.append, scheduler=clock.scheduler)
    for event in whole_answer(GOOD)[:-1]:
        source.on_next(event)
        clock.advance(0.9)
    source.on_next(whole_answer(GOOD)[-1])
    source.on_completed()
    clock.advance(30.0)
    assert seen[-1].type == "response.completed"


def test_an_observer_that_raises_gets_its_error_and_all_is_disposed():
    clock = VirtualClock()
    heard: list[Exception] = []
    left: list[bool] = []
    subject: Subject[Any] = Subject()

    def on_next(event: Any) -> None:
        raise LookupError("the observer is broken")

    source = Observable(
        lambda observer, scheduler=None: Disposable(lambda: left.append(True)) if subject.subscribe(observer) else None
    )
    source.pipe(debounce_moderation(passes)).subscribe(on_next, heard.append, scheduler=clock.scheduler)
    subject_observers = subject
    clock.advance(0.1)
    subject_observers.on_next(text_delta("text "))
    clock.advance(5.0)  # the timer finds that the observer raises
    assert [type(error) for error in heard] == [LookupError]
    assert left
    assert not clock.waiting


def test_verdicts_from_other_threads_are_notified_one_at_a_time():
    inside = threading.Lock()
    overlaps: list[Any] = []
    done = threading.Event()
    seen: list[str] = []

    def on_next(event: Any) -> None:
        if not inside.acquire(blocking=False):
            overlaps.append(event)
            return
        seen.append(getattr(event, "delta", ""))
        inside.release()

    def elsewhere(window: Window) -> Observable[bool]:
        def subscribe(observer: Any, scheduler: Any = None) -> Any:
            threading.Thread(target=lambda: observer.on_next(False), daemon=True).start()
            return Disposable()

        return Observable(subscribe)

    texts = [f"word {number} " for number in range(2000)]
    source = reactivex.from_iterable([created(), *text_deltas(*texts), completed()])
    source.pipe(debounce_moderation(elsewhere, first_chars=20, max_chars=20, in_flight=4)).subscribe(
        on_next, lambda error: done.set(), done.set
    )
    assert done.wait(BOUND)
    assert not overlaps
    assert "".join(seen) == "".join(texts)


# ---------------------------------------------------------------------- too much


def never(window: Window) -> Any:
    return reactivex.never()


def test_more_than_max_buffer_pauses_the_source_and_resumes_it():
    clock, fake_flow = VirtualClock(), FakeFlow()
    source: Subject[Any] = Subject()
    seen: list[Any] = []
    answers: list[Any] = []
    source.pipe(
        debounce_moderation(lambda window: Observable(lambda o, s=None: answers.append(o)), max_buffer=1000, timeout=60)
    ).subscribe(seen.append, scheduler=clock.scheduler)
    token = FLOW.set(fake_flow)
    try:
        for event in text_deltas(*["0123456789"] * 101):
            source.on_next(event)
        assert fake_flow.pauses == 1
        while answers:
            answers.pop(0).on_next(False)
        assert fake_flow.pauses == 0
        assert fake_flow.paused_in_all == 1
    finally:
        FLOW.reset(token)


@pytest.mark.parametrize(("decision", "ended"), [("cut", "|"), ("error", "#"), ("pass", "")])
def test_more_than_max_buffer_of_a_source_that_cannot_be_paused_ends_by_on_check_error(decision: Any, ended: str):
    events = [created(), *text_deltas(*["0123456789"] * 300)]
    seen = moderated(events, never, gap=0.0001, max_buffer=1000, timeout=60, on_check_error=decision)
    if decision == "pass":
        assert len(seen.texts()[0, 0, "text"]) > 1000
    else:
        assert seen.ended == ended
        assert flagged(seen).cause == "overflow"
        assert not seen.texts()


def test_a_large_delta_with_an_instant_check_is_not_cut():
    """The check is not late: of a source that cannot pause, everything is released."""
    text = "word " * 40_000
    for deltas in ([text], [text[:100_000], text[100_000:]], ["word " * 100] * 400):
        seen = moderated([created(), *text_deltas(*deltas), completed()], passes, gap=0.0, max_buffer=2000)
        assert seen.texts()[0, 0, "text"] == text
        assert seen.ended == "|"


@pytest.mark.parametrize("number", range(4))
def test_max_buffer_counts_every_event_that_is_held(number: int):
    text = "some text of a tool " * 20
    event = (
        make_event("acme:trace", output_index=0, text=text),
        item_done(1, type="web_search_call", id="ws", action={"type": "search", "query": text}),
        make_event("response.output_text.done", output_index=0, content_index=0, text=text),
        make_event("response.custom_tool_call_input.delta", output_index=2, item_id="c", delta=text),
    )[number]
    options: dict[str, Any] = {"max_buffer": 1000, "timeout": 60, "include": "all"}
    seen = moderated([created(), *[event] * 10, text_delta("x")], never, gap=0.0001, **options)
    assert flagged(seen).cause == "overflow"
    assert text not in seen.json()


def test_a_paused_source_is_resumed_on_dispose():
    clock, fake_flow = VirtualClock(), FakeFlow()
    source: Subject[Any] = Subject()
    subscription = source.pipe(debounce_moderation(never, max_buffer=1000)).subscribe(scheduler=clock.scheduler)
    token = FLOW.set(fake_flow)
    try:
        for event in text_deltas(*["0123456789"] * 101):
            source.on_next(event)
    finally:
        FLOW.reset(token)
    assert fake_flow.pauses == 1
    subscription.dispose()
    assert fake_flow.pauses == 0
    assert not clock.waiting


# ---------------------------------------------------------------------- text


def test_a_text_in_pieces_is_moderated_the_same_way():
    events: list[Any] = []
    moderate = debounce_moderation_text(Blocklist(["secret"]), on_event=events.append)
    assert run(["my sec", "ret is"], moderate) == []
    assert [event.action for event in events] == ["cut"]
    moderate = debounce_moderation_text(Blocklist(["secret"]), on_flag="replace")
    assert "".join(run(["my sec", "ret is"], moderate)) == "my [removed] is"


@pytest.mark.parametrize("mode", ["hold", "bounded", "optimistic"])
def test_no_empty_text_is_emitted(mode: Any):
    pieces = run(["", "one ", "", "two", ""], debounce_moderation_text(Blocklist(["secret"]), mode=mode))
    assert "".join(pieces) == "one two"
    assert "" not in pieces


def test_a_text_that_is_flagged_may_fail():
    (error,) = run(["bad"], debounce_moderation_text(lambda window: True, on_flag="error"))
    assert error.verdict == Verdict(True)


# ---------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mode": "open"}, "mode must be one of"),
        ({"on_flag": "shout"}, "on_flag must be one of"),
        ({"on_check_error": "replace"}, "on_check_error must be one of"),
        ({"include": ("thoughts",)}, "include must be one of"),
        ({"include": ("aside",)}, "include must be one of"),
        ({"include": "text"}, "include must be a collection"),
        ({"boundary": "page"}, "boundary must be"),
        ({"first_chars": 0}, "first_chars must be 1 or more"),
        ({"first_chars": 900}, "must be at most max_chars"),
        ({"growth": 0.5}, "growth must be 1 or more"),
        ({"growth": float("nan")}, "growth must be 1 or more"),
        ({"in_flight": 0}, "in_flight must be 1 or more"),
        ({"timeout": 0}, "timeout must be more than 0"),
        ({"quiet": -1}, "quiet must be"),
        ({"retries": -1}, "retries must be 0 or more"),
        ({"holdback": -1}, "holdback must be 'word' or 0 or more"),
        ({"holdback": 64_000}, "max_buffer"),
    ],
)
def test_invalid_options_are_errors_when_the_operator_is_made(options: Any, says: str):
    with pytest.raises(ValueError, match=says):
        debounce_moderation(passes, **options)


def test_a_check_must_be_a_check():
    with pytest.raises(TypeError, match="a check must be a function"):
        debounce_moderation("bad")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one check"):
        debounce_moderation([])
    with pytest.raises(TypeError, match="quiet must be seconds"):
        debounce_moderation(passes, quiet="soon")  # type: ignore[arg-type]


def test_an_async_check_without_a_session_fails_closed_and_says_why(caplog: pytest.LogCaptureFixture):
    async def check(window: Window) -> bool:
        return False

    values = run(whole_answer(GOOD), debounce_moderation(check))
    assert flagged_in(values).cause == "check_error"
    assert "async moderation check needs a session" in caplog.text
    assert GOOD not in caplog.text
