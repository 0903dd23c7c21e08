"""`session.run`: a whole run as one Observable."""

from __future__ import annotations

import threading
from inspect import signature
from typing import Any, cast

import anyio
import pytest
from pydantic import BaseModel
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ResponseFailedError, StatusError
from rxstream.moderation import Blocklist
from rxstream.operators._running import RunOptions
from rxstream.testing import LocalServer, answers
from rxstream.tools import Context, RunFinishedEvent, ToolFinishedEvent, ToolStartedEvent, called, tool
from tests.session._modes import Heard, in_session, modes, nothing_left_behind, options_for
from tests.session._runs import journey, kinds, look, run, text_of, traveller, with_session
from tests.waiting import BOUND, until, wait_for


@modes
def test_a_run_asks_until_the_model_answers(mode: str) -> None:
    with nothing_left_behind():
        heard, requests = journey("Oslo", "Rome", mode=mode, instructions="Be brief.")
    assert heard.completed()
    assert text_of(heard) == "I saw Oslo, Rome."
    assert [kinds(request["input"]) for request in requests] == [
        ["message"],
        ["message", "reasoning", "function_call", "function_call_output"],
        ["message", *["reasoning", "function_call", "function_call_output"] * 2],
    ]
    last = heard.values[-1]
    assert isinstance(last, RunFinishedEvent)
    assert (last.turn, last.stopped_by) == (3, "answer")
    assert last.input[:-1] == requests[2]["input"]
    for request in requests:
        assert (request["instructions"], request["model"], request["stream"]) == ("Be brief.", "m", True)
        assert request["tools"] == [look.definition]


def test_the_next_run_begins_with_the_input_of_the_last() -> None:
    with LocalServer([answers.conversation(traveller("Oslo"))]) as server, with_session(server) as session:
        request: dict[str, Any] = {"model": "m", "tools": [look]}
        first = rxstream.result(session.run(input="Go.", **request)).wait(BOUND)
        server.say(answers.conversation(traveller("Oslo", "Rome")))
        asked = [*cast(RunFinishedEvent, first).input, {"role": "user", "content": "And Rome?"}]
        text = "".join(rxstream.iterate(session.run(input=asked, **request).pipe(rxs.text_only())))
    assert text == "I saw Oslo, Rome."


def test_each_subscription_is_a_run_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    one, other = Heard(), Heard()
    with LocalServer([answers.conversation(traveller("Oslo"))]) as server:
        with with_session(server) as session:
            source = session.run(model="m", input="Q", tools=[look])
            assert server.log == []
            one.subscribe(source)
            other.subscribe(source)
        assert one.completed()
        assert other.completed()
        assert len(server.log) == 4
    assert [record.message.split(" asks")[0] for record in caplog.records] == ["a second subscription to the same run"]


def test_server_tools_and_formats_are_passed_on() -> None:
    class City(BaseModel):
        name: str

    search = {"type": "web_search"}
    script = [answers.function_calls([("look", {"city": "Oslo"})]), answers.structured(City(name="Oslo"))]
    heard, requests = run("with", script, tools=[look, search], text_format=City)
    assert heard.completed()
    assert [request["tools"] for request in requests] == [[look.definition, search]] * 2
    assert all(request["text"]["format"]["name"] == "City" for request in requests)


def test_the_options_of_run_tools() -> None:
    @tool(needs_approval=True)
    def pay(euros: int, context: Context[str]) -> str:
        return context.deps

    def fail(city: str) -> None:
        raise LookupError("no such city")

    script = [answers.function_calls([("pay", {"euros": 3}), ("fail", {"city": "Oslo"})]), "Done."]
    heard, requests = run(
        "with",
        script,
        tools=[pay, fail],
        deps="mine",
        approve=lambda call: True,
        on_tool_error=lambda error: str(error),
        max_in_flight=1,
    )
    assert heard.completed()
    assert [item["output"] for item in requests[1]["input"][-2:]] == ["mine", "no such city"]
    assert not RunOptions.__annotations__.keys() & requests[0].keys()
    heard, requests = run("with", script, tools=[fail, pay], approve=lambda call: False, stop_when=called("fail"))
    assert heard.values[-1].stopped_by == "called('fail')"


