"""Tool calls of every kind, from their beginning to their end."""

import json
from collections import defaultdict
from typing import Any

import pytest

from rxstream import operators as rxs
from rxstream.events import ResponseOutputItemAddedEvent, StreamingEvent
from rxstream.response.calls._tool_call import AnyToolCall, inputs_of
from rxstream.response.calls._tool_call_kinds import class_of
from rxstream.results import (
    ApplyPatchToolCall,
    CodeInterpreterToolCall,
    ComputerToolCall,
    CustomToolCall,
    FileSearchToolCall,
    FunctionCall,
    ImageGenerationToolCall,
    LocalShellToolCall,
    McpApprovalRequest,
    McpListTools,
    McpToolCall,
    OtherToolCall,
    ShellToolCall,
    ToolCall,
    ToolSearchToolCall,
    WebSearchToolCall,
)
from rxstream.testing import answers
from tests._given import STREAMS, needs
from tests.event_builders import completed, incomplete, item_added, item_done, make_event
from tests.operators._recorded import NAMES, WHOLE, final, recorded, run

Moment = tuple[str, str, str, bool]


def told(*events: StreamingEvent) -> list[ToolCall]:
    """What is made of these events."""
    return run(events, rxs.tool_calls())


def moments(calls: list[ToolCall]) -> list[Moment]:
    return [(call.status, call.delta, call.input, call.done) for call in calls]


# ---------------------------------------------------------------------- each kind


@pytest.mark.parametrize(
    ("kind", "events", "field", "made"),
    [
        ("function_call", "function_call_arguments", "arguments", FunctionCall),
        ("custom_tool_call", "custom_tool_call_input", "input", CustomToolCall),
        ("mcp_call", "mcp_call_arguments", "arguments", McpToolCall),
        ("code_interpreter_call", "code_interpreter_call_code", "code", CodeInterpreterToolCall),
    ],
)
def test_an_input_that_comes_in_deltas(kind: str, events: str, field: str, made: type):
    calls = told(
        item_added(type=kind, **{field: ""}, call_id="call_1", name="look"),
        make_event(f"response.{events}.delta", delta='{"a"'),
        make_event(f"response.{events}.delta", delta=":1}"),
        make_event(f"response.{events}.done", **{field: '{"a":1}'}),
        item_done(type=kind, **{field: '{"a":1}'}, call_id="call_1", name="look"),
    )
    assert {type(call) for call in calls} == {made}
    assert {call.kind for call in calls} == {kind}
    assert moments(calls) == [
        ("in_progress", "", "", False),
        ("in_progress", '{"a"', '{"a"', False),
        ("in_progress", ":1}", '{"a":1}', False),
        ("in_progress", "", '{"a":1}', False),
        ("completed", "", '{"a":1}', True),
    ]
    assert [call.input_done for call in calls] == [False, False, False, True, True]


def test_a_function_call_parses_once_it_is_done():
    call = run(answers.events_of(answers.function_calls([("look", {"city": "Oslo"}, "call_1")])), rxs.tool_calls())[-1]
    assert isinstance(call, FunctionCall)
    assert (call.name, call.call_id, call.parse()) == ("look", "call_1", {"city": "Oslo"})


@pytest.mark.parametrize(
    ("kind", "words", "made"),
    [
        ("web_search_call", ["in_progress", "searching", "completed"], WebSearchToolCall),
        ("file_search_call", ["in_progress", "searching", "completed"], FileSearchToolCall),
        ("code_interpreter_call", ["in_progress", "interpreting", "completed"], CodeInterpreterToolCall),
        ("image_generation_call", ["in_progress", "generating", "completed"], ImageGenerationToolCall),
        ("mcp_call", ["in_progress", "completed"], McpToolCall),
        ("mcp_call", ["in_progress", "failed"], McpToolCall),
        ("mcp_list_tools", ["in_progress", "completed"], McpListTools),
        ("mcp_list_tools", ["in_progress", "failed"], McpListTools),
    ],
)
def test_progress_is_told_by_the_words_of_the_api(kind: str, words: list[str], made: type):
    end = item_done(type=kind, status=words[-1])
    calls = told(item_added(type=kind), *(make_event(f"response.{kind}.{word}") for word in words), end)
    assert {type(call) for call in calls} == {made}
    assert [(call.status, call.done) for call in calls] == [*((word, False) for word in words), (words[-1], True)]


