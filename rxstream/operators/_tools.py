"""What does it want done: function calls and other tools."""

from __future__ import annotations

from rxstream._typing import Operator
from rxstream.cores._function_calls import FunctionCall, FunctionCalls
from rxstream.events import StreamingEvent
from rxstream.operators._lift import lift


def accumulate_function_args() -> Operator[StreamingEvent, FunctionCall]:
    """Emit each function call as soon as *its* arguments are whole, whatever other calls interleave.

    Emits: one `FunctionCall` a call: `name`, `call_id`, `arguments` (JSON text), `output_index`, `item_id`;
    `call.parse()` gives the arguments as a dict, `call.parse(Model)` as a model.
    Completes: with the source. Errors: the source's. A call that was cut is not emitted.
    Memory: one call's names.
    """
    return lift(FunctionCalls)
