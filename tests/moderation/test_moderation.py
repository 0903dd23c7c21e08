"""`debounce_moderation`: when checks start, in which order what leaves, and on whose clock and thread."""

import threading
from datetime import timedelta
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
from tests.moderation._moderated import (
    added,
    completed,
    created,
    delta,
    deltas,
    ev,
    events_of,
    flagged,
    item_done,
    message,
    moderated,
    of_type,
    part_added,
    part_done,
    text_done,
    text_part,
    types,
    whole_answer,
)
from tests.operators._wires import FakeFlow

GOOD = "All is well here. "


def passes(window: Window) -> bool:
    return False


def run(events: Any, operator: Any) -> list[Any]:
    values: list[Any] = []
    reactivex.from_iterable(events).pipe(operator).subscribe(values.append, values.append)
    return values


@pytest.mark.parametrize("mode", ["hold", "bounded", "optimistic"])
def test_the_laws_of_every_operator(mode: Any):
    include = ("text", "refusal", "reasoning_summary", "function_args")
    operator_laws(lambda: debounce_moderation(Blocklist(["zebra"]), mode=mode, quiet=0.05, include=include))


def test_the_laws_of_every_operator_on_text():
    operator_laws(lambda: debounce_moderation_text(Blocklist(["zebra"]), quiet=0.05), of="texts")


# ---------------------------------------------------------------------- when a check starts


def test_windows_grow_from_first_chars_to_max_chars():
    text = "".join(chr(97 + number % 26) for number in range(4000))
    seen = moderated(whole_answer(text), passes, boundary=None)
    assert [len(one.window.text) for one in seen.asked] == [60, 120, 240, 480, 800, 800, 800, 700]


def test_the_first_text_is_released_after_first_chars():
    seen = moderated([created(), *deltas(*"x" * 60)], passes, gap=0.001, quiet=9.0, max_delay=9.0)
    first = next(at for _, at, event in seen.emitted if event.type.endswith("delta"))
    assert first == pytest.approx(0.060)


def test_the_first_text_is_released_after_max_delay():
    seen = moderated([created(), *deltas(*"x" * 30)], passes, gap=0.1, max_delay=timedelta(seconds=1), quiet=9.0)
    first = next(at for _, at, event in seen.emitted if event.type.endswith("delta"))
    assert first == pytest.approx(0.1 + 1.0)


def test_a_check_starts_after_quiet():
    seen = moderated([created(), delta("a"), ev("keepalive"), ev("keepalive"), delta("b")], passes, gap=0.15)
    assert [round(one.at, 3) for one in seen.asked] == [0.35, 0.6]


def test_white_space_alone_is_not_sent():
    seen = moderated(whole_answer("  \n", "word", " \t "), passes, gap=0.5)
    assert [one.window.text for one in seen.asked] == ["word"]
    assert seen.texts()[0, 0, "text"] == "  \nword \t "


def test_the_last_window_says_that_it_is_the_last():
    seen = moderated(whole_answer(GOOD * 10), passes)
    assert [one.window.final for one in seen.asked] == [False, False, True]


def test_at_most_in_flight_checks_run_at_once():
    events = whole_answer(*["0123456789"] * 60)
    for slots in (1, 2, 3):
        seen = moderated(events, passes, delay=0.5, first_chars=20, max_chars=20, in_flight=slots)
        running = max(sum(one.under_way(other.at) for one in seen.asked) for other in seen.asked)
        assert running == slots


def test_the_context_was_shown_before_and_is_no_longer_than_asked_for():
    text = "".join(chr(97 + number % 26) for number in range(3000))
    seen = moderated(whole_answer(text), passes, boundary=None, context=100)
    at = 0
    for one in seen.asked:
        assert text[:at].endswith(one.window.context)
        assert len(one.window.context) <= 100
        at += len(one.window.text)
    assert len(seen.asked[-1].window.context) == 100


