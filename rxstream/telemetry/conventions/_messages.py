"""What was asked and answered, as the messages of the conventions.

A message has a role and parts: `text`, `reasoning`, `tool_call`, `tool_call_response`. Parts and items that the
conventions do not know stay as they are, as they allow. Spans hold texts only, so messages are JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import to_json, to_jsonable_python

from rxstream.response.calls._tool_names import full_name

_TEXTS = {
    **dict.fromkeys(("input_text", "output_text", "text", "summary_text", "reasoning_text"), "text"),
    "refusal": "refusal",
}
"""The type of a content part -> its field with the text."""


def json_of(value: Any) -> str:
    """JSON of any value; of what JSON cannot hold, its text."""
    if isinstance(value, str):
        return value
    return to_json(value, fallback=str, serialize_unknown=True, bytes_mode="base64").decode()


def plain(value: Any) -> Any:
    """The value as JSON has it."""
    dumped = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return to_jsonable_python(dumped, fallback=str, serialize_unknown=True, bytes_mode="base64")


def instructions_of(value: Any) -> str:
    """The parts of the `instructions` of a request; a list of items stays as it is."""
    return json_of([{"type": "text", "content": value}] if isinstance(value, str) else plain(value))


def input_messages(value: Any) -> str:
    """The messages of the `input` of a request."""
    if isinstance(value, str):
        return json_of([{"role": "user", "parts": [{"type": "text", "content": value}]}])
    items: Any = plain(value)
    messages = [_message(item) for item in cast("list[Any]", items if isinstance(items, list) else [items])]
    return json_of(messages)


def output_messages(output: Iterable[Any], finish_reason: str) -> str:
    """The one message of a response: all of its items."""
    parts = [part for item in output for part in _message(plain(item))["parts"]]
    return json_of([{"role": "assistant", "parts": parts, "finish_reason": finish_reason}])


def _message(item: Any) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        return {"role": "user", "parts": [{"type": "text", "content": str(item)}]}
    fields = cast("Mapping[str, Any]", item)
    kind = str(fields.get("type", "message"))
    if kind == "message":
        return {"role": fields.get("role", "user"), "parts": _parts(fields.get("content"))}
    if kind in ("function_call", "custom_tool_call"):
        arguments = fields.get("arguments", fields.get("input", ""))
        name = full_name(str(fields.get("name", "")), fields.get("namespace"))
        call = {"type": "tool_call", "id": fields.get("call_id"), "name": name}
        return {"role": "assistant", "parts": [{**call, "arguments": _parsed(arguments)}]}
    if kind.endswith("_call_output"):
        answer = {"type": "tool_call_response", "id": fields.get("call_id"), "response": fields.get("output")}
        return {"role": "tool", "parts": [answer]}
    if kind == "reasoning":
        parts = (_part(part) for part in (*_list(fields.get("summary")), *_list(fields.get("content"))))
        content = "\n".join(str(part.get("content", "")) for part in parts)
        return {"role": "assistant", "parts": [{"type": "reasoning", "content": content}]}
    return {"role": "assistant", "parts": [dict(fields)]}


def _parts(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    return [_part(part) for part in _list(content)]


def _part(part: Any) -> dict[str, Any]:
    if not isinstance(part, Mapping):
        return {"type": "text", "content": str(part)}
    fields = cast("Mapping[str, Any]", part)
    field = _TEXTS.get(str(fields.get("type")))
    return dict(fields) if field is None else {"type": "text", "content": fields.get(field, "")}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _parsed(arguments: Any) -> Any:
    try:
        return json.loads(arguments)
    except (TypeError, ValueError):
        return arguments