def test_what_searches_look_for():
    assert told(item_done(type="web_search_call", action={"type": "search", "query": "Oslo"}))[-1].input == "Oslo"
    assert (
        told(item_done(type="web_search_call", action={"type": "open_page", "url": "https://a.b"}))[-1].input
        == "https://a.b"
    )
    assert told(item_done(type="file_search_call", queries=["one", "two"]))[-1].input == "one\ntwo"


def test_a_shell_call_has_its_commands_and_no_item_id():
    calls = told(
        item_added(type="shell_call", call_id="call_1", action={"commands": []}),
        make_event("response.shell_call_command.added", command_index=0, command=""),
        make_event("response.shell_call_command.delta", command_index=0, delta="ls"),
        make_event("response.shell_call_command.delta", command_index=0, delta=" -l"),
        make_event("response.shell_call_command.done", command_index=0, command="ls -l"),
        make_event("response.shell_call_command.added", command_index=1, command=""),
        make_event("response.shell_call_command.done", command_index=1, command="pwd"),
        item_done(type="shell_call", call_id="call_1", action={"commands": ["ls -l", "pwd", "id"]}),
    )
    shells = [call for call in calls if isinstance(call, ShellToolCall)]
    assert [(call.command_index, call.delta, call.commands) for call in shells] == [
        (0, "", []),
        (0, "ls", ["ls"]),
        (0, " -l", ["ls -l"]),
        (1, "pwd", ["ls -l", "pwd"]),
        (2, "id", ["ls -l", "pwd", "id"]),
    ]
    assert (shells[-1].input, shells[-1].call_id, shells[-1].done) == ("ls -l\npwd\nid", "call_1", True)


def test_a_patch_has_its_file_and_its_diff():
    operation = {"type": "create_file", "path": "a.txt", "diff": ""}
    calls = told(
        item_added(type="apply_patch_call", call_id="call_1", operation=operation),
        make_event("response.apply_patch_call_operation_diff.delta", delta="+hel"),
        make_event("response.apply_patch_call_operation_diff.done", diff="+hello\n"),
        item_done(type="apply_patch_call", call_id="call_1", operation={**operation, "diff": "+hello\n"}),
    )
    patches = [call for call in calls if isinstance(call, ApplyPatchToolCall)]
    assert [(call.path, call.delta, call.diff) for call in patches] == [
        ("a.txt", "", ""),
        ("a.txt", "+hel", "+hel"),
        ("a.txt", "lo\n", "+hello\n"),
        ("a.txt", "", "+hello\n"),
    ]


def test_an_image_shows_its_previews_and_its_result():
    calls = told(
        item_added(type="image_generation_call"),
        make_event("response.image_generation_call.generating"),
        make_event("response.image_generation_call.partial_image", partial_image_b64="AAA=", partial_image_index=0),
        item_done(type="image_generation_call", status="generating", result="BBB="),
    )
    images = [call for call in calls if isinstance(call, ImageGenerationToolCall)]
    assert [(call.status, call.preview, call.result) for call in images] == [
        ("in_progress", None, None),
        ("generating", None, None),
        ("generating", "AAA=", None),
        ("completed", None, "BBB="),  # the event is the end, not the status
    ]


def test_calls_that_have_no_events_of_their_own():
    command = {"type": "exec", "command": ["echo", "two words"], "env": {}}
    shell = told(item_done(type="local_shell_call", call_id="call_1", action=command))[-1]
    assert isinstance(shell, LocalShellToolCall)
    assert (shell.input, shell.call_id) == ("echo 'two words'", "call_1")
    click = {"type": "click", "x": 1, "y": 2, "button": "left"}
    computer = told(item_done(type="computer_call", call_id="call_2", action=click))[-1]
    assert isinstance(computer, ComputerToolCall)
    assert (json.loads(computer.input), computer.call_id) == ([click], "call_2")
    asks = told(
        item_done(type="mcp_approval_request", arguments='{"a":1}', name="rm", server_label="files", status=None)
    )[-1]
    assert isinstance(asks, McpApprovalRequest)
    assert (asks.input, asks.name, asks.server_label, asks.status, asks.done) == (
        '{"a":1}',
        "rm",
        "files",
        "completed",
        True,
    )


