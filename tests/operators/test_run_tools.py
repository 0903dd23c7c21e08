"""A run against a local server: what the tools get, what the model gets, and every way to end."""

from __future__ import annotations

import contextvars
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import reactivex
from reactivex import Observable
from reactivex.subject import ReplaySubject, Subject

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ToolError, TruncatedError
from rxstream.testing import LocalServer, answers
from rxstream.tools import (
    Context,
    Image,
    RunFinishedEvent,
    Tool,
    ToolApprovalEvent,
    ToolFinishedEvent,
    ToolProgressEvent,
    called,
    tool,
)
from tests.session._modes import Heard, in_session, modes, nothing_left_behind, options_for
from tests.session._runs import look
from tests.waiting import until, wait_for


def calls(*names: str, **arguments: Any) -> answers.Answer:
    return answers.function_calls([(name, arguments, f"call_{i}") for i, name in enumerate(names)])


def run(mode: str, script: list[Any], tools: list[Any], **options: Any) -> tuple[Heard, list[Any]]:
    """A run in a session of that mode, and the bodies of its requests."""
    heard = Heard()
    with LocalServer(script) as server:

        def body(session: rxstream.Session) -> None:
            def ask(items: list[Any] | str) -> Observable[Any]:
                return session.response(model="m", input=items, tools=tools)

            heard.subscribe(ask("Q").pipe(rxs.run_tools(tools, ask, input="Q", **options)))

        in_session(mode, body, **options_for(server))
        return heard, [exchange.json for exchange in server.log]


def outputs(request: dict[str, Any]) -> list[Any]:
    return [item["output"] for item in request["input"] if item.get("type") == "function_call_output"]


def outputs_of(script: list[Any], tools: list[Any], **options: Any) -> list[Any]:
    heard, requests = run("with", [*script, "Done."], tools, **options)
    assert heard.completed()
    return outputs(requests[-1])


def of_type(heard: Heard, kind: type[Any]) -> list[Any]:
    return [event for event in heard.values if isinstance(event, kind)]


@modes
def test_a_run(mode: str) -> None:
    with nothing_left_behind():
        heard, requests = run(mode, [calls("look", "look", city="Oslo"), calls("look", city="Rome"), "Warm."], [look])
    assert heard.completed()
    assert len(requests) == 3
    assert [item.get("type") for item in requests[2]["input"]] == [
        *(None, "function_call", "function_call", "function_call_output", "function_call_output"),
        *("function_call", "function_call_output"),
    ]
    assert outputs(requests[2]) == ['{"city":"Oslo"}', '{"city":"Oslo"}', '{"city":"Rome"}']
    assert requests[2]["input"][: len(requests[1]["input"])] == requests[1]["input"]
    last = heard.values[-1]
    assert isinstance(last, RunFinishedEvent)
    assert (last.turn, last.stopped_by) == (3, "answer")
    assert last.input[:-1] == requests[2]["input"]
    assert last.input[-1]["content"][0]["text"] == "Warm."
    usages = [event.response.usage for event in heard.values if event.type == "response.completed"]
    assert last.usage is not None
    assert last.usage.total_tokens == sum(usage.total_tokens for usage in usages)
    assert last.usage.input_tokens == sum(usage.input_tokens for usage in usages)
    ours = [event.type for event in heard.values if event.type.startswith("rxstream.")]
    assert ours.count("rxstream.turn.started") == 3
    assert ours.count("rxstream.tool.finished") == 3
    assert all(event.model_dump_json() for event in heard.values)


def test_operators_behind_a_run() -> None:
    script = [calls("look", city="Oslo"), "Warm."]
    with LocalServer(script) as server, rxstream.Session(**options_for(server)) as session:

        def ask(items: list[Any] | str) -> Observable[Any]:
            return session.response(model="m", input=items, tools=[look])

        events = ask("Q").pipe(rxs.run_tools([look], ask, input="Q"), rxs.shared())
        assert "".join(rxstream.iterate(events.pipe(rxs.text_only()))) == "Warm."
        responses = list(rxstream.iterate(events.pipe(rxs.final_response())))
        assert [response.output[0].type for response in responses] == ["function_call", "message"]


