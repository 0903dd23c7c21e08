"""Tools of one name in several namespaces: which one a call means, and what everybody is told of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import reactivex

import rxstream
from rxstream import operators as rxs
from rxstream.errors import LedgerError
from rxstream.results import FunctionCall
from rxstream.testing import LocalServer
from rxstream.timeline import timelines_of
from rxstream.timeline._model import TimedEvent
from rxstream.timeline._notes import run_line
from rxstream.tools import (
    CustomTool,
    MemoryLedger,
    Namespace,
    RunEvent,
    Tool,
    ToolApprovalEvent,
    ToolFinishedEvent,
    ToolProgressEvent,
    ToolSearch,
    ToolStartedEvent,
    called,
    tool,
)
from rxstream.web import from_ag_ui, from_ui_messages
from rxstream.web.formats._ui_messages import UiMessageChunks
from tests.session._modes import Heard, in_session, modes, options_for
from tests.telemetry._collected import Collected, parsed
from tests.tools import _items as items


def look_of(where: str, **options: Any) -> Tool[..., Any]:
    def look(x: int) -> str:
        return f"{where} {x}"

    return Tool(look, **options)


def namespaces(**options: Any) -> list[Namespace]:
    return [Namespace(name, f"The {name}.", [look_of(name, **options)]) for name in ("crm", "shop")]


def call(call_id: str, namespace: str | None = None, name: str = "look", **fields: Any) -> dict[str, Any]:
    named = {} if namespace is None else {"namespace": namespace}
    item = {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "status": "completed"}
    return {**item, "name": name, "arguments": '{"x":1}', **named, **fields}


def custom(call_id: str, namespace: str) -> dict[str, Any]:
    item = {"type": "custom_tool_call", "id": f"ctc_{call_id}", "call_id": call_id, "name": "note"}
    return {**item, "input": "a", "namespace": namespace}


def find_nothing() -> list[str]:
    return []


def run(script: list[Any], tools: list[Any], mode: str = "with", **options: Any) -> tuple[Heard, list[dict[str, Any]]]:
    heard = Heard()
    session_options = {name: options.pop(name) for name in ("telemetry",) if name in options}
    with LocalServer(script) as server:
        in_session(
            mode,
            lambda session: heard.subscribe(session.run(model="m", input="Q", tools=tools, **options)),
            **options_for(server),
            **session_options,
        )
        return heard, [exchange.json for exchange in server.log]


def outputs_of(calls: list[dict[str, Any]], tools: list[Any], **options: Any) -> list[Any]:
    heard, requests = run([items.answer_of(*calls), "Done."], tools, **options)
    assert heard.completed()
    return [item["output"] for item in items.outputs(requests[1])]


@modes
def test_a_call_finds_its_tool_by_namespace_and_name(mode: str) -> None:
    heard, requests = run([items.answer_of(call("a", "crm"), call("b", "shop")), "Done."], namespaces(), mode)
    assert heard.completed()
    assert [each["name"] for each in requests[0]["tools"]] == ["crm", "shop"]
    assert [(item["call_id"], item["output"]) for item in items.outputs(requests[1])] == [
        ("a", "crm 1"),
        ("b", "shop 1"),
    ]
    echoed = [item for item in requests[1]["input"] if item.get("type") == "function_call"]
    assert [item["namespace"] for item in echoed] == ["crm", "shop"]
    of_calls = [e for e in heard.values if isinstance(e, ToolStartedEvent | ToolFinishedEvent)]
    assert {(event.call_id, event.name, event.namespace) for event in of_calls} == {
        ("a", "look", "crm"),
        ("b", "look", "shop"),
    }
    assert json.loads(of_calls[0].model_dump_json())["namespace"] == "crm"


def test_custom_tools_too() -> None:
    def note_of(where: str) -> CustomTool[..., Any]:
        return CustomTool(lambda text: f"{where} {text}", name="note", description="Note.")

    spaces = [Namespace(name, name, [note_of(name)]) for name in ("crm", "shop")]
    assert outputs_of([custom("a", "shop"), custom("b", "crm")], spaces) == ["shop a", "crm a"]


def test_a_name_that_several_have_needs_its_namespace() -> None:
    told, other = outputs_of([call("a"), call("b", "shop")], namespaces())
    assert told == "Error: expected the namespace of one of the tools crm.look, shop.look, got look without one"
    assert other == "shop 1"


@pytest.mark.parametrize(
    ("namespace", "name", "told"),
    [
        ("crm", "find", "Error: there is no tool crm.find; there are: crm.look, shop.look, shop.buy"),
        ("crm", "buy", "Error: there is no tool crm.buy; there are: crm.look, shop.look, shop.buy"),
        ("bank", "look", "Error: there is no tool bank.look; there are: crm.look, shop.look, shop.buy"),
        (None, "find", "Error: there is no tool find; there are: crm.look, shop.look, shop.buy"),
        (None, "buy", "bought 1"),
        ("", "buy", "bought 1"),
    ],
)
def test_a_call_never_runs_the_tool_of_another_namespace(namespace: str | None, name: str, told: str) -> None:
    crm, shop = namespaces()

    @tool
    def buy(x: int) -> str:
        return f"bought {x}"

    assert outputs_of([call("a", namespace, name)], [crm, Namespace("shop", "S.", [*shop.tools, buy])]) == [told]


@pytest.mark.parametrize("namespace", [None, "look", "functions"])
def test_a_tool_outside_of_namespaces_is_meant_without_one(namespace: str | None) -> None:
    """Servers have a namespace of their own for such tools."""
    assert outputs_of([call("a", namespace), call("b", "crm")], [look_of("top"), *namespaces()]) == ["top 1", "crm 1"]


@pytest.mark.parametrize(
    "tools",
    [
        [Namespace("crm", "C.", [look_of("a"), look_of("b")])],
        [look_of("a"), look_of("b")],
        [look_of("a"), ToolSearch(find_nothing, tools=[look_of("b")])],
    ],
)
def test_two_tools_of_one_name_in_one_namespace_are_refused(tools: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"two of the name (crm\.)?look"):
        rxs.run_tools(tools, lambda items: rxstream.Session().response(model="m", input=items))


def test_a_search_finds_namespaces_with_tools_of_one_name() -> None:
    search = {"type": "tool_search_call", "id": "ts", "call_id": "s", "execution": "client", "status": "completed"}
    script = [items.answer_of({**search, "arguments": {}}), items.answer_of(call("a", "shop")), "Done."]
    heard, requests = run(script, [ToolSearch(lambda: ["crm", "shop"], tools=namespaces(), description="Find.")])
    assert heard.completed()
    found, output = items.outputs(requests[2])
    assert [each["name"] for each in found["tools"]] == ["crm", "shop"]
    assert output["output"] == "shop 1"


def test_each_is_asked_for_approval_by_itself() -> None:
    asked: list[tuple[str, str | None]] = []

    def approve(call: FunctionCall) -> bool:
        asked.append((call.name, call.namespace))
        return call.namespace == "crm"

    with pytest.raises(ValueError, match=r"approve= for the tool crm\.look"):
        run(["Done."], namespaces(needs_approval=True))
    script = [items.answer_of(call("a", "crm"), call("b", "shop")), "Done."]
    heard, requests = run(script, namespaces(needs_approval=True), approve=approve)
    assert sorted(asked) == [("look", "crm"), ("look", "shop")]
    assert [event.namespace for event in heard.values if isinstance(event, ToolApprovalEvent)] == ["crm", "shop"]
    assert [item["output"] for item in items.outputs(requests[1])] == [
        "crm 1",
        "Error: the call of shop.look() was not approved",
    ]


def test_progress_says_whose_it_is() -> None:
    def look(x: int) -> Any:
        yield x

    heard, _ = run([items.answer_of(call("a", "crm")), "Done."], [Namespace("crm", "C.", [look])])
    (event,) = [event for event in heard.values if isinstance(event, ToolProgressEvent)]
    assert (event.name, event.namespace, event.progress) == ("look", "crm", 1)


@pytest.mark.parametrize(
    ("name", "turns"), [("look", 1), ("crm.look", 1), ("shop.look", 2), ("crm", 2), ("rm.look", 2), ("ook", 2)]
)
def test_a_rule_may_name_the_tool_of_one_namespace(name: str, turns: int) -> None:
    heard, _ = run([items.answer_of(call("a", "crm")), "Done."], namespaces(), stop_when=called(name))
    assert heard.values[-1].turn == turns


def test_a_ledger_knows_them_apart() -> None:
    ledger = MemoryLedger()
    run([items.answer_of(call("a", "crm"), call("b", "shop")), "Done."], namespaces(), ledger=ledger)
    assert [*ledger.records[0]["tools"]] == ["crm.look", "shop.look"]
    started = [record for record in ledger.records if record["type"] == "call.started"]
    assert [(record["name"], record["namespace"]) for record in started] == [("look", "crm"), ("look", "shop")]
    kept = ledger.records[: ledger.records.index(started[1])]
    heard, requests = run(["Done."], namespaces(pure=True), ledger=MemoryLedger(kept))
    assert heard.completed()
    assert [item["output"] for item in items.outputs(requests[0])] == ["crm 1", "shop 1"]
    heard, _ = run(["Done."], [namespaces()[0], look_of("shop")], ledger=MemoryLedger(kept))
    assert isinstance(heard.error, LedgerError)
    assert "the tool shop.look" in str(heard.error)


def test_spans_and_messages_name_the_namespace() -> None:
    collected = Collected()
    script = [items.answer_of(call("a", "crm"), call("b", "shop")), "Done."]
    run(script, namespaces(), telemetry=collected.telemetry(content=True))
    assert {"execute_tool crm.look", "execute_tool shop.look"} <= {*collected.names}
    assert collected.attributes("execute_tool crm.look")["gen_ai.tool.name"] == "crm.look"
    (span, _) = [span for span in collected.spans if span.name == "chat m"]
    (message,) = parsed(dict(span.attributes or {}), "gen_ai.output.messages")
    assert [part["name"] for part in message["parts"]] == ["crm.look", "shop.look"]


def test_a_timeline_names_the_namespace() -> None:
    heard, _ = run([items.answer_of(call("a", "crm"), call("b", "shop")), "Done."], namespaces())
    (timeline, *_) = timelines_of(TimedEvent(0.1 * number, event) for number, event in enumerate(heard.values))
    titles = [lane.title for lane in timeline.lanes]
    assert titles.count("crm.look") == titles.count("shop.look") == 2  # the item, and the tool
    lines = [run_line(event) for event in heard.values if isinstance(event, RunEvent)]
    assert any("crm.look({" in line for line in lines)


def test_a_browser_shows_it_and_sends_it_back() -> None:
    heard, _ = run([items.answer_of(call("a", "crm"), call("b", "shop")), "Done."], namespaces())
    chunks = UiMessageChunks()
    parts = [part for event in heard.values for part in chunks.feed(event)]
    names = {part["toolCallId"]: part["toolName"] for part in parts if part["type"] == "tool-input-available"}
    assert names == {"a": "crm.look", "b": "shop.look"}
    shown = {"type": "tool-crm.look", "toolCallId": "a", "state": "output-available", "input": {"x": 1}, "output": "1"}
    message = {"id": "m", "role": "assistant", "parts": [shown]}
    (sent, _) = from_ui_messages({"messages": [message]})
    assert (sent["name"], sent["namespace"]) == ("look", "crm")
    function = {"name": "crm.look", "arguments": "{}"}
    messages = [
        {"id": "m", "role": "assistant", "toolCalls": [{"id": "a", "type": "function", "function": function}]},
        {"id": "n", "role": "tool", "toolCallId": "a", "content": "1"},
    ]
    (sent, _) = from_ag_ui({"threadId": "t", "runId": "r", "messages": messages}).input
    assert (sent["name"], sent["namespace"]) == ("look", "crm")


def test_a_call_has_the_namespace_of_its_item() -> None:
    events = reactivex.from_iterable(items.events_of(call("a", "crm"), custom("b", "shop")))
    calls: list[Any] = []
    events.pipe(rxs.tool_calls()).subscribe(calls.append)
    assert {(each.name, each.namespace) for each in calls if each.done} == {("look", "crm"), ("note", "shop")}


def test_calls_of_two_namespaces_are_not_equal() -> None:
    of_crm = FunctionCall("look", "c", "{}", namespace="crm")
    assert of_crm != FunctionCall("look", "c", "{}")
    assert of_crm == FunctionCall("look", "c", "{}", namespace="crm")
    assert repr(of_crm).endswith("namespace='crm')")
    assert "namespace" not in repr(FunctionCall("look", "c", "{}"))