@pytest.mark.parametrize(("execution", "call_id", "answered"), [("client", "call_1", "call_1"), ("server", None, "")])
def test_a_search_among_tools(execution: str, call_id: str | None, answered: str):
    fields = {"type": "tool_search_call", "execution": execution, "call_id": call_id}
    calls = told(item_added(**fields, arguments={}), item_done(**fields, arguments={"queries": ["a"]}))
    found = [(call.call_id, call.input, call.done) for call in calls if isinstance(call, ToolSearchToolCall)]
    assert found == [(answered, "", False), (answered, '{"queries": ["a"]}', True)]


@pytest.mark.parametrize("kind", ["x_search_call", "acme:lookup_call", "multi_agent_call"])
def test_a_call_without_a_class_of_its_own_is_another(kind: str):
    calls = told(item_added(type=kind), item_done(type=kind))
    assert [type(call) for call in calls] == [OtherToolCall, OtherToolCall]
    assert [(call.kind, call.item.type, call.done) for call in calls] == [("other", kind, False), ("other", kind, True)]


@pytest.mark.parametrize("kind", ["message", "reasoning", "shell_call_output", "mcp_approval_response", "program"])
def test_what_calls_no_tool_is_passed_over(kind: str):
    assert told(item_added(type=kind), item_done(type=kind), completed({"type": kind, "id": "item_0"})) == []


# ---------------------------------------------------------------------- what is missing, and what is odd


def test_a_done_event_brings_what_the_deltas_left_out():
    calls = told(
        item_added(type="function_call", name="look", call_id="call_1"),
        make_event("response.function_call_arguments.delta", delta='{"a'),
        make_event("response.function_call_arguments.done", arguments='{"a":1}'),
    )
    assert [(call.delta, call.input) for call in calls] == [("", ""), ('{"a', '{"a'), ('":1}', '{"a":1}')]


def test_a_done_event_that_contradicts_the_deltas_is_right_and_what_was_said_stays_as_it_was():
    calls = told(
        item_added(type="custom_tool_call", call_id="call_1"),
        make_event("response.custom_tool_call_input.delta", delta="no"),
        make_event("response.custom_tool_call_input.done", input="yes"),
        item_done(type="custom_tool_call", call_id="call_1", input="yes"),
    )
    assert [(call.delta, call.input) for call in calls] == [("", ""), ("no", "no"), ("", "yes"), ("", "yes")]


def test_an_item_that_was_never_added_is_opened_by_its_first_event():
    calls = told(
        make_event("response.mcp_call.in_progress", item_id="mcp_1"),
        make_event("response.function_call_arguments.delta", output_index=1, item_id="fc_1", delta="{"),
    )
    assert [(type(call), call.item_id) for call in calls] == [(FunctionCall, "fc_1")]
    searching = told(make_event("response.web_search_call.searching", item_id="ws_1"))
    assert [(call.item_id, call.status) for call in searching] == [("ws_1", "searching")]


def test_a_call_that_never_got_its_end_has_it_with_the_responses():
    tools = {"type": "mcp_list_tools", "id": "item_0", "server_label": "files", "tools": [{"name": "rm"}]}
    calls = told(
        item_added(type="mcp_list_tools", status=None),
        make_event("response.mcp_list_tools.completed"),
        completed(tools),
    )
    assert [(call.status, call.done) for call in calls] == [
        ("in_progress", False),
        ("completed", False),
        ("completed", True),
    ]
    last = calls[-1]
    assert isinstance(last, McpListTools)
    assert last.item.tools == [{"name": "rm"}]