def test_a_pure_tool_starts_while_the_response_goes_on() -> None:
    heard, _ = run("with", [answers.together(calls("look", city="Oslo"), answers.text("Wait.")), "Warm."], [look])
    types = heard.types
    assert types.index("rxstream.tool.started") < types.index("response.output_text.delta")


def test_a_tool_with_effects_waits_for_the_end_of_the_response() -> None:
    def save(city: str) -> str:
        return city

    heard, _ = run("with", [calls("save", city="Oslo"), "Saved."], [save])
    types = heard.types
    assert types.index("response.completed") < types.index("rxstream.tool.started")


def test_what_goes_wrong_is_told_to_the_model() -> None:
    @tool(timeout=0.05)
    async def hang(city: str) -> None:
        await anyio.sleep_forever()

    def fail(city: str) -> None:
        raise LookupError("no such\ncity")

    def strange(city: str) -> object:
        return object()

    script = [calls("hang", "fail", "nowhere", "strange", city="Oslo"), calls("look", town="Oslo")]
    told = outputs_of(script, [hang, fail, strange, look])
    assert told[:3] == [
        "Error: hang() took longer than 0.05 s",
        "Error: LookupError: no such city",
        "Error: there is no tool nowhere; there are: hang, fail, strange, look",
    ]
    assert told[3].startswith("Error: TypeError: expected what JSON can hold as the result of a tool, got object")
    assert told[4].startswith("Error: cannot read the arguments of look(): city: Field required")


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_whose_text_cannot_be_read_is_told_by_its_type() -> None:
    def fail() -> None:
        raise Unreadable

    assert outputs_of([calls("fail")], [fail]) == ["Error: Unreadable"]


def test_what_on_tool_error_raises_is_the_end() -> None:
    def fail() -> None:
        raise LookupError("gone")

    def raise_again(error: Exception) -> str:
        raise error

    heard, requests = run("with", [calls("fail")], [fail], on_tool_error=raise_again)
    assert isinstance(heard.error, LookupError)
    assert len(requests) == 1


def test_errors_as_the_app_says_them_or_raised() -> None:
    def fail(city: str) -> None:
        raise LookupError("secret path")

    assert outputs_of([calls("fail", city="O")], [fail], on_tool_error=lambda error: type(error).__name__) == [
        "LookupError"
    ]
    heard, requests = run("with", [calls("fail", city="O")], [fail], on_tool_error="raise")
    assert isinstance(heard.error, LookupError)
    assert len(requests) == 1
    heard, _ = run("with", [calls("nowhere")], [], on_tool_error="raise")
    assert isinstance(heard.error, ToolError)


def test_progress_of_any_kind_can_be_written(tmp_path: Path) -> None:
    reports = ["a", {"x": [1]}, b"\xff", float("nan"), "\ud800", Unreadable]

    def work(context: Context) -> str:
        for report in reports:
            context.emit(report)
        return "caf\udce9"

    heard, path = Heard(), tmp_path / "run.tape"
    with LocalServer([calls("work"), "Done."]) as server, rxstream.Session(**options_for(server)) as session:
        run = session.run(model="m", input="Q", tools=[Tool(work)])
        heard.subscribe(run.pipe(rxs.tee_to_tape(path)))
    assert heard.completed()
    shown = [json.loads(event.model_dump_json())["progress"] for event in of_type(heard, ToolProgressEvent)]
    assert shown == ["a", {"x": [1]}, repr(b"\xff"), None, "'\\ud800'", repr(Unreadable)]
    assert [event.progress for event in of_type(heard, ToolProgressEvent)][-1] is Unreadable


def test_generators_observables_and_parts() -> None:
    async def asynchronous(city: str) -> AsyncIterator[str]:
        yield "a"
        yield "b"

    def plain(city: str) -> Iterator[str]:
        yield "c"
        yield "d"

    def observable(city: str) -> Observable[str]:
        return reactivex.of("e", "f")

    def picture(city: str) -> list[Any]:
        return ["See:", Image(url="https://example.com/a.png")]

    def coroutine(city: str) -> Any:
        return look.fn(city)

    tools = [asynchronous, plain, observable, picture, coroutine]
    heard, requests = run("with", [calls(*(each.__name__ for each in tools), city="O"), "Done."], tools)
    assert outputs(requests[1])[:3] == ["b", "d", "f"]
    assert [part["type"] for part in outputs(requests[1])[3]] == ["input_text", "input_image"]
    assert outputs(requests[1])[4] == '{"city":"O"}'
    assert sorted(event.progress for event in of_type(heard, ToolProgressEvent)) == [*"abcdef"]


