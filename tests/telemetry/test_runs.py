"""The spans of a run: turns and calls of tools are its children, and what a tool does is below the tool."""

from __future__ import annotations

import threading
import time
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from rxstream.tools import tool
from tests.session._modes import Heard, in_session, modes, options_for
from tests.telemetry._collected import Collected, parsed


def call(name: str, **arguments: Any) -> Any:
    return answers.function_calls([(name, arguments)])


def run(
    mode: str, collected: Collected, script: list[Any], tools: list[Any], content: bool = False, **options: Any
) -> Heard:
    heard = Heard()
    with LocalServer(script) as server:

        def body(session: rxstream.Session) -> None:
            with collected.tracer.start_as_current_span("app"):
                heard.subscribe(session.run(model="m", input="Q", tools=tools, **options))

        in_session(mode, body, **options_for(server), telemetry=collected.telemetry(content=content))
    return heard


@modes
def test_turns_and_tools_are_children_of_the_run_and_what_a_tool_does_is_below_it(mode: str) -> None:
    collected = Collected()

    @tool
    async def look(city: str) -> str:
        """Look at a city."""
        with collected.tracer.start_as_current_span("in look"):
            await anyio.lowlevel.checkpoint()
        return city

    @tool
    def count(n: int) -> int:
        """Count."""
        with collected.tracer.start_as_current_span("in count"):
            return n

    both = answers.function_calls([("look", {"city": "Oslo"}), ("count", {"n": 3})])
    heard = run(mode, collected, [both, answers.text("Done.")], [look, count])
    assert heard.completed()
    parents = {
        "invoke_agent": "app",
        "execute_tool look": "invoke_agent",
        "execute_tool count": "invoke_agent",
        "in look": "execute_tool look",
        "in count": "execute_tool count",
    }
    assert {name: collected.parent_of(name) for name in parents} == parents
    spans = {span.context.span_id: span.name for span in collected.spans}
    turns = [span for span in collected.spans if span.name == "chat m"]
    assert [spans[turn.parent.span_id] for turn in turns if turn.parent] == ["invoke_agent"] * 2
    assert [(turn.attributes or {})["gen_ai.response.finish_reasons"] for turn in turns] == [("tool_call",), ("stop",)]
    assert collected.span("invoke_agent").kind is SpanKind.INTERNAL
    usage = heard.values[-1].usage
    expected = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "rxstream.outcome": "completed",
    }
    assert expected.items() <= collected.attributes("invoke_agent").items()
    (call_id,) = {event.call_id for event in heard.values if getattr(event, "name", "") == "look"}
    assert collected.attributes("execute_tool look") == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "look",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "Look at a city.",
        "gen_ai.tool.call.id": call_id,
        "rxstream.outcome": "completed",
    }


@modes
def test_the_subscriber_of_a_run_sees_its_own_span(mode: str) -> None:
    collected, seen = Collected(), set[str]()

    @tool
    async def look() -> str:
        """Look."""
        return "sea"

    def note(*_: object) -> None:
        seen.add(getattr(trace.get_current_span(), "name", "none"))

    with LocalServer([call("look"), answers.text("Done.")]) as server:

        def body(session: rxstream.Session) -> None:
            with collected.tracer.start_as_current_span("app"):
                session.run(model="m", input="Q", tools=[look]).subscribe(note, note, note)

        in_session(mode, body, **options_for(server), telemetry=collected.telemetry())
    assert seen == {"app"}


@modes
def test_a_tool_that_fails_ends_its_span_with_its_error_and_the_run_goes_on(mode: str) -> None:
    collected = Collected()

    @tool
    async def look() -> str:
        """Look."""
        raise LookupError("secret text")

    assert run(mode, collected, [call("look"), answers.text("Done.")], [look]).completed()
    span = collected.span("execute_tool look")
    assert collected.attributes("execute_tool look")["error.type"] == "LookupError"
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "LookupError")
    assert collected.attributes("invoke_agent")["rxstream.outcome"] == "completed"


@modes
def test_a_tool_that_takes_too_long_has_a_time_out_and_an_end(mode: str) -> None:
    collected = Collected()

    @tool(timeout=0.05)
    async def look() -> str:
        """Look."""
        await anyio.sleep_forever()
        return ""

    run(mode, collected, [call("look"), answers.text("Done.")], [look])
    assert collected.attributes("execute_tool look")["error.type"] == "TimeoutError"


