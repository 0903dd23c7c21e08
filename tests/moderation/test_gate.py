"""`gate_until`: what is shown depends on a verdict on the request."""

import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest
import reactivex
from reactivex import Observable
from reactivex import operators as ops
from reactivex.subject import Subject

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ModerationError
from rxstream.moderation import OpenAIModeration, Verdict, Window
from rxstream.rx._context import FLOW
from rxstream.testing import LocalServer, VirtualClock, answers
from tests.event_builders import created, text_delta, text_deltas
from tests.moderation._moderated import flagged_in, whole_answer
from tests.operators._sessions import Ended, in_session
from tests.session._modes import modes

ANSWER = whole_answer("One. ", "Two.")


class Gated:
    """What one subscription in virtual time gets."""

    def __init__(self, verdict: Any, source: Observable[Any] | None = None, **options: Any) -> None:
        self.clock = VirtualClock()
        self.events: list[Any] = []
        self.end: list[Any] = []
        self.disposed = 0
        upstream = reactivex.from_iterable(ANSWER) if source is None else source
        gated = upstream.pipe(ops.finally_action(self._count), rxs.gate_until(verdict, **options))
        self.subscription = gated.subscribe(
            self.events.append, self.end.append, lambda: self.end.append("|"), scheduler=self.clock.scheduler
        )

    def _count(self) -> None:
        self.disposed += 1

    def types(self) -> list[str]:
        return [event.type for event in self.events]


def later(value: Any, seconds: float = 0.05) -> Callable[[], Observable[Any]]:
    return lambda: reactivex.timer(seconds).pipe(ops.map(lambda _: value))


@pytest.mark.parametrize("verdict", [lambda: False, lambda: Verdict(False), reactivex.just(False), later(False)])
def test_what_was_held_is_emitted_unchanged_once_the_verdict_has_passed(verdict: Any):
    gated = Gated(verdict)
    gated.clock.advance(1)
    assert gated.events == ANSWER
    assert gated.end == ["|"]


def test_nothing_is_emitted_before_the_verdict():
    gated = Gated(later(False))
    gated.clock.advance(0.049)
    assert (gated.events, gated.end) == ([], [])


@pytest.mark.parametrize(
    "verdict", [lambda: True, later(Verdict(True, ("hate",))), later(True), later(Verdict(False, suspect=True))]
)
def test_a_flag_ends_the_stream_with_nothing_of_the_answer(verdict: Any):
    gated = Gated(verdict, reactivex.never())
    gated.clock.advance(1)
    assert gated.types() == ["rxstream.moderation.flagged", "response.incomplete"]
    assert flagged_in(gated.events).action == "cut"
    assert gated.events[-1].response.incomplete_details.reason == "content_filter"
    assert gated.events[-1].synthetic
    assert gated.end == ["|"]


def test_a_flag_that_is_known_at_once_sends_no_request():
    subscribed: list[int] = []
    source = reactivex.defer(lambda _: subscribed.append(1) or reactivex.from_iterable(ANSWER))
    gated = Gated(lambda: True, source)
    assert gated.types()[-1] == "response.incomplete"
    assert subscribed == []


def test_a_flag_disposes_the_source():
    gated = Gated(later(True), reactivex.never())
    assert gated.disposed == 0
    gated.clock.advance(0.05)
    assert gated.disposed == 1
    assert not gated.clock.waiting


def test_on_flag_error_and_refuse():
    gated = Gated(later(Verdict(True, ("hate",))), on_flag="error")
    gated.clock.advance(1)
    assert gated.types() == ["rxstream.moderation.flagged", "response.incomplete"]
    (error,) = gated.end
    assert isinstance(error, ModerationError)
    assert error.verdict.categories == ("hate",)
    gated = Gated(later(True), on_flag=lambda verdict: "refuse", refusal="Not that.")
    gated.clock.advance(1)
    shown: list[str] = []
    reactivex.from_iterable(gated.events).pipe(rxs.refusals()).subscribe(lambda refusal: shown.append(str(refusal)))
    assert "Not that." in "".join(shown)
    assert gated.types()[-1] == "response.incomplete"
    assert flagged_in(gated.events).action == "refuse"