def test_a_failure_stays_one_whatever_the_item_leaves_out():
    assert [
        call.status
        for call in told(
            item_added(type="mcp_call"), make_event("response.mcp_call.failed"), item_done(type="mcp_call", status=None)
        )
    ] == [
        "in_progress",
        "failed",
        "failed",
    ]
    assert told(item_done(type="mcp_call", status=None, error={"code": 500}))[-1].status == "failed"


def test_a_call_that_was_cut_is_incomplete_and_never_done():
    calls = told(
        item_added(type="function_call", name="look", call_id="call_1"),
        make_event("response.function_call_arguments.delta", delta='{"a'),
        incomplete(),
    )
    assert moments(calls)[-1] == ("incomplete", "", '{"a', False)
    assert not calls[-1].input_done
    closed = told(
        item_added(type="function_call"),
        item_done(type="function_call", arguments='{"a', status="incomplete"),
        incomplete(),
    )
    assert moments(closed)[1:] == [("incomplete", '{"a', '{"a', False)]


def test_a_call_that_only_the_last_event_brings():
    calls = told(completed({"type": "function_call", "id": "fc_1", "name": "look", "call_id": "c", "arguments": "{}"}))
    assert moments(calls) == [("completed", "{}", "{}", True)]


def test_a_call_that_is_over_is_over():
    again = item_done(type="function_call", call_id="call_1", arguments="{}")
    late = make_event("response.function_call_arguments.delta", delta="x")
    whole = make_event("response.function_call_arguments.done", arguments="x")
    assert (
        len(told(again, again, late, whole, item_added(type="function_call"), completed(again.item.model_dump()))) == 1
    )


def test_calls_that_interleave_do_not_mix():
    answer = answers.together(
        answers.text("One moment."),
        answers.function_calls([("look", {"a": 1}), ("sum", {"b": [2]})], split=1),
        interleaved=True,
    )
    last = {call.output_index: call for call in run(answers.events_of(answer), rxs.tool_calls())}
    assert {index: (call.input, call.done) for index, call in last.items()} == {
        1: ('{"a":1}', True),
        2: ('{"b":[2]}', True),
    }


# ---------------------------------------------------------------------- the recorded streams


@needs(STREAMS)
def test_every_call_of_the_recorded_streams_is_done_once_and_as_the_response_has_it():
    count = 0
    for name in WHOLE:
        calls = run(recorded(name), rxs.tool_calls())
        over = {call.output_index: call for call in calls if call.done}
        assert len(over) == sum(call.done for call in calls), name
        output = final(name).output
        assert sorted(over) == [index for index, item in enumerate(output) if class_of(item)], name
        for index, call in over.items():
            assert call.item == output[index], name
            assert call.input == "\n".join(inputs_of(output[index])), name
            count += 1
    assert count > 120


@needs(STREAMS)
def test_the_deltas_of_every_recorded_call_join_to_its_input_at_each_moment():
    for name in NAMES:
        said: dict[tuple[int, int], str] = defaultdict(str)
        for call in run(recorded(name), rxs.tool_calls()):
            said[call.output_index, call.part] += call.delta
            if isinstance(call, ShellToolCall):
                assert [said[call.output_index, part] for part in range(len(call.commands))] == call.commands, name
            else:
                assert said[call.output_index, 0] == call.input, name


@needs(STREAMS)
def test_every_recorded_call_ends_whatever_the_stream():
    kinds: set[str] = set()
    for name in NAMES:
        events = recorded(name)
        asked = {
            event.output_index
            for event in events
            if isinstance(event, ResponseOutputItemAddedEvent) and class_of(event.item)
        }
        seen: dict[int, list[AnyToolCall[Any]]] = defaultdict(list)
        for call in run(events, rxs.tool_calls()):
            seen[call.output_index].append(call)
        assert asked <= set(seen), name
        if events[-1].type == "response.completed":
            assert all(calls[-1].done for calls in seen.values()), name
        kinds |= {calls[-1].kind for calls in seen.values()}
    assert kinds >= {
        "function_call",
        "mcp_call",
        "mcp_list_tools",
        "mcp_approval_request",
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "shell_call",
        "apply_patch_call",
        "image_generation_call",
    }, kinds