@modes
def test_disposing_a_run_ends_all_of_its_spans_once_and_without_an_error(mode: str) -> None:
    collected = Collected()

    @tool
    async def look() -> str:
        """Look."""
        await anyio.sleep_forever()
        return ""

    with LocalServer([call("look"), answers.text("Done.")]) as server:

        def body(session: rxstream.Session) -> None:
            source = session.run(model="m", input="Q", tools=[look])
            source.pipe(ops.take_while(lambda event: event.type != "rxstream.tool.started", True)).subscribe()

        in_session(mode, body, **options_for(server), telemetry=collected.telemetry())
    outcomes = {span.name: (span.attributes or {})["rxstream.outcome"] for span in collected.spans}
    assert outcomes.pop("chat m") == "completed"
    assert outcomes.pop("invoke_agent") == "disposed"
    assert set(outcomes.values()) <= {"disposed"}


@modes
def test_a_turn_that_fails_ends_the_run_with_its_error(mode: str) -> None:
    collected = Collected()
    heard = run(mode, collected, [answers.truncated(answers.text("Hello there."), 5)], [])
    assert type(heard.error).__name__ == "TruncatedError"
    for name in ("chat m", "invoke_agent"):
        assert collected.attributes(name)["error.type"] == "TruncatedError"


@modes
def test_a_rule_that_stops_a_run_leaves_it_incomplete(mode: str) -> None:
    collected = Collected()

    @tool
    async def look() -> str:
        """Look."""
        return "sea"

    run(mode, collected, [call("look")], [look], stop_when=rxstream.tools.turns(1))
    assert collected.attributes("invoke_agent")["rxstream.outcome"] == "incomplete"


@pytest.mark.parametrize("content", [False, True])
def test_arguments_and_results_of_calls_are_content(content: bool) -> None:
    collected = Collected()

    @tool
    async def look(city: str) -> dict[str, str]:
        """Look."""
        return {"seen": city}

    run("with", collected, [call("look", city="Oslo"), answers.text("Done.")], [look], content)
    attributes = collected.attributes("execute_tool look")
    assert ("gen_ai.tool.call.arguments" in attributes) == ("gen_ai.tool.call.result" in attributes) == content
    if content:
        assert parsed(attributes, "gen_ai.tool.call.arguments") == {"city": "Oslo"}
        assert parsed(attributes, "gen_ai.tool.call.result") == {"seen": "Oslo"}
        last = dict(collected.spans[-1].attributes or {})
        question, asked, answer = parsed(last, "gen_ai.input.messages")
        assert [message["role"] for message in (question, asked, answer)] == ["user", "assistant", "tool"]
        assert asked["parts"][0]["arguments"] == {"city": "Oslo"}


@modes
def test_by_hand_the_operators_make_the_same_tree(mode: str) -> None:
    collected, heard = Collected(), Heard()
    telemetry = collected.telemetry()

    @tool
    async def look() -> str:
        """Look."""
        return "sea"

    with LocalServer([call("look"), answers.text("Done.")]) as server:

        def body(session: rxstream.Session) -> None:
            def ask(items: Any) -> Any:
                return session.response(model="m", input=items, tools=[look]).pipe(telemetry.traced(model="m"))

            run = ask("Q").pipe(rxs.run_tools([look], ask), telemetry.traced_run(agent="guide", model="m"))
            heard.subscribe(run)

        in_session(mode, body, **options_for(server))
    assert heard.completed()
    assert sorted(collected.names) == ["chat m", "chat m", "execute_tool look", "invoke_agent guide"]
    assert collected.parent_of("execute_tool look") == "invoke_agent guide"
    assert collected.attributes("invoke_agent guide")["gen_ai.agent.name"] == "guide"


def test_the_tools_of_an_untraced_run_that_a_subscriber_starts_are_not_traced() -> None:
    collected, heard = Collected(), Heard()

    @tool
    async def look() -> str:
        """Look."""
        return "sea"

    with LocalServer([call("look"), answers.text("Done."), call("look"), answers.text("Done.")]) as server:
        options = options_for(server)
        with (
            rxstream.Session(**options) as plain,
            rxstream.Session(**options, telemetry=collected.telemetry()) as traced,
        ):
            run = plain.run(model="n", input="Q", tools=[look])
            traced.run(model="m", input="Q", tools=[look]).subscribe(on_completed=lambda: heard.subscribe(run) and None)
            deadline = time.monotonic() + 20
            while not heard.completions and time.monotonic() < deadline:
                threading.Event().wait(0.01)
    assert heard.completed()
    assert collected.names.count("execute_tool look") == 1
