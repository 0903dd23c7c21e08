"""Calls that are not functions: what their tools get, and the items that answer them."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
import reactivex
from reactivex import Observable

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ToolError
from rxstream.events import ComputerCallItem, PatchOperation, ShellAction
from rxstream.testing import LocalServer, answers
from rxstream.tools import (
    ApplyPatchTool,
    CommandResult,
    ComputerTool,
    Context,
    CustomTool,
    Denial,
    Image,
    LocalShellAction,
    LocalShellTool,
    RunFinishedEvent,
    ShellTool,
    ToolApprovalEvent,
    ToolFinishedEvent,
    ToolStartedEvent,
    called,
    lark_grammar,
    tool,
)
from tests.session._modes import Heard, in_session, modes, options_for
from tests.tools import _items as items

PIXEL = Image(b"\x89PNG\r\n")


def sql(text: str, context: Context[str]) -> str:
    """Run a query."""
    return f"{context.deps}: {text}"


async def shell(action: ShellAction) -> list[CommandResult]:
    return [CommandResult(f"ran {command}", exit_code=number) for number, command in enumerate(action.commands)]


def local_shell(action: LocalShellAction) -> str:
    return f"{action.command} in {action.working_directory} with {action.env}"


def apply_patch(operation: PatchOperation) -> str:
    return f"{operation.type} {operation.path}"


def computer(call: ComputerCallItem) -> Image:
    return PIXEL


def run(mode: str, script: list[Any], tools: list[Any], **options: Any) -> tuple[Heard, list[dict[str, Any]]]:
    heard = Heard()
    with LocalServer(script) as server:

        def body(session: rxstream.Session) -> None:
            def ask(conversation: list[Any] | str) -> Observable[Any]:
                return session.response(model="m", input=conversation, tools=tools)

            heard.subscribe(ask("Q").pipe(rxs.run_tools(tools, ask, input="Q", **options)))

        in_session(mode, body, **options_for(server))
        return heard, [exchange.json for exchange in server.log]


def answered(item: dict[str, Any], tools: list[Any], **options: Any) -> dict[str, Any]:
    """The item that answers this one."""
    heard, requests = run("with", [items.answer_of(item), "Done."], tools, **options)
    assert heard.completed()
    (output,) = items.outputs(requests[1])
    return output


def of_type(heard: Heard, kind: type[Any]) -> list[Any]:
    return [event for event in heard.values if isinstance(event, kind)]


@modes
def test_a_run_with_calls_of_every_kind(mode: str) -> None:
    tools = [CustomTool(sql), ShellTool(shell), LocalShellTool(local_shell), ApplyPatchTool(apply_patch)]
    tools.append(ComputerTool(computer))
    script = [items.answer_of(*items.ITEMS), "Done."]
    heard, requests = run(mode, script, tools, deps="db", approve=lambda call: True)
    assert heard.completed()
    assert requests[0]["tools"] == [each.definition for each in tools]
    assert items.outputs(requests[1]) == [
        {"type": "custom_tool_call_output", "call_id": "c_sql", "output": "db: SELECT 1"},
        {
            "type": "shell_call_output",
            "call_id": "c_sh",
            "max_output_length": 500,
            "output": [
                {"stdout": "ran ls", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
                {"stdout": "ran pwd", "stderr": "", "outcome": {"type": "exit", "exit_code": 1}},
            ],
        },
        {
            "type": "local_shell_call_output",
            "id": "c_lsh",
            "call_id": "c_lsh",
            "output": "['ls', '-l'] in /tmp with {'A': '1'}",
        },
        {"type": "apply_patch_call_output", "call_id": "c_ap", "status": "completed", "output": "update_file a.py"},
        {
            "type": "computer_call_output",
            "call_id": "c_cu",
            "output": {"type": "computer_screenshot", "image_url": PIXEL.part()["image_url"]},
        },
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
    ]
    assert requests[1]["input"][1:7] == [*items.ITEMS]
    kinds = {event.kind: event.name for event in of_type(heard, ToolFinishedEvent)}
    assert kinds == {
        "custom_tool_call": "sql",
        "shell_call": "shell",
        "local_shell_call": "local_shell",
        "apply_patch_call": "apply_patch",
        "computer_call": "computer",
        "mcp_approval_request": "read",
    }
    (asked,) = of_type(heard, ToolApprovalEvent)
    assert (asked.call_id, asked.name, asked.arguments) == ("mcpr_1", "read", '{"a":1}')
    started = {event.name: event.arguments for event in of_type(heard, ToolStartedEvent)}
    assert started["sql"] == "SELECT 1"
    assert started["apply_patch"] == '{"type":"update_file","path":"a.py","diff":"@@\\n-a\\n+b"}'
    assert '"commands":["ls","pwd"]' in started["shell"]
    assert '"command":["ls","-l"]' in started["local_shell"]
    assert '"click"' in started["computer"]
    assert all(event.model_dump_json() for event in heard.values)


def test_a_streamed_custom_call_is_run_once() -> None:
    added = {**items.CUSTOM, "input": ""}
    created, _, done, completed = items.response_of(items.CUSTOM)
    stream = [
        created,
        {"type": "response.output_item.added", "output_index": 0, "item": added},
        {"type": "response.custom_tool_call_input.delta", "output_index": 0, "item_id": "ctc_1", "delta": "SELECT "},
        {"type": "response.custom_tool_call_input.delta", "output_index": 0, "item_id": "ctc_1", "delta": "1"},
        {"type": "response.custom_tool_call_input.done", "output_index": 0, "item_id": "ctc_1", "input": "SELECT 1"},
        *(done, completed),
    ]
    texts: list[str] = []
    run("with", [answers.events(stream), "Done."], [CustomTool(texts.append, name="sql")])
    assert texts == ["SELECT 1"]


@pytest.mark.parametrize("item", [items.CUSTOM, items.SHELL, items.LOCAL_SHELL, items.PATCH])
@pytest.mark.parametrize("how", ["raises", "hangs", "denied", "wrong result"])
def test_what_goes_wrong_is_told_in_the_form_of_each_kind(item: dict[str, Any], how: str) -> None:
    async def body(value: Any) -> object:
        if how == "raises":
            raise LookupError("no such file")
        if how == "hangs":
            await anyio.sleep_forever()
        return object()

    options: dict[str, Any] = {"timeout": 0.05 if how == "hangs" else None, "needs_approval": how == "denied"}
    classes: dict[str, Any] = {
        "custom": CustomTool,
        "shell": ShellTool,
        "local": LocalShellTool,
        "apply": ApplyPatchTool,
    }
    make = classes[item["type"].split("_")[0]]
    made = make(body, name="sql", **options) if make is CustomTool else make(body, **options)
    output = answered(item, [made], approve=lambda call: Denial("too late"))
    name = made.name
    text = {
        "raises": "Error: LookupError: no such file",
        "hangs": f"Error: {name}() took longer than 0.05 s",
        "denied": f"Error: the call of {name}() was not approved: too late",
        "wrong result": "Error: TypeError: expected",
    }[how]
    if make is ShellTool:
        (shown,) = output["output"]
        assert shown["stderr"].startswith(text)
        assert shown["outcome"] == ({"type": "timeout"} if how == "hangs" else {"type": "exit", "exit_code": 1})
        assert output["max_output_length"] == 500
    else:
        assert output["output"].startswith(text)
    assert output.get("status") == ("failed" if make is ApplyPatchTool else None)


@pytest.mark.parametrize("item", [{**items.SHELL, "environment": {"type": "container_reference", "container_id": "c"}}])
def test_a_shell_of_the_server_is_left_to_it(item: dict[str, Any]) -> None:
    heard, requests = run("with", [items.answer_of(item)], [ShellTool(shell)])
    assert heard.completed()
    assert len(requests) == 1
    assert heard.values[-1].stopped_by == "answer"


@pytest.mark.parametrize("kind", ["shell_call", "function_call", "custom_tool_call"])
def test_a_call_that_the_response_has_answered_is_not_answered_again(kind: str) -> None:
    calls = {
        "shell_call": {name: value for name, value in items.SHELL.items() if name != "environment"},
        "function_call": {"type": "function_call", "id": "fc", "call_id": "c_f", "name": "sql", "arguments": "{}"},
        "custom_tool_call": items.CUSTOM,
    }
    call = calls[kind]
    output = {"type": f"{kind}_output", "id": "o", "call_id": call["call_id"], "output": []}
    ran: list[Any] = []
    tools: list[Any] = [
        ShellTool(ran.append),
        CustomTool(ran.append, name="sql"),
        tool(name="sql")(lambda: ran.append(1)),
    ]
    heard, requests = run("with", [items.answer_of(call, output)], tools)
    assert heard.completed()
    assert (len(requests), ran, heard.values[-1].stopped_by) == (1, [], "answer")
    assert not of_type(heard, ToolFinishedEvent)


def test_calls_without_a_tool_of_their_kind_end_the_run() -> None:
    search = {"type": "tool_search_call", "id": "ts", "call_id": "c_ts", "execution": "client", "arguments": {}}
    for item in (*items.ITEMS, search):
        heard, requests = run("with", [items.answer_of(item)], [])
        assert heard.completed()
        assert len(requests) == 1
        assert heard.values[-1].stopped_by == "unanswered"
        assert heard.values[-1].input[-1] == item
    heard, _ = run("with", [items.answer_of({**search, "execution": "server"})], [])
    assert heard.values[-1].stopped_by == "answer"


def test_an_unknown_custom_tool_is_told_to_the_model() -> None:
    output = answered(items.CUSTOM, [CustomTool(repr, name="python")])
    assert output == {
        "type": "custom_tool_call_output",
        "call_id": "c_sql",
        "output": "Error: there is no tool sql; there are: python",
    }


def test_a_call_of_a_program_is_answered_to_the_program() -> None:
    caller = {"type": "program", "caller_id": "prog_1"}
    output = answered({**items.CUSTOM, "caller": caller}, [CustomTool(str.upper, name="sql")])
    assert (output["caller"], output["output"]) == (caller, "SELECT 1")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (True, {"approve": True}),
        (False, {"approve": False, "reason": ""}),
        (Denial("not that file"), {"approve": False, "reason": "not that file"}),
        (LookupError("lost"), {"approve": False, "reason": "Error: LookupError: lost"}),
    ],
)
def test_an_mcp_server_gets_the_answer_of_approve(answer: Any, expected: dict[str, Any]) -> None:
    seen: list[Any] = []

    def approve(call: Any) -> Any:
        seen.append((call.kind, call.server_label, call.name, call.input))
        if isinstance(answer, Exception):
            raise answer
        return answer

    heard, requests = run("with", [items.answer_of(items.MCP), "Done."], [], approve=approve)
    assert seen == [("mcp_approval_request", "files", "read", '{"a":1}')]
    (output,) = items.outputs(requests[1])
    assert output == {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", **expected}
    (finished,) = of_type(heard, ToolFinishedEvent)
    assert (finished.error is None) == (answer is True)


def test_an_approval_of_mcp_is_no_call_of_a_tool_of_the_run() -> None:
    heard, requests = run(
        "with", [items.answer_of(items.MCP), "Done."], [], approve=lambda call: True, stop_when=called("read")
    )
    assert len(requests) == 2
    assert heard.values[-1].stopped_by == "answer"


def test_a_computer_acknowledges_what_was_approved_and_cannot_be_told_of_errors() -> None:
    checks = [{"id": "chk", "code": "malicious", "message": "Look twice."}]
    item = {**items.COMPUTER, "pending_safety_checks": checks}
    output = answered(item, [ComputerTool(computer)], approve=lambda call: True)
    assert output["acknowledged_safety_checks"] == checks
    for approve in (lambda call: False, None):
        heard, _ = run("with", [items.answer_of(item)], [ComputerTool(computer)], approve=approve)
        assert isinstance(heard.error, ToolError)
    heard, _ = run("with", [items.answer_of(items.COMPUTER)], [ComputerTool(lambda call: "no image")])
    assert isinstance(heard.error, TypeError)


def test_a_cut_call_does_not_run() -> None:
    ran: list[Any] = []
    cut = {**items.SHELL, "status": "incomplete"}
    heard = Heard()
    source = reactivex.from_iterable(items.events_of(cut))
    heard.subscribe(source.pipe(rxs.run_tools([ShellTool(ran.append)], lambda _: reactivex.never())))
    assert heard.completed()
    last = heard.values[-1]
    assert isinstance(last, RunFinishedEvent)
    assert (last.stopped_by, ran) == ("unanswered", [])


def test_definitions_and_wrong_tools() -> None:
    grammar = lark_grammar('start: "a"')
    custom = CustomTool(sql, format=grammar)
    assert custom.definition == {"type": "custom", "name": "sql", "description": "Run a query.", "format": grammar}
    preview = {"type": "computer_use_preview", "display_width": 9, "display_height": 9, "environment": "browser"}
    assert ComputerTool(computer, definition=preview).definition == preview
    assert custom("x", Context(deps="d")) == "d: x"
    with pytest.raises(TypeError, match="expected a function of one value, and perhaps of a Context, got of a, b"):
        ShellTool(lambda a, b: "")
    with pytest.raises(TypeError, match="got of none"):
        ApplyPatchTool(lambda: "")
    with pytest.raises(ValueError, match="the server runs others itself"):
        ShellTool(shell, environment={"type": "container_auto"})
    with pytest.raises(ValueError, match="two of the name shell"):
        rxs.run_tools([ShellTool(shell), ShellTool(shell)], lambda _: reactivex.never())
    with pytest.raises(ValueError, match="expects approve= for the tool apply_patch"):
        rxs.run_tools([ApplyPatchTool(apply_patch, needs_approval=True)], lambda _: reactivex.never())
    rxs.run_tools([CustomTool(sql), tool(name="sql")(lambda: 1)], lambda _: reactivex.never())