@modes
def test_the_context_of_a_call(mode: str) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("mine")

    def in_a_thread(city: str, context: Context[str]) -> str:
        context.emit(f"{context.call_id} {context.turn}")
        return f"{context.deps} {variable.get()}"

    async def on_the_loop(city: str, context: Context[str]) -> str:
        context.emit("half")
        return f"{context.deps} {variable.get()}"

    tools = [in_a_thread, on_the_loop]
    heard, requests = run(mode, [calls("in_a_thread", "on_the_loop", city="O"), "Done."], tools, deps="deps")
    assert heard.completed()
    assert outputs(requests[1]) == ["deps mine", "deps mine"]
    assert {event.progress for event in of_type(heard, ToolProgressEvent)} == {"call_0 1", "half"}


@pytest.mark.parametrize("kind", ["function", "coroutine", "observable", "empty"])
@pytest.mark.parametrize("approved", [True, False])
def test_approval(kind: str, approved: bool) -> None:
    ran: list[str] = []

    @tool(needs_approval=True)
    def pay(city: str) -> str:
        ran.append(city)
        return "paid"

    async def later() -> bool:
        return approved

    subject: ReplaySubject[bool] = ReplaySubject()
    subject.on_next(approved)
    answer: dict[str, Callable[[Any], Any]] = {
        "function": lambda call: approved,
        "coroutine": lambda call: later(),
        "observable": lambda call: subject,
        "empty": lambda call: reactivex.just(True) if approved else reactivex.empty(),
    }
    heard, requests = run("with", [calls("pay", city="O"), "Done."], [pay], approve=answer[kind])
    (asked,) = of_type(heard, ToolApprovalEvent)
    assert (asked.name, asked.arguments) == ("pay", '{"city":"O"}')
    assert outputs(requests[1]) == ["paid" if approved else "Error: the call of pay() was not approved"]
    assert ran == (["O"] if approved else [])


def test_a_rule_stops_the_run_with_the_outputs_in_its_input() -> None:
    heard, requests = run("with", [calls("look", city="O")], [look], stop_when=called("look"))
    assert heard.completed()
    assert len(requests) == 1
    last = heard.values[-1]
    assert last.stopped_by == "called('look')"
    assert last.input[-1] == {"type": "function_call_output", "call_id": "call_0", "output": '{"city":"O"}'}


def test_an_incomplete_turn_ends_the_run() -> None:
    heard, requests = run("with", [calls("look", city="O"), answers.incomplete("It ra")], [look])
    assert heard.completed()
    last = heard.values[-1]
    assert (last.stopped_by, last.turn) == ("incomplete", 2)
    assert last.input == requests[1]["input"]
    used = [
        event.response.usage for event in heard.values if event.type in ("response.completed", "response.incomplete")
    ]
    assert last.usage == used[0] + used[1], "the tokens of a turn that was cut short were used too"


def test_calls_of_other_kinds_are_left_to_the_app() -> None:
    custom = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "sql", "input": "SELECT 1"}
    events = answers.events_of(answers.text("Hi"))
    completed = events[-1].model_dump(mode="json")
    completed["response"]["output"].append(custom)
    source = reactivex.from_iterable([*events[:-1], rxstream.parse_event(json.dumps(completed))])
    heard = Heard()
    heard.subscribe(source.pipe(rxs.run_tools([], lambda items: reactivex.never())))
    assert heard.completed()
    assert heard.values[-1].stopped_by == "unanswered"
    assert heard.values[-1].input[-1] == custom


@modes
def test_disposing_cancels_the_turn_and_its_tools(mode: str) -> None:
    ended: list[str] = []
    began = threading.Event()

    @tool(pure=True)
    async def forever(city: str) -> None:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(city)

    with LocalServer([answers.hang(calls("forever", city="O"), after=6)]) as server, nothing_left_behind():

        def body(session: rxstream.Session) -> None:
            source = session.response(model="m", input="Q")
            heard = Heard()
            subscription = heard.subscribe(
                source.pipe(rxs.run_tools([forever], lambda items: reactivex.never(), input="Q"))
            )
            session.spawn(lambda: dispose_later(subscription))

        async def dispose_later(subscription: Any) -> None:
            await until(began.is_set)
            subscription.dispose()

        in_session(mode, body, **options_for(server))
    wait_for(lambda: ended == ["O"])