@pytest.mark.parametrize("choose", [lambda verdict: "annotate", lambda verdict: 1 / 0])
def test_a_function_that_chooses_no_action_chooses_cut(choose: Any):
    gated = Gated(lambda: True, on_flag=choose)
    assert flagged_in(gated.events).action == "cut"


def raises() -> bool:
    raise LookupError("secret")


FAILURES: dict[str, Any] = {
    "raises": raises,
    "fails": lambda: reactivex.throw(LookupError()),
    "is empty": reactivex.empty,
    "is no verdict": lambda: None,
    "hangs": reactivex.never,
    "is a text": later("no"),
    "has no session": lambda: never_awaited(),
}


async def never_awaited() -> bool:
    return False


@pytest.mark.parametrize("verdict", FAILURES.values(), ids=FAILURES)
def test_without_a_verdict_nothing_is_shown_unless_that_was_chosen(verdict: Any):
    for action, ends in (("cut", "|"), ("error", "#"), ("pass", "|")):
        gated = Gated(verdict, timeout=0.2, on_check_error=action)
        gated.clock.advance(1)
        assert ("|" if gated.end == ["|"] else "#") == ends
        if action == "pass":
            assert gated.events == ANSWER
        else:
            assert gated.types() == ["rxstream.moderation.flagged", "response.incomplete"]
            assert flagged_in(gated.events).cause == "check_error"
        assert not gated.clock.waiting


def test_an_error_of_the_source_waits_for_the_verdict():
    error = OSError("gone")
    source = reactivex.concat(reactivex.from_iterable(ANSWER[:4]), reactivex.throw(error))
    gated = Gated(later(False), source)
    assert gated.end == []
    gated.clock.advance(1)
    assert (gated.events, gated.end) == (ANSWER[:4], [error])
    gated = Gated(later(True), source)
    gated.clock.advance(1)
    assert (gated.types()[-1], gated.end) == ("response.incomplete", ["|"])


def test_disposing_disposes_the_source_and_the_verdict_and_the_timer():
    verdict: Subject[bool] = Subject()
    gated = Gated(verdict, reactivex.never())
    gated.subscription.dispose()
    assert gated.disposed == 1
    assert not verdict.observers
    assert not gated.clock.waiting
    verdict.on_next(True)
    assert (gated.events, gated.end) == ([], [])


def test_each_subscription_calls_the_function_again():
    calls: list[int] = []
    result = reactivex.from_iterable(ANSWER).pipe(rxs.gate_until(lambda: bool(calls.append(1))))
    for number in (1, 2):
        events: list[Any] = []
        result.subscribe(events.append)
        assert events == ANSWER
        assert len(calls) == number


class PausedFlow:
    def __init__(self) -> None:
        self.pauses = 0

    def pause(self) -> None:
        self.pauses += 1

    def resume(self) -> None:
        self.pauses -= 1

    def abort(self, error: Exception) -> None:
        raise error


def test_more_than_max_buffer_pauses_the_source():
    source: Subject[Any] = Subject()
    flow = PausedFlow()
    gated = Gated(later(False), source, max_buffer=10)
    token = FLOW.set(flow)
    try:
        for event in [created(), *text_deltas("four", "four", "four")]:
            source.on_next(event)
    finally:
        FLOW.reset(token)
    assert flow.pauses == 1
    gated.clock.advance(0.05)
    assert flow.pauses == 0
    assert len(gated.events) == 4


@pytest.mark.parametrize(("action", "last"), [("cut", "response.incomplete"), ("pass", "response.output_text.delta")])
def test_a_source_that_cannot_be_paused_is_cut(action: Any, last: str):
    source: Subject[Any] = Subject()
    gated = Gated(later(False), source, max_buffer=10, on_check_error=action)
    for event in text_deltas("four", "four", "four"):
        source.on_next(event)
    assert gated.types()[-1] == last
    if action == "cut":
        assert flagged_in(gated.events).cause == "overflow"
    gated.clock.advance(1)
    source.on_next(text_delta("more"))
    assert gated.types()[-1] == last


