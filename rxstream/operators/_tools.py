"""What does it want done: function calls and other tools."""

from __future__ import annotations

from typing import Literal, overload

from rxstream.events import StreamingEvent
from rxstream.response._responses import per_response
from rxstream.response.calls._function_calls import (
    FunctionCallProgress,
    FunctionCalls,
    FunctionCallsSoFar,
)
from rxstream.response.calls._tool_call_kinds import FunctionCall, ToolCall
from rxstream.response.calls._tool_calls import ToolCalls
from rxstream.rx._lift import lift
from rxstream.typing import Operator


@overload
def accumulate_function_args(*, partial: Literal[False] = False) -> Operator[StreamingEvent, FunctionCall]: ...
@overload
def accumulate_function_args(*, partial: bool) -> Operator[StreamingEvent, FunctionCall | FunctionCallProgress]: ...
def accumulate_function_args(
    *, partial: bool = False
) -> Operator[StreamingEvent, FunctionCall] | Operator[StreamingEvent, FunctionCall | FunctionCallProgress]:
    """Emit each function call as soon as *its* arguments are whole, whatever other calls interleave.

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
    `FunctionCallProgress` a delta: `delta`, and what the arguments are so far, as text (`arguments`) and as a value
    (`value`, read as it is written).
    Completes: with the source. Errors: the source's; none for arguments that are not JSON, which `parse()` tells.
    A call that was cut is not emitted.
    Memory: the names of each call; with `partial=True` also the arguments of those that are being written.
    """
    return lift(per_response(FunctionCallsSoFar)) if partial else lift(per_response(FunctionCalls))


def tool_calls() -> Operator[StreamingEvent, ToolCall]:
    """Emit every tool call, yours and the hosted ones, each time something of it changes.

    Marbles::

        source   -C-F:look-f:{"a"-f::1}-D-I-K|
        result   ---a------b------c-----d-e--|
        where a = FunctionCall(status="in_progress", input=""), b = FunctionCall(input='{"a"')
        where c = FunctionCall(delta=":1}", input='{"a":1}', input_done=False)
        where d = FunctionCall(input_done=True, done=False), e = FunctionCall(status="completed", done=True)

    Each is an object of the moment, and does not change any more: `FunctionCall`, `CustomToolCall`, `McpToolCall`,
    `McpListTools`, `McpApprovalRequest`, `WebSearchToolCall`, `FileSearchToolCall`, `CodeInterpreterToolCall`,
    `ShellToolCall`, `LocalShellToolCall`, `ApplyPatchToolCall`, `ImageGenerationToolCall`, `ComputerToolCall`, or
    `OtherToolCall`; `ToolCall` is the union of them. What they share:

    - `kind`; `status`, in the API's words: `in_progress`, `searching`, `interpreting`, `generating`, `completed`,
      `failed`, `incomplete`; `done` (it is over, and whole); `output_index`; `item` (as added; at the end, whole);
    - `input` (arguments, code, commands, diff, query: as far as it has come), `delta` (what this event added to it),
      `input_done`. A `.done` event is authoritative: what it says is the input.

    Emits: a moment of a call when its item is added, when its status changes, for each delta of its input, when the
    input is whole, for each preview of an image, and at its end. Calls that never got their own end have it with the
    response's; those that were cut get the status `incomplete`, and are never `done`. The outputs of calls
    (`shell_call_output`, …) are items of their own, and no calls.
    Completes: with the source. Errors: the source's.
    Memory: the inputs of the calls that go on; of those that are over, their indexes.
    """
    return lift(per_response(ToolCalls))
