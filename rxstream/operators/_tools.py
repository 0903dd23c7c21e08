"""What does it want done: function calls and other tools."""

from __future__ import annotations

from typing import Literal, overload

from rxstream._typing import Operator
from rxstream.cores._function_calls import FunctionCall, FunctionCallProgress, FunctionCalls, FunctionCallsSoFar
from rxstream.events import StreamingEvent
from rxstream.operators._lift import lift


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
    return lift(FunctionCallsSoFar) if partial else lift(FunctionCalls)
