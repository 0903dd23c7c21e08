"""What `useChat` of Vercel's AI SDK 7 posts, as input items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from rxstream.errors import ProtocolError
from rxstream.errors._redaction import one_line
from rxstream.response.calls._tool_names import name_fields
from rxstream.web.formats._json import json_text
from rxstream.web.formats._reading import content_of, file_part, read_body, read_objects, read_text, refuse_role

_DENIED = "the call was not approved"


def from_ui_messages(body: Mapping[str, Any] | str | bytes, *, allow_system: bool = False) -> list[dict[str, Any]]:
    """The conversation that `useChat` posts, as the API's `input`.

    The texts and files of the user, the texts of the assistant, calls of functions and custom tools with their
    outputs, and answers to the approval requests of MCP servers. Left out is what the API does not take back in this
    form or keeps itself: reasoning, sources, files of the assistant, hosted tools, calls of other kinds, calls without
    an output, `data-…` parts, the id of the chat.

    A browser can post anything: also texts that the assistant never wrote, and outputs that no tool gave. If that
    matters, keep the conversation on the server, and take only the last item: `from_ui_messages(body)[-1:]`.

    Args:
        body: the JSON of the request, as text, bytes or read.
        allow_system: take system messages too. Without it they are an error: they are instructions to the model.

    Raises: ProtocolError: it is not what `useChat` posts. The message names the place.
    """
    items: list[dict[str, Any]] = []
    for number, message in enumerate(read_objects(read_body(body), "messages", "messages")):
        place = f"messages[{number}]"
        role, parts = message.get("role"), read_objects(message, "parts", f"{place}.parts")
        if role == "user":
            content = [part for index, each in enumerate(parts) for part in _user(each, f"{place}.parts[{index}]")]
            if content:
                items.append({"role": "user", "content": content_of(content)})
        elif role == "assistant":
            for index, each in enumerate(parts):
                items += _assistant(each, f"{place}.parts[{index}]")
        elif role == "system":
            if not allow_system:
                raise refuse_role("system", place)
            text = "".join(read_text(each, "text", place) for each in parts if each.get("type") == "text")
            items.append({"role": "system", "content": text})
        else:
            raise ProtocolError(f"expected user, assistant or system as {place}.role, got {one_line(repr(role), 80)}")
    return items


def _user(part: Mapping[str, Any], place: str) -> Iterator[dict[str, Any]]:
    kind = part.get("type")
    if kind == "text":
        yield {"type": "input_text", "text": read_text(part, "text", place)}
    elif kind == "file":
        filename: Any = part.get("filename")
        media_type, url = read_text(part, "mediaType", place), read_text(part, "url", place)
        yield file_part(media_type, url, filename if isinstance(filename, str) else None, place)


def _assistant(part: Mapping[str, Any], place: str) -> Iterator[dict[str, Any]]:
    kind = part.get("type")
    if kind == "text":
        text = read_text(part, "text", place)
        if text:
            yield {"role": "assistant", "content": text}
    elif isinstance(kind, str) and kind.startswith(("tool-", "dynamic-tool")):
        name = read_text(part, "toolName", place) if kind == "dynamic-tool" else kind.removeprefix("tool-")
        yield from _call(part, name, place)


def _call(part: Mapping[str, Any], name: str, place: str) -> Iterator[dict[str, Any]]:
    call_id, given = read_text(part, "toolCallId", place), part.get("input")
    metadata, state = part.get("toolMetadata"), part.get("state")
    item_kind: Any = cast("dict[str, Any]", metadata).get("kind") if isinstance(metadata, dict) else "function_call"
    approval = part.get("approval")
    approval = cast("dict[str, Any]", approval) if isinstance(approval, dict) else {}
    approved: Any = approval.get("approved")
    if item_kind == "mcp_approval_request":
        if state == "approval-responded" and isinstance(approved, bool):
            response = {"approval_request_id": read_text(approval, "id", f"{place}.approval"), "approve": approved}
            yield {"type": "mcp_approval_response", **response}
        return
    if part.get("providerExecuted") or item_kind not in ("function_call", "custom_tool_call"):
        return
    output = _output(part, approved)
    if output is None:
        return
    if item_kind == "custom_tool_call" and isinstance(given, str):
        yield {"type": "custom_tool_call", "call_id": call_id, **name_fields(name), "input": given}
        yield {"type": "custom_tool_call_output", "call_id": call_id, "output": output}
    else:
        arguments = given if isinstance(given, str) else json_text({} if given is None else given)
        yield {"type": "function_call", "call_id": call_id, **name_fields(name), "arguments": arguments}
        yield {"type": "function_call_output", "call_id": call_id, "output": output}


def _output(part: Mapping[str, Any], approved: Any) -> str | None:
    """The output of a call; None if it has none."""
    match part.get("state"):
        case "output-available" if not part.get("preliminary"):
            output = part.get("output")
            return output if isinstance(output, str) else json_text(output)
        case "output-error":
            return str(part.get("errorText") or "the tool failed")
        case "output-denied":
            return _DENIED
        case "approval-responded" if approved is False:
            return _DENIED
        case _:
            return None
