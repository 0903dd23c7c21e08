"""Tools that the model finds by a search: the request, the answer to the search, and the calls of what it found."""

from __future__ import annotations

from typing import Any

import anyio.lowlevel
import pytest

import rxstream
from rxstream import operators as rxs
from rxstream.moderation import Blocklist
from rxstream.testing import LocalServer, answers
from rxstream.tools import (
    Context,
    CustomTool,
    MemoryLedger,
    Namespace,
    ShellTool,
    Tool,
    ToolFinishedEvent,
    ToolSearch,
    ToolStartedEvent,
    tool,
)
from tests._given import STREAMS, needs
from tests.session._modes import Heard, in_session, modes, options_for
from tests.tools import _items as items


@tool
def get_rate(from_currency: str, to_currency: str) -> float:
    """The exchange rate."""
    return 1.08


@tool
def list_orders(customer: str) -> list[str]:
    """The open orders."""
    return [f"order of {customer}"]


CRM = Namespace("crm", "Customers and orders.", [list_orders, CustomTool(str.upper, name="note", description="Shout.")])


def find(queries: list[str], context: Context[str]) -> list[Any]:
    """Search for tools that are not there yet.

    Args:
        queries: words of their names.
    """
    return [get_rate, "get_rate"] if "rate" in queries else ["crm"]


def search_of(arguments: Any, call_id: str = "c_ts") -> dict[str, Any]:
    call = {"type": "tool_search_call", "id": f"ts_{call_id}", "call_id": call_id, "execution": "client"}
    return {**call, "status": "completed", "arguments": arguments}


def call_of(name: str, arguments: str, **fields: Any) -> dict[str, Any]:
    fields = {"call_id": f"c_{name}", "namespace": name, "status": "completed", **fields}
    return {"type": "function_call", "id": f"fc_{name}", "name": name, "arguments": arguments, **fields}


def run(mode: str, script: list[Any], tools: list[Any], **options: Any) -> tuple[Heard, list[dict[str, Any]]]:
    heard = Heard()
    with LocalServer(script) as server:
        in_session(
            mode,
            lambda session: heard.subscribe(session.run(model="m", input="Q", tools=tools, **options)),
            **options_for(server),
        )
        return heard, [exchange.json for exchange in server.log]


def answered(search: dict[str, Any], tool_search: ToolSearch[..., Any]) -> dict[str, Any]:
    heard, requests = run("with", [items.answer_of(search), "Done."], [tool_search])
    assert heard.completed()
    (output,) = items.outputs(requests[1])
    return output


@modes
def test_what_a_search_finds_can_be_called(mode: str) -> None:
    script = [
        items.answer_of(search_of({"queries": ["rate"]})),
        items.answer_of(call_of("get_rate", '{"from_currency":"USD","to_currency":"EUR"}'), response_id="resp_2"),
        "1.08",
    ]
    heard, requests = run(mode, script, [ToolSearch(find, tools=[get_rate, CRM])])
    assert heard.completed()
    (definition,) = requests[0]["tools"]
    assert (definition["type"], definition["execution"]) == ("tool_search", "client")
    assert definition["description"] == "Search for tools that are not there yet."
    queries = definition["parameters"]["properties"]["queries"]
    assert (queries["type"], queries["description"]) == ("array", "words of their names.")
    found, output = items.outputs(requests[2])
    assert found == {
        "type": "tool_search_output",
        "call_id": "c_ts",
        "execution": "client",
        "status": "completed",
        "tools": [{**get_rate.definition, "defer_loading": True}],
    }
    assert output == {"type": "function_call_output", "call_id": "c_get_rate", "output": "1.08"}
    assert requests[2]["tools"] == requests[0]["tools"]
    started = [(e.kind, e.name, e.arguments) for e in heard.values if isinstance(e, ToolStartedEvent)]
    assert started[0] == ("tool_search_call", "tool_search", '{"queries": ["rate"]}')
    finished = [e for e in heard.values if isinstance(e, ToolFinishedEvent)]
    assert finished[0].output == found["tools"]
    assert all(event.model_dump_json() for event in heard.values)