def test_the_context_is_never_shorter_than_what_is_held_back():
    seen = moderated(whole_answer("abcdefghij" * 20), passes, boundary=None, context=0, holdback=15, first_chars=20)
    assert all(len(one.window.context) >= 15 for one in seen.asked[1:])


@pytest.mark.parametrize(
    ("boundary", "text", "first"),
    [
        ("sentence", "It is 3.14, e.g. here. And so it goes on", "It is 3.14, e.g. here."),
        ("sentence", "See https://a.b/c.d?e=f. Then go. Onwards to the next", "See https://a.b/c.d?e=f. Then go."),
        ("sentence", "你好。今天天气很好！我们走吧真的吗", "你好。今天天气很好！"),
        ("word", "one two three four fivesixseven", "one two three four "),
        ("line", "first line\nsecond line\nthird line of it", "first line\nsecond line\n"),
        (lambda text: text.index("|") + 1, "aaaaaaaaaaaaaaaaaaaaaaa|bbbbbbbbbbbbb", "aaaaaaaaaaaaaaaaaaaaaaa|"),
        (lambda text: 1 / 0, "whatever it may be", "whatever it may be"),
        (lambda text: "no", "whatever it may be", "whatever it may be"),
    ],
)
def test_a_window_is_cut_where_its_text_may_be_cut(boundary: Any, text: str, first: str):
    size = len(text)
    seen = moderated([created(), delta(text)], passes, boundary=boundary, first_chars=size, quiet=9.0, max_delay=9.0)
    assert seen.asked[0].window.text.strip() == first.strip()


# ---------------------------------------------------------------------- order


def test_the_very_events_that_came_leave_where_nothing_was_to_be_changed():
    events = whole_answer(GOOD)
    seen = moderated(events, passes)
    assert all(one is other for one, other in zip(events_of(seen), events, strict=True))


def test_held_text_leaves_in_one_delta_in_the_place_of_its_last():
    numbered = [delta(text, sequence_number=number, obfuscation="zz") for number, text in enumerate("abc", 7)]
    seen = moderated([created(), *numbered, text_done("abc"), completed()], passes)
    (held,) = of_type(seen, "response.output_text.delta")
    assert held.model_dump() == {
        "type": "response.output_text.delta",
        "sequence_number": 9,
        "output_index": 0,
        "content_index": 0,
        "item_id": "item_0",
        "delta": "abc",
    }


def test_structural_events_of_a_lane_wait_for_its_text_and_other_items_flow():
    events = [
        created(),
        added(0),
        part_added(0),
        delta("held", 0),
        added(1, type="function_call", name="f", call_id="c", arguments=""),
        ev("response.function_call_arguments.delta", output_index=1, item_id="item_1", delta="{}"),
        ev("response.function_call_arguments.done", output_index=1, item_id="item_1", arguments="{}"),
        text_done("held", 0),
        part_done("held", 0),
        item_done(text_part("held"), index=0),
        completed(),
    ]
    seen = moderated(events, passes, delay=1.0)
    order = types(seen)
    assert order.index("response.function_call_arguments.done") < order.index("response.output_text.delta")
    own = [event.type for event in events_of(seen) if getattr(event, "output_index", None) == 0]
    assert own == [event.type for event in events if getattr(event, "output_index", None) == 0]
    assert order[-1] == "response.completed"


def test_parts_of_one_item_do_not_wait_for_each_other():
    events = [
        created(),
        added(),
        part_added(0, 0),
        delta("slow ", 0, 0),
        part_added(0, 1),
        delta("fast", 0, 1),
        text_done("fast", 0, 1),
    ]
    seen = moderated(events, lambda window: False, gap=0.01, holdback=10)
    assert [event.delta for event in of_type(seen, "response.output_text.delta")] == ["fast", "slow "]


def test_what_is_not_moderated_keeps_its_place_in_the_item():
    events = [
        created(),
        added(),
        delta("one ", 0, 0),
        ev("response.refusal.delta", output_index=0, content_index=0, delta="no"),
        delta("two", 0, 0),
        completed(),
    ]
    seen = moderated(events, passes, delay=0.5, include=("text",))
    assert [event.delta for event in events_of(seen) if event.type.endswith("delta")] == ["one ", "no", "two"]