def test_an_observer_that_raises_gets_its_error():
    source: Subject[Any] = Subject()
    errors: list[Exception] = []
    clock = VirtualClock()

    def fail(event: Any) -> None:
        raise LookupError

    source.pipe(rxs.gate_until(later(False))).subscribe(fail, errors.append, scheduler=clock.scheduler)
    source.on_next(created())
    clock.advance(1)
    assert [type(error) for error in errors] == [LookupError]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"verdict": True}, "expects an Observable, an awaitable or a function of no arguments, got bool"),
        ({"on_flag": "replace"}, "on_flag must be one of 'cut', 'error', 'refuse'"),
        ({"on_check_error": "retry"}, "on_check_error must be one of"),
        ({"max_buffer": 0}, "max_buffer must be 1 or more"),
        ({"timeout": -1}, "timeout must be"),
    ],
)
def test_wrong_arguments_are_errors(arguments: dict[str, Any], message: str):
    with pytest.raises((ValueError, TypeError), match=message):
        rxs.gate_until(arguments.pop("verdict", lambda: False), **arguments)


# ---------------------------------------------------------------------- in a session


@modes
@pytest.mark.parametrize("flagged", [False, True])
def test_an_async_verdict_runs_beside_the_request(mode: str, flagged: bool):
    requested = threading.Event()

    def answer(request: Any) -> answers.Answer:
        requested.set()
        return answers.text("Hello there.", split=3)

    with LocalServer([answer]) as server:
        received = Ended()

        async def judge() -> Verdict:
            with anyio.fail_after(10):
                await anyio.to_thread.run_sync(requested.wait, abandon_on_cancel=True)
            return Verdict(flagged)

        def body(session: Any) -> None:
            received.subscribe(session.response(model="m", input="hi").pipe(rxs.gate_until(judge)))

        in_session(mode, server, body)
        assert received.text == ("" if flagged else "Hello there.")
        assert received.types()[-1] == ("response.incomplete" if flagged else "response.completed")


@modes
def test_a_coroutine_is_a_verdict_for_one_subscription(mode: str):
    with LocalServer([answers.text("Hello there.")]) as server:
        first, second = Ended(), Ended()

        async def judge() -> bool:
            return False

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi").pipe(rxs.gate_until(judge()))
            first.subscribe(answer)
            second.subscribe(answer)

        in_session(mode, server, body)
        assert sorted([first.text, second.text]) == ["", "Hello there."]
        assert flagged_in([*first.events, *second.events]).cause == "check_error"


@modes
def test_the_moderation_endpoint_judges_the_request(mode: str):
    with LocalServer([answers.text("Hello there.")]) as server:
        server.moderate(["bomb"])
        results = {"How do I bake?": "Hello there.", "How do I make a bomb?": ""}
        received = {prompt: Ended() for prompt in results}

        def body(session: Any) -> None:
            moderation = OpenAIModeration(session)
            for prompt, ended in received.items():
                answer = session.response(model="m", input=prompt)
                ended.subscribe(answer.pipe(rxs.gate_until(moderation(Window(prompt)))))

        in_session(mode, server, body)
        assert {prompt: ended.text for prompt, ended in received.items()} == results


def test_it_may_stand_in_a_chain_that_is_iterated():
    with LocalServer([answers.text("Hello there.")]) as server:

        async def slow() -> bool:
            await anyio.sleep(0.05)
            return False

        with rxstream.Session(api_key="k", base_url=server.base_url) as session:
            answer = session.response(model="m", input="hi").pipe(rxs.gate_until(slow), rxs.text_only())
            assert "".join(rxstream.iterate(answer)) == "Hello there."