def test_a_namespace_is_found_whole() -> None:
    output = answered(search_of({"queries": ["orders"]}), ToolSearch(find, tools=[get_rate, CRM]))
    (namespace,) = output["tools"]
    assert (namespace["type"], namespace["name"], namespace["description"]) == (
        "namespace",
        "crm",
        "Customers and orders.",
    )
    assert namespace["tools"] == [{**each.definition, "defer_loading": True} for each in CRM.tools]
    script = [items.answer_of(call_of("list_orders", '{"customer":"Ada"}', namespace="crm")), "Done."]
    _, requests = run("with", script, [ToolSearch(find, tools=[CRM])])
    assert items.outputs(requests[1])[0]["output"] == '["order of Ada"]'


def test_a_search_of_the_server_is_left_to_it() -> None:
    hosted = {**search_of({"paths": ["crm"]}), "call_id": None, "execution": "server"}
    found = {"type": "tool_search_output", "id": "tso", "call_id": None, "execution": "server", "tools": []}
    call = call_of("list_orders", '{"customer":"Ada"}', namespace="crm")
    deferred = Namespace("crm", "Customers.", [Tool(list_orders.fn, defer_loading=True)])
    script = [items.answer_of(hosted, found, call), "Done."]
    heard, requests = run("with", script, [deferred, {"type": "tool_search"}])
    assert heard.completed()
    assert requests[0]["tools"] == [deferred.definition, {"type": "tool_search"}]
    assert deferred.definition["tools"][0]["defer_loading"] is True
    assert [item["type"] for item in items.outputs(requests[1])][-1] == "function_call_output"
    assert heard.values[-1].stopped_by == "answer"


@pytest.mark.parametrize(
    ("search", "arguments", "said"),
    [
        (lambda queries: 1 / 0, {"queries": ["a"]}, "ZeroDivisionError"),
        (lambda queries: ["nothing"], {"queries": ["a"]}, "got nothing; there are: get_rate"),
        (lambda queries: [42], {"queries": ["a"]}, "got 42; there are: get_rate"),
        (lambda queries: "get_rate", {"queries": ["a"]}, "TypeError: expected the tools that a search found"),
        (lambda queries: [], {"words": "a"}, "cannot read the arguments of tool_search(): "),
        (lambda queries: [], None, "cannot read the arguments of tool_search(): "),
    ],
)
def test_a_search_that_fails_finds_nothing(search: Any, arguments: Any, said: str) -> None:
    search.__annotations__["queries"] = list[str]
    heard, requests = run(
        "with", [items.answer_of(search_of(arguments)), "Done."], [ToolSearch(search, tools=[get_rate])]
    )
    (output,) = items.outputs(requests[1])
    assert (output["status"], output["tools"]) == ("incomplete", [])
    (finished,) = [event for event in heard.values if isinstance(event, ToolFinishedEvent)]
    assert said in (finished.error or "")


def test_a_tool_that_is_found_needs_approval_as_any_other() -> None:
    careful = Tool(list_orders.fn, needs_approval=True)
    with pytest.raises(ValueError, match="expects approve= for the tool list_orders"):
        run("with", ["Done."], [ToolSearch(find, tools=[careful])])
    script = [items.answer_of(call_of("list_orders", '{"customer":"Ada"}')), "Done."]
    _, requests = run("with", script, [ToolSearch(find, tools=[careful])], approve=lambda call: False)
    assert "was not approved" in items.outputs(requests[1])[0]["output"]


def test_a_run_goes_on_with_what_was_found_before_a_crash() -> None:
    ledger = MemoryLedger()
    search = ToolSearch(find, tools=[get_rate])
    heard, _ = run(
        "with", [items.answer_of(search_of({"queries": ["rate"]})), answers.error(400)], [search], ledger=ledger
    )
    assert isinstance(heard.error, rxstream.RxStreamError)
    call = call_of("get_rate", '{"from_currency":"USD","to_currency":"EUR"}')
    heard, requests = run("with", [items.answer_of(call), "1.08"], [search], ledger=ledger)
    assert heard.completed()
    assert [item["type"] for item in items.outputs(requests[1])] == ["tool_search_output", "function_call_output"]


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: ToolSearch(find, tools=[get_rate, get_rate]), "two of the name get_rate"),
        (lambda: ToolSearch(find, tools=[CRM, Tool(get_rate.fn, name="crm")]), "two of the name crm"),
        (
            lambda: ToolSearch(find, tools=[get_rate, CustomTool(str.upper, name="get_rate")]),
            "two of the name get_rate",
        ),
        (lambda: ToolSearch(find, tools=[CRM, Namespace("crm", "x", [get_rate])]), "two namespaces of the name crm"),
        (lambda: ToolSearch(find, tools=[ShellTool(lambda call: "x")]), "in a search, got <ShellTool shell>"),
        (lambda: ToolSearch(find, tools=[ToolSearch(find, tools=[get_rate])]), "in a search, got <ToolSearch"),
        (lambda: ToolSearch(find, tools=["get_rate"]), "expected a function to make a tool of"),
        (lambda: ToolSearch(get_rate, tools=[]), "expected a function to make a tool of"),
        (lambda: Namespace("a b", "x", [get_rate]), "as the name of a tool"),
        (lambda: Namespace("crm", "x", []), "got none"),
        (lambda: Namespace("crm", "x", [ToolSearch(find, tools=[])]), "in a namespace, got <ToolSearch"),
    ],
)
def test_wrong_use_is_said_at_once(make: Any, error: str) -> None:
    with pytest.raises((TypeError, ValueError), match=error):
        make()


