"""Observable to Observable: the vocabulary, grouped by question."""

# await in the chain
# how did it go
# may it be shown
# what shape
from rxstream.moderation._operators import (
    ModerationFlaggedEvent,
    ModerationRetractedEvent,
    Verdict,
    Window,
    debounce_moderation,
    debounce_moderation_text,
)
from rxstream.moderation.checks._blocklist import Blocklist
from rxstream.moderation.checks._calling import ModerationCheck
from rxstream.moderation.checks._openai import OpenAIModeration
from rxstream.operators._async import for_each_async, map_async

# bytes to events
from rxstream.operators._decoding import decode_events, decode_sse, normalize, parse_events

# whose is it
from rxstream.operators._grouping import EventGroup, group_by_content_part, group_by_output_index

# how far is it
from rxstream.operators._lifecycle import (
    Snapshot,
    final_response,
    require_completed,
    snapshots,
    usage,
    well_formed,
)
from rxstream.operators._measuring import Gaps, ItemMetrics, Metrics, measure

# how fast
from rxstream.operators._pacing import coalesce, pace

# what if it breaks
from rxstream.operators._resilience import fallback_to, retry_transient, timeouts

# which
from rxstream.operators._selecting import of_type

# what if it breaks
from rxstream.operators._sharing import shared

# what shape
from rxstream.operators._structure import json_items, parse_output, partial_json

# how did it go
from rxstream.operators._taping import tee_to_tape

# what does it say
from rxstream.operators._text import (
    TextAnnotation,
    TextSoFar,
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
from rxstream.operators._tools import FunctionCall, FunctionCallProgress, accumulate_function_args, tool_calls
from rxstream.partial_json._paths import JsonValue
from rxstream.partial_json._so_far import JsonSoFar

# what does it want done
from rxstream.response.calls._tool_call_kinds import (
    ApplyPatchToolCall,
    CodeInterpreterToolCall,
    ComputerToolCall,
    CustomToolCall,
    FileSearchToolCall,
    FunctionToolCall,
    ImageGenerationToolCall,
    LocalShellToolCall,
    McpApprovalRequest,
    McpListTools,
    McpToolCall,
    OtherToolCall,
    ShellToolCall,
    ToolCall,
    WebSearchToolCall,
)
from rxstream.response.output_json._documents import Partial

# the shape of them all
from rxstream.rx._lift import lift

__all__ = [
    "ApplyPatchToolCall",
    "Blocklist",
    "CodeInterpreterToolCall",
    "ComputerToolCall",
    "CustomToolCall",
    "EventGroup",
    "FileSearchToolCall",
    "FunctionCall",
    "FunctionCallProgress",
    "FunctionToolCall",
    "Gaps",
    "ImageGenerationToolCall",
    "ItemMetrics",
    "JsonSoFar",
    "JsonValue",
    "LocalShellToolCall",
    "McpApprovalRequest",
    "McpListTools",
    "McpToolCall",
    "Metrics",
    "ModerationCheck",
    "ModerationFlaggedEvent",
    "ModerationRetractedEvent",
    "OpenAIModeration",
    "OtherToolCall",
    "Partial",
    "ShellToolCall",
    "Snapshot",
    "TextAnnotation",
    "TextSoFar",
    "ToolCall",
    "Verdict",
    "WebSearchToolCall",
    "Window",
    "accumulate_function_args",
    "accumulate_text",
    "annotations",
    "coalesce",
    "debounce_moderation",
    "debounce_moderation_text",
    "decode_events",
    "decode_sse",
    "fallback_to",
    "final_response",
    "for_each_async",
    "group_by_content_part",
    "group_by_output_index",
    "json_items",
    "lift",
    "lines",
    "map_async",
    "measure",
    "normalize",
    "of_type",
    "pace",
    "parse_events",
    "parse_output",
    "partial_json",
    "reasoning_summary",
    "reasoning_text",
    "refusals",
    "require_completed",
    "retry_transient",
    "sentences",
    "shared",
    "snapshots",
    "tee_to_tape",
    "text_only",
    "timeouts",
    "tool_calls",
    "usage",
    "well_formed",
    "words",
]
