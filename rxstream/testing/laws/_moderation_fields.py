"""A secret at every place where an event can hold text: events of every type, and their fields one by one.

The events are written out here, and are not made from the tables of the moderator: they are its test.
"""

import copy
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from rxstream.testing.answers._answer import JsonDict

FieldPath: TypeAlias = tuple[str | int, ...]

_WHERE: Final[JsonDict] = {"output_index": 0, "item_id": "item_0"}
_PART: Final[JsonDict] = {**_WHERE, "content_index": 0}
_ANNOTATION: Final[JsonDict] = {
    "type": "url_citation",
    "url": "https://a.test/",
    "title": "A",
    "start_index": 0,
    "end_index": 2,
}
_LOGPROB: Final[JsonDict] = {
    "token": "ok",
    "logprob": -0.1,
    "bytes": [111, 107],
    "top_logprobs": [{"token": "ok", "logprob": -0.1, "bytes": [111, 107]}],
}
_TEXT_PART: Final[JsonDict] = {
    "type": "output_text",
    "text": "ok",
    "annotations": [_ANNOTATION],
    "logprobs": [_LOGPROB],
}

ITEMS: Final[Sequence[JsonDict]] = (
    {"type": "message", "role": "assistant", "phase": "final_answer", "content": [_TEXT_PART]},
    {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "ok"}]},
    {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "ok"}],
        "content": [{"type": "reasoning_text", "text": "ok"}],
        "encrypted_content": "gAAAA",
    },
    {"type": "function_call", "call_id": "call_1", "name": "f", "namespace": "n", "arguments": '{"a":"b"}'},
    {"type": "custom_tool_call", "call_id": "call_1", "name": "f", "input": "ok"},
    {"type": "tool_search_call", "call_id": "call_1", "execution": "server", "arguments": {"query": "ok", "limit": 3}},
    {
        "type": "tool_search_output",
        "call_id": "call_1",
        "tools": [{"type": "function", "name": "f", "description": "ok"}],
    },
    {
        "type": "mcp_call",
        "server_label": "s",
        "name": "f",
        "arguments": "{}",
        "output": "ok",
        "error": {"message": "ok"},
    },
    {"type": "mcp_list_tools", "server_label": "s", "tools": [{"name": "f", "description": "ok", "input_schema": {}}]},
    {"type": "mcp_approval_request", "server_label": "s", "name": "f", "arguments": "{}"},
    {
        "type": "code_interpreter_call",
        "container_id": "c",
        "code": "ok",
        "outputs": [{"type": "logs", "logs": "ok"}, {"type": "image", "url": "https://a.test/"}],
    },
    {"type": "program", "call_id": "call_1", "code": "ok", "fingerprint": "x"},
    {"type": "program_output", "call_id": "call_1", "result": "ok"},
    {
        "type": "shell_call",
        "call_id": "call_1",
        "action": {"commands": ["ls"], "timeout_ms": 1000},
        "environment": {"type": "local", "cwd": "ok"},
    },
    {
        "type": "shell_call_output",
        "call_id": "call_1",
        "output": [{"stdout": "ok", "stderr": "ok", "outcome": {"type": "exit", "exit_code": 0}}],
    },
    {
        "type": "local_shell_call",
        "call_id": "call_1",
        "action": {
            "type": "exec",
            "command": ["ls", "ok"],
            "env": {"A": "ok"},
            "user": "ok",
            "working_directory": "ok",
        },
    },
    {"type": "local_shell_call_output", "output": "ok"},
    {
        "type": "apply_patch_call",
        "call_id": "call_1",
        "operation": {"type": "update_file", "path": "a.py", "diff": "+ok"},
    },
    {"type": "apply_patch_call_output", "call_id": "call_1", "output": "ok"},
    {
        "type": "computer_call",
        "call_id": "call_1",
        "action": {"type": "type", "text": "ok", "x": 1},
        "actions": [{"type": "keypress", "keys": ["A", "B"]}],
        "pending_safety_checks": [{"id": "sc", "code": "ok", "message": "ok"}],
    },
    {
        "type": "web_search_call",
        "action": {
            "type": "search",
            "query": "ok",
            "queries": ["ok", "ok"],
            "url": "https://a.test/",
            "pattern": "ok",
            "sources": [{"type": "url", "url": "https://a.test/"}],
        },
    },
    {
        "type": "file_search_call",
        "queries": ["ok"],
        "results": [{"file_id": "f", "filename": "a.txt", "score": 0.5, "text": "ok", "attributes": {"a": "ok"}}],
    },
    {
        "type": "image_generation_call",
        "revised_prompt": "ok",
        "result": "iVBOR",
        "quality": "high",
        "size": "1024x1024",
    },
    {"type": "agent_message", "author": "a", "recipient": "b", "content": [{"type": "output_text", "text": "ok"}]},
    {"type": "multi_agent_call", "call_id": "call_1", "action": "spawn", "arguments": "ok"},
    {"type": "acme:note", "body": "ok", "tokens": ["o", "k"], "deep": {"deeper": [{"deepest": "ok"}]}, "number": 5},
)
"""An item of every type that a response can have, and one of an unknown type."""