def test_two_ways_to_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two of the name get_rate"):
        run("with", ["Done."], [get_rate, ToolSearch(find, tools=[get_rate])])


def test_two_namespaces_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two namespaces of the name crm"):
        run("with", ["Done."], [CRM, Namespace("crm", "Others.", [get_rate])])


def test_a_custom_tool_may_wait_for_a_search() -> None:
    note = CustomTool(str.upper, name="note", defer_loading=True)
    assert note.definition == {"type": "custom", "name": "note", "description": note.description, "defer_loading": True}
    assert "defer_loading" not in CustomTool(str.upper, name="note").definition


def test_searches_at_a_time_are_answered_in_their_order() -> None:
    script = [items.answer_of(search_of({"queries": ["crm"]}, "c1"), search_of({"queries": ["rate"]}, "c2")), "Done."]
    _, requests = run("with", script, [ToolSearch(find, tools=[get_rate, CRM], max_in_flight=1)])
    found = [(item["call_id"], [each["name"] for each in item["tools"]]) for item in items.outputs(requests[1])]
    assert found == [("c1", ["crm"]), ("c2", ["get_rate"])]


def test_a_found_tool_keeps_its_own_limit() -> None:
    most = running = 0

    async def slow(x: int) -> int:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await anyio.lowlevel.checkpoint()
        running -= 1
        return x

    calls = [{**call_of("slow", f'{{"x":{i}}}', call_id=f"c{i}"), "id": f"fc_{i}"} for i in range(4)]
    limited = Tool(slow, max_in_flight=1)
    _, requests = run("with", [items.answer_of(*calls), "Done."], [ToolSearch(find, tools=[limited])])
    assert [item["output"] for item in items.outputs(requests[1])] == ["0", "1", "2", "3"]
    assert most == 1


@pytest.mark.parametrize("on_flag", ["cut", "error", "refuse", "replace"])
def test_a_moderator_reads_what_is_searched_before_the_search_runs(on_flag: Any) -> None:
    searched: list[list[str]] = []

    def search(queries: list[str]) -> list[Any]:
        searched.append(queries)
        return []

    through = (rxs.debounce_moderation(Blocklist(["mordor"]), on_flag=on_flag),)
    script = [items.answer_of(search_of({"queries": ["Mordor"]})), "Done."]
    _, requests = run("with", script, [ToolSearch(search, tools=[get_rate])], through=through)
    assert "Mordor" not in f"{searched} {requests}"
    assert len(requests) == (2 if on_flag == "replace" else 1)


@needs(STREAMS)
def test_the_recorded_search_of_a_real_model() -> None:
    name = "pydantic-ai__test_tool_search__test_openai_client_tool_search_streaming"
    script = [answers.tape(STREAMS / f"{name}__{turn}.sse") for turn in range(3)]
    searches: list[list[str]] = []

    def search(queries: list[str]) -> list[str]:
        searches.append(queries)
        return ["get_exchange_rate"]

    rate = Tool(get_rate.fn, name="get_exchange_rate")
    heard, requests = run("with", script, [ToolSearch(search, tools=[rate])])
    assert heard.completed()
    assert searches == [["exchange rate currency converter USD EUR current", "foreign exchange USD to EUR live rate"]]
    assert [item["type"] for item in items.outputs(requests[2])] == ["tool_search_output", "function_call_output"]
    assert heard.values[-1].stopped_by == "answer"
    assert not [event for event in heard.values if isinstance(event, ToolFinishedEvent) and event.error]
