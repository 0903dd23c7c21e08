"""The tool calls of one stream as parts: those of the API's events, and what a run of tools reports of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import from_json, to_jsonable_python

from rxstream.events import CallItem, ImageGenerationCallItem, McpCallItem, OutputItem
from rxstream.events._base import finite
from rxstream.response.calls._tool_call import AnsweredToolCall, AnyToolCall
from rxstream.response.calls._tool_call_kinds import (
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
    ShellToolCall,
    ToolCall,
    ToolSearchToolCall,
    WebSearchToolCall,
)
from rxstream.response.calls._tool_names import full_name
from rxstream.tools._events import RunEvent, ToolApprovalEvent, ToolFinishedEvent, ToolProgressEvent, ToolStartedEvent
from rxstream.web.formats._json import escaped, json_text, read_object
from rxstream.web.formats._parts import (
    AnswerPart,
    ApprovalAnswer,
    ApprovalRequest,
    CallInput,
    CallInputPiece,
    CallProgress,
    CallResult,
    CallStart,
    FilePart,
)

_CUT = "the call was cut off"
_NAMES = {"computer_call": "computer_use"}
_WRAPPED = {"code_interpreter_call": "code", "custom_tool_call": "input"}
"""Kind of a call whose input is free text -> its name in JSON."""
_JSON = ("function_call", "mcp_call", "mcp_approval_request")
_NOT_OUTPUT = ("id", "type", "status", "result", "name", "server_label", "arguments", "code", "call_id")


@dataclass(slots=True)
class _ShownCall:
    """A call that has a `CallStart`."""

    call_id: str
    name: str
    kind: str
    hosted: bool
    approval_id: str
    key: str = ""
    """The name of a free text in the JSON of the input; empty for others."""
    text_input: bool = False
    pieces: bool = False
    """Whether a piece of the input was emitted."""
    input_done: bool = False
    approval: bool = False
    """Whether it waits for approval."""
    answered: bool = False


class CallParts:
    """Turns snapshots of calls, and the events of a run, into parts. Memory: a few values for each call.

    With `free_text` the input of a custom tool is text; else it is JSON, `{"input": …}`.
    """

    def __init__(self, *, free_text: bool) -> None:
        self._free_text = free_text
        self._calls: dict[str, _ShownCall] = {}
        """By the id in the format."""
        self._ids: dict[str, str] = {}
        """Id of the API -> the latest id in the format."""
        self._at: dict[int, _ShownCall] = {}
        """By output index, of the response that is being read."""

    def next_response(self) -> None:
        self._at = {}

    @property
    def pending(self) -> tuple[str, ...]:
        """The calls that wait for an answer of the client, but not for an approval."""
        waiting = (call for call in self._calls.values() if call.input_done and not call.answered)
        return tuple(call.call_id for call in waiting if not call.hosted and not call.approval)

    @property
    def approvals(self) -> tuple[ApprovalRequest, ...]:
        """The calls that wait for an approval."""
        waiting = (call for call in self._calls.values() if call.approval)
        return tuple(ApprovalRequest(call.call_id, call.approval_id, call.kind) for call in waiting)

    # ------------------------------------------------------------------ the events of the API

    def snapshot(self, call: ToolCall) -> Iterator[AnswerPart]:
        """The parts of a call that has changed."""
        if isinstance(call, McpListTools):
            return
        ended = call.done or call.status == "incomplete"
        known = self._at.get(call.output_index)
        if known is None:
            name, api_id = _name_of(call), getattr(call, "call_id", "") or call.item_id
            if not ended and not (name and api_id):
                return  # a later event has them
            known = yield from self._begin(call, name, api_id)
            piece = call.input if known.key or call.kind in _JSON else ""
        else:
            piece = call.delta if known.key or call.kind in _JSON else ""
        if piece and not known.input_done:
            yield self._piece(known, piece)
        whole = call.input_done or isinstance(call, ImageGenerationToolCall)  # the API does not send its prompt
        if not known.input_done and (whole or ended):
            yield from self._close_input(known, call, whole)
        if isinstance(call, ImageGenerationToolCall) and call.preview and not ended:
            yield CallProgress(known.call_id, {"preview": _image_url(call.item, call.preview)})
        if ended and known.hosted and not known.answered:
            yield from self._hosted_result(known, call)
        if isinstance(call, McpApprovalRequest) and call.done and not known.approval and not known.answered:
            known.approval = True
            yield ApprovalRequest(known.call_id, known.approval_id, known.kind)

    def item(self, item: OutputItem) -> Iterator[AnswerPart]:
        """The output of a call that the server ran, as an item of its own, such as a `shell_call_output`."""
        output = getattr(item, "output", None)
        if not isinstance(item, CallItem) or not item.type.endswith("_output") or output is None:
            return
        call = self._calls.get(self._ids.get(item.call_id, ""))
        if call is not None and not call.answered:
            call.answered = True
            value = read_object(output) if isinstance(output, str) else to_jsonable_python(output, by_alias=True)
            yield CallResult(call.call_id, value)

    def cut(self, calls: list[ToolCall]) -> Iterator[AnswerPart]:
        """The stream ended inside these calls."""
        for call in calls:
            known = self._at.get(call.output_index)
            if known is not None and not known.input_done:
                known.input_done = known.answered = True
                yield CallInput(known.call_id, known.name, call.input, json_text(call.input), _CUT, cut=True)

    def _begin(self, call: AnyToolCall[Any], name: str, api_id: str) -> Generator[AnswerPart, None, _ShownCall]:
        hosted = not isinstance(call, AnsweredToolCall) or _is_hosted_shell(call)
        item = call.item
        if isinstance(item, McpCallItem) and item.approval_request_id in self._ids:
            known = self._calls[self._ids[item.approval_request_id]]
            if not known.answered:  # it is the call that was approved
                self._at[call.output_index] = known
                known.approval = False
                return known
        known = _ShownCall(self._unique(api_id or "call"), name or "unknown", _kind_of(call), hosted, api_id)
        known.key = _WRAPPED.get(known.kind, "")
        known.text_input = known.kind == "custom_tool_call" and self._free_text
        self._add(known, api_id)
        self._at[call.output_index] = known
        yield self._start(known)
        return known

    def _start(self, call: _ShownCall) -> CallStart:
        return CallStart(call.call_id, call.name, call.kind, call.hosted, call.text_input)

    def _piece(self, call: _ShownCall, text: str) -> CallInputPiece:
        if call.key and not call.text_input:
            text = escaped(text) if call.pieces else f'{{"{call.key}":"{escaped(text)}'
        call.pieces = True
        return CallInputPiece(call.call_id, text)

    def _close_input(self, call: _ShownCall, snapshot: ToolCall, whole: bool) -> Iterator[AnswerPart]:
        if not whole:
            call.input_done = call.answered = True
            yield CallInput(call.call_id, call.name, snapshot.input, json_text(snapshot.input), _CUT, cut=True)
            return
        if call.pieces and call.key and not call.text_input:
            yield CallInputPiece(call.call_id, '"}')
        yield self._input(call, snapshot.input, None if call.kind in _JSON else _input_of(snapshot))

    def _input(self, call: _ShownCall, text: str, value: Any) -> CallInput:
        """The whole input. `value` is None if the text is JSON."""
        call.input_done = True
        if call.text_input:
            return CallInput(call.call_id, call.name, text, json_text(text))
        if value is not None:
            return CallInput(call.call_id, call.name, value, json_text(value))
        try:
            return CallInput(call.call_id, call.name, finite(from_json(text.strip() or "{}")), text.strip() or "{}")
        except ValueError:
            return CallInput(call.call_id, call.name, text, text, "the arguments are not JSON")

    def _hosted_result(self, call: _ShownCall, snapshot: ToolCall) -> Iterator[AnswerPart]:
        item = snapshot.item
        if isinstance(snapshot, McpApprovalRequest | ShellToolCall):
            return  # another item has the result
        call.answered = True
        if isinstance(item, ImageGenerationCallItem) and item.result:
            yield FilePart(_media_type(item), _image_url(item, item.result))
        error = getattr(item, "error", None)
        if error or snapshot.status in ("failed", "incomplete"):
            yield CallResult(call.call_id, None, failed=True, error=_error_of(error))
        elif isinstance(item, McpCallItem):
            yield CallResult(call.call_id, read_object(item.output or ""))
        else:
            fields = item.model_dump(mode="json", exclude_none=True)
            yield CallResult(call.call_id, {name: fields[name] for name in fields if name not in _NOT_OUTPUT})

    # ------------------------------------------------------------------ the events of a run

    def run_event(self, event: RunEvent) -> Iterator[AnswerPart]:
        """The parts of an event of a run. A call of an earlier process, whose events are not repeated, begins here."""
        if not isinstance(event, ToolStartedEvent | ToolApprovalEvent | ToolProgressEvent | ToolFinishedEvent):
            return
        known = self._calls.get(self._ids.get(event.call_id, ""))
        if known is None:
            hosted, name = event.kind == "mcp_approval_request", full_name(event.name, event.namespace)
            known = _ShownCall(self._unique(event.call_id), name, event.kind, hosted, event.call_id)
            known.text_input = known.kind == "custom_tool_call" and self._free_text
            known.key = _WRAPPED.get(known.kind, "")
            self._add(known, event.call_id)
            yield self._start(known)
        if not known.input_done:
            text = getattr(event, "arguments", "")
            if text and not known.pieces:
                yield self._piece(known, text)
                if known.key and not known.text_input:
                    yield CallInputPiece(known.call_id, '"}')
            yield self._input(known, text, {known.key: text} if known.key else None)
        if isinstance(event, ToolApprovalEvent):
            if not known.approval:
                known.approval = True
                yield ApprovalRequest(known.call_id, known.approval_id, known.kind)
            return
        if known.approval and not isinstance(event, ToolProgressEvent):
            known.approval = False
            approved = isinstance(event, ToolStartedEvent) or event.error is None
            yield ApprovalAnswer(known.call_id, known.approval_id, approved)
            if not approved:
                known.answered = True
                return
        if isinstance(event, ToolProgressEvent):
            yield CallProgress(known.call_id, finite(to_jsonable_python(event)["progress"]))
        elif isinstance(event, ToolFinishedEvent) and not known.hosted:
            known.answered = True
            output = read_object(event.output) if isinstance(event.output, str) else event.output
            yield CallResult(known.call_id, output, failed=event.error is not None)

    def _add(self, call: _ShownCall, api_id: str) -> None:
        self._calls[call.call_id] = call
        if api_id:
            self._ids[api_id] = call.call_id

    def _unique(self, call_id: str) -> str:
        number, unique = 1, call_id
        while unique in self._calls:
            number += 1
            unique = f"{call_id}-{number}"
        return unique


def _kind_of(call: AnyToolCall[Any]) -> str:
    return str(call.item.type)


def _name_of(call: ToolCall) -> str:
    if isinstance(call, McpToolCall | McpApprovalRequest):
        return call.name and f"mcp.{call.name}"
    if isinstance(call, FunctionCall | CustomToolCall):
        return call.name and full_name(call.name, call.namespace)
    kind = _kind_of(call)
    return _NAMES.get(kind, kind.removesuffix("_call"))


def _is_hosted_shell(call: AnyToolCall[Any]) -> bool:
    """Whether the server runs the commands: in a container, not where the client is."""
    environment: Any = getattr(call.item, "environment", None)
    return isinstance(call, ShellToolCall) and bool(environment) and environment.get("type") != "local"


def _input_of(call: ToolCall) -> Any:
    """The input of a call that is not written as JSON, as a JSON object."""
    fields: dict[str, Any] = call.item.model_dump(mode="json", exclude_none=True)
    match call:
        case CustomToolCall():
            return {"input": call.input}
        case CodeInterpreterToolCall():
            return {"code": call.input}
        case ShellToolCall():
            return {**fields.get("action", {}), "commands": call.commands}
        case ApplyPatchToolCall():
            return fields.get("operation", {})
        case LocalShellToolCall() | WebSearchToolCall():
            return fields.get("action", {})
        case ComputerToolCall():
            return {"actions": fields.get("actions") or [action for action in [fields.get("action")] if action]}
        case FileSearchToolCall():
            return {"queries": call.queries}
        case ToolSearchToolCall():
            return call.item.arguments or {}
        case _:
            return {}


def _error_of(error: Any) -> str | None:
    """The text of an error of an MCP server; it is what the model gets."""
    if isinstance(error, dict):
        message: Any = cast("dict[str, Any]", error).get("message")
        return message if isinstance(message, str) else json_text(error)
    return error if isinstance(error, str) else None


def _media_type(item: ImageGenerationCallItem) -> str:
    image_format = item.output_format or "png"
    return f"image/{'svg+xml' if image_format == 'svg' else image_format}"


def _image_url(item: ImageGenerationCallItem, data: str) -> str:
    return f"data:{_media_type(item)};base64,{data}"
