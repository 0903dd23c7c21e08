"""The operators: functions from an Observable to an Observable, grouped by question.

The classes of what they emit are in `rxstream.results`, the classes of moderation in `rxstream.moderation`.
"""

# ruff: noqa: I001, RUF022 - sorted by group

# what does it say
from rxstream.operators._text import (
    accumulate_text,
    annotations,
    lines,
    reasoning_summary,
    reasoning_text,
    refusals,
    sentences,
    text_only,
    words,
)

# what does it want done
from rxstream.operators._running import run_tools
from rxstream.operators._tools import accumulate_function_args, tool_calls

# what shape has the answer
from rxstream.operators._structure import json_items, parse_output, partial_json

# which events, and of which item
from rxstream.operators._selecting import of_type
from rxstream.operators._grouping import group_by_content_part, group_by_output_index

# how far is it
from rxstream.operators._lifecycle import final_response, require_completed, snapshots, usage, well_formed

# may it be shown
from rxstream.moderation._gate import gate_until
from rxstream.moderation._operators import debounce_moderation, debounce_moderation_text

# how fast
from rxstream.operators._pacing import coalesce, heartbeat, pace

# what if it breaks
from rxstream.operators._resilience import fallback_to, retry_transient, timeouts
from rxstream.operators._sharing import shared

# how did it go
from rxstream.operators._measuring import measure
from rxstream.operators._probing import probe
from rxstream.operators._taping import tee_to_tape

# await in the chain
from rxstream.operators._async import for_each_async, map_async

# bytes to events
from rxstream.operators._decoding import decode_events, decode_sse, normalize, parse_events

# your own
from rxstream.rx._checks import refuse_missing_parentheses as _refuse
from rxstream.rx._lift import lift
from rxstream.rx._timed import lift_timed

__all__ = [
    "accumulate_text",
    "annotations",
    "lines",
    "reasoning_summary",
    "reasoning_text",
    "refusals",
    "sentences",
    "text_only",
    "words",
    #
    "accumulate_function_args",
    "run_tools",
    "tool_calls",
    #
    "json_items",
    "parse_output",
    "partial_json",
    #
    "group_by_content_part",
    "group_by_output_index",
    "of_type",
    #
    "final_response",
    "require_completed",
    "snapshots",
    "usage",
    "well_formed",
    #
    "debounce_moderation",
    "debounce_moderation_text",
    "gate_until",
    #
    "coalesce",
    "heartbeat",
    "pace",
    #
    "fallback_to",
    "retry_transient",
    "shared",
    "timeouts",
    #
    "measure",
    "probe",
    "tee_to_tape",
    #
    "for_each_async",
    "map_async",
    #
    "decode_events",
    "decode_sse",
    "normalize",
    "parse_events",
    #
    "lift",
    "lift_timed",
]

# fallback_to(source) is right, and cannot be told from pipe(fallback_to); so with gate_until(verdict)
globals().update(
    {
        name: _refuse(globals()[name])
        for name in __all__
        if name not in ("fallback_to", "gate_until", "lift", "lift_timed")
    }
)
