"""Input for a response that runs over a WebSocket: it ends, and its successor follows in the same stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from pydantic import BaseModel
from websockets.sync.server import ServerConnection

import rxstream
from rxstream import errors
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from rxstream.tools import RunFinishedEvent, tool
from tests.session._modes import Heard, in_session, modes, nothing_left_behind, options_for
from tests.session._socket_peer import socket_peer
from tests.waiting import until

TWO_ITEMS = answers.together(answers.text("One."), answers.text("Two."))


class Steered:
    """One response, and the inputs that it gets."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.answers: list[Any] = []

    async def steer(self, session: rxstream.Session, response_id: str, *inputs: Any) -> None:
        for each in inputs:
            try:
                self.answers.append(await session.steer(response_id, each))
            except errors.RxStreamError as error:
                self.answers.append(error)

    @property
    def text(self) -> str:
        return "".join(event.delta for event in self.heard.values if event.type == "response.output_text.delta")

    @property
    def ids(self) -> list[str]:
        return [event.response.id for event in self.heard.values if event.type == "response.created"]


def steer(
    mode: str,
    base: str,
    *inputs: Any,
    when: Callable[[Any], bool] = lambda event: event.type == "response.output_text.delta",
    then: dict[str, Any] | None = None,
) -> Steered:
    """Ask, steer at the first event that fits, hear the stream to its end; then ask again, if `then` says so."""
    run = Steered()

    def body(session: rxstream.Session) -> None:
        seen: list[Any] = []

        def on_next(event: Any) -> None:
            run.heard.values.append(event)
            if not seen and when(event):
                seen.append(event)
                session.spawn(lambda: run.steer(session, run.ids[-1], *inputs))

        async def ask() -> None:
            session.response(model="m", input="Hi").subscribe(
                on_next, run.heard.errors.append, lambda: setattr(run.heard, "completions", 1)
            )
            await until(lambda: run.heard.errors or run.heard.completions)
            if then is not None:
                session.response(model="m", previous_response_id=run.ids[-1], **then).subscribe(on_next)

        session.spawn(ask)

    options = {"api_key": "k", "base_url": base, "max_retries": 0, "transport": "websocket", "terminal_grace": 1.0}
    in_session(mode, body, **options)
    return run


@modes
def test_a_successor_follows_in_the_same_stream(mode: str) -> None:
    with LocalServer([TWO_ITEMS, "Three."], pace=200) as server, nothing_left_behind():
        run = steer(mode, server.base_url, "Shorter.")
        sent = [record.json for record in server.log]
    assert run.heard.completed()
    assert run.text == "One.Three."
    assert len(run.ids) == 2
    ended = [event for event in run.heard.values if event.type == "response.incomplete"]
    assert [event.response.incomplete_details.reason for event in ended] == ["steered"]
    assert [type(each).__name__ for each in run.answers] == ["ResponseSteerAcceptedEvent"]
    assert run.answers[0] in run.heard.values  # subscribers see it too
    assert sent[1] == {"type": "response.steer", "previous_response_id": run.ids[0], "input": "Shorter."}
    numbers = [event.sequence_number for event in run.heard.values]
    first = numbers[: numbers.index(0, 1)]
    assert first == [*range(len(first))]


@modes
def test_several_inputs_are_used_in_their_order(mode: str) -> None:
    played: list[Any] = []

    def play(items: list[dict[str, Any]]) -> Any:
        played.append(items)
        return TWO_ITEMS if len(played) == 1 else "Three."

    with LocalServer([answers.conversation(play)], pace=200) as server:
        run = steer(mode, server.base_url, "Shorter.", [{"role": "user", "content": "In French."}])
    assert run.heard.completed()
    assert run.text == "One.Three."
    contents = [item["content"] for item in played[1]]
    assert contents[0] == "Hi"
    assert [part["text"] for part in contents[1]] == ["One."]  # what was not sent is not in the conversation
    assert contents[2:] == ["Shorter.", "In French."]


def test_input_after_the_last_item_comes_behind_a_whole_response() -> None:
    with LocalServer(["One.", "Two."], pace=50) as server:
        run = steer("asyncio", server.base_url, "Go on.", when=lambda event: event.type == "response.output_item.done")
    assert run.heard.completed()
    assert run.text == "One.Two."
    assert [
        event.type for event in run.heard.values if event.type in ("response.completed", "response.incomplete")
    ] == ["response.completed"] * 2


@modes
def test_input_waits_for_the_outputs_of_calls(mode: str) -> None:
    call = answers.function_calls([("look", {"city": "Oslo"})])
    output = [{"type": "function_call_output", "call_id": "call_1", "output": "Warm."}]
    with LocalServer([call, "It is warm."], pace=200) as server, nothing_left_behind():
        run = steer(
            mode,
            server.base_url,
            "In Celsius.",
            when=lambda event: event.type == "response.output_item.added",
            then={"input": output},
        )
        assert [record.connection for record in server.log] == [1, 1, 1]  # the socket can be used again
    assert run.heard.completed()
    [pending] = [event for event in run.heard.values if event.type == "response.steer.pending"]
    assert pending.steer == run.answers[0].steer
    [item] = [event.item for event in run.heard.values if event.type == "response.output_item.done"][:1]
    assert pending.required_input[0].call_id == item.call_id
    assert run.text == "It is warm."


