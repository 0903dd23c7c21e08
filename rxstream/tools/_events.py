"""The events of a run, between those of the API.

The `namespace` of an event is that of the tool, None if it is in none.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import Field, SerializationInfo, model_serializer
from pydantic_core import PydanticSerializationError, to_json

from rxstream.events import OwnEvent, StreamingEvent, Usage
from rxstream.tools._output import OutputPart


class RunEvent(OwnEvent, frozen=True):
    """An event of a run of tools. No server sends it: `synthetic` is True. `turn` is counted from 1."""

    turn: int = 1


class RunResumedEvent(RunEvent, frozen=True):
    """The first event of a run that goes on from its ledger.

    `turn` is the turn that goes on, and `input` the conversation before it. `response_id` is that of the last response
    that has ended well, None if none has. What was emitted of earlier turns, and of
    calls that had finished, is not emitted again.
    """

    type: Literal["rxstream.run.resumed"] = "rxstream.run.resumed"
    input: list[Any] = Field(default_factory=list[Any])
    response_id: str | None = None


class TurnStartedEvent(RunEvent, frozen=True):
    """A turn begins: the events of one response follow."""

    type: Literal["rxstream.turn.started"] = "rxstream.turn.started"


class ToolStartedEvent(RunEvent, frozen=True):
    """A call of a tool begins to run.

    `kind` is the type of the item that calls it, such as "function_call" or "shell_call". `arguments` is JSON, as the
    model wrote it; of a custom tool the text; of shells, patches and computers the JSON of what they are to do.
    """

    type: Literal["rxstream.tool.started"] = "rxstream.tool.started"
    kind: str = "function_call"
    call_id: str = ""
    name: str = ""
    namespace: str | None = None
    arguments: str = ""


class ToolApprovalEvent(RunEvent, frozen=True):
    """A call waits for approval. If it is approved, a `ToolStartedEvent` follows, else a `ToolFinishedEvent`.

    Of a call that an MCP server asks about (`kind` is "mcp_approval_request", `call_id` the id of the request), a
    `ToolFinishedEvent` follows at once: the server runs it.
    """

    type: Literal["rxstream.tool.approval"] = "rxstream.tool.approval"
    kind: str = "function_call"
    call_id: str = ""
    name: str = ""
    namespace: str | None = None
    arguments: str = ""


class ToolProgressEvent(RunEvent, frozen=True):
    """What a running tool reports: `context.emit(progress)`, or a value of a generator or an Observable.

    In JSON, a `progress` that JSON cannot hold is its `repr`.
    """

    type: Literal["rxstream.tool.progress"] = "rxstream.tool.progress"
    kind: str = "function_call"
    call_id: str = ""
    name: str = ""
    namespace: str | None = None
    progress: Any = None

    @model_serializer(mode="plain")
    def _dump(self, info: SerializationInfo) -> dict[str, Any]:
        event = self
        if info.mode == "json":
            try:
                to_json(self.progress)
            except (PydanticSerializationError, ValueError):
                event = self.model_copy(update={"progress": repr(self.progress)})
        return super(ToolProgressEvent, event)._dump(info)


class ToolFinishedEvent(RunEvent, frozen=True):
    """A call has its answer: `output` is what the model gets. An answer to an MCP server has none.

    `error` says what went wrong, None if nothing did. `seconds` is the time since the tool was started, 0 if it was
    not, as of an unknown tool or a call that was not approved.
    """

    type: Literal["rxstream.tool.finished"] = "rxstream.tool.finished"
    kind: str = "function_call"
    call_id: str = ""
    name: str = ""
    namespace: str | None = None
    output: str | list[OutputPart] | OutputPart = ""
    error: str | None = None
    seconds: float = 0.0


class RunFinishedEvent(RunEvent, frozen=True):
    """The last event of a run.

    `turn` is the number of turns, and `usage` their sum, with that of a turn that was cut short. `stopped_by` is
    `"answer"` if the model asked for no more calls, `"incomplete"` if its response was cut short, `"unanswered"` if it
    asked for calls of a kind that the run has no tool for (a shell, an approval of MCP without `approve=`), else the
    name of the rule or the limit, such as `"turns(16)"` or `"time_limit(60)"`.
    `input` is the whole conversation, for the next request; without the turn that was cut short, if one was.
    Where the server keeps the conversation, it is what the server does not have: usually nothing, after a rule the
    outputs of the last calls. `response_id` is that of the last response that ended well, None if none did or the
    server sent none.
    """

    type: Literal["rxstream.run.finished"] = "rxstream.run.finished"
    usage: Usage | None = None
    stopped_by: str = "answer"
    input: list[Any] = Field(default_factory=list[Any])
    response_id: str | None = None


RunStreamEvent: TypeAlias = StreamingEvent | RunEvent
"""What a run emits: the events of its turns, and its own."""
