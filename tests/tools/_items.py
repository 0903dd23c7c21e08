"""Responses with items of any type, as events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import rxstream
from rxstream.events import StreamingEvent
from rxstream.testing import answers

CUSTOM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c_sql", "name": "sql", "input": "SELECT 1"}
SHELL = {
    "type": "shell_call",
    "id": "sh_1",
    "call_id": "c_sh",
    "status": "completed",
    "action": {"commands": ["ls", "pwd"], "timeout_ms": 1000, "max_output_length": 500},
    "environment": {"type": "local"},
}
LOCAL_SHELL = {
    "type": "local_shell_call",
    "id": "lsh_1",
    "call_id": "c_lsh",
    "status": "completed",
    "action": {"type": "exec", "command": ["ls", "-l"], "env": {"A": "1"}, "working_directory": "/tmp"},
}
PATCH = {
    "type": "apply_patch_call",
    "id": "ap_1",
    "call_id": "c_ap",
    "status": "completed",
    "operation": {"type": "update_file", "path": "a.py", "diff": "@@\n-a\n+b"},
}
COMPUTER = {
    "type": "computer_call",
    "id": "cu_1",
    "call_id": "c_cu",
    "status": "completed",
    "action": {"type": "click", "x": 1, "y": 2, "button": "left"},
    "pending_safety_checks": [],
}
MCP = {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "files", "name": "read", "arguments": '{"a":1}'}
ITEMS = (CUSTOM, SHELL, LOCAL_SHELL, PATCH, COMPUTER, MCP)


def response_of(*items: dict[str, Any], response_id: str = "resp_items") -> list[dict[str, Any]]:
    """The events of a whole response with these items."""
    response = {"id": response_id, "object": "response", "status": "in_progress", "model": "m", "output": []}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": response}]
    for index, item in enumerate(items):
        events.append({"type": "response.output_item.added", "output_index": index, "item": item})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    done = {**response, "status": "completed", "output": [*items], "usage": usage}
    return [*events, {"type": "response.completed", "response": done}]


def answer_of(*items: dict[str, Any], response_id: str = "resp_items") -> answers.Answer:
    """For a local server."""
    return answers.events(response_of(*items, response_id=response_id))


def events_of(*items: dict[str, Any], response_id: str = "resp_items") -> list[StreamingEvent]:
    return [rxstream.parse_event(json.dumps(event)) for event in response_of(*items, response_id=response_id)]


def outputs(request: dict[str, Any], before: int = 0) -> Sequence[dict[str, Any]]:
    """The items of a request that answer calls."""
    kinds = ("_output", "approval_response")
    return [item for item in request["input"][before:] if str(item.get("type")).endswith(kinds)]
