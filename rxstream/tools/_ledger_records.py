"""The records of a run: what each holds, and what they say together.

| type | written | fields |
|---|---|---|
| run.began | first | `ledger` (the version of this format), `input`, `tools` (full name -> digest of its schema) |
| turn.asked | before the model is asked | `turn`; `response_id`, if a response that has begun is read again |
| turn.began | when a response that can be read again has begun | `turn`, `response_id` |
| turn.failed | when such a response has not ended well | `turn` |
| turn.ended | when the response has ended well, before its last event is emitted | `turn`, `response`, `calls` |
| call.approval_asked | before the app is asked | `turn`, `call`, `call_id`, `name`, and `namespace` of one |
| call.approved | after it was approved | the same |
| call.started | before the tool runs | the same |
| call.finished | after it, before its event is emitted | the same, `output`, `error` |
| run.finished | before the last event is emitted | `event` |

All have `at`, the seconds since the run began. `call` is the number of a call in its turn, in the order in which their
arguments were whole; the `calls` of a response are these numbers, in the order of its output. A turn that was asked for
again replaces what was recorded of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from rxstream.errors import LedgerError
from rxstream.events import Response
from rxstream.tools._approval import McpApproval
from rxstream.tools._client_tool import ClientTool
from rxstream.tools._events import RunFinishedEvent
from rxstream.tools._ledger import LedgerRecord
from rxstream.tools._runnable_tools import RunnableTools, ToolKey

LEDGER_VERSION = 1


@dataclass(slots=True)
class RecordedCall:
    """What is recorded of a call."""

    approved: bool = False
    started: bool = False
    output: dict[str, Any] | None = None
    """The item that answers it, once it has finished."""


@dataclass(slots=True)
class RecordedTurn:
    """What is recorded of a turn."""

    response: Response | None = None
    """None until it has ended well."""
    response_id: str | None = None
    """That of a response which has begun, and can be read again."""
    numbers: list[int] = field(default_factory=list[int])
    """Those of its calls, in the order of the output."""
    calls: dict[int, RecordedCall] = field(default_factory=dict[int, RecordedCall])


@dataclass(slots=True)
class RecordedRun:
    """What all records say."""

    began: bool = False
    """Whether there are any."""
    input: list[Any] = field(default_factory=list[Any])
    tools: dict[str, str] = field(default_factory=dict[str, str])
    turns: list[RecordedTurn] = field(default_factory=list[RecordedTurn])
    finished: RunFinishedEvent | None = None
    seconds: float = 0.0
    """The time of the last record, since the run began."""


def began_record(items: Sequence[Any], tools: RunnableTools) -> LedgerRecord:
    """The first record. Raises: TypeError: JSON cannot hold the input."""
    digests = {_name(key): _digest(tool) for key, tool in tools if key.kind != McpApproval.call_type}
    return {"type": "run.began", "ledger": LEDGER_VERSION, "at": 0.0, "input": _json(items), "tools": digests}


def read_records(records: Iterable[Mapping[str, Any]]) -> RecordedRun:
    """What they say. Raises: LedgerError: they are not those of a run, or of another version of this format."""
    run = RecordedRun()
    for number, record in enumerate(records, 1):
        try:
            _read_record(run, number, record)
        except LedgerError:
            raise
        except Exception as error:  # whatever a database may return
            raise LedgerError(
                f"expected the records of a run in its ledger, got record {number}, which does not fit: "
                f"{type(error).__name__}: {error}"
            ) from error
    return run


def check_same_run(run: RecordedRun, items: Sequence[Any], tools: RunnableTools) -> None:
    """Raise LedgerError if the ledger is that of another conversation, or tools have changed. More tools may be there.

    A description may change, but not a name or the schema of arguments: the model has written calls for it.
    """
    if run.input != _json(items):
        raise LedgerError(
            f"expected the input with which the run of this ledger began, {_short(run.input)}, got {_short(items)}: "
            "use the same input to go on, or another ledger for another run"
        )
    if run.finished is not None:
        return
    by_name = {_name(key): tool for key, tool in tools}
    for name, digest in run.tools.items():
        tool = by_name.get(name)
        if tool is None or _digest(tool) != digest:
            problem = "no such tool" if tool is None else "one with another schema"
            raise LedgerError(
                f"expected the tool {name} with which the run of this ledger began, got {problem}: "
                "use the same tools to go on, or another ledger for another run"
            )


def _read_record(run: RecordedRun, number: int, record: Mapping[str, Any]) -> None:
    kind = record["type"]
    if (kind == "run.began") is not (number == 1) or run.finished is not None:
        raise LedgerError(f"expected run.began as the first record of a ledger only, got {kind} as record {number}")
    run.seconds = float(record["at"])
    match kind:
        case "run.began":
            if record["ledger"] != LEDGER_VERSION:
                raise LedgerError(
                    f"expected a ledger of the version {LEDGER_VERSION}, got {record['ledger']!r}: "
                    "finish this run with the version of rxstream that began it"
                )
            run.began = True
            run.input, run.tools = record["input"], record["tools"]
        case "turn.asked":
            if record["turn"] == len(run.turns) and run.turns[-1].response is None:
                run.turns.pop()
            _expect(record["turn"] == len(run.turns) + 1, "the turns are not in order")
            run.turns.append(RecordedTurn(response_id=record.get("response_id")))
        case "run.finished":
            run.finished = RunFinishedEvent.model_validate(record["event"])
        case _:
            turn = run.turns[-1]
            _expect(record["turn"] == len(run.turns), "it is of another turn")
            if kind in ("turn.began", "turn.failed"):
                turn.response_id = record.get("response_id")
            elif kind == "turn.ended":
                turn.response, turn.numbers = Response.model_validate(record["response"]), record["calls"]
            else:
                _read_call(turn.calls.setdefault(record["call"], RecordedCall()), kind, record)


def _read_call(call: RecordedCall, kind: str, record: Mapping[str, Any]) -> None:
    match kind:
        case "call.approval_asked":
            pass
        case "call.approved":
            call.approved = True
        case "call.started":
            call.started = True
        case "call.finished":
            call.output = record["output"]
        case _:
            raise ValueError(f"its type is {kind!r}")


def _expect(fits: bool, problem: str) -> None:
    if not fits:
        raise ValueError(problem)


def _name(key: ToolKey) -> str:
    """How the records name a tool: by its name with that of its namespace, or by the type of its calls."""
    return key.full_name if key.kind == "function_call" else f"{key.kind} {key.full_name}".rstrip()


def _digest(tool: ClientTool[..., Any]) -> str:
    definition = {name: value for name, value in tool.definition.items() if name != "description"}
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:16]


def _json(items: Sequence[Any]) -> Any:
    try:
        return from_json(to_json(items, by_alias=True))
    except (PydanticSerializationError, ValueError) as error:
        raise TypeError(f"expected input that JSON can hold, for the ledger, got others: {error}") from error


def _short(items: Sequence[Any]) -> str:
    text = repr(items)
    return text if len(text) <= 200 else f"{text[:200]}…"