@pytest.mark.parametrize(
    ("inputs", "code"),
    [(("",), None), (({"role": "user"},), None), ((7,), None), ((["x"],), None), ((None,), None)],
)
def test_what_is_no_input(inputs: Any, code: None) -> None:
    raised: list[BaseException] = []

    async def main() -> None:
        async with rxstream.Session("k", base_url="http://127.0.0.1:9", transport="websocket") as session:
            try:
                await session.steer("resp_1", *inputs)
            except (TypeError, ValueError, errors.SteerFailedError) as error:
                raised.append(error)

    anyio.run(main)
    assert len(raised) == 1


def test_over_http_no_response_can_be_steered() -> None:
    async def main() -> None:
        async with rxstream.Session("k", base_url="http://127.0.0.1:9") as session:
            with pytest.raises(ValueError, match='transport="websocket"'):
                await session.steer("resp_1", "Shorter.")

    anyio.run(main)


@modes
def test_a_response_that_does_not_run_is_not_found(mode: str) -> None:
    with LocalServer(["One."]) as server:
        run = Steered()

        def body(session: rxstream.Session) -> None:
            async def ask() -> None:
                await run.steer(session, "resp_other", "Shorter.")
                run.heard.subscribe(session.response(model="m", input="Hi"))
                await until(lambda: run.heard.completions)
                await run.steer(session, run.ids[0], "Too late.")

            session.spawn(ask)

        in_session(mode, body, **options_for(server) | {"transport": "websocket"})
    assert [error.code for error in run.answers] == ["response_not_found"] * 2
    assert "runs on a WebSocket of this session" in str(run.answers[0])


def test_operators_that_need_a_whole_answer_take_the_successor() -> None:
    with LocalServer([TWO_ITEMS, "Three."], pace=200) as server:
        seen: list[Any] = []

        def body(session: rxstream.Session) -> None:
            def steer_once(event: Any) -> None:
                if event.type == "response.created" and not seen:
                    seen.append(session.spawn(lambda: session.steer(event.response.id, "Shorter.")))

            source = session.response(model="m", input="Hi").pipe(rxs.require_completed(), rxs.shared())
            finals.subscribe(source.pipe(rxs.final_response()))
            source.subscribe(steer_once)

        finals = Heard()
        in_session("asyncio", body, **options_for(server) | {"transport": "websocket"})
    assert finals.completed()
    assert [response.output_text for response in finals.values] == ["Three."]


@tool(pure=True)
async def look(city: str) -> str:
    """Look."""
    await anyio.lowlevel.checkpoint()
    return f"{city} is warm."


@pytest.mark.parametrize(
    ("continue_by", "text", "stopped_by"),
    [("previous_response_id", "Hm. Rome is warm.", "answer"), ("input", "Hm. ", "incomplete")],
)
def test_a_run_goes_on_with_the_successor_where_the_server_keeps_the_conversation(
    continue_by: Any, text: str, stopped_by: str
) -> None:
    heard, seen = Heard(), list[str]()

    def play(items: list[dict[str, Any]]) -> Any:
        last = items[-1]
        if last.get("type") == "function_call_output":
            return last["output"]
        if last.get("content") == "Rome instead.":
            return answers.function_calls([("look", {"city": "Rome"})])
        return answers.together(answers.text("Hm. "), answers.text("I look for Oslo."))

    def body(session: rxstream.Session) -> None:
        def on_next(event: Any) -> None:
            heard.values.append(event)
            if event.type == "response.created" and not seen:
                seen.append(event.response.id)
                session.spawn(lambda: session.steer(seen[0], "Rome instead."))

        run = session.run(model="m", input="Oslo?", tools=[look], continue_by=continue_by)
        run.subscribe(on_next, heard.errors.append, lambda: setattr(heard, "completions", 1))

    with LocalServer([answers.conversation(play)], pace=200) as server:
        in_session("asyncio", body, **options_for(server) | {"transport": "websocket"})
    assert heard.completed()
    last = heard.values[-1]
    assert isinstance(last, RunFinishedEvent)
    assert last.stopped_by == stopped_by
    assert "".join(event.delta for event in heard.values if event.type == "response.output_text.delta") == text


class City(BaseModel):
    name: str


