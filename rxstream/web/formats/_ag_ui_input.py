"""What a client of AG-UI 1.0 posts, as input items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ag_ui.core import (
    AssistantMessage,
    DeveloperMessage,
    ResumeEntry,
    RunAgentInput,
    SystemMessage,
    ToolMessage,
    UserMessage,
)
from pydantic import ValidationError

from rxstream.errors import ProtocolError
from rxstream.response.calls._tool_names import name_fields
from rxstream.web.formats._reading import content_of, file_part, read_body, refuse_role


@dataclass(frozen=True, slots=True)
class AgUiRequest:
    """What a client asks for."""

    thread_id: str
    run_id: str
    input: list[dict[str, Any]]
    """The conversation, as the API's `input`."""
    tools: list[dict[str, Any]]
    """The tools that the client runs, as the API's `tools`."""
    run_input: RunAgentInput
    """The whole request: state, context, forwarded properties."""


def from_ag_ui(body: RunAgentInput | Mapping[str, Any] | str | bytes, *, allow_system: bool = False) -> AgUiRequest:
    """The request of a client of AG-UI. It needs the package `ag-ui-protocol`.

    Its messages become input items: texts and media of the user, texts of the assistant, its calls with the outputs of
    the tools, answers to the approval requests of MCP servers. Reasoning, activities and calls without an output are
    left out. A browser can post anything, also outputs that no tool gave.

    Args:
        body: the JSON of the request, as text, bytes or read, or a `RunAgentInput`.
        allow_system: take system and developer messages too. Without it they are an error: they are instructions to
            the model.

    Raises: ProtocolError: it is not a `RunAgentInput`, or has what the API cannot read. The message names the place.
    """
    if isinstance(body, RunAgentInput):
        run_input = body
    else:
        try:
            run_input = RunAgentInput.model_validate(read_body(body))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise ProtocolError(
                f"expected a RunAgentInput of AG-UI, got another value at {place}: {first['msg']}"
            ) from None
    items = list(_items(run_input, allow_system))
    return AgUiRequest(run_input.thread_id, run_input.run_id, items, list(_tools(run_input)), run_input)


def _items(run_input: RunAgentInput, allow_system: bool) -> Iterator[dict[str, Any]]:
    answered = {message.tool_call_id for message in run_input.messages if isinstance(message, ToolMessage)}
    called: set[str] = set()
    for number, message in enumerate(run_input.messages):
        place = f"messages[{number}]"
        match message:
            case UserMessage(content=str(text)):
                yield {"role": "user", "content": text}
            case UserMessage(content=parts):
                content = [_content(part, f"{place}.content[{index}]") for index, part in enumerate(parts)]
                if content:
                    yield {"role": "user", "content": content_of(content)}
            case AssistantMessage(content=text, tool_calls=calls):
                if text:
                    yield {"role": "assistant", "content": text}
                for call in calls or ():
                    if call.id in answered:
                        called.add(call.id)
                        function = {**name_fields(call.function.name), "arguments": call.function.arguments}
                        yield {"type": "function_call", "call_id": call.id, **function}
            case ToolMessage(tool_call_id=call_id, content=output, error=error):
                if call_id in called:
                    yield {"type": "function_call_output", "call_id": call_id, "output": _output(output, error, place)}
            case SystemMessage(role=role, content=text) | DeveloperMessage(role=role, content=text):
                if not allow_system:
                    raise refuse_role(role, place)
                yield {"role": role, "content": text}
            case _:
                pass
    yield from (_approval(entry) for entry in run_input.resume or ())


def _content(part: Any, place: str) -> dict[str, Any]:
    if part.type == "text":
        return {"type": "input_text", "text": part.text}
    source = part.source
    media_type = getattr(source, "mime_type", None) or f"{part.type}/*"
    if source.type == "file":
        kind = "input_image" if part.type == "image" else "input_file"
        return {"type": kind, "file_id": source.value, **({"detail": "auto"} if part.type == "image" else {})}
    url = f"data:{media_type};base64,{source.value}" if source.type == "data" else source.value
    return file_part(media_type if part.type == "document" else f"{part.type}/*", url, None, place)


def _output(output: Any, error: str | None, place: str) -> Any:
    if error:
        return error
    if isinstance(output, str):
        return output
    return [_content(part, f"{place}.content[{index}]") for index, part in enumerate(output)]


def _approval(entry: ResumeEntry) -> dict[str, Any]:
    """The answer to an approval request. Only a payload with `"approved": true` approves."""
    given: Any = entry.payload
    payload = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    approved = entry.status == "resolved" and payload.get("approved") is True
    return {"type": "mcp_approval_response", "approval_request_id": entry.interrupt_id, "approve": approved}


def _tools(run_input: RunAgentInput) -> Iterator[dict[str, Any]]:
    for tool in run_input.tools or ():
        parameters: Any = tool.parameters or {"type": "object", "properties": {}}
        description = {"description": tool.description, "parameters": parameters, "strict": False}
        yield {"type": "function", "name": tool.name, **description}