EVENTS: Final[Sequence[JsonDict]] = (
    {"type": "response.content_part.added", **_PART, "part": _TEXT_PART},
    {"type": "response.output_text.delta", **_PART, "delta": "ok", "logprobs": [_LOGPROB], "obfuscation": "xyz"},
    {"type": "response.output_text.done", **_PART, "text": "ok", "logprobs": [_LOGPROB]},
    {
        "type": "response.output_text.annotation.added",
        **_PART,
        "annotation_index": 0,
        "annotation": _ANNOTATION,
    },
    {"type": "response.content_part.done", **_PART, "part": _TEXT_PART},
    {"type": "response.content_part.done", **_PART, "part": {"type": "output_markdown", "markdown": "ok"}},
    {"type": "response.refusal.delta", **_PART, "delta": "ok"},
    {"type": "response.refusal.done", **_PART, "refusal": "ok"},
    {"type": "response.reasoning_text.delta", **_PART, "delta": "ok"},
    {"type": "response.reasoning_text.done", **_PART, "text": "ok"},
    {"type": "response.reasoning_part.added", **_PART, "part": {"type": "reasoning_text", "text": "ok"}},
    {"type": "response.reasoning_part.done", **_PART, "part": {"type": "reasoning_text", "text": "ok"}},
    {"type": "response.reasoning_summary_text.delta", **_WHERE, "summary_index": 0, "delta": "ok"},
    {"type": "response.reasoning_summary_text.done", **_WHERE, "summary_index": 0, "text": "ok"},
    {
        "type": "response.reasoning_summary_part.added",
        **_WHERE,
        "summary_index": 0,
        "part": {"type": "summary_text", "text": "ok"},
    },
    {
        "type": "response.reasoning_summary_part.done",
        **_WHERE,
        "summary_index": 0,
        "part": {"type": "summary_text", "text": "ok"},
    },
    {"type": "response.function_call_arguments.delta", **_WHERE, "delta": "{}"},
    {"type": "response.function_call_arguments.done", **_WHERE, "name": "f", "arguments": "{}"},
    {"type": "response.mcp_call_arguments.delta", **_WHERE, "delta": "{}"},
    {"type": "response.mcp_call_arguments.done", **_WHERE, "arguments": "{}"},
    {"type": "response.mcp_call.failed", **_WHERE},
    {"type": "response.custom_tool_call_input.delta", **_WHERE, "delta": "ok"},
    {"type": "response.custom_tool_call_input.done", **_WHERE, "input": "ok"},
    {"type": "response.code_interpreter_call_code.delta", **_WHERE, "delta": "ok"},
    {"type": "response.code_interpreter_call_code.done", **_WHERE, "code": "ok"},
    {"type": "response.code_interpreter_call.completed", **_WHERE},
    {"type": "response.shell_call_command.added", **_WHERE, "command_index": 0, "command": "ls"},
    {"type": "response.shell_call_command.delta", **_WHERE, "command_index": 0, "delta": "ls"},
    {"type": "response.shell_call_command.done", **_WHERE, "command_index": 0, "command": "ls"},
    {
        "type": "response.shell_call_output_content.delta",
        **_WHERE,
        "command_index": 0,
        "delta": {"stdout": "ok", "stderr": "ok"},
    },
    {"type": "response.apply_patch_call_operation_diff.delta", **_WHERE, "delta": "+ok"},
    {"type": "response.apply_patch_call_operation_diff.done", **_WHERE, "diff": "+ok"},
    {"type": "response.web_search_call.searching", **_WHERE},
    {"type": "response.file_search_call.completed", **_WHERE},
    {
        "type": "response.image_generation_call.partial_image",
        **_WHERE,
        "partial_image_index": 0,
        "partial_image_b64": "iVBOR",
        "size": "1024x1024",
    },
    {"type": "response.audio.transcript.delta", "delta": "ok"},
    {"type": "response.audio.transcript.done"},
    {"type": "keepalive"},
    {"type": "acme:trace", "output_index": 0, "note": {"deep": ["ok"]}, "number": 5},
    {"type": "acme:trace", "text": "ok"},
    {"type": "error", "code": "server_error", "message": "ok", "param": "input"},
)
"""An event of every type that can hold text, and of two unknown types."""