def test_no_option_of_run_tools_is_forgotten() -> None:
    parameters = signature(rxs.run_tools).parameters.values()
    options = {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}
    assert RunOptions.__annotations__.keys() == options - {"input", "scheduler", "new_items_only", "reopen"}


@modes
def test_each_turn_passes_a_moderator_before_the_tools_see_it(mode: str) -> None:
    script = [answers.function_calls([("look", {"city": "Mordor"})]), answers.text("Never.")]
    check = Blocklist(["mordor"])
    through = (rxs.debounce_moderation(check, on_flag="error"),)
    heard, requests = run(mode, script, through=through)
    assert isinstance(heard.error, rxstream.ModerationError)
    assert len(requests) == 1
    assert not any(isinstance(event, ToolStartedEvent) for event in heard.values)


@pytest.mark.parametrize("pure", [True, False])
@pytest.mark.parametrize("on_flag", ["cut", "error", "refuse", "replace"])
def test_a_call_that_is_flagged_does_not_run_as_it_was_written(on_flag: Any, pure: bool) -> None:
    went: list[str] = []

    @tool(pure=pure)
    def go(city: str) -> str:
        went.append(city)
        return "there"

    script = [answers.function_calls([("go", {"city": "Mordor"}), ("go", {"city": "Oslo"})]), "Done."]
    through = (rxs.debounce_moderation(Blocklist(["mordor"]), on_flag=on_flag),)
    heard, requests = run("with", script, tools=[go], through=through)
    if on_flag == "replace":  # what was replaced is what the tool gets
        assert heard.completed()
        assert sorted(went) == ["Oslo", "[removed]"]
        assert "Mordor" not in str(requests)
        return
    assert went == []
    assert len(requests) == 1
    if on_flag == "error":
        assert isinstance(heard.error, rxstream.ModerationError)
    else:
        assert heard.completed()
        assert heard.values[-1].stopped_by == "incomplete"


def test_what_through_replaces_does_not_go_back_to_the_model() -> None:
    calls = answers.together(answers.text("The word is sesame."), answers.function_calls([("look", {"city": "Oslo"})]))
    through = [rxs.debounce_moderation(Blocklist(["sesame"]), on_flag="replace")]
    heard, requests = run("with", [calls, "Done."], through=through)
    assert heard.completed()
    assert "sesame" not in str(requests[1]["input"])
    assert kinds(requests[1]["input"])[-2:] == ["function_call", "function_call_output"]


def test_operators_of_through_begin_anew_in_each_turn() -> None:
    heard, requests = journey("Oslo", "Rome", through=(ops.filter(lambda event: "reasoning" not in event.type),))
    assert len(requests) == 3
    assert not any("reasoning" in event.type for event in heard.values)
    with LocalServer([answers.conversation(traveller("Oslo"))]) as server, with_session(server) as session:
        source = session.run(model="m", input="Q", tools=[look], through=(ops.take_while(is_no_end, inclusive=True),))
        types = [event.type for event in rxstream.iterate(source)]
    assert types.count("response.completed") == 2


def is_no_end(event: Any) -> bool:
    return event.type != "response.completed"


@modes
def test_disposing_closes_the_turn_and_cancels_the_tools(mode: str) -> None:
    ended: list[str] = []
    began = threading.Event()

    @tool(pure=True)
    async def forever(city: str) -> None:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(city)

    hanging = answers.hang(answers.function_calls([("forever", {"city": "Oslo"})]), after=8)
    script = [answers.function_calls([("look", {"city": "Oslo"})]), hanging]
    with LocalServer(script) as server, nothing_left_behind():

        def body(session: rxstream.Session) -> None:
            subscription = Heard().subscribe(session.run(model="m", input="Q", tools=[look, forever]))
            session.spawn(lambda: dispose_later(subscription))

        async def dispose_later(subscription: Any) -> None:
            await until(began.is_set)
            subscription.dispose()
            log = await server.until_closed(1, BOUND)
            assert log[1].closed_by_client

        in_session(mode, body, **options_for(server))
    wait_for(lambda: ended == ["Oslo"])


