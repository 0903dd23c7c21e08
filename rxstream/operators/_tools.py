"""What does it call: functions and other tools."""

from __future__ import annotations

from typing import Literal, overload

from rxstream.events import Event
from rxstream.response._responses import per_response
from rxstream.response.calls._function_calls import (
    FunctionCallProgress,
    FunctionCalls,
    FunctionCallsSoFar,
)
from rxstream.response.calls._tool_call_kinds import FunctionCall, ToolCall
from rxstream.response.calls._tool_calls import ToolCalls
from rxstream.rx._checks import of_events
from rxstream.rx._lift import lift
from rxstream.typing import Operator


@overload
def accumulate_function_args(*, partial: Literal[False] = False) -> Operator[Event, FunctionCall]: ...
@overload
def accumulate_function_args(*, partial: bool) -> Operator[Event, FunctionCall | FunctionCallProgress]: ...
def accumulate_function_args(
    *, partial: bool = False
) -> Operator[Event, FunctionCall] | Operator[Event, FunctionCall | FunctionCallProgress]:
    """Emit each function call as soon as its arguments are whole, also when calls interleave.

    Marbles::

        source   -C-F:look-1F:sum-f:{"a":1-1f:{}-f:}-1D-D-|
        result   ------------------------------------s--l-|
        where l = FunctionCall(name="look", arguments='{"a":1}'), s = FunctionCall(name="sum", output_index=1)

    Marbles with accumulate_function_args(partial=True)::

        source   -C-F:look-f:{"city":"-f:Par-f:is"}-D-|
        result   ----------x-----------y-----z------l-|
        where x = FunctionCallProgress(value={"city": ""}), y = FunctionCallProgress(value={"city": "Par"})
        where z = FunctionCallProgress(value={"city": "Paris"}), l = FunctionCall(name="look")

    Args:
        partial: emit the progress of each call too.

    Emits: one `FunctionCall` a call: `name`, `call_id`, `arguments` (JSON text), `output_index`, `item_id`;
    `call.parse()` gives the arguments as a dict, `call.parse(Model)` as a model. With `partial=True`, before it, one
    `FunctionCallProgress` a delta: `delta`, and the arguments so far as text (`arguments`) and as a value (`value`).
    Completes: with the source. Errors: the source's. For arguments that are not JSON, `parse()` raises.
    A call that was cut is not emitted.
    Memory: the names of each call; with `partial=True` also the arguments of those that are being written.
    """
    return lift(per_response(FunctionCallsSoFar if partial else FunctionCalls), of_events("accumulate_function_args"))


def tool_calls() -> Operator[Event, ToolCall]:
    """Emit every tool call, of your functions and of hosted tools, each time that it changes.

    Marbles::

        source   -C-F:look-f:{"a"-f::1}-D-I-K|
        result   ---a------b------c-----d-e--|
        where a = FunctionCall(status="in_progress", input=""), b = FunctionCall(input='{"a"')
        where c = FunctionCall(delta=":1}", input='{"a":1}', input_done=False)
        where d = FunctionCall(input_done=True, done=False), e = FunctionCall(status="completed", done=True)

    Each is a snapshot of a call, and does not change: `FunctionCall`, `CustomToolCall`, `McpToolCall`,
    `McpListTools`, `McpApprovalRequest`, `WebSearchToolCall`, `FileSearchToolCall`, `CodeInterpreterToolCall`,
    `ShellToolCall`, `LocalShellToolCall`, `ApplyPatchToolCall`, `ImageGenerationToolCall`, `ComputerToolCall`,
    `ToolSearchToolCall`, or `OtherToolCall`; `ToolCall` is the union of them. All have:

    - `kind`; `status`, as the API has it: `in_progress`, `searching`, `interpreting`, `generating`, `completed`,
      `failed`, `incomplete`; `done` (it has ended, and is whole); `output_index`; `item` (as added; at the end, whole);
    - `input` (arguments, code, commands, diff, query: as far as it has come), `delta` (what this event added to it),
      `input_done`. If a `.done` event has another input than the deltas, the `.done` counts.

    Emits: a snapshot of a call when its item is added, when its status changes, for each delta of its input, when the
    input is whole, for each preview of an image, and at its end. A call without an end of its own ends with the
    response; one that was cut gets the status `incomplete`, and is never `done`. The outputs of calls
    (`shell_call_output`, …) are items, not calls.
    Completes: with the source. Errors: the source's.
    Memory: the inputs of the calls that have not ended; of the others, their indexes.
    """
    return lift(per_response(ToolCalls), of_events("tool_calls"))