ENDINGS: Final[Sequence[JsonDict]] = (
    {"type": "response.completed", "response": {"status": "completed", "usage": {"input_tokens": 1, "cost": 0.5}}},
    {
        "type": "response.incomplete",
        "response": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
    },
    {
        "type": "response.failed",
        "response": {"status": "failed", "error": {"code": "server_error", "message": "ok"}},
    },
)
_SOURCE_TEXTS: Final = frozenset(("delta", "code", "diff", "command", "input"))
"""Fields with source texts, which are judged as they are, and deltas of any text."""
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_.:/@+-]{0,80}")
_REQUEST: Final = frozenset(("instructions", "tools", "metadata"))
"""Fields with which a response repeats its request. They are no texts of the model."""


def planted(secret: str, rng: random.Random) -> tuple[str, list[JsonDict]]:
    """A stream with the secret at one random place, and the name of that place."""
    stream = _stream(rng)
    number = rng.randrange(len(stream))
    path = rng.choice([path for path in places(stream[number]) if path != ("type",)])
    forms = _forms(secret, decoded=path[-1] not in _SOURCE_TEXTS)
    form = rng.choice([form for form in forms if not (_is_identifier(path) and _looks_like_one(form))])
    stream[number] = put(stream[number], path, form)
    place = ".".join(map(str, path))
    return f"in {place} of event {number}, {stream[number]['type']}, as {type(form).__name__}", stream


def _is_identifier(path: FieldPath) -> bool:
    """Whether this is the place of an identifier or of a word for programs."""
    name = str(path[-1])
    return name in ("id", "type", "object", "model", "status", "role", "phase", "code", "reason") or name.endswith(
        "_id"
    )


def _looks_like_one(form: object) -> bool:
    """Whether a value may be an identifier. A secret that looks like one is not found at the place of one."""
    return isinstance(form, str) and _IDENTIFIER.fullmatch(form) is not None


def secret_forms(secret: str) -> list[str]:
    """How the secret may look in JSON: as it is, and with its first character escaped."""
    return [secret, f"u{ord(secret[0]):04x}{secret[1:]}"]


def put(event: Mapping[str, Any], path: FieldPath, value: object) -> JsonDict:
    """A copy of an event with a value at this place. `*` is a new field of an object, `+` a new element of a list."""
    changed: Any = copy.deepcopy(dict(event))
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    if path[-1] == "+":
        holder.append(value)
    else:
        holder["zz" if path[-1] == "*" else path[-1]] = value
    return changed


def _stream(rng: random.Random) -> list[JsonDict]:
    item = {"id": "item_0", "status": "completed", **rng.choice(ITEMS)}
    ending = copy.deepcopy(rng.choice(ENDINGS))
    header: JsonDict = {
        "id": "resp_1",
        "object": "response",
        "status": "in_progress",
        "output": [],
        "tools": [{"type": "function", "name": "f"}],
    }
    ending["response"] = {**header, "output": [item], "output_text": "ok", **ending["response"]}
    events = [
        {"type": "response.created", "response": header},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        *rng.sample(EVENTS, 4),
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        ending,
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def places(value: object, path: FieldPath = ()) -> Iterator[FieldPath]:
    """Each value in an event, and a new one in each object and list. Not what repeats the request."""
    if isinstance(value, dict):
        for name, field in cast("JsonDict", value).items():
            if not (path == ("response",) and name in _REQUEST):
                yield from places(field, (*path, name))
        yield (*path, "*")
    elif isinstance(value, list):
        for index, element in enumerate(cast("list[object]", value)):
            yield from places(element, (*path, index))
        yield (*path, "+")
    if path:
        yield path


def _forms(secret: str, *, decoded: bool) -> Iterator[object]:
    """What holds the secret: a text, a list, an object, a name, JSON in a text; with an escape if that is decoded."""
    yield secret
    yield f"ok {secret} ok"
    yield ["ok", secret]
    yield {"a": [{"b": secret}]}
    yield {secret: 1}
    yield json.dumps({"a": secret})
    if decoded:
        yield json.dumps({"a": secret}).replace(secret, f"\\u{ord(secret[0]):04x}{secret[1:]}")