def test_an_annotation_stays_between_the_texts_it_came_between():
    note = {"type": "url_citation", "url": "https://a.test", "title": "A", "start_index": 0, "end_index": 3}
    events = [
        created(),
        delta("one "),
        ev("response.output_text.annotation.added", output_index=0, content_index=0, annotation=note),
        delta("two"),
        completed(),
    ]
    seen = moderated(events, passes, delay=0.5)
    assert [event.type.split(".")[-1] for event in events_of(seen)] == [
        "created",
        "delta",
        "added",
        "delta",
        "completed",
    ]


def test_titles_are_judged_once_however_often_they_are_said():
    note = {"type": "url_citation", "url": "https://a.test", "title": "A title", "start_index": 0, "end_index": 3}
    part = text_part(GOOD, annotations=[note])
    events = [
        created(),
        delta(GOOD),
        ev("response.output_text.annotation.added", output_index=0, content_index=0, annotation=note),
        part_done(GOOD, annotations=[note]),
        item_done(part),
        completed(message(part)),
    ]
    seen = moderated(events, passes)
    said = [one.window.text.strip() for one in seen.asked if one.window.kind == "aside"]
    assert sorted("\n".join(said).split("\n")) == ["A title", "https://a.test"]
    assert seen.ended == "|"


def test_log_probabilities_wait_for_the_end_of_their_text():
    first, second = [{"token": text, "logprob": -0.5} for text in ("All ", "well")]
    events = [
        created(),
        delta("All ", logprobs=[first]),
        delta("well", logprobs=[second]),
        text_done("All well"),
        completed(),
    ]
    seen = moderated(events, passes)
    assert [event.logprobs for event in of_type(seen, "response.output_text.delta")] == [[]]
    kept = of_type(seen, "response.output_text.done")[0].logprobs
    assert [entry.model_dump() for entry in kept] == [first, second]


def test_events_after_the_terminal_one_follow_it():
    seen = moderated([*whole_answer(GOOD), ev("keepalive"), delta("more", 5)], passes, delay=0.5)
    assert types(seen)[-3:] == ["response.completed", "keepalive", "response.output_text.delta"]
    assert seen.ended == "|"


def test_a_source_that_completes_without_an_ending_gives_what_it_gave():
    seen = moderated(whole_answer(GOOD)[:5], passes, delay=0.5)
    assert seen.texts()[0, 0, "text"] == GOOD
    assert types(seen)[-1] == "response.output_text.done"
    assert seen.ended == "|"


def test_a_snapshot_in_the_middle_says_what_was_shown():
    now = {"id": "r", "status": "in_progress", "output": [message(text_part("All well"))]}
    seen = moderated(
        [
            created(),
            added(),
            delta("All "),
            ev("keepalive"),
            ev("keepalive"),
            delta("well"),
            ev("response.in_progress", response=now),
        ],
        passes,
        gap=0.15,
    )
    (snapshot,) = of_type(seen, "response.in_progress")
    assert snapshot.response.output_text == "All "


# ---------------------------------------------------------------------- subscriptions


def test_a_second_subscription_starts_afresh():
    moderate = debounce_moderation(lambda window: "bad" in window.text)
    source = reactivex.from_iterable(whole_answer(GOOD, "bad"))
    result = source.pipe(moderate)
    for _ in range(2):
        seen: list[Any] = []
        result.subscribe(seen.append)
        assert flagged_in(seen).action == "cut"


def flagged_in(events: list[Any]) -> Any:
    (event,) = [event for event in events if event.type == "rxstream.moderation.flagged"]
    return event


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