def test_a_document_that_was_steered_is_replaced_by_that_of_the_successor() -> None:
    cities = Heard()

    def body(session: rxstream.Session) -> None:
        def steer_once(event: Any) -> None:
            if event.type == "response.created" and event.response.id not in seen:
                seen.append(event.response.id)
                if len(seen) == 1:
                    session.spawn(lambda: session.steer(event.response.id, "In Italy."))

        seen: list[str] = []
        source = session.response(model="m", input="Hi").pipe(rxs.shared())
        cities.subscribe(source.pipe(rxs.parse_output(City)))
        source.subscribe(steer_once)

    two = answers.together(answers.reasoning_summary("Hm."), answers.text('{"name":"Oslo"}'))
    with LocalServer([two, '{"name":"Rome"}'], pace=200) as server:
        in_session("asyncio", body, **options_for(server) | {"transport": "websocket"})
    assert cities.completed()
    assert cities.values[-1] == City(name="Rome")
    assert not [value for value in cities.values if getattr(value, "name", "") == "Oslo"]


# ---------------------------------------------------------------------- servers of other minds


def event(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, "sequence_number": 0, **fields})


def opening(response_id: str) -> str:
    return event("response.created", response={"id": response_id, "status": "in_progress", "output": []})


def ending(kind: str, response_id: str, **fields: Any) -> str:
    status = kind.removeprefix("response.")
    return event(kind, response={"id": response_id, "status": status, "output": [], **fields})


STEERED = {"incomplete_details": {"reason": "steered"}}


def refused(code: str, **steer: Any) -> str:
    error = {"type": "invalid_request_error", "code": code, "message": "No."}
    return event("response.steer.failed", steer={"previous_response_id": "resp_1", "input": "x", **steer}, error=error)


ACCEPTED = event("response.steer.accepted", steer={"id": "st_1", "previous_response_id": "resp_1"})
LATE = refused("response_already_completed")
LOST = refused("successor_creation_failed", id="st_1")
INCOMPLETE = ending("response.incomplete", "resp_1", **STEERED)

ON_STEER: dict[str, tuple[list[str], type[Exception] | None, str]] = {
    "refused": ([refused("steering_not_supported"), ending("response.completed", "resp_1")], None, "not_supported"),
    "refused behind the end": ([ending("response.completed", "resp_1"), LATE], None, "already_completed"),
    "accepted, then refused": ([ACCEPTED, INCOMPLETE, LOST], None, ""),
    "accepted, then no successor": ([ACCEPTED, INCOMPLETE], errors.TruncatedError, ""),
    "accepted, then an error": ([ACCEPTED, INCOMPLETE, event("error", message="No.")], errors.ApiError, ""),
    "accepted, then the response fails": (
        [ACCEPTED, ending("response.failed", "resp_1", error={"code": "x", "message": "No."})],
        errors.ResponseFailedError,
        "",
    ),
    "a successor that fails": (
        [ACCEPTED, INCOMPLETE, opening("resp_2"), ending("response.failed", "resp_2", error={"code": "x"})],
        errors.ResponseFailedError,
        "",
    ),
}


@modes
@pytest.mark.parametrize("case", ON_STEER)
def test_what_a_server_may_answer(mode: str, case: str) -> None:
    messages, error, code = ON_STEER[case]

    def turn(connection: ServerConnection, request: dict[str, Any]) -> None:
        for message in [opening("resp_1")] if request["type"] == "response.create" else messages:
            connection.send(message)

    with socket_peer(turn) as peer:
        run = steer(mode, peer.base_url, "Shorter.", when=lambda event: event.type == "response.created")
    if error is None:
        assert run.heard.completed()
    else:
        assert isinstance(run.heard.error, error)
    [answer] = run.answers
    assert (code in (answer.code or "")) if isinstance(answer, errors.SteerFailedError) else not code
    assert bool(code) == isinstance(answer, errors.SteerFailedError)


@modes
def test_a_connection_that_breaks_leaves_the_outcome_unknown(mode: str) -> None:
    def turn(connection: ServerConnection, request: dict[str, Any]) -> None:
        if request["type"] == "response.create":
            connection.send(opening("resp_1"))
        else:
            connection.socket.shutdown(2)

    with socket_peer(turn) as peer:
        run = steer(mode, peer.base_url, "Shorter.", when=lambda event: event.type == "response.created")
    assert isinstance(run.heard.error, errors.DisconnectedError)
    [answer] = run.answers
    assert isinstance(answer, errors.DisconnectedError)
    assert "not known" in str(answer)


@modes
def test_a_socket_that_may_bring_a_successor_is_not_used_again(mode: str) -> None:
    failed = event("error", status=500, error={"code": "x", "message": "No."})

    def turn(connection: ServerConnection, request: dict[str, Any]) -> None:
        if request["type"] == "response.steer":
            messages = [ACCEPTED, failed]
        elif "previous_response_id" in request:
            messages = [opening("resp_3"), ending("response.completed", "resp_3")]
        else:
            messages = [opening("resp_1")]
        for message in messages:
            connection.send(message)

    with socket_peer(turn) as peer:
        run = steer(mode, peer.base_url, "Shorter.", when=lambda event: event.type == "response.created", then={})
        assert len(peer.connections) == 2
    assert isinstance(run.heard.errors[0], errors.ApiError)