def test_a_turn_that_is_cut_is_an_error_and_cancels_what_runs() -> None:
    ended: list[str] = []
    began = threading.Event()

    @tool(pure=True)
    async def forever(city: str) -> None:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(city)

    source: Subject[Any] = Subject()
    heard = Heard()
    with rxstream.Session(api_key="k"):
        heard.subscribe(source.pipe(rxs.run_tools([forever], lambda items: reactivex.never())))
        for event in answers.events_of(calls("forever", city="O"))[:-1]:
            source.on_next(event)
        wait_for(began.is_set)
        source.on_completed()
    assert isinstance(heard.error, TruncatedError)
    assert not of_type(heard, ToolFinishedEvent)
    assert ended == ["O"]


def test_what_ask_raises_or_returns_is_the_end() -> None:
    for ask, kind in [(lambda items: 1 / 0, ZeroDivisionError), (lambda items: 3, TypeError)]:
        heard = Heard()
        with rxstream.Session(api_key="k"):
            source = reactivex.from_iterable(answers.events_of(calls("nowhere")))
            heard.subscribe(source.pipe(rxs.run_tools([], ask)))  # type: ignore[arg-type]
        assert isinstance(heard.error, kind)


def test_a_rule_that_raises_is_the_end() -> None:
    heard = Heard()
    source = reactivex.from_iterable(answers.events_of(calls("nowhere")))
    heard.subscribe(source.pipe(rxs.run_tools([], lambda items: reactivex.never(), stop_when=lambda run: 1 / 0)))
    assert isinstance(heard.error, ZeroDivisionError)


def test_a_tool_without_a_session() -> None:
    heard = Heard()
    source = reactivex.from_iterable(answers.events_of(calls("look", city="O")))
    heard.subscribe(source.pipe(rxs.run_tools([look], lambda items: reactivex.never())))
    assert isinstance(heard.error, RuntimeError)
    assert "run_tools needs a session to run tools in" in str(heard.error)


def test_an_observer_that_raises_at_an_event_of_a_tool_gets_its_error() -> None:
    heard = Heard()

    def on_next(event: Any) -> None:
        if isinstance(event, ToolFinishedEvent):
            raise LookupError("mine")

    with LocalServer([calls("look", city="O")]) as server, rxstream.Session(**options_for(server)) as session:
        source = session.response(model="m", input="Q")
        run = rxs.run_tools([look], lambda items: reactivex.never(), input="Q")
        source.pipe(run).subscribe(on_next, heard.errors.append)
    assert isinstance(heard.error, LookupError)


def test_wrong_arguments() -> None:
    def ask(items: list[Any]) -> Observable[Any]:
        raise NotImplementedError

    careful = Tool(look.fn, name="careful", needs_approval=True)
    for options, message in [
        ({"tools": [look, look]}, "two of the name look"),
        ({"tools": [careful]}, "expects approve= for the tool careful"),
        ({"max_in_flight": 0}, "max_in_flight must be 1 or more"),
        ({"max_in_flight": 2.5}, "max_in_flight must be 1 or more, got 2.5"),
        ({"max_in_flight": "2"}, "max_in_flight must be 1 or more, got '2'"),
        ({"on_tool_error": "ignore"}, "on_tool_error must be"),
    ]:
        with pytest.raises(ValueError, match=message):
            rxs.run_tools(**{"tools": [], "ask": ask, **options})  # type: ignore[arg-type]
    for options, message in [
        ({"ask": 3}, "expects a function that asks the model again"),
        ({"tools": [3]}, "expected a function to make a tool of"),
        ({"stop_when": 3}, "expected a rule"),
    ]:
        with pytest.raises(TypeError, match=message):
            rxs.run_tools(**{"tools": [], "ask": ask, **options})  # type: ignore[arg-type]
    rxs.run_tools([{"type": "web_search"}], ask)