def test_disposing_cancels_a_background_turn_on_the_server() -> None:
    script = [answers.function_calls([("look", {"city": "Oslo"})]), answers.hang(answers.text("I saw Oslo."), after=4)]
    with LocalServer(script) as server, with_session(server) as session:
        source = session.run(model="m", input="Q", tools=[look], background=True, cancel_remote=True)
        heard = Heard()
        subscription = heard.subscribe(source)
        wait_for(lambda: heard.types.count("response.output_item.added") == 2)
        subscription.dispose()
        assert server.wait_requests(3, BOUND)[-1].path.endswith("/cancel")


def test_a_turn_that_is_lost_is_resumed() -> None:
    script = [
        answers.disconnect(answers.function_calls([("look", {"city": "Oslo"})]), 4),
        answers.disconnect(answers.text("I saw Oslo."), 5),
    ]
    heard, requests = run("with", script, background=True, resume=True)
    assert heard.completed()
    assert text_of(heard) == "I saw Oslo."
    assert [event.turn for event in heard.values if isinstance(event, ToolFinishedEvent)] == [1]
    assert len(requests) == 4  # two of them read on


@modes
def test_a_slow_loop_pauses_the_turn(mode: str) -> None:
    script = [answers.function_calls([("look", {"city": "Oslo"})]), answers.endless(" and" * 500)]
    with LocalServer(script) as server:

        async def slow(session: rxstream.Session) -> None:
            number = 0
            async for event in rxstream.iterate(session.run(model="m", input="Q", tools=[look]), buffer=4):
                number += event.type == "response.output_text.delta"
                if number == 50:
                    await anyio.sleep(0.3)
                    assert server.log[1].bytes_sent < 16 * 2**20
                if number == 60:
                    break

        in_session(mode, lambda session: session.spawn(lambda: slow(session)), **options_for(server))
        assert server.wait_closed(1, BOUND)[1].closed_by_client


@modes
def test_errors_of_a_turn_end_the_run(mode: str) -> None:
    heard, _ = run(mode, [answers.function_calls([("look", {"city": "Oslo"})]), answers.failed()])
    assert isinstance(heard.error, ResponseFailedError)
    heard, _ = run(mode, [answers.function_calls([("look", {"city": "Oslo"})]), answers.http_error(500)])
    assert isinstance(heard.error, StatusError)
    assert any(isinstance(event, ToolFinishedEvent) for event in heard.values)


def test_it_can_be_subscribed_to_on_a_thread_that_knows_no_session() -> None:
    heard = Heard()
    with LocalServer([answers.conversation(traveller("Oslo"))]) as server:
        with with_session(server) as session:
            source = session.run(model="m", input="Q", tools=[look])
            thread = threading.Thread(target=lambda: heard.subscribe(source))
            thread.start()
            thread.join()
        assert heard.completed()
        assert len(server.log) == 2


def test_wrong_use_is_refused_at_once() -> None:
    careful = tool(needs_approval=True)(look.fn)
    wrong: list[tuple[type[Exception], dict[str, Any], str]] = [
        (TypeError, {"through": rxs.text_only()}, r"write through=\(operator,\)"),
        (TypeError, {"through": (3,)}, "through expects operators, got 3"),
        (ValueError, {"continue_by": "conversation"}, "continue_by expects"),
        (ValueError, {"continue_by": "previous_response_id", "conversation": "conv_1"}, "got both"),
        (ValueError, {"continue_by": "previous_response_id", "store": False}, "expected store=True"),
        (ValueError, {"extra_body": {"tools": []}}, r"expected tools as tools=\.\.\., .* got it in extra_body"),
        (TypeError, {"input": 3}, "input expects a text or a list of items, got int"),
        (TypeError, {"stream": False}, "stream must be True"),
        (TypeError, {"context": 3}, "context expects a rule"),
        (TypeError, {"context": list}, "context expects a rule"),
        (ValueError, {"context": lambda items: items, "conversation": "conv_1"}, "context shortens"),
        (ValueError, {"tools": [careful]}, "expects approve="),
        (ValueError, {"max_in_flight": 0}, "max_in_flight"),
        (TypeError, {"stop_when": 3}, "expected a rule"),
    ]
    with rxstream.Session(api_key="k") as session:
        for kind, options, message in wrong:
            with pytest.raises(kind, match=message):
                session.run(**{"model": "m", "input": "Q", "tools": [look], **options})
