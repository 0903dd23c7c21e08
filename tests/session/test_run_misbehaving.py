"""Tools, observers and functions of the app that do what they should not: the run goes on, or says what is wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest
import reactivex
from reactivex import Observable

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from rxstream.tools import Context, FileLedger, RunProgress, Tool, ToolProgressEvent, tool
from tests.session._modes import Heard, in_session, modes, nothing_left_behind, options_for
from tests.session._runs import look, run
from tests.waiting import BOUND


def one_call(name: str = "act", count: int = 1) -> list[Any]:
    return [answers.function_calls([(name, {})] * count), "Done."]


def outputs(requests: list[Any]) -> list[str]:
    return [item["output"] for item in requests[-1]["input"] if item.get("type") == "function_call_output"]


# ---------------------------------------------------------------------- cancellations that nobody asked for


def raises_in_a_thread() -> str:
    raise asyncio.CancelledError("mine")


async def raises_on_the_loop() -> str:
    raise asyncio.CancelledError("mine")


async def raises_later() -> AsyncIterator[int]:
    yield 1
    raise asyncio.CancelledError("mine")


@pytest.mark.parametrize("mode", ["with", "asyncio"])
@pytest.mark.parametrize("fn", [raises_in_a_thread, raises_on_the_loop, raises_later])
def test_a_cancellation_of_the_tools_own_is_told_to_the_model(mode: str, fn: Callable[[], Any]) -> None:
    """The tool has waited for a task or a future of its own that was cancelled."""
    with nothing_left_behind():
        heard, requests = run(mode, one_call(), tools=[Tool(fn, name="act")])
    assert heard.completed()
    assert outputs(requests) == ["Error: RuntimeError: CancelledError was raised, but nothing here was cancelled"]


@pytest.mark.parametrize("mode", ["with", "asyncio"])
def test_a_cancellation_in_approve_refuses_the_call(mode: str) -> None:
    def approve(call: Any) -> bool:
        raise asyncio.CancelledError

    heard, requests = run(mode, one_call(), tools=[Tool(lambda: "x", name="act", needs_approval=True)], approve=approve)
    assert heard.completed()
    assert "CancelledError" in outputs(requests)[0]


# ---------------------------------------------------------------------- tools that never end


@modes
def test_a_generator_that_never_waits_leaves_the_loop_to_others(mode: str) -> None:
    async def count() -> AsyncIterator[int]:
        number = 0
        while True:
            yield (number := number + 1)

    with nothing_left_behind():
        heard, requests = run(mode, one_call("count"), tools=[Tool(count, timeout=0.05)])
    assert heard.completed()
    assert outputs(requests) == ["Error: count() took longer than 0.05 s"]
    assert any(isinstance(event, ToolProgressEvent) for event in heard.values)


@modes
def test_as_many_plain_functions_run_as_may(mode: str) -> None:
    """anyio lends 40 threads to the whole process; a run has its own."""
    together = threading.Barrier(60)

    def act() -> str:
        together.wait(BOUND)
        return "met"

    heard, requests = run(mode, one_call(count=60), tools=[act], max_in_flight=60)
    assert heard.completed()
    assert outputs(requests) == ["met"] * 60


@modes
def test_a_ledger_does_not_wait_for_the_threads_of_others(mode: str, tmp_path: Any) -> None:
    heard = Heard()
    with LocalServer(one_call()) as server:

        async def main(session: rxstream.Session) -> None:
            limiter = anyio.to_thread.current_default_thread_limiter()
            before, limiter.total_tokens = limiter.total_tokens, 1
            async with limiter:  # the only thread of the default kind is taken
                source = session.run(
                    model="m", input="Q", tools=[Tool(lambda: "x", name="act")], ledger=FileLedger(tmp_path / "run")
                )
                with anyio.fail_after(BOUND):
                    async for event in rxstream.iterate(source):
                        heard.values.append(event)
            limiter.total_tokens = before

        in_session(mode, lambda session: session.spawn(lambda: main(session)), **options_for(server))
    assert heard.types[-1] == "rxstream.run.finished"


# ---------------------------------------------------------------------- observers that raise


async def emits(context: Context) -> str:
    context.emit(1)
    return "x"


def emits_in_a_thread(context: Context) -> str:
    context.emit(1)
    return "x"


async def yields() -> AsyncIterator[int]:
    yield 1


def is_observable() -> Observable[int]:
    return reactivex.of(1)


@modes
@pytest.mark.parametrize("fn", [emits, emits_in_a_thread, yields, is_observable])
def test_an_observer_that_raises_at_progress_is_heard(mode: str, fn: Callable[..., Any]) -> None:
    """Without an `on_error`, leaving the session raises it. It is not an error of the tool."""

    def refuse(event: Any) -> None:
        if isinstance(event, ToolProgressEvent):
            raise LookupError("mine")

    heard = Heard()
    tools = [Tool(fn, name="act")]
    with LocalServer(one_call()) as server:
        with pytest.raises(LookupError, match="mine"):
            in_session(
                mode,
                lambda session: session.run(model="m", input="Q", tools=tools).subscribe(refuse),
                **options_for(server),
            )
        assert len(server.log) == 1
        server.say(*one_call())
        in_session(
            mode,
            lambda session: session.run(model="m", input="Q", tools=tools).subscribe(refuse, heard.errors.append),
            **options_for(server),
        )
    assert isinstance(heard.error, LookupError)


@modes
def test_progress_after_the_end_of_the_session_is_dropped(mode: str) -> None:
    """A thread cannot be cancelled: what a tool still does there must not fail because it reports it."""
    began, left, ended = threading.Event(), threading.Event(), threading.Event()
    raised: list[Exception] = []

    def act(context: Context) -> None:
        began.set()
        left.wait(BOUND)
        try:
            context.emit("late")
        except Exception as error:
            raised.append(error)
        ended.set()

    heard, requests = run(mode, one_call(), tools=[Tool(act, timeout=0.2)])
    left.set()
    assert not began.is_set() or ended.wait(BOUND)  # on a busy machine the time may be over before it begins
    assert raised == []
    assert heard.completed()
    assert outputs(requests) == ["Error: act() took longer than 0.2 s"]


# ---------------------------------------------------------------------- functions of the app


async def later(argument: Any) -> Any:
    return "later"


def test_functions_of_the_wrong_kind_are_refused_at_once() -> None:
    wrong: list[tuple[type[Exception], dict[str, Any], str]] = [
        (TypeError, {"approve": True}, "approve expects a function of the call, got True"),
        (TypeError, {"on_tool_error": later}, "on_tool_error expects a plain function, got the async function later"),
        (TypeError, {"stop_when": later}, "stop_when expects a plain function, got the async function later"),
    ]
    with rxstream.Session(api_key="k") as session:
        for kind, options, message in wrong:
            with pytest.raises(kind, match=message):
                session.run(model="m", input="Q", tools=[look], **options)


@pytest.mark.parametrize("answer", [None, 3, ["x"]])
def test_on_tool_error_returns_a_text(answer: Any) -> None:
    def act() -> str:
        raise LookupError("gone")

    heard, requests = run("with", one_call(), tools=[act], on_tool_error=lambda error: answer)
    assert isinstance(heard.error, TypeError)
    assert str(heard.error) == f"on_tool_error: expected a text for the model, got {type(answer).__name__}"
    assert isinstance(heard.error.__cause__, LookupError)
    assert len(requests) == 1


# ---------------------------------------------------------------------- a run in a run


@modes
@pytest.mark.parametrize("kind", ["awaits", "blocks", "returns it"])
def test_a_tool_may_be_a_run_of_the_same_session(mode: str, kind: str) -> None:
    heard = Heard()
    inner = [answers.function_calls([("look", {"city": "Oslo"})]), "Inner."]
    with LocalServer([answers.function_calls([("ask", {})]), *inner, "Outer."]) as server, nothing_left_behind():

        def body(session: rxstream.Session) -> None:
            def observable() -> Observable[str]:
                return session.run(model="m", input="Go.", tools=[look]).pipe(rxs.text_only())

            async def awaits() -> str:
                return await rxstream.result(observable())

            def blocks() -> str:
                return rxstream.result(observable()).wait(BOUND)

            fn = {"awaits": awaits, "blocks": blocks, "returns it": observable}[kind]
            heard.subscribe(session.run(model="m", input="Q", tools=[Tool(fn, name="ask")]))

        in_session(mode, body, **options_for(server))
        assert heard.completed()
        assert outputs([server.log[-1].json]) == ["Inner."]


def test_a_rule_of_the_app_is_asked_with_the_progress() -> None:
    asked: list[RunProgress] = []

    def enough(progress: RunProgress) -> bool:
        asked.append(progress)
        return False

    @tool
    def act() -> str:
        return "x"

    run("with", one_call(), tools=[act], stop_when=enough)
    assert [(each.turns, each.tool_calls, each.called) for each in asked] == [(1, 1, ("act",))]