def test_an_observer_that_raises_gets_its_error_and_leaves_nothing_behind():
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
    subject_observers.on_next(delta("text"))
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
    source = reactivex.from_iterable([created(), *deltas(*texts), completed()])
    source.pipe(debounce_moderation(elsewhere, first_chars=20, max_chars=20, in_flight=4)).subscribe(
        on_next, lambda error: done.set(), done.set
    )
    assert done.wait(20)
    assert not overlaps
    assert "".join(seen) == "".join(texts)


# ---------------------------------------------------------------------- too much


def never(window: Window) -> Any:
    return reactivex.never()


def test_too_much_held_pauses_the_source_and_lets_it_go_on():
    clock, fake_flow = VirtualClock(), FakeFlow()
    source: Subject[Any] = Subject()
    seen: list[Any] = []
    answers: list[Any] = []
    source.pipe(
        debounce_moderation(lambda window: Observable(lambda o, s=None: answers.append(o)), max_buffer=1000, timeout=60)
    ).subscribe(seen.append, scheduler=clock.scheduler)
    token = FLOW.set(fake_flow)
    try:
        for event in deltas(*["0123456789"] * 101):
            source.on_next(event)
        assert fake_flow.pauses == 1
        while answers:
            answers.pop(0).on_next(False)
        assert fake_flow.pauses == 0
        assert fake_flow.paused_in_all == 1
    finally:
        FLOW.reset(token)


@pytest.mark.parametrize(("decision", "ended"), [("cut", "|"), ("error", "#"), ("pass", "")])
def test_too_much_held_of_a_source_that_cannot_be_paused_is_decided(decision: Any, ended: str):
    events = [created(), *deltas(*["0123456789"] * 300)]
    seen = moderated(events, never, gap=0.0001, max_buffer=1000, timeout=60, on_check_error=decision)
    if decision == "pass":
        assert len(seen.texts()[0, 0, "text"]) > 1000
    else:
        assert seen.ended == ended
        assert flagged(seen).cause == "overflow"
        assert not seen.texts()


def test_a_paused_source_is_let_go_when_the_stream_is_left():
    clock, fake_flow = VirtualClock(), FakeFlow()
    source: Subject[Any] = Subject()
    subscription = source.pipe(debounce_moderation(never, max_buffer=1000)).subscribe(scheduler=clock.scheduler)
    token = FLOW.set(fake_flow)
    try:
        for event in deltas(*["0123456789"] * 101):
            source.on_next(event)
    finally:
        FLOW.reset(token)
    assert fake_flow.pauses == 1
    subscription.dispose()
    assert fake_flow.pauses == 0
    assert not clock.waiting


# ---------------------------------------------------------------------- text


def test_a_text_in_pieces_is_moderated_the_same_way():
    said: list[Any] = []
    moderate = debounce_moderation_text(Blocklist(["secret"]), on_event=said.append)
    assert run(["my sec", "ret is"], moderate) == []
    assert [event.action for event in said] == ["cut"]
    moderate = debounce_moderation_text(Blocklist(["secret"]), on_flag="replace")
    assert "".join(run(["my sec", "ret is"], moderate)) == "my [removed] is"


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
        ({"include": "text"}, "include is a collection"),
        ({"boundary": "page"}, "boundary must be"),
        ({"first_chars": 0}, "first_chars must be 1 or more"),
        ({"first_chars": 900}, "must not be more than max_chars"),
        ({"growth": 0.5}, "growth must be 1 or more"),
        ({"growth": float("nan")}, "growth must be 1 or more"),
        ({"in_flight": 0}, "in_flight must be 1 or more"),
        ({"timeout": 0}, "timeout must be more than 0"),
        ({"quiet": -1}, "quiet must be"),
        ({"retries": -1}, "retries must be 0 or more"),
        ({"holdback": -1}, "holdback must be 0 or more"),
        ({"holdback": 64_000}, "max_buffer"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_the_pipe_is_assembled(options: Any, says: str):
    with pytest.raises(ValueError, match=says):
        debounce_moderation(passes, **options)


def test_a_check_must_be_a_check():
    with pytest.raises(TypeError, match="cannot be called"):
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
